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
import difflib
import functools
import http.client
import re
import time
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contacts
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    HASH,
    Dependency,
    Observation,
    condition,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    NEVER_PULLED,
    PROBES,
    PULLED,
    declared_ports,
    failing,
    host_ports,
    log_lines,
    path_of,
    pods_without_covmeta,
    port_of,
    probe_of,
    references,
    specification,
    specifications,
    terminated,
    waiting,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node

URL_TIMEOUT = 2.0
LOG_PODS = 5  # of many replicas, so many are enough
LOG_TAIL, FULL_LOG_TAIL = 50, 200  # lines; a panic's stack is long
FORBIDDEN = (401, 403, 404)
APPS, BATCH, CORE = "/apis/apps/v1", "/apis/batch/v1", "/api/v1"
GROUPS = {"Job": BATCH, "CronJob": BATCH, "Pod": CORE}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
# names without contents: no Secret is ever read
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
USUAL_PORTS = (8080, 8081, 80, 8000, 3000, 5000, 8443, 9090)
USUAL_PATHS = (
    *("/healthz", "/readyz", "/livez", "/health", "/ready", "/live", "/health/ready", "/-/ready", "/-/healthy"),
    *("/status", "/ping", "/"),
)
MOST_PORTS = 16
SAID_PORT = re.compile(r"(?::|\bport[ =:]+)(\d{2,5})\b", re.IGNORECASE)
# of the API server's proxy itself, not of the pod behind it (apimachinery/pkg/util/proxy)
NOT_REACHED = "error trying to reach service"
ASK_TIMEOUT = 6.0
INIT_HOOK = "runtime/coverage.initHook"
BUILD_FLAG = "build\t-cover=true"
PROC = "/proc"
# A container's processes are those in whose cgroup its id is. One command, for each costs a third of a second and more.
PROGRAM = r"""
number=0
first=""
flagged=no
for file in $(grep -lF -e "$2" "$1"/[0-9]*/cgroup 2>/dev/null); do
  number=$((number + 1))
  [ "$number" -le 32 ] || break
  program=${file%/cgroup}/exe
  first=${first:-$program}
  if grep -qaF -m1 -e "$3" "$program" 2>/dev/null; then
    printf 'hook %s\n' "$(readlink "$program")"
    exit 0
  fi
  if grep -qaF -m1 -e "$4" "$program" 2>/dev/null; then flagged=flag; fi
done
[ -z "$first" ] || printf '%s %s\n' "$flagged" "$(readlink "$first")"
exit 0
"""


@dataclass(frozen=True)
class Target:
    """What is waited for.

    :ivar nodes: containers of the nodes, to look at the coverage folders; empty: covmeta is not waited for.
    :ivar volume_directory: folder on the nodes that holds one folder for each pod.
    :ivar url: address that must answer with a 2xx status; empty: none.
    :ivar unseen: what could not be looked at when it was looked for.
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
        if seen.full:
            tasks += [self.images, self.services, self.names]
        _together(tasks)
        if self.target.url and seen.rolled_out:
            seen.url_ready, seen.url_answer = ask(self.target.url)
        if seen.full:
            tasks = [self.programs, self.port_holders, self.folders]
            if not seen.rolled_out:
                tasks.append(self.answers)
                if self.depth:
                    tasks.append(self.dependencies)
            _together(tasks)
        return seen

    def allowed(self, what: str, path: str, **options: t.Any) -> list[Object]:
        """List what the user may list; what he may not is named."""
        try:
            return self.cluster.list(path, **options)
        except KubernetesError as error:
            if error.status not in FORBIDDEN:
                raise
            self.seen.unseen.append(f"{what}: {error.message}")
            return []

    # the workload and its pods

    def find_pods(self) -> None:
        seen, workload, namespace = self.seen, t.cast(Object, self.seen.workload), self.target.namespace
        if seen.kind == "Pod":
            seen.pods = [workload]
            return
        uid = workload["metadata"].get("uid")
        if seen.kind == "CronJob":
            seen.jobs = _owned(self.cluster.list(f"{BATCH}/namespaces/{namespace}/jobs"), {uid})
            if seen.newest_job is None:
                return
            selector = pod_selector(seen.newest_job)
            seen.pods = self.cluster.list(f"{self.base}/pods", label_selector=selector)
            return
        selector = pod_selector(workload)

        def sets() -> None:
            if seen.kind == "Deployment":
                path = f"{APPS}/namespaces/{namespace}/replicasets"
                seen.replica_sets = _owned(self.allowed("ReplicaSets", path, label_selector=selector), {uid})

        def pods() -> None:
            seen.pods = self.cluster.list(f"{self.base}/pods", label_selector=selector)

        _together([sets, pods])
        owners = {item["metadata"].get("uid") for item in seen.replica_sets} | {uid}
        # a pod of a ReplicaSet that may not be seen is known by that one's name
        seen.pods = _owned(seen.pods, owners) or ([] if seen.replica_sets else _named_after(seen.pods, workload))

    def events(self) -> None:
        self.seen.events = self.allowed("events", f"{self.base}/events")

    def nodes(self) -> None:
        self.seen.nodes = self.allowed("nodes", f"{CORE}/nodes")

    def logs(self) -> None:
        seen = self.seen
        lines = FULL_LOG_TAIL if seen.full else LOG_TAIL
        troubled = sorted(seen.current_pods, key=lambda pod: pod in seen.ready_pods)

        def fetch(key: str, pod: str, container: str, previous: bool) -> None:
            try:
                seen.logs[key] = self.cluster.logs(
                    self.target.namespace, pod, container, previous=previous, lines=lines
                )
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
                if seen.full or again or ended:
                    tasks.append(_call(fetch, key, name, container, False))
                # it may be started again between the look at the pod and the look at its log
                if again or ended:
                    tasks.append(_call(fetch, f"{key}/previous", name, container, True))
        _together(tasks)

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
        self.seen.services = self.allowed("services", f"{self.base}/services")
        self.seen.endpoint_slices = self.allowed(
            "endpoint slices", f"/apis/discovery.k8s.io/v1/namespaces/{self.target.namespace}/endpointslices"
        )

    def names(self) -> None:
        """The names of what the pods refer to; of ConfigMaps also the keys."""
        seen = self.seen
        if seen.rolled_out:
            return
        kinds = {item.kind for item in references(seen.pod_spec)}

        def config_maps() -> None:
            found = self.listed("ConfigMap", f"{self.base}/configmaps")
            if found is not None:
                self.texts = {item["metadata"]["name"]: item.get("data") or {} for item in found}
                seen.keys = {
                    item["metadata"]["name"]: sorted({**(item.get("data") or {}), **(item.get("binaryData") or {})})
                    for item in found
                }

        def claims() -> None:
            seen.claims = self.listed("PersistentVolumeClaim", f"{self.base}/persistentvolumeclaims") or []
            self.listed("StorageClass", "/apis/storage.k8s.io/v1/storageclasses", names_only=True)

        tasks: list[t.Callable[[], t.Any]] = []
        if "ConfigMap" in kinds:
            tasks.append(config_maps)
        if "Secret" in kinds or seen.pod_spec.get("imagePullSecrets"):
            tasks.append(_call(self.listed, "Secret", f"{self.base}/secrets", names_only=True))
        if "ServiceAccount" in kinds:
            tasks.append(_call(self.listed, "ServiceAccount", f"{self.base}/serviceaccounts", names_only=True))
        if "PersistentVolumeClaim" in kinds or seen.spec.get("volumeClaimTemplates"):
            tasks.append(claims)
        _together(tasks)

    def listed(self, kind: str, path: str, *, names_only: bool = False) -> t.Optional[list[Object]]:
        options: dict[str, t.Any] = {"header_params": {"Accept": NAMES_ONLY}} if names_only else {}
        before = len(self.seen.unseen)
        found = self.allowed(f"{kind}s", path, **options)
        if len(self.seen.unseen) > before:
            return None
        self.seen.names[kind] = sorted(item["metadata"]["name"] for item in found)
        return found

    def port_holders(self) -> None:
        wanted = set[int]()
        for pod in self.seen.current_pods:
            if condition(pod, "PodScheduled").get("reason") == "Unschedulable":
                wanted |= host_ports(pod["spec"])
        if wanted:
            self.seen.port_holders = [
                pod
                for pod in self.allowed("pods of all namespaces", f"{CORE}/pods")
                if pod["spec"].get("nodeName") and wanted & host_ports(pod["spec"])
            ]

    # what the ports of pods say

    def answers(self) -> None:
        seen = self.seen
        for pod, status, kind, event in list(failing(seen))[:2]:
            name, container = pod["metadata"]["name"], status["name"]
            probe = probe_of(pod, container, kind)
            port, path = port_of(pod, container, probe), path_of(probe)
            scheme = str((probe.get("httpGet") or {}).get("scheme") or "HTTP").lower()
            if not port or not path:
                continue
            asked: list[Object] = []

            one = functools.partial(self.ask_into, asked, name, container, scheme)
            ports = [port]
            if "connection refused" in event.get("message", ""):
                # only then may it be another one that answers
                ports = [port, *(other for other in _ports(seen, pod, container) if other != port)][:MOST_PORTS]
            _together([_call(one, number, path) for number in ports])
            own = next(item for item in asked if item["port"] == port)
            if own["status"] in (404, 405, 410, 501):
                paths = dict.fromkeys([*_paths(pod, container), *USUAL_PATHS])
                _together([_call(one, port, other) for other in paths if other != path])
            order = {item: number for number, item in enumerate((*_paths(pod, container), *USUAL_PATHS))}
            seen.answers += sorted(asked, key=lambda item: (item["port"] != port, order.get(item["path"], -1)))

    def ask_into(self, answers: list[Object], pod: str, container: str, scheme: str, port: int, path: str) -> None:
        answer = self.ask_pod(pod, port, path, scheme)
        answers.append({"pod": pod, "container": container, "port": port, "path": path, **answer})

    def ask_pod(self, pod: str, port: int, path: str, scheme: str) -> Object:
        """Ask a port of a pod through the API server, as the kubelet asks it; nothing but GET."""
        import urllib3.exceptions
        from kubernetes.client.exceptions import ApiException

        prefix = "https:" if scheme == "https" else ""
        url = f"{self.base}/pods/{prefix}{pod}:{port}/proxy{path}"
        started = time.monotonic()
        status, error = 0, ""
        try:
            self.cluster.dynamic.request(
                "GET", url, serialize=False, _request_timeout=ASK_TIMEOUT, header_params={"Accept": "*/*"}
            )
            status = 200
        except ApiException as refused:
            body = refused.body.decode(errors="replace") if isinstance(refused.body, bytes) else (refused.body or "")
            if NOT_REACHED in body or not refused.status:
                error = body[-200:]
            else:
                status = int(refused.status)
        except urllib3.exceptions.HTTPError as failed:
            error = type(failed).__name__
        return {"status": status, "error": error, "seconds": round(time.monotonic() - started, 3)}

    # what the program needs

    def dependencies(self) -> None:
        seen = self.seen
        found: list[Dependency] = []
        for pod in [pod for pod in seen.current_pods if pod not in seen.ready_pods][:LOG_PODS]:
            name = pod["metadata"]["name"]
            for status in containers(pod):
                if status.get("ready") or ("running" not in (status.get("state") or {}) and terminated(status) is None):
                    continue
                for item in contacts(log_lines(seen, name, status["name"])[-50:])[:3]:
                    item.pod, item.container = name, status["name"]
                    found.append(item)
        services = seen.services
        if found:
            # addresses and names of other namespaces can only be known from all Services
            before = len(seen.unseen)
            services = self.allowed("services of all namespaces", f"{CORE}/services")
            services = seen.services if len(seen.unseen) > before else services
        known: dict[tuple[str, str], Dependency] = {}
        for item in found:
            _complete(item, services, self.target.namespace, self.container_of(item))
            self.resolve(item, known)
        if not found:
            found = self.mentioned()
            for item in found:
                self.resolve(item, known)
        seen.dependencies = found

    def container_of(self, item: Dependency) -> str:
        """Command, arguments and variables of the container, as text."""
        for pod in self.seen.current_pods:
            if pod["metadata"]["name"] == item.pod:
                return self.told(specification(pod, item.container))
        return ""

    def told(self, container: Object) -> str:
        texts = self.texts
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        words += [str(item.get("value") or "") for item in container.get("env") or []]
        for item in container.get("env") or []:
            reference = (item.get("valueFrom") or {}).get("configMapKeyRef") or {}
            words.append(texts.get(reference.get("name", ""), {}).get(reference.get("key", ""), ""))
        named = {item.name for item in references(self.seen.pod_spec) if item.kind == "ConfigMap"}
        words += [text for name in sorted(named) for text in texts.get(name, {}).values()]
        return "\n".join(words)

    def mentioned(self) -> list[Dependency]:
        """Services that the containers' configuration names and that have no endpoint."""
        seen, found = self.seen, []
        own = [pod["metadata"].get("labels") or {} for pod in seen.pods]
        for service in seen.services:
            metadata, selector = service["metadata"], (service.get("spec") or {}).get("selector") or {}
            if not selector or any(selector.items() <= labels.items() for labels in own):
                continue
            pattern = re.compile(rf"(?<![\w.-]){re.escape(metadata['name'])}(?=[:/.\s\"']|$)", re.MULTILINE)
            for pod in [pod for pod in seen.current_pods if pod not in seen.ready_pods][:1]:
                for container in specifications(pod["spec"]):
                    line = next((line for line in self.told(container).splitlines() if pattern.search(line)), None)
                    if line is not None:
                        ports = (service.get("spec") or {}).get("ports") or [{}]
                        found.append(
                            Dependency(
                                host=metadata["name"],
                                port=int(ports[0].get("port") or 0),
                                form="mentioned",
                                line=line.strip()[:200],
                                pod=pod["metadata"]["name"],
                                container=container["name"],
                                inside=True,
                                service=service,
                            )
                        )
                        break
        return found

    def resolve(self, item: Dependency, known: dict[tuple[str, str], Dependency]) -> None:
        """Inspect the Service of a dependency, and the workload behind it."""
        if item.service is None:
            return
        metadata = item.service["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        first = known.setdefault((namespace, name), item)
        if first is not item:
            item.ready, item.unready, item.ready_since = first.ready, first.unready, first.ready_since
            item.workloads = first.workloads
            return
        slices = self.allowed(
            f"endpoint slices of {namespace}",
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            label_selector=f"kubernetes.io/service-name={name}",
        )
        states = [
            (endpoint.get("conditions") or {}).get("ready") is not False
            for part in slices
            for endpoint in part.get("endpoints") or []
        ]
        item.ready, item.unready = sum(states), len(states) - sum(states)
        selector = (item.service.get("spec") or {}).get("selector") or {}
        if not selector:
            return
        query = ",".join(f"{key}={value}" for key, value in selector.items())
        pods = self.allowed(f"pods of {namespace}", f"{CORE}/namespaces/{namespace}/pods", label_selector=query)
        since = [condition(pod, "Ready") for pod in pods]
        ready = [str(found.get("lastTransitionTime")) for found in since if found.get("status") == "True"]
        item.ready_since = min(ready, default="")
        if not item.ready:
            target = self.behind(namespace, selector, pods)
            if target is not None:
                look = _Look(self.cluster, self.podman, target, None, full=True, depth=0)
                item.workloads = [look.take()]
                self.seen.unseen += look.seen.unseen

    def behind(self, namespace: str, selector: t.Mapping[str, str], pods: list[Object]) -> t.Optional[Target]:
        """Return the workload whose pods a Service selects."""
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for item in self.allowed(f"{kind}s", f"{APPS}/namespaces/{namespace}/{kind.lower()}s"):
                labels = ((item["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
                if selector.items() <= labels.items():
                    return Target(kind, namespace, item["metadata"]["name"], nodes=self.target.nodes)
        for pod in pods:
            return Target("Pod", namespace, pod["metadata"]["name"], nodes=self.target.nodes)
        return None


def _complete(item: Dependency, services: list[Object], namespace: str, told: str) -> None:
    """Find the Service that a host is: a name, a name with its namespace, or an address."""
    by_name = {(service["metadata"]["namespace"], service["metadata"]["name"]): service for service in services}
    host = item.host.rstrip(".").strip("[]")
    if not host:
        # the client did not say what it connected to: a Service that the container's configuration names
        for (where, name), service in by_name.items():
            if where == namespace and re.search(rf"(?<![\w.-]){re.escape(name)}(?=[:/.\s\"']|$)", told, re.MULTILINE):
                item.host, item.service, item.inside = name, service, True
                return
        return
    for service in services:
        addresses = (service.get("spec") or {}).get("clusterIPs") or [(service.get("spec") or {}).get("clusterIP")]
        if host in addresses:
            item.service, item.inside = service, True
            return
    name, _dot, rest = host.partition(".")
    where = rest.partition(".")[0] or namespace
    item.service = by_name.get((where, name))
    suffix = rest.partition(".")[2]
    item.inside = item.service is not None or not rest or suffix.startswith("svc") or host.endswith(".svc")
    if item.service is None and item.form == "name":
        names = [
            found if there == namespace else f"{found}.{there}" for there, found in by_name if found != "kubernetes"
        ]
        elsewhere = [f"{found}.{there}" for there, found in by_name if found == name]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        item.near = list(dict.fromkeys([*elsewhere, *near]))[:3]


def _ports(seen: Observation, pod: Object, container: str) -> list[int]:
    """The ports where the program may listen, the likeliest first."""
    found = declared_ports(pod, container)
    found += [port_of(pod, container, probe_of(pod, container, kind)) for kind in PROBES]
    labels = pod["metadata"].get("labels") or {}
    for service in seen.services:
        selector = (service.get("spec") or {}).get("selector") or {}
        if selector and selector.items() <= labels.items():
            for port in service["spec"].get("ports") or []:
                found += [port["targetPort"]] if isinstance(port.get("targetPort"), int) else []
    item = specification(pod, container)
    words = [*(item.get("command") or []), *(item.get("args") or [])]
    words += [str(variable.get("value") or "") for variable in item.get("env") or []]
    words += log_lines(seen, pod["metadata"]["name"], container)[-20:]
    found += [int(number) for word in words for number in SAID_PORT.findall(word)]
    return [port for port in dict.fromkeys([*found, *USUAL_PORTS]) if 0 < port < 65536]


def _paths(pod: Object, container: str) -> list[str]:
    paths = [path_of(probe_of(pod, container, kind)) for kind in PROBES]
    return [path for path in dict.fromkeys(paths) if path]


def program(podman: Podman, node: str, container: str) -> Object:
    """Whether the file of a container's process, or of one that it started, is instrumented; asked on the node.

    :raises ValueError: it runs no longer.
    """
    answer = podman.exec(
        *[node, "sh", "-c", PROGRAM, "program", PROC, container, INIT_HOOK, BUILD_FLAG],
        purpose=f"read programs on node {node}",
    )
    what, _space, file = answer.stdout.strip().partition(" ")
    if not what:
        raise ValueError(f"container {container} does not run on node {node}")
    return {"instrumented": what == "hook", "cover": what in ("hook", "flag"), "file": file, "node": node}


def _owned(items: list[Object], owners: t.Container[t.Any]) -> list[Object]:
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


def _named_after(pods: list[Object], workload: Object) -> list[Object]:
    """Those of a ReplicaSet that is named as a Deployment names its own: after itself and the hash of the template."""
    name = workload["metadata"]["name"]
    return [
        pod
        for pod in pods
        for owner in pod["metadata"].get("ownerReferences") or []
        if owner.get("kind") == "ReplicaSet"
        and owner.get("name") == f"{name}-{(pod['metadata'].get('labels') or {}).get(HASH)}"
    ]


def _call(function: t.Callable[..., t.Any], *arguments: t.Any, **options: t.Any) -> t.Callable[[], t.Any]:
    return lambda: function(*arguments, **options)


def _together(tasks: t.Sequence[t.Callable[[], t.Any]]) -> None:
    """Do all side by side; the first error is raised when all are done."""
    if len(tasks) < 2:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(max_workers=min(8, len(tasks))) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def list_coverage(podman: Podman, nodes: t.Sequence[str], directory: str) -> dict[str, list[str]]:
    """Return the names of the files in each pod's folder, over all nodes."""

    def on_node(node: str) -> str:
        # 1: find says so where the folder is not there (yet)
        listing = podman.exec(
            node,
            *("find", directory, "-mindepth", "2", "-maxdepth", "2", "-type", "f", "-printf", "%P\\n"),
            purpose=f"list {directory} on node {node}",
            accept=(0, 1),
        )
        return listing.stdout

    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor() as pool:
        for listing in pool.map(on_node, nodes):
            for line in listing.splitlines():
                pod, _slash, name = line.partition("/")
                found.setdefault(pod, []).append(name)
    return {pod: sorted(names) for pod, names in found.items()}


def ask(url: str) -> tuple[bool, str]:
    """Ask an address once; return whether it answered with a 2xx status, and what it said."""
    # the service is on this host: a proxy set in the environment is not for it
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=URL_TIMEOUT) as response:
            return True, str(response.status)
    except urllib.error.HTTPError as error:
        return False, f"status {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return False, str(getattr(error, "reason", "") or error or type(error).__name__)


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
