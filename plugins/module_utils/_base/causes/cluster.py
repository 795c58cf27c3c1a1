# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of a cluster that cannot be created or used."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Cluster",
    Cause(
        "cluster-different",
        title="The cluster has another configuration",
        why="A cluster of that name exists and differs; the differences are listed.",
        remedy="Use another name, or allow it to be created again.",
        settings=(
            "kind_cluster#recreate",
            "cluster.name",
        ),
    ),
    Cause(
        "cluster-foreign",
        title="The cluster was not created by this collection",
        why="A cluster of that name exists. It is neither used nor deleted.",
        remedy="Use another name, allow it to be created again, or (to delete it) force it.",
        settings=(
            "cluster.name",
            "kind_cluster#recreate",
            "kind_cluster#force",
        ),
    ),
    Cause(
        "cluster-stopped",
        title="The cluster does not come back",
        why="A node was stopped, or the API server did not answer. The nodes were started again, and the cluster is not"
        " back in time.",
        remedy="The log of the node that is named says why. Or allow the cluster to be created again.",
        settings=("kind_cluster#recreate",),
    ),
    Cause(
        "cluster-incomplete",
        title="The cluster is incomplete",
        why="Its creation was interrupted, or a node was removed.",
        remedy="Allow it to be created again.",
        settings=("kind_cluster#recreate",),
    ),
    Cause(
        "creation-blocked",
        title="Another process creates the cluster",
        why="It has been doing so for longer than any creation takes.",
        remedy="Check what that process does.",
    ),
    Cause(
        "node-image-missing",
        title="The node image does not exist",
        why="It is not in podman's store.",
        remedy="Run `playbooks/runner.yml`.",
        settings=("cluster.node_image",),
    ),
    Cause(
        "mount-source-missing",
        title="A folder for the nodes does not exist",
        why="A folder to be mounted into the nodes, or `/lib/modules`, is not on the host.",
        remedy="Create it.",
        settings=("cluster.extra_mounts",),
    ),
    Cause(
        "port-taken",
        title="A host port is in use",
        why="Who uses it is named: the node of a cluster, a container, or a process with its id.",
        remedy="Free the port, or use another `host_port`.",
        settings=("cluster.port_mappings",),
    ),
    Cause(
        "port-forbidden",
        title="The user may not bind the port",
        why="Low ports need root.",
        remedy="Use a port above 1024.",
        settings=("cluster.port_mappings",),
    ),
    Cause(
        "no-root",
        title="kind needs root on this host",
        why="The user is not root, and the host does not support kind without root.",
        remedy="Run as root, or set up cgroup v2 with delegated controllers.",
    ),
    Cause(
        "kernel-limits",
        title="The kernel limits are too low",
        why="Too many files are open, or no inotify watches are left.",
        remedy="Run the role coverage_runner, which raises them where it may.",
    ),
    Cause(
        "node-boot",
        title="A node did not boot",
        why="systemd did not come up inside the node.",
        remedy="Run the role coverage_runner, or use another node image.",
        settings=("cluster.node_image",),
    ),
    Cause(
        "control-plane",
        title="The control plane did not come up",
        why=("The kubelet or the API server did not start; the lines of the kubelet are in the evidence."),
        remedy="Check memory and disk, which are short most often.",
    ),
    Cause(
        "nodes-not-ready",
        title="Not all nodes were ready in time",
        why="The cluster exists, but nodes were not ready when the time was over.",
        remedy="Read the evidence, or wait longer.",
        settings=("kind_cluster#wait",),
    ),
    Cause(
        "kind-failed",
        title="kind failed, for another reason",
        why="Its last lines are the evidence.",
        remedy="Do what kind says.",
    ),
    Cause(
        "cluster",
        title="The cluster has another fault",
        why="The message says which.",
        remedy="Do what the message says.",
    ),
)
