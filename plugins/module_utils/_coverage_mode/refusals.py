# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is in the way of coverage mode in a cluster, and what a person should know of it."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import (
    KINDS,
    WorkloadKind,
    kind_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import Settings
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.recreate import NotSwitched
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object, describe


def missing(cluster: t.Optional[Cluster], kind: WorkloadKind, namespace: str, name: str) -> InputError:
    if cluster is None:
        return InputError(
            f"There is neither a manifest of {kind.name} {namespace}/{name} nor a cluster in which it runs.",
            setting="workload.manifests",
            cause="workload-not-in-cluster",
        )
    reference = kind.reference(namespace, name)
    names = [item["metadata"]["name"] for item in cluster.list(cluster.path(reference).rpartition("/")[0])]
    near = nearest_few(name, names, most=1) or names[:1]
    others = []
    if not near:
        for other in KINDS.values():
            item = other.reference(namespace, name)
            if other is not kind and cluster.get(cluster.path(item)) is not None:
                others.append(f"{other.name} of that name")
    hint = f"; the nearest is {near[0]!r}" if near else f"; there is a {others[0]}" if others else ""
    return InputError(
        f"Namespace {namespace} has no {kind.name} {name!r}{hint}.",
        remedy="Correct the name, or give its manifest.",
        setting="workload.kind" if others else "workload.name",
        cause="workload-not-in-cluster",
    )


def refuse_owned(cluster: t.Optional[Cluster], workload: Object) -> None:
    """Refuse what another workload makes: its maker would make another one, without coverage."""
    owner = _owner(workload)
    if owner is None or (owner["kind"] not in ("ReplicaSet", "Node") and owner["kind"] not in KINDS):
        return
    namespace = workload["metadata"]["namespace"]
    while owner is not None and owner["kind"] != "Node" and cluster is not None:
        reference = {**owner, "metadata": {"name": owner["name"], "namespace": namespace}}
        above = _owner(cluster.get(cluster.path(reference)) or {"metadata": {}})
        if above is None or (above["kind"] not in KINDS and above["kind"] != "ReplicaSet"):
            break
        owner = above
    raise InputError(
        f"{describe(workload)} belongs to {owner['kind']} {owner['name']}, which would recreate it without coverage.",
        remedy="Name that one." if owner["kind"] in KINDS else "A static pod of a node cannot be changed.",
        setting="workload.name",
        cause="workload-owned",
    )


def refuse_unsupported(cluster: t.Optional[Cluster], kind: str, namespace: str, name: str) -> None:
    """Refuse a kind that coverage mode does not know, and name what made the workload where that can be known.

    :raises InputError: it is none of C(KINDS).
    """
    if kind == "ReplicaSet" and cluster is not None:
        found = cluster.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets/{name}")
        owner = _owner(found) if found else None
        if owner is not None:
            raise InputError(
                f"ReplicaSet {namespace}/{name} belongs to {owner['kind']} {owner['name']}.",
                remedy=f"Name its owner: coverage_mode_kind: {owner['kind']}, coverage_mode_name: {owner['name']}.",
                setting="workload.kind",
                cause="workload-kind-unsupported",
            )
    kind_of(kind)


def _owner(workload: Object) -> t.Optional[Object]:
    owners = workload["metadata"].get("ownerReferences") or []
    return next((item for item in owners if item.get("controller")), None)


def refuse_running(live: Object) -> None:
    """A Job that runs is not cut off.

    :raises NotSwitched: it runs.
    """
    if live["kind"] == "Job" and (live.get("status") or {}).get("active"):
        raise NotSwitched(
            f"{describe(live)} is running; it cannot be changed without being deleted and recreated.",
            remedy="Wait until it ends, or suspend it.",
            cause="job-still-runs",
        )


def note_owner(live: t.Optional[Object]) -> list[str]:
    """Say that an operator owns the workload."""
    owner = _owner(live) if live else None
    if live is None or owner is None:
        return []
    who = f"{owner['kind']} {owner['name']}"
    return [f"{describe(live)} belongs to {who}, whose operator may revert the change."]


def notes_on(workload: Object, settings: Settings) -> list[str]:
    """What keeps a change from coming to the pods, or has no effect."""
    spec = workload["spec"]
    notes: list[str] = []
    if workload["kind"] == "Deployment" and spec.get("paused"):
        notes.append(f"{describe(workload)} is paused: its pods stay as they are until it is resumed.")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        notes.append(f"{describe(workload)} has the update strategy OnDelete: its pods change when they are deleted.")
    if (strategy.get("rollingUpdate") or {}).get("partition"):
        partition = strategy["rollingUpdate"]["partition"]
        notes.append(f"{describe(workload)} has a partition: its pods below {partition} stay as they are.")
    pod = kind_of(workload["kind"]).pod_template(workload)["spec"]
    named = [item for item in pod.get("containers") or [] if item["name"] == settings.container]
    if settings.startup_seconds and named and not named[0].get("startupProbe"):
        notes.append(f"Container {settings.container} has no probe that kills it: there is nothing to relax.")
    return notes
