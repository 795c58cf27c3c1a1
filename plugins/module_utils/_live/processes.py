# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The processes of a workload's containers on this host.

The nodes of a kind cluster are containers of this host, so what runs in their pods are processes of this host, in its
C(/proc). Which belongs to which container is in C(/proc/PID/cgroup): the runtime puts the container's id into the path.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.memory import PROC

APIS = {
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
}
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
OF_THE_RUNTIME = b"runc:["


@dataclass(frozen=True)
class Container:
    """A running container of a pod. C(id): the runtime's, another one after each restart."""

    id: str
    namespace: str
    pod: str
    name: str
    node: str


def running_containers(cluster: Cluster, namespace: str, kind: str = "", name: str = "") -> list[Container]:
    """Return the running containers of a workload's pods, or of all pods of a namespace.

    :raises InputError: no-pods: there is no such pod, or no container of it runs.
    :raises KubernetesError: the API server refused.
    """
    pods = cluster.list(f"/api/v1/namespaces/{namespace}/pods")
    if name:
        made_by: dict[str, list[Object]] = {}
        for path in APIS.values():
            for item in cluster.list(path.format(namespace=namespace)):
                made_by[item["metadata"]["uid"]] = item["metadata"].get("ownerReferences") or []
        pods = [pod for pod in pods if _is_of(pod, kind, name, made_by)]
    found = [
        Container(identity, namespace, pod["metadata"]["name"], status["name"], pod["spec"].get("nodeName", ""))
        for pod in pods
        for part in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        for status in (pod.get("status") or {}).get(part) or []
        if "running" in (status.get("state") or {})
        and (identity := (status.get("containerID") or "").partition("://")[2])
    ]
    if not found:
        where = f"{kind} {namespace}/{name}" if name else f"namespace {namespace}"
        raise InputError(
            f"No container of {where} runs"
            + (f": the phases of its pods are {_phases(pods)}." if pods else ": it has no pods."),
            remedy="Name a running workload; the playbook diagnosis reports why one is not running.",
            setting="name" if name else "namespace",
            cause="no-pods",
        )
    return found


def pids_of(containers: t.Iterable[Container], proc: str = PROC) -> dict[int, Container]:
    """Return the processes of containers by their id on this host, ascending.

    What the runtime starts there before it becomes the container's program (C(runc:[2:INIT])) is none of them.

    :raises InputError: no-processes: none of them is a process of this host.
    """
    by_id = {container.id: container for container in containers}
    found: dict[int, Container] = {}
    for folder in Path(proc).iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                for identity in CONTAINER_ID.findall(folder.joinpath("cgroup").read_text(encoding="ascii")):
                    if identity in by_id and not folder.joinpath("comm").read_bytes().startswith(OF_THE_RUNTIME):
                        found[int(folder.name)] = by_id[identity]
    if not found:
        nodes = sorted({container.node for container in by_id.values()})
        raise InputError(
            f"The containers on {', '.join(nodes)} are not processes of this host, or this host's /proc hides them.",
            remedy="Run this on the host of the cluster's nodes, outside any container. "
            "On clusters other than kind, pass process IDs on their nodes (pid).",
            setting="namespace",
            evidence=[f"{container.namespace}/{container.pod} {container.name}" for container in by_id.values()],
            cause="no-processes",
        )
    return dict(sorted(found.items()))


def _is_of(pod: Object, kind: str, name: str, made_by: t.Mapping[str, list[Object]]) -> bool:
    """Tell whether a pod is of a workload: itself, or made by it, or by what it made."""
    if kind == "Pod":
        return bool(pod["metadata"]["name"] == name)
    owners = list(pod["metadata"].get("ownerReferences") or [])
    while owners:
        owner = owners.pop()
        if owner.get("kind") == kind and owner.get("name") == name:
            return True
        owners += made_by.get(owner.get("uid", ""), [])
    return False


def _phases(pods: t.Sequence[Object]) -> str:
    return ", ".join(sorted({(pod.get("status") or {}).get("phase", "unknown") for pod in pods}))
