# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Process runs: how often a program was started, how each process run ended, and whose counters are home."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending, Source, moment
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import containers

COUNTERS = re.compile(r"covcounters\.([0-9a-f]{32})\.(\d+)\.(\d+)")
REPLACED = "the pod was replaced during the tests"
NANOSECONDS = 1_000_000_000


@dataclass
class PodProcessRuns:
    """What one pod's program left behind.

    :ivar process_runs: how often it was started. :ivar exit_codes: of the process runs whose end was seen, the last one
        last.
    :ivar reason: why the last process run ended, as Kubernetes says. :ivar metas, counters: files that were collected.
    :ivar cause, why: of lost process runs, the verdict's cause and its sentence.
    """

    component: str
    pod: str
    node: str
    container: str
    process_runs: int
    exit_codes: list[int] = field(default_factory=list)
    reason: str = ""
    metas: int = 0
    counters: int = 0
    uid: str = ""
    cause: str = ""
    why: str = ""

    @property
    def lost(self) -> int:
        """Process runs whose counters were not collected."""
        return max(0, self.process_runs - self.counters)


@dataclass(frozen=True)
class ProcessRun:
    """One process run whose end Kubernetes still knows: the last of a pod, or the one before.

    :ivar code: exit code; None: it has not ended, or nobody saw it. :ivar started, ended: seconds since the epoch.
    :ivar asked: when its pod got SIGTERM, 0 where it did not. :ivar grace: seconds that it had then.
    :ivar log: the end of what it wrote.
    """

    last: bool
    code: t.Optional[int] = None
    reason: str = ""
    started: float = 0.0
    ended: float = 0.0
    asked: float = 0.0
    grace: float = 0.0
    log: str = ""

    def wrote(self, names: t.Iterable[str]) -> bool:
        """Whether one of the counters' files is of this process run, by the time in its name."""
        until = self.ended + 2 if self.ended else float("inf")
        return any(self.started <= when <= until for when in filter(None, map(written, names)))


def written(name: str) -> float:
    """When a file of counters was written, in seconds since the epoch, by its name; 0: it is not such a file."""
    found = COUNTERS.fullmatch(posixpath.basename(name))
    return int(found[3]) / NANOSECONDS if found else 0.0


def known_process_runs(ending: Ending, pod: str) -> list[ProcessRun]:
    """Return the process runs of a pod of which Kubernetes knows something, the last one last."""
    status, seen = ending.status(pod), ending.pod(pod)
    found = []
    before = (status.get("lastState") or {}).get("terminated")
    if before:
        found.append(_process_run(before, ending.logs.get(f"{pod}/previous", ""), last=False))
    state = status.get("state") or {}
    if "terminated" in state:
        metadata = (seen or {}).get("metadata") or {}
        grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
        asked = moment(metadata.get("deletionTimestamp")) - grace if grace else 0.0
        found.append(_process_run(state["terminated"], ending.logs.get(pod, ""), last=True, asked=asked, grace=grace))
    elif "running" in state:
        log = ending.logs.get(pod, "")
        found.append(ProcessRun(last=True, started=moment(state["running"].get("startedAt")), log=log))
    return found


def _process_run(end: Object, log: str, *, last: bool, asked: float = 0.0, grace: float = 0.0) -> ProcessRun:
    message = end.get("message", "")
    return ProcessRun(
        last=last,
        code=end.get("exitCode", 0),
        reason=end.get("reason", ""),
        started=moment(end.get("startedAt")),
        ended=moment(end.get("finishedAt")),
        asked=asked,
        grace=grace,
        # where the log is gone, the kubelet may have kept its last lines
        log=log or message,
    )


def count_files(process_runs: t.Sequence[PodProcessRuns], names: t.Iterable[str]) -> None:
    """Note for each pod how many of the files (C(pod/name)) are its own."""
    files = [name.partition("/")[::2] for name in names]
    left: dict[str, int] = {}
    for item in process_runs:
        # further instrumented containers of the pod write to folders of their own in it
        mine = [name for pod, name in files if pod == item.pod and "/" not in name]
        item.metas = sum(name.startswith("covmeta.") for name in mine)
        item.counters = left.setdefault(item.pod, sum(name.startswith("covcounters.") for name in mine))
        if sum(other.pod == item.pod for other in process_runs) > 1:
            # one name, several pods after each other: no file counts twice
            item.counters = min(item.counters, item.process_runs)
            left[item.pod] -= item.counters


def process_runs_of(source: Source, ended: t.Sequence[Object], expected: t.Sequence[Object]) -> list[PodProcessRuns]:
    """Return the process runs of each pod as it was last seen, and of those that were expected and are gone."""
    process_runs = {}
    for pod in ended:
        name = pod["metadata"]["name"]
        item = PodProcessRuns(
            source.component,
            name,
            pod["spec"].get("nodeName", ""),
            source.container,
            process_runs=0,
            uid=pod["metadata"].get("uid", ""),
        )
        for status in containers(pod):
            if status["name"] != source.container:
                continue
            state, before = status.get("state") or {}, status.get("lastState") or {}
            ends = [part["terminated"] for part in (before, state) if "terminated" in part]
            item.process_runs = status.get("restartCount", 0) + ("waiting" not in state)
            item.exit_codes = [end.get("exitCode", 0) for end in ends]
            item.reason = ends[-1].get("reason", "") if ends else ""
        process_runs[name] = item
    for seen in expected:
        here = process_runs.get(seen["pod"])
        if here is None or (here.uid and seen.get("uid", here.uid) != here.uid):
            # of a StatefulSet, the next pod has the name of the one that is gone
            process_runs[f"{seen['pod']} {seen.get('uid', '')}"] = PodProcessRuns(
                source.component,
                seen["pod"],
                seen.get("node", ""),
                source.container,
                process_runs=int(seen.get("restarts", 0)) + 1,
                reason=REPLACED,
                uid=seen.get("uid", ""),
            )
    return list(process_runs.values())
