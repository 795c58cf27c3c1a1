# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes after what."""

from __future__ import annotations

import itertools
import threading

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import order as lib


def test_a_name_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'redis'") as caught:
        lib.check_order({"redis": (), "db": ("rediss",)}, "here")
    assert caught.value.cause == "dependency-unknown"


def test_a_circle_is_told_in_full() -> None:
    with pytest.raises(InputError) as caught:
        lib.check_order({"a": ("b",), "b": ("c",), "c": ("a",)}, "here")
    assert caught.value.cause == "dependency-cycle"
    circle = caught.value.message.partition(": ")[2].rstrip(".").split(" after ")
    assert circle[0] == circle[-1]
    assert set(itertools.pairwise(circle)) == {("a", "b"), ("b", "c"), ("c", "a")}


def test_each_starts_when_those_before_it_are_done() -> None:
    done: list[str] = []
    after = {"c": ("a", "b"), "a": (), "b": ("a",)}
    results = lib.run_in_order(after, lambda name: (done.append(name), name.upper())[1])
    assert done == ["a", "b", "c"]
    assert results == {"c": "C", "a": "A", "b": "B"}


def test_what_does_not_depend_on_each_other_runs_side_by_side() -> None:
    both = threading.Barrier(2)
    # each waits for the other one: one after the other would break the barrier
    results = lib.run_in_order({"a": (), "b": ()}, lambda name: both.wait(timeout=120))
    assert sorted(results.values()) == [0, 1]


def test_the_first_failure_ends_it_and_only_who_is_busy_is_waited_for() -> None:
    busy, started, failed, never = lib.Busy(), threading.Event(), threading.Event(), threading.Event()
    finished: list[str] = []

    def work(name: str) -> None:
        if name == "waits":
            never.wait(timeout=120)
        elif name == "migrates":
            with busy:
                started.set()
                failed.wait(timeout=120)
                finished.append(name)
        elif name == "fails":
            started.wait(timeout=120)
            failed.set()
            raise CoverageError("it failed")
        else:
            raise AssertionError(f"{name} was started")

    with pytest.raises(CoverageError, match="it failed"):
        lib.run_in_order({"waits": (), "migrates": (), "fails": (), "later": ("fails",)}, work, busy)
    assert finished == ["migrates"]
    never.set()
