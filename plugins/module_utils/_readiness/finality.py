# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether time may still cure what a rule found: the one question before a wait is ended.

A cause is final where only somebody's change cures it. Where Kubernetes, a controller or the program itself tries
again, the wait goes on, and the cause is only the likeliest one when the time is over. For every cause that ends a wait
it is said here, and tests/unit asks it of every one.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    condition,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import seconds_since

ISSUED = 4.0  # seconds in which a controller makes a Secret, a ConfigMap or an account that a pod waits for
UNKNOWN = 20.0  # seconds for which the kubelet tries what failed with words that nobody knows
TWICE = 2
QUEUE = "kueue.x-k8s.io/queue-name"
# what kubelets say while a node is still being made
NETWORK_COMES = ("cni plugin not initialized", "network is not ready", "NetworkPluginNotReady", "failed to find plugin")
# what the API server says of a webhook that has endpoints, and does not answer
STARTING = ("connection refused", "deadline exceeded", "EOF", "i/o timeout", "connection reset")

LATER = ("probe-unauthorized", "listens-on-loopback", "killed-by-probe")

Answer = t.Callable[[Observation, Diagnosis], str]


def may_pass(seen: Observation, verdict: Diagnosis) -> str:
    """Return why time may still cure what was found, empty where it cannot."""
    return CURES.get(verdict.cause, _never)(seen, verdict)


# the answers


def _never(_seen: Observation, _verdict: Diagnosis) -> str:
    return ""


def _asked_again(seen: Observation, verdict: Diagnosis) -> str:
    """A probe asks again and again; only a container that was killed for it twice is given up."""
    return "" if _ends(seen, verdict.subject) >= TWICE else "the probe asks again, and the program may only be starting"


def _tried_again(seen: Observation, verdict: Diagnosis) -> str:
    """A program that runs on may try again, and one that ended once is started again, while others still come up."""
    ends = _ends(seen, verdict.subject)
    if not ends:
        return "the program runs on, and may try again"
    if _is_given_up(seen):
        return ""
    if seen.moving:
        return f"others still come up: {seen.moving[0]}"
    if _is_job(seen):
        return "the Job starts another pod"
    # whose Service lacks a workload that can ever serve it, need not be tried twice
    return "" if ends >= TWICE or verdict.also else "it ended once, and is started again"


def _started_again(seen: Observation, verdict: Diagnosis) -> str:
    """What a program said of itself when it ended: the same at the second time is final."""
    return "" if _ends(seen, verdict.subject) >= TWICE or _is_given_up(seen) else "it ended once, and is started again"


def _unknown_end(seen: Observation, verdict: Diagnosis) -> str:
    """An end whose reason is not known may be a wait for something, as long as others come up."""
    if _is_given_up(seen) or (seen.kind == "Pod" and _phase(seen) == "Failed"):
        return ""
    if seen.moving:
        return f"others still come up: {seen.moving[0]}"
    if _is_job(seen):
        return "the Job starts another pod"
    return "" if _ends(seen, verdict.subject) >= TWICE else "it ended, and is started again"


def _is_made(seen: Observation, _verdict: Diagnosis) -> str:
    """A controller may be about to make what a pod waits for: a certificate's Secret, an account, a volume."""
    if _age(seen) < ISSUED:
        return "a controller may be about to make it"
    if seen.makers:
        return f"it may come of {seen.makers[0]}"
    return f"others still come up: {seen.moving[0]}" if seen.moving else ""


def _provided(seen: Observation, _verdict: Diagnosis) -> str:
    return "the provisioner tries again" if _age(seen) < ISSUED else ""


def _kubelet_tries(seen: Observation, _verdict: Diagnosis) -> str:
    return "the kubelet tries again" if _age(seen) < UNKNOWN else ""


def _controller_tries(seen: Observation, _verdict: Diagnosis) -> str:
    """A controller whose pods are refused tries again; who refuses may still be starting."""
    if _age(seen) < ISSUED:
        return "the controller tries again"
    return f"others still come up: {seen.moving[0]}" if seen.moving else ""


def _webhook_starts(seen: Observation, verdict: Diagnosis) -> str:
    """A webhook that has endpoints may have been starting when it was called; it is called again, ever more rarely."""
    words = " ".join(verdict.evidence)
    if any(sign in words for sign in STARTING):
        return "the webhook may only be starting"
    return _controller_tries(seen, verdict)


def _room_comes(seen: Observation, _verdict: Diagnosis) -> str:
    """What ends gives room: other pods, and the older pods of a rollout that may take some away."""
    if seen.moving:
        return f"others may make room: {seen.moving[0]}"
    return "the rollout ends older pods first" if _takes_away(seen) and len(seen.pods) > len(seen.current_pods) else ""


def _port_comes(seen: Observation, verdict: Diagnosis) -> str:
    holders = [owner for pod in seen.port_holders for owner in pod["metadata"].get("ownerReferences") or []]
    if any(owner.get("kind") == "Job" for owner in holders):
        return "its holder is of a Job that ends"
    return _room_comes(seen, verdict) if len(seen.pods) > len(seen.current_pods) and _takes_away(seen) else ""


def _always(_seen: Observation, _verdict: Diagnosis) -> str:
    return "what the scheduler waits for may come"


def _registry_comes(seen: Observation, verdict: Diagnosis) -> str:
    """A registry may only be away; at the address of the node itself there is none."""
    loopback = any(
        f"{name}:" in verdict.sentence or f"{name}/" in verdict.sentence for name in ("localhost", "127.0.0.1")
    )
    return "" if loopback else "the registry may only be away"


def _secret_comes(seen: Observation, verdict: Diagnosis) -> str:
    return _is_made(seen, verdict) if "missing" in verdict.sentence else ""


def _applied(seen: Observation, _verdict: Diagnosis) -> str:
    """An operator or a Job may be about to make the workload."""
    return f"others still come up: {seen.moving[0]}" if seen.moving else ""


def _queued(seen: Observation, _verdict: Diagnosis) -> str:
    labels = ((seen.workload or {}).get("metadata") or {}).get("labels") or {}
    return "a queue starts it when there is room" if QUEUE in labels else ""


def _network_comes(_seen: Observation, verdict: Diagnosis) -> str:
    words = " ".join(verdict.evidence)
    return "the node's network is being made" if any(sign in words for sign in NETWORK_COMES) else ""


CURES: dict[str, Answer] = {
    # the manifest itself, an image or a program: only somebody's change cures it
    **dict.fromkeys(
        (
            *("admission-policy-refused", "command-missing", "command-not-executable", "image-name-invalid"),
            *("image-not-on-node", "image-not-in-registry", "image-pull-policy", "wrong-architecture", "limit-range"),
            *("pod-security-refused", "priority-class-missing", "storage-class-missing", "root-not-allowed"),
            *("user-not-numeric", "node-selector", "node-missing", "taint", "volume-elsewhere", "cpu-request"),
            *("memory-request", "scaled-to-zero", "rollout-paused", "job-failed", "job-deadline"),
            *("namespace-terminating", "probe-command", "config-key-missing", "min-ready-seconds"),
            *("secret-key-missing", "host-path-type", "admission-webhook-refused"),
        ),
        _never,
    ),
    # a program that is ready has had its chance to write: the rules wait for it themselves
    **dict.fromkeys(
        (
            *("no-covmeta", "not-instrumented", "gocoverdir-unset", "coverage-not-writable", "coverage-read-only"),
            *("coverage-path-mismatch", "coverage-folder-missing"),
        ),
        _never,
    ),
    **dict.fromkeys(
        ("probe-port", "probe-path", "probe-timeout", "probe-scheme", "probe-fails", "probe-host", *LATER), _asked_again
    ),
    **dict.fromkeys(
        (
            *("dependency-down", "dependency-name", "dependency-auth", "dependency-schema", "dependency-tls"),
            *("dependency-permission", "dependency-refuses", "rbac-forbidden", "crd-missing", "config-file-missing"),
        ),
        _tried_again,
    ),
    **dict.fromkeys(
        (
            *("bad-argument", "config-error", "completes", "file-permission", "open-files", "out-of-memory", "panic"),
            *("post-start-hook",),
            *("port-in-use", "port-not-allowed", "token-not-mounted", "disk-full"),
        ),
        _started_again,
    ),
    "crash": _unknown_end,
    **dict.fromkeys(
        (
            *("config-map-missing", "secret-missing", "claim-missing", "service-account-missing"),
            "service-without-endpoints",
        ),
        _is_made,
    ),
    "claim-pending": _provided,
    **dict.fromkeys(("container-config", "mount-failed"), _kubelet_tries),
    "admission-webhook-unreachable": _webhook_starts,
    "pods-not-created": _controller_tries,
    "quota-exceeded": _room_comes,
    "host-port-taken": _port_comes,
    "unschedulable": _always,
    "registry-unreachable": _registry_comes,
    "image-pull-secret": _secret_comes,
    "workload-missing": _applied,
    "workload-suspended": _queued,
    "sandbox-failed": _network_comes,
}


# readers


def _ends(seen: Observation, container: str) -> int:
    """How often a container of the current pods has ended with an error; of a Job, how many of its pods."""
    most = 0
    failed = 0
    for pod in seen.current_pods:
        for status in containers(pod):
            if container not in ("", status["name"]):
                continue
            now = (status.get("state") or {}).get("terminated")
            # each start after the first one had an end before it
            ends = int(status.get("restartCount") or 0) + (1 if now is not None and now.get("exitCode") != 0 else 0)
            if ((status.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff":
                ends = int(status.get("restartCount") or 0) + 1
            most = max(most, ends)
        failed += (pod.get("status") or {}).get("phase") == "Failed"
    return max(most, failed)


def _is_job(seen: Observation) -> bool:
    return seen.kind in ("Job", "CronJob")


def _phase(seen: Observation) -> str:
    return str(((seen.workload or {}).get("status") or {}).get("phase") or "")


def _is_given_up(seen: Observation) -> bool:
    """Whether nobody starts it again: a Job that failed, a pod that ended."""
    if seen.kind == "Pod":
        return _phase(seen) == "Failed"
    job = seen.newest_job
    return (
        _is_job(seen)
        and job is not None
        and any(condition(job, kind).get("status") == "True" for kind in ("Failed", "FailureTarget"))
    )


def _age(seen: Observation) -> float:
    """Seconds for which the workload has been like this: since its newest pod, or its newest revision, was made."""
    items: list[t.Optional[Object]] = [*seen.current_pods] or [
        seen.newest_replica_set or seen.newest_job or seen.workload
    ]
    made = [str(item["metadata"].get("creationTimestamp") or "") for item in items if item]
    newest = max(made, key=moment, default="")
    return min(seconds_since(seen, newest), 10**6) if newest else seen.waited


def _takes_away(seen: Observation) -> bool:
    """Whether a rollout may end older pods before the newer ones are ready."""
    strategy = seen.spec.get("strategy") or seen.spec.get("updateStrategy") or {}
    if strategy.get("type") in ("Recreate", "OnDelete"):
        return strategy.get("type") == "Recreate"
    if seen.kind != "Deployment":
        return seen.kind in ("StatefulSet", "DaemonSet")
    most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    if isinstance(most, str) and most.endswith("%"):
        return int(most[:-1]) * seen.wanted // 100 > 0
    return int(most) > 0
