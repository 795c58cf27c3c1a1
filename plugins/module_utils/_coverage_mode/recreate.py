# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Workloads whose template is immutable: deleted and recreated, and never lost between the two."""

from __future__ import annotations

import base64
import json
import time
import typing as t
import zlib

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import (
    WorkloadKind,
    as_defined,
    kind_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import (
    WORKLOAD_LABEL,
    workload_label,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.record import PREFIX
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
    describe,
)

GONE_TIMEOUT = 60.0  # seconds on top of the grace period until a deleted object is gone


class NotSwitched(CoverageError):
    """A workload could not be switched; it is as it was."""

    cause = "workload-not-switched"


def dry_created(cluster: Cluster, workload: Object) -> Object:
    """Return what would be created, whether or not there is one of that name."""
    unnamed = as_defined(workload)
    name = unnamed["metadata"].pop("name")
    unnamed["metadata"]["generateName"] = "coverage-"
    answer = as_defined(cluster.create(unnamed, dry_run=True))
    answer["metadata"]["name"] = name
    return answer


def recreate(cluster: Cluster, kind: WorkloadKind, live: t.Optional[Object], normal: Object, target: Object) -> None:
    """Delete what is there and create the other; the normal one is kept in the cluster until that has happened.

    Valid it is already: the API server was asked.
    """
    new, old = as_defined(target), as_defined(normal)
    new["spec"].pop("ephemeralContainers", None)  # debugging of the old pod; cannot be created
    if live is not None and "uid" in live["metadata"]:  # without one it was saved, and is not there
        _save(cluster, kind, old)
        report_progress(f"delete {describe(live)} to recreate it")
        _delete(cluster, live)
    try:
        cluster.create(new)
    except KubernetesError as error:
        if live is None:
            raise
        cluster.create(old)
        raise NotSwitched(
            f"{describe(new)} could not be recreated: {error.reason or error.message}",
            remedy="The normal workload was created again.",
            evidence=[error.message],
        ) from error
    _forget(cluster, kind, new)


def _delete(cluster: Cluster, live: Object) -> None:
    path = cluster.path(live)
    collection, _slash, name = path.rpartition("/")
    uid = live["metadata"]["uid"]
    cluster.delete(path, propagation="Foreground", uid=uid)
    grace = kind_of(live["kind"]).pod_template(live)["spec"].get("terminationGracePeriodSeconds") or 30
    deadline = time.monotonic() + grace + GONE_TIMEOUT
    while True:
        current = cluster.get(path)
        if current is None or current["metadata"]["uid"] != uid:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise NotSwitched(
                f"{describe(live)} was deleted {grace + GONE_TIMEOUT:.0f} s ago and is still there.",
                remedy="Check its finalizers and whether its node runs. Its definition is saved in a Secret in the"
                " same namespace.",
                evidence=[str(item) for item in current["metadata"].get("finalizers") or []],
                cause="workload-not-deleted",
            )
        version = current["metadata"]["resourceVersion"]
        watched = cluster.watch(
            collection, seconds=min(left, 10), resource_version=version, field_selector=f"metadata.name={name}"
        )
        for event, _item in watched:
            if event in ("DELETED", "ERROR"):
                break


def _secret(kind: WorkloadKind, workload: Object) -> Object:
    name = f"coverage-original-{workload_label(workload)}"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": workload["metadata"]["namespace"],
            "labels": {WORKLOAD_LABEL: workload_label(workload)},
        },
        "type": f"{PREFIX}/original",
    }


def _save(cluster: Cluster, kind: WorkloadKind, normal: Object) -> None:
    """Keep the normal workload in the cluster while it is not there; a Secret, because its variables may be secret."""
    packed = base64.b64encode(zlib.compress(json.dumps(normal).encode(), 9)).decode()
    cluster.apply({**_secret(kind, normal), "data": {"definition": packed}})


def saved(cluster: Cluster, kind: WorkloadKind, workload: Object) -> t.Optional[Object]:
    """What an earlier switch that was interrupted left of the normal workload."""
    secret = cluster.get(cluster.path(_secret(kind, workload)))
    if secret is None:
        return None
    return t.cast(Object, json.loads(zlib.decompress(base64.b64decode(secret["data"]["definition"]))))


def _forget(cluster: Cluster, kind: WorkloadKind, workload: Object) -> None:
    cluster.delete(cluster.path(_secret(kind, workload)))
