# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a cluster needs before it is created, and why one that exists cannot be used: checked before any change."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import container_ports, require_free
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import KindCluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.failures import READY_RUNNER, ClusterError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman


def refusal(found: KindCluster, difference: t.Sequence[str]) -> ClusterError:
    """Say why the cluster that is there cannot be taken for the one described."""
    states = [f"{node.name}: {'running' if node.running else 'not running'}" for node in found.nodes]
    if not found.ours:
        return ClusterError(
            f'A cluster named "{found.name}" exists that this collection did not create.',
            remedy="Choose another name; or, if it may be deleted, set kind_cluster_recreate: true.",
            setting="cluster.name",
            evidence=[*states, *found.evidence],
            cause="cluster-foreign",
        )
    if difference:
        return ClusterError(
            f'Cluster "{found.name}" exists with another configuration: {"; ".join(difference)}.',
            remedy="Choose another name to keep both, or set kind_cluster_recreate: true to replace it.",
            setting="kind_cluster_name, kind_cluster_recreate",
            evidence=list(difference),
            cause="cluster-different",
        )
    return ClusterError(
        f'Cluster "{found.name}" is incomplete: a node was removed.',
        remedy="Set kind_cluster_recreate: true to replace it.",
        setting="kind_cluster#recreate",
        evidence=states,
        cause="cluster-incomplete",
    )


def require_parts(
    config: ClusterConfig,
    containers: t.Sequence[t.Mapping[str, t.Any]],
    *,
    own: t.Container[str],
    image: t.Optional[Image],
) -> None:
    """Raise if something that the cluster is to be made from is missing or taken.

    :arg own: containers of the cluster that is to be replaced: what they hold comes free with them.
    """
    if image is None:
        raise ClusterError(
            f"Node image {config.node_image} is not in podman's store.",
            remedy="Run playbooks/runner.yml, which loads or builds it.",
            setting="cluster.node_image",
            cause="node-image-missing",
        )
    for mount in config.extra_mounts:
        if not Path(mount["host_path"]).exists():
            raise ClusterError(
                f"{mount['host_path']}, to be mounted at {mount['container_path']} of each node, does not exist "
                "on this host.",
                remedy="Create it first: podman mounts only what is there.",
                setting="cluster.extra_mounts",
                cause="mount-source-missing",
            )
    freed = [
        port
        for container in containers
        if container["Names"][0] in own and container.get("State") == "running"
        for port in container_ports(container)
    ]
    require_free(
        [port for port in config.host_ports() if not any(port.overlaps(other) for other in freed)],
        containers,
        remedy="choose another host_port",
        setting="cluster.port_mappings",
    )


def require_host(podman: Podman) -> None:
    """Raise if kind cannot work for this user on this host, as far as that is known without trying."""
    if not Path("/lib/modules").is_dir():
        raise ClusterError(
            "/lib/modules does not exist on this host, but kind mounts it into every node.",
            remedy=READY_RUNNER,
            cause="mount-source-missing",
        )
    if os.geteuid() == 0:
        return
    info = json.loads(podman.run("info", "--format", "json", purpose="ask podman about this host").stdout)
    host = info.get("host") or {}
    missing = sorted({"cpu", "memory", "pids"} - set(host.get("cgroupControllers") or []))
    if host.get("cgroupVersion") != "v2" or missing:
        what = f"cgroup controllers {', '.join(missing)} not delegated" if missing else "no cgroup v2"
        raise ClusterError(
            f"kind needs root here, or a host that supports rootless kind: {what}.",
            remedy="Run as root (become: true), or set up rootless kind: cgroup v2 and Delegate=yes.",
            evidence=[f"cgroupVersion {host.get('cgroupVersion')}, controllers {host.get('cgroupControllers')}"],
            cause="no-root",
        )
