# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of an address that does not answer though all pods are ready: each step from the URL to them is resolved."""

from __future__ import annotations

import typing as t
import urllib.parse

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Object, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import declared_ports, specifications
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import TIMEOUT, rule

MANIFEST = "workload.objects"


@rule(
    "Programs that run and are not ready",
    Cause(
        "service-without-endpoints",
        title="No Service leads to the pods",
        why=(
            "All pods are ready, but no Service selects them, or its `targetPort` is a port that the containers do not"
            " have."
        ),
        remedy="Correct the selector or `targetPort` of the Service.",
        settings=("workload.objects",),
        terminal="no",
    ),
    Cause(
        "url-unreachable",
        title="The address does not answer",
        why=("All pods are ready, but the address of the contract does not answer with a 2xx status."),
        remedy="Compare Service, NodePort and the cluster's port mappings with the address.",
        settings=(
            "readiness.url",
            "cluster.port_mappings",
        ),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def url_silent(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: all is ready, and the address does not answer."""
    if not seen.url or seen.url_ready or not seen.rolled_out:
        return
    selecting = [service for service in seen.services if _selects(seen, service)]
    if seen.full and not selecting:
        yield _unselected(seen)
        return
    for look in (_wrong_node_port, _no_endpoint, _wrong_target, _local_only):
        for service in selecting:
            found = look(seen, service)
            if found is not None:
                yield found
                return
    ports = [
        f"Service {item['metadata']['name']}: {item['spec'].get('type')}, ports "
        + ", ".join(
            f"{port.get('port')}/nodePort {port.get('nodePort', 'none')}" for port in item["spec"].get("ports") or []
        )
        for item in selecting
    ]
    yield Diagnosis(
        cause="url-unreachable",
        sentence=f"All pods are ready, but {seen.url} does not answer with a 2xx status:"
        f" {seen.url_answer or 'no answer'}.",
        evidence=[*_answer(seen), *ports],
        remedy="Compare the Service's selector and NodePort with the cluster's port mappings and this address.",
        setting="readiness.url",
    )


def _answer(seen: Observation) -> list[str]:
    return [f"{seen.url}: {seen.url_answer}"]


def _selects(seen: Observation, service: Object) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and any(
        selector.items() <= (pod["metadata"].get("labels") or {}).items() for pod in seen.ready_pods
    )


def _labels(labels: t.Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key != "pod-template-hash")


def _unselected(seen: Observation) -> Diagnosis:
    """No Service leads to the pods: the one that is meant has another selector."""
    own = (seen.ready_pods[0]["metadata"].get("labels") or {}) if seen.ready_pods else {}
    with_selector = [item for item in seen.services if (item.get("spec") or {}).get("selector")]
    names = [item["metadata"]["name"] for item in with_selector]
    near = nearest(seen.name, names, cutoff=0.0)
    named = ", ".join(item["metadata"]["name"] for item in seen.services) or "there is none"
    evidence = [*_answer(seen), f"Services: {named}", f"labels of the pods: {_labels(own)}"]
    if near:
        service = next(item for item in with_selector if item["metadata"]["name"] == near)
        wanted = service["spec"]["selector"]
        wrong = {key: value for key, value in wanted.items() if own.get(key) != value}
        has = ", ".join(f"{key}={own[key]}" if key in own else f"no label {key}" for key in sorted(wrong))
        return Diagnosis(
            cause="service-without-endpoints",
            sentence=f"All pods are ready, but Service {seen.namespace}/{near} selects {_labels(wrong)}, and the"
            f" pods have {has}, so nothing leads to them from {seen.url}: {seen.url_answer or 'no answer'}.",
            evidence=evidence,
            remedy=f"Correct spec.selector of Service {near}, or the labels of the pods.",
            setting=MANIFEST,
        )
    return Diagnosis(
        cause="service-without-endpoints",
        sentence=f"All pods are ready, but no Service of {seen.namespace} selects them, so nothing routes to them"
        f" from {seen.url}: {seen.url_answer or 'no answer'}.",
        evidence=evidence,
        remedy="Correct the Service's selector, or create the Service.",
        setting=MANIFEST,
    )


def _no_endpoint(seen: Observation, service: Object) -> t.Optional[Diagnosis]:
    unknown = _unknown_names(seen, service)
    if unknown:
        return _unnamed(seen, service, unknown[0])
    own = {pod["metadata"]["name"] for pod in seen.pods}
    backed = {
        (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        for item in seen.endpoint_slices
        for endpoint in item.get("endpoints") or []
        if (endpoint.get("targetRef") or {}).get("name") in own and item.get("ports")
    }
    name = service["metadata"]["name"]
    if not seen.endpoint_slices or name in backed:
        return None
    ports = [f"{port.get('port')} to {port.get('targetPort')}" for port in service["spec"].get("ports") or []]
    return Diagnosis(
        cause="service-without-endpoints",
        sentence=f"All pods are ready, but Service {seen.namespace}/{name} has no endpoint for them"
        f" ({', '.join(ports)}).",
        evidence=[*_answer(seen), f"Service {name}: ports {', '.join(ports)}"],
        remedy="Compare selector and targetPort of the Service with labels and ports of the pods.",
        setting=MANIFEST,
    )


def _unknown_names(seen: Observation, service: Object) -> list[Object]:
    """The ports of a Service whose targetPort is a name that no container of the pods has."""
    names = {port.get("name") for port in _ports(seen)} - {None}
    ports = service["spec"].get("ports") or []
    return [port for port in ports if isinstance(port.get("targetPort"), str) and port["targetPort"] not in names]


def _ports(seen: Observation) -> list[Object]:
    return [port for pod in seen.ready_pods for item in specifications(pod["spec"]) for port in item.get("ports") or []]


def _unnamed(seen: Observation, service: Object, port: Object) -> Diagnosis:
    name, target = service["metadata"]["name"], port["targetPort"]
    named = {f"{item['name']} ({item['containerPort']})": None for item in _ports(seen) if item.get("name")}
    has = f"are called {', '.join(named)}" if named else "have no names"
    return Diagnosis(
        cause="service-without-endpoints",
        sentence=f"All pods are ready, but Service {seen.namespace}/{name} sends port {port.get('port')} to port name"
        f" {target} (targetPort), and the ports of the pods {has}: {seen.url} says {seen.url_answer or 'nothing'}.",
        evidence=[*_answer(seen), f"Service {name}: port {port.get('port')} to {target}", f"ports of the pods {has}"],
        remedy=f"Correct targetPort of Service {name}, or give a port of the container the name {target}.",
        setting=MANIFEST,
    )


@rule("Programs that run and are not ready", gives=("service-without-endpoints",))
def port_has_no_name(seen: Observation) -> t.Iterator[Diagnosis]:
    """The address leads to the port of a Service whose targetPort is a name that no container has."""
    if not seen.url or seen.url_ready or not seen.rolled_out or not seen.ready_pods:
        return
    asked = _asked_node_ports(seen)
    leads = [
        (service, port)
        for service in seen.services
        for port in service["spec"].get("ports") or []
        if port.get("nodePort") in asked
    ]
    if leads and all(_selects(seen, service) and port in _unknown_names(seen, service) for service, port in leads):
        yield _unnamed(seen, *leads[0])


def _asked_node_ports(seen: Observation) -> list[int]:
    """The ports of the nodes that the address leads to; empty where it leads to none."""
    host_port = urllib.parse.urlsplit(seen.url).port
    if host_port is None:
        return []
    return seen.url_ports.get(str(host_port)) or ([host_port] if 30000 <= host_port <= 32767 else [])


def _wrong_target(seen: Observation, service: Object) -> t.Optional[Diagnosis]:
    """A number that no container of the pods declares, while they declare others."""
    name = service["metadata"]["name"]
    declared = sorted(
        {
            port
            for pod in seen.ready_pods
            for item in specifications(pod["spec"])
            for port in declared_ports(pod, item["name"])
        }
    )
    for port in service["spec"].get("ports") or []:
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, int) and declared and target not in declared:
            has = ", ".join(map(str, declared))
            return Diagnosis(
                cause="service-without-endpoints",
                sentence=f"All pods are ready, but Service {seen.namespace}/{name} sends port {port.get('port')} to"
                f" targetPort {target}, and the pods declare {has}: {seen.url} says {seen.url_answer or 'nothing'}.",
                evidence=[
                    *_answer(seen),
                    f"Service {name}: port {port.get('port')} to {target}",
                    f"containerPort: {has}",
                ],
                remedy=f"Correct targetPort of Service {name}: {has}.",
                setting=MANIFEST,
            )
    return None


def _wrong_node_port(seen: Observation, service: Object) -> t.Optional[Diagnosis]:
    """The host's port leads to a port of the node that no Service has."""
    host_port, wanted = urllib.parse.urlsplit(seen.url).port, _asked_node_ports(seen)
    having = {port.get("nodePort") for item in seen.services for port in item["spec"].get("ports") or []} - {None}
    if not wanted or set(wanted) & having:
        return None
    name, spec = service["metadata"]["name"], service["spec"]
    numbers = ", ".join(str(port["nodePort"]) for port in spec.get("ports") or [] if port.get("nodePort"))
    has = f"has nodePort {numbers}" if numbers else f"is of type {spec.get('type', 'ClusterIP')} and has no nodePort"
    leading = (
        f"port {host_port} of this host leads to node port {wanted[0]}"
        if seen.url_ports.get(str(host_port))
        else f"it asks node port {wanted[0]}"
    )
    return Diagnosis(
        cause="url-unreachable",
        sentence=f"All pods are ready, but {seen.url} leads to none of them: {leading}, and Service"
        f" {seen.namespace}/{name} {has}.",
        evidence=[*_answer(seen), f"Service {name}: {has}"],
        remedy=f"Set type: NodePort and nodePort: {wanted[0]} in Service {name}, or map another port of the node.",
        setting=MANIFEST,
    )


def _local_only(seen: Observation, service: Object) -> t.Optional[Diagnosis]:
    """A node passes on only what goes to its own pods, and has none."""
    if service["spec"].get("externalTrafficPolicy") != "Local":
        return None
    nodes = sorted({pod["spec"].get("nodeName", "?") for pod in seen.ready_pods})
    name = service["metadata"]["name"]
    return Diagnosis(
        cause="url-unreachable",
        sentence=f"All pods are ready, but Service {seen.namespace}/{name} has externalTrafficPolicy: Local, so only"
        f" node {', '.join(nodes)}, where the pods are, answers at its nodePort; {seen.url} says"
        f" {seen.url_answer or 'nothing'}.",
        evidence=[*_answer(seen), "externalTrafficPolicy: Local"],
        remedy=f"Set externalTrafficPolicy: Cluster in Service {name}, or ask a node that has a pod.",
        setting=MANIFEST,
    )
