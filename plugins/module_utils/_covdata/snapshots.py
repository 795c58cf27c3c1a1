# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Distinguish process runs, whose counters are added, from snapshots of one process run, of which only the last counts.

A process can write its counters several times (runtime/coverage.WriteCountersDir, a snapshot of its memory): each
file then holds all that the earlier ones held. What can be known:

- counters of one process run never decrease. Where one does, another process run began (or the counters were cleared,
  which is the same for a sum);
- two processes that are alive at different times can have one id. In a container that is the rule: it is 1 there, in
  every process run. Among ids from 300 on it is not: the kernel gives those below to no process that starts later, so a
  small id is that of a container's first processes, and a large one came about by counting;
- how many process runs a pod had, the cluster knows.

So, for files of one covmeta in one folder, with C(auto):

- where the number of process runs is known, as many files as there were process runs count: all, if there are no more
  files than process runs; otherwise the last of each stretch in which nothing decreases, and the newest of the rest;
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
class ProcessRun:
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


def choose_process_runs(
    process_runs: t.Sequence[ProcessRun], read: Read, *, policy: str = AUTO, known: t.Optional[int] = None
) -> Choice:
    """Choose which files of one folder and covmeta count.

    :arg read: returns the counters of a file by its number, all of the same shape; nothing for one that is bad.
    :arg known: how many process runs there were, if that is known.
    """
    if policy == SUM or (policy == AUTO and known is not None and len(process_runs) <= known):
        return Choice()
    processes: dict[int, list[ProcessRun]] = {}
    for process_run in sorted(process_runs, key=lambda process_run: (process_run.nanoseconds, process_run.number)):
        processes.setdefault(process_run.process, []).append(process_run)
    certain: list[ProcessRun] = []
    doubtful: list[list[ProcessRun]] = []
    for process, files in processes.items():
        if len(files) == 1:
            certain += files
        elif policy == LAST or known is not None or process >= CONTAINER_PROCESSES:
            certain += _ends(files, read)
        else:
            certain += files
            if _never_decreases(files, read):
                doubtful.append(files)
    kept = {process_run.number for process_run in certain}
    dropped = [process_run for process_run in process_runs if process_run.number not in kept]
    if policy == AUTO and known is not None and len(kept) < known:
        newest = sorted(dropped, key=lambda process_run: (process_run.nanoseconds, process_run.number))[
            len(kept) - known :
        ]
        kept.update(process_run.number for process_run in newest)
        dropped = [process_run for process_run in dropped if process_run.number not in kept]
    if dropped:
        reason = {
            True: f"the pod is known to have had {known} {'process run' if known == 1 else 'process runs'}",
            False: "one process wrote them, and no counter decreases",
        }[policy == AUTO and known is not None]
        return Choice(
            [process_run.number for process_run in dropped],
            f"{len(dropped)} of {len(process_runs)} files of counters are earlier snapshots of a process run that has "
            f"a later one ({reason}): the last one counts, not their sum. Coverage is the same either way.",
            "If they are separate process runs, set snapshots to sum.",
        )
    if doubtful:
        number = sum(map(len, doubtful))
        return Choice(
            sentence=f"{number} files of counters could be separate process runs or snapshots of one process run: the "
            "process id is the same and no counter decreases. They are added up. Coverage is the same either way.",
            remedy="If they are snapshots, set snapshots to last, or give the number of process runs of the pod.",
        )
    return Choice()


def _ends(files: t.Sequence[ProcessRun], read: Read) -> list[ProcessRun]:
    """Return the last of each stretch in which no counter decreases; a bad file is a stretch of its own."""
    ends: list[ProcessRun] = []
    before: t.Optional[np.ndarray] = None
    previous: t.Optional[ProcessRun] = None
    for process_run in files:
        counts = read(process_run.number)
        if counts is None:
            ends.append(process_run)
            continue
        if previous is not None and before is not None and np.any(counts < before):
            ends.append(previous)
        before, previous = counts, process_run
    if previous is not None:
        ends.append(previous)
    return ends


def _never_decreases(files: t.Sequence[ProcessRun], read: Read) -> bool:
    before: t.Optional[np.ndarray] = None
    for process_run in files:
        counts = read(process_run.number)
        if counts is None or (before is not None and np.any(counts < before)):
            return False
        before = counts
    return True
