# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work shared out among processes: each task is done once, whatever becomes of a process."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.workers import MOST_TASKS, cores, share

TASKS = 40


def flat(results: list[list[int]]) -> list[int]:
    return sorted(number for result in results for number in result)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture(autouse=True)
def _nothing_is_left() -> t.Iterator[None]:
    before = descriptors()
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert descriptors() == before


@pytest.mark.parametrize("processes", [0, 1, 2, 3])
@pytest.mark.parametrize("tasks", [0, 1, 2, TASKS, MOST_TASKS, MOST_TASKS + 1])
def test_each_task_is_done_once(tasks: int, processes: int) -> None:
    assert flat(share(tasks, list, processes)) == list(range(tasks))


def test_others_do_their_part_and_know_what_was_there_before() -> None:
    known = object()

    def work(numbers: t.Iterable[int]) -> tuple[int, int, list[int]]:
        return os.getpid(), id(known), list(numbers)

    # what is done here in the meantime takes until a helper has taken everything
    results = share(TASKS, work, 2, lambda: os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT))
    done = {process: numbers for process, _id, numbers in results}
    assert done.pop(os.getpid()) == []
    assert list(done.values()) == [list(range(TASKS))]
    assert {identity for _process, identity, _numbers in results} == {id(known)}


@pytest.mark.parametrize("after", [0, 3])
def test_what_a_process_that_dies_had_taken_is_done_here(after: int) -> None:
    parent = os.getpid()

    def work(numbers: t.Iterable[int]) -> list[int]:
        done: list[int] = []
        for number in numbers:
            if os.getpid() != parent and len(done) == after:
                os._exit(9)
            done.append(number)
        return done

    results = share(TASKS, work, 3, lambda: os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT))
    assert flat(results) == list(range(TASKS))


@pytest.mark.parametrize("meanwhile", [lambda: None, lambda: os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)])
def test_an_exception_is_raised_here_wherever_it_came_up(meanwhile: t.Callable[[], object]) -> None:
    def work(numbers: t.Iterable[int]) -> list[int]:
        return [TASKS // (7 - number) for number in numbers]

    with pytest.raises(ZeroDivisionError):
        share(TASKS, work, 2, meanwhile)


def test_without_processes_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    called: list[str] = []
    assert flat(share(TASKS, list, 3, lambda: called.append("once"))) == list(range(TASKS))
    assert called == ["once"]


def test_there_is_a_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
