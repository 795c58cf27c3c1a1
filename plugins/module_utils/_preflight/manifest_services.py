# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether Services, probes and hostPath volumes can work with the pods and nodes that they name."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import (
    Item,
    containers,
    mapping,
    pods,
    sequence,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_set import (
    Manifests,
    called,
    selected,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    OK,
    WARNING,
    Finding,
    finding,
)

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
NODE_PORTS = (30000, 32767)  # the API server's default range
# what a node has for sure (hostPath types that ask for something there)
NODE_FOLDERS = ("/", "/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/tmp", "/usr", "/var")  # noqa: S108
HOST_PATH_TYPES = frozenset(
    ("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice")
)


def check_services(known: Manifests) -> t.Iterator[Finding]:
    """Whether Services select pods and ask for ports that those have, and NodePorts reach the host."""
    check = "services"
    services = [item for item in known.items if item.kind == "Service"]
    makers = list(pods(known.items))
    mapped = {int(entry["container_port"]): entry for entry in known.port_mappings or ()}
    taken: dict[int, Item] = {}
    for item in services:
        spec = mapping(item.content.get("spec"))
        selector = mapping(spec.get("selector"))
        chosen = [entry for entry in makers if selected(selector, entry[1])]
        if selector and not chosen and makers:
            wanted = ", ".join(f"{key}={value}" for key, value in selector.items())
            yield finding(
                check,
                WARNING,
                f"Service {item.name} selects {wanted}: no pods of these manifests have those labels.",
                "Compare its selector with the labels of the pod template.",
                where=item.at(spec.get("selector")),
            )
        for port in map(mapping, sequence(spec.get("ports"))):
            target = port.get("targetPort")
            if isinstance(target, str) and not target.isdigit() and chosen:
                names = [
                    str(mapping(one).get("name"))
                    for entry in chosen
                    for part in containers(entry[2])
                    for one in sequence(part.get("ports"))
                ]
                if target not in names:
                    yield finding(
                        check,
                        ERROR,
                        f"Service {item.name} sends to the port '{target}', which no container of its pods"
                        f" has{called(target, names)}.",
                        "Name a port of the container, or give its number.",
                        "workload.objects",
                        cause="manifest-invalid",
                        where=item.at(port),
                    )
            node_port = port.get("nodePort")
            if not isinstance(node_port, int):
                continue
            if not NODE_PORTS[0] <= node_port <= NODE_PORTS[1]:
                yield finding(
                    check,
                    ERROR,
                    f"NodePort {node_port} of Service {item.name} is outside {NODE_PORTS[0]}-{NODE_PORTS[1]}:"
                    f" the API server rejects it.",
                    "Choose one in that range, and map it to the host port.",
                    "workload.objects",
                    cause="manifest-invalid",
                    where=item.at(port),
                )
            elif node_port in taken:
                yield finding(
                    check,
                    ERROR,
                    f"NodePort {node_port} is already used by Service {taken[node_port].name}.",
                    "Take another.",
                    "workload.objects",
                    cause="manifest-invalid",
                    where=item.at(port),
                )
            elif known.port_mappings is not None and node_port not in mapped:
                yield finding(
                    check,
                    WARNING,
                    f"NodePort {node_port} of Service {item.name} is not mapped to the host"
                    + (f"; mapped are {', '.join(map(str, sorted(mapped)))}." if mapped else "."),
                    "Map it if anything outside the cluster uses it.",
                    "cluster.port_mappings",
                    where=item.at(port),
                )
            taken[node_port] = item
    for node_port, entry in mapped.items():
        # a dependency may have it
        if node_port not in taken and NODE_PORTS[0] <= node_port <= NODE_PORTS[1] and not known.others:
            yield finding(
                check,
                WARNING,
                f"Host port {entry['host_port']} leads to NodePort {node_port}, which no Service of these"
                f" manifests has.",
                "Give the Service that nodePort." if services else "Something else must listen there.",
                "cluster.port_mappings",
            )
    yield finding(check, OK, f"{len(services)} checked" if services else "there are none")


def check_probes(known: Manifests) -> t.Iterator[Finding]:
    """Whether probes ask for ports that the container names."""
    check, count = "probes", 0
    for item, _labels, spec in pods(known.items):
        for container in containers(spec):
            ports = [mapping(entry) for entry in sequence(container.get("ports"))]
            names = [str(entry.get("name")) for entry in ports if entry.get("name")]
            numbers = [entry.get("containerPort") for entry in ports]
            for key in PROBES:
                probe = mapping(container.get(key))
                ask = mapping(probe.get("httpGet")) or mapping(probe.get("tcpSocket")) or mapping(probe.get("grpc"))
                port = ask.get("port")
                if port is None:
                    continue
                count += 1
                if isinstance(port, str) and not port.isdigit() and port not in names:
                    yield finding(
                        check,
                        ERROR,
                        f"The {key} of container {container.get('name')} uses port '{port}', which the"
                        f" container does not declare{called(port, names)}.",
                        "Name one of its ports, or give the number.",
                        "workload.objects",
                        cause="manifest-invalid",
                        where=item.at(ask),
                    )
                elif isinstance(port, int) and numbers and port not in numbers:
                    yield finding(
                        check,
                        WARNING,
                        f"The {key} of container {container.get('name')} uses port {port}; the container declares"
                        f" {', '.join(map(str, numbers))}.",
                        "Check which of them is right.",
                        where=item.at(ask),
                    )
    yield finding(check, OK, f"{count} checked" if count else "there are none")


def check_host_paths(known: Manifests) -> t.Iterator[Finding]:
    """Whether hostPath folders exist: a node is a fresh container."""
    check, count = "host-paths", 0
    for item, _labels, spec in pods(known.items):
        for volume in map(mapping, sequence(spec.get("volumes"))):
            if "hostPath" not in volume:
                continue
            count += 1
            host = mapping(volume["hostPath"])
            path, kind = str(host.get("path") or ""), str(host.get("type") or "")
            where = item.at(host)
            if kind not in HOST_PATH_TYPES:
                yield finding(
                    check,
                    ERROR,
                    f"The volume '{volume.get('name')}' has the hostPath type '{kind}', which Kubernetes does"
                    f" not know{called(kind, sorted(HOST_PATH_TYPES))}.",
                    "",
                    "workload.objects",
                    cause="manifest-invalid",
                    where=where,
                )
            elif kind in ("Directory", "File", "Socket", "CharDevice", "BlockDevice") and not _on_node(
                path, known.mounts
            ):
                yield finding(
                    check,
                    WARNING,
                    f"The volume '{volume.get('name')}' needs {path} on the node (type {kind}), but nothing"
                    f" creates it there.",
                    "Mount it into the nodes, or use DirectoryOrCreate.",
                    "cluster.extra_mounts",
                    where=where,
                )
    yield finding(check, OK, f"{count} checked" if count else "there are none")


def _on_node(path: str, mounts: t.Sequence[str]) -> bool:
    clean = "/" + path.strip("/")
    if any(clean == mount.rstrip("/") or clean.startswith(mount.rstrip("/") + "/") for mount in mounts):
        return True
    return (
        clean in NODE_FOLDERS
        or re.match(r"/(dev|proc|sys|var/log|var/lib/kubelet|etc/kubernetes|run/containerd)(/|$)", clean) is not None
    )
