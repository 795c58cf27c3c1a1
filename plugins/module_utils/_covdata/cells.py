# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The sum of the records of many files of one program, as arrays."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import RECORD_HEAD, STRETCH
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]
    QUICK_ADD_AT = False
else:
    QUICK_ADD_AT = np.lib.NumpyVersion(np.__version__) >= "1.25.0"


def add_at(total: np.ndarray, where: np.ndarray, values: np.ndarray, room: t.Optional[np.ndarray] = None) -> None:
    """Add values (uint32) to a total (uint64) at places, of which some can come up more than once.

    :arg room: as many uint64 as there are values, or more; new memory if it is not given.
    """
    if not QUICK_ADD_AT:
        # sums of these are exact: there are far less than 2^21 of the same place
        total += np.bincount(where, values, len(total)).astype(np.uint64)
        return
    if room is None:
        room = np.empty(len(values), dtype=np.uint64)
    wide = room[: len(values)]
    wide[:] = values
    np.add.at(total, where, wide)


class Cells:
    """The sum of all records of a program: of each function, in the order of the covmeta, a cell for each number.

    The three that are no counters have cells too, for nothing: so a record is added as it is. Arrays are kept from one
    time to the next: new memory costs more than the work.
    """

    def __init__(self, meta: Meta, *, each_process_run: bool) -> None:
        self._package_base = meta.package_base
        self._lengths = np.diff(meta.function_base)
        self._begin = meta.function_base[:-1] + RECORD_HEAD * np.arange(len(self._lengths))
        size = int(meta.function_base[-1]) + RECORD_HEAD * len(self._lengths)
        self._sum = np.zeros(size, dtype=np.uint64)
        self._zero = np.zeros(size, dtype=bool) if each_process_run else None
        self._where = np.empty(0, dtype=np.int64)
        self._values = np.empty(0, dtype=np.uint64)

    def add(self, numbers: np.ndarray, starts: np.ndarray) -> bool:
        """Add records, or nothing of them if they are not of this program, and tell which.

        :arg starts: where each record begins among the numbers (uint32), and where the last one ends.
        """
        begins = self._places(numbers, starts[:-1])
        if begins is None:
            return False
        # a stretch at a time: it stays in the processor's cache
        bounds = np.searchsorted(starts, np.arange(0, int(starts[-1]), STRETCH // 2))
        for first, last in itertools.pairwise([*bounds.tolist(), len(begins)]):
            if first < last:
                self._add(numbers, starts[first : last + 1], begins[first:last])
        return True

    def take(self) -> np.ndarray:
        """Return the sums of counters (U, uint64), and begin again."""
        total = self._counters(self._sum)
        self._sum[:] = 0
        return total

    def zeros(self) -> t.Optional[np.ndarray]:
        """Return what was 0 in a record (U, bool), where that was asked for."""
        return None if self._zero is None else self._counters(self._zero)

    def _places(self, numbers: np.ndarray, heads: np.ndarray) -> t.Optional[np.ndarray]:
        """Return where the cells of each record begin; nothing if one is not of this program."""
        package = numbers[heads + 1]
        if int(package.max()) >= len(self._package_base) - 1:
            return None
        function = self._package_base[package] + numbers[heads + 2]
        if bool((function >= self._package_base[1:][package]).any()):
            return None
        if not np.array_equal(self._lengths[function], numbers[heads]):
            return None
        return self._begin[function]

    def _add(self, numbers: np.ndarray, starts: np.ndarray, begins: np.ndarray) -> None:
        first, last = int(starts[0]), int(starts[-1])
        size = last - first
        if size > len(self._where):
            room = max(size, min(2 * len(self._where), STRETCH))
            self._where, self._values = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.uint64)
        part, where = numbers[first:last], self._where[:size]
        # one cell on from number to number, and at a head from the end of one function to the next
        where[:] = 1
        where[0] = begins[0]
        where[starts[1:-1] - first] = np.diff(begins) - np.diff(starts)[:-1] + 1
        np.cumsum(where, out=where)
        add_at(self._sum, where, part, self._values)
        if self._zero is not None:
            self._zero[where[part == 0]] = True

    def _counters(self, cells: np.ndarray) -> np.ndarray:
        keep = np.ones(len(cells), dtype=bool)
        for column in range(RECORD_HEAD):
            keep[self._begin + column] = False
        return cells[keep]
