# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in what a pod refers to: ConfigMaps, Secrets, their keys, folders of the node, users."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    containers,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    Reference,
    quoted,
    references,
    specification,
    terminated,
    waiting,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import (
    MANIFEST,
    MENTIONED,
    SETTLING,
    TIMEOUT,
    rule,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import manifest

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
        "Set runAsUser, or the image's USER, to the number of user {name}.",
    ),
    (
        r"runAsNonRoot and image will run as root|runAsUser breaks non-root policy",
        "root-not-allowed",
        "Set a user other than root in the image or in runAsUser, or remove runAsNonRoot.",
    ),
    (
        r"hostPath type check failed: (?P<name>\S+) is not",
        "host-path-type",
        "Create {name} with the volume's type on every node, or correct the path or type.",
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
COMMAND = re.compile(r'exec:? "?(?P<name>[^\s":]+)"?:')
# signs in the messages of FailedMount that only a person can do something about
MOUNT_SIGNS = ("not found", "type check failed", "non-existent", "not a directory", "is not a")


@rule(
    "Images, configuration, volumes",
    Cause(
        "config-map-missing",
        title="A ConfigMap does not exist",
        why=("A variable or volume comes from a ConfigMap that is not in the namespace. The nearest name is given."),
        remedy="Create the ConfigMap, or correct its name.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "config-key-missing",
        title="A ConfigMap has no such key",
        why=("A variable or volume names a key that the ConfigMap does not have. The nearest key is given."),
        remedy="Add the key, or correct it in the manifest.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "secret-missing",
        title="A Secret does not exist",
        why=(
            "A variable or volume comes from a Secret that is not in the namespace. Only names are "
            "read, never the contents of a Secret."
        ),
        remedy="Create the Secret, or correct its name.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "secret-key-missing",
        title="A Secret has no such key",
        why="A variable or volume names a key that the Secret does not have.",
        remedy="Add the key, or correct it in the manifest.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "root-not-allowed",
        title="The container would run as root",
        why="`runAsNonRoot` is set, and the user of the image is root.",
        remedy="Give `runAsUser` or the `USER` of the image another user, or remove `runAsNonRoot`.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "user-not-numeric",
        title="The user of the image is not a number",
        why=(
            "`runAsNonRoot` is set and the image names its user by a word: Kubernetes cannot know that it is not root."
        ),
        remedy="Give its number as `runAsUser`, or in the `USER` of the image.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "command-missing",
        title="The command does not exist in the image",
        why=(
            "The file that the container should start is not there; or the program is dynamically "
            "linked and its loader is missing, as in a scratch image."
        ),
        remedy="Correct `command`, or the entrypoint of the image.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "command-not-executable",
        title="The command is not executable",
        why="The file exists, but its mode does not allow it to be executed.",
        remedy="Make the file executable in the image, or correct the command.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "container-config",
        title="The container cannot be created, for another reason",
        why="The message of the kubelet is quoted.",
        remedy="Create what is missing, or correct the manifest.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    gives=(
        "wrong-architecture",
        "out-of-memory",
        "host-path-type",
    ),
)
def refused_start(seen: Observation) -> t.Iterator[Diagnosis]:
    """A container that cannot be created or started."""
    for pod, status, state in waiting(seen, REASONS):
        message = state.get("message", "")
        container = status["name"]
        cause, remedy, more = known_failure(seen, message)
        if cause == "command-missing":
            more, remedy = missing_command(pod, container, message, remedy)
        yield Diagnosis(
            cause=cause,
            sentence=f"Container {container} of pod {pod['metadata']['name']} cannot be"
            f" {'started' if state['reason'] == 'RunContainerError' else 'created'}: {quoted(message)}{more}",
            evidence=[f"{state['reason']}: {message}"],
            remedy=remedy,
            setting="source" if cause == "wrong-architecture" else MANIFEST,
            subject=container,
        )


@rule(
    "Images, configuration, volumes",
    Cause(
        "host-path-type",
        title="A hostPath is missing or of another type",
        why=("What the volume points to does not exist on the node, or is a file where a folder is expected."),
        remedy="Create it with the type of the volume on every node, or correct the path or type.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "mount-failed",
        title="A volume cannot be mounted, for another reason",
        why="The message of the kubelet is quoted.",
        remedy="Create what the volume refers to, on the node or in the namespace.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    gives=(
        "coverage-folder-missing",
        "config-map-missing",
        "config-key-missing",
        "secret-missing",
        "secret-key-missing",
    ),
)
def mount_failed(seen: Observation) -> t.Iterator[Diagnosis]:
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


@rule("Images, configuration, volumes", like=mount_failed, phases=(TIMEOUT,))
def mount_not_done(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: any word about a volume of a pod that has not started."""
    for pod in seen.current_pods:
        if (pod.get("status") or {}).get("phase") != "Pending" or _has_started(pod):
            continue
        events = [*seen.events_of(pod, reason="FailedAttachVolume"), *seen.events_of(pod, reason="FailedMount")]
        if events:
            yield _mount_verdict(seen, pod, str(events[-1].get("message", "")))


def _mount_verdict(seen: Observation, pod: Object, message: str) -> Diagnosis:
    name = pod["metadata"]["name"]
    node = pod["spec"].get("nodeName", "?")
    path = _counters_folder(seen, pod)
    if path and f"failed: {path} is not" in message:
        there = sorted(other for other, found in seen.folders.items() if found and other != node)
        elsewhere = f"; it is on {', '.join(there)}" if there else ""
        return Diagnosis(
            cause="coverage-folder-missing",
            sentence=f"The folder for the counters, {path}, is not on node {node}, where pod {name} is{elsewhere}.",
            evidence=[message, *(f"node {other}: {path} is there" for other in there)],
            remedy="Prepare it on every node that may run the pod.",
            setting="coverage_mode#nodes",
        )
    cause, remedy, more = known_failure(seen, message)
    if cause == "container-config":
        remedy, cause = "Create what the volume refers to, on the node or in the namespace.", "mount-failed"
    return Diagnosis(
        cause=cause,
        sentence=f"A volume of pod {name} cannot be mounted: {quoted(message)}{more}",
        evidence=[message],
        remedy=remedy,
        setting=MANIFEST,
    )


def _counters_folder(seen: Observation, pod: Object) -> str:
    """The node's folder behind GOCOVERDIR; empty where it is not a folder of the node."""
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


def missing_command(pod: Object, container: str, message: str, remedy: str) -> tuple[str, str]:
    """What else is known of a command that cannot be executed because a file is not there."""
    found = COMMAND.search(message)
    command = found["name"] if found else ""
    hidden = manifest.covered(pod, container, command)
    if hidden:
        return f"; {hidden}", "Mount the volume elsewhere: it hides the program of the image."
    if command and "stat " not in message and "not found in $PATH" not in message:
        return (
            "; the file is there, and the loader that it names is not: it is linked dynamically",
            "Build it with CGO_ENABLED=0 (static), or use an image that has its loader (ld-linux, libc).",
        )
    return "", remedy


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
    near = nearest_few(name, there or [], most=1)
    return f"; the nearest {what} is {near[0]}" if near else ""


@rule(
    "Images, configuration, volumes",
    gives=(
        "config-map-missing",
        "config-key-missing",
        "secret-missing",
        "service-account-missing",
        "claim-missing",
    ),
    phases=(MENTIONED,),
)
def references_missing(seen: Observation) -> t.Iterator[Diagnosis]:
    """What the pods name and what is not in the namespace: found without waiting for the kubelet."""
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
            verdict = Diagnosis(
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


def _missing(seen: Observation, item: Reference, cause: str, there: t.Sequence[str]) -> Diagnosis:
    return Diagnosis(
        cause=cause,
        sentence=f"There is no {item.kind} {seen.namespace}/{item.name}, which"
        f" {f'container {item.container}' if item.container else 'the pod'} names"
        f"{nearest(item.name, there, item.kind)}.",
        evidence=[f"{item.kind}s of {seen.namespace}: {', '.join(there) or '(none)'}"],
        remedy=f"Create {item.kind} {item.name}, or correct its name in the manifest.",
        setting=MANIFEST,
    )
