# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The extraction itself: observe, stop, observe, copy, restore, judge."""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_text
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.copy import (
    bring_home,
    remove_copied,
    survey,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending, Source, moment
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.logs import LastWords
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    PodProcessRuns,
    count_files,
    process_runs_of,
    written,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.processes import look
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.stop import PutBack, pods_of, stop
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.verdicts import verdict_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

RUN = "coverage.kubernaut.io/run"  # on the pod template: which run it is of
ENDING_FILE = "ending.json"


class NotExtracted(CoverageError):
    """No usable counters were collected.

    :ivar ending: what the rules saw.
    """

    cause = "no-counters"

    def __init__(self, message: str, *, ending: t.Optional[Ending] = None, **details: t.Any) -> None:
        super().__init__(message, **details)
        self.ending = ending


@dataclass
class Extracted:
    """What was collected: the process runs of all extractions of the run so far, and what is wrong with those of this
    one.

    :ivar verdict: why some counters are missing or were set aside; None where all is well.
    :ivar seconds: by step. :ivar ending: what the rules saw.
    """

    process_runs: list[PodProcessRuns]
    verdict: t.Optional[Diagnosis] = None
    set_aside: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    ending: t.Optional[Ending] = None


def recorded(record: str) -> list[PodProcessRuns]:
    """Return what an earlier extraction of the same run recorded; empty where there was none.

    :raises NotExtracted: the file is not such a record.
    """
    if not Path(record).is_file():
        return []
    try:
        content = json.loads(Path(record).read_text(encoding="utf-8"))
        if not isinstance(content, list):
            raise TypeError("not a list")
        return [PodProcessRuns(**item) for item in content]
    except (ValueError, TypeError) as error:
        raise NotExtracted(
            f"The record of process runs {record} cannot be read: {error}.",
            remedy="Move it away, and take the counters again.",
            cause="bad-record",
        ) from error


def extract(
    cluster: Cluster,
    podman: Podman,
    source: Source,
    destination: str,
    *,
    record: str,
    expected: t.Sequence[Object],
    timeout: float,
    evidence: str = "",
) -> Extracted:
    """Stop the workload, bring the files of all its pods home, put it back.

    :arg destination: folder that gets one folder for each pod. :arg record: file that keeps what was found.
    :arg expected: the pods that the gate saw (C(pod), C(node), C(restarts)); one that is gone since is still counted.
    :arg timeout: seconds for the program's end on top of its own grace period.
    :arg evidence: folder that gets what the rules saw, C(ending.json), where counters are missing; none where empty.
    :raises NotExtracted: the workload does not exist, or no counters were collected. :raises DoesNotEnd: a pod does not
        end. The workload is restored in each case, and what was collected stays.
    """
    clock = _Clock()
    workload = cluster.get(source.path)
    if workload is None:
        raise NotExtracted(
            f"There is no {source.kind} {source.namespace}/{source.name} to take counters from.",
            setting="workload.name",
            cause="workload-missing",
        )
    ending = Ending(
        kind=source.kind,
        namespace=source.namespace,
        name=source.name,
        container=source.container,
        component=source.component,
        volume_directory=source.volume_directory,
        expected=[dict(item) for item in expected],
        born=born(cluster, source, workload),
    )
    put_back: list[PutBack] = []
    try:
        words = _stop(cluster, podman, source, workload, ending, clock, timeout, put_back)
        report_progress("bring the counters home")
        nodes = _survey(podman, source, ending)
        clock.lap("look")
        sizes = bring_home(podman, source, destination, nodes=nodes, set_aside=set(ending.set_aside))
        clock.lap("copy")
        # their rest came in while files were copied
        ending.logs = words.read()
    finally:
        # first restore what the user had, whatever was found
        for undo in reversed(put_back):
            undo()
    clock.lap("put_back")
    process_runs = process_runs_of(source, ending.pods, expected)
    count_files(process_runs, sizes)
    ending.builds = builds(destination, sizes)
    if any(item.lost for item in process_runs):
        ending.events = _events(cluster, source)
    verdict = verdict_of(ending, process_runs)
    earlier = [
        item for item in recorded(record) if (item.pod, item.uid) not in {(new.pod, new.uid) for new in process_runs}
    ]
    _write_json(Path(record), [dataclasses.asdict(item) for item in [*earlier, *process_runs]])
    if verdict is not None and evidence:
        Path(evidence).mkdir(parents=True, exist_ok=True)
        _write_json(Path(evidence) / ENDING_FILE, ending.as_dict())
    remove_copied(podman, source, [*sizes, *ending.set_aside], nodes)
    clock.lap("judge")
    if verdict is not None and not any(item.counters for item in process_runs):
        lost = NotExtracted.of(verdict)
        lost.ending = ending
        raise lost
    return Extracted([*earlier, *process_runs], verdict, sorted(ending.set_aside), clock.seconds, ending)


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = round(now - self._last, 2)
        self._last = now


def _stop(
    cluster: Cluster,
    podman: Podman,
    source: Source,
    workload: Object,
    ending: Ending,
    clock: _Clock,
    timeout: float,
    put_back: list[PutBack],
) -> LastWords:
    """Inspect the processes, follow their logs, and stop them; return the logs."""
    report_progress(f"look at the processes of {source.name}")
    pods = pods_of(cluster, source, workload)[0]
    grace = max((pod["spec"].get("terminationGracePeriodSeconds") or 30 for pod in pods), default=30)
    words = LastWords(cluster, source.namespace, source.container, pods, seconds=grace + 2 * timeout)
    ending.processes, ending.unreachable = look(podman, pods, source.container)
    clock.lap("look_before")
    report_progress(f"stop {source.name} and wait for its end")
    ending.asked = time.time()
    ending.pods = stop(cluster, source, workload, timeout, put_back)
    clock.lap("stop")
    return words


def _survey(podman: Podman, source: Source, ending: Ending) -> list[str]:
    """Look at the folders of all nodes, those that pods ran on too; return the nodes to copy from."""
    ran_on = {pod["spec"].get("nodeName", "") for pod in ending.pods}
    ran_on |= {str(item.get("node", "")) for item in ending.expected}
    found, unreachable = survey(podman, {*source.nodes, *ran_on} - {""}, source.volume_directory)
    ending.unreachable.update(unreachable)
    ending.searched = sorted(found)
    for node, seen in found.items():
        ending.files.update(seen.files)
        if seen.disk is not None:
            ending.disks[node] = seen.disk
    ending.set_aside = stale(ending)
    return sorted(node for node, seen in found.items() if seen.files)


def stale(ending: Ending) -> list[str]:
    """Return the files that are older than the workload of this run: counters by their name, covmeta by its use."""
    if not ending.born:
        return []
    counters = {name: written(name) for name in ending.files if written(name)}
    old = {name for name, when in counters.items() if when < ending.born}
    used = {name.partition("covcounters.")[2][:32] for name in counters if name not in old}
    for name, file in ending.files.items():
        digest = name.partition("covmeta.")[2]
        if digest and digest not in used and file.changed < ending.born:
            old.add(name)
    return sorted(old)


def born(cluster: Cluster, source: Source, workload: Object) -> float:
    """Return when the workload of this run was made, in seconds since the epoch: no pod of it can be older.

    A new run changes the pod's template, so that is when the first revision with the run's id was made.
    """
    run = _run(workload)
    made = moment(workload["metadata"].get("creationTimestamp"))
    namespace, uid = source.namespace, workload["metadata"]["uid"]
    if source.kind == "Deployment":
        revisions = cluster.list(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
    elif source.kind in ("StatefulSet", "DaemonSet"):
        revisions = cluster.list(f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions")
    else:
        return made
    times = [
        moment(item["metadata"].get("creationTimestamp"))
        for item in revisions
        if any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences") or [])
        and _run(item.get("data") or item) == run
    ]
    return min(times, default=made)


def _run(item: Object) -> str:
    """The id of the run in a pod template's annotations."""
    template = ((item.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return str((template.get("annotations") or {}).get(RUN, ""))


def builds(destination: str, names: t.Iterable[str]) -> dict[str, list[str]]:
    """Return the paths of the main packages by the hash of each collected covmeta, where there are several.

    A damaged one has none.
    """
    metas = {name.partition("/covmeta.")[2]: name for name in sorted(names) if "/covmeta." in name}
    if len(metas) < 2:
        return {}  # what is there but once need not be read
    try:
        from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import read_meta
        from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
    except ImportError:
        return {}  # without numpy there is no report either, and that says so
    found: dict[str, list[str]] = {}
    for digest, name in metas.items():
        try:
            found[digest] = list(read_meta((Path(destination) / name).read_bytes()).main_paths())
        except FormatError:
            found[digest] = []
    return found


def _events(cluster: Cluster, source: Source) -> list[Object]:
    """The events about pods of the namespace; none where they cannot be read: they only explain."""
    try:
        found = cluster.list(f"/api/v1/namespaces/{source.namespace}/events", field_selector="involvedObject.kind=Pod")
    except KubernetesError:
        return []
    return sorted(found, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")


def _write_json(path: Path, value: t.Any) -> None:
    write_text(path, json.dumps(value, indent=1))
