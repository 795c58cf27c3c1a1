# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bytes are covered, held against a plain walk as cmd/cover does it, one file at a time and many at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.blocks import (
    decode_source,
    file_blocks,
    make_blocks,
    mark_files,
    ranges,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import Sources
from hypothesis import given
from hypothesis import strategies as st

Block = tuple[int, int, int, int]
sources = st.text(alphabet="ab\n", max_size=40).map(str.encode)
blocks = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), max_size=6)


def arrays(rows: list[Block]) -> tuple[np.ndarray, np.ndarray]:
    units = np.asarray([(*row, 1) for row in rows], dtype=np.uint32).reshape(-1, 5).T.copy()
    return units, np.arange(len(rows), dtype=np.uint32)


def walk(source: bytes, rows: list[Block]) -> list[tuple[int, int, int]]:
    """C(Profile.Boundaries), byte by byte, and the spans that C(htmlGen) makes of it."""
    # only what lies side by side is folded
    ordered: list[tuple[Block, int]] = []
    for number, row in sorted(enumerate(rows), key=lambda entry: entry[1][:2]):
        if ordered and ordered[-1][0] == row:
            ordered[-1] = (row, ordered[-1][1] + number)
        else:
            ordered.append((row, number))
    boundaries: list[tuple[int, bool, int]] = []
    line, column, at, index = 1, 2, 0, 0
    while at < len(source) and index < len(ordered):
        (start_line, start_column, end_line, end_column), count = ordered[index]
        if (start_line, start_column) == (line, column):
            boundaries.append((at, True, count))
        if (end_line, end_column) == (line, column) or line > end_line:
            boundaries.append((at, False, 0))
            index += 1
            continue
        if source[at] == ord("\n"):
            line, column = line + 1, 0
        column += 1
        at += 1
    spans, opened = [], None
    for at, start, count in boundaries:
        if start:
            opened = (at, count)
        elif opened is not None:
            if opened[0] < at:
                spans.append((opened[0], at, opened[1]))
            opened = None
    if opened is not None and opened[0] < len(source):
        spans.append((opened[0], len(source), opened[1]))
    return spans


@given(sources, blocks)
def test_ranges_are_those_of_the_walk(source: bytes, rows: list[Block]) -> None:
    found, _fits = ranges(source, make_blocks(*arrays(rows), "count"))
    assert found == walk(source, rows)


@given(st.lists(st.tuples(sources, blocks), min_size=1, max_size=6))
def test_many_files_at_once_are_as_each_alone(files: list[tuple[bytes, list[Block]]]) -> None:
    rows = [row for _source, part in files for row in part]
    units, _counts = arrays(rows)
    counts = np.concatenate([np.arange(len(part), dtype=np.uint32) for _source, part in files])
    file = np.repeat(np.arange(len(files)), [len(part) for _source, part in files])
    together, bounds = file_blocks(file, len(files), units, counts, "count")
    marks = mark_files([source for source, _part in files], together, bounds)
    for number, (source, part) in enumerate(files):
        where = slice(int(marks.bounds[number]), int(marks.bounds[number + 1]))
        columns = (marks.begin, marks.end, marks.count)
        ours = list(zip(*(column[where].tolist() for column in columns), strict=True))
        alone, fits = ranges(source, make_blocks(*arrays(part), "count"))
        assert (ours, bool(marks.fits[number])) == (alone, fits)


def test_a_source_is_found_by_the_longest_prefix_and_never_outside(tmp_path: Path) -> None:
    for folder in ("app", "lib"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.go").write_text(folder)
    (tmp_path / "secret.go").write_text("secret")
    found = Sources({"m": str(tmp_path / "app"), "m/lib": str(tmp_path / "lib")})
    assert found.read("m/a.go") == b"app"
    assert found.read("m/lib/a.go") == b"lib"
    for name in ("m/b.go", "other/a.go", "m/../secret.go", "m/x/../../secret.go", "m/./../secret.go", "m//etc/passwd"):
        assert found.read(name) is None, name
    assert found.read("m/./a.go") == b"app"


def test_what_is_no_regular_file_is_no_source(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.go")
    (tmp_path / "folder.go").mkdir()
    found = Sources({"m": str(tmp_path)})
    assert found.read("m/pipe.go") is None, "and nobody waits for a writer"
    assert found.read("m/folder.go") is None


def test_offsets_of_what_is_more_than_a_byte() -> None:
    text, index = decode_source("a\u00e4\N{GRINNING FACE}b".encode())
    assert index is not None
    assert (text, index[[0, 1, 3, 7, 8]].tolist()) == ("a\u00e4\N{GRINNING FACE}b", [0, 1, 2, 4, 5])
    assert decode_source(b"abc") == ("abc", None)
    assert decode_source(b"\xff") == ("\u00ff", None)


def test_a_name_that_no_file_can_have_is_not_at_hand(tmp_path: Path) -> None:
    """A damaged covmeta can name anything."""
    found = Sources({"example.com/a": str(tmp_path)})
    assert found.read("example.com/a/b\0.go") is None
    assert found.read("example.com/a/\udcff.go") is None
