# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding up many files: the quick way gives what the plain one gives, alone and shared out among processes."""

from __future__ import annotations

import os
import tracemalloc
import typing as t
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import accumulate, cells
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from go_programs import RECORDED
from hypothesis import given, settings
from hypothesis import strategies as st

POD = RECORDED / "program" / "pod-1"
META = covmeta.read_meta(next(POD.glob("covmeta.*")).read_bytes())
FILES = [path.read_bytes() for path in sorted(RECORDED.glob("program/*/covcounters.*"))]
REAL = covcounters.read_counters(FILES[0])
UNITS = META.units.shape[1]

word = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 2**32 - 1))


def all_functions(counts: t.Sequence[int], **how: t.Any) -> bytes:
    """A file that has all functions of the program, with these counters."""
    lengths = np.diff(META.function_base)
    package = META.function_package
    segment = covcounters.Segment(
        arguments={"GOOS": "linux"},
        package=package,
        function=np.arange(len(lengths)) - META.package_base[package],
        lengths=lengths,
        counters=np.asarray(counts, dtype=np.uint32),
    )
    return covcounters.write_counters(covcounters.CounterFile(META.hash, [segment], **how))


def some_functions(data: bytes, keep: t.Sequence[bool]) -> bytes:
    """The same file without some of its functions."""
    file = covcounters.read_counters(data)
    (segment,) = file.segments
    kept = np.resize(np.asarray(keep, dtype=bool), len(segment.lengths))
    part = replace(
        segment,
        package=segment.package[kept],
        function=segment.function[kept],
        lengths=segment.lengths[kept],
        counters=segment.counters[np.repeat(kept, segment.lengths)],
    )
    return covcounters.write_counters(replace(file, segments=[part]))


process_runs = st.lists(
    st.tuples(
        st.lists(word, min_size=UNITS, max_size=UNITS),
        st.lists(st.booleans(), min_size=1, max_size=5).filter(any),
        st.sampled_from([covcounters.RAW, covcounters.ULEB128]),
        st.booleans(),
    ),
    max_size=6,
)


def plainly(files: t.Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The sum, and what did not run though its function did, function by function."""
    total, never = np.zeros(UNITS, dtype=np.uint64), np.zeros(UNITS, dtype=bool)
    for data in files:
        for segment in covcounters.read_counters(data).segments:
            end = 0
            for package, function, length in zip(segment.package, segment.function, segment.lengths, strict=True):
                if package >= len(META.packages):  # of a plugin
                    end += int(length)
                    continue
                begin = int(META.function_base[int(META.package_base[package]) + int(function)])
                values = segment.counters[end : end + int(length)]
                total[begin : begin + int(length)] += values
                never[begin : begin + int(length)] |= values == 0
                end += int(length)
    return total, never


@settings(max_examples=60)
@given(process_runs)
def test_the_sum_is_that_of_each_function_by_itself(given_process_runs: list[t.Any]) -> None:
    files = [
        some_functions(all_functions(counts, flavour=flavour, big_endian=big), keep)
        for counts, keep, flavour, big in given_process_runs
    ]
    files += files[:2]
    accumulator = accumulate.Accumulator(META, each_process_run=True)
    for data in files:
        accumulator.add(data)
    accumulator.finish()
    total, never = plainly(files)
    assert np.array_equal(accumulator.total, total)
    assert accumulator.never is not None
    assert np.array_equal(accumulator.never, never)


def test_sums_beyond_32_bits_are_kept() -> None:
    accumulator = accumulate.Accumulator(META)
    for _process_run in range(5):
        accumulator.add(all_functions([2**32 - 1] * UNITS))
    accumulator.finish()
    assert set(accumulator.total.tolist()) == {5 * (2**32 - 1)}


def test_files_with_other_functions_each() -> None:
    files = [
        some_functions(all_functions(range(UNITS)), [(number >> bit) & 1 == 1 for bit in range(6)])
        for number in range(1, 64)
    ]
    accumulator = accumulate.Accumulator(META)
    for data in files * 2:
        accumulator.add(data)
    accumulator.finish()
    assert np.array_equal(accumulator.total, plainly(files * 2)[0])


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(FILES[0]) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_changed_file_adds_what_the_plain_way_reads_or_nothing(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[0])
    for position, value in changes:
        data[position] = value
    accumulator = accumulate.Accumulator(META)
    accumulator.add(FILES[0])
    accumulator.add(bytes(data), 7)
    accumulator.add(FILES[1])
    accumulator.finish()
    kind = accumulator.bad.get(7, ("", ""))[0]
    assert not set(accumulator.bad) - {7}
    expected = ""
    good = FILES[:2]
    try:
        parsed = covcounters.read_counters(bytes(data))
        if parsed.meta_hash != META.hash:
            expected = "renamed"
        else:
            for segment in parsed.segments:
                known = segment.package < len(META.packages)
                part = accumulate.known_part(META, segment)[0]
                assert len(part.package) == (int(known.sum()) or len(known))
                accumulate.places(META, part)
            good.append(bytes(data))
    except FormatError as error:
        expected = error.kind
    assert kind == expected
    assert np.array_equal(accumulator.total, plainly(good)[0])


def test_a_function_that_is_there_twice_counts_twice() -> None:
    (segment,) = REAL.segments
    twice = replace(
        segment,
        package=np.tile(segment.package, 2),
        function=np.tile(segment.function, 2),
        lengths=np.tile(segment.lengths, 2),
        counters=np.tile(segment.counters, 2),
    )
    data = covcounters.write_counters(replace(REAL, segments=[twice]))
    accumulator = accumulate.Accumulator(META)
    accumulator.add(data)
    accumulator.finish()
    assert np.array_equal(accumulator.total, 2 * plainly([FILES[0]])[0])


@pytest.mark.parametrize("functions", [0, 1])
def test_thousands_of_segments_take_no_more_memory_than_a_few(functions: int, everything: bool) -> None:
    segments = 3000 if everything else 1000
    (whole,) = REAL.segments
    one = replace(
        whole,
        arguments={},
        package=whole.package[:functions],
        function=whole.function[:functions],
        lengths=whole.lengths[:functions],
        counters=whole.counters[: int(whole.lengths[:functions].sum())],
    )
    data = covcounters.write_counters(replace(REAL, segments=[one] * segments))
    accumulator = accumulate.Accumulator(META)
    tracemalloc.start()
    try:
        accumulator.add(data)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(data)
    accumulator.finish()
    single = plainly([covcounters.write_counters(replace(REAL, segments=[one]))])[0]
    assert np.array_equal(accumulator.total, segments * single)


def test_a_bad_segment_behind_many_good_ones_adds_nothing() -> None:
    (whole,) = REAL.segments
    foreign = replace(whole, package=whole.package + len(META.packages))
    accumulator = accumulate.Accumulator(META)
    accumulator.add(covcounters.write_counters(replace(REAL, segments=[whole, whole, foreign])), 3)
    accumulator.finish()
    assert accumulator.bad[3][0] == "foreign"
    assert not accumulator.total.any()


def test_a_bad_file_among_others_costs_only_itself() -> None:
    """All are added together; what is wrong with one is found in there."""
    (whole,) = REAL.segments
    foreign = covcounters.write_counters(replace(REAL, segments=[replace(whole, function=whole.function + 1000)]))
    short = (
        covcounters.write_counters(replace(REAL, segments=[replace(whole, lengths=whole.lengths)]))[:-20]
        + FILES[0][-16:]
    )
    accumulator = accumulate.Accumulator(META, each_process_run=True)
    for number, data in enumerate([FILES[0], foreign, FILES[1], short, FILES[0]]):
        accumulator.add(data, number)
    accumulator.finish()
    total, never = plainly([FILES[0], FILES[1], FILES[0]])
    assert {number: kind for number, (kind, _sentence) in accumulator.bad.items()} == {1: "foreign", 3: "truncated"}
    assert np.array_equal(accumulator.total, total)
    assert accumulator.never is not None
    assert np.array_equal(accumulator.never, never)


def test_a_file_that_is_gone_when_it_has_to_be_read_again_is_said(tmp_path: Path) -> None:
    paths = [tmp_path / "good", tmp_path / "foreign"]
    (whole,) = REAL.segments
    paths[0].write_bytes(FILES[0])
    paths[1].write_bytes(
        covcounters.write_counters(replace(REAL, segments=[replace(whole, function=whole.function + 1000)]))
    )
    accumulator = accumulate.Accumulator(META)
    for number, path in enumerate(paths):
        accumulator.add_file(str(path), number)
    paths[1].unlink()
    accumulator.finish()
    assert accumulator.bad[1][0] == "unreadable"
    assert np.array_equal(accumulator.total, plainly(FILES[:1])[0])


@pytest.mark.parametrize("flavour", [covcounters.RAW, covcounters.ULEB128])
@pytest.mark.parametrize("batch", [1, 200, 1000])
def test_files_larger_than_a_batch_and_records_longer_than_a_stretch(
    monkeypatch: pytest.MonkeyPatch, flavour: int, batch: int
) -> None:
    monkeypatch.setattr(accumulate, "BATCH", batch)
    monkeypatch.setattr(cells, "STRETCH", 8)
    monkeypatch.setattr(covcounters, "STRETCH", 7)
    files = [all_functions([number * unit for unit in range(UNITS)], flavour=flavour) for number in range(7)]
    accumulator = accumulate.Accumulator(META, each_process_run=True)
    for data in files:
        accumulator.add(data)
    accumulator.finish()
    total, never = plainly(files)
    assert not accumulator.bad
    assert np.array_equal(accumulator.total, total)
    assert accumulator.never is not None
    assert np.array_equal(accumulator.never, never)


def test_an_older_numpy_adds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.25 np.add.at took a hundred times as long, so sums are counted there."""
    monkeypatch.setattr(cells, "QUICK_ADD_AT", False)
    files = [*FILES, all_functions([2**32 - 1] * UNITS), all_functions([2**32 - 1] * UNITS)]
    accumulator = accumulate.Accumulator(META)
    for data in files:
        accumulator.add(data)
    accumulator.finish()
    assert np.array_equal(accumulator.total, plainly(files)[0])


# -- processes --------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> list[str]:
    """More files than one process takes at a time; some of them are bad."""
    paths = []
    for number in range(5 * accumulate.CHUNK + 3):
        path = tmp_path / f"file-{number:03}"
        data = all_functions([(number * unit) % 1000 for unit in range(UNITS)])
        path.write_bytes(data[: 20 + number] if number % 40 == 7 else data)
        paths.append(str(path))
    paths.append(str(tmp_path / "not there"))
    return paths


def children() -> list[str]:
    """The ids of this process's children, ended ones too that nobody waited for; another test may have left some."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


@pytest.mark.parametrize("processes", [2, 3])
def test_shared_out_it_is_the_same(many: list[str], processes: int) -> None:
    before = children()
    alone = accumulate.add_files(META, many, each_process_run=True, processes=1)
    shared = accumulate.add_files(META, many, each_process_run=True, processes=processes)
    assert np.array_equal(shared.total, alone.total)
    assert alone.never is not None
    assert shared.never is not None
    assert np.array_equal(shared.never, alone.never)
    assert (shared.bad, shared.arguments) == (alone.bad, alone.arguments)
    assert {kind for kind, _sentence in alone.bad.values()} == {"truncated", "unreadable"}
    assert len(alone.bad) == 5
    assert children() == before


@pytest.mark.parametrize("after", [0, 2])
def test_a_process_that_dies_loses_nothing(many: list[str], monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    alone = accumulate.add_files(META, many, processes=1)
    parent = os.getpid()

    def progress(_number: int) -> None:
        if os.getpid() != parent:
            progress.calls += 1  # type: ignore[attr-defined]
            if progress.calls > after:  # type: ignore[attr-defined]
                os._exit(9)

    progress.calls = 0  # type: ignore[attr-defined]
    shared = accumulate.add_files(META, many, processes=3, progress=progress)
    assert np.array_equal(shared.total, alone.total)
    assert shared.bad == alone.bad


def test_without_processes_it_works_too(many: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    shared = accumulate.add_files(META, many, processes=3)
    assert np.array_equal(shared.total, accumulate.add_files(META, many, processes=1).total)


def test_small_work_is_not_shared(many: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise AssertionError("forked")

    alone = accumulate.add_files(META, many, processes=1)
    monkeypatch.setattr(os, "fork", refuse)
    assert np.array_equal(accumulate.add_files(META, many).total, alone.total)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    merged = accumulate.add_files(META, [str(tmp_path / "pipe"), str(tmp_path)])
    assert {kind for kind, _sentence in merged.bad.values()} == {"unreadable"}
    assert len(merged.bad) == 2


def test_a_file_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as stream:
        stream.write(FILES[0])
        stream.truncate(1 << 40)
    merged = accumulate.add_files(META, [str(tmp_path / "hole")])
    assert [kind for kind, _sentence in merged.bad.values()] == ["damaged"]


# -- arguments --------------------------------------------------------------------------------------------------------


def test_common_arguments() -> None:
    one = {"argc": "1", "argv0": "a", "GOOS": "linux", "GOARCH": "amd64"}
    assert accumulate.common_arguments([]) == {}
    assert accumulate.common_arguments([one]) == one
    assert accumulate.common_arguments([one, one]) == one
    assert accumulate.common_arguments([one, one | {"argv0": "b"}]) == {"GOOS": "linux", "GOARCH": "amd64"}
    assert accumulate.common_arguments([one, one | {"GOARCH": "arm64"}]) == {k: one[k] for k in one if k != "GOARCH"}
