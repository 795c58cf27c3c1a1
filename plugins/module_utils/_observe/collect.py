# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""One observation of a workload: a handful of requests while it is waited for, and a full one before a verdict.

Collecting only reads. What a user may not read is left out and named (C(Observation.unseen)): a verdict from less is
better than none.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.answers import Answers, ask
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.around import Around
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.needed import Needed
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Observation,
    condition,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.on_nodes import (
    list_coverage,
    mapped_ports,
    program,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.reader import (
    FORBIDDEN,
    LOG_PODS,
    Reader,
    call,
    together,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    NEVER_PULLED,
    PULLED,
    host_ports,
    pods_without_covmeta,
    references,
    terminated,
    waiting,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import (
    APPS,
    BATCH,
    CORE,
    Target,
    named_after,
    owned,
    pod_selector,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node

KUBELETS_OWN = re.compile(
    r"(?:unable to retrieve container logs for|failed to try resolving symlinks in path) \S+[^\n]*\n?$"
)
LOG_TAIL, FULL_LOG_TAIL = 50, 200  # lines; a panic's stack is long


def observe(
    cluster: Cluster, podman: Podman, target: Target, *, waited: float = 0.0, logs: bool = False
) -> Observation:
    """Look once. With C(logs), as for a verdict: all logs and all else that the rules may ask for."""
    return _Look(cluster, podman, target, waited, logs).take()


def observe_once(cluster: Cluster, podman: Podman, target: Target) -> Observation:
    """Look once, in full, at a workload that nobody waits for; C(waited) is the age of what is newest about it."""
    return _Look(cluster, podman, target, None, full=True).take()


class _Look:
    def __init__(
        self,
        cluster: Cluster,
        podman: Podman,
        target: Target,
        waited: t.Optional[float],
        full: bool,
        *,
        depth: int = 1,
    ) -> None:
        self.cluster, self.podman, self.target, self.depth = cluster, podman, target, depth
        self.base = f"{CORE}/namespaces/{target.namespace}"
        self.by_age = waited is None
        self.texts: dict[str, dict[str, str]] = {}
        self.seen = Observation(
            kind=target.kind,
            namespace=target.namespace,
            name=target.name,
            container=target.container,
            url=target.url,
            waited=waited or 0.0,
            now=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            full=full,
            unseen=list(target.unseen),
        )
        self.reader = Reader(cluster, self.seen)

    def take(self) -> Observation:
        seen = self.seen
        seen.workload = self.cluster.get(self.target.path)
        if seen.workload is None:
            seen.waited = float(10**6) if self.by_age else seen.waited
            return seen
        self.find_pods()
        if not seen.container:
            # the only one, or the first: what coverage and logs are about where nobody says which
            names = [item["name"] for item in seen.pod_spec.get("containers") or []]
            seen.container = names[0] if names else ""
        if self.by_age:
            seen.waited = moment(seen.now) - max(
                moment(item["metadata"].get("creationTimestamp") or "")
                for item in (seen.newest_replica_set or seen.newest_job or seen.workload, *seen.current_pods)
            )
        tasks: list[t.Callable[[], None]] = [self.coverage, self.logs]
        if not seen.rolled_out or seen.full:
            # only who waits needs to know why
            tasks += [self.events, self.nodes]
        around = Around(self.reader, self.podman, self.target.nodes)
        if seen.full:
            tasks += [self.images, self.services, self.names]
            if not seen.rolled_out:
                tasks += [around.moving, around.makers, around.account, around.leases]
        together(tasks)
        if self.target.url and seen.rolled_out:
            seen.url_ready, seen.url_answer = ask(self.target.url)
        if seen.full:
            tasks = [self.programs, self.port_holders, self.folders, self.url_ports]
            if not seen.rolled_out:
                tasks += [Answers(self.cluster, seen).ask, around.listeners]
                if self.depth:
                    tasks.append(Needed(self.reader, self.texts, self.target.nodes, self.behind).find)
            together(tasks)
        return seen

    def behind(self, target: Target) -> Observation:
        """Observe a workload that this one depends on; not what that one depends on in turn."""
        return _Look(self.cluster, self.podman, target, None, full=True, depth=0).take()

    # the workload and its pods

    def find_pods(self) -> None:
        seen, workload, namespace = self.seen, t.cast(Object, self.seen.workload), self.target.namespace
        if seen.kind == "Pod":
            seen.pods = [workload]
            return
        uid = workload["metadata"].get("uid")
        if seen.kind == "CronJob":
            seen.jobs = owned(self.cluster.list(f"{BATCH}/namespaces/{namespace}/jobs"), {uid})
            if seen.newest_job is None:
                return
            selector = pod_selector(seen.newest_job)
            seen.pods = self.cluster.list(f"{self.base}/pods", label_selector=selector)
            return
        selector = pod_selector(workload)

        def sets() -> None:
            if seen.kind == "Deployment":
                path = f"{APPS}/namespaces/{namespace}/replicasets"
                seen.replica_sets = owned(self.reader.allowed("ReplicaSets", path, label_selector=selector), {uid})

        def pods() -> None:
            seen.pods = self.cluster.list(f"{self.base}/pods", label_selector=selector)

        together([sets, pods])
        owners = {item["metadata"].get("uid") for item in seen.replica_sets} | {uid}
        # a pod of a ReplicaSet that may not be seen is known by that one's name
        seen.pods = owned(seen.pods, owners) or ([] if seen.replica_sets else named_after(seen.pods, workload))

    def events(self) -> None:
        self.seen.events = self.reader.allowed("events", f"{self.base}/events")

    def nodes(self) -> None:
        self.seen.nodes = self.reader.allowed("nodes", f"{CORE}/nodes")

    def logs(self) -> None:
        seen = self.seen
        lines = FULL_LOG_TAIL if seen.full else LOG_TAIL
        troubled = sorted(seen.current_pods, key=lambda pod: pod in seen.ready_pods)

        def fetch(key: str, pod: str, container: str, previous: bool) -> None:
            try:
                text = self.cluster.logs(self.target.namespace, pod, container, previous=previous, lines=lines)
                # what the kubelet says where there is no log is not the program's
                seen.logs[key] = "" if KUBELETS_OWN.match(text) else text
            except KubernetesError as error:
                if error.status not in FORBIDDEN:
                    raise
                seen.unseen.append(f"log of {key}: {error.message}")

        tasks: list[t.Callable[[], None]] = []
        for pod in troubled[:LOG_PODS]:
            name = pod["metadata"]["name"]
            for status in containers(pod):
                key, container = f"{name}/{status['name']}", status["name"]
                again = bool(status.get("restartCount"))
                ended = (terminated(status) or {}).get("exitCode")
                # of what is ready, too: it may say that it will not be for long
                if seen.full or seen.rolled_out or again or ended:
                    tasks.append(call(fetch, key, name, container, False))
                # it may be started again between the look at the pod and the look at its log
                if again or ended:
                    tasks.append(call(fetch, f"{key}/previous", name, container, True))
        together(tasks)

    # the nodes

    def coverage(self) -> None:
        seen, target = self.seen, self.target
        if target.nodes and target.volume_directory and seen.ready_pods:
            seen.coverage = list_coverage(self.podman, target.nodes, target.volume_directory)
            seen.coverage_watched = True

    def images(self) -> None:
        # a second on a busy host: only for who asks for an image
        if not any(waiting(self.seen, (*NEVER_PULLED, *PULLED))):
            return
        for node in self.target.nodes:
            # what was loaded a moment ago is not in the nodes' status yet; that status is the fallback where a node
            # does not answer
            with contextlib.suppress(CommandError):
                self.seen.images[node] = sorted(Node(self.podman, node).images())

    def url_ports(self) -> None:
        """Where the port of a URL that does not answer leads to."""
        if self.seen.url and not self.seen.url_ready and self.seen.rolled_out and self.target.nodes:
            with contextlib.suppress(CommandError):
                self.seen.url_ports = mapped_ports(self.podman, self.target.nodes)

    def folders(self) -> None:
        directory = self.target.volume_directory
        if not directory or not self.seen.events_of(*self.seen.current_pods, reason="FailedMount"):
            return
        for node in self.target.nodes:
            with contextlib.suppress(CommandError):
                found = self.podman.exec(
                    *[node, "find", directory, "-maxdepth", "0", "-type", "d"],
                    purpose=f"look for {directory} on node {node}",
                    accept=(0, 1),
                )
                self.seen.folders[node] = found.returncode == 0

    def programs(self) -> None:
        """Where a pod wrote no covmeta: whether the file of its process is instrumented at all."""
        seen = self.seen
        if not seen.coverage_watched:
            return
        without = pods_without_covmeta(seen)
        for pod in [pod for pod in seen.ready_pods if pod["metadata"]["name"] in without][:1]:
            log = seen.logs.get(f"{pod['metadata']['name']}/{seen.container}", "")
            if "GOCOVERDIR" in log or "emit failed" in log:
                continue  # it has said so itself: it is instrumented
            node = pod["spec"].get("nodeName", "")
            status = next((item for item in containers(pod) if item["name"] == seen.container), {})
            identity = str(status.get("containerID", "")).rpartition("//")[2]
            if node in self.target.nodes and identity and "running" in (status.get("state") or {}):
                with contextlib.suppress(CommandError, ValueError):
                    seen.programs[pod["metadata"]["name"]] = program(self.podman, node, identity)

    # the namespace

    def services(self) -> None:
        self.seen.services = self.reader.allowed("services", f"{self.base}/services")
        self.seen.endpoint_slices = self.reader.allowed(
            "endpoint slices", f"/apis/discovery.k8s.io/v1/namespaces/{self.target.namespace}/endpointslices"
        )

    def names(self) -> None:
        """The names of what the pods refer to; of ConfigMaps also the keys."""
        seen = self.seen
        if seen.rolled_out:
            return
        kinds = {item.kind for item in references(seen.pod_spec)}

        def config_maps() -> None:
            found = self.reader.listed("ConfigMap", f"{self.base}/configmaps")
            if found is not None:
                self.texts = {item["metadata"]["name"]: item.get("data") or {} for item in found}
                seen.keys = {
                    item["metadata"]["name"]: sorted({**(item.get("data") or {}), **(item.get("binaryData") or {})})
                    for item in found
                }

        def claims() -> None:
            seen.claims = self.reader.listed("PersistentVolumeClaim", f"{self.base}/persistentvolumeclaims") or []
            self.reader.listed("StorageClass", "/apis/storage.k8s.io/v1/storageclasses", names_only=True)

        tasks: list[t.Callable[[], t.Any]] = []
        if "ConfigMap" in kinds:
            tasks.append(config_maps)
        if "Secret" in kinds or seen.pod_spec.get("imagePullSecrets"):
            tasks.append(call(self.reader.listed, "Secret", f"{self.base}/secrets", names_only=True))
        if "ServiceAccount" in kinds:
            tasks.append(call(self.reader.listed, "ServiceAccount", f"{self.base}/serviceaccounts", names_only=True))
        if "PersistentVolumeClaim" in kinds or seen.spec.get("volumeClaimTemplates"):
            tasks.append(claims)
        together(tasks)

    def port_holders(self) -> None:
        wanted = set[int]()
        for pod in self.seen.current_pods:
            if condition(pod, "PodScheduled").get("reason") == "Unschedulable":
                wanted |= host_ports(pod["spec"])
        if wanted:
            self.seen.port_holders = [
                pod
                for pod in self.reader.allowed("pods of all namespaces", f"{CORE}/pods")
                if pod["spec"].get("nodeName") and wanted & host_ports(pod["spec"])
            ]
