# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in what a pod refers to: ConfigMaps, Secrets, their keys, folders of the node, users."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    containers,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.verdict import (
    MANIFEST,
    SETTLING,
    Verdict,
    short,
    specification,
    specifications,
    terminated,
    waiting,
)

REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError")
# The kubelet's errors are text only: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/kubelet/kuberuntime/
# security_context.go (verifyRunAsNonRoot), pkg/volume/{configmap,secret,hostpath}, and runc's (libcontainer).
KNOWN_FAILURES: tuple[tuple[str, str, str], ...] = (
    (r'configmap "(?P<name>[^"]+)" not found', "config-map-missing", "Create ConfigMap {name}, or correct its name."),
    (
        r"couldn't find key (?P<key>\S+) in ConfigMap (?:[^/\s]+/)?(?P<name>\S+)",
        "config-key-missing",
        "Add the key {key} to ConfigMap {name}, or correct it in the manifest.",
    ),
    (
        r"(?:references|configmap references) non-existent config key: (?P<key>\S+)",
        "config-key-missing",
        "Add the key {key} to the ConfigMap, or correct it in the manifest.",
    ),
    (r'secret "(?P<name>[^"]+)" not found', "secret-missing", "Create Secret {name}, or correct its name."),
    (
        r"couldn't find key (?P<key>\S+) in Secret (?:[^/\s]+/)?(?P<name>\S+)",
        "secret-key-missing",
        "Add the key {key} to Secret {name}, or correct it in the manifest.",
    ),
    (
        r"references non-existent secret key: (?P<key>\S+)",
        "secret-key-missing",
        "Add the key {key} to the Secret, or correct it in the manifest.",
    ),
    (
        r"runAsNonRoot and image has non-numeric user \((?P<name>[^)]+)\)",
        "user-not-numeric",
        "Give the number of user {name} as runAsUser, or in the image's USER.",
    ),
    (
        r"runAsNonRoot and image will run as root|runAsUser breaks non-root policy",
        "root-not-allowed",
        "Let the image or runAsUser name another user than root, or take runAsNonRoot out.",
    ),
    (
        r"hostPath type check failed: (?P<name>\S+) is not",
        "host-path-type",
        "Create {name} as the volume's type says, on every node, or correct path or type.",
    ),
    (
        r"exec format error",
        "wrong-architecture",
        "Build for the node's architecture (no fixed GOARCH in the Containerfile); a script needs its first line.",
    ),
    (
        r"(?:exec: |exec )(?P<name>\S+): permission denied",
        "command-not-executable",
        "Make the file executable in the image, or correct the command.",
    ),
    (
        r"executable file not found in \$PATH|(?:exec|stat)[: ].*no such file or directory|exec: .*is a directory",
        "command-missing",
        "Correct command, or the image's entrypoint; a dynamically linked program lacks its loader in a scratch image.",
    ),
    (
        r"container init was OOM-killed|memory limit too low",
        "out-of-memory",
        "Raise the memory limit: it is too small to start any process.",
    ),
)
# signs in the messages of FailedMount that only a person can do something about
MOUNT_SIGNS = ("not found", "type check failed", "non-existent", "not a directory", "is not a")


@dataclass(frozen=True)
class Reference:
    """What a pod names and has to be there. C(key) is empty where the whole object is meant."""

    kind: str
    name: str
    key: str
    container: str


def refused_start(seen: Observation) -> t.Iterator[Verdict]:
    """A container that cannot be created or started."""
    for pod, status, state in waiting(seen, REASONS):
        message = state.get("message", "")
        container = status["name"]
        cause, remedy, more = known_failure(seen, message)
        yield Verdict(
            cause=cause,
            sentence=f"Container {container} of pod {pod['metadata']['name']} cannot be"
            f" {'started' if state['reason'] == 'RunContainerError' else 'created'}: {short(message)}{more}",
            evidence=[f"{state['reason']}: {message}"],
            remedy=remedy,
            setting="instrumented_image_source" if cause == "wrong-architecture" else MANIFEST,
            subject=container,
        )


def mount_failed(seen: Observation) -> t.Iterator[Verdict]:
    """A volume that cannot be mounted."""
    for pod in seen.current_pods:
        if (pod.get("status") or {}).get("phase") != "Pending" or seen.waited < SETTLING:
            continue
        for event in reversed(seen.events_of(pod, reason="FailedMount")):
            message = event.get("message", "")
            if not any(sign in message for sign in MOUNT_SIGNS):
                continue
            yield _mount_verdict(seen, pod, message)
            break


def _mount_verdict(seen: Observation, pod: Object, message: str) -> Verdict:
    name = pod["metadata"]["name"]
    node = pod["spec"].get("nodeName", "?")
    path = _counters_folder(seen, pod)
    if path and f"failed: {path} is not" in message:
        there = sorted(other for other, found in seen.folders.items() if found and other != node)
        elsewhere = f"; it is on {', '.join(there)}" if there else ""
        return Verdict(
            cause="coverage-folder-missing",
            sentence=f"The folder for the counters, {path}, is not on node {node}, where pod {name} is{elsewhere}.",
            evidence=[message, *(f"node {other}: {path} is there" for other in there)],
            remedy="Prepare it on every node that may run the pod.",
            setting="coverage_mode_nodes",
        )
    cause, remedy, more = known_failure(seen, message)
    if cause == "container-config":
        remedy, cause = "Create what the volume refers to, on the node or in the namespace.", "mount-failed"
    return Verdict(
        cause=cause,
        sentence=f"A volume of pod {name} cannot be mounted: {short(message)}{more}",
        evidence=[message],
        remedy=remedy,
        setting=MANIFEST,
    )


def _counters_folder(seen: Observation, pod: Object) -> str:
    """The node's folder behind GOCOVERDIR; empty where that is no folder of the node."""
    container = specification(pod, seen.container) if seen.container else {}
    where = next((item.get("value", "") for item in container.get("env") or [] if item["name"] == "GOCOVERDIR"), "")
    for mount in container.get("volumeMounts") or []:
        if where and mount.get("mountPath") == where:
            for volume in pod["spec"].get("volumes") or []:
                if volume["name"] == mount.get("name"):
                    return str((volume.get("hostPath") or {}).get("path", ""))
    # recordings and old manifests may lack the mount; the run's folder is known to the gate
    for volume in pod["spec"].get("volumes") or []:
        if volume["name"] == "coverage-data":
            return str((volume.get("hostPath") or {}).get("path", ""))
    return ""


def known_failure(seen: Observation, message: str) -> tuple[str, str, str]:
    """Return cause id, remedy and what comes nearest to a missing name, for a message of the kubelet."""
    for pattern, known, remedy in KNOWN_FAILURES:
        found = re.search(pattern, message)
        if found:
            return known, remedy.format(**found.groupdict()), _nearest(seen, known, found.groupdict())
    cause = "container-config"
    return cause, "Create what is missing, or correct the manifest.", ""


def _nearest(seen: Observation, cause: str, found: t.Mapping[str, str]) -> str:
    if cause == "config-map-missing":
        return nearest(found["name"], seen.names.get("ConfigMap"), "ConfigMap")
    if cause == "secret-missing":
        return nearest(found["name"], seen.names.get("Secret"), "Secret")
    if cause == "config-key-missing":
        return nearest(found["key"], seen.keys.get(found.get("name", "")), "key")
    return ""


def nearest(name: str, there: t.Optional[t.Sequence[str]], what: str) -> str:
    """C(; the nearest ConfigMap is x), or nothing where nothing comes near."""
    near = difflib.get_close_matches(name, there or [], n=1)
    return f"; the nearest {what} is {near[0]}" if near else ""


def references_missing(seen: Observation) -> t.Iterator[Verdict]:
    """What the pods name and what is not in the namespace: seen without waiting for the kubelet to come upon it."""
    if not seen.full or seen.waited < SETTLING or any(map(_has_started, seen.current_pods)):
        return  # a program that runs has had what it needs
    spec = seen.pod_spec
    kinds = {"ConfigMap": "config-map-missing", "Secret": "secret-missing", "ServiceAccount": "service-account-missing"}
    kinds["PersistentVolumeClaim"] = "claim-missing"
    said = set()
    for item in references(spec):
        there = seen.names.get(item.kind)
        if there is not None and item.name not in there:
            # the automatic part of the cause: one for each kind, all listed in docs/verdicts.md
            verdict = _missing(seen, item, kinds[item.kind], there)
        elif item.kind == "ConfigMap" and item.key and item.key not in seen.keys.get(item.name, [item.key]):
            verdict = Verdict(
                cause="config-key-missing",
                sentence=f"ConfigMap {seen.namespace}/{item.name} has no key {item.key}"
                f"{nearest(item.key, seen.keys[item.name], 'key')}.",
                evidence=[f"keys of ConfigMap {item.name}: {', '.join(seen.keys[item.name]) or '(none)'}"],
                remedy=f"Add the key {item.key} to ConfigMap {item.name}, or correct it in the manifest.",
                setting=MANIFEST,
            )
        else:
            continue
        if verdict.sentence not in said:
            said.add(verdict.sentence)
            yield verdict


def _has_started(pod: Object) -> bool:
    return any("running" in (status.get("state") or {}) or terminated(status) is not None for status in containers(pod))


def _missing(seen: Observation, item: Reference, cause: str, there: t.Sequence[str]) -> Verdict:
    return Verdict(
        cause=cause,
        sentence=f"There is no {item.kind} {seen.namespace}/{item.name}, which"
        f" {f'container {item.container}' if item.container else 'the pod'} names"
        f"{nearest(item.name, there, item.kind)}.",
        evidence=[f"{item.kind}s of {seen.namespace}: {', '.join(there) or '(none)'}"],
        remedy=f"Create {item.kind} {item.name}, or correct its name in the manifest.",
        setting=MANIFEST,
    )


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
