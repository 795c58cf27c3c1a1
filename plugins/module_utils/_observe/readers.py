# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Small readers of an observation, shared by the rules and the collector."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import short
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    containers,
    moment,
)

LOG_LINES = 12
PROBES = ("readiness", "liveness", "startup")
NEVER_PULLED = ("ErrImageNeverPull", "ImageInspectError")
PULLED = ("ImagePullBackOff", "ErrImagePull", "RegistryUnavailable")
FIELD = re.compile(r"\{(.+)\}")


def name_of(seen: Observation) -> str:
    """C(Kind namespace/name)."""
    return f"{seen.kind} {seen.namespace}/{seen.name}"


def quoted(message: str) -> str:
    """A message of Kubernetes in one short line, without what is the same for every container that cannot start."""
    return short(" ".join(message.split()).rpartition("unable to start container process: ")[2])


def waiting(seen: Observation, reasons: t.Container[str]) -> t.Iterator[tuple[Object, Object, Object]]:
    """Yield pod, status and the waiting state of each container that waits for one of these reasons."""
    for pod in seen.current_pods:
        for status in containers(pod):
            state = (status.get("state") or {}).get("waiting") or {}
            if state.get("reason") in reasons:
                yield pod, status, state


def terminated(status: Object) -> t.Optional[Object]:
    """How the container ended last; None where it has not."""
    return (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated")


def started_again(status: Object) -> bool:
    """Whether a container ended and was started again, or is about to be."""
    return "terminated" in (status.get("lastState") or {}) and "terminated" not in (status.get("state") or {})


def specifications(pod_spec: Object) -> list[Object]:
    """The containers of a pod's specification, init containers first."""
    return [*(pod_spec.get("initContainers") or []), *(pod_spec.get("containers") or [])]


def specification(pod: Object, container: str) -> Object:
    """A container as the pod's specification has it, empty where there is none."""
    return next((item for item in specifications(pod["spec"]) if item["name"] == container), {})


def log_lines(seen: Observation, pod: str, container: str) -> list[str]:
    """All that is known of the log of the process run that ended last, or of the one that runs."""
    log = seen.logs.get(f"{pod}/{container}/previous") or seen.logs.get(f"{pod}/{container}", "")
    return [line for line in log.splitlines() if line.strip()]


def log_end(seen: Observation, pod: str, container: str) -> list[str]:
    """The last lines of that log."""
    return log_lines(seen, pod, container)[-LOG_LINES:]


def seconds_since(seen: Observation, text: str) -> float:
    """How long ago that was at the time of the observation; endless where one of the two is not known."""
    return moment(seen.now) - moment(text) if seen.now and text else float("inf")


def first_seen(event: Object) -> str:
    """When an event was seen first."""
    return str(event.get("firstTimestamp") or event.get("eventTime") or event.get("lastTimestamp") or "")


def pods_without_covmeta(seen: Observation) -> list[str]:
    """Return the names of the ready pods without a covmeta in their coverage folder."""
    return [
        pod["metadata"]["name"]
        for pod in seen.ready_pods
        if not any(name.startswith("covmeta.") for name in seen.coverage.get(pod["metadata"]["name"], []))
    ]


# probes and ports


def failing(seen: Observation) -> t.Iterator[tuple[Object, Object, str, Object]]:
    """Yield pod, status, kind of probe and the newest event for each container whose probe fails."""
    for pod in seen.current_pods:
        if pod in seen.ready_pods:
            continue
        for status in containers(pod):
            if status.get("ready") or "running" not in (status.get("state") or {}):
                continue
            for event in reversed(seen.events_of(pod, reason="Unhealthy")):
                kind = event.get("message", "").partition(" ")[0].lower()
                if kind in PROBES and is_of(event, status["name"]):
                    yield pod, status, kind, event
                    break


def is_of(event: Object, container: str) -> bool:
    """Whether an event of a pod is about that container, or about none."""
    found = FIELD.search(event["involvedObject"].get("fieldPath", ""))
    return found is None or found[1] == container


def probe_of(pod: Object, container: str, kind: str) -> Object:
    """A container's probe, empty where it has none."""
    return specification(pod, container).get(f"{kind}Probe") or {}


def port_of(pod: Object, container: str, probe: Object) -> int:
    """The port that a probe asks; 0 for a command, or for a name that the container does not have."""
    for kind in ("httpGet", "tcpSocket", "grpc"):
        port = (probe.get(kind) or {}).get("port")
        if isinstance(port, int):
            return port
        if port is not None and str(port).isdigit():
            return int(port)
        for item in specification(pod, container).get("ports") or []:
            if port is not None and item.get("name") == port:
                return int(item["containerPort"])
    return 0


def path_of(probe: Object) -> str:
    """The path that a probe asks for, empty where it asks for none."""
    return str((probe.get("httpGet") or {}).get("path") or ("/" if "httpGet" in probe else ""))


def declared_ports(pod: Object, container: str) -> list[int]:
    """The ports that a container says it has."""
    return [int(item["containerPort"]) for item in specification(pod, container).get("ports") or []]


def host_ports(spec: Object) -> set[int]:
    """The ports of the node that a pod wants for itself."""
    host = bool(spec.get("hostNetwork"))
    return {
        int(number)
        for container in specifications(spec)
        for port in container.get("ports") or []
        if (number := port.get("hostPort") or (port.get("containerPort") if host else None))
    }


# what a pod refers to


@dataclass(frozen=True)
class Reference:
    """What a pod names and has to be there. C(key) is empty where the whole object is meant."""

    kind: str
    name: str
    key: str
    container: str


def references(spec: Object) -> t.Iterator[Reference]:
    """Yield all that a pod's specification names and that is not optional."""
    if spec.get("serviceAccountName"):
        yield Reference("ServiceAccount", spec["serviceAccountName"], "", "")
    for volume in spec.get("volumes") or []:
        sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for source in sources:
            for kind, field, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
                found = source.get(field) or {}
                wanted = found.get(name) or found.get("name")
                if wanted and not found.get("optional"):
                    keys = [item["key"] for item in found.get("items") or []] or [""]
                    for key in keys:
                        yield Reference(kind, wanted, key, "")
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            yield Reference("PersistentVolumeClaim", claim, "", "")
    for container in specifications(spec):
        for item in container.get("envFrom") or []:
            for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                found = item.get(field) or {}
                if found.get("name") and not found.get("optional"):
                    yield Reference(kind, found["name"], "", container["name"])
        for item in container.get("env") or []:
            for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                found = (item.get("valueFrom") or {}).get(field) or {}
                if found.get("name") and not found.get("optional"):
                    yield Reference(kind, found["name"], str(found.get("key", "")), container["name"])


def service_at(services: t.Iterable[Object], address: str) -> t.Optional[Object]:
    """The Service that has an address: a program logs the address that it dialled, not the name that it asked for."""
    for service in services:
        spec = service.get("spec") or {}
        if address in (spec.get("clusterIPs") or [spec.get("clusterIP")]):
            return service
    return None
