# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Tell a workload of any kind to end, wait for the real end of its programs, and put it back as it was."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Source
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import pod_selector

FIELD_MANAGER = "kubernaut.coverage.scale"
STOPPED = "coverage.kubernaut.io/stopped"  # a label that no node has
MERGE = "application/merge-patch+json"
OWNER = "batch.kubernetes.io/controller-uid"
TOKEN_VOLUME = "kube-api-access-"  # noqa: S105, the name of a volume that the API server adds to each pod
POLL = 0.15
GONE_TIMEOUT = 30.0

PutBack = t.Callable[[], None]


class DoesNotEnd(CoverageError):
    """A program still runs after its grace period and the time-out."""

    cause = "does-not-end"


def stop(
    cluster: Cluster, source: Source, workload: Object, timeout: float, put_back: t.Optional[list[PutBack]] = None
) -> list[Object]:
    """Tell the workload to end and return each pod as it was last seen, its program ended.

    What ends by itself (a Job) gets the timeout to do so before SIGTERM.

    :arg put_back: gets what has to be called, the last one first, to have the workload as it was.
    :raises DoesNotEnd: a program still runs after its grace period and the time-out.
    """
    put_back = [] if put_back is None else put_back
    watched = _Watched(cluster, source, workload)
    if source.kind == "CronJob":
        _suspend(cluster, source.path, bool(workload["spec"].get("suspend")), put_back)
    if source.kind in ("Job", "CronJob") and watched.running:
        report_progress(f"wait for the end of {source.kind} {source.name}")
        watched.wait(timeout)
    if watched.running or source.kind not in ("Job", "CronJob", "Pod"):
        _tell(cluster, source, workload, watched, put_back)
        grace = max((_grace(pod) for pod in watched.last.values()), default=0)
        watched.wait(grace + timeout)
        if watched.running:
            raise DoesNotEnd(
                f"The program in pod {sorted(watched.running)[0]} still runs {grace + timeout:.0f} s after SIGTERM.",
                remedy="Find out why it does not end on SIGTERM.",
                setting="coverage.grace_period",
                evidence=[f"pod {name} on node {watched.node(name)}" for name in sorted(watched.running)],
            )
    return list(watched.last.values())


def has_ended(pod: Object, container: str) -> bool:
    """Whether the instrumented container of a pod has ended and will not restart, according to the kubelet."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    states = [status.get("state") or {} for status in containers(pod) if status["name"] == container]
    # a pod that is on its way out starts nothing again
    return bool(states) and "deletionTimestamp" in pod["metadata"] and all("terminated" in state for state in states)


def pods_of(cluster: Cluster, source: Source, workload: Object) -> tuple[list[Object], str, dict[str, str]]:
    """Return the pods of a workload, the version from which a watch can go on, and how they are selected."""
    selector = {}
    if source.kind == "Pod":
        selector = {"field_selector": f"metadata.name={source.name}"}
    elif source.kind == "CronJob":
        # none: no pod has the empty label
        uids = [job["metadata"]["uid"] for job in _jobs(cluster, source, workload)]
        selector = {"label_selector": f"{OWNER} in ({','.join(uids)})"}
    else:
        selector = {"label_selector": pod_selector(workload)}
    pods, version = cluster.list_with_version(f"/api/v1/namespaces/{source.namespace}/pods", **selector)
    return pods, version, selector


class _Watched:
    """The pods of a workload as they were seen last, and those whose program still runs."""

    def __init__(self, cluster: Cluster, source: Source, workload: Object) -> None:
        self._cluster, self._source = cluster, source
        pods, self._version, self._selector = pods_of(cluster, source, workload)
        self.last = {pod["metadata"]["name"]: pod for pod in pods}
        self.running = {name for name, pod in self.last.items() if not has_ended(pod, source.container)}

    def node(self, name: str) -> str:
        return str(self.last[name]["spec"].get("nodeName", "?"))

    def _note(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self.last[name] = with_what_was_known(pod, self.last.get(name) or {})
        if has_ended(pod, self._source.container):
            self.running.discard(name)

    def wait(self, seconds: float) -> None:
        """Watch until no program runs any more, or that time is over."""
        path = f"/api/v1/namespaces/{self._source.namespace}/pods"
        deadline = time.monotonic() + seconds
        while self.running:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            version = self._version
            for kind, pod in self._cluster.watch(path, seconds=left, resource_version=version, **self._selector):
                if kind == "ERROR" or pod["metadata"].get("name") is None:
                    break  # the version is too old: list again
                self._note(pod)
                if kind == "DELETED":
                    self.running.discard(pod["metadata"]["name"])
                if not self.running:
                    return
            pods, self._version = self._cluster.list_with_version(path, **self._selector)
            here = {pod["metadata"]["name"] for pod in pods}
            for pod in pods:
                self._note(pod)
            self.running &= here


def with_what_was_known(pod: Object, before: Object) -> Object:
    """Return a pod with what an earlier look at it had, and the kubelet removes at the very end.

    That is its grace period (it becomes 0), and how the process run before ended (its container is
    cleared away).
    """
    old = before.get("metadata") or {}
    if old.get("uid") != pod["metadata"].get("uid"):
        return pod
    if old.get("deletionGracePeriodSeconds"):
        kept = {key: old[key] for key in ("deletionTimestamp", "deletionGracePeriodSeconds")}
        pod = {**pod, "metadata": {**pod["metadata"], **kept}}
    ends = {item["name"]: item for item in containers(before) if (item.get("lastState") or {}).get("terminated")}
    for status in containers(pod):
        known = ends.get(status["name"])
        if known and not status.get("lastState") and status.get("restartCount") == known.get("restartCount"):
            status["lastState"] = known["lastState"]
    return pod


def _tell(cluster: Cluster, source: Source, workload: Object, watched: _Watched, put_back: list[PutBack]) -> None:
    """Tell the programs to end in the way of the workload's kind."""
    if source.kind == "DaemonSet":
        # it has no replicas: for a moment, it is for nodes that do not exist
        put_back.append(lambda: _select_no_node(cluster, source, value=None))
        _select_no_node(cluster, source, value="true")
    elif source.kind == "Job":
        _suspend(cluster, source.path, bool(workload["spec"].get("suspend")), put_back)
    elif source.kind == "CronJob":
        for job in _jobs(cluster, source, workload):
            if (job.get("status") or {}).get("active"):
                path = f"/apis/batch/v1/namespaces/{source.namespace}/jobs/{job['metadata']['name']}"
                _suspend(cluster, path, bool(job["spec"].get("suspend")), put_back)
    elif source.kind == "Pod":
        put_back.append(lambda: _create_again(cluster, source, workload))
        cluster.delete(source.path)
    else:
        replicas = int(workload["spec"].get("replicas", 1))
        put_back.append(lambda: _scale(cluster, source, replicas))
        _scale(cluster, source, 0)


def _grace(pod: Object) -> float:
    period = pod["spec"].get("terminationGracePeriodSeconds")
    return 30.0 if period is None else float(period)


def _scale(cluster: Cluster, source: Source, replicas: int) -> None:
    _patch(cluster, f"{source.path}/scale", {"spec": {"replicas": replicas}})


def _select_no_node(cluster: Cluster, source: Source, *, value: t.Optional[str]) -> None:
    _patch(cluster, source.path, {"spec": {"template": {"spec": {"nodeSelector": {STOPPED: value}}}}})


def _suspend(cluster: Cluster, path: str, before: bool, put_back: list[PutBack]) -> None:
    if before:
        return
    put_back.append(lambda: _patch(cluster, path, {"spec": {"suspend": False}}))
    _patch(cluster, path, {"spec": {"suspend": True}})


def _patch(cluster: Cluster, path: str, body: Object) -> None:
    cluster.request("PATCH", path, body=body, content_type=MERGE, field_manager=FIELD_MANAGER)


def _jobs(cluster: Cluster, source: Source, workload: Object) -> list[Object]:
    """The Jobs that a CronJob has made and that are still there."""
    uid = workload["metadata"]["uid"]
    return [
        job
        for job in cluster.list(f"/apis/batch/v1/namespaces/{source.namespace}/jobs")
        if any(owner.get("uid") == uid for owner in job["metadata"].get("ownerReferences") or [])
    ]


def _create_again(cluster: Cluster, source: Source, pod: Object) -> None:
    """Make a pod again that was deleted, once its name is free."""
    for _waited in poll(POLL, GONE_TIMEOUT):
        there = cluster.get(source.path)
        if there is None:
            cluster.apply(recreatable(pod))
            return
        if there["metadata"]["uid"] != pod["metadata"]["uid"]:
            return  # someone else was quicker
    raise DoesNotEnd(
        f"Pod {source.namespace}/{source.name} was deleted to have its counters and is still not gone after"
        f" {GONE_TIMEOUT:.0f} s, so it could not be made again.",
        remedy="See which finalizer holds it; apply its manifest again.",
    )


def recreatable(pod: Object) -> Object:
    """Return a pod as it can be created: without what the API server and the scheduler have added."""
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: value for key, value in pod["metadata"].items() if key in kept}
    spec = {key: value for key, value in pod["spec"].items() if key not in ("nodeName", "serviceAccount")}
    spec["volumes"] = [item for item in spec.get("volumes") or [] if not item["name"].startswith(TOKEN_VOLUME)]
    for group in ("initContainers", "containers"):
        if group in spec:
            spec[group] = [
                {
                    **item,
                    "volumeMounts": [
                        mount for mount in item.get("volumeMounts") or [] if not mount["name"].startswith(TOKEN_VOLUME)
                    ],
                }
                for item in spec[group]
            ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
