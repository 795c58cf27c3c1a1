# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The workload to observe: its address in the API, its label selector, the objects that belong to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import HASH

APPS, BATCH, CORE = "/apis/apps/v1", "/apis/batch/v1", "/api/v1"
GROUPS = {"Job": BATCH, "CronJob": BATCH, "Pod": CORE}


@dataclass(frozen=True)
class Target:
    """What is waited for.

    :ivar nodes: containers of the nodes, to look at the coverage folders; empty: covmeta is not waited for.
    :ivar volume_directory: folder on the nodes that holds one folder for each pod.
    :ivar url: address that must answer with a 2xx status; empty: none.
    :ivar unseen: what could not be read while the workload was looked for.
    """

    kind: str
    namespace: str
    name: str
    container: str = ""
    nodes: tuple[str, ...] = ()
    volume_directory: str = ""
    url: str = ""
    unseen: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """API path of the workload."""
        return f"{GROUPS.get(self.kind, APPS)}/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"


def pod_selector(workload: Object) -> str:
    """Return the label selector of a workload's pods, as a query takes it."""
    selector = workload["spec"]["selector"]
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or []:
        key, operator, values = rule["key"], rule["operator"], ",".join(rule.get("values") or [])
        by_operator = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        terms.append(by_operator[operator])
    return ",".join(terms)


def owned(items: list[Object], owners: t.Container[t.Any]) -> list[Object]:
    """Those that one of the owners made; labels alone may match those of another workload."""
    return [
        item
        for item in items
        if any(
            owner.get("uid") in owners
            for owner in item["metadata"].get("ownerReferences") or []
            if owner.get("controller")
        )
    ]


def named_after(pods: list[Object], workload: Object) -> list[Object]:
    """Those of a ReplicaSet that is named as a Deployment names its own: after itself and the hash of the template."""
    name = workload["metadata"]["name"]
    return [
        pod
        for pod in pods
        for owner in pod["metadata"].get("ownerReferences") or []
        if owner.get("kind") == "ReplicaSet"
        and owner.get("name") == f"{name}-{(pod['metadata'].get('labels') or {}).get(HASH)}"
    ]
