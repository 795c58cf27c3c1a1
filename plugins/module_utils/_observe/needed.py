# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a program needs and cannot use: hosts that its log names, or Services that its configuration names."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contacts
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Dependency,
    Observation,
    condition,
    containers,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.reader import LOG_PODS, Reader
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    log_lines,
    references,
    service_at,
    specification,
    specifications,
    terminated,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import APPS, CORE, Target

# a host in an address or a list, not the scheme of an address (nats://)
NAMED = r"(?<![\w.-]){}(?=[/.,\s\"']|:(?!//)|$)"


class Needed:
    """Finds the dependencies of a workload.

    :ivar texts: contents of the ConfigMaps, by name.
    :ivar nodes: containers of the nodes.
    :ivar observe: takes a full observation of a workload behind a Service.
    """

    def __init__(
        self,
        reader: Reader,
        texts: t.Mapping[str, t.Mapping[str, str]],
        nodes: tuple[str, ...],
        observe: t.Callable[[Target], Observation],
    ) -> None:
        self.reader, self.seen, self.texts, self.nodes, self.observe = reader, reader.seen, texts, nodes, observe

    def find(self) -> None:
        """Find what the pods that are not ready need, and its state."""
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
            services = self.reader.allowed("services of all namespaces", f"{CORE}/services")
            services = seen.services if len(seen.unseen) > before else services
        known: dict[tuple[str, str], Dependency] = {}
        for item in found:
            _service_of(item, services, self.seen.namespace, self.container_of(item))
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
                return self.configured(specification(pod, item.container))
        return ""

    def configured(self, container: Object) -> str:
        """Command, arguments, variables and ConfigMaps of a container, as text."""
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
            pattern = re.compile(NAMED.format(re.escape(metadata["name"])), re.MULTILINE)
            for pod in [pod for pod in seen.current_pods if pod not in seen.ready_pods][:1]:
                for container in specifications(pod["spec"]):
                    lines = self.configured(container).splitlines()
                    line = next((line for line in lines if pattern.search(line)), None)
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
            item.workloads, item.targets, item.declared = first.workloads, first.targets, first.declared
            item.policies = first.policies
            return
        slices = self.reader.allowed(
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
        pods = self.reader.allowed(f"pods of {namespace}", f"{CORE}/namespaces/{namespace}/pods", label_selector=query)
        since = [condition(pod, "Ready") for pod in pods]
        ready = [str(found.get("lastTransitionTime")) for found in since if found.get("status") == "True"]
        item.ready_since = min(ready, default="")
        self.way(item, pods)
        if not item.ready:
            target = self.behind(namespace, selector, pods)
            if target is not None:
                workload = self.observe(target)
                item.workloads = [workload]
                self.seen.unseen += workload.unseen

    def way(self, item: Dependency, pods: list[Object]) -> None:
        """Find what is on the way to the pods of a Service: the ports, and policies where nobody answers."""
        service = t.cast(Object, item.service)
        namespace = service["metadata"]["namespace"]
        numbers = [port.get("targetPort", port.get("port")) for port in service["spec"].get("ports") or []]
        item.targets = [number for number in numbers if isinstance(number, int)]
        item.declared = sorted(
            {number for pod in pods for found in specifications(pod["spec"]) for number in declared(found)}
        )
        if item.form == "silent":
            item.policies = self.policies(namespace, [pod["metadata"].get("labels") or {} for pod in pods])
            if namespace != self.seen.namespace:
                asking = [pod["metadata"].get("labels") or {} for pod in self.seen.pods]
                item.policies += self.policies(self.seen.namespace, asking)

    def policies(self, namespace: str, labels: t.Sequence[t.Mapping[str, str]]) -> list[str]:
        """The NetworkPolicies of a namespace that select a pod with some of these labels."""
        path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
        found = self.reader.allowed(f"network policies of {namespace}", path)
        return [
            f"{namespace}/{item['metadata']['name']}"
            for item in found
            for wanted in [((item.get("spec") or {}).get("podSelector") or {}).get("matchLabels") or {}]
            if any(wanted.items() <= own.items() for own in labels)
        ]

    def behind(self, namespace: str, selector: t.Mapping[str, str], pods: list[Object]) -> t.Optional[Target]:
        """Return the workload whose pods a Service selects."""
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for item in self.reader.allowed(f"{kind}s", f"{APPS}/namespaces/{namespace}/{kind.lower()}s"):
                labels = ((item["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
                if selector.items() <= labels.items():
                    return Target(kind, namespace, item["metadata"]["name"], nodes=self.nodes)
        for pod in pods:
            return Target("Pod", namespace, pod["metadata"]["name"], nodes=self.nodes)
        return None


def declared(container: Object) -> list[int]:
    """The ports that a container says it has."""
    return [int(item["containerPort"]) for item in container.get("ports") or []]


def _member(host: str, by_name: t.Mapping[tuple[str, str], Object], namespace: str) -> t.Optional[Object]:
    """The Service of which a host is the name of one pod: C(POD.SERVICE), with or without what follows."""
    pod, _dot, rest = host.partition(".")
    name, _dot, after = rest.partition(".")
    where = after.partition(".")[0]
    found = by_name.get((namespace if where in ("", "svc") else where, name))
    headless = found is not None and (found.get("spec") or {}).get("clusterIP") == "None"
    return found if headless or re.search(r"-\d+$", pod) else None


def _service_of(item: Dependency, services: list[Object], namespace: str, configured: str) -> None:
    """Find the Service that a host is: a name, a name with its namespace, or an address."""
    by_name = {(service["metadata"]["namespace"], service["metadata"]["name"]): service for service in services}
    host = item.host.rstrip(".").strip("[]")
    if not host:
        # the client did not say what it connected to: a Service that the container's configuration names
        for (where, name), service in by_name.items():
            spelt = name if where == namespace else f"{name}.{where}"
            pattern = NAMED.format(re.escape(spelt)) if where == namespace else re.escape(spelt)
            if match := re.search(rf"{pattern}(?P<port>:\d{{1,5}}\b)?", configured, re.M):
                item.host, item.service, item.inside, item.named = name, service, True, match[0]
                item.port = item.port or int((match["port"] or ":0")[1:])
                return
        return
    at_address = service_at(services, host)
    if at_address is not None:
        item.service, item.inside = at_address, True
        return
    name, _dot, rest = host.partition(".")
    where = rest.partition(".")[0] or namespace
    item.service = by_name.get((where, name))
    suffix = rest.partition(".")[2]
    item.inside = item.service is not None or not rest or suffix.startswith("svc") or host.endswith(".svc")
    if item.service is None:
        item.member_of = _member(host, by_name, namespace)
        item.inside = item.inside or item.member_of is not None
    if item.service is None and item.form == "name":
        names = [
            found if there == namespace else f"{found}.{there}" for there, found in by_name if found != "kubernetes"
        ]
        elsewhere = [f"{found}.{there}" for there, found in by_name if found == name]
        near = nearest_few(name, names, cutoff=0.5)
        item.near = list(dict.fromkeys([*elsewhere, *near]))[:3]
