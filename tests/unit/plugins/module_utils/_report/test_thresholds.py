# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds are held against exact numbers, and never passed in silence."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import (
    Thresholds,
    digits,
    find_shortfalls,
    parse_thresholds,
)

PACKAGES = {"m/a": 50.0, "m/a/b": 90.0, "m/none": None}


def scopes(given: object, percent: float | None = 70.0, withheld: str = "") -> list[str]:
    return [s.scope for s in find_shortfalls(parse_thresholds(given), percent, PACKAGES, withheld)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []),
        ({}, []),
        ({"total": None, "packages": None}, []),
        ({"total": 70}, []),
        ({"total": 70.001}, ["total"]),
        ({"packages": {"m/...": 60}}, ["m/a"]),
        ({"packages": {"m/...": 60, "m/a": 40}}, []),
        ({"packages": {"m/...": 40, "m/a/b": 95}}, ["m/a/b"]),
        ({"packages": {"m/none": 100}}, []),
        ({"packages": {"m/typo/...": 10}}, ["m/typo/..."]),
        ({"total": "71", "packages": {"m/a": "51"}}, ["total", "m/a"]),
    ],
)
def test_what_falls_short(given: object, expected: list[str]) -> None:
    assert scopes(given) == expected


def test_a_percentage_that_is_withheld_reaches_no_threshold() -> None:
    (shortfall,) = find_shortfalls(Thresholds(None, {"m/...": 10.0}), None, {}, "two builds are mixed")
    assert "two builds are mixed" in shortfall.sentence
    assert shortfall.percent is None
    assert scopes({}, None) == []


def test_a_pattern_that_matches_nothing_names_the_nearest() -> None:
    (shortfall,) = find_shortfalls(Thresholds(None, {"m/aa": 10.0}), 70.0, PACKAGES, "")
    assert "the nearest is m/a." in shortfall.sentence


@pytest.mark.parametrize(
    "given", [{"totl": 1}, {"total": "much"}, {"total": 101}, {"total": -1}, {"packages": {"m/a": None}}]
)
def test_what_is_no_threshold_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        parse_thresholds(given)
    assert caught.value.setting == "report.thresholds"


@pytest.mark.parametrize(
    ("percent", "threshold", "expected"),
    [(26.34, 60, "26.3"), (79.96, 80, "79.96"), (79.99999, 80, "79.99999"), (99.95, 99.96, "99.95")],
)
def test_a_shortfall_shows_the_digit_that_matters(percent: float, threshold: float, expected: str) -> None:
    assert digits(percent, threshold) == expected
