# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers for sentences."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import text


def test_the_nearest_name_is_the_one_most_like_it() -> None:
    assert text.nearest("readyness", ["image", "readiness", "reading"]) == "readiness"


def test_no_name_is_near_a_stranger_unless_any_will_do() -> None:
    assert text.nearest("xyz", ["image", "readiness"]) == ""
    assert text.nearest("xyz", ["image", "readiness"], cutoff=0) in ("image", "readiness")
    assert text.nearest("xyz", [], cutoff=0) == ""


def test_names_may_come_from_any_iterable() -> None:
    assert text.nearest("imag", (name for name in ("image", "tests"))) == "image"
    assert text.nearest("imag", {"image": 1}) == "image"


def test_several_names_come_nearest_first() -> None:
    assert text.nearest_few("orders", ["orders-db", "order", "billing"]) == ["order", "orders-db"]
    assert text.nearest_few("orders", ["orders-db", "order"], most=1) == ["order"]


def test_a_question_ends_a_sentence() -> None:
    assert text.did_you_mean("imag", ["image"]) == " Did you mean 'image'?"
    assert text.did_you_mean("xyz", ["image"]) == ""


@pytest.mark.parametrize(
    ("number", "one", "many", "expected"),
    [(0, "pod", "", "0 pods"), (1, "pod", "", "1 pod"), (2, "pod", "", "2 pods"), (2, "entry", "entries", "2 entries")],
)
def test_a_number_has_its_noun(number: int, one: str, many: str, expected: str) -> None:
    assert text.count(number, one, many) == expected


def test_a_short_text_is_one_line() -> None:
    assert text.short("a\n  b\tc ") == "a b c"


@pytest.mark.parametrize("most", [20, 21, 200])
@pytest.mark.parametrize("more", [0, 1, 500])
def test_a_long_text_keeps_begin_and_end(most: int, more: int) -> None:
    given = "".join(chr(0x4E00 + number) for number in range(most + more))
    found = text.short(given, most)
    assert len(found) <= most
    if more:
        begin, _mark, end = found.partition(" … ")
        assert begin and end and given.startswith(begin) and given.endswith(end)
    else:
        assert found == given


def test_the_last_lines_are_not_blank() -> None:
    assert text.last_lines("a\n\nb\n \nc\n\n", 2) == ["b", "c"]
    assert text.last_lines("a", 5) == ["a"]
    assert text.last_lines("a\nb", 0) == []
