# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a suite is run with, and what is known of it."""

from __future__ import annotations

import os
import threading
import time
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_json
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import short_id
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.pods import Seen

STOP, REPORT = "stop", "report"
EVENTS, RECORD = "events.log", "suite.json"


@dataclass(frozen=True)
class Request:
    """What a suite is run with.

    :ivar directory: folder of the command. :ivar results: folder of this run.
    :ivar node_image: for clusters whose own node image is not in podman's store. :ivar images: images of third parties
    for every node: the name that the suite uses, and the name in podman's store. :ivar on_hopeless: C(report) or
    C(stop).
    :ivar state: file that tells later runs which clusters were left. :ivar keep_clusters: keep those that are left.
    """

    command: tuple[str, ...]
    directory: str
    results: str
    state: str
    node_image: str
    environment: t.Mapping[str, str] = field(default_factory=dict)
    images: t.Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3600.0
    grace: float = 60.0
    on_hopeless: str = REPORT
    keep_clusters: bool = False
    instrument: bool = True
    podman: str = "podman"


@dataclass
class ImageProof:
    """An image that the suite built or loaded. C(why): a sentence where it is not instrumented."""

    reference: str
    id: str
    instrumented: bool
    why: str = ""
    go_version: str = ""
    binary: str = ""
    main_package: str = ""


@dataclass
class ClusterRecord:
    """A cluster that the suite created. C(ended): how it went, in words; empty while it is there."""

    name: str
    node_image: str
    container: str
    created: float
    ended: str = ""
    evidence: str = ""


@dataclass
class Run:
    """One process run of a container whose program counts, as Kubernetes and the host's kernel know it.

    :ivar id: the runtime's id of the container. :ivar snapshots: how often its counters were read.
    :ivar exit_code: None while its end was not seen. :ivar why: why no counters of it are home.
    """

    component: str
    cluster: str
    namespace: str
    pod: str
    uid: str
    container: str
    id: str
    node: str
    exit_code: t.Optional[int] = None
    reason: str = ""
    snapshots: int = 0
    written: bool = False
    why: str = ""
    folder: str = ""

    @property
    def home(self) -> bool:
        """Whether counters of it are home."""
        return self.written or self.snapshots > 0


class Journal:
    """What happens, in order: a file with a line for each event, the progress of the task, and the suite's own log.

    :ivar echo: gets what is said, too.
    """

    def __init__(self, results: str) -> None:
        self.path = Path(results) / EVENTS
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.echo: t.Optional[t.Callable[[str], None]] = None
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def note(self, text: str) -> None:
        """Note an event in the file alone."""
        with self._lock, self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{time.monotonic() - self._started:8.1f} s  {text}\n")

    def say(self, text: str) -> None:
        """Note an event, and say it where the suite's output goes."""
        self.note(text)
        report_progress(text)
        if self.echo is not None:
            self.echo(f"[coverage] {text}")


@dataclass
class Record:
    """All that is known of a suite; written to its folder."""

    clusters: list[ClusterRecord] = field(default_factory=list)
    images: list[ImageProof] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    verdicts: list[dict[str, t.Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, seen: Seen, cluster: str, coverdata: str) -> Run:
        """Add a process run, and return it."""
        folder = os.path.join(coverdata, seen.component, seen.pod, f"{seen.container}-{short_id(seen.id)}")
        run = self.runs[seen.id] = Run(
            *(seen.component, cluster, seen.namespace, seen.pod, seen.uid, seen.container, seen.id),
            node=seen.node,
            folder=folder,
        )
        return run

    def note(self, text: str) -> None:
        """Note what the user should know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def result(self) -> dict[str, t.Any]:
        """Return it as plain data."""
        return {
            "clusters": [asdict(item) for item in self.clusters],
            "images": [asdict(item) for item in self.images],
            "process_runs": [asdict(item) for item in self.runs.values()],
            "verdicts": self.verdicts,
            "notes": self.notes,
        }

    def save(self, results: str) -> None:
        """Write it."""
        write_json(Path(results) / RECORD, self.result())
