# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Counters as they are in memory, while they change.

Each function that ran has C([number of counters, package, function, counter...]) as 32 bit words; a function that has
not run has as many zeros. A function writes the first three words (its head) each time it begins, always the same, and
nothing ever takes them away. So a head stays where it was, in each process of one build. A copy in which a head is
missing or cut shows by a second copy that was made after it, and by the meta-data, which say how many counters each
function has.

Source of truth: internal/coverage/cfile (C(VisitFuncs), C(ClearCounters)), internal/coverage/defs.go, cmd/cover.
"""

from __future__ import annotations

import bisect
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import RECORD_HEAD, Segment
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import PACKAGE_HEADER
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import Torn
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.rtcov import HARD_CODED, Package

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

CONTINUED, PAYLOAD, LONGEST = 0x80, 7, 5  # of a ULEB128 number
PER_FUNCTION = 2  # granularity: one counter for each function


class Shape:
    """What the packages say about their functions: which there are, and how many counters each has.

    :arg packages: in the order of their registration, which is that of a covmeta.
    """

    def __init__(self, packages: t.Sequence[Package]) -> None:
        heads = [PACKAGE_HEADER.unpack_from(package.data) for package in packages]
        counts = np.asarray([head[6] for head in heads], dtype=np.int64)
        self.function_base = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=self.function_base[1:])
        # each package's table has where each of its functions begins, and there is how many counters it has
        data = np.frombuffer(b"".join([*(package.data for package in packages), bytes(LONGEST)]), dtype=np.uint8)
        sizes = [len(package.data) for package in packages]
        begins = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, dtype=np.int64)
        tables = [
            np.frombuffer(package.data, dtype="<u4", count=head[6], offset=PACKAGE_HEADER.size)
            for package, head in zip(packages, heads, strict=True)
        ]
        places = np.concatenate([np.zeros(0, dtype="<u4"), *tables]).astype(np.int64) + np.repeat(begins, counts)
        self.counters = np.zeros(len(places), dtype=np.int64)
        open_ = np.arange(len(places))
        for index in range(LONGEST):
            byte = data[np.minimum(places[open_] + index, len(data) - 1)]
            self.counters[open_] |= (byte & np.uint8(CONTINUED - 1)).astype(np.int64) << (PAYLOAD * index)
            open_ = open_[byte >= CONTINUED]
        if packages and packages[0].granularity == PER_FUNCTION:
            self.counters[:] = 1
        # packages of the runtime have ids of their own, negative ones: -2, -3 ...
        fixed = {package.hard_coded: slot for slot, package in enumerate(packages) if package.hard_coded <= HARD_CODED}
        self._fixed = np.full(max((-number for number in fixed), default=0) + 1, -1, dtype=np.int64)
        for number, slot in fixed.items():
            self._fixed[-number] = slot

    def slots(self, ids: np.ndarray) -> np.ndarray:
        """Return the index of each package (int64) by its id in the counters (uint32); -1 where there is none."""
        signed = ids.view(np.int32).astype(np.int64)
        slots = signed - 1
        negative = np.flatnonzero(signed < 0)
        if len(negative):
            number = -signed[negative]
            fixed = self._fixed[np.minimum(number, len(self._fixed) - 1)]
            slots[negative] = np.where(number < len(self._fixed), fixed, -1)
        return np.where(slots < len(self.function_base) - 1, slots, -1)


def find_heads(words: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return where the functions that ran have their heads (int64, ascending).

    :arg words: the counters of one copy (uint32). C(known): heads that are certain, of any process of this build.
    :raises Torn: the records do not fit one another.
    """
    heads = known[words[known] != 0] if len(known) else np.zeros(0, dtype=np.int64)
    size = len(words)
    if not len(heads):
        return _walk(words, np.flatnonzero(words), size)
    ends = heads + RECORD_HEAD + words[heads]
    if int(ends[-1]) > size or np.any(ends[:-1] > heads[1:]):
        raise Torn("records overlap")
    nonzero = np.flatnonzero(words)
    record = np.searchsorted(heads, nonzero, side="right") - 1
    outside = nonzero[(record < 0) | (nonzero >= ends[record])]
    if not len(outside):
        return heads
    new = _walk(words, outside, size)
    # a new record must end before the next known one begins
    following = np.append(heads, size)[np.searchsorted(heads, new)]
    if np.any(new + RECORD_HEAD + words[new] > following):
        raise Torn("a record reaches into the next")
    return np.sort(np.concatenate([heads, new]))


def _walk(words: np.ndarray, nonzero: np.ndarray, size: int) -> np.ndarray:
    """Return the heads among words that are not zero, from one to the next, as Go's own reader goes."""
    places, values = nonzero.tolist(), memoryview(words.data)
    heads: list[int] = []
    index, count = 0, len(places)
    while index < count:
        head = places[index]
        heads.append(head)
        end = head + RECORD_HEAD + values[head]
        if end > size:
            raise Torn("a record reaches beyond the end")
        index = bisect.bisect_left(places, end, index + 1)
    return np.asarray(heads, dtype=np.int64)


def check_later(words: np.ndarray, heads: np.ndarray, later: np.ndarray) -> None:
    """Check one copy by another that was made after it.

    :raises Torn: a head of the first is not the same in the second, or the second has one before it.
    """
    for column in range(RECORD_HEAD):
        if not np.array_equal(words[heads + column], later[heads + column]):
            raise Torn("a head was being written")
    # what the second has more must be records that fit between those of the first
    find_heads(later, heads)


def to_segment(words: np.ndarray, heads: np.ndarray, shape: Shape) -> Segment:
    """Return the functions that ran, in the order of memory, as C(VisitFuncs) of Go visits them.

    :raises Torn: a record is of no function, or has not as many counters as the function.
    """
    lengths = words[heads].astype(np.int64)
    package, function = shape.slots(words[heads + 1]), words[heads + 2].astype(np.int64)
    if np.any(package < 0):
        raise Torn("a record is of no package")
    number = shape.function_base[package] + function
    if np.any(number >= shape.function_base[package + 1]):
        raise Torn("a record is of no function")
    if np.any(shape.counters[number] != lengths):
        raise Torn("a record has another number of counters than its function")
    once = np.zeros(len(shape.counters), dtype=bool)
    once[number] = True
    if np.count_nonzero(once) != len(number):
        raise Torn("two records are of one function")
    starts = np.cumsum(lengths) - lengths
    places = np.repeat(heads + RECORD_HEAD - starts, lengths) + np.arange(int(lengths.sum()))
    counters = words[places]
    # a function that wrote its head and has no counter yet, or none since they were cleared, has not run
    ran = np.zeros(len(heads), dtype=bool)
    some = np.flatnonzero(lengths)
    if len(some):
        ran[some] = np.logical_or.reduceat(counters != 0, starts[some])
    keep = np.repeat(ran, lengths)
    return Segment(
        arguments={},
        package=package[ran],
        function=function[ran],
        lengths=lengths[ran],
        counters=counters[keep],
    )
