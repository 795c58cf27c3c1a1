# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tools make of the reports: names, lines and numbers of real builds, and why inputs do not count."""

from __future__ import annotations

import shutil
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import read_counters, write_counters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import (
    Reading,
    describe,
    load,
    printable,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Converted, Request, convert
from go_programs import HERE

REPORTS = HERE.parent / "reports"


@pytest.fixture
def case(tmp_path: Path) -> t.Callable[[str], Path]:
    """A copy of recorded data, outside of the repository that these tests are in."""
    return lambda name: Path(shutil.copytree(REPORTS / name, tmp_path / name))


def run(inputs: t.Sequence[Path], folder: Path, *formats: str, **more: t.Any) -> tuple[Converted, dict[str, str]]:
    outputs = {name: str(folder / f"report.{name}") for name in formats}
    made = convert(Request([str(path) for path in inputs], outputs, more.pop("reading", Reading()), **more))
    return made, {name: Path(path).read_text(encoding="utf-8") for name, path in outputs.items()}


def numbers(made: Converted) -> tuple[int, int]:
    return made.summary["covered"], made.summary["statements"]


def kinds(made: Converted) -> list[str]:
    return [problem["kind"] for problem in made.summary["problems"]]


def cobertura(text: str) -> tuple[dict[str, dict[int, int]], str]:
    """The hits of each line by file, and the source folder."""
    root = ET.fromstring(text.partition("\n")[2].partition("\n")[2])  # noqa: S314  (our own)
    rows = {
        entry.attrib["filename"]: {
            int(line.attrib["number"]): int(line.attrib["hits"]) for line in entry.findall("lines/line")
        }
        for entry in root.iter("class")
    }
    return rows, str(root.findtext("sources/source"))


def refused(inputs: t.Sequence[Path], folder: Path, **more: t.Any) -> CoverageError:
    with pytest.raises(CoverageError) as caught:
        run(inputs, folder, **more)
    return caught.value


# --- names


MONOREPO = {
    "cov-one": ["services/gate/internal/rules/rules.go", "services/gate/main.go"],
    "cov-all": ["libs/common/common.go", "services/gate/internal/rules/rules.go", "services/gate/main.go"],
}


@pytest.mark.parametrize("data", MONOREPO)
@pytest.mark.parametrize(
    "sources",
    [
        {"example.com/shop/services/gate": "services/gate"},
        {"example.com/shop/services/gate": "."},
        {"example.com/shop": "."},
    ],
)
def test_names_in_a_workspace_are_the_repository_s(
    case: t.Callable[[str], Path], tmp_path: Path, data: str, sources: dict[str, str]
) -> None:
    folder = case("cobertura-monorepo")
    repository = folder / "repo"
    folders = {module: str(repository / path) for module, path in sources.items()}
    _made, texts = run([folder / data], tmp_path, "cobertura", "lcov", sources=folders)
    found, source = cobertura(texts["cobertura"])
    assert sorted(found) == MONOREPO[data]
    assert source == str(repository)
    assert sorted(line[3:] for line in texts["lcov"].splitlines() if line.startswith("SF:")) == sorted(found)
    # what gocover-cobertura says of the same data: its names are those within each module
    truth, _source = cobertura((folder / f"truth-{data[4:]}.xml").read_text(encoding="utf-8"))
    assert sorted(map(str, found.values())) == sorted(map(str, truth.values()))


def test_names_of_replaced_and_vendored_modules(case: t.Callable[[str], Path], tmp_path: Path) -> None:
    folder = case("cobertura-monorepo")
    repository = folder / "repo"
    (repository / "go.work").unlink()
    (repository / ".git").mkdir()
    gate = {"example.com/shop/services/gate": str(repository / "services" / "gate")}
    (repository / "libs").rename(repository / "shared")
    module = repository / "services" / "gate" / "go.mod"
    module.write_text(
        module.read_text() + "replace (\n\texample.com/shop/libs/common => ../../shared/common // here\n)\n"
    )
    found, _source = cobertura(run([folder / "cov-all"], tmp_path, "cobertura", sources=gate)[1]["cobertura"])
    assert sorted(found)[-1] == "shared/common/common.go"
    vendor = repository / "services" / "gate" / "vendor" / "example.com" / "shop" / "libs"
    module.write_text("module example.com/shop/services/gate\n")
    vendor.mkdir(parents=True)
    (repository / "shared" / "common").rename(vendor / "common")
    (vendor / "common" / "go.mod").unlink(missing_ok=True)
    found, _source = cobertura(run([folder / "cov-all"], tmp_path, "cobertura", sources=gate)[1]["cobertura"])
    assert "services/gate/vendor/example.com/shop/libs/common/common.go" in found


def test_names_that_the_user_sets(case: t.Callable[[str], Path], tmp_path: Path) -> None:
    folder = case("cobertura-monorepo")
    paths = {"example.com/shop/services/gate": "./gate/", "example.com/shop/libs": "."}
    found, source = cobertura(run([folder / "cov-all"], tmp_path, "cobertura", paths=paths)[1]["cobertura"])
    assert sorted(found) == ["common/common.go", "gate/internal/rules/rules.go", "gate/main.go"]
    assert source == "."
    for wrong in ("/abs", "../up", ".."):
        with pytest.raises(InputError, match="relative to its root"):
            run([folder / "cov-all"], tmp_path, paths={"example.com/shop": wrong})


@pytest.mark.parametrize("given", [True, False])
def test_a_main_package_that_was_built_as_a_file(case: t.Callable[[str], Path], tmp_path: Path, given: bool) -> None:
    folder = case("cobertura-main-built-as-file")
    sources = {"example.com/valve-operator": str(folder / "src")} if given else {}
    made, texts = run([folder / "cov"], tmp_path, "cobertura", "html", sources=sources)
    found, _source = cobertura(texts["cobertura"])
    if given:
        assert sorted(found) == ["cmd/main.go", "internal/ctl/ctl.go"]
        assert kinds(made) == []  # the page has the source of main.go, too
    else:
        assert sorted(found) == ["/workspace/cmd/main.go", "internal/ctl/ctl.go"]
        assert "file-not-in-repository" in kinds(made)
        by_hand, _source = cobertura(
            run([folder / "cov"], tmp_path, "cobertura", paths={"/workspace": "."})[1]["cobertura"]
        )
        assert sorted(by_hand) == ["cmd/main.go", "internal/ctl/ctl.go"]


def test_names_do_not_depend_on_what_is_joined(case: t.Callable[[str], Path], tmp_path: Path) -> None:
    folder = case("cobertura-names-change-with-unit-profile")
    for inputs in (["cov"], ["cov", "unit.txt"], ["unit.txt"]):
        _made, texts = run([folder / name for name in inputs], tmp_path, "cobertura")
        found, _source = cobertura(texts["cobertura"])
        assert set(found) <= {"main.go", "internal/a/a.go", "internal/b/b.go"}
        assert 'timestamp="0"' not in texts["cobertura"]


# --- numbers


@pytest.mark.parametrize(("name", "expected"), [("platform-files", (10, 11)), ("several-main-files", (6, 7))])
def test_files_that_only_one_of_two_programs_has_are_no_second_build(
    tmp_path: Path, name: str, expected: tuple[int, int]
) -> None:
    made, texts = run([REPORTS / name / "cov"], tmp_path, "profile")
    assert numbers(made) == expected
    assert texts["profile"] == (REPORTS / name / "go.txt").read_text(encoding="utf-8")


def test_two_builds_by_two_releases_of_go_are_named_as_that(tmp_path: Path) -> None:
    error = refused([REPORTS / "go-1.27-statements"], tmp_path)
    assert error.cause == "withheld"
    assert any("Go 1.27 or later" in text for text in error.evidence)


def test_inflated_counts_of_go_1_27_0_are_said(tmp_path: Path) -> None:
    made, _texts = run([REPORTS / "go-1.27-statements" / "cov-go1.27.0"], tmp_path)
    assert numbers(made) == (17, 18)
    (problem,) = made.summary["problems"]
    assert (problem["kind"], problem["severity"]) == ("statements-repeated", "note")
    assert "about 7 of 8, 87.5 %" in problem["sentence"]
    assert kinds(run([REPORTS / "go-1.27-statements" / "cov-go1.26"], tmp_path)[0]) == []


def test_no_line_is_left_out_where_blocks_are_large(tmp_path: Path) -> None:
    made, texts = run([REPORTS / "lines-of-large-blocks" / "cov"], tmp_path, "cobertura", "lcov")
    assert kinds(made) == []
    found, _source = cobertura(texts["cobertura"])
    lines = [hits for rows in found.values() for hits in rows.values()]
    assert (sum(map(bool, lines)), len(lines)) == (180159, 270284)
    assert texts["lcov"].count("\nDA:") == 270284


def test_a_function_whose_blocks_a_directive_moved_ran(tmp_path: Path) -> None:
    _made, texts = run([REPORTS / "line-directive-function-ran" / "cov-local"], tmp_path, "cobertura", "lcov")
    assert "FNDA:1,Page" in texts["lcov"]
    assert '<method name="Page" signature="" line-rate="1.0"' in texts["cobertura"]


def test_lines_are_those_of_gcov2lcov(tmp_path: Path) -> None:
    """Its hits are sums where ours are the largest; which lines there are, and which of them ran, is the same."""

    def ran(text: str) -> dict[tuple[str, str], bool]:
        rows, name = {}, ""
        for line in text.splitlines():
            if line.startswith("SF:"):
                name = line
            elif line.startswith("DA:"):
                number, hits = line[3:].split(",")
                rows[name, number] = hits != "0"
        return rows

    _made, texts = run([REPORTS / "lcov2-empty-function" / "cov"], tmp_path, "lcov")
    assert ran(texts["lcov"]) == ran((REPORTS / "lcov2-empty-function" / "gcov2lcov.info").read_text(encoding="utf-8"))
    # genhtml 2 ends where a function begins on a line that has no count
    functions = {line.split(",")[0][3:] for line in texts["lcov"].splitlines() if line.startswith("FN:")}
    assert functions <= {line.split(",")[0][3:] for line in texts["lcov"].splitlines() if line.startswith("DA:")}


# --- inputs


TEXTS = {
    "concat.txt": ("joined-profiles", "several profiles"),
    "blank.txt": ("blank-line", "line 5 is blank"),
    "onlymode.txt": ("no-statements", "no blocks"),
    "bom.txt": ("wrong-encoding", "byte order mark of UTF-8"),
    "utf16.txt": ("wrong-encoding", "byte order mark of UTF-16"),
    "empty.txt": ("empty-file", "is empty"),
}


# written here: a tree of text files has no room for other encodings
ENCODED = {"bom.txt": "utf-8-sig", "utf16.txt": "utf-16"}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_the_cause_of_a_text_profile_that_does_not_count(tmp_path: Path, name: str, policy: str) -> None:
    path = REPORTS / "text-profile-messages" / name
    if name in ENCODED:
        path = tmp_path / name
        path.write_text("mode: set\nexample.com/a/a.go:1.1,2.2 1 1\n", encoding=ENCODED[name])
    error = refused([path], tmp_path / "made", reading=Reading(policy=policy))
    assert (error.cause, TEXTS[name][1] in error.message) == (TEXTS[name][0], True)
    assert error.remedy


@pytest.mark.parametrize(("magic", "program"), [(b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")])
def test_a_compressed_input_is_named_as_that(tmp_path: Path, magic: bytes, program: str) -> None:
    path = tmp_path / "cov.txt.gz"
    path.write_bytes(magic + bytes(40))
    error = refused([path], tmp_path)
    assert (error.cause, program in error.message) == ("compressed", True)


def test_a_text_profile_of_another_release_of_go(tmp_path: Path) -> None:
    folder = REPORTS / "unit-profile-of-another-go-release"
    made, _texts = run([folder / "cov", folder / "unit-127.txt"], tmp_path)
    (problem,) = made.summary["problems"]
    assert "another release of Go" in problem["sentence"]
    assert "same release of Go" in problem["remedy"]
    made, _texts = run([folder / "cov", folder / "unit-126.txt"], tmp_path)
    assert (kinds(made), numbers(made)) == ([], (7, 9))


def test_links_are_followed_once(case: t.Callable[[str], Path], tmp_path: Path) -> None:
    folder = case("symlinked-pod-folder")
    data = folder / "data"
    (data / "pod-b").symlink_to("../disk2/pod-b")
    made, _texts = run([data], tmp_path)
    assert (numbers(made), kinds(made)) == ((5, 5), [])
    (data / "pod-c").symlink_to("pod-a")
    assert numbers(run([data], tmp_path)[0]) == (5, 5)
    (data / "pod-a" / "up").symlink_to("..")
    (data / "gone").symlink_to("nowhere")
    made, _texts = run([data], tmp_path)
    assert numbers(made) == (5, 5)
    found = {Path(problem["file"]).name: problem for problem in made.summary["problems"]}
    assert found["up"]["severity"] == "note"
    assert "leads back" in found["up"]["sentence"]
    assert found["gone"]["severity"] == "warning"
    assert "nowhere" in found["gone"]["sentence"]


def test_damaged_counters_are_said_once(tmp_path: Path) -> None:
    made, _texts = run([REPORTS / "damaged-counters-second-message" / "data"], tmp_path)
    assert kinds(made) == ["damaged"]


def test_a_pod_whose_counters_are_copies_of_another_s_lost_none(case: t.Callable[[str], Path], tmp_path: Path) -> None:
    data = case("symlinked-pod-folder") / "data"
    shutil.copytree(data / "pod-a", data / "pod-x")
    assert kinds(run([data], tmp_path)[0]) == ["duplicate"]


def test_a_library_in_another_program_is_named_where_counters_are_missing(tmp_path: Path) -> None:
    error = refused([REPORTS / "c-shared-library" / "cov"], tmp_path)
    assert error.cause == "no-counters"
    assert "WriteCountersDir" in error.remedy


def test_counters_of_a_plugin_do_not_hide_those_of_its_host(case: t.Callable[[str], Path], tmp_path: Path) -> None:
    data = case("symlinked-pod-folder") / "data"
    before = numbers(run([data], tmp_path)[0])
    (path,) = data.rglob("covcounters.*")
    file = read_counters(path.read_bytes())
    (segment,) = file.segments
    more = replace(
        segment,
        package=np.append(segment.package, 7),
        function=np.append(segment.function, 0),
        lengths=np.append(segment.lengths, 2),
        counters=np.append(segment.counters, np.asarray([3, 4], dtype=np.uint32)),
    )
    path.write_bytes(write_counters(replace(file, segments=[more])))
    made, _texts = run([data], tmp_path)
    assert (numbers(made), kinds(made)) == (before, ["unknown-packages"])


def test_names_that_are_not_utf_8_can_be_returned(case: t.Callable[[str], Path]) -> None:
    data = case("symlinked-pod-folder") / "data"
    (path,) = data.rglob("covcounters.*")
    file = read_counters(path.read_bytes())
    segment = replace(file.segments[0], arguments={"argc": "1", "argv0": "/caf\udce9"})
    path.write_bytes(write_counters(replace(file, segments=[segment])))
    described = printable(describe(load([str(data)], Reading())))
    assert described["programs"][0]["arguments"]["argv0"] == "/caf\\xe9"
    str(described).encode()
