# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The kind clusters of this host, as podman shows their nodes' containers."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import KIND_CLUSTER_LABEL, KIND_ROLE_LABEL


@dataclass(frozen=True)
class KindNode:
    """A node's container: C(role) is C(control-plane) or C(worker)."""

    name: str
    role: str
    running: bool
    image: str
    image_id: str


@dataclass
class KindCluster:
    """A cluster of this host as found. C(record) is what this collection left in it, None in a foreign one."""

    name: str
    nodes: list[KindNode]
    record: t.Optional[dict[str, t.Any]] = None
    evidence: list[str] = field(default_factory=list)

    @property
    def ours(self) -> bool:
        """Whether this collection made it."""
        return self.record is not None

    @property
    def config(self) -> dict[str, t.Any]:
        """The canonical configuration it was made from; empty in a foreign cluster."""
        return dict((self.record or {}).get("config") or {})

    @property
    def finished(self) -> bool:
        """Whether its creation went through to the end."""
        return bool((self.record or {}).get("complete"))

    @property
    def state(self) -> str:
        """C(running), C(stopped) (a node is not running), or C(incomplete) (a node is missing, or never finished)."""
        expected = _config_of(self.config).node_names() if self.config else [f"{self.name}-control-plane"]
        if not {*expected} <= {node.name for node in self.nodes} or (self.ours and not (self.record or {})["complete"]):
            return "incomplete"
        return "running" if all(node.running for node in self.nodes) else "stopped"

    def result(self) -> dict[str, t.Any]:
        """Return the facts that M(kubernaut.coverage.kind_cluster_info) gives for it."""
        record = self.record or {}
        return {
            "name": self.name,
            "ours": self.ours,
            "state": self.state,
            "nodes": [{"name": node.name, "role": node.role, "running": node.running} for node in self.nodes],
            "node_image": self.nodes[0].image if self.nodes else "",
            "config": self.config,
            "config_hash": record.get("config_hash", ""),
            "kubeconfig": (record.get("kubeconfig") or {}).get("path", ""),
            "created_seconds": record.get("created_seconds", 0),
        }


def _config_of(canonical: t.Mapping[str, t.Any]) -> ClusterConfig:
    """Read a canonical configuration back; unknown keys of a newer collection are left out."""
    return ClusterConfig(
        name=canonical["name"], node_image=canonical["node_image"], workers=int(canonical.get("workers", 0))
    )


def clusters_of(containers: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, list[KindNode]]:
    """Group podman's container records into clusters: name to nodes, the control plane first, then by number."""
    found: dict[str, list[KindNode]] = {}
    for container in containers:
        labels = container.get("Labels") or {}
        if KIND_CLUSTER_LABEL not in labels:
            continue
        found.setdefault(labels[KIND_CLUSTER_LABEL], []).append(
            KindNode(
                name=container["Names"][0],
                role=labels.get(KIND_ROLE_LABEL, ""),
                running=container.get("State") == "running",
                image=container.get("Image", ""),
                image_id=container.get("ImageID", ""),
            )
        )
    for nodes in found.values():
        nodes.sort(key=_node_order)
    return dict(sorted(found.items()))


def _node_order(node: KindNode) -> tuple[bool, str, int]:
    number = re.search(r"\d*$", node.name)
    return node.role != "control-plane", node.role, int((number and number.group()) or 1)
