# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and merging: each thing that can be wrong is named, and the good data survive it."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.quarantine import quarantine
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.scan import QUARANTINE_RECORD
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import text_profile
from go_programs import RECORDED
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the recorded data: program with pods pod-1 (two process runs) and pod-2 (one), worker with one."""
    return Path(shutil.copytree(RECORDED, tmp_path / "coverdata"))


def read(root: Path) -> dict[str, Component]:
    return {component.name: component for component in read_collection(str(root), "program")}


def kinds(component: Component) -> list[str]:
    return [problem.kind for problem in component.problems]


def profile_of(component: Component) -> str:
    return text_profile(make_profile(component.programs, component.mode))


def one(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def test_components_are_kept_apart(data: Path) -> None:
    components = read(data)
    assert list(components) == ["program", "worker"]
    program, worker = components["program"], components["worker"]
    assert (program.process_runs(), worker.process_runs()) == (3, 1)
    assert {name: (pod.metas, pod.counters) for name, pod in program.pods.items()} == {"pod-1": (1, 2), "pod-2": (1, 1)}
    assert program.problems == worker.problems == []
    assert make_profile(program.programs, program.mode).totals() != make_profile(worker.programs, "atomic").totals()


def test_files_in_the_root_belong_to_the_service(data: Path) -> None:
    components = read(data / "worker" / "pod-1")
    assert list(components) == ["program"]
    assert components["program"].process_runs() == 1


def test_an_empty_folder_has_no_components(tmp_path: Path) -> None:
    tmp_path.joinpath("notes.txt").write_text("not coverage data")
    assert read(tmp_path) == {}


def test_a_covmeta_without_counters_is_said_by_pod(data: Path) -> None:
    one(data / "program" / "pod-2", "covcounters.*").unlink()
    program = read(data)["program"]
    assert kinds(program) == ["meta-without-counters"]
    assert "pod-2" in program.problems[0].sentence
    assert program.process_runs() == 2
    assert not program.withheld


def test_only_covmetas_are_no_coverage_of_zero(data: Path) -> None:
    for path in data.glob("program/*/covcounters.*"):
        path.unlink()
    program = read(data)["program"]
    assert kinds(program) == ["meta-without-counters", "meta-without-counters"]
    assert program.withheld == "there are no counters"
    assert not program.usable()


def test_counters_without_a_covmeta_are_set_aside(data: Path) -> None:
    for path in data.glob("program/*/covmeta.*"):
        path.unlink()
    components = read(data)
    assert kinds(components["program"]) == ["counters-without-meta"] * 3
    assert not components["program"].usable()
    assert components["worker"].usable()


def test_a_pod_may_use_the_covmeta_of_another(data: Path) -> None:
    one(data / "program" / "pod-2", "covmeta.*").unlink()
    program = read(data)["program"]
    assert program.problems == []
    assert program.process_runs() == 3


DAMAGE: list[tuple[str, t.Callable[[bytes], bytes]]] = [
    ("empty-file", lambda raw: b""),
    ("truncated", lambda raw: raw[: len(raw) // 2]),
    ("wrong-magic", lambda raw: b"\x7fELF" + raw[4:]),
    ("future-version", lambda raw: raw[:4] + b"\x02\0\0\0" + raw[8:]),
]


@pytest.mark.parametrize(("kind", "change"), DAMAGE, ids=[kind for kind, _change in DAMAGE])
def test_a_bad_counter_file_is_set_aside_and_the_rest_counts(
    data: Path, kind: str, change: t.Callable[[bytes], bytes]
) -> None:
    bad = one(data / "program" / "pod-1", "covcounters.*")
    good = bad.read_bytes()
    bad.unlink()
    expected = profile_of(read(data)["program"])
    bad.write_bytes(change(good))
    program = read(data)["program"]
    assert kinds(program) == [kind]
    assert program.problems[0].file == str(bad)
    assert program.problems[0].severity == "warning"
    assert program.process_runs() == 2
    assert not program.withheld
    assert profile_of(program) == expected


@pytest.mark.parametrize(("kind", "change"), DAMAGE, ids=[kind for kind, _change in DAMAGE])
def test_a_bad_covmeta_is_set_aside_where_another_copy_is_good(
    data: Path, kind: str, change: t.Callable[[bytes], bytes]
) -> None:
    expected = profile_of(read(data)["program"])
    for pod in ("pod-1", "pod-2"):  # the one that is read first, and one that only its header is read of
        bad = one(data / "program" / pod, "covmeta.*")
        good = bad.read_bytes()
        bad.write_bytes(change(good))
        program = read(data)["program"]
        assert kinds(program) == [kind]
        assert program.problems[0].file == str(bad)
        assert program.process_runs() == 3
        assert profile_of(program) == expected
        bad.write_bytes(good)


def test_a_file_that_cannot_be_read_is_set_aside(data: Path) -> None:
    bad = one(data / "program" / "pod-1", "covcounters.*")
    bad.unlink()
    bad.symlink_to(data / "nowhere")
    program = read(data)["program"]
    assert kinds(program) == ["unreadable"]
    assert program.process_runs() == 2


def test_a_file_under_another_name_is_set_aside(data: Path) -> None:
    bad = one(data / "program" / "pod-1", "covcounters.*")
    raw = bytearray(bad.read_bytes())
    raw[8] ^= 1
    bad.write_bytes(raw)
    meta = one(data / "program" / "pod-2", "covmeta.*")
    meta.rename(meta.with_name("covmeta." + "0" * 32))
    program = read(data)["program"]
    assert sorted(kinds(program)) == ["renamed", "renamed"]
    assert program.process_runs() == 2


def test_counters_that_do_not_fit_their_covmeta_are_set_aside(data: Path) -> None:
    for path in data.glob("program/pod-1/covcounters.*"):
        file = covcounters.read_counters(path.read_bytes())
        file.segments[0].function[0] = 99
        path.write_bytes(covcounters.write_counters(file))
    program = read(data)["program"]
    assert kinds(program) == ["foreign", "foreign"]
    assert program.process_runs() == 1


def test_leftovers_of_a_write_that_was_interrupted_are_said(data: Path) -> None:
    good = one(data / "program" / "pod-1", "covcounters.*")
    good.with_name(f"tmp.{good.name}").write_bytes(good.read_bytes()[:50])
    program = read(data)["program"]
    assert kinds(program) == ["leftover"]
    assert program.process_runs() == 3


def test_a_file_that_is_there_twice_counts_once(data: Path) -> None:
    expected = profile_of(read(data)["program"])
    good = one(data / "program" / "pod-1", "covcounters.*")
    shutil.copy(good, data / "program" / "pod-2" / good.name)
    program = read(data)["program"]
    assert kinds(program) == ["duplicate"]
    assert program.process_runs() == 3
    assert profile_of(program) == expected


def rewrite(folder: Path, change: t.Callable[[covmeta.Meta], None]) -> None:
    """Change a pod's covmeta, and give it and its counters another hash, as another build has."""
    path = one(folder, "covmeta.*")
    meta = covmeta.read_meta(path.read_bytes())
    change(meta)
    meta.hash = bytes(reversed(meta.hash))
    path.unlink()
    path.with_name(f"covmeta.{meta.hash.hex()}").write_bytes(covmeta_writer.write_meta(meta))
    for counters in sorted(folder.glob("covcounters.*")):
        file = covcounters.read_counters(counters.read_bytes())
        file.meta_hash = meta.hash
        _prefix, _hash, process, stamp = counters.name.split(".")
        counters.unlink()
        counters.with_name(f"covcounters.{meta.hash.hex()}.{process}.{stamp}").write_bytes(
            covcounters.write_counters(file)
        )


def test_two_builds_from_different_sources_withhold_the_percentage(data: Path) -> None:
    def change(meta: covmeta.Meta) -> None:
        meta.units = meta.units.copy()
        meta.units[0, -1] += 1
        own = covmeta_writer.function_contents(meta)[int(meta.package_base[-2]) :]
        meta.packages[-1] = replace(meta.packages[-1], digest=covmeta_writer.package_digest(meta.packages[-1], own))

    rewrite(data / "program" / "pod-2", change)
    components = read(data)
    program = components["program"]
    assert kinds(program) == ["two-builds"]
    assert program.problems[0].severity == "error"
    assert "two builds are mixed" in program.withheld
    assert program.process_runs() == 3
    assert not components["worker"].withheld


def test_two_builds_from_the_same_sources_are_merged(data: Path) -> None:
    expected = profile_of(read(data)["program"])
    rewrite(data / "program" / "pod-2", lambda meta: None)
    program = read(data)["program"]
    assert [(problem.kind, problem.severity) for problem in program.problems] == [("two-builds", "note")]
    assert not program.withheld
    assert profile_of(program) == expected


def test_a_mode_clash_leaves_only_whether_it_ran(data: Path) -> None:
    def change(meta: covmeta.Meta) -> None:
        meta.mode = "set"

    before = make_profile(read(data)["program"].programs, "atomic")
    rewrite(data / "program" / "pod-2", change)
    program = read(data)["program"]
    assert "mode-clash" in kinds(program)
    assert program.mode == "set"
    after = make_profile(program.programs, program.mode)
    assert after.totals() == before.totals()
    assert np.array_equal(after.counts, (before.counts != 0).astype(np.uint32))


def test_blocks_and_functions_do_not_mix(data: Path) -> None:
    def change(meta: covmeta.Meta) -> None:
        meta.granularity = "perfunc"

    rewrite(data / "program" / "pod-2", change)
    program = read(data)["program"]
    assert "granularity-clash" in kinds(program)
    assert program.withheld


# -- copies of one covmeta that differ --------------------------------------------------------------------------------


@pytest.mark.parametrize("pod", ["pod-0", "pod-3"])
def test_a_copy_whose_contents_are_not_those_of_its_hashes_does_not_count(data: Path, pod: str) -> None:
    """Its numbers are in order, and one of them is wrong: nothing but the hash tells."""
    expected = profile_of(read(data)["program"])
    good = one(data / "program" / "pod-1", "covmeta.*")
    raw = bytearray(good.read_bytes())
    raw[-2] ^= 1
    bad = data / "program" / pod / good.name
    bad.parent.mkdir()
    bad.write_bytes(raw)
    program = read(data)["program"]
    if pod == "pod-0":  # otherwise two good ones agreed before it came up, and only its header was looked at
        assert kinds(program) == ["damaged"]
        assert program.problems[0].file == str(bad)
    assert program.process_runs() == 3
    assert profile_of(program) == expected
    assert not program.withheld


def test_where_no_copy_is_as_it_was_written_the_percentage_is_withheld(data: Path) -> None:
    for pod, place in (("pod-1", -2), ("pod-2", -3)):
        path = one(data / "program" / pod, "covmeta.*")
        raw = bytearray(path.read_bytes())
        raw[place] ^= 1
        path.write_bytes(raw)
    program = read(data)["program"]
    assert ("damaged", "error") in [(problem.kind, problem.severity) for problem in program.problems]
    assert "no copy of covmeta." in program.withheld


def test_a_good_copy_that_comes_last_counts(data: Path) -> None:
    """Two damaged copies come before it, each in its own way, and another one behind it."""
    expected = profile_of(read(data)["program"])
    good = one(data / "program" / "pod-1", "covmeta.*")
    for pod, place in (("pod-0", -2), ("pod-00", -3), ("pod-000", -3), ("pod-3", -2)):
        raw = bytearray(good.read_bytes())
        raw[place] ^= 1
        (data / "program" / pod).mkdir()
        (data / "program" / pod / good.name).write_bytes(raw)
    one(data / "program" / "pod-2", "covmeta.*").unlink()
    program = read(data)["program"]
    assert set(kinds(program)) == {"damaged"}
    assert {problem.severity for problem in program.problems} == {"warning"}
    assert {Path(problem.file).parent.name for problem in program.set_aside} == {"pod-0", "pod-00", "pod-000", "pod-3"}
    assert (program.process_runs(), program.withheld) == (3, "")
    assert profile_of(program) == expected


# -- what is expected, and from when on -------------------------------------------------------------------------------

YEAR_2100 = 4_102_444_800_000_000_000


def set_time(path: Path, nanoseconds: int) -> Path:
    """Give a file of counters another time, in its name."""
    stem, _stamp = path.name.rsplit(".", 1)
    return path.rename(path.with_name(f"{stem}.{nanoseconds}"))


def test_what_is_older_than_the_run_does_not_count(data: Path) -> None:
    fresh = set_time(one(data / "program" / "pod-2", "covcounters.*"), YEAR_2100 + 5)
    (program,) = read_collection(str(data / "program"), "program", layered=False, not_before=YEAR_2100)
    assert program.process_runs() == 1
    assert program.programs[0].nanoseconds == YEAR_2100 + 5
    stale = [problem for problem in program.set_aside if problem.kind == "stale"]
    assert len(stale) == 2
    assert str(fresh) not in {problem.file for problem in stale}
    assert not program.withheld


def test_a_program_of_an_earlier_run_does_not_clash_with_this_one(data: Path) -> None:
    """Two builds in one folder, but the other one is stale with all it has."""

    def change(meta: covmeta.Meta) -> None:
        package = meta.packages[-1]
        meta.packages[-1] = covmeta.Package(package.path, package.name, package.module, bytes(16))

    rewrite(data / "program" / "pod-2", change)
    for path in (data / "program" / "pod-1").glob("covcounters.*"):
        set_time(path, YEAR_2100 + int(path.name.rsplit(".", 2)[1]))
    (program,) = read_collection(str(data / "program"), "program", layered=False, not_before=YEAR_2100)
    assert set(kinds(program)) == {"stale"}
    assert len(program.set_aside) == 2  # the counters, and their covmeta
    assert (len(program.programs), program.process_runs(), program.withheld) == (1, 2, "")
    (program,) = read_collection(str(data / "program"), "program", layered=False)
    assert "two-builds" in kinds(program)


def test_a_covmeta_that_is_new_lost_its_counters(data: Path) -> None:
    """All counters are stale, and a process began since: its counters are lost, and that is said."""
    for path in (data / "program").glob("*/covmeta.*"):
        os.utime(path, ns=(YEAR_2100 + 1, YEAR_2100 + 1))
    (program,) = read_collection(str(data / "program"), "program", layered=False, not_before=YEAR_2100)
    assert kinds(program) == ["stale"] * 3 + ["meta-without-counters"] * 2
    assert program.withheld == "there are no counters"


@pytest.mark.parametrize(
    ("expected", "process_runs"),
    [
        (["example.com/program/cmd/..."], 4),
        (["example.com/program"], 4),
        (["example.com/other/..."], 0),
        (["example.com/other/...", "example.com/program/cmd/program"], 4),
    ],
)
def test_a_foreign_program_does_not_count(data: Path, expected: list[str], process_runs: int) -> None:
    (found,) = read_collection(str(data), "data", layered=False, expected=expected)
    assert found.process_runs() == process_runs
    assert set(kinds(found)) == (set() if process_runs else {"foreign-program"})
    assert len(found.set_aside) == (0 if process_runs else 7)


# -- snapshots --------------------------------------------------------------------------------------------------------


def snapshots(folder: Path, process: int) -> list[int]:
    """Write what one process wrote three times while it lived; return its last counts."""
    all_counts = [[1] * UNITS, [2] * UNITS, [2] * (UNITS - 1) + [7]]
    merge(folder, enumerate(all_counts), "atomic")
    for path in sorted(folder.glob("covcounters.*")):
        stem, _process, stamp = path.name.rsplit(".", 2)
        path.rename(path.with_name(f"{stem}.{process}.{stamp}"))
    return all_counts[-1]


@pytest.mark.parametrize(
    ("process", "how", "summed", "kind"),
    [
        (4711, {}, False, ["snapshots"]),
        (1, {}, True, ["snapshots"]),
        (1, {"snapshots": "last"}, False, ["snapshots"]),
        (4711, {"snapshots": "sum"}, True, []),
        (1, {"process_runs": {"pod-7": 1}}, False, ["snapshots"]),
        (1, {"process_runs": {"pod-7": 3}}, True, []),
        (1, {"process_runs": {"pod-8": 1}}, True, ["snapshots"]),
    ],
)
def test_snapshots_of_one_process_run_count_once(
    tmp_path: Path, process: int, how: dict[str, t.Any], summed: bool, kind: list[str]
) -> None:
    folder = tmp_path / "program" / "pod-7"
    folder.parent.mkdir()
    last = snapshots(folder, process)
    (program,) = read_collection(str(tmp_path), "program", **how)
    assert program.process_runs() == (3 if summed else 1)
    assert program.programs[0].counts.tolist() == ([3 + 2 * 1] * (UNITS - 1) + [10] if summed else last)
    assert kinds(program) == kind
    assert all(problem.severity == "note" for problem in program.problems)


# -- where data lie ---------------------------------------------------------------------------------------------------


def test_several_folders_and_files_are_read_together(data: Path) -> None:
    pods = [str(data / "program" / "pod-1"), str(one(data / "program" / "pod-2", "covcounters.*"))]
    (found,) = read_collection(pods, "all", layered=False)
    assert (found.name, found.process_runs(), found.problems) == ("all", 3, [])
    assert {name: (pod.metas, pod.counters) for name, pod in found.pods.items()} == {
        str(data / "program" / "pod-1"): (1, 2),
        str(data / "program" / "pod-2"): (1, 1),  # the covmeta beside the file was found
    }
    # what two of them share is read once
    (again,) = read_collection([*pods, pods[0], str(data / "program")], "all", layered=False)
    assert (again.process_runs(), again.problems) == (3, [])


def test_without_layers_all_is_one_component(data: Path) -> None:
    (found,) = read_collection(str(data), "all", layered=False)
    assert found.process_runs() == 4
    assert set(found.pods) == {"program/pod-1", "program/pod-2", "worker/pod-1"}


def test_what_is_not_there_is_said(data: Path) -> None:
    (found,) = read_collection([str(data / "nowhere"), str(data)], "all", layered=False)
    assert kinds(found) == ["unreadable"]
    assert found.process_runs() == 4


def test_a_folder_that_cannot_be_listed_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, scandir = str(data / "program" / "pod-2"), os.scandir

    def refuse(path: str) -> t.Any:
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    program = read(data)["program"]
    assert kinds(program) == ["unreadable"]
    assert "Permission denied" in program.problems[0].sentence
    assert program.process_runs() == 2


# -- policies ---------------------------------------------------------------------------------------------------------


def spoil(data: Path) -> list[Path]:
    """Cut one file off and leave another unfinished."""
    bad = one(data / "program" / "pod-1", "covcounters.*")
    bad.write_bytes(bad.read_bytes()[:100])
    unfinished = bad.with_name(f"tmp.{bad.name}")
    unfinished.write_bytes(b"")
    return [unfinished, bad]


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fail_names_the_first_and_lists_the_rest(data: Path) -> None:
    bad = spoil(data)
    before = listing(data)
    with pytest.raises(DataError) as caught:
        read_collection(str(data), "program", policy="fail")
    assert caught.value.cause == "leftover"
    assert "1 more" in caught.value.message
    assert [line.split(": ", 1)[0] for line in caught.value.evidence] == [str(path) for path in bad]
    assert listing(data) == before


@pytest.mark.parametrize("kind", [None, "duplicate"])
def test_fail_lets_good_data_pass(data: Path, kind: str | None) -> None:
    if kind:
        shutil.copy(one(data / "program" / "pod-1", "covcounters.*"), data / "program" / "pod-2")
    components = read_collection(str(data), "program", policy="fail")
    assert [component.process_runs() for component in components] == [3, 1]


def test_fail_refuses_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_collection(str(tmp_path), "program", policy="fail")
    assert caught.value.cause == "no-coverage-data"


@pytest.mark.parametrize("policy", ["warn", "quarantine"])
def test_reading_moves_nothing(data: Path, policy: str) -> None:
    bad = spoil(data)
    before = listing(data)
    program = read_collection(str(data), "program", policy=policy)[0]
    assert [problem.file for problem in program.set_aside] == [str(path) for path in bad]
    assert program.process_runs() == 2
    assert listing(data) == before


def test_quarantine_moves_what_does_not_count_and_says_why(data: Path, tmp_path: Path) -> None:
    bad = spoil(data)
    contents = [path.read_bytes() for path in bad]
    program = read(data)["program"]
    aside = data / "program" / "aside"  # inside of the data: it is not read again
    assert quarantine(program.set_aside, str(aside), check=True) == [(str(p), str(aside / p.name)) for p in bad]
    assert not aside.exists()
    moved = quarantine(program.set_aside, str(aside))
    assert moved == [(str(path), str(aside / path.name)) for path in bad]
    assert [Path(to).read_bytes() for _from, to in moved] == contents
    records = [json.loads(line) for line in (aside / QUARANTINE_RECORD).read_text().splitlines()]
    assert [(record["name"], record["file"], record["kind"]) for record in records] == [
        (bad[0].name, str(bad[0]), "leftover"),
        (bad[1].name, str(bad[1]), "truncated"),
    ]
    again = read(data)["program"]
    assert (again.problems, again.process_runs()) == ([], 2)
    assert quarantine(program.set_aside, str(aside)) == []
    # a second file of one name does not take the place of the first
    bad[1].write_bytes(b"other")
    (second,) = quarantine(read(data)["program"].set_aside, str(aside))
    assert second == (str(bad[1]), str(aside / f"{bad[1].name}.1"))
    assert (aside / bad[1].name).read_bytes() == contents[1]


def test_quarantine_that_cannot_write_says_so(data: Path, tmp_path: Path) -> None:
    bad = spoil(data)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError) as caught:
        quarantine(read(data)["program"].set_aside, str(tmp_path / "file" / "aside"))
    assert caught.value.cause == "cannot-write"
    assert all(path.exists() for path in bad)


# -- the merge itself -------------------------------------------------------------------------------------------------

META = covmeta.read_meta(one(RECORDED / "worker" / "pod-1", "covmeta.*").read_bytes())
UNITS = META.units.shape[1]
process_runs = st.lists(
    st.lists(st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 2**32 - 1)), min_size=UNITS, max_size=UNITS),
    min_size=1,
    max_size=4,
)


def write_process_run(folder: Path, number: int, counts: list[int], mode: str) -> None:
    """Write one process run as Go's runtime would: functions of which nothing ran are left out."""
    array = np.asarray(counts, dtype=np.uint32)
    if mode == "set":
        array = np.minimum(array, 1)
    bounds = META.function_base
    ran = [f for f in range(len(bounds) - 1) if array[bounds[f] : bounds[f + 1]].any()]
    package = META.function_package[np.asarray(ran, dtype=np.int64)]
    segment = covcounters.Segment(
        arguments={"argc": "1", "argv0": f"./program{number}", "GOOS": "linux"},
        package=package,
        function=np.asarray(ran, dtype=np.int64) - META.package_base[package],
        lengths=np.diff(bounds)[np.asarray(ran, dtype=np.int64)],
        counters=np.concatenate([array[:0], *(array[bounds[f] : bounds[f + 1]] for f in ran)]),
    )
    file = covcounters.CounterFile(META.hash, [segment])
    folder.joinpath(f"covcounters.{META.hash.hex()}.1.{1000 + number}").write_bytes(covcounters.write_counters(file))


def merge(folder: Path, numbered: t.Iterable[tuple[int, list[int]]], mode: str) -> Component:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    raw = covmeta_writer.write_meta(replace(META, mode=mode))
    folder.joinpath(f"covmeta.{META.hash.hex()}").write_bytes(raw)
    for number, counts in numbered:
        write_process_run(folder, number, counts, mode)
    return read(folder)["program"]


@given(process_runs, st.sampled_from(["set", "count", "atomic"]), st.randoms())
def test_merging_is_a_sum_that_stops_and_its_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, all_counts: list[list[int]], mode: str, random: t.Any
) -> None:
    folder = tmp_path_factory.mktemp("merge") / "data"
    (program,) = merge(folder, enumerate(all_counts), mode).programs
    total = np.asarray(all_counts, dtype=np.uint64).sum(axis=0)
    expected = (total != 0).astype(np.uint32) if mode == "set" else np.minimum(total, 2**32 - 1).astype(np.uint32)
    assert np.array_equal(program.counts, expected)
    assert program.arguments.get("GOOS") == "linux"
    assert ("argv0" in program.arguments) == (len(all_counts) == 1)

    shuffled = list(all_counts)
    random.shuffle(shuffled)
    (other,) = merge(folder, enumerate(shuffled), mode).programs
    assert np.array_equal(other.counts, expected)


@given(process_runs, st.sampled_from(["set", "count", "atomic"]), st.integers(0, 3))
def test_merged_data_can_be_merged_again(
    tmp_path_factory: pytest.TempPathFactory, all_counts: list[list[int]], mode: str, cut: int
) -> None:
    base = tmp_path_factory.mktemp("again")
    whole = merge(base / "whole", enumerate(all_counts), mode)
    numbered = list(enumerate(all_counts))
    for name, part in (("one", numbered[:cut]), ("two", numbered[cut:])):
        if part:
            component = merge(base / "part", part, mode)
            (base / "parts" / "program" / name).mkdir(parents=True)
            for file, content in merged_files(component.programs).items():
                (base / "parts" / "program" / name / file).write_bytes(content)
    again = read(base / "parts")["program"]
    assert np.array_equal(again.programs[0].counts, whole.programs[0].counts)
    if mode == "set":  # and a merge of the same once more changes nothing
        for name, content in merged_files(whole.programs).items():
            (base / "parts" / "program" / "one").mkdir(exist_ok=True)
            (base / "parts" / "program" / "one" / name).write_bytes(content)
        assert np.array_equal(read(base / "parts")["program"].programs[0].counts, whole.programs[0].counts)


def test_a_counter_that_is_full_is_said(tmp_path: Path) -> None:
    component = merge(tmp_path / "full", [(0, [2**32 - 1] * UNITS), (1, [1] * UNITS)], "atomic")
    assert kinds(component) == ["overflow"]
    assert set(component.programs[0].counts.tolist()) == {2**32 - 1}


def test_all_segments_count(tmp_path: Path) -> None:
    component = merge(tmp_path / "data", [(0, [3] * UNITS)], "atomic")
    path = one(tmp_path / "data", "covcounters.*")
    file = covcounters.read_counters(path.read_bytes())
    file.segments *= 2
    path.write_bytes(covcounters.write_counters(file))
    again = read(tmp_path / "data")["program"]
    assert np.array_equal(again.programs[0].counts, 2 * component.programs[0].counts)
    assert again.process_runs() == 1
