# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of a rollout that does not end though programs run: hooks, gates, older pods, what a pod names and is not."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import count
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    condition,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    is_of,
    name_of,
    quoted,
    seconds_since,
    specifications,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import (
    MANIFEST,
    SETTLING,
    TIMEOUT,
    rule,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import manifest

HOOK_MISSING = re.compile(r'exec: "(?P<program>[^"]+)": (?:executable file not found|stat \S+: no such file)')
DEFAULT_SCHEDULER = "default-scheduler"
SCHEDULED = 5.0  # seconds in which a scheduler says a first word about a pod


@rule(
    "Programs that end",
    Cause(
        "post-start-hook",
        title="The postStart hook of a container fails",
        why="The kubelet kills the container each time its hook fails; its words are in the message.",
        remedy="Correct the hook, or remove it; the image needs the program that it runs.",
        settings=("workload.objects",),
        terminal="at the second end",
    ),
)
def hook_failed(seen: Observation) -> t.Iterator[Diagnosis]:
    """A container that is killed because its hook fails; the program itself is well."""
    for pod in seen.current_pods:
        for event in reversed(seen.events_of(pod, reason="FailedPostStartHook")):
            message = event.get("message", "")
            for container in specifications(pod["spec"]):
                hook = (container.get("lifecycle") or {}).get("postStart")
                if not hook or not is_of(event, container["name"]):
                    continue
                command = " ".join((hook.get("exec") or {}).get("command") or [])
                found = HOOK_MISSING.search(message)
                why = f"the image has no {found['program']}" if found else quoted(message.rpartition("error: ")[2])
                shown = f" ({command})" if command else ""
                where = manifest.place(pod, container["name"], "lifecycle.postStart")
                yield Diagnosis(
                    cause="post-start-hook",
                    sentence=f"The postStart hook of container {container['name']} in pod"
                    f" {pod['metadata']['name']}{shown} fails: {why}; Kubernetes kills the container for it.",
                    evidence=[message],
                    remedy=f"Correct or remove {where}.",
                    setting=MANIFEST,
                    subject=container["name"],
                )
                break
            else:
                continue
            break


@rule(
    "A place to run",
    gives=("unschedulable", "node-missing"),
)
def nobody_takes_it(seen: Observation) -> t.Iterator[Diagnosis]:
    """A pod that is for a node, or for a scheduler, that is not there."""
    spec, nodes = seen.pod_spec, sorted(node["metadata"]["name"] for node in seen.nodes)
    name = spec.get("nodeName") if seen.kind != "Pod" or not condition(seen.workload or {}, "Initialized") else ""
    if name and nodes and name not in nodes and seen.waited >= SETTLING:
        yield Diagnosis(
            cause="node-missing",
            sentence=f"{name_of(seen)} asks for node {name} by nodeName, and there is no such node; the cluster has"
            f" {', '.join(nodes)}.",
            evidence=[f"nodeName: {name}", f"nodes: {', '.join(nodes)}"],
            remedy="Remove nodeName from the pod's spec, or name a node of this cluster.",
            setting=MANIFEST,
        )
    scheduler = spec.get("schedulerName") or DEFAULT_SCHEDULER
    if scheduler == DEFAULT_SCHEDULER:
        return
    for pod in seen.current_pods:
        age = seconds_since(seen, str(pod["metadata"].get("creationTimestamp") or ""))
        if pod["spec"].get("nodeName") or condition(pod, "PodScheduled") or age < SCHEDULED:
            continue
        yield Diagnosis(
            cause="unschedulable",
            sentence=f"Pod {pod['metadata']['name']} waits for scheduler {scheduler}, which has not said a word about"
            " it: no scheduler of that name runs here.",
            evidence=[f"schedulerName: {scheduler}", "no condition PodScheduled, no event"],
            remedy=f"Remove schedulerName from the pod's spec, or run scheduler {scheduler}.",
            setting=MANIFEST,
        )
        return


@rule(
    "The workload and its pods",
    Cause(
        "readiness-gate-unset",
        title="Nobody sets a readiness gate of the pod",
        why="Its containers are ready; `readinessGates` names a condition that a controller would have to set.",
        remedy="Install the controller that sets the condition, or remove the gate from `readinessGates`.",
        settings=("workload.objects",),
        terminal="no",
    ),
    Cause(
        "min-ready-seconds",
        title="The pods are ready, and not for long enough yet",
        why="`minReadySeconds` says how long a pod has to be ready before it counts as available.",
        remedy="Lower `minReadySeconds`, or give the gate more time.",
        settings=("workload.objects", "readiness.timeout"),
        terminal="where the wait is over before",
    ),
    Cause(
        "old-pod-stays",
        title="An older pod does not go",
        why="The rollout has its pods; an older one is deleted and still there: a finalizer, a hook, or a long end.",
        remedy="Remove the finalizer, or let the program end on SIGTERM.",
        settings=("workload.objects",),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def ready_but(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: the containers are ready, and the rollout is not complete."""
    yield from _gates(seen)
    if seen.workload is None or len(seen.ready_pods) < seen.wanted or not seen.wanted:
        return
    yield from _too_young(seen)
    current = {pod["metadata"]["name"] for pod in seen.current_pods}
    for pod in seen.pods:
        if pod["metadata"]["name"] not in current and "deletionTimestamp" in pod["metadata"]:
            yield _stays(seen, pod)
            return


@rule("The workload and its pods", gives=("min-ready-seconds",))
def never_in_time(seen: Observation) -> t.Iterator[Diagnosis]:
    """Pods that are ready, and cannot count as available before the wait is over."""
    if not seen.timeout or not seen.wanted or len(seen.ready_pods) < seen.wanted:
        return
    ages = sorted((_ready_for(seen, pod) for pod in seen.ready_pods), reverse=True)
    minimum = int(seen.spec.get("minReadySeconds") or 0)
    if minimum - ages[seen.wanted - 1] > seen.timeout - seen.waited:
        yield from _too_young(seen)


def _ready_for(seen: Observation, pod: Object) -> float:
    return seconds_since(seen, str(condition(pod, "Ready").get("lastTransitionTime") or ""))


def _too_young(seen: Observation) -> t.Iterator[Diagnosis]:
    status, minimum = (seen.workload or {}).get("status") or {}, int(seen.spec.get("minReadySeconds") or 0)
    available = int(status.get("availableReplicas", status.get("numberAvailable", 0)) or 0)
    if minimum and available < seen.wanted:
        yield Diagnosis(
            cause="min-ready-seconds",
            sentence=f"{count(len(seen.ready_pods), 'pod')} of {name_of(seen)} is ready, and counts as available only"
            f" after minReadySeconds: {minimum}.",
            evidence=[f"minReadySeconds: {minimum}", f"available: {available} of {seen.wanted}"],
            remedy=f"Lower spec.minReadySeconds ({minimum}), or give the gate more than {minimum} s.",
            setting=MANIFEST,
        )


def _gates(seen: Observation) -> t.Iterator[Diagnosis]:
    for pod in seen.current_pods:
        if pod in seen.ready_pods or condition(pod, "ContainersReady").get("status") != "True":
            continue
        for gate in pod["spec"].get("readinessGates") or []:
            kind = gate.get("conditionType", "")
            found = condition(pod, kind)
            if found.get("status") == "True":
                continue
            is_set = f"has it {found.get('status')}" if found else "lacks it: nobody sets it here"
            yield Diagnosis(
                cause="readiness-gate-unset",
                sentence=f"The containers of pod {pod['metadata']['name']} are ready, but its readiness gate wants"
                f" condition {kind}, and the pod {is_set}.",
                evidence=[f"readinessGates: {kind}", *([f"{kind}: {found.get('message')}"] if found else [])],
                remedy=f"Install the controller that sets {kind}, or remove it from readinessGates.",
                setting=MANIFEST,
            )
            return


def _stays(seen: Observation, pod: Object) -> Diagnosis:
    name, metadata = pod["metadata"]["name"], pod["metadata"]
    finalizers = metadata.get("finalizers") or []
    grace = metadata.get("deletionGracePeriodSeconds", pod["spec"].get("terminationGracePeriodSeconds", 30))
    since = seconds_since(seen, str(metadata.get("deletionTimestamp") or ""))
    hooks = [item["name"] for item in specifications(pod["spec"]) if (item.get("lifecycle") or {}).get("preStop")]
    if finalizers:
        why = f"its finalizer {', '.join(finalizers)} is not removed"
        remedy = f"Let its controller remove finalizer {finalizers[0]}, or remove it (kubectl patch)."
    elif hooks:
        why = f"the preStop hook of container {', '.join(hooks)} may take up to its grace period of {grace} s"
        remedy = "Shorten the preStop hook, or terminationGracePeriodSeconds."
    else:
        why = f"it has {grace} s (terminationGracePeriodSeconds) to end after SIGTERM, and its program takes them"
        remedy = "Let the program end on SIGTERM, or shorten terminationGracePeriodSeconds."
    return Diagnosis(
        cause="old-pod-stays",
        sentence=f"The pods of {name_of(seen)} are ready, but older pod {name} is deleted and does not go: {why}.",
        evidence=[f"deletionTimestamp: {metadata.get('deletionTimestamp')} ({since:.0f} s ago)"]
        + ([f"finalizers: {', '.join(finalizers)}"] if finalizers else []),
        remedy=remedy,
        setting=MANIFEST,
    )


@rule(
    "The workload and its pods",
    Cause(
        "not-due-yet",
        title="The CronJob has not run yet",
        why="It starts a Job at the times of its `schedule` only.",
        remedy="Start a Job by hand (`kubectl create job --from=cronjob/NAME`), or correct the schedule.",
        settings=("workload.objects",),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def not_due(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: a CronJob whose time has not come."""
    if seen.kind != "CronJob" or seen.workload is None or seen.jobs:
        return
    schedule = (seen.workload.get("spec") or {}).get("schedule", "")
    zone = (seen.workload.get("spec") or {}).get("timeZone")
    yield Diagnosis(
        cause="not-due-yet",
        sentence=f"{name_of(seen)} has not run: its schedule is {schedule}{f' in {zone}' if zone else ''}.",
        evidence=[
            f"schedule: {schedule}",
            f"lastScheduleTime: {(seen.workload.get('status') or {}).get('lastScheduleTime')}",
        ],
        remedy=f"Start a Job by hand (kubectl create job --from=cronjob/{seen.name}), or correct spec.schedule.",
        setting=MANIFEST,
    )
