# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The rules: each looks at an observation and says what is wrong, or nothing. Pure, in order of precedence.

Signs and history: the failure catalogue in the project's documentation (docs/verdicts.md).
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._node_images import nearest_names
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.observation import (
    Object,
    Observation,
    condition,
    containers,
)

IMAGE_REASONS = ("ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError")
CONFIG_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
SETTLING = 3.0  # seconds in which what is still being made (a token, a mount, covmeta) may be missing
# seconds in which the scheduler looks again at a pod that fitted no node (its podMaxBackoffSeconds, and some)
SCHEDULER_BACKOFF = 15.0
STARTING_NODE = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/network-unavailable",
    "node.cloudprovider.kubernetes.io/uninitialized",
)
# signs in the messages of FailedMount that only a person can do something about
MOUNT_SIGNS = ("not found", "type check failed", "non-existent")
OOM_KILLED = "OOMKilled"
# the kernel's word, and that of Go's runtime under an emulator
FOREIGN_SIGNS = ("exec format error", "taggedPointerPack")
LOG_LINES = 12


@dataclass(frozen=True)
class Verdict:
    """Why a workload will not become ready: cause id, one sentence, what was seen, what to do, what to set."""

    cause: str
    sentence: str
    evidence: list[str] = field(default_factory=list)
    remedy: str = ""
    setting: str = ""


Rule = t.Callable[[Observation], t.Optional[Verdict]]


def terminal_verdict(seen: Observation) -> t.Optional[Verdict]:
    """Return the first cause that waiting cannot cure, or None."""
    return next(filter(None, (rule(seen) for rule in TERMINAL)), None)


def timeout_verdict(seen: Observation, timeout: float) -> Verdict:
    """Return the likeliest cause when the time is over: never just that it is over."""
    return next(filter(None, (rule(seen) for rule in (*TERMINAL, *SLOW))), None) or Verdict(
        cause="not-ready",
        sentence=f"{_name(seen)} was not ready after {timeout:g} s, and nothing that was seen says why.",
        evidence=[missing(seen)],
        remedy="Give it more time, or look at its log.",
        setting="readiness_gate_timeout",
    )


def missing(seen: Observation) -> str:
    """Say in a few words what is still missing: the progress line of a wait."""
    if seen.workload is None:
        return f"{_name(seen)} does not exist yet"
    if not seen.current_pods:
        return "no pod yet"
    for pod in seen.current_pods:
        for status in containers(pod):
            waiting = (status.get("state") or {}).get("waiting")
            if waiting:
                return f"container {status['name']} waits: {waiting.get('reason', 'not started')}"
    if len(seen.ready_pods) < seen.wanted:
        return f"{len(seen.ready_pods)} of {seen.wanted} pods ready"
    if len(seen.pods) > seen.wanted:
        return "an older pod still ends"
    if seen.coverage_watched and pods_without_covmeta(seen):
        return "no covmeta yet"
    if seen.url and not seen.url_ready:
        return f"{seen.url} says: {seen.url_answer or 'nothing yet'}"
    return "the rollout is not complete"


def pods_without_covmeta(seen: Observation) -> list[str]:
    """Return the names of the ready pods in whose coverage folder no covmeta lies."""
    return [
        pod["metadata"]["name"]
        for pod in seen.ready_pods
        if not any(name.startswith("covmeta.") for name in seen.coverage.get(pod["metadata"]["name"], []))
    ]


# terminal rules


def workload_missing(seen: Observation) -> t.Optional[Verdict]:
    if seen.workload is not None or seen.waited < SETTLING:
        return None
    return Verdict(
        cause="workload-missing",
        sentence=f"There is no {_name(seen)}.",
        remedy="Apply its manifest first, or correct its name.",
        setting="readiness_gate_name",
    )


def pods_not_created(seen: Observation) -> t.Optional[Verdict]:
    """The controller may not make pods: a ServiceAccount is missing, a quota, Pod Security, a webhook."""
    # not the Deployment's own condition: it also tells of older revisions
    failure = condition(seen.newest_replica_set or seen.workload or {}, "ReplicaFailure")
    messages = [failure.get("message", "")] if failure.get("status") == "True" else []
    if seen.newest_replica_set is None and not messages:
        messages = [event["message"] for event in seen.events_of(seen.workload, reason="FailedCreate")]
    # the default account of a new namespace is made a moment after it
    if not messages or seen.current_pods or seen.waited < SETTLING:
        return None
    return Verdict(
        cause="pods-not-created",
        sentence=f"Kubernetes refuses to create the pods of {_name(seen)}: {_short(messages[-1])}",
        evidence=messages[-3:],
        remedy="Create what is missing, or change what the message names in the manifest.",
        setting="coverage_mode_objects",
    )


def unschedulable(seen: Observation) -> t.Optional[Verdict]:
    if seen.waited < SETTLING or any(_is_starting(node, seen.now) for node in seen.nodes):
        return None
    for pod in seen.current_pods:
        scheduled = condition(pod, "PodScheduled")
        message = scheduled.get("message", "")
        # a claim that is bound at once still has to be
        if scheduled.get("reason") != "Unschedulable" or "unbound immediate PersistentVolumeClaims" in message:
            continue
        return Verdict(
            cause="unschedulable",
            # what follows the first sentence is about preemption
            sentence=f"No node can take pod {pod['metadata']['name']}: {_short(message.partition('. ')[0])}",
            evidence=[message],
            remedy="Change the pod's requests, selector or tolerations, or the cluster's nodes.",
            setting="coverage_mode_objects",
        )
    return None


def image_not_usable(seen: Observation) -> t.Optional[Verdict]:
    for pod, status, waiting in _waiting(seen, IMAGE_REASONS):
        image, node = status.get("image") or _image(pod, status["name"]), pod["spec"].get("nodeName", "?")
        evidence = [f"{waiting['reason']}: {waiting.get('message', '')}"]
        on_node, elsewhere = _image_names(seen, node), set()
        for other in seen.nodes:
            if other["metadata"]["name"] != node and image in _image_names(seen, other["metadata"]["name"]):
                elsewhere.add(other["metadata"]["name"])
        near = nearest_names(image, on_node)
        if waiting["reason"] == "InvalidImageName":
            return Verdict(
                cause="image-name-invalid",
                sentence=f"{image} in container {status['name']} is not the name of an image.",
                evidence=evidence,
                remedy="Image names have lower case letters.",
                setting="coverage_mode_image",
            )
        missing_there = f"Image {image} is not on node {node}"
        if waiting["reason"] == "ImagePullBackOff":
            missing_there += ", and it cannot be pulled"
        if elsewhere:
            evidence.append(f"{image} is on {', '.join(sorted(elsewhere))}, but the pod is on {node}")
            sentence = f"{missing_there}, where its pod is; it is on {', '.join(sorted(elsewhere))}."
        elif near:
            evidence.append(f"nearest names on node {node}: {', '.join(near)}")
            sentence = f"{missing_there}; the nearest there is {near[0]}."
        else:
            sentence = f"{missing_there}."
        return Verdict(
            cause="image-not-on-node",
            sentence=sentence,
            evidence=evidence,
            remedy="Name the image exactly as it was loaded, or load it into every node.",
            setting="coverage_mode_image",
        )
    return None


def config_missing(seen: Observation) -> t.Optional[Verdict]:
    for pod, status, waiting in _waiting(seen, CONFIG_REASONS):
        message = waiting.get("message", "")
        return Verdict(
            cause="container-config",
            sentence=f"Container {status['name']} of pod {pod['metadata']['name']} cannot be created:"
            f" {_short(message)}",
            evidence=[f"{waiting['reason']}: {message}"],
            remedy="Create what is missing, or correct the manifest (ConfigMap, Secret, key, command, user).",
            setting="coverage_mode_objects",
        )
    return None


def mount_failed(seen: Observation) -> t.Optional[Verdict]:
    for pod in seen.current_pods:
        if (pod.get("status") or {}).get("phase") != "Pending":
            continue
        for event in reversed(seen.events_of(pod, reason="FailedMount")):
            message = event.get("message", "")
            if seen.waited < SETTLING or not any(sign in message for sign in MOUNT_SIGNS):
                continue
            return Verdict(
                cause="mount-failed",
                sentence=f"A volume of pod {pod['metadata']['name']} cannot be mounted: {_short(message)}",
                evidence=[message],
                remedy="Create what the volume refers to, on the node or in the namespace.",
                setting="coverage_mode_objects",
            )
    return None


def crashed(seen: Observation) -> t.Optional[Verdict]:
    """A container ended twice, or is held back from its next start. Once may be a wait for a dependency."""
    for pod in seen.current_pods:
        for status in containers(pod):
            ended = _terminated(status)
            waiting = ((status.get("state") or {}).get("waiting") or {}).get("reason")
            if ended is None or status.get("ready"):
                continue
            # an end with 0 is an init container's good end, unless Kubernetes starts it again and again
            again_and_again = status.get("restartCount", 0) >= 2 and ended.get("exitCode") != 0
            if waiting != "CrashLoopBackOff" and not again_and_again:
                continue
            return _crash_verdict(seen, pod, status, ended)
    return None


def coverage_not_written(seen: Observation) -> t.Optional[Verdict]:
    """covmeta is written when the process starts: a pod that is ready and has none will never have any counters."""
    if not seen.coverage_watched or seen.waited < SETTLING:
        return None
    for name in pods_without_covmeta(seen):
        log = seen.logs.get(f"{name}/{seen.container}", "")
        lines = [line for line in log.splitlines() if "GOCOVERDIR" in line or "coverage" in line][:LOG_LINES]
        listing = ", ".join(seen.coverage.get(name, [])) or "(empty)"
        evidence = [*lines, f"coverage folder of {name}: {listing}"]
        if any("GOCOVERDIR not set" in line for line in lines):
            return Verdict(
                cause="gocoverdir-unset",
                sentence=f"The program in pod {name} is instrumented, but GOCOVERDIR does not reach it.",
                evidence=evidence,
                remedy="Something between the container's start and the program (a wrapper, env -i) drops it.",
                setting="coverage_mode_container",
            )
        if any("emit failed" in line for line in lines):
            return Verdict(
                cause="coverage-not-writable",
                sentence=f"The program in pod {name} cannot write its counters: {lines[-1].rpartition(': ')[2]}.",
                evidence=evidence,
                remedy="Let its user write to the folder; it must be mounted where GOCOVERDIR points.",
                setting="coverage_mode_directory",
            )
        return Verdict(
            cause="no-covmeta",
            sentence=f"Pod {name} is ready, but its program wrote no covmeta when it started: it is not instrumented.",
            evidence=evidence,
            remedy="Build it with -cover, and see that the image that runs is the one that was built.",
            setting="instrumented_image_source",
        )
    return None


# rules for when the time is over


def crashed_once(seen: Observation) -> t.Optional[Verdict]:
    for pod in seen.current_pods:
        for status in containers(pod):
            ended = _terminated(status)
            if ended is not None and not status.get("ready") and (ended.get("exitCode") != 0 or _restarted(status)):
                return _crash_verdict(seen, pod, status, ended)
    return None


def probe_fails(seen: Observation) -> t.Optional[Verdict]:
    for pod in seen.current_pods:
        for event in reversed(seen.events_of(pod, reason="Unhealthy")):
            message = event.get("message", "")
            return Verdict(
                cause="probe-fails",
                sentence=f"Pod {pod['metadata']['name']} runs, but its probe fails: {_short(message)}",
                evidence=[message, *_log_end(seen, pod["metadata"]["name"], seen.container)],
                remedy="Connection refused: wrong port or not listening yet; 404: wrong path; 5xx: a dependency; "
                "time-out: too slow.",
                setting="coverage_mode_objects",
            )
    return None


def url_silent(seen: Observation) -> t.Optional[Verdict]:
    if not seen.url or seen.url_ready or not seen.rolled_out:
        return None
    return Verdict(
        cause="url-unreachable",
        sentence=f"All pods are ready, but {seen.url} does not answer as it should: {seen.url_answer or 'no answer'}.",
        evidence=[f"{seen.url}: {seen.url_answer}"],
        remedy="Compare the Service's selector and NodePort with the cluster's port mappings and this address.",
        setting="readiness_gate_url",
    )


def still_waiting(seen: Observation) -> t.Optional[Verdict]:
    for pod in seen.current_pods:
        events = seen.events_of(pod)
        if not events:
            continue
        return Verdict(
            cause="not-ready",
            sentence=f"{_name(seen)} was not ready in time: {missing(seen)}.",
            evidence=[f"{event.get('reason')}: {event.get('message')}" for event in events[-3:]]
            + _log_end(seen, pod["metadata"]["name"], seen.container),
            remedy="Give it more time if it only starts slowly.",
            setting="readiness_gate_timeout",
        )
    return None


TERMINAL: tuple[Rule, ...] = (
    workload_missing,
    pods_not_created,
    unschedulable,
    image_not_usable,
    config_missing,
    mount_failed,
    crashed,
    coverage_not_written,
)
SLOW: tuple[Rule, ...] = (crashed_once, probe_fails, url_silent, still_waiting)


def _name(seen: Observation) -> str:
    return f"{seen.kind} {seen.namespace}/{seen.name}"


def _short(message: str) -> str:
    # what comes before that is the same for every container that cannot be started
    text = " ".join(message.split()).rpartition("unable to start container process: ")[2]
    # of wrapped errors the end says most
    return text if len(text) <= 200 else f"{text[:99]} … {text[-98:]}"


def _is_starting(node: Object, now: str) -> bool:
    """Whether a node is not ready yet, or is for so short that pods may not have been offered to it."""
    ready = condition(node, "Ready")
    taints = [taint.get("key") for taint in (node.get("spec") or {}).get("taints") or []]
    if ready.get("status") != "True" or any(taint in STARTING_NODE for taint in taints):
        return True
    since = ready.get("lastTransitionTime")
    if not since or not now:
        return False
    return _moment(now) - _moment(since) < SCHEDULER_BACKOFF


def _moment(text: str) -> float:
    """Seconds since the epoch of a time as Kubernetes and observations write it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _restarted(status: Object) -> bool:
    """Whether a container ended and was started again, or is about to be."""
    return "terminated" in (status.get("lastState") or {}) and "terminated" not in (status.get("state") or {})


def _waiting(seen: Observation, reasons: t.Container[str]) -> t.Iterator[tuple[Object, Object, Object]]:
    for pod in seen.current_pods:
        for status in containers(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in reasons:
                yield pod, status, waiting


def _image(pod: Object, container: str) -> str:
    spec = pod["spec"]
    for item in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        if item["name"] == container:
            return str(item.get("image", ""))
    return ""


def _image_names(seen: Observation, node: str) -> list[str]:
    if node in seen.images:
        return seen.images[node]
    for item in seen.nodes:
        if item["metadata"]["name"] == node:
            return [name for image in item["status"].get("images") or [] for name in image.get("names") or []]
    return []


def _terminated(status: Object) -> t.Optional[Object]:
    return (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated")


def _log_end(seen: Observation, pod: str, container: str) -> list[str]:
    log = seen.logs.get(f"{pod}/{container}/previous") or seen.logs.get(f"{pod}/{container}", "")
    return [line for line in log.splitlines() if line.strip()][-LOG_LINES:]


def _crash_verdict(seen: Observation, pod: Object, status: Object, ended: Object) -> Verdict:
    name, container, code = pod["metadata"]["name"], status["name"], ended.get("exitCode")
    log = _log_end(seen, name, container)
    reason, message = ended.get("reason", ""), ended.get("message", "")
    restarts = status.get("restartCount", 0)
    evidence = [f"container {container}: exit code {code}, {reason or 'no reason'}, {restarts} restarts"]
    evidence += [message] * bool(message) + log
    for event in reversed(seen.events_of(pod, reason="Killing")):
        killed = event.get("message", "")
        probe = next((kind for kind in ("liveness", "startup") if f"failed {kind} probe" in killed), "")
        if not probe or f"{{{container}}}" not in event["involvedObject"].get("fieldPath", ""):
            continue
        said_by = [item["message"] for item in seen.events_of(pod, reason="Unhealthy")]
        failed = [said for said in said_by if said.lower().startswith(f"{probe} probe")]
        return Verdict(
            cause="killed-by-probe",
            sentence=f"Container {container} of pod {name} is killed each time because its {probe} probe fails"
            f"{f': {_short(failed[-1])}' if failed else '.'}",
            evidence=[killed, *failed[-1:], *evidence],
            remedy="Correct the probe's port or path, or give the program more time to start with a startupProbe.",
            setting="coverage_mode_objects",
        )
    if reason == OOM_KILLED:
        return Verdict(
            cause="out-of-memory",
            sentence=f"Container {container} of pod {name} was killed because it needed more memory than its limit.",
            evidence=evidence,
            remedy="Raise its memory limit: atomic counters cost some.",
            setting="coverage_mode_objects",
        )
    if any(sign in line for sign in FOREIGN_SIGNS for line in (message, *log)):
        return Verdict(
            cause="wrong-architecture",
            sentence=f"The binary in container {container} is of another architecture than the node.",
            evidence=evidence,
            remedy="Build for the node's architecture; look for a GOARCH fixed in the Containerfile.",
            setting="instrumented_image_source",
        )
    said = f": {_short(log[-1])}" if log else ""
    return Verdict(
        cause="crash",
        sentence=f"Container {container} of pod {name} ends with exit code {code} each time it starts{said}",
        evidence=evidence,
        remedy="The log's end says what it lacks: often a configuration file, an argument or a dependency.",
        setting="coverage_mode_objects",
    )
