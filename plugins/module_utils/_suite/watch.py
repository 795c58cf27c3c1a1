# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Watch a cluster that others deploy to: process runs and their counters, and what will never become ready.

Two threads, because a full look at a fault takes seconds and counters must not wait for it. Counters are read from the
memory of the processes (R(Reader)): neither a volume nor an environment variable is needed in the pods, and nothing
about them has to be changed or admitted.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import LiveError
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.processes import Container, pids_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import Reader
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.take import READ, take
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.collect import observe_once
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.diagnosis import is_healthy, workloads
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.engine import terminal_verdict
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import SETTLING, Unconfirmed
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.builds import normal_name
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.pods import Seen, container_runs
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import Journal, Record, Run

EVERY = 0.5  # seconds between two readings of all counters
LOOK_EVERY = 1.0  # seconds between two looks for what is not ready
PAUSE = 2.0  # of either thread, as a multiple of what it took
STANDS = 4.0  # seconds that a verdict has to stand before the suite is ended for it: the suite may still add what lacks
NOT_ITS_OWN = frozenset(["kube-system", "kube-public", "kube-node-lease", "local-path-storage"])
NOT_COUNTING = frozenset(["not-go", "not-instrumented", "packed", "kernel-thread", "no-such-process"])


@dataclass(frozen=True)
class Hopeless:
    """What will not become ready by waiting."""

    cluster: str
    kind: str
    namespace: str
    name: str
    diagnosis: Diagnosis


@dataclass
class Watched:
    """A cluster that is watched, and where what is found goes.

    :ivar coverdata: folder of the run for counters. :ivar hopeless: is called once for each verdict, and again with
    C(True) while it remains.
    """

    name: str
    kubeconfig: str
    coverdata: str
    record: Record
    journal: Journal
    podman: Podman
    hopeless: t.Callable[[Hopeless, bool], None]
    # by workload: the last verdict, and since when it was found each time
    standing: dict[tuple[str, str, str], tuple[str, float]] = field(default_factory=dict)


class Watcher:
    """Watches one cluster until it is stopped."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._reader = Reader()
        # programs, not processes: a script may become one that counts
        self._skipped: set[tuple[int, str, int]] = set()
        self._over = threading.Event()
        self._reading = threading.Lock()
        self._said: set[tuple[str, str, str, str]] = set()
        self._threads = [
            threading.Thread(target=self._keep, args=(self.read, EVERY), daemon=True),
            threading.Thread(target=self._keep, args=(self.look, LOOK_EVERY), daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, with what is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _keep(self, work: t.Callable[[], None], every: float) -> None:
        troubled = False
        while not self._over.is_set():
            began = time.monotonic()
            try:
                work()
                troubled = False
            except CoverageError as error:
                # the API server may be busy or not there yet; what lasts is noted once
                if not troubled:
                    self.watched.journal.note(f"cluster {self.watched.name}: {error.message}")
                troubled = True
            # on a busy host the suite comes first
            self._over.wait(max(every, PAUSE * (time.monotonic() - began)))

    # counters

    def read(self) -> None:
        """Note all process runs, and read the counters of those that are under way.

        :raises KubernetesError: the API server does not answer.
        """
        with self._reading:
            seen = list(container_runs(Cluster(self.watched.kubeconfig).list("/api/v1/pods")))
            self._note(seen)
            running = {item.id: item for item in seen if item.running}
            if running:
                self._read_processes(running)

    def _note(self, seen: t.Iterable[Seen]) -> None:
        """Note each container run of an image that counts, and how it ended."""
        counting = {normal_name(item.reference) for item in self.watched.record.images if item.instrumented}
        for item in seen:
            run = self.watched.record.runs.get(item.id)
            if run is None and normal_name(item.image) in counting:
                run = self._run(item)
            if run is not None and not item.running and run.exit_code is None:
                run.exit_code, run.reason = item.exit_code, item.reason
                self.watched.journal.note(
                    f"{item.namespace}/{item.pod} {item.container} ended: exit code {item.exit_code}"
                    + (f" ({item.reason})" if item.reason else "")
                )

    def _run(self, item: Seen) -> Run:
        run = self.watched.record.runs.get(item.id)
        if run is None:
            run = self.watched.record.add(item, self.watched.name, self.watched.coverdata)
            self.watched.journal.say(
                f"{item.namespace}/{item.pod} {item.container} is a process run of {item.component}"
            )
        return run

    def _read_processes(self, running: t.Mapping[str, Seen]) -> None:
        containers = [
            Container(item.id, item.namespace, item.pod, item.container, item.node) for item in running.values()
        ]
        try:
            found = pids_of(containers)
        except InputError:
            return  # they ended meanwhile
        for pid, container in found.items():
            self._read_process(pid, running[container.id])

    def _read_process(self, pid: int, item: Seen) -> None:
        component = os.path.join(self.watched.coverdata, item.component)
        program = (pid, *_program(pid))
        if program in self._skipped:
            return
        try:
            taken = take(
                self._reader,
                pid,
                component,
                Container(item.id, item.namespace, item.pod, item.container, item.node),
            )
        except LiveError as error:
            if error.cause in NOT_COUNTING:
                self._skipped.add(program)
            elif error.cause != "starting":
                self.watched.record.note(error.diagnosis.message())
            return
        if taken.state == READ:
            self._run(item).snapshots += 1

    # faults

    def look(self) -> None:
        """Ask the gate's rules about each workload that is not ready.

        :raises KubernetesError: the API server does not answer.
        """
        cluster = Cluster(self.watched.kubeconfig)
        now = time.monotonic()
        still: set[tuple[str, str, str]] = set()
        for namespace in self._suspicious(cluster):
            for target in workloads(cluster, namespace):
                seen = observe_once(cluster, self.watched.podman, target)
                if seen.workload is None or is_healthy(seen):
                    continue
                verdict = terminal_verdict(seen)
                if verdict is None:
                    continue
                which = (target.kind, namespace, target.name)
                still.add(which)
                cause, since = self.watched.standing.get(which, ("", now))
                if cause != verdict.cause:
                    since = now
                self.watched.standing[which] = (verdict.cause, since)
                stood = time.monotonic() - since
                if isinstance(verdict, Unconfirmed) and stood < SETTLING:
                    continue
                self._tell(Hopeless(self.watched.name, *which, verdict), stands=stood >= STANDS)
        for which in set(self.watched.standing) - still:
            del self.watched.standing[which]

    def _tell(self, found: Hopeless, *, stands: bool) -> None:
        which = (found.kind, found.namespace, found.name, found.diagnosis.cause)
        if which not in self._said:
            self._said.add(which)
            self.watched.hopeless(found, False)
        if stands:
            self.watched.hopeless(found, True)

    def _suspicious(self, cluster: Cluster) -> list[str]:
        """Return the namespaces in which something is not ready, or not there."""
        found: dict[str, None] = {}
        for pod in cluster.list("/api/v1/pods"):
            if not _is_well(pod):
                found[pod["metadata"]["namespace"]] = None
        for kind in ("deployments", "statefulsets", "replicasets"):
            for item in cluster.list(f"/apis/apps/v1/{kind}"):
                wanted = item["spec"].get("replicas", 1)
                if (item.get("status") or {}).get("readyReplicas", 0) < wanted:
                    found[item["metadata"]["namespace"]] = None
        return [namespace for namespace in found if namespace not in NOT_ITS_OWN]


def _program(pid: int) -> tuple[str, int]:
    """Return what tells the program that a process runs from all others; empty where the kernel does not say it."""
    path = f"/proc/{pid}/exe"
    try:
        return os.readlink(path), os.stat(path).st_ino
    except OSError:
        return "", 0


def _is_well(pod: Object) -> bool:
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return True
    if pod["metadata"].get("deletionTimestamp"):
        return True
    statuses = status.get("containerStatuses") or []
    return bool(statuses) and all(item.get("ready") for item in statuses)


def evidence_folder(results: str, cluster: str) -> Path:
    """Return where diagnostics of a cluster go."""
    return Path(results) / "evidence" / cluster
