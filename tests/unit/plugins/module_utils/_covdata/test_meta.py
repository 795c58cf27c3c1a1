# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""covmeta: real files survive a round trip, made-up ones too, and no damage gets through as data."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from go_programs import RECORDED
from hypothesis import given, settings
from hypothesis import strategies as st

REAL = next((RECORDED / "program" / "pod-1").glob("covmeta.*")).read_bytes()


def same(one: covmeta.Meta, other: covmeta.Meta) -> bool:
    """Whether two metas say the same; the order in which files are first named does not matter."""
    return (
        (one.hash, one.mode, one.granularity, one.packages)
        == (other.hash, other.mode, other.granularity, other.packages)
        and one.function_name == other.function_name
        and [one.files[i] for i in one.function_file.tolist()] == [other.files[i] for i in other.function_file.tolist()]
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("function_literal", "function_package", "package_base", "function_base", "units")
        )
    )


def test_a_real_file() -> None:
    meta = covmeta.read_meta(REAL)
    assert (meta.mode, meta.granularity) == ("atomic", "perblock")
    assert meta.main_paths() == ("example.com/program/cmd/program",)
    assert {package.path for package in meta.packages} == {
        "example.com/program/cmd/program",
        "example.com/program/internal/generated",
        "example.com/program/internal/nothing",
        "example.com/program/internal/shapes",
        "example.com/program/internal/text",
    }
    assert {package.module for package in meta.packages} == {"example.com/program"}
    assert "*Circle.Area" in meta.function_name
    literals = [name for name, literal in zip(meta.function_name, meta.function_literal, strict=True) if literal]
    assert literals and all(name.startswith("func.L") for name in literals)
    assert same(covmeta.read_meta(covmeta_writer.write_meta(meta)), meta)


names = st.text(st.characters(codec="utf-8"), max_size=12)
units = st.lists(st.tuples(*[st.integers(0, 2**32 - 1)] * 5), max_size=4)
functions = st.lists(st.tuples(names, names, units, st.booleans()), max_size=4)
packages = st.lists(st.tuples(names, names, names, functions), max_size=4)


@st.composite
def metas(draw: st.DrawFn) -> covmeta.Meta:
    """A covmeta of anything that the format can hold."""
    given_packages = draw(packages)
    flat = [(index, function) for index, package in enumerate(given_packages) for function in package[3]]
    files = list(dict.fromkeys(function[1] for _index, function in flat))
    all_units = [unit for _index, function in flat for unit in function[2]]
    return covmeta.Meta(
        hash=draw(st.binary(min_size=16, max_size=16)),
        mode=draw(st.sampled_from(["set", "count", "atomic"])),
        granularity=draw(st.sampled_from(["perblock", "perfunc"])),
        packages=[
            covmeta.Package(path, name, module, bytes(range(16))) for path, name, module, _functions in given_packages
        ],
        files=files,
        function_name=[function[0] for _index, function in flat],
        function_file=np.asarray([files.index(function[1]) for _index, function in flat], dtype=np.int64),
        function_literal=np.asarray([function[3] for _index, function in flat], dtype=bool),
        function_package=np.asarray([index for index, _function in flat], dtype=np.int64),
        package_base=np.cumsum([0, *(len(package[3]) for package in given_packages)]),
        function_base=np.cumsum([0, *(len(function[2]) for _index, function in flat)]),
        units=np.asarray(all_units, dtype=np.uint32).reshape(-1, 5).T,
    )


@given(metas())
def test_what_is_written_is_read(meta: covmeta.Meta) -> None:
    assert same(covmeta.read_meta(covmeta_writer.write_meta(meta)), meta)


def test_only_a_file_as_it_was_written_is_trusted_whole() -> None:
    meta = covmeta.read_meta(REAL)
    assert covmeta_writer.trust(meta) == 2
    assert covmeta_writer.trust(replace(meta, hash=covmeta_writer.file_hash(meta))) == 2  # what Go's merge names it
    assert covmeta_writer.trust(replace(meta, hash=bytes(16))) == covmeta_writer.trust(replace(meta, mode="set")) == 1
    units = meta.units.copy()
    units[0, -1] += 1
    assert covmeta_writer.trust(replace(meta, units=units)) == 0
    assert covmeta_writer.trust(replace(meta, function_name=[*meta.function_name[:-1], "other"])) == 0


def test_packages_that_lie_over_one_another_are_refused() -> None:
    """One stretch of a small file could be read thousands of times."""
    data = bytearray(REAL)
    first = data[covmeta.HEADER.size : covmeta.HEADER.size + 8]
    data[covmeta.HEADER.size + 8 : covmeta.HEADER.size + 16] = first
    with pytest.raises(FormatError, match="lie over one another"):
        covmeta.read_meta(bytes(data))


def test_a_string_that_is_twice_in_a_table_is_one_name() -> None:
    assert REAL.count(b"\x05Shout") == REAL.count(b"\x05Count") == 1
    meta = covmeta.read_meta(REAL.replace(b"\x05Shout", b"\x05Count"))
    ids = [number for number, name in zip(meta.function_name_id, meta.function_name, strict=True) if name == "Count"]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def padded(strings: int) -> bytes:
    """A covmeta of one package and one function, with many strings that nothing is called by."""
    table = [b"", b"example.com/a", b"a", b"example.com", b"f", b"example.com/a/a.go", *[b""] * strings]
    encoded = uleb128.encode_one(len(table)) + b"".join(uleb128.encode_one(len(text)) + text for text in table)
    function = bytes([1, 4]) + uleb128.encode_one(len(table) - 1) + bytes([1, 1, 2, 2, 3, 0])
    begin = covmeta.PACKAGE_HEADER.size + 4 + len(encoded)
    head = covmeta.PACKAGE_HEADER.pack(begin + len(function), 2, 1, 3, bytes(16), 1, 1)
    blob = head + begin.to_bytes(4, "little") + encoded + function
    meta = covmeta.read_meta(REAL)
    return covmeta_writer.frame_packages([blob], meta.hash, meta.mode, meta.granularity)


def test_strings_that_nothing_is_called_by_take_no_memory() -> None:
    data = padded(50_000)
    meta = covmeta.read_meta(data)
    tracemalloc.start()
    try:
        assert (meta.function_name, meta.files) == (["f"], [""])
        assert tracemalloc.get_traced_memory()[1] < len(data)
    finally:
        tracemalloc.stop()
    few = covmeta.read_meta(padded(0))
    assert (few.function_name, few.files) == (["f"], ["example.com/a/a.go"])


def test_files_are_the_same_with_names_and_without() -> None:
    named, alone = covmeta.read_meta(REAL), covmeta.read_meta(REAL)
    assert named.names
    assert "_texts" not in named.__dict__
    assert sorted(alone.files) == sorted(named.files)
    assert "names" not in alone.__dict__
    files, function_file = alone.files, alone.function_file
    assert [files[index] for index in function_file] == [named.files[index] for index in named.function_file]
    # whoever has them already finds them as they were
    assert alone.names == named.names
    assert alone.files is files
    assert alone.function_file is function_file


def test_names_are_decoded_when_they_are_asked_for() -> None:
    meta = covmeta.read_meta(REAL)
    assert "function_name" not in meta.__dict__
    assert [meta.names[index] for index in meta.function_name_id.tolist()] == meta.function_name
    own = set(zip(meta.function_package.tolist(), meta.function_name, strict=True))
    ids = set(zip(meta.function_package.tolist(), meta.function_name_id.tolist(), strict=True))
    assert len(ids) == len(own) < len(meta.function_name)
    assert "_texts" not in meta.__dict__
    again = replace(covmeta.read_meta(REAL), mode="set")
    assert (again.function_name, set(again.names)) == (meta.function_name, set(meta.names))
    with pytest.raises(AttributeError):
        meta.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty-file"),
        (b"\x00", "truncated"),
        (REAL[:40], "truncated"),
        (REAL[:-1], "truncated"),
        (REAL + b"\0", "damaged"),
        (b"\x7fELF" + REAL[4:], "wrong-magic"),
        (REAL[:4] + b"\x02" + REAL[5:], "future-version"),
        (REAL[:48] + b"\x09" + REAL[49:], "damaged"),
        (REAL[:16] + b"\xff" * 8 + REAL[24:], "damaged"),
    ],
)
def test_damage_has_a_name(data: bytes, kind: str) -> None:
    with pytest.raises(FormatError) as caught:
        covmeta.read_meta(data)
    assert caught.value.kind == kind


def test_every_cut_is_seen() -> None:
    for length in range(len(REAL)):
        with pytest.raises(FormatError):
            covmeta.read_meta(REAL[:length])


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_change_of_bytes_crashes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(REAL)
    for position, value in changes:
        data[position] = value
    try:
        meta = covmeta.read_meta(bytes(data))
    except FormatError:
        return
    assert meta.units.shape[1] <= len(REAL)
