# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The observed end of a component: everything that the rules may use, as plain data that can be replayed."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import containers, redacted

APPS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
BATCH = ("Job", "CronJob")


@dataclass(frozen=True)
class Source:
    """Where the counters are: see the options of the module coverage_extraction."""

    kind: str
    namespace: str
    name: str
    container: str
    component: str
    nodes: tuple[str, ...]
    volume_directory: str

    @property
    def path(self) -> str:
        """API path of the workload."""
        group = "/apis/apps/v1" if self.kind in APPS else "/apis/batch/v1" if self.kind in BATCH else "/api/v1"
        return f"{group}/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"


@dataclass
class Process:
    """A process of an instrumented container, while it ran, as its node saw it.

    :ivar first: whether it is the first process of its container, the one that gets SIGTERM.
    :ivar handles, ignores: whether it has a handler for SIGTERM, or ignores it. A Go program always has one: its
        runtime's. :ivar instrumented: whether its binary can write counters.
    :ivar folder: its GOCOVERDIR, empty where it has none. :ivar mode: of that folder: permissions, uid, gid; empty
        where there is no such folder. :ivar mount: options, mount point and source of the mount that folder is on.
    :ivar files: names of coverage files in that folder.
    """

    name: str
    command: str
    executable: str = ""
    first: bool = False
    user: int = 0
    groups: list[int] = field(default_factory=list)
    handles: bool = False
    ignores: bool = False
    instrumented: bool = False
    folder: str = ""
    mode: str = ""
    mount: str = ""
    files: list[str] = field(default_factory=list)


@dataclass
class File:
    """A file of the coverage folder on a node: size in bytes, time of its last change in seconds since the epoch."""

    size: int
    changed: float


@dataclass
class Disk:
    """Free and all bytes, free and all inodes of the file system that a node's coverage folder is on."""

    free: int
    size: int
    free_files: int
    files: int


@dataclass
class Ending:
    """The end of a component.

    :ivar pods: each as last observed. :ivar expected: those that the gate saw.
    :ivar asked: when they got SIGTERM, in seconds since the epoch; 0 where they ended by themselves.
    :ivar born: when the first pod of this run can have been made at the earliest; 0: not known.
    :ivar logs: end of the logs by C(pod), C(pod/previous) for the process run before.
    :ivar processes: by pod, those that ran in the instrumented container right before.
    :ivar files: what was found on the nodes, by C(pod/name). :ivar set_aside: of these, what is older than the run.
    :ivar searched: nodes that were searched. :ivar unreachable: nodes that did not answer, with why.
    :ivar disks: by node. :ivar builds: by hash of a covmeta the paths of its main packages.
    :ivar events: of the namespace.
    """

    kind: str
    namespace: str
    name: str
    container: str
    component: str
    volume_directory: str
    pods: list[Object] = field(default_factory=list)
    expected: list[Object] = field(default_factory=list)
    asked: float = 0.0
    born: float = 0.0
    logs: dict[str, str] = field(default_factory=dict)
    processes: dict[str, list[Process]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    builds: dict[str, list[str]] = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)

    @classmethod
    def from_dict(cls, value: t.Mapping[str, t.Any]) -> Ending:
        """Return what C(as_dict) gave, read back; keys that are not known are left out."""
        known = {key: value[key] for key in (item.name for item in dataclasses.fields(cls)) if key in value}
        known["processes"] = {
            pod: [Process(**item) for item in found] for pod, found in (known.get("processes") or {}).items()
        }
        known["files"] = {name: File(**item) for name, item in (known.get("files") or {}).items()}
        known["disks"] = {node: Disk(**item) for node, item in (known.get("disks") or {}).items()}
        return cls(**known)

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as JSON takes it, without what looks like a secret."""
        return t.cast("dict[str, t.Any]", redacted(dataclasses.asdict(self)))

    def pod(self, name: str) -> t.Optional[Object]:
        """The pod of that name as it was seen last, None where it was never observed."""
        return next((pod for pod in self.pods if pod["metadata"]["name"] == name), None)

    def status(self, name: str) -> Object:
        """The status of a pod's instrumented container, empty where there is none."""
        found = (status for status in containers(self.pod(name) or {}) if status["name"] == self.container)
        return next(found, {})

    def first_process(self, pod: str) -> t.Optional[Process]:
        """The first process of the pod's container, None where it was not observed."""
        return next((process for process in self.processes.get(pod, []) if process.first), None)

    def names(self, pod: str) -> list[str]:
        """Names of the files of a pod that are this run's."""
        return [
            name.partition("/")[2]
            for name in self.files
            if name.partition("/")[0] == pod and name.count("/") == 1 and name not in self.set_aside
        ]


def moment(text: t.Any) -> float:
    """Seconds since the epoch of a time as Kubernetes writes it, 0 where there is none."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0
