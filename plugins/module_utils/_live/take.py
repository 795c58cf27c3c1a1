# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Take snapshots of several processes into one folder, and say what they cover together."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import short_id
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import (
    Reading,
    describe,
    load,
    share,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import (
    STARTING,
    STARTING_REMEDY,
    LiveError,
    ProcessEnded,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.files import write_snapshot
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.memory import PROC, Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.processes import Container
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import Reader, Snapshot

READ, ENDED = "read", "ended"
ENDED_SENTENCE = "The process has ended."
POLL_SECONDS = 0.02
SHOWN = 5  # packages in a line
NANOSECONDS = 10**9


@dataclass
class Taken:
    """The outcome for one process.

    :ivar state: C(read), C(ended), or the cause for which it could not be read; C(sentence) says it in words.
    :ivar name: what the kernel calls it (the first characters of its program's name).
    :ivar taken: when, in seconds since the epoch.
    """

    pid: int
    state: str
    sentence: str = ""
    name: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    go_version: str = ""
    build_id: str = ""
    mode: str = ""
    statements: int = 0
    covered: int = 0
    percent: t.Optional[float] = None
    covmeta: str = ""
    covcounters: str = ""
    taken: float = 0.0
    seconds: float = 0.0
    copies: int = 0
    packages: list[str] = field(default_factory=list)

    def result(self) -> dict[str, t.Any]:
        """Return it as plain data."""
        return asdict(self)


def take(
    reader: Reader,
    pid: int,
    output: str,
    container: t.Optional[Container] = None,
    *,
    deadline: float = 0.0,
    proc: str = PROC,
) -> Taken:
    """Take a snapshot of one process.

    :arg output: folder for the files; processes of containers have a folder in it for each container run.
    :arg deadline: until when to wait for a program that is still starting, by the monotonic clock.
    :raises LiveError: it cannot be read, for a reason that its cause tells.
    :raises InputError: the folder cannot be written to.
    """
    taken = Taken(pid, READ, name=name_of(pid, proc))
    if container is not None:
        taken.namespace, taken.pod, taken.container = container.namespace, container.pod, container.name
        output = os.path.join(output, container.pod, f"{container.name}-{short_id(container.id)}")
    try:
        snapshot = _read(reader, pid, proc, deadline)
    except ProcessEnded:
        taken.state, taken.sentence = ENDED, ENDED_SENTENCE
        return taken
    build = snapshot.build
    taken.go_version, taken.build_id, taken.mode = build.go_version, build.elf.build_id, build.mode
    taken.statements, taken.covered = snapshot.statements, snapshot.covered
    taken.percent = share(taken.covered, taken.statements)
    taken.covmeta, taken.covcounters = write_snapshot(snapshot, output)
    taken.taken, taken.seconds, taken.copies = snapshot.taken / NANOSECONDS, snapshot.seconds, snapshot.copies
    taken.packages = snapshot.reached_packages()
    return taken


def _read(reader: Reader, pid: int, proc: str, deadline: float) -> Snapshot:
    """Read a process. What it says of the program is put behind the process's id and name."""
    failed = LiveError(STARTING, remedy=STARTING_REMEDY, cause="starting")
    for _waited in poll(POLL_SECONDS, deadline - time.monotonic()):
        try:
            with Process(pid, proc) as process:
                return reader.read(process)
        except LiveError as error:
            failed = error
            if error.cause != "starting":
                break
    if failed.message.startswith("Its "):
        failed.amend(sentence=f"Process {pid} ({name_of(pid, proc)}): i{failed.message[1:]}")
    raise failed


def take_all(
    reader: Reader, pids: t.Mapping[int, Container], output: str, *, deadline: float = 0.0, proc: str = PROC
) -> list[Taken]:
    """Do the same for processes of containers; one that cannot be read has its cause as its state.

    :raises LiveError: nothing-read: not one could be read.
    """
    found = []
    for pid, container in pids.items():
        try:
            found.append(take(reader, pid, output, container, deadline=deadline, proc=proc))
        except LiveError as error:
            sentence = f"{error.message} {error.remedy}".strip()
            where = (container.namespace, container.pod, container.name)
            found.append(Taken(pid, error.cause, sentence, name_of(pid, proc), *where))
    if not any(taken.state in (READ, ENDED) for taken in found):
        raise LiveError(
            f"None of {len(found)} processes could be read.",
            remedy="Build the service with 'go build -cover', and run this as root.",
            evidence=[f"{taken.pod} {taken.container} {taken.pid}: {taken.sentence}" for taken in found],
            cause="nothing-read",
        )
    return found


def name_of(pid: int, proc: str = PROC) -> str:
    """Return what the kernel calls a process; empty where it ended."""
    try:
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def sum_up(output: str) -> dict[str, t.Any]:
    """Return what all snapshots in a folder cover together: percent, statements, covered, programs, problems."""
    loaded = load([output], Reading(snapshots="last"))
    described = describe(loaded)
    profile = loaded.profile(strict=False)
    covered = statements = 0
    if profile is not None:
        covered, statements = profile.totals()
    return {
        "percent": share(covered, statements),
        "covered": covered,
        "statements": statements,
        "mode": described["mode"],
        "programs": described["programs"],
        "withheld": described["withheld"],
        "problems": described["problems"],
    }


def describe_round(summary: t.Mapping[str, t.Any], found: t.Sequence[Taken], before: t.Collection[str]) -> str:
    """Return in a line how much is covered now, and which packages were reached that are not among those C(before)."""
    percent = "no percentage" if summary["percent"] is None else f"{summary['percent']:.1f} % of statements"
    read = sum(taken.state == READ for taken in found)
    line = f"{percent} ({summary['covered']} of {summary['statements']}), {read} process{'es' if read != 1 else ''}"
    new = sorted({package for taken in found for package in taken.packages} - set(before))
    if before and new:
        shown = ", ".join(new[:SHOWN]) + (f" and {len(new) - SHOWN} more" if len(new) > SHOWN else "")
        line += f", new: {shown}"
    return line


def describe_process(taken: Taken) -> str:
    """Return the outcome for a process in one line."""
    process = f"process {taken.pid}"
    if taken.name:
        process = f"{taken.name}, {process}"
    where = f"{taken.pod} {taken.container} ({process})" if taken.pod else process
    if taken.state != READ:
        return f"{where}: {taken.state}. {taken.sentence}"
    percent = "no statements" if taken.percent is None else f"{taken.percent:.1f} % of {taken.statements} statements"
    return f"{where}: {percent}, mode {taken.mode}"
