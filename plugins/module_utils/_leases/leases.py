# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Leases of what runs on a host share: clusters, workloads, images, folders, ports.

All of them are in one file of the cache, which is changed under a lock of the kernel's. A lease ends when it is given
back, or when the process of its owner is gone: nobody has to clean up after a killed run. Who waits is in the file too,
so that those who wait for the same get it in the order in which they came.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import make_private_folder, write_private
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner, start_of

FILE = "leases.json"
VERSION = 1
INTERVAL = 0.3
WAIT = 3600.0  # seconds

CLUSTER = "cluster"  # exists, for as long as a run wants it: shared by runs, exclusive to who deletes it
USE = "use of cluster"  # its workloads are being worked with: shared by runs, exclusive to who replaces or deletes it
WORKLOAD = "workload"  # CLUSTER/NAMESPACE/KIND/NAME: exclusive, from coverage mode to extraction
IMAGE = "images of"  # SERVICE: shared by runs, exclusive to who removes them
FOLDER = "folder"
PORT = "port"


@dataclass(frozen=True)
class Resource:
    """What is leased. Several owners may have it at once if all of them share it."""

    kind: str
    name: str
    shared: bool = False

    def words(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Lease:
    """A resource and who has it, or waits for it.

    :ivar since: seconds since 1970. :ivar waiter: id of the process that waits, 0 for a lease that is held.
    :ivar waiter_started: its start, as in C(Owner.started).
    """

    resource: Resource
    owner: Owner
    since: float
    waiter: int = 0
    waiter_started: int = 0

    @property
    def over(self) -> bool:
        """Whether its owner, or who waits for its owner, is gone."""
        if self.waiter and self.owner.host == os.uname().nodename:
            return self.owner.gone(self.since) or start_of(self.waiter) != self.waiter_started
        return self.owner.gone(self.since)

    def fields(self) -> dict[str, t.Any]:
        return {**asdict(self), "owner": self.owner.fields()}

    def words(self) -> str:
        return f"{self.owner.words()} has held {self.resource.words()} since {_clock(self.since)}"


class LeaseError(CoverageError):
    """Somebody else has not given back in time what is wanted."""

    cause = "leased-elsewhere"


class Leases:
    """The leases of a host.

    :arg cache: folder of the collection's cache on this host.
    """

    def __init__(self, cache: t.Union[str, Path]) -> None:
        self.path = Path(cache).expanduser() / FILE

    def all(self) -> list[Lease]:
        """Return the leases whose owners exist, those that are waited for too, the oldest first."""
        return [lease for lease in self._read() if not lease.over]

    def held(self, *, but_of: t.Optional[Owner] = None) -> list[Lease]:
        """Return the leases that are held now, without those that are not in the way of one owner."""
        return [lease for lease in self.all() if not lease.waiter and not (but_of and lease.owner.works_with(but_of))]

    def take(self, owner: Owner, wanted: t.Sequence[Resource], *, wait: float = WAIT, setting: str = "") -> None:
        """Lease all resources at once for C(owner), or wait, holding none of them, until all are available.

        What the owner has already stays as it is.

        :arg wait: seconds; 0: do not wait. :arg setting: what to set for more of them.
        :raises LeaseError: they are not available in time; nothing was leased.
        """
        ticket = [self._ticket(owner, resource) for resource in wanted]
        said = ""
        against: list[Lease] = []
        try:
            for _waited in poll(INTERVAL, wait):
                against = self._try(owner, wanted, ticket)
                if not against:
                    return
                text = f"waiting: {against[0].words()}"
                if text != said:
                    report_progress(text)
                    said = text
        finally:
            if said:
                self._change(lambda leases: [lease for lease in leases if lease not in ticket])
        raise LeaseError(
            f"{wanted[0].words().capitalize()} is not free after {wait:g} s: {against[0].words()}.",
            remedy="Wait until that run has ended, end it, or use another name or cluster.",
            setting=setting,
            evidence=[lease.words() for lease in against],
        )

    def release(self, owner: Owner, kinds: t.Container[str] = (CLUSTER, USE, WORKLOAD, IMAGE, FOLDER, PORT)) -> bool:
        """Give back what an owner holds, of these kinds; return whether it held any."""
        before = self._read()
        if not any(lease.owner.works_with(owner) and lease.resource.kind in kinds for lease in before):
            return False
        self._change(
            lambda leases: [
                lease for lease in leases if not lease.owner.works_with(owner) or lease.resource.kind not in kinds
            ]
        )
        return True

    @contextlib.contextmanager
    def exclusively(self, owner: Owner, wanted: t.Sequence[Resource], *, wait: float = WAIT) -> t.Iterator[None]:
        """Hold resources alone during a block; what the owner itself shared is shared again afterwards.

        :raises LeaseError: they are not available in time.
        """
        before = [lease for lease in self._read() if lease.owner == owner and not lease.waiter]
        self.take(owner, [replace(resource, shared=False) for resource in wanted], wait=wait)
        try:
            yield
        finally:
            taken = {(resource.kind, resource.name) for resource in wanted}
            self._change(
                lambda leases: [
                    *before,
                    *(
                        lease
                        for lease in leases
                        if lease not in before
                        and (lease.owner != owner or (lease.resource.kind, lease.resource.name) not in taken)
                    ),
                ]
            )

    def _try(self, owner: Owner, wanted: t.Sequence[Resource], ticket: t.Sequence[Lease]) -> list[Lease]:
        """Lease what is wanted if that is possible now, else queue; return the leases that are in the way."""
        against: list[Lease] = []

        def change(leases: list[Lease]) -> list[Lease]:
            place = next((number for number, lease in enumerate(leases) if lease in ticket), len(leases))
            against[:] = [
                lease
                for number, lease in enumerate(leases)
                if not lease.owner.works_with(owner)
                and (not lease.waiter or number < place)
                and any(_conflict(lease.resource, resource) for resource in wanted)
            ]
            if against:
                return leases if place < len(leases) else [*leases, *ticket]
            fresh = {(resource.kind, resource.name) for resource in wanted}
            kept = [
                lease
                for lease in leases
                if lease not in ticket
                and not (lease.owner.works_with(owner) and (lease.resource.kind, lease.resource.name) in fresh)
            ]
            now = time.time()
            return [*kept, *(Lease(resource, owner, now) for resource in wanted)]

        self._change(change)
        # those that hold it first: they are what is waited for
        return sorted(against, key=lambda lease: bool(lease.waiter))

    @staticmethod
    def _ticket(owner: Owner, resource: Resource) -> Lease:
        return Lease(resource, owner, time.time(), os.getpid(), start_of(os.getpid()) or 0)

    def _change(self, change: t.Callable[[list[Lease]], list[Lease]]) -> None:
        """Rewrite the file under its lock; leases whose owners are gone are dropped."""
        make_private_folder(self.path.parent)
        with self.path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            after = change([lease for lease in before if not lease.over])
            if after != before:
                content = {"version": VERSION, "leases": [lease.fields() for lease in after]}
                write_private(self.path, json.dumps(content, indent=1) + "\n")

    def _read(self) -> list[Lease]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["version"] != VERSION:
                raise ValueError(f"version {content['version']}, this collection reads {VERSION}")
            return [
                Lease(
                    Resource(**item["resource"]),
                    Owner.of(item["owner"]),
                    *(float(item["since"]), int(item["waiter"]), int(item["waiter_started"])),
                )
                for item in content["leases"]
            ]
        except FileNotFoundError:
            return []
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"The leases in {self.path} cannot be read: {error}.",
                remedy="Delete that file while no run is under way.",
            ) from error


def _conflict(one: Resource, other: Resource) -> bool:
    return (one.kind, one.name) == (other.kind, other.name) and not (one.shared and other.shared)


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
