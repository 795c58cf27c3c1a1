# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge, intersect, subtract and filter: beside Go's own tool on real data, and by their laws."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import operations
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import text_profile
from go_programs import HERE, MODES, RECORDED, Go, live
from hypothesis import given
from hypothesis import strategies as st

Programs = list[Program]


def read(folder: Path) -> Programs:
    components = read_collection(str(folder), "data", each_process_run=True)
    return [program for component in components for program in component.programs]


def write(programs: Programs, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in merged_files(programs).items():
        (folder / name).write_bytes(content)
    return folder


def metas(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("covmeta.*")}


def same_content(go: Go, ours: Path, gos: Path, tmp_path: Path) -> None:
    """Hold ours against Go's: covmeta byte for byte, and what Go's tool reads from both."""
    assert metas(ours) == metas(gos)
    assert go.textfmt([ours], tmp_path / "ours.txt") == go.textfmt([gos], tmp_path / "gos.txt")
    assert go.covdata("func", [ours]) == go.covdata("func", [gos])


def few_packages(go: Go, mode: str) -> Path:
    """Another program from the same sources, with fewer of its packages instrumented."""
    cover = ("-cover", f"-covermode={mode}", "-coverpkg=./cmd/...,./internal/shapes", "./cmd/program")
    return go.once(f"program-{mode}-few", lambda path: go.build(path, *cover, cwd=HERE / "program"))


@pytest.fixture(scope="module", params=MODES)
def process_runs(request: pytest.FixtureRequest, go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders one and two with process runs of the program, folder other with those of another build, each without
    layers.
    """
    root = tmp_path_factory.mktemp(f"operations-{request.param}")
    program, few = go.program(request.param), few_packages(go, request.param)
    for folder, binary, arguments in (
        ("one", program, ["area"]),
        ("one", program, ["largest", "text"]),
        ("one", program, ["many", "many"]),
        ("two", program, ["generated"]),
        ("two", program, ["largest", "area"]),
        ("two", program, ["area"]),
        ("other", few, ["text"]),
        ("other", few, ["area", "area"]),
    ):
        live(binary, root / folder, *arguments)
    return root


def covdata(go: Go, command: str, folders: t.Sequence[Path], output: Path, *more: str) -> Path:
    output.mkdir()
    go.covdata(command, folders, f"-o={output}", *more)
    return output


def test_merge_is_that_of_go(go: Go, process_runs: Path, tmp_path: Path) -> None:
    folders = [process_runs / "one", process_runs / "two", process_runs / "other"]
    gos = covdata(go, "merge", folders, tmp_path / "gos")
    ours = write(operations.merge([program for folder in folders for program in read(folder)]), tmp_path / "ours")
    same_content(go, ours, gos, tmp_path)
    assert len(metas(ours)) == 2


def test_combining_programs_is_that_of_go(go: Go, process_runs: Path, tmp_path: Path) -> None:
    folders = [process_runs / "one", process_runs / "other", process_runs / "two"]
    gos = covdata(go, "merge", folders, tmp_path / "gos", "-pcombine")
    programs = operations.merge([program for folder in folders for program in read(folder)], combine=True)
    ours = write(programs, tmp_path / "ours")
    same_content(go, ours, gos, tmp_path)
    assert len(metas(ours)) == 1
    assert programs[0].process_runs == 8


@pytest.mark.parametrize("pattern", ["example.com/program/internal/...", "example.com/program/cmd/program"])
def test_a_filter_is_that_of_go(go: Go, process_runs: Path, tmp_path: Path, pattern: str) -> None:
    folders = [process_runs / "one", process_runs / "other"]
    gos = covdata(go, "merge", folders, tmp_path / "gos", f"-pkg={pattern}")
    programs = [program for folder in folders for program in read(folder)]
    ours = write(operations.select_packages(programs, [pattern]), tmp_path / "ours")
    same_content(go, ours, gos, tmp_path)


def test_a_filter_and_a_combination_are_that_of_go(go: Go, process_runs: Path, tmp_path: Path) -> None:
    folders = [process_runs / "one", process_runs / "other"]
    pattern = ".../shapes,.../text"
    gos = covdata(go, "merge", folders, tmp_path / "gos", f"-pkg={pattern}", "-pcombine")
    programs = operations.select_packages([program for folder in folders for program in read(folder)], [pattern])
    # Go orders by the names of the files that it read, not of those that a filter would have written
    ours = write(operations.merge(programs, combine=True), tmp_path / "ours")
    same_content(go, ours, gos, tmp_path)


@pytest.mark.parametrize("command", ["intersect", "subtract"])
@pytest.mark.parametrize("folders", [("one", "two"), ("two", "one")], ids="-".join)
def test_intersect_and_subtract_are_those_of_go(
    go: Go, process_runs: Path, tmp_path: Path, command: str, folders: tuple[str, str]
) -> None:
    """Several is in each: Go intersects with each file of the second folder, and so does this."""
    one, two = (process_runs / folder for folder in folders)
    gos = covdata(go, command, [one, two], tmp_path / "gos")
    first, second = read(one), read(two)
    result = operations.intersect([first, second]) if command == "intersect" else operations.subtract(first, second)
    same_content(go, write(result, tmp_path / "ours"), gos, tmp_path)


def test_intersect_of_three_is_that_of_go(go: Go, process_runs: Path, tmp_path: Path) -> None:
    third = tmp_path / "three"
    live(go.program(read(process_runs / "one")[0].meta.mode), third, "largest")
    folders = [process_runs / "one", process_runs / "two", third]
    gos = covdata(go, "intersect", folders, tmp_path / "gos")
    ours = write(operations.intersect([read(folder) for folder in folders]), tmp_path / "ours")
    same_content(go, ours, gos, tmp_path)


def test_several_programs_in_both_inputs(go: Go, process_runs: Path) -> None:
    """Go's tool panics here, so each program is held against what it gives for it alone (above)."""
    one, two, other = (read(process_runs / folder) for folder in ("one", "two", "other"))
    both = operations.subtract(one + other, two + other)
    assert [program.counts.any() for program in both] == [True, False]
    assert np.array_equal(both[0].counts, operations.subtract(one, two)[0].counts)
    both = operations.intersect([one + other, two])
    assert [program.counts.any() for program in both] == [True, False]


def test_across_programs_functions_are_matched(go: Go, process_runs: Path) -> None:
    """The other build is not the same program, but has the same functions."""
    one, other = read(process_runs / "one"), read(process_runs / "other")
    assert np.array_equal(operations.subtract(one, other)[0].counts, one[0].counts)
    (left,) = operations.subtract(one, other, combine=True)
    whole = covered(operations.merge(one, combine=True))
    common = covered(operations.intersect([one, other], combine=True))
    assert covered([left]) == whole - covered(operations.merge(other, combine=True))
    assert common and common <= whole
    assert covered(operations.subtract([left], other, combine=True)) == covered([left])


def covered(programs: Programs) -> set[str]:
    """The lines of the text profile that ran."""
    text = text_profile(make_profile(programs, "set")).splitlines()[1:]
    return {line for line in text if line.endswith(" 1")}


# -- laws -------------------------------------------------------------------------------------------------------------

PROGRAM = next(program for component in read_collection(str(RECORDED), "x") for program in component.programs)
UNITS = len(PROGRAM.counts)
count = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 2**32 - 1))


def programs_of(mode: str) -> st.SearchStrategy[Programs]:
    def make(counts: list[int]) -> Programs:
        array = np.asarray(counts, dtype=np.uint32)
        meta = replace(PROGRAM.meta, mode=mode)
        return [replace(PROGRAM, meta=meta, counts=np.minimum(array, 1) if mode == "set" else array)]

    return st.lists(count, min_size=UNITS, max_size=UNITS).map(make)


same_mode = st.sampled_from(MODES).flatmap(lambda mode: st.tuples(*[programs_of(mode)] * 3))


def counts(programs: Programs) -> list[list[int]]:
    return [program.counts.tolist() for program in programs]


@given(same_mode, st.booleans())
def test_merging_is_commutative_and_associative(three: tuple[Programs, Programs, Programs], combine: bool) -> None:
    one, two, more = three

    def merge(*parts: Programs) -> Programs:
        return operations.merge([program for part in parts for program in part], combine=combine)

    assert counts(merge(one, two)) == counts(merge(two, one))
    assert counts(merge(merge(one, two), more)) == counts(merge(one, merge(two, more))) == counts(merge(one, two, more))
    if one[0].meta.mode == "set":
        assert counts(merge(one, one)) == counts(merge(one))


@given(same_mode)
def test_sets_behave_as_sets(three: tuple[Programs, Programs, Programs]) -> None:
    one, two, _more = three
    ran, other = one[0].counts != 0, two[0].counts != 0
    (common,) = operations.intersect([one, two])
    (left,) = operations.subtract(one, two)
    assert np.array_equal(common.counts != 0, ran & other)
    assert np.array_equal(left.counts != 0, ran & ~other)
    assert np.array_equal(common.counts + left.counts, one[0].counts)
    assert make_profile([left], "atomic").totals()[0] <= make_profile(one, "atomic").totals()[0]
    assert not operations.subtract(one, one)[0].counts.any()


@given(same_mode, st.booleans())
def test_arguments_are_left_alone(three: tuple[Programs, Programs, Programs], combine: bool) -> None:
    one, two, _more = three
    before = counts(one + two)
    operations.merge(one + two, combine=combine)
    operations.intersect([one, two], combine=combine)
    operations.subtract(one, two, combine=combine)
    assert counts(one + two) == before


# -- bad input --------------------------------------------------------------------------------------------------------


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        operations.select_packages([PROGRAM], ["example.com/program/...", "example.com/programm/..."])
    assert caught.value.cause == "unmatched-pattern"
    assert "example.com/programm/..." in caught.value.message
    assert "the nearest is example.com/program" in caught.value.message


def test_blocks_and_functions_are_not_combined() -> None:
    other = replace(PROGRAM, meta=replace(PROGRAM.meta, granularity="perfunc", hash=bytes(16)))
    with pytest.raises(InputError) as caught:
        operations.merge([PROGRAM, other], combine=True)
    assert caught.value.cause == "granularity-clash"


def test_set_and_atomic_combined_are_whether_it_ran() -> None:
    other = replace(PROGRAM, meta=replace(PROGRAM.meta, mode="set", hash=bytes(16)))
    (both,) = operations.merge([PROGRAM, other], combine=True)
    assert both.meta.mode == "set"
    assert both.counts.tolist() == np.minimum(PROGRAM.counts, 1).tolist()


def test_of_nothing_comes_nothing() -> None:
    assert operations.merge([]) == operations.merge([], combine=True) == operations.intersect([]) == []
    assert operations.subtract([], [PROGRAM]) == operations.subtract([], [PROGRAM], combine=True) == []
    assert operations.select_packages([PROGRAM], []) == [PROGRAM]
