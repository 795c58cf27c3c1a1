# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Tell lives, whose counters are added up, from snapshots of one life, of which only the last counts.

A process can write its counters several times (runtime/coverage.WriteCountersDir, a snapshot of its memory): each
file then holds all that the earlier ones held. What can be known:

- counters of one life never decrease. Where one does, another life began (or the counters were cleared, which is the
  same for a sum);
- two processes that are alive at different times can have one id. In a container that is the rule: it is 1 there, in
  every life. Among ids from 300 on it is not: the kernel gives those below to no process that starts later, so a
  small id is that of a container's first processes, and a large one came about by counting;
- how many lives a pod had, the cluster knows.

So, for files of one covmeta in one folder, with C(auto):

- where the number of lives is known, as many files as there were lives count: all, if there are no more files than
  lives; otherwise the last of each stretch in which nothing decreases, and the newest of the rest;
- where it is not known and the id of the process is 300 or more, the last of each such stretch counts;
- where it is not known and the id is smaller, all are added up, and it is said if they could be snapshots.

What is covered is the same either way: the last snapshot has all that the earlier ones had. Only counts differ.
Source of truth: internal/coverage/cfile (C(EmitCounterDataToWriter)); RESERVED_PIDS of Linux (kernel/pid.c).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

AUTO, SUM, LAST = "auto", "sum", "last"
CHOICES = (AUTO, SUM, LAST)
CONTAINER_PROCESSES = 300  # ids below come up again and again
KIND = "snapshots"

Read = t.Callable[[int], t.Optional["np.ndarray"]]


@dataclass(frozen=True, slots=True)
class Life:
    """A file of counters: its number, the id of its process, when it was written."""

    number: int
    process: int
    nanoseconds: int


@dataclass
class Choice:
    """What was chosen: the numbers of files that do not count, and what to say of it (nothing: nothing to say)."""

    dropped: list[int] = field(default_factory=list)
    sentence: str = ""
    remedy: str = ""
    kind: str = KIND


def choose_lives(lives: t.Sequence[Life], read: Read, *, policy: str = AUTO, known: t.Optional[int] = None) -> Choice:
    """Choose which files of one folder and covmeta count.

    :arg read: returns the counters of a file by its number, all of the same shape; nothing for one that is bad.
    :arg known: how many lives there were, if that is known.
    """
    if policy == SUM or (policy == AUTO and known is not None and len(lives) <= known):
        return Choice()
    processes: dict[int, list[Life]] = {}
    for life in sorted(lives, key=lambda life: (life.nanoseconds, life.number)):
        processes.setdefault(life.process, []).append(life)
    certain: list[Life] = []
    doubtful: list[list[Life]] = []
    for process, files in processes.items():
        if len(files) == 1:
            certain += files
        elif policy == LAST or known is not None or process >= CONTAINER_PROCESSES:
            certain += _ends(files, read)
        else:
            certain += files
            if _never_decreases(files, read):
                doubtful.append(files)
    kept = {life.number for life in certain}
    dropped = [life for life in lives if life.number not in kept]
    if policy == AUTO and known is not None and len(kept) < known:
        newest = sorted(dropped, key=lambda life: (life.nanoseconds, life.number))[len(kept) - known :]
        kept.update(life.number for life in newest)
        dropped = [life for life in dropped if life.number not in kept]
    if dropped:
        reason = {
            True: f"the pod is known to have had {known} {'life' if known == 1 else 'lives'}",
            False: "one process wrote them, and no counter decreases",
        }[policy == AUTO and known is not None]
        return Choice(
            [life.number for life in dropped],
            f"of {len(lives)} files of counters {len(dropped)} are taken for earlier snapshots of a life whose later "
            f"one is there ({reason}): the last count, not their sum. What is covered is the same.",
            "If they are of lives of their own, say that snapshots are to be summed.",
        )
    if doubtful:
        number = sum(map(len, doubtful))
        return Choice(
            sentence=f"{number} files of counters could be lives, or snapshots of one life: the process id is the same "
            "and no counter decreases. They are added up. What is covered is the same.",
            remedy="If they are snapshots, say so (last), or tell how many lives the pod had.",
        )
    return Choice()


def _ends(files: t.Sequence[Life], read: Read) -> list[Life]:
    """Return the last of each stretch in which no counter decreases; a bad file is a stretch of its own."""
    ends: list[Life] = []
    before: t.Optional[np.ndarray] = None
    previous: t.Optional[Life] = None
    for life in files:
        counts = read(life.number)
        if counts is None:
            ends.append(life)
            continue
        if previous is not None and before is not None and np.any(counts < before):
            ends.append(previous)
        before, previous = counts, life
    if previous is not None:
        ends.append(previous)
    return ends


def _never_decreases(files: t.Sequence[Life], read: Read) -> bool:
    before: t.Optional[np.ndarray] = None
    for life in files:
        counts = read(life.number)
        if counts is None or (before is not None and np.any(counts < before)):
            return False
        before = counts
    return True
