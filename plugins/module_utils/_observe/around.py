# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is around a workload: other pods that still change, its ServiceAccount, leases, where its programs listen."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KubernetesError, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import condition, containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.on_nodes import listening
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.reader import FORBIDDEN, Reader
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import failing
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import CORE
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

# states from which a pod does not go on by itself
STUCK = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError")
# the kinds of the usual controllers that make Secrets
MAKERS = (
    ("Certificate", "cert-manager.io/v1", "certificates"),
    ("ExternalSecret", "external-secrets.io/v1", "externalsecrets"),
    ("ExternalSecret", "external-secrets.io/v1beta1", "externalsecrets"),
    ("SealedSecret", "bitnami.com/v1alpha1", "sealedsecrets"),
    ("VaultStaticSecret", "secrets.hashicorp.com/v1beta1", "vaultstaticsecrets"),
)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


class Around:
    """Looks around a workload of one observation."""

    def __init__(self, reader: Reader, podman: Podman, nodes: t.Sequence[str]) -> None:
        self.reader, self.seen, self.podman, self.nodes = reader, reader.seen, podman, nodes

    def moving(self) -> None:
        """Find the other pods of the namespace that still change by themselves: Jobs that run, pods that start."""
        own = {pod["metadata"].get("uid") for pod in self.seen.pods}
        pods = self.reader.allowed("pods of the namespace", f"{CORE}/namespaces/{self.seen.namespace}/pods")
        self.seen.moving = sorted(
            f"{pod['metadata']['name']}: {state}"
            for pod in pods
            if pod["metadata"].get("uid") not in own and (state := _state(pod))
        )

    def makers(self) -> None:
        """Find the objects from which controllers make Secrets; most clusters have none of these kinds."""
        if all(any("running" in (status.get("state") or {}) for status in containers(pod)) for pod in self.seen.pods):
            return
        for kind, version, plural in MAKERS:
            try:
                found = self.reader.cluster.list(f"/apis/{version}/namespaces/{self.seen.namespace}/{plural}")
            except KubernetesError as error:
                if error.status not in FORBIDDEN:
                    raise
                continue
            self.seen.makers += [f"{kind} {item['metadata']['name']}" for item in found]

    def account(self) -> None:
        """Read the ServiceAccount of the pods: only whether it gives them a token."""
        name = self.seen.pod_spec.get("serviceAccountName") or "default"
        path = f"{CORE}/namespaces/{self.seen.namespace}/serviceaccounts/{name}"
        try:
            found = self.reader.cluster.get(path)
        except KubernetesError as error:
            if error.status not in FORBIDDEN:
                raise
            self.seen.unseen.append(f"ServiceAccount {name}: {error.message}")
            return
        if found is not None:
            self.seen.account = {
                "name": name,
                "automountServiceAccountToken": found.get("automountServiceAccountToken"),
            }

    def leases(self) -> None:
        """Read who leads, where some pods are ready and others are not."""
        seen = self.seen
        if seen.ready_pods and len(seen.ready_pods) < len(seen.current_pods):
            found = self.reader.allowed("leases", LEASES.format(seen.namespace))
            seen.leases = {
                item["metadata"]["name"]: str((item.get("spec") or {}).get("holderIdentity") or "") for item in found
            }

    def listeners(self) -> None:
        """Find where the programs of pods listen whose probes fail."""
        for pod, status, _kind, event in list(failing(self.seen))[:2]:
            node = pod["spec"].get("nodeName", "")
            identity = str(status.get("containerID", "")).rpartition("//")[2]
            if node not in self.nodes or not identity or "refused" not in event.get("message", ""):
                continue
            with contextlib.suppress(CommandError, ValueError):
                found = listening(self.podman, node, identity)
                self.seen.listeners[f"{pod['metadata']['name']}/{status['name']}"] = found


def _state(pod: Object) -> str:
    """What a pod still does; empty where nothing comes of it by itself."""
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        return ""
    if "deletionTimestamp" in pod["metadata"]:
        # who holds it with a finalizer may hold it for ever
        return "" if pod["metadata"].get("finalizers") else "it ends"
    if any(owner.get("kind") == "Job" for owner in pod["metadata"].get("ownerReferences") or []):
        return "" if _is_stuck(pod) else "it is of a Job that runs"
    if condition(pod, "Ready").get("status") == "True" or _is_stuck(pod):
        return ""
    if condition(pod, "PodScheduled").get("status") == "False":
        return ""
    return "it is not ready yet"


def _is_stuck(pod: Object) -> bool:
    return any(
        ((status.get("state") or {}).get("waiting") or {}).get("reason") in STUCK or status.get("restartCount", 0) > 1
        for status in containers(pod)
    )
