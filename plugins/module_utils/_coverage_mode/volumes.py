# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The persistent volumes of workloads whose pod template has no place for a folder of the node."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import (
    WORKLOAD_LABEL,
    workload_label,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object

VOLUME_TIMEOUT = 5.0  # seconds; the volume controller needs some milliseconds
VOLUME_POLL = 0.05


def remove_released(cluster: Cluster, volume: Object) -> None:
    """Remove a volume whose claim is gone, with its namespace perhaps: it takes no other. What is in it stays."""
    path = cluster.path(volume)
    if _phase(cluster.get(path)) == "Released":
        cluster.delete(path)
        _wait_for(cluster, path, lambda seen: seen is None)


def wait_until_known(cluster: Cluster, volume: Object) -> None:
    """Wait until the volume controller knows a volume: a claim that it meets before waits for its next resync.

    See pkg/controller/volume/persistentvolume of Kubernetes: 15 s. Where it takes longer, the gate goes on waiting.
    """
    _wait_for(cluster, cluster.path(volume), lambda seen: _phase(seen) != "Pending")


def _phase(volume: t.Optional[Object]) -> str:
    return str(((volume or {}).get("status") or {}).get("phase", "Pending"))


def _wait_for(cluster: Cluster, path: str, done: t.Callable[[t.Optional[Object]], bool]) -> None:
    """Look at an object until it is as wanted, or VOLUME_TIMEOUT is over."""
    for _waited in poll(VOLUME_POLL, VOLUME_TIMEOUT):
        if done(cluster.get(path)):
            return


def remove_volumes(cluster: Cluster, workload: Object, *, but: t.Container[str] = ()) -> None:
    """Delete the workload's claims and their volumes; the cluster lets each go when its last pod is gone."""
    selector = f"{WORKLOAD_LABEL}={workload_label(workload)}"
    namespace = workload["metadata"]["namespace"]
    for collection in (f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", "/api/v1/persistentvolumes"):
        for item in cluster.list(collection, label_selector=selector):
            name = item["metadata"]["name"]
            if name not in but and "deletionTimestamp" not in item["metadata"]:
                cluster.delete(f"{collection}/{name}")
