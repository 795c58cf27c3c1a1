# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Where the source of an import path lies on disk, and which bytes of it are covered.

Source of truth for the ranges: C(Profile.Boundaries) of golang.org/x/tools/cover and C(htmlGen) of cmd/cover.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import InputError

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]


class Sources:
    """Folders on disk by the prefix of the import path; the longest prefix that fits wins."""

    def __init__(self, folders: t.Mapping[str, str]) -> None:
        for prefix, folder in folders.items():
            if not isinstance(folder, str) or not os.path.isdir(os.path.expanduser(folder)):
                raise InputError(
                    f"The source folder of {prefix} is not there: {folder}.",
                    remedy="Name a folder that exists, or leave the entry out.",
                    setting="coverage_report_sources",
                )
        ordered = sorted(folders.items(), key=lambda item: -len(item[0]))
        self.folders = [(prefix.rstrip("/"), os.path.expanduser(folder)) for prefix, folder in ordered]

    def find(self, file: str) -> str:
        """Return where a file of a profile lies on disk; empty if no prefix fits or it is not there."""
        for prefix, folder in self.folders:
            if file.startswith(prefix + "/"):
                path = os.path.normpath(os.path.join(folder, file[len(prefix) + 1 :]))
                inside = path.startswith(os.path.join(os.path.normpath(folder), ""))
                return path if inside and os.path.isfile(path) else ""
        return ""


@dataclass(frozen=True)
class Blocks:
    """The blocks of one file, in the order of where they begin; lines and columns from 1, columns in bytes."""

    start_line: np.ndarray
    start_column: np.ndarray
    end_line: np.ndarray
    end_column: np.ndarray
    counts: np.ndarray


def make_blocks(units: np.ndarray, counts: np.ndarray, mode: str) -> Blocks:
    """Order one file's units as cmd/cover does and fold those with the same range."""
    order = np.lexsort((units[1], units[0]))
    units, counts = units[:, order], counts[order].astype(np.uint64)
    if len(order):
        new = np.ones(len(order), dtype=bool)
        new[1:] = (units[:4, 1:] != units[:4, :-1]).any(axis=0)
        starts = np.flatnonzero(new)
        if len(starts) < len(order):
            counts = np.add.reduceat(counts, starts)
            units = units[:, starts]
    if mode == "set":
        counts = np.minimum(counts, 1)
    lines = units.astype(np.int64)
    return Blocks(lines[0], lines[1], lines[2], lines[3], counts)


def ranges(source: bytes, blocks: Blocks) -> tuple[list[tuple[int, int, int]], bool]:
    """Return the byte ranges (begin, end, count) that C(go tool cover -html) marks, and whether the source fits.

    A source that does not fit is another version than the one that was built: a block lies outside of its lines.
    """
    raw = np.frombuffer(source, dtype=np.uint8)
    size = len(raw)
    line_starts = np.concatenate([[0], np.flatnonzero(raw == 10) + 1])
    count = len(line_starts)
    # cmd/cover begins its walk at column 2 of line 1 and at column 1 of every other
    first_column = np.ones(count, dtype=np.int64)
    first_column[0] = 2
    line_ends = np.concatenate([line_starts[1:], [size]])

    def offsets(line: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the offset of each position, and whether the walk comes to it."""
        index = np.clip(line - 1, 0, count - 1)
        offset = line_starts[index] + column - first_column[index]
        there = (line >= 1) & (line <= count) & (offset >= line_starts[index]) & (offset < line_ends[index])
        return offset, there

    begin, begins = offsets(blocks.start_line, blocks.start_column)
    end, ends = offsets(blocks.end_line, blocks.end_column)
    behind = np.where(blocks.end_line < count, line_starts[np.clip(blocks.end_line, 0, count - 1)], size)
    # a block may end right behind the last byte of a file, where the walk does not come to
    fits = bool(begins.all() and (ends | (end == size)).all())
    found = []
    position = 0
    for start, starts, stop, stops, after, hits in zip(
        begin.tolist(),
        begins.tolist(),
        end.tolist(),
        ends.tolist(),
        behind.tolist(),
        blocks.counts.tolist(),
        strict=True,
    ):
        if position >= size:
            break
        # the walk ends a block where its end is, or else at the first byte behind its last line
        closing = stop if stops and stop >= position else max(position, after)
        if starts and position <= start <= closing and start < min(closing, size):
            found.append((start, min(closing, size), hits))
        position = closing
    return found, fits


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
