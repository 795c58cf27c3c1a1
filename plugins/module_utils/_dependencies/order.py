# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The order of dependencies: in parallel unless C(after) is given; cycles are reported before anything starts."""

from __future__ import annotations

import graphlib
import queue
import threading
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest

Result = t.TypeVar("Result")


def check_order(after: t.Mapping[str, t.Sequence[str]], setting: str) -> None:
    """Refuse an order that there cannot be.

    :arg after: of each name those that come before it. :arg setting: what the user has written it in.
    :raises InputError: an unknown name (the nearest is named), or a cycle.
    """
    for name, earlier in after.items():
        for wanted in earlier:
            if wanted in after:
                continue
            near = nearest(wanted, [other for other in after if other != name])
            hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(sorted(after))}."
            raise InputError(
                f"Dependency {name} comes after {wanted!r}, which is not a dependency. {hint}",
                setting=setting,
                cause="dependency-unknown",
            )
    try:
        graphlib.TopologicalSorter(after).prepare()
    except graphlib.CycleError as error:
        # graphlib's own list: each comes before the next, the first is the last
        circle = list(reversed(error.args[1]))
        raise InputError(
            f"The dependencies wait for each other: {' after '.join(circle)}.",
            remedy="Remove one 'after'.",
            setting=setting,
            cause="dependency-cycle",
        ) from error


class Busy:
    """Who does something that must come to its end even if another one fails."""

    def __init__(self) -> None:
        self._idle = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        with self._idle:
            self._count += 1

    def __exit__(self, *_error: object) -> None:
        with self._idle:
            self._count -= 1
            self._idle.notify_all()

    def wait(self) -> None:
        """Return when nobody is busy."""
        with self._idle:
            self._idle.wait_for(lambda: self._count == 0)


class _Task(threading.Thread, t.Generic[Result]):
    """One name's work. A daemon: who only waits does not keep a failed run from ending."""

    def __init__(self, name: str, work: t.Callable[[], Result], ended: queue.SimpleQueue[_Task[Result]]) -> None:
        super().__init__(name=name, daemon=True)
        self.work, self.ended = work, ended
        self.result: t.Optional[Result] = None
        # what nobody foresaw is printed by Python itself, with where it came from
        self.error: BaseException = AssertionError(f"{name} ended with an unexpected error")
        self.good = False

    def run(self) -> None:
        try:
            self.result = self.work()
            self.good = True
        except CoverageError as error:
            self.error = error
        finally:
            self.ended.put(self)


def run_in_order(
    after: t.Mapping[str, t.Sequence[str]], work: t.Callable[[str], Result], busy: t.Optional[Busy] = None
) -> dict[str, Result]:
    """Call C(work) with each name, each when those before it are done, all else side by side; return the results.

    The first failure ends it: nothing more is started, and only who is C(busy) is waited for.

    :arg after: as R(check_order) has passed it.
    :raises CoverageError: the first that any of them raised.
    """
    sorter = graphlib.TopologicalSorter(after)
    sorter.prepare()
    ended: queue.SimpleQueue[_Task[Result]] = queue.SimpleQueue()
    results: dict[str, Result] = {}
    while sorter.is_active():
        for name in sorter.get_ready():
            _Task(name, lambda name=name: work(name), ended).start()  # type: ignore[misc]
        task = ended.get()
        if not task.good:
            if busy is not None:
                busy.wait()
            raise task.error
        results[task.name] = t.cast(Result, task.result)
        sorter.done(task.name)
    return {name: results[name] for name in after}
