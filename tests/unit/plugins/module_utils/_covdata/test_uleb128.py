# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ULEB128: encoding and decoding are each other's reverse, and nothing malformed gets through."""

from __future__ import annotations

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from hypothesis import given
from hypothesis import strategies as st

numbers = st.lists(st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1)))


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


@given(numbers)
def test_decode_gives_what_was_encoded(values: list[int]) -> None:
    encoded = uleb128.encode(np.asarray(values, dtype=np.uint32))
    decoded = uleb128.decode(as_array(encoded))
    assert decoded.tolist() == values
    assert decoded.dtype == np.uint32
    assert encoded == b"".join(map(uleb128.encode_one, values))
    begins = np.cumsum([0, *(len(uleb128.encode_one(value)) for value in values)])
    assert uleb128.numbers_before(as_array(encoded), begins).tolist() == list(range(len(values) + 1))
    assert uleb128.lengths(np.asarray(values, dtype=np.uint32)).tolist() == np.diff(begins).tolist()


@pytest.mark.parametrize("size", [uleb128.STRETCH - 1, uleb128.STRETCH, uleb128.STRETCH + 1, 3 * uleb128.STRETCH])
@pytest.mark.parametrize("every", [1, 2, 3, 7, 70_000])
def test_more_than_one_stretch(size: int, every: int) -> None:
    values = np.arange(size, dtype=np.uint32) % 100
    values[::every] = np.arange(len(values[::every])) * 65_537 % 2**32
    encoded = as_array(uleb128.encode(values))
    assert np.array_equal(uleb128.decode(encoded), values)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (624485, b"\xe5\x8e\x26"), (2**32 - 1, b"\xff\xff\xff\xff\x0f")],
)
def test_known_encodings(value: int, encoded: bytes) -> None:
    assert uleb128.encode(np.asarray([value], dtype=np.uint32)) == encoded
    assert uleb128.decode(as_array(encoded)).tolist() == [value]


def test_a_number_with_needless_zeros_is_read() -> None:
    assert uleb128.decode(as_array(b"\x85\x80\x80\x80\x80\x80\x00")).tolist() == [5]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x01\x80", "truncated"),
        (b"\x80", "truncated"),
        (b"\xff\xff\xff\xff\x10", "damaged"),
        (b"\x80\x80\x80\x80\x80\x01", "damaged"),
        (b"\x80" * 10 + b"\x00", "damaged"),
        (b"\x80" * 100_000 + b"\x00", "damaged"),
    ],
)
def test_malformed_numbers_are_refused(data: bytes, kind: str) -> None:
    with pytest.raises(FormatError) as caught:
        uleb128.decode(as_array(data))
    assert caught.value.kind == kind


@given(st.lists(st.text()))
def test_string_tables(strings: list[str]) -> None:
    table = uleb128.encode_strings([text.encode("utf-8", "replace").decode() for text in strings])
    decoded, end = uleb128.decode_strings(table + b"behind", 0)
    assert decoded == [text.encode("utf-8", "replace").decode() for text in strings]
    assert end == len(table)
    assert uleb128.all_strings(b"before" + table + b"behind", 6, 6 + len(table)) == decoded
    every_third = uleb128.chosen_strings(table, 0, range(0, len(decoded), 3))
    assert every_third == {index: decoded[index] for index in range(0, len(decoded), 3)}


@pytest.mark.parametrize("size", [1, 127, 128, 300])
def test_long_strings(size: int) -> None:
    strings = ["a" * size, "b", "c" * size]
    table = uleb128.encode_strings(strings)
    assert uleb128.all_strings(table, 0, len(table)) == strings
    assert uleb128.chosen_strings(table, 0, [2, 1]) == {1: "b", 2: "c" * size}


def test_a_string_that_is_not_utf8_survives() -> None:
    decoded, _end = uleb128.decode_strings(b"\x01\x02\xff\xfe", 0)
    assert uleb128.encode_strings(decoded) == b"\x01\x02\xff\xfe"


@pytest.mark.parametrize("table", [b"", b"\x02\x01a", b"\x01\x05abc", b"\xff\xff\xff\xff\x0f", b"\x80" * 20])
def test_malformed_string_tables_are_refused(table: bytes) -> None:
    with pytest.raises(FormatError):
        uleb128.decode_strings(table, 0)
