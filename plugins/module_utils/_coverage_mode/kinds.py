# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The kinds of workload that can be run in coverage mode, and where their pods are described."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")


@dataclass(frozen=True)
class WorkloadKind:
    """One kind of workload.

    :ivar name, api: its kind and apiVersion. :ivar template: path of the pod's template, empty for a pod itself.
    :ivar recreated: its template is immutable: it is deleted and recreated.
    :ivar scaled: it has replicas.
    """

    name: str
    api: str
    template: tuple[str, ...] = ("spec", "template")
    recreated: bool = False
    scaled: bool = False

    def reference(self, namespace: str, name: str) -> Object:
        """Return an object that names one of this kind and says nothing else."""
        return {"apiVersion": self.api, "kind": self.name, "metadata": {"name": name, "namespace": namespace}}

    def pod_template(self, workload: Object) -> Object:
        """Return the part of the workload (not a copy) that has the pod's C(metadata) and C(spec)."""
        for key in self.template:
            workload = workload[key]
        return workload


KINDS = {
    kind.name: kind
    for kind in (
        WorkloadKind("Deployment", "apps/v1", scaled=True),
        WorkloadKind("StatefulSet", "apps/v1", scaled=True),
        WorkloadKind("DaemonSet", "apps/v1"),
        WorkloadKind("Job", "batch/v1", recreated=True),
        WorkloadKind("CronJob", "batch/v1", template=("spec", "jobTemplate", "spec", "template")),
        WorkloadKind("Pod", "v1", template=(), recreated=True),
    )
}

# set by the API server or by the workload's own controller
JOB_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
SERVER_METADATA = (
    *("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "generateName", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)
SERVER_ANNOTATIONS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")


def kind_of(name: str) -> WorkloadKind:
    """Return the kind of that name.

    :raises InputError: coverage mode does not know it.
    """
    if name in KINDS:
        return KINDS[name]
    near = nearest(name, KINDS)
    meant = f" Did you mean {near}?" if near and name not in WORKLOADS else ""
    raise InputError(
        f"A {name} cannot be run in coverage mode.{meant}",
        remedy=f"Name its owner; supported kinds are {', '.join(KINDS)}.",
        setting="workload.kind",
        cause="workload-kind-unsupported",
    )


def as_defined(workload: Object) -> Object:
    """Return a copy without what the API server and the controllers write into an object themselves.

    What is left can be compared before and after, and can be created again.
    """
    result = {key: copy.deepcopy(value) for key, value in workload.items() if key != "status"}
    metadata = result["metadata"] = {
        key: value for key, value in (result.get("metadata") or {}).items() if key not in SERVER_METADATA
    }
    _without(metadata, "annotations", SERVER_ANNOTATIONS)
    if workload.get("kind") == "Job" and not (workload.get("spec") or {}).get("manualSelector"):
        # the Job's own id, in its selector and its pods' labels (pkg/registry/batch/job/strategy.go)
        result["spec"].pop("selector", None)
        for part in (metadata, result["spec"]["template"].get("metadata") or {}):
            _without(part, "labels", JOB_LABELS)
    for key in ("template", "jobTemplate"):
        inner = (result.get("spec") or {}).get(key) or {}
        if isinstance(inner.get("metadata"), dict) and inner["metadata"].get("creationTimestamp", "") is None:
            del inner["metadata"]["creationTimestamp"]
    return result


def containers_of(pod: Object) -> t.Iterator[Object]:
    """Yield the containers of a pod's spec, those that run in parallel first, then the init containers."""
    yield from pod.get("containers") or []
    yield from pod.get("initContainers") or []


def _without(metadata: Object, key: str, names: t.Container[str]) -> None:
    if isinstance(metadata.get(key), dict):
        metadata[key] = {name: value for name, value in metadata[key].items() if name not in names}
        if not metadata[key]:
            del metadata[key]
