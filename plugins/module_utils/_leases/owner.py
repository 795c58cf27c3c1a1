# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Who holds a lease: a process of a machine, distinguished from a later one that has the same number."""

from __future__ import annotations

import getpass
import os
import platform
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError

# A process of another machine cannot be looked up: its leases end with this age, in seconds.
FOREIGN_LIMIT = 6 * 3600
# programs that run playbooks
PROGRAMS = ("ansible-playbook", "ansible", "ansible-console")


@dataclass(frozen=True)
class Owner:
    """A run, and the process that carries it out.

    :ivar host: name of the process's machine. :ivar boot: what changes when that machine starts again, or where process
        ids mean something else. :ivar started: start of the process in clock ticks since the boot.
    """

    host: str
    boot: str
    pid: int
    started: int
    user: str = ""
    run: str = ""
    service: str = ""

    @classmethod
    def of(cls, fields: t.Mapping[str, t.Any]) -> Owner:
        """Return the owner that a dictionary describes, as C(fields) gives it.

        :raises InputError: a field is missing or has another type.
        """
        try:
            return cls(
                *(str(fields["host"]), str(fields["boot"]), int(fields["pid"]), int(fields["started"])),
                *(str(fields.get(name) or "") for name in ("user", "run", "service")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{dict(fields)} does not describe the owner of a lease: {error}.") from error

    def fields(self) -> dict[str, t.Any]:
        """Return it as a dictionary of plain values."""
        return asdict(self)

    def works_with(self, other: Owner) -> bool:
        """Whether the other is the same process working for the same service, or for none.

        One process measures several services at once, but each only once; and one that was interrupted collects the
        counters of the run that it had begun.
        """
        process = (self.host, self.boot, self.pid, self.started)
        if process != (other.host, other.boot, other.pid, other.started):
            return False
        return self.service == other.service or not self.service or not other.service

    def gone(self, since: float) -> bool:
        """Whether the process does not exist any more.

        :arg since: start of its lease in seconds since 1970; only that tells of a process of another machine.
        """
        if self.host != platform.node():
            return time.time() - since > FOREIGN_LIMIT
        return self.boot != boot_of() or start_of(self.pid) != self.started

    def words(self) -> str:
        """Return it as a phrase: "run 20261130-1 of httpbin (process 4711 of root)"."""
        run = f"run {self.run}" if self.run else "a task"
        who = f" of {self.user}" if self.user else ""
        where = f" on {self.host}" if self.host != platform.node() else ""
        return f"{run}{f' of {self.service}' if self.service else ''} (process {self.pid}{who}{where})"


def this_run(run: str = "", service: str = "") -> Owner:
    """Return the owner that this module works for: the process of ansible-playbook, else this process's parent."""
    pid = _playbook() or os.getppid()
    started = start_of(pid)
    if started is None:  # it ended meanwhile: this process holds what it takes
        pid = os.getpid()
        started = start_of(pid) or 0
    return Owner(platform.node(), boot_of(), pid, started, _user(), run, service)


def boot_of() -> str:
    """Return what changes with each boot, and differs between containers that number their processes apart."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"


def start_of(pid: int) -> t.Optional[int]:
    """Return when a process started, in clock ticks since the boot; None if there is none, or only its remains."""
    fields = _stat(pid)
    # proc(5): state is field 3, starttime field 22; the name before them may contain anything
    return int(fields[19]) if fields and fields[0] not in ("Z", "X") else None


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def ancestors(of: t.Optional[int] = None) -> t.Iterator[tuple[int, bytes]]:
    """Yield the processes above one, and their command lines, the parent first; process 1 is none of them.

    :arg of: the process id to begin below; by default this process. One that has ended has none above it.
    """
    pid = _parent(of) if of is not None else os.getppid()
    while pid > 1:
        yield pid, _command(pid)
        pid = _parent(pid)


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _playbook() -> int:
    """Return the id of the process that runs the playbook: the eldest of the nearest ancestors that are Ansible.

    Each task has a worker, which has the command line of the process that it was forked from and ends with the task.
    """
    found, words = 0, b""
    for pid, command in ancestors():
        if found and command != words:
            break
        if found or any(os.path.basename(os.fsdecode(word)) in PROGRAMS for word in command.split(b"\0")[:3]):
            found, words = pid, command
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may give an id without a name
        return str(os.geteuid())
