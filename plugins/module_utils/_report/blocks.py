# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The blocks of one file, ordered and cut as cmd/cover does, and where a page marks them in the source."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_COLUMN,
    END_LINE,
    START_COLUMN,
    START_LINE,
    pack_columns,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Blocks:
    """The blocks of one file, in the order of where they begin; lines and columns (uint32) from 1, columns in bytes."""

    start_line: np.ndarray
    start_column: np.ndarray
    end_line: np.ndarray
    end_column: np.ndarray
    counts: np.ndarray


def make_blocks(units: np.ndarray, counts: np.ndarray, mode: str) -> Blocks:
    """Order one file's units as cmd/cover does and fold those with the same range."""
    return file_blocks(np.zeros(len(counts), dtype=np.int64), 1, units, counts, mode)[0]


def file_blocks(
    file: np.ndarray, files: int, units: np.ndarray, counts: np.ndarray, mode: str
) -> tuple[Blocks, np.ndarray]:
    """Do the same for many files at once: return their blocks one file after the other, and where each begins.

    :arg file: (U) number of each unit's file, from 0 to below C(files).
    """
    key = pack_columns([(file, files), (units[START_LINE], None), (units[START_COLUMN], None)])
    if key is None:
        order = np.lexsort((units[START_COLUMN], units[START_LINE], file))
    else:
        order = np.argsort(key, kind="stable")
    file, units, counts = file[order], units[: END_COLUMN + 1, order], counts[order]
    if len(order):
        new = np.ones(len(order), dtype=bool)
        new[1:] = (units[:, 1:] != units[:, :-1]).any(axis=0) | (file[1:] != file[:-1])
        starts = np.flatnonzero(new)
        if len(starts) < len(order):
            counts = np.add.reduceat(counts.astype(np.uint64), starts)
            file, units = file[starts], units[:, starts]
    if mode == "set":
        counts = np.minimum(counts, 1)
    bounds = np.searchsorted(file, np.arange(files + 1))
    return Blocks(units[START_LINE], units[START_COLUMN], units[END_LINE], units[END_COLUMN], counts), bounds


@dataclass(frozen=True)
class Marks:
    """Which bytes of some files are covered or not: C(begin) to C(end) of its file ran C(count) times.

    :ivar bounds: (files + 1) where the ranges of each file begin. C(fits): (files) whether its source is what was
        built; another version is detected by a block outside its lines.
    """

    begin: np.ndarray
    end: np.ndarray
    count: np.ndarray
    bounds: np.ndarray
    fits: np.ndarray


def ranges(source: bytes, blocks: Blocks) -> tuple[list[tuple[int, int, int]], bool]:
    """Return the byte ranges (begin, end, count) that C(go tool cover -html) marks, and whether the source fits."""
    marks = mark_files([source], blocks, np.asarray([0, len(blocks.counts)]))
    found = zip(marks.begin.tolist(), marks.end.tolist(), marks.count.tolist(), strict=True)
    return list(found), bool(marks.fits[0])


def mark_files(sources: t.Sequence[bytes], blocks: Blocks, bounds: np.ndarray) -> Marks:
    """Find the ranges of many files at once.

    :arg blocks: as R(file_blocks) returns them, those of C(sources[n]) from C(bounds[n]) to C(bounds[n+1]).
    """
    raw = np.frombuffer(b"".join(sources), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, sources)])
    newlines = np.flatnonzero(raw == ord("\n"))
    before = np.searchsorted(newlines, offsets)
    # a file has one line more than it has line ends; its end is where the next one begins
    first_line = before + np.arange(len(offsets))
    line_starts = np.empty(int(first_line[-1]) + 1, dtype=np.int64)
    line_starts[first_line] = offsets
    owner = np.repeat(np.arange(len(sources)), np.diff(before))
    line_starts[np.arange(len(newlines)) + owner + 1] = newlines + 1

    sizes = np.diff(bounds)
    file = np.repeat(np.arange(len(sources)), sizes)
    base, count, size = first_line[:-1][file], np.diff(first_line)[file], offsets[1:][file]

    def place(line: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the offset of each position, and whether the walk comes to it."""
        index = base + np.clip(line - 1, 0, count - 1)
        # cmd/cover begins its walk at column 2 of line 1 and at column 1 of every other
        offset = line_starts[index] + column - np.where(index == base, 2, 1)
        there = (line >= 1) & (line <= count) & (offset >= line_starts[index]) & (offset < line_starts[index + 1])
        return offset, there

    end_line = blocks.end_line.astype(np.int64)
    begin, begins = place(blocks.start_line.astype(np.int64), blocks.start_column.astype(np.int64))
    end, ends = place(end_line, blocks.end_column.astype(np.int64))
    # a block may end right behind the last byte of a file, where the walk does not come to
    fits = _all_of(begins & (ends | (end == size)), bounds)
    # the common case: each block begins and ends where it says, behind the one before
    apart = begins & ends & (end >= begin)
    follows = begin[1:] >= end[:-1]
    apart[1:] &= follows | (file[1:] != file[:-1])
    plain = _all_of(apart, bounds)
    keep = (begin < end) & plain[file]
    if not plain.all():
        behind = np.where(end_line < count, line_starts[base + np.clip(end_line, 0, count - 1)], size)
        for number in np.flatnonzero(~plain).tolist():
            part = slice(int(bounds[number]), int(bounds[number + 1]))
            _walk(begin, begins, end, ends, behind, keep, part, int(offsets[number]), int(offsets[number + 1]))
    shift = offsets[:-1][file[keep]]
    kept = np.concatenate([[0], np.cumsum(keep)])[bounds]
    return Marks(begin[keep] - shift, end[keep] - shift, blocks.counts[keep], kept, fits)


def _all_of(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return for each stretch between two bounds whether all of its values are true."""
    wrong = np.concatenate([[0], np.cumsum(~values)])
    return wrong[bounds[1:]] == wrong[bounds[:-1]]


def _walk(
    begin: np.ndarray,
    begins: np.ndarray,
    end: np.ndarray,
    ends: np.ndarray,
    behind: np.ndarray,
    keep: np.ndarray,
    part: slice,
    position: int,
    size: int,
) -> None:
    """Walk over one file whose blocks overlap or lie outside of it, as cmd/cover does; set C(keep) and C(end)."""
    for index in range(part.start, part.stop):
        start, stop = int(begin[index]), int(end[index])
        if position >= size:
            break
        # the walk ends a block where its end is, or else at the first byte behind its last line
        closing = stop if ends[index] and stop >= position else max(position, int(behind[index]))
        if begins[index] and position <= start <= closing and start < min(closing, size):
            keep[index] = True
            end[index] = min(closing, size)
        position = closing


def decode_source(source: bytes) -> tuple[str, t.Optional[np.ndarray]]:
    """Return a source as text, and for each byte offset the index in UTF-16 units (nothing where they are equal)."""
    if source.isascii():
        return source.decode("ascii"), None
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError:
        return source.decode("latin-1"), None
    raw = np.frombuffer(source, dtype=np.uint8)
    units = ((raw & 0xC0) != 0x80).astype(np.int64) + (raw >= 0xF0)
    return text, np.concatenate([[0], np.cumsum(units)])
