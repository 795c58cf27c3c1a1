# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process runs are added up; of snapshots of one process run the last counts; what cannot be known is said."""

from __future__ import annotations

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.snapshots import (
    AUTO,
    LAST,
    SUM,
    Choice,
    ProcessRun,
    choose_process_runs,
)

LARGE = 4711
Counts = dict[int, "list[int] | None"]


def choose(process: int, counts: list[list[int] | None], policy: str = AUTO, known: int | None = None) -> Choice:
    """Choose among files that were written one after the other by one process id."""
    process_runs = [ProcessRun(number, process, 1000 + number) for number in range(len(counts))]

    def read(number: int) -> np.ndarray | None:
        values = counts[number]
        return None if values is None else np.asarray(values, dtype=np.uint64)

    return choose_process_runs(process_runs, read, policy=policy, known=known)


GROWING: list[list[int] | None] = [[1, 0], [1, 2], [3, 2]]
RESTARTED: list[list[int] | None] = [[1, 5], [2, 5], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("process", "counts", "policy", "known", "dropped"),
    [
        # nothing is known: a large id is one process, a small one may be a container's in each process run
        (LARGE, GROWING, AUTO, None, [0, 1]),
        (LARGE, RESTARTED, AUTO, None, [0, 2]),
        (1, GROWING, AUTO, None, []),
        (1, RESTARTED, AUTO, None, []),
        # it is known how many process runs there were
        (1, GROWING, AUTO, 1, [0, 1]),
        (1, GROWING, AUTO, 3, []),
        (1, GROWING, AUTO, 4, []),
        (1, RESTARTED, AUTO, 2, [0, 2]),
        (1, RESTARTED, AUTO, 4, []),
        (LARGE, GROWING, AUTO, 3, []),
        # fewer stretches than process runs: the newest count
        (1, GROWING, AUTO, 2, [0]),
        # more stretches than process runs: what decreased was another process run
        (1, RESTARTED, AUTO, 1, [0, 2]),
        # it is said
        (LARGE, GROWING, SUM, None, []),
        (1, GROWING, SUM, 1, []),
        (1, GROWING, LAST, None, [0, 1]),
        (1, RESTARTED, LAST, None, [0, 2]),
    ],
)
def test_choices(
    process: int, counts: list[list[int] | None], policy: str, known: int | None, dropped: list[int]
) -> None:
    choice = choose(process, counts, policy, known)
    assert sorted(choice.dropped) == dropped
    if dropped:
        assert f"{len(dropped)} of {len(counts)} files of counters are earlier snapshots" in choice.sentence


def test_what_cannot_be_known_is_said() -> None:
    assert "could be separate process runs or snapshots" in choose(1, GROWING).sentence
    assert choose(1, GROWING).remedy
    assert choose(1, RESTARTED).sentence == ""
    assert choose(1, GROWING, SUM).sentence == ""


def test_a_bad_file_between_is_left_to_its_reader() -> None:
    assert choose(LARGE, [[1], None, [2]]).dropped == [0]


def test_several_processes_are_several_process_runs() -> None:
    process_runs = [ProcessRun(0, 4000, 1), ProcessRun(1, 4001, 2), ProcessRun(2, 4000, 3)]
    counts = [np.asarray([1]), np.asarray([1]), np.asarray([2])]
    assert choose_process_runs(process_runs, lambda number: counts[number]).dropped == [0]
    assert choose_process_runs(process_runs[:2], lambda number: counts[number]) == Choice()


def test_the_order_is_that_of_time_and_not_of_names() -> None:
    process_runs = [ProcessRun(0, LARGE, 20), ProcessRun(1, LARGE, 3)]
    counts = [np.asarray([2]), np.asarray([1])]
    assert choose_process_runs(process_runs, lambda number: counts[number]).dropped == [1]
