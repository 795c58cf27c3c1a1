# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, with a clock that only moves when somebody sleeps."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import waiting as lib


class Clock:
    """In the place of the module time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(lib, "time", made)
    return made


def test_the_first_look_is_at_once_and_the_last_when_the_time_is_over(clock: Clock) -> None:
    assert list(lib.poll(2, timeout=5)) == [0, 2, 4, 5]
    assert clock.slept == [2, 2, 1]


def test_a_loop_that_is_left_does_not_sleep(clock: Clock) -> None:
    assert next(lib.poll(2, timeout=5)) == 0
    assert clock.slept == []


@pytest.mark.parametrize("timeout", [0, -1])
def test_without_time_there_is_one_look(clock: Clock, timeout: float) -> None:
    assert list(lib.poll(2, timeout)) == [0]
    assert clock.slept == []


def test_a_look_that_outlasts_the_time_is_the_last(clock: Clock) -> None:
    seen = []
    for waited in lib.poll(1, timeout=5):
        seen.append(waited)
        clock.now += 10
    assert seen == [0, 10]
    assert clock.slept == [0]


def test_without_a_limit_it_goes_on(clock: Clock) -> None:
    assert list(itertools.islice(lib.poll(1), 1000)) == list(range(1000))
