# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Bring the counters home: stop the program so that it writes them, wait for its real end, copy, count, put it back.

Go writes the counters when main returns or os.Exit is called (runtime/coverage, internal/coverage/cfile): only a
program that ends by itself leaves them. Every life, a start and an end of one process, leaves one file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import posixpath
import shutil
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.gate import pod_selector
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.observation import containers

SLACK = 15.0  # seconds on top of the grace period, for the API server and the kubelet
SIGKILLED, NO_HANDLER = 137, (2, 143)


class NotExtracted(CoverageError):
    """No usable counters came home."""

    cause = "no-counters"


@dataclass
class PodLives:
    """What one pod's program left behind.

    :ivar lives: how often it was started. :ivar exit_codes: of the lives whose end was seen, the last one last.
    :ivar reason: why the last life ended, as Kubernetes says. :ivar metas, counters: files that came home.
    """

    component: str
    pod: str
    node: str
    container: str
    lives: int
    exit_codes: list[int] = field(default_factory=list)
    reason: str = ""
    metas: int = 0
    counters: int = 0

    @property
    def lost(self) -> int:
        """Lives whose counters did not come home."""
        return max(0, self.lives - self.counters)


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
        return f"/apis/apps/v1/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"


def recorded(record: str) -> list[PodLives]:
    """Return what an earlier extraction of the same run recorded; empty where there was none.

    :raises NotExtracted: the file is no such record.
    """
    if not Path(record).is_file():
        return []
    try:
        content = json.loads(Path(record).read_text(encoding="utf-8"))
        if not isinstance(content, list):
            raise TypeError("not a list")
        return [PodLives(**item) for item in content]
    except (ValueError, TypeError) as error:
        raise NotExtracted(
            f"The record of lives {record} cannot be read: {error}.",
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
) -> list[PodLives]:
    """Stop the workload, bring the files of all its pods home, put its replicas back.

    :arg destination: folder that gets one folder for each pod. :arg record: file that keeps what was found.
    :arg expected: the pods that the gate saw (C(pod), C(node), C(restarts)); one that is gone since is still counted.
    :arg timeout: seconds for the program's end on top of its own grace period.
    :raises NotExtracted: the workload is not there, a pod does not end, or no counters came home; the workload is put
        back in each case, and what came home stays.
    """
    workload = cluster.get(source.path)
    if workload is None:
        raise NotExtracted(
            f"There is no {source.kind} {source.namespace}/{source.name} to take counters from.",
            setting="coverage_extraction_name",
            cause="workload-missing",
        )
    replicas = int(workload["spec"].get("replicas", 1))
    try:
        report_progress(f"stop {source.name} and wait for its end")
        ended = stop(cluster, source, workload, timeout)
        report_progress("bring the counters home")
        lives = lives_of(source, ended, expected)
        sizes = bring_home(podman, source, destination)
    finally:
        # put back first what the user had, whatever was found
        _scale(cluster, source, replicas)
    count_files(lives, sizes)
    earlier = [item for item in recorded(record) if item.pod not in {new.pod for new in lives}]
    _write_json(Path(record), [dataclasses.asdict(item) for item in [*earlier, *lives]])
    remove_copied(podman, source, sizes)
    if not any(item.counters for item in lives):
        raise no_counters(lives)
    return [*earlier, *lives]


def stop(cluster: Cluster, source: Source, workload: Object, timeout: float) -> list[Object]:
    """Scale to zero and return each pod as it was last seen, its program ended.

    :raises NotExtracted: a program still runs after its grace period and the time-out.
    """
    pods_path = f"/api/v1/namespaces/{source.namespace}/pods"
    selector = pod_selector(workload)
    pods, version = cluster.list_with_version(pods_path, label_selector=selector)
    last = {pod["metadata"]["name"]: pod for pod in pods}
    grace = max((pod["spec"].get("terminationGracePeriodSeconds") or 30 for pod in pods), default=0)
    deadline = time.monotonic() + grace + timeout
    _scale(cluster, source, 0)
    running = {name for name, pod in last.items() if not has_ended(pod, source.container)}
    while running:
        left = deadline - time.monotonic()
        if left <= 0:
            raise NotExtracted(
                f"The program in pod {sorted(running)[0]} still runs {grace + timeout:.0f} s after it was told to end.",
                remedy="See why it does not end on SIGTERM.",
                setting="coverage_mode_grace_period",
                cause="does-not-end",
            )
        for kind, pod in cluster.watch(pods_path, seconds=left, resource_version=version, label_selector=selector):
            name = pod["metadata"].get("name")
            if kind == "ERROR" or name is None:
                break  # the version is too old: list again
            last[name] = pod
            if kind == "DELETED" or has_ended(pod, source.container):
                running.discard(name)
            if not running:
                break
        else:
            continue
        if running:
            pods, version = cluster.list_with_version(pods_path, label_selector=selector)
            here = {pod["metadata"]["name"]: pod for pod in pods}
            last.update(here)
            running = {name for name in running if name in here and not has_ended(here[name], source.container)}
    return list(last.values())


def has_ended(pod: Object, container: str) -> bool:
    """Whether the instrumented container of a pod has ended for good, by the kubelet's word."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    states = [status.get("state") or {} for status in containers(pod) if status["name"] == container]
    # a pod that is on its way out starts nothing again
    return bool(states) and "deletionTimestamp" in pod["metadata"] and all("terminated" in state for state in states)


def bring_home(podman: Podman, source: Source, destination: str) -> dict[str, int]:
    """Copy every pod's folder from every node; return the size of each file by C(pod/name).

    A folder that came home appears whole or not at all; one of an earlier copy is only ever added to.
    """
    target = Path(destination)
    target.mkdir(parents=True, exist_ok=True)
    sizes: dict[str, int] = {}

    def from_node(node: str) -> dict[str, int]:
        beside = target.parent / f".{target.name}.{node}.{os.getpid()}.part"
        beside.mkdir()
        try:
            podman.copy_out(node, f"{source.volume_directory}/.", str(beside))
            found = {str(path.relative_to(beside)): path.stat().st_size for path in beside.rglob("*") if path.is_file()}
            for name in found:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (beside / name).replace(target / name)
        finally:
            shutil.rmtree(beside)
        return found

    with ThreadPoolExecutor() as pool:
        for found in pool.map(from_node, source.nodes):
            sizes.update(found)
    return sizes


def remove_copied(podman: Podman, source: Source, sizes: t.Mapping[str, int]) -> None:
    """Remove from the nodes the counters that are home, file by file: a pod that runs again keeps its own."""
    paths = [
        posixpath.join(source.volume_directory, name)
        for name in sizes
        if posixpath.basename(name).startswith("covcounters.")
    ]
    if not paths:
        return
    with ThreadPoolExecutor() as pool:
        done = [
            pool.submit(podman.exec, node, "rm", "-f", "--", *paths, purpose=f"clear the counters on node {node}")
            for node in source.nodes
        ]
        for future in done:
            future.result()


def no_counters(lives: t.Sequence[PodLives]) -> NotExtracted:
    """Say why there are none: the table of covmeta, counters and exit codes."""
    evidence = [
        f"pod {item.pod}: {item.lives} lives, {item.metas} covmeta, {item.counters} covcounters, "
        f"exit codes {item.exit_codes or 'not seen'}{f' ({item.reason})' if item.reason else ''}"
        for item in lives
    ]
    if not lives:
        return NotExtracted(
            "No pod ran when the counters were to be taken, so there are none.", evidence=evidence, cause="no-pods"
        )
    if not any(item.metas for item in lives):
        return NotExtracted(
            "No program wrote anything: neither covmeta, which comes at its start, nor counters.",
            evidence=evidence,
            remedy="Prove that the image that ran is instrumented and that GOCOVERDIR is the folder that is mounted.",
            setting="instrumented_image_source",
            cause="no-covmeta",
        )
    codes = {code for item in lives for code in item.exit_codes[-1:]}
    if SIGKILLED in codes:
        return NotExtracted(
            "The program was killed (SIGKILL) before it could write its counters.",
            evidence=evidence,
            remedy="Give it a longer grace period, or more memory if it was OOMKilled.",
            setting="coverage_mode_grace_period",
            cause="killed",
        )
    if codes & set(NO_HANDLER):
        return NotExtracted(
            "The program ended on SIGTERM without returning from main, so Go wrote no counters: it has no handler for"
            " SIGTERM, or it panicked.",
            evidence=evidence,
            remedy="Handle SIGTERM (signal.NotifyContext) and let main return; a panic is in its log.",
            cause="no-sigterm-handler",
        )
    return NotExtracted(
        "The program wrote covmeta when it started, but no counters when it ended.",
        evidence=evidence,
        remedy="See how it ended: a panic, or a shell as process 1 that does not pass SIGTERM on.",
        cause="no-counters",
    )


def count_files(lives: t.Sequence[PodLives], names: t.Iterable[str]) -> None:
    """Note for each pod how many of the files (C(pod/name)) are its own."""
    files = [name.partition("/")[::2] for name in names]
    for item in lives:
        mine = [posixpath.basename(name) for pod, name in files if pod == item.pod]
        item.metas = sum(name.startswith("covmeta.") for name in mine)
        item.counters = sum(name.startswith("covcounters.") for name in mine)


def lives_of(source: Source, ended: t.Sequence[Object], expected: t.Sequence[Object]) -> list[PodLives]:
    """Return the lives of each pod as it was last seen, and of those that were expected and are gone."""
    lives = {}
    for pod in ended:
        name = pod["metadata"]["name"]
        item = PodLives(source.component, name, pod["spec"].get("nodeName", ""), source.container, lives=0)
        for status in containers(pod):
            if status["name"] != source.container:
                continue
            state, before = status.get("state") or {}, status.get("lastState") or {}
            ends = [part["terminated"] for part in (before, state) if "terminated" in part]
            item.lives = status.get("restartCount", 0) + ("waiting" not in state)
            item.exit_codes = [end.get("exitCode", 0) for end in ends]
            item.reason = ends[-1].get("reason", "") if ends else ""
        lives[name] = item
    for seen in expected:
        if seen["pod"] not in lives:
            lives[seen["pod"]] = PodLives(
                source.component,
                seen["pod"],
                seen.get("node", ""),
                source.container,
                lives=int(seen.get("restarts", 0)) + 1,
                reason="the pod was replaced during the tests",
            )
    return list(lives.values())


def _scale(cluster: Cluster, source: Source, replicas: int) -> None:
    cluster.request(
        "PATCH",
        f"{source.path}/scale",
        body={"spec": {"replicas": replicas}},
        content_type="application/merge-patch+json",
        field_manager="kubernaut.coverage.scale",
    )


def _write_json(path: Path, value: t.Any) -> None:
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    beside.replace(path)
