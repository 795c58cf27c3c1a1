# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""covcounters: both flavours, either byte order, several segments; no damage gets through as data."""

from __future__ import annotations

import struct
import typing as t

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from go_programs import RECORDED
from hypothesis import given, settings
from hypothesis import strategies as st

REAL = sorted((RECORDED / "program" / "pod-1").glob("covcounters.*"))[0].read_bytes()


def rows(segment: covcounters.Segment) -> list[tuple[int, int, list[int]]]:
    """A segment as (package, function, counters)."""
    ends = np.cumsum(segment.lengths).tolist()
    return [
        (package, function, segment.counters[end - length : end].tolist())
        for package, function, length, end in zip(
            segment.package.tolist(), segment.function.tolist(), segment.lengths.tolist(), ends, strict=True
        )
    ]


def same(one: covcounters.CounterFile, other: covcounters.CounterFile) -> bool:
    return (one.meta_hash, one.flavour, one.big_endian) == (other.meta_hash, other.flavour, other.big_endian) and [
        (segment.arguments, rows(segment)) for segment in one.segments
    ] == [(segment.arguments, rows(segment)) for segment in other.segments]


word = st.one_of(st.integers(0, 200), st.integers(0, 2**32 - 1))
text = st.text(st.characters(codec="utf-8"), max_size=9)


@st.composite
def segments(draw: st.DrawFn) -> covcounters.Segment:
    records = draw(st.lists(st.tuples(word, word, st.lists(word, max_size=5)), max_size=6))
    return covcounters.Segment(
        arguments=draw(st.dictionaries(text, text, max_size=4)),
        package=np.asarray([record[0] for record in records], dtype=np.int64),
        function=np.asarray([record[1] for record in records], dtype=np.int64),
        lengths=np.asarray([len(record[2]) for record in records], dtype=np.int64),
        counters=np.asarray([value for record in records for value in record[2]], dtype=np.uint32),
    )


files = st.builds(
    covcounters.CounterFile,
    meta_hash=st.binary(min_size=16, max_size=16),
    segments=st.lists(segments(), min_size=1, max_size=3),
    flavour=st.sampled_from([covcounters.RAW, covcounters.ULEB128]),
    big_endian=st.booleans(),
)


@given(files)
def test_what_is_written_is_read(file: covcounters.CounterFile) -> None:
    assert same(covcounters.read_counters(covcounters.write_counters(file)), file)


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 40))
def test_records_are_found_whatever_numpy_does(lengths: list[int], stretch: int) -> None:
    """Where numpy looks indices up beforehand, as nothing forbids, Python goes from record to record."""
    numbers = np.concatenate([[length, 1, 2, *range(length)] for length in lengths] or [[]]).astype(np.uint32)
    expected = np.cumsum([0, *(length + 3 for length in lengths)])
    for take in (np.take, beforehand):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np, "take", take)
            found = covcounters.RecordFinder(stretch).starts(numbers, len(lengths))
        assert np.array_equal(found, expected)


def beforehand(source: np.ndarray, indices: np.ndarray, out: np.ndarray, mode: str) -> np.ndarray:
    out[:] = source[np.clip(indices.copy(), 0, len(source) - 1)]
    return out


def test_numpy_goes_from_record_to_record_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but speed depends on it, but that does: a release of numpy without it has to be noticed."""

    def refuse(*_arguments: object) -> t.NoReturn:
        raise AssertionError("Python went")

    monkeypatch.setattr(covcounters, "_walk", refuse)
    assert len(covcounters.read_counters(REAL).segments[0].lengths) > 3


def test_a_real_file() -> None:
    file = covcounters.read_counters(REAL)
    assert file.flavour == covcounters.ULEB128
    (segment,) = file.segments
    assert segment.arguments["argc"] == "2"
    assert segment.arguments["argv1"] == "area"
    assert segment.arguments["GOOS"] == "linux"
    assert len(segment.lengths) > 3
    assert same(covcounters.read_counters(covcounters.write_counters(file)), file)


def test_segments_whose_headers_count_from_the_first_on_are_read() -> None:
    """Go's writer does not begin its count of functions anew for a further segment."""
    one = covcounters.read_counters(REAL).segments[0]
    data = bytearray(covcounters.write_counters(covcounters.CounterFile(bytes(16), [one, one])))
    second = data.index(covcounters.MAGIC, 4) + covcounters.FOOTER.size
    (count,) = struct.unpack_from("<Q", data, second)
    assert count == len(one.lengths)
    struct.pack_into("<Q", data, second, 2 * count)
    file = covcounters.read_counters(bytes(data))
    assert [rows(segment) for segment in file.segments] == [rows(one), rows(one)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty-file"),
        (REAL[:3], "truncated"),
        (REAL[:31], "truncated"),
        (REAL[:60], "truncated"),
        (REAL[:-1], "truncated"),
        (REAL[:-16], "truncated"),
        (REAL + b"\0" * 64, "truncated"),
        (REAL[:-16] + b"\0" * 4 + REAL[-16:], "damaged"),
        (b"\x00cvm" + REAL[4:], "wrong-magic"),
        (REAL[:4] + b"\x07" + REAL[5:], "future-version"),
        (REAL[:24] + b"\x05" + REAL[25:], "damaged"),
        (REAL[:-8] + b"\x00" * 8, "damaged"),
        (REAL[:32] + b"\xff" * 8 + REAL[40:], "damaged"),
    ],
)
def test_damage_has_a_name(data: bytes, kind: str) -> None:
    with pytest.raises(FormatError) as caught:
        covcounters.read_counters(data)
    assert caught.value.kind == kind


@pytest.mark.parametrize("claim", [5, 2**31, 2**32 - 4, 2**32 - 3, 2**32 - 2, 2**32 - 1])
@pytest.mark.parametrize("spare", [0, 40])
def test_a_length_that_lies_does_not_lead_back(claim: int, spare: int) -> None:
    """A step is a length and 3: it must not wrap around at 2^32 and find records where there are none."""
    numbers = np.asarray([claim, 0, 0, 1, 1, 1, 1] + [0] * spare, dtype=np.uint32)
    with pytest.raises(FormatError) as caught:
        covcounters.split_records(numbers, 2)
    assert caught.value.kind in {"truncated", "damaged"}


def test_every_cut_is_seen() -> None:
    for length in range(len(REAL)):
        with pytest.raises(FormatError):
            covcounters.read_counters(REAL[:length])


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_change_of_bytes_crashes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(REAL)
    for position, value in changes:
        data[position] = value
    try:
        file = covcounters.read_counters(bytes(data))
    except FormatError:
        return
    assert sum(len(segment.counters) for segment in file.segments) <= len(REAL)
