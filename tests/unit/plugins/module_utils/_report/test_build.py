# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a whole, on recorded data of a real program."""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
import xml.etree.ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import page
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.build import Options, Report, make_report
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.checkout import repository_root
from go_page import go_ranges
from go_programs import HERE, HTTPBIN, RECORDED, Go, live
from our_page import our_ranges, packed

MODULE = "example.com/program"
SOURCES = {MODULE: str(HERE / "program")}
FILES = {"cobertura.xml", "e2e-coverage-func.txt", "e2e-coverage.html", "e2e-coverage.txt", "lcov.info"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's results folder with recorded data."""
    folder = tmp_path / "results" / "program" / "run-1"
    shutil.copytree(RECORDED, folder / "coverdata")
    return folder


def report(run: Path, **more: t.Any) -> Report:
    given: dict[str, t.Any] = {"input": str(run), "output": str(run), "service": "program", "run_id": run.name}
    return make_report(Options(**{**given, **more}))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_numbers(run: Path) -> None:
    made = report(run, sources=SOURCES)
    summary = json.loads((run / "summary.json").read_text())
    assert made.summary == summary
    assert summary["schema"] == 2
    assert (summary["component"], summary["withheld"]) == ("program", "")
    assert (summary["covered"], summary["statements"]) == (37, 58)
    assert summary["percent"] == pytest.approx(100 * 37 / 58, abs=1e-4)
    assert {row["path"]: row["percent"] for row in summary["packages"]} == {
        f"{MODULE}/cmd/program": 52.381,
        f"{MODULE}/internal/generated": 0.0,
        f"{MODULE}/internal/nothing": None,
        f"{MODULE}/internal/shapes": 68.4211,
        f"{MODULE}/internal/text": 86.6667,
    }
    assert [(row["name"], row["process_runs"], len(row["pods"])) for row in summary["components"]] == [
        ("program", 3, 2),
        ("worker", 1, 1),
    ]
    # its positions are said to be those of another file, by a //line directive
    assert {problem["kind"] for problem in summary["problems"]} == {"source-differs"}
    assert "generated.go" in summary["problems"][0]["sentence"]
    assert made.lines[0] == "program: 63.8 % of statements (37 of 58), 3 process runs, mode atomic"
    assert made.lines[-1] == f"HTML: {run / 'e2e-coverage.html'}"
    assert set(summary["files"]) == FILES | {"summary.json", "summary.md"} | {
        f"components/worker/{name}" for name in FILES if not name.endswith(".html")
    }
    assert all(Path(path).exists() for path in made.files.values())


def test_a_second_report_of_the_same_data_changes_nothing(run: Path) -> None:
    options = {
        "sources": SOURCES,
        "history": str(run.parent / "history.jsonl"),
        "latest": str(run.parent / "latest"),
        "stages": {"cluster": 12.5},
        "process_runs": [{"component": "program", "pod": "pod-1", "container": "c", "process_runs": 2, "counters": 2}],
    }
    assert report(run, **options).changed
    before = everything(run.parent)
    assert not report(run, **options).changed
    assert not report(run, **options, check=True).changed
    assert everything(run.parent) == before
    assert (run.parent / "latest").readlink() == Path("run-1")
    (line,) = (run.parent / "history.jsonl").read_text().splitlines()
    assert json.loads(line)["run_id"] == "run-1"


def test_a_history_of_schema_1_is_continued(run: Path) -> None:
    history = run.parent / "history.jsonl"
    other = '{"components":{"program":50.0},"lives":2,"percent":50.0,"run_id":"run-0","schema":1}'
    same = '{"components":{"program":50.0},"lives":2,"percent":50.0,"run_id":"run-1","schema":1}'
    history.write_text(f"{other}\n{same}\n")
    assert report(run, history=str(history)).changed
    first, second = history.read_text().splitlines()
    assert first == other, "a line of another run stays as it is"
    entry = json.loads(second)
    assert (entry["schema"], entry["run_id"], entry["process_runs"]) == (2, "run-1", 4)
    assert "lives" not in entry


def test_check_mode_predicts_and_writes_nothing(run: Path) -> None:
    before = everything(run.parent)
    history = str(run.parent / "history.jsonl")
    made = report(run, check=True, history=history, latest=str(run.parent / "latest"))
    assert made.changed
    assert made.summary["covered"] == 37
    assert everything(run.parent) == before
    assert not (run.parent / "latest").is_symlink()


def test_patterns_choose_what_is_reported_and_not_what_is_merged(run: Path) -> None:
    made = report(run, include=[f"{MODULE}/internal/..."], exclude=[".../text", ".../nothing"])
    assert [row["path"] for row in made.summary["packages"]] == [
        f"{MODULE}/internal/generated",
        f"{MODULE}/internal/shapes",
    ]
    assert "text.go" not in (run / "e2e-coverage.txt").read_text()
    (meta,) = (run / "merged").glob("covmeta.*")
    assert meta.read_bytes() == next((run / "coverdata" / "program" / "pod-1").glob("covmeta.*")).read_bytes()
    assert len(made.summary["components"][1]["packages"]) == 5, "patterns are about the service"


def test_a_pattern_that_matches_nothing_is_said(run: Path) -> None:
    made = report(run, exclude=[f"{MODULE}/internal/txt"])
    (problem,) = [problem for problem in made.summary["problems"] if problem["kind"] == "unmatched-pattern"]
    assert f"the nearest is {MODULE}/internal/text" in problem["sentence"]
    with pytest.raises(InputError, match="select none of the 5 packages"):
        report(run, include=["other.org/..."])


def test_thresholds_do_not_fail_and_are_told(run: Path) -> None:
    made = report(run, thresholds={"total": 63.8, "packages": {f"{MODULE}/internal/...": 50}})
    assert not made.summary["threshold_passed"]
    assert [shortfall["scope"] for shortfall in made.summary["shortfalls"]] == ["total", f"{MODULE}/internal/generated"]
    assert "Below the threshold" in (run / "summary.md").read_text()
    assert "  The total of 63.79 % is below its threshold of 63.8 %." in made.lines


def test_two_builds_leave_no_number_behind(run: Path) -> None:
    assert report(run, service="program").changed
    assert (run / "e2e-coverage.txt").exists()
    two_builds(run / "coverdata" / "program" / "pod-2")
    made = report(run, thresholds={"total": 1})
    assert made.summary["percent"] is None
    assert "two builds are mixed" in made.summary["withheld"]
    assert not made.summary["threshold_passed"]
    for name in FILES - {"e2e-coverage.html"}:
        assert not (run / name).exists(), "a number that is not true any more"
    assert made.summary["components"][1]["percent"] is not None
    assert "no percentage" in (run / "e2e-coverage.html").read_text()


def two_builds(pod: Path) -> None:
    """Make a pod's data those of another build: another line and digest of a package, another hash."""
    (path,) = pod.glob("covmeta.*")
    meta = covmeta.read_meta(path.read_bytes())
    meta.units = meta.units.copy()
    meta.units[0, 0] -= 1
    own = covmeta_writer.function_contents(meta)[: int(meta.package_base[1])]
    meta.packages[0] = replace(meta.packages[0], digest=covmeta_writer.package_digest(meta.packages[0], own))
    old, meta.hash = meta.hash, bytes(reversed(meta.hash))
    path.unlink()
    path.with_name(f"covmeta.{meta.hash.hex()}").write_bytes(covmeta_writer.write_meta(meta))
    for counters in list(pod.glob("covcounters.*")):
        raw = counters.read_bytes().replace(old, meta.hash, 1)
        counters.unlink()
        counters.with_name(counters.name.replace(old.hex(), meta.hash.hex())).write_bytes(raw)


def test_lost_process_runs_are_reported(run: Path) -> None:
    process_runs = [
        {
            "component": "program",
            "pod": "pod-1",
            "container": "c",
            "process_runs": 3,
            "counters": 2,
            "exit_codes": [0, 137, 0],
        }
    ]
    made = report(run, process_runs=process_runs)
    (problem,) = [problem for problem in made.summary["problems"] if problem["kind"] == "lost-process-runs"]
    assert "3 process runs, but only the counters of 2 were collected (exit codes 0, 137, 0)" in problem["sentence"]
    assert made.summary["percent"] is not None


def unlink(folder: Path, pattern: str) -> None:
    paths = list(folder.glob(pattern))
    assert paths
    for path in paths:
        path.unlink()


def cut(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("no-coverage-data", lambda data: unlink(data, "*/*/cov*")),
        ("no-counters", lambda data: unlink(data, "*/*/covcounters*")),
        ("no-meta", lambda data: unlink(data, "*/*/covmeta*")),
        ("all-set-aside", lambda data: cut(data, "*/*/covcounters*")),
    ],
)
def test_where_nothing_is_left_the_cause_is_named(run: Path, cause: str, change: t.Callable[[Path], None]) -> None:
    change(run / "coverdata")
    before = everything(run)
    with pytest.raises(DataError) as caught:
        report(run)
    assert caught.value.cause == cause
    assert caught.value.remedy
    assert caught.value.setting == "coverage_report#input"
    assert bool(caught.value.evidence) == (cause != "no-coverage-data")
    assert everything(run) == before


def test_a_service_without_data_is_no_service_at_zero(run: Path) -> None:
    unlink(run / "coverdata", "program/*/covcounters*")
    made = report(run)
    assert made.summary["percent"] is None
    assert made.summary["withheld"] == "there are no counters"
    assert made.summary["components"][1]["percent"] is not None


def test_bad_input_is_refused_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    before = everything(tmp_path)
    for more, text in (
        ({"input": str(tmp_path / "nowhere")}, "does not exist"),
        ({"output": str(run / "coverdata" / "out")}, "is inside the coverage data"),
        ({"sources": {MODULE: str(tmp_path / "nowhere")}}, "source folder"),
        ({"thresholds": {"total": 200}}, "0 to 100"),
    ):
        with pytest.raises(InputError, match=text):
            report(run, **more)
    assert everything(tmp_path) == before


def test_a_results_folder_with_strangers_is_left_alone(run: Path) -> None:
    (run / "merged").mkdir()
    (run / "merged" / "precious").write_text("mine")
    with pytest.raises(InputError, match="precious"):
        report(run)
    assert (run / "merged" / "precious").read_text() == "mine"
    assert not (run / "summary.json").exists()


def test_cobertura_and_lcov_agree(run: Path) -> None:
    report(run)
    root = xml.etree.ElementTree.parse(run / "cobertura.xml").getroot()  # noqa: S314 (our own file)
    by_file: dict[str, dict[int, int]] = {}
    for entry in root.iter("class"):
        lines = entry.find("lines")
        assert lines is not None
        by_file[entry.attrib["filename"]] = {int(e.attrib["number"]): int(e.attrib["hits"]) for e in lines}
    valid = sum(map(len, by_file.values()))
    covered = sum(bool(hits) for lines in by_file.values() for hits in lines.values())
    assert (int(root.attrib["lines-valid"]), int(root.attrib["lines-covered"])) == (valid, covered)
    assert float(root.attrib["line-rate"]) == pytest.approx(covered / valid, abs=1e-4)
    assert len(root.findall("packages/package")) == 5

    records = (run / "lcov.info").read_text().split("end_of_record\n")[:-1]
    seen = {}
    for record in records:
        (name,) = re.findall(r"^SF:(.*)$", record, re.MULTILINE)
        seen[name] = {int(line): int(hits) for line, hits in re.findall(r"^DA:(\d+),(\d+)$", record, re.MULTILINE)}
        assert f"LF:{len(seen[name])}\n" in record
        functions = re.findall(r"^FN:\d+,(.*)$", record, re.MULTILINE)
        assert len(functions) == len(set(functions)) == len(re.findall("^FNDA:", record, re.MULTILINE))
    assert {name: lines for name, lines in seen.items() if lines} == {k: v for k, v in by_file.items() if v}
    text = seen["internal/text/text.go"]
    source = (HERE / "program" / "internal" / "text" / "text.go").read_text().splitlines()
    counted = next(n for n, line in enumerate(source, 1) if "n++" in line)
    missed = next(n for n, line in enumerate(source, 1) if 'return again() + "' in line)
    assert text[counted] > 600
    assert text[missed] == 0
    assert 1 not in text


def in_repository(name: str) -> str:
    """The name that a file of the program has in this repository."""
    folder = HERE / "program"
    return os.path.normpath(
        f"{os.path.relpath(folder, repository_root(str(folder)))}/{name.removeprefix(f'{MODULE}/')}"
    )


@pytest.mark.parametrize("mode", ["set", "atomic"])
def test_ranges_are_those_of_go(go: Go, tmp_path: Path, mode: str) -> None:
    data = tmp_path / "coverdata" / "program" / "pod"
    for arguments in (["area"], ["text", "many"], ["largest"]):
        live(go.program(mode), data, *arguments)
    include = [f"{MODULE}/cmd/...", ".../shapes", ".../text", ".../nothing"]
    made = make_report(Options(str(tmp_path), str(tmp_path / "out"), "program", sources=SOURCES, include=include))
    assert made.summary["problems"] == []
    page = tmp_path / "go.html"
    profile = tmp_path / "out" / "e2e-coverage.txt"
    go.run("tool", "cover", f"-html={profile}", f"-o={page}", cwd=HERE / "program")
    expected = go_ranges(page.read_text())
    ours = our_ranges((tmp_path / "out" / "e2e-coverage.html").read_text())
    assert len(expected) == 5
    assert sum(len(ranges) for _text, ranges in expected.values()) > 40
    assert ours == {in_repository(name): entry for name, entry in expected.items()}


def test_ranges_of_go_httpbin_are_those_of_go(go: Go, tmp_path: Path) -> None:
    live(go.httpbin(), tmp_path / "coverdata" / "httpbin" / "pod", "-port", "none", status=2)
    wrapper = go.wrapper()
    sources = {HTTPBIN: str(go.module_folder(HTTPBIN, wrapper))}
    made = make_report(Options(str(tmp_path), str(tmp_path / "out"), "httpbin", sources=sources))
    assert made.summary["problems"] == []
    page = tmp_path / "go.html"
    go.run("tool", "cover", f"-html={tmp_path / 'out' / 'e2e-coverage.txt'}", f"-o={page}", cwd=wrapper)
    expected = go_ranges(page.read_text())
    assert len(expected) == 10
    ranges = our_ranges((tmp_path / "out" / "e2e-coverage.html").read_text())
    assert ranges == {name.removeprefix(f"{HTTPBIN}/"): entry for name, entry in expected.items()}
    ours, theirs = (tmp_path / "out" / "e2e-coverage.html").stat().st_size, page.stat().st_size
    assert ours < theirs / 2


def packages(page: str) -> dict[str, dict[str, t.Any]]:
    """What is packed in our page of the service, by the path of the package."""
    path_of = {key: path for path, key in re.findall(r'class="path" data-v="([^"]+)">\s*<a href="#([\d.]+)"', page)}
    return {path_of[key]: package for key, package in packed(page).items() if key.startswith("0.")}


def test_functions_of_the_page_are_those_of_the_text(run: Path) -> None:
    report(run, sources=SOURCES, exclude=[".../generated"])
    found = []
    for path, data in packages((run / "e2e-coverage.html").read_text()).items():
        if not path.startswith(f"{MODULE}/"):
            continue
        for name, file, line, part, whole in data["u"]:
            if not re.fullmatch(r"func\.L\d+\.C\d+", name):  # Go's list leaves out literals
                found.append(f"{data['f'][file]['n']}:{line}: {name} {100.0 * part / (whole or 1):.1f}%")
    text = (run / "e2e-coverage-func.txt").read_text().splitlines()[:-1]
    expected = [in_repository(re.sub(r"\s+", " ", line)) for line in text]
    assert len(found) > 10
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("sources", [SOURCES, {}])
def test_the_page_is_the_same_however_its_making_is_shared_out(
    run: Path, monkeypatch: pytest.MonkeyPatch, sources: dict[str, str]
) -> None:
    monkeypatch.setattr(page, "BATCH", 1)
    report(run, sources=sources)
    plain = everything(run)
    monkeypatch.setattr(page, "MUCH", 1)
    monkeypatch.setattr(page, "FAST", page.BEST)
    monkeypatch.setattr(page, "cores", lambda: 3)
    forks: list[int] = []
    fork = os.fork

    def counted() -> int:
        forks.append(os.getpid())
        return fork()

    monkeypatch.setattr(os, "fork", counted)
    assert not report(run, sources=sources).changed
    assert everything(run) == plain
    assert len(forks) >= 2


@pytest.mark.parametrize("sources", [SOURCES, {}])
def test_the_page_has_the_same_in_it_however_much_is_packed_together(
    run: Path, monkeypatch: pytest.MonkeyPatch, sources: dict[str, str]
) -> None:
    html = run / "e2e-coverage.html"
    report(run, sources=sources)
    together = html.read_text()
    monkeypatch.setattr(page, "BATCH", 1)
    report(run, sources=sources)
    apart = html.read_text()
    assert apart.count('data-packages="1"') > together.count('data-packages="1"')
    assert packed(together) == packed(apart)


def test_the_page_has_the_same_in_it_without_the_optional_library(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.deflate is not None, "requirements.txt brings it"
    html = run / "e2e-coverage.html"
    report(run, sources=SOURCES)
    with_library = html.read_text()
    monkeypatch.setattr(page, "deflate", None)
    report(run, sources=SOURCES)
    without = html.read_text()
    assert with_library != without  # or the library was not used
    assert packages(with_library) == packages(without)
    assert our_ranges(with_library) == our_ranges(without)
    assert len(packages(without)) > 1


def test_sources_that_are_missing_or_differ_are_said(run: Path, tmp_path: Path) -> None:
    assert [problem["kind"] for problem in report(run).summary["problems"]] == ["source-missing"] * 2
    copy = Path(shutil.copytree(HERE / "program", tmp_path / "program"))
    (copy / "internal" / "shapes" / "init.go").unlink()
    (copy / "internal" / "text" / "text.go").write_text("package text\n")
    made = report(run, sources={MODULE: str(copy)}, exclude=[".../generated"])
    problems = {problem["kind"]: problem for problem in made.summary["problems"] if problem["component"] == "program"}
    assert "1 file is not at hand" in problems["source-missing"]["sentence"]
    assert "(internal/shapes/init.go)" in problems["source-missing"]["sentence"]
    assert "(internal/text/text.go)" in problems["source-differs"]["sentence"]
    assert {problem["severity"] for problem in problems.values()} == {"note"}


def test_why_a_process_run_was_lost_is_said_where_it_is_known(run: Path) -> None:
    process_runs = [
        {
            "component": "program",
            "pod": "pod-1",
            "process_runs": 3,
            "counters": 2,
            "why": "It was killed for its memory.",
        }
    ]
    (problem,) = [
        entry
        for entry in report(run, process_runs=process_runs).summary["problems"]
        if entry["kind"] == "lost-process-runs"
    ]
    assert problem["sentence"].endswith("2 were collected. It was killed for its memory.")
    assert problem["remedy"] == ""


def truncate(run: Path) -> Path:
    path = min((run / "coverdata" / "program" / "pod-1").glob("covcounters.*"))
    path.write_bytes(path.read_bytes()[:40])
    return path


@pytest.mark.parametrize("policy", ["warn", "quarantine"])
def test_what_is_bad_is_said_each_time(run: Path, policy: str) -> None:
    bad = truncate(run)
    assert report(run, policy=policy, check=True).changed
    assert bad.exists()
    first = report(run, policy=policy)
    assert first.summary["problem_kinds"]["truncated"] == 1
    assert bad.exists() == (policy == "warn")
    moved = run / "quarantine" / "program" / bad.name
    assert moved.exists() == (policy == "quarantine")
    again = report(run, policy=policy)
    assert not again.changed
    assert again.summary == first.summary


def test_what_is_bad_can_stop_everything(run: Path) -> None:
    truncate(run)
    before = everything(run)
    with pytest.raises(DataError) as caught:
        report(run, policy="fail")
    assert caught.value.cause == "truncated"
    assert everything(run) == before


def test_old_and_foreign_data_do_not_count(run: Path) -> None:
    with pytest.raises(DataError) as caught:
        report(run, not_before=4e9)
    assert any("stale" in line or "before" in line for line in caught.value.evidence)
    with pytest.raises(DataError):
        report(run, expected=["example.org/..."])
    assert report(run, expected=[f"{MODULE}/..."]).summary["covered"] == 37


@pytest.fixture
def unit(run: Path, tmp_path: Path) -> Path:
    """A text profile that covers all of one package, beside others that did not run."""
    report(run)
    rows = (run / "e2e-coverage.txt").read_text().splitlines()
    made = [re.sub(r" \d+$", " 1" if "/shapes/" in row else " 0", row) for row in rows[1:]]
    path = tmp_path / "unit.txt"
    path.write_text("\n".join([rows[0], *made, f"{MODULE}/internal/extra/extra.go:1.1,2.2 5 1"]) + "\n")
    return path


def test_tiers(run: Path, unit: Path) -> None:
    made = report(run, text_profiles=[{"name": "unit", "path": str(unit)}])
    e2e, tier, both = made.summary["tiers"]
    assert [entry["name"] for entry in (e2e, tier, both)] == ["e2e", "unit", "all"]
    assert {entry["statements"] for entry in (e2e, tier, both)} == {63}
    assert (e2e["covered"], tier["covered"], both["covered"]) == (37, 24, 37 + 6 + 5)
    assert both["packages"][f"{MODULE}/internal/shapes"] == 100.0
    assert e2e["packages"][f"{MODULE}/internal/extra"] == 0.0
    assert (made.summary["covered"], made.summary["statements"]) == (37, 58), "the total stays that of the e2e tests"
    assert "extra.go:1.1,2.2 5 1" in (run / "joined-coverage.txt").read_text()
    assert "extra.go" not in (run / "e2e-coverage.txt").read_text()
    assert "| **total** |" in (run / "summary.md").read_text()
    assert "<h2>All tiers</h2>" in (run / "e2e-coverage.html").read_text()
    assert "Tier unit: 38.1 % of statements (24 of 63)" in made.lines
    assert not report(run, text_profiles=[{"name": "unit", "path": str(unit)}]).changed
    assert report(run).changed
    assert not (run / "joined-coverage.txt").exists()


def test_a_tier_of_other_sources_is_left_out(run: Path, unit: Path) -> None:
    unit.write_text(unit.read_text().replace("shapes.go:", "shapes.go:7"))
    tiers = [{"name": "unit", "path": str(unit)}]
    made = report(run, text_profiles=tiers)
    assert [entry["name"] for entry in made.summary["tiers"]] == ["e2e", "all"]
    assert made.summary["problem_kinds"]["source-clash"] == 1
    with pytest.raises(InputError):
        report(run, text_profiles=tiers, policy="fail")


def test_tiers_that_are_refused(run: Path, unit: Path) -> None:
    for tiers in (
        [{"name": "unit", "path": str(unit)}] * 2,
        [{"name": "e2e", "path": str(unit)}],
        [{"name": "unit", "path": ""}],
        [{"name": "unit", "path": str(unit / "nowhere")}],
    ):
        with pytest.raises(InputError) as caught:
            report(run, text_profiles=tiers)
        assert caught.value.setting == "coverage_report#text_profiles"


def test_nothing_from_the_data_becomes_markup(run: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    process_runs = [
        {"component": name, "pod": name, "container": name, "process_runs": 2, "counters": 1, "exit_codes": [name]}
    ]
    report(run, process_runs=process_runs, stages={name: 1.0}, run_id=name)
    page = (run / "e2e-coverage.html").read_text()
    assert "<img" not in page
    assert "&lt;img" in page
    assert "<img" not in (run / "summary.md").read_text().replace("\\<", "")
