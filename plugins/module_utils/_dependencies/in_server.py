# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Run programs in the pod of a server."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers as wanted
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.exec import Executed, execute

MIGRATION_TIMEOUT = 600.0


def pod_of(cluster: Cluster, server: Server, namespace: str) -> str:
    pods = cluster.list(f"/api/v1/namespaces/{namespace}/pods", label_selector=f"{wanted.NAME_LABEL}={server.name}")
    running = [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("phase") == "Running"
    ]
    return running[0] if running else ""


def run_in_server(
    cluster: Cluster,
    server: Server,
    namespace: str,
    pod: str,
    argv: t.Sequence[str],
    *,
    stdin: str = "",
    timeout: float = MIGRATION_TIMEOUT,
) -> Executed:
    return execute(cluster, namespace, pod, server.kind, argv, stdin=stdin, timeout=timeout)
