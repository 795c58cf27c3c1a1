# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What this host has for a cluster: whether it exists as described, its nodes' image, its ports and mounts."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host import facts as _host
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import container_ports, require_free
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.clusters import KindClusters
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.kubeconfig import read_kubeconfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.host import READY_RUNNER, Host
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    OK,
    WARNING,
    Finding,
    failed,
    finding,
)

PORTS_SETTING = "cluster.port_mappings"
# what a separate check reports
PARTS = ("port-taken", "port-forbidden", "node-image-missing", "mount-source-missing")


def check_cluster(host: Host, config: ClusterConfig) -> t.Iterator[Finding]:
    """Whether the cluster exists as described, or can be created."""
    if not host.standing():
        # nothing to compare: what it needs are checks of their own
        read_kubeconfig(Path(host.kubeconfig), config.name)
        yield finding("cluster", OK, f"{config.name} will be created, {_nodes(config)}")
        return
    try:
        outcome = KindClusters(host.kind, host.podman).present(
            config, kubeconfig=host.kubeconfig, recreate=host.recreate, check_mode=True
        )
    except CoverageError as error:
        if error.cause not in PARTS:
            raise
        yield finding("cluster", OK, f"{config.name} will be created")
        return
    texts = {
        "none": f"{config.name} exists, {_nodes(config)}",
        "export": f"{config.name} exists, {_nodes(config)}; its kubeconfig will be written",
        "create": f"{config.name} will be created, {_nodes(config)}",
        "replace": f"{config.name} will be replaced: {'; '.join(outcome.difference) or 'it is not whole'}",
    }
    for warning in outcome.warnings:
        yield finding("cluster", WARNING, warning, "Delete it (playbooks/teardown.yml); the next run creates it again.")
    yield finding("cluster", OK, texts[outcome.action])


def _nodes(config: ClusterConfig) -> str:
    return f"{1 + config.workers} node{'s' if config.workers else ''}"


def check_node_image(host: Host, config: ClusterConfig) -> t.Iterator[Finding]:
    """Whether the image of the nodes is there."""
    image = host.podman.image(config.node_image)
    if image is not None:
        yield finding("node-image", OK, f"{config.node_image}, {image.id[:12]}")
    elif host.standing():
        yield finding("node-image", OK, f"{config.node_image} is not needed: the cluster exists")
    else:
        yield finding(
            "node-image",
            ERROR,
            f"Node image {config.node_image} is not in podman's store.",
            "Run playbooks/runner.yml, which loads or builds it.",
            "cluster.node_image",
            cause="node-image-missing",
        )


def check_ports(host: Host, config: ClusterConfig) -> t.Iterator[Finding]:
    """Whether host ports are free; what the cluster's own nodes hold is theirs."""
    containers, own = host.podman.containers(), host.standing()
    held = [
        port
        for container in containers
        if container["Names"][0] in own and container.get("State") == "running"
        for port in container_ports(container)
    ]
    ports, free = config.host_ports(), []
    for port in ports:
        if any(port.overlaps(other) for other in held):
            continue
        try:
            require_free([port], containers, remedy="choose another host_port", setting=PORTS_SETTING)
            free.append(str(port.port))
        except CoverageError as error:
            yield failed("ports", error)
    ours = [str(port.port) for port in ports if any(port.overlaps(other) for other in held)]
    parts = [
        *([f"{', '.join(free)} free"] if free else []),
        *([f"{', '.join(ours)} held by the cluster itself"] if ours else []),
    ]
    if parts or not ports:
        yield finding("ports", OK, "; ".join(parts) or "none are mapped")


def check_mounts(config: ClusterConfig) -> t.Iterator[Finding]:
    """Whether the folders that the nodes mount are there."""
    wanted = [(str(_host.MODULES_FOLDER), "")]
    wanted += [
        (mount["host_path"], f", to be mounted at {mount['container_path']} of each node,")
        for mount in config.extra_mounts
    ]
    missing = [(path, why) for path, why in wanted if not Path(path).exists()]
    for path, why in missing:
        yield finding(
            "mounts",
            ERROR,
            f"{path}{why or ', which kind mounts into each node,'} does not exist on this host.",
            "Create it: podman only mounts what exists." if why else READY_RUNNER,
            "cluster.extra_mounts" if why else "",
            cause="mount-source-missing",
        )
    if not missing:
        yield finding("mounts", OK, f"{len(wanted)} there")


def cluster_config(options: t.Mapping[str, t.Any]) -> t.Optional[ClusterConfig]:
    """Return the configuration that the options of the module describe, None where no cluster is named.

    :raises InputError: naming the option and the value.
    """
    if not options.get("name"):
        return None
    if not options.get("node_image"):
        raise InputError("A cluster needs a node image.", setting="cluster.node_image")
    return ClusterConfig.from_options(
        name=options["name"],
        node_image=options["node_image"],
        workers=options.get("workers") or 0,
        port_mappings=options.get("port_mappings") or (),
        extra_mounts=options.get("extra_mounts") or (),
        kubeadm_patches=options.get("kubeadm_patches") or (),
    )
