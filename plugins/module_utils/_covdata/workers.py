# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Share work out among the processor's cores: by fork, so that a helper starts with all that is there already."""

from __future__ import annotations

import errno
import os
import pickle
import struct
import typing as t
import warnings

Result = t.TypeVar("Result")

TOKEN = struct.Struct("<H")
MOST_TASKS = 1 << 11  # their tokens fit the smallest pipe, so that filling it never waits
PROCESSES = 4  # at most


def cores() -> int:
    """Return how many processes can work at once, and are worth it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return min(available, PROCESSES)


def share(
    tasks: int,
    work: t.Callable[[t.Iterable[int]], Result],
    processes: int,
    meanwhile: t.Callable[[], object] = lambda: None,
) -> list[Result]:
    """Do the tasks 0, 1, ... in up to C(processes) processes, this one included; each takes the next when it is free.

    What was taken by a process that is killed, or that fails, is done here in the end. An exception that C(work)
    raises here is raised; the tasks of a helper in which it raises one are done again here, where it is raised then.

    :arg work: does the tasks whose numbers it is given, which it takes one by one; what it returns can be pickled.
    :arg meanwhile: done here before the first task, while the helpers are at work already.
    :returns: what C(work) returned, in no order: of each process, and of what was left.
    """
    helpers = max(1, min(processes, tasks)) - 1
    if not helpers or tasks > MOST_TASKS:
        meanwhile()
        return [work(range(tasks))]
    # a free process takes the next task: the numbers are in a pipe, and a read of two bytes removes one
    source, fill = os.pipe()
    try:
        pipes = _fork(work, source, fill, helpers)
        for number in range(tasks):
            os.write(fill, TOKEN.pack(number))
    finally:
        os.close(fill)
    try:
        meanwhile()
        done: set[int] = set()
        results = [work(_tokens(source, done))]
    finally:
        os.close(source)
        answers = [_collect(process, pipe) for process, pipe in pipes]
    for answer in answers:
        if answer is not None:
            results.append(answer[0])
            done |= answer[1]
    left = [number for number in range(tasks) if number not in done]
    return [*results, work(left)] if left else results


def _tokens(source: int, taken: set[int]) -> t.Iterator[int]:
    """Yield the tasks that nobody else took, and note them."""
    while True:
        token = os.read(source, TOKEN.size)
        if not token:
            return
        (number,) = TOKEN.unpack(token)
        taken.add(number)
        yield number


def _fork(work: t.Callable[[t.Iterable[int]], object], source: int, fill: int, helpers: int) -> list[tuple[int, int]]:
    """Start processes that take tasks from C(source); return each one's id and the pipe of its answer."""
    pipes: list[tuple[int, int]] = []
    for _helper in range(helpers):
        answer, tell = os.pipe()
        try:
            with warnings.catch_warnings():
                # of threads: those of numpy's linear algebra, which is not used in here
                warnings.simplefilter("ignore", DeprecationWarning)
                process = os.fork()
        except OSError:  # no room for a process: there are fewer then
            os.close(answer)
            os.close(tell)
            break
        if process:
            os.close(tell)
            pipes.append((process, answer))
            continue
        status = 1
        try:
            os.close(fill)
            os.close(answer)
            done: set[int] = set()
            result = work(_tokens(source, done))
            with os.fdopen(tell, "wb") as stream:
                pickle.dump((result, done), stream, protocol=pickle.HIGHEST_PROTOCOL)
            status = 0
        finally:
            # no way out of here but this one: the rest belongs to the process that forked
            os._exit(status)
    return pipes


def _collect(process: int, pipe: int) -> t.Optional[tuple[t.Any, set[int]]]:
    """Return a process's answer; nothing if it ended without one."""
    with os.fdopen(pipe, "rb") as stream:
        answer = stream.read()
    try:
        _process, status = os.waitpid(process, 0)
    except OSError as error:
        if error.errno != errno.ECHILD:
            raise
        status = 1
    # our own process wrote it, and ended well
    return pickle.loads(answer) if status == 0 else None  # noqa: S301
