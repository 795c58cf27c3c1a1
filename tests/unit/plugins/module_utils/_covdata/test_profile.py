# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units put in order and folded, held against a plain reading of Go's cformat; and their texts."""

from __future__ import annotations

import typing as t

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta, Package
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    Profile,
    make_profile,
    order_units,
    pack_columns,
    package_totals,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import (
    package_text,
    percent_of,
    percent_text,
    profile_chunks,
    text_profile,
)
from hypothesis import given
from hypothesis import strategies as st

Unit = tuple[int, int, int, int, int]
Function = tuple[str, str, bool, list[tuple[Unit, int]]]
small = st.integers(0, 3)
# a few large ones, so that what does not fit one word is there too
number = st.one_of(small, small, st.sampled_from([9999, 10_000, 123_456, 0xFFFFFFFF]))
units = st.tuples(number, number, number, number, small)
functions = st.tuples(
    st.sampled_from(["a.go", "b.go"]),
    st.sampled_from(["init", "F", "G"]),
    st.booleans(),
    st.lists(st.tuples(units, number), max_size=4),
)
programs = st.lists(
    st.dictionaries(st.sampled_from(["m/p", "m/q", "m/\u00e4"]), st.lists(functions, max_size=4)), max_size=3
)
modes = st.sampled_from(["set", "count", "atomic"])


def program(packages: t.Mapping[str, t.Sequence[Function]], mode: str) -> Program:
    """A covmeta and its counts from plain data."""
    rows = [(index, *function) for index, path in enumerate(packages) for function in packages[path]]
    files = sorted({f"{list(packages)[row[0]]}/{row[1]}" for row in rows})
    blocks = [block for row in rows for block in row[4]]
    meta = Meta(
        hash=bytes(16),
        mode=mode,
        granularity="perblock",
        packages=[Package(path, path[-1], "m", bytes(16)) for path in packages],
        files=files,
        function_name=[row[2] for row in rows],
        function_file=np.asarray([files.index(f"{list(packages)[row[0]]}/{row[1]}") for row in rows], dtype=np.int64),
        function_literal=np.asarray([row[3] for row in rows], dtype=bool),
        function_package=np.asarray([row[0] for row in rows], dtype=np.int64),
        package_base=np.cumsum([0, *(len(packages[path]) for path in packages)]),
        function_base=np.cumsum([0, *(len(row[4]) for row in rows)]),
        units=np.asarray([unit for unit, _count in blocks], dtype=np.uint32).reshape(-1, 5).T.copy(),
    )
    counts = np.asarray([count for _unit, count in blocks], dtype=np.uint32)
    return Program(meta, "", np.minimum(counts, 1) if mode == "set" else counts, process_runs=1)


def plain(given_programs: t.Sequence[t.Mapping[str, t.Sequence[Function]]], mode: str) -> dict[str, dict[t.Any, int]]:
    """What Go's formatter has in its tables: by package, the count of each function and unit."""
    tables: dict[str, dict[t.Any, int]] = {}
    for packages in given_programs:
        for path, rows in packages.items():
            table = tables.setdefault(path, {})
            for file, name, literal, blocks in rows:
                for unit, count in blocks:
                    key = (f"{path}/{file}", name, literal, unit)
                    seen = table.get(key, 0)
                    table[key] = int(bool(seen or count)) if mode == "set" else min(seen + count, 0xFFFFFFFF)
    return tables


@given(programs, modes)
def test_units_are_those_of_go(given_programs: list[dict[str, list[Function]]], mode: str) -> None:
    made = [program(packages, mode) for packages in given_programs]
    profile = make_profile(made, mode)
    tables = plain(given_programs, mode)
    expected = []
    for path in sorted(tables, key=str.encode):
        rows = sorted(
            (file.encode(), unit[0], unit[2], unit[1], unit[3], unit[4], count)
            for (file, _name, _literal, unit), count in tables[path].items()
        )
        expected += [
            f"{file.decode()}:{line}.{column},{end}.{end_column} {statements} {count}"
            for file, line, end, column, end_column, statements, count in rows
        ]
    head, *body = text_profile(profile).splitlines()
    assert head == f"mode: {mode}"
    assert sorted(body) == sorted(expected)
    # equal places of different functions are in no order, in Go neither
    assert [row.rpartition(" ")[0] for row in body] == [row.rpartition(" ")[0] for row in expected]
    assert profile.totals()[1] == sum(key[3][4] for table in tables.values() for key in table)


@given(programs, modes)
def test_totals_need_no_order(given_programs: list[dict[str, list[Function]]], mode: str) -> None:
    made = [program(packages, mode) for packages in given_programs]
    profile = make_profile(made, mode)
    packages, covered, total = package_totals(made, mode)
    expected = profile.by(profile.package, len(profile.packages))
    assert [package.path for package in packages] == [package.path for package in profile.packages]
    assert (covered.tolist(), total.tolist()) == (expected[0].tolist(), expected[1].tolist())
    assert percent_of(made, mode) == percent_text(profile)


@given(programs, st.sets(st.sampled_from(["m/p", "m/q"])))
def test_a_part_is_what_a_program_of_that_part_gives(
    given_programs: list[dict[str, list[Function]]], keep: set[str]
) -> None:
    whole = make_profile([program(packages, "count") for packages in given_programs], "count").select(keep)
    parts = [{path: rows for path, rows in packages.items() if path in keep} for packages in given_programs]
    part = make_profile([program(packages, "count") for packages in parts], "count")
    assert text_profile(whole) == text_profile(part)
    assert percent_text(whole) == percent_text(part)
    assert sorted(whole.function_name) == sorted(part.function_name)


def columns(profile: Profile) -> list[t.Any]:
    files = [profile.files[index] for index in profile.file.tolist()]
    return list(zip(files, profile.units.T.tolist(), profile.counts.tolist(), strict=True))


@pytest.mark.parametrize("largest", [9, 9999, 10_000, 12_345_678, 100_000_000, 0xFFFFFFFF])
def test_numbers_of_any_length(largest: int) -> None:
    """Numbers are written four digits at a time: 10,000 and 100,000,000 are where another group begins."""
    random = np.random.default_rng(largest)
    near = [0, 1, largest, max(largest - 1, 0), largest // 2, largest // 10]
    blocks = []
    for index in range(300):
        values = [
            int(random.choice(near)) if random.random() < 0.5 else int(random.integers(0, largest + 1))
            for _n in range(6)
        ]
        blocks.append(((values[0], values[1], values[2], values[3], values[4] % 100), values[5] if index else largest))
    profile = make_profile([program({"m/p": [("a.go", "F", False, blocks)]}, "count")], "count")
    rows = [f"{f}:{u[0]}.{u[1]},{u[2]}.{u[3]} {u[4]} {c}\n" for f, u, c in columns(profile)]
    assert text_profile(profile) == "mode: count\n" + "".join(rows)


def test_many_files_are_written_in_pieces() -> None:
    rows = [(f"f{n:04d}.go", "F", False, [((line, 1, line, 9, 1), n) for line in range(1, 8)]) for n in range(9000)]
    profile = make_profile([program({"m/p": rows}, "count")], "count")
    pieces = list(profile_chunks(profile))
    assert len(pieces) > 3
    expected = [f"{f}:{u[0]}.{u[1]},{u[2]}.{u[3]} {u[4]} {c}\n" for f, u, c in columns(profile)]
    assert b"".join(pieces).decode() == "mode: count\n" + "".join(expected)
    assert len(expected) == 63_000


def test_names_that_are_no_text_survive() -> None:
    name = b"\xff\xfe.go".decode("utf-8", "surrogateescape")
    profile = make_profile([program({"m/p": [(name, "F", False, [((1, 2, 3, 4, 5), 6)])]}, "count")], "count")
    assert b"".join(profile_chunks(profile)) == b"mode: count\nm/p/\xff\xfe.go:1.2,3.4 5 6\n"


def test_nothing_has_a_first_line_only() -> None:
    assert text_profile(make_profile([], "atomic")) == "mode: atomic\n"
    assert percent_text(make_profile([], "atomic")) == ""


def test_package_list() -> None:
    assert package_text(["b", "a/z", "b", "a", "a-b"]) == "a\na-b\na/z\nb\n"


def test_columns_that_do_not_fit_a_word_are_not_packed() -> None:
    wide = np.asarray([1 << 31, 1], dtype=np.uint32)
    assert pack_columns([(wide, None), (wide, None)]) is not None
    assert pack_columns([(wide, None), (wide, None), (wide, None)]) is None
    packed = pack_columns([(np.asarray([0, 1, 1]), 2), (np.asarray([3, 0, 1]), None)])
    assert packed is not None
    assert packed.tolist() == [3, 4, 5]


PLACES = st.lists(
    st.tuples(*[st.integers(0, 2)] * 2, *[st.sampled_from([0, 1, 2, 3, 200, 1 << 20, (1 << 32) - 1])] * 4), max_size=30
)


@given(PLACES, st.booleans())
def test_the_order_is_that_of_go_whether_or_not_it_fits_a_word(rows: list[tuple[int, ...]], small: bool) -> None:
    """Ends before their starts, too: nothing in a covmeta forbids them."""
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 6)
    place, function, columns = table[:, 0], table[:, 1], table[:, 2:].T % (4 if small else 1 << 32)
    units = np.concatenate([columns, np.ones((1, len(rows)), dtype=np.int64)]).astype(np.uint32)
    start_line, start_column, end_line, end_column = columns
    keys = (place, start_line, end_line, start_column, end_column, function)
    order, starts = order_units(place, 3, units, function)
    sorted_rows = list(zip(*(key[order].tolist() for key in keys), strict=True))
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert sorted_rows == sorted(zip(*(key.tolist() for key in keys), strict=True)) or starts is None
    assert [row[:5] for row in sorted_rows] == sorted(row[:5] for row in sorted_rows)
    distinct = len(set(sorted_rows))
    assert (len(rows) if starts is None else len(starts)) == distinct


def test_equal_ranges_are_one_where_no_function_tells_them_apart() -> None:
    units_of = np.asarray([[1, 1, 2], [1, 1, 1], [3, 3, 3], [4, 4, 4], [1, 2, 1]], dtype=np.uint32)
    place = np.zeros(3, dtype=np.int64)
    order, starts = order_units(place, 1, units_of)
    assert starts is not None
    assert (sorted(order[:2].tolist()), starts.tolist()) == ([0, 1], [0, 2])
    _order, starts = order_units(place, 1, units_of, np.zeros(3, dtype=np.int64))
    assert starts is None
