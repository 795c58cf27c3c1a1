# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records in memory, by hand: what no small program has, and every way in which a copy can be torn."""

from __future__ import annotations

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import PACKAGE_HEADER
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.counters import (
    Shape,
    check_later,
    find_heads,
    to_segment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import Torn
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.rtcov import Package

NONE = np.zeros(0, dtype=np.int64)


def package(functions: list[int], *, hard_coded: int = -1, granularity: int = 1) -> Package:
    """A package whose functions have so many counters."""
    table_end = PACKAGE_HEADER.size + 4 * len(functions)
    encoded, offsets = b"", []
    for number in functions:
        offsets.append(table_end + len(encoded))
        encoded += bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])
    data = b"".join(offset.to_bytes(4, "little") for offset in offsets) + encoded
    head = PACKAGE_HEADER.pack(PACKAGE_HEADER.size + len(data), 0, 0, 0, bytes(16), 0, len(functions))
    return Package(head + data, bytes(16), hard_coded, 1, granularity)


def words(*numbers: int) -> np.ndarray:
    return np.asarray(numbers, dtype=np.int64).astype(np.uint32)


# two functions of the first package and one of the second, with room between for one that has not run
SHAPE = Shape([package([2, 1]), package([3])])
WHOLE = words(2, 1, 0, 7, 0, 0, 0, 0, 0, 3, 2, 0, 0, 1, 9, 1, 1, 1, 5)


def test_functions_are_returned_in_the_order_of_memory() -> None:
    heads = find_heads(WHOLE, NONE)
    assert heads.tolist() == [0, 9, 15]
    segment = to_segment(WHOLE, heads, SHAPE)
    assert segment.package.tolist() == [0, 1, 0]
    assert segment.function.tolist() == [0, 0, 1]
    assert segment.counters.tolist() == [7, 0, 0, 1, 9, 5]


@pytest.mark.parametrize("known", [[0], [9], [15], [0, 15], [0, 9, 15]])
def test_what_is_known_changes_nothing(known: list[int]) -> None:
    assert find_heads(WHOLE, np.asarray(known)).tolist() == [0, 9, 15]


def test_a_known_function_that_has_not_run_here_is_left_out() -> None:
    idle = WHOLE.copy()
    idle[9:15] = 0
    assert find_heads(idle, np.asarray([0, 9, 15])).tolist() == [0, 15]


def test_a_function_with_more_counters_than_a_byte_counts() -> None:
    many = Shape([package([300])])
    assert many.counters.tolist() == [300]
    segment = to_segment(words(300, 1, 0, *[1] * 300), np.asarray([0]), many)
    assert segment.lengths.tolist() == [300]


def test_packages_of_the_runtime_have_ids_of_their_own() -> None:
    shape = Shape([package([1]), package([1], hard_coded=-3), package([1], hard_coded=-27)])
    assert shape.slots(words(1, -3, -27, -2, -28, 4, 0)).tolist() == [0, 1, 2, -1, -1, -1, -1]


def test_granularity_of_functions_has_one_counter_each() -> None:
    assert Shape([package([5, 7], granularity=2)]).counters.tolist() == [1, 1]


def test_a_function_without_counters_that_ran_is_left_out() -> None:
    cleared = words(2, 1, 0, 0, 0)
    assert len(to_segment(cleared, find_heads(cleared, NONE), SHAPE).lengths) == 0


def test_nothing_has_run() -> None:
    assert len(to_segment(words(0, 0, 0), find_heads(words(0, 0, 0), NONE), SHAPE).lengths) == 0


@pytest.mark.parametrize(
    ("torn", "why"),
    [
        (words(9, 1, 0, 7, 0), "beyond the end"),
        (words(2, 0, 0, 7, 0), "of no package"),
        (words(2, 3, 0, 7, 0), "of no package"),
        (words(2, 1, 2, 7, 0), "of no function"),
        (words(1, 1, 0, 7, 0), "of no function|another number|of no package|beyond the end"),
        (words(2, 1, 0, 7, 0, 2, 1, 0, 7, 0), "of one function"),
    ],
)
def test_a_record_that_fits_nothing_is_torn(torn: np.ndarray, why: str) -> None:
    with pytest.raises(Torn, match=why):
        to_segment(torn, find_heads(torn, NONE), SHAPE)


def test_a_record_over_a_known_one_is_torn() -> None:
    early = words(0, 5, 2, 1, 0, 7, 0)
    with pytest.raises(Torn):
        find_heads(early, np.asarray([2]))


def test_a_later_copy_may_have_more_functions() -> None:
    first = WHOLE.copy()
    first[9:15] = 0
    heads = find_heads(first, NONE)
    check_later(first, heads, WHOLE)
    assert len(find_heads(WHOLE, heads)) > len(heads)


@pytest.mark.parametrize("missing", [[0], [0, 1], [1], [9], [9, 10], [10], [15], [16], [17]])
def test_a_later_copy_shows_a_head_that_was_missing(missing: list[int]) -> None:
    first = WHOLE.copy()
    first[missing] = 0
    with pytest.raises(Torn):
        heads = find_heads(first, NONE)
        check_later(first, heads, WHOLE)
        to_segment(first, heads, SHAPE)
