# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of a pod that finds no node.

The scheduler says why only as text with counts for each reason. Its text is quoted and tells which kind of reason it
is; which label, taint or amount it is about is found by comparing the pod with the nodes.
"""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.quantity import quantity
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    condition,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    host_ports,
    quoted,
    seconds_since,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import (
    MANIFEST,
    SETTLING,
    TERMINAL,
    TIMEOUT,
    rule,
)

# seconds in which the scheduler looks again at a pod that fitted no node (its podMaxBackoffSeconds, and some)
SCHEDULER_BACKOFF = 15.0
# and in which the volume controller looks twice more at a claim whose volume was not there (every 15 s), and some
BINDING = 40.0
STARTING_NODE = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/network-unavailable",
    "node.cloudprovider.kubernetes.io/uninitialized",
)
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
COUNTED = re.compile(r"(\d+) ([^,.]+(?:\.[^ ,.][^,.]*)*)")


@rule(
    "A place to run",
    Cause(
        "node-selector",
        title="No node has the label or matches the affinity",
        why=("The missing label is named. A DaemonSet that matches no node has no pod that could say so."),
        remedy="Correct nodeSelector or affinity, or label a node (`kubectl label node`).",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "taint",
        title="The pod tolerates no node",
        why="The taints of the nodes are named.",
        remedy="Give the pod a toleration, or remove the taint from a node (`kubectl taint`).",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "cpu-request",
        title="The pod asks for more CPU than a node has free",
        why="Both amounts are named. `cluster.workers` adds nodes, not larger ones.",
        remedy="Ask for less CPU, or use larger nodes.",
        settings=("workload.objects",),
        terminal="if it is more than any node has",
    ),
    Cause(
        "memory-request",
        title="The pod asks for more memory than a node has free",
        why="Both amounts are named.",
        remedy="Ask for less memory, or use larger nodes.",
        settings=("workload.objects",),
        terminal="if it is more than any node has",
    ),
    Cause(
        "host-port-taken",
        title="Another pod holds the host port",
        why="The pod that holds the port is named: often it is the older pod of the same workload.",
        remedy="Remove `hostPort` (a Service does without), or use the strategy Recreate.",
        settings=("workload.objects",),
        terminal="yes, unless its holder is ending",
    ),
    Cause(
        "claim-missing",
        title="The PersistentVolumeClaim does not exist",
        why="The pod names a claim that the namespace does not have.",
        remedy="Create the PersistentVolumeClaim, or correct `claimName`.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "claim-pending",
        title="The PersistentVolumeClaim is not bound",
        why="No volume was provided; what the provisioner says is in the message.",
        remedy="Give it a StorageClass that provides volumes, or create a PersistentVolume that fits.",
        settings=("workload.objects",),
        terminal="as soon as the controller says so, else after 40 s",
    ),
    Cause(
        "storage-class-missing",
        title="The StorageClass does not exist",
        why=("The claim names a StorageClass that the cluster does not have; the existing ones are named."),
        remedy="Correct `storageClassName`, or install the provisioner.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "volume-elsewhere",
        title="The volume of the pod is on a node where the pod cannot run",
        why="The node affinity of the volume excludes every other node.",
        remedy="Let the pod run where its volume is, or delete the volume.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "unschedulable",
        title="No node can take the pod, for another reason",
        why="The reason of the scheduler is quoted.",
        remedy="Change the pod's requests, selector or tolerations, or the nodes.",
        settings=("workload.objects",),
        terminal="unless it may change by itself",
    ),
)
def unschedulable(seen: Observation) -> t.Iterator[Diagnosis]:
    """No node can take a pod, and waiting changes nothing about it."""
    for pod, message, reason in _unplaced(seen):
        if _may_come(seen, pod, reason):
            continue
        yield _verdict(seen, pod, message, reason)
        return


@rule("A place to run", like=unschedulable, phases=(TIMEOUT,))
def not_placed_yet(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: no node took a pod."""
    for pod, message, reason in _unplaced(seen):
        yield _verdict(seen, pod, message, reason)
        return


@rule("A place to run", gives=("claim-pending", "storage-class-missing"), phases=(TERMINAL, TIMEOUT))
def claim_unbound(seen: Observation) -> t.Iterator[Diagnosis]:
    """A claim whose provisioner says why it gives no volume; the scheduler may not have a word about it."""
    if any(not pod["spec"].get("nodeName") for pod in seen.current_pods):
        # a claim without a word may only wait for its pod to be placed
        told = (item for item in claims_that_wait(seen) if item.evidence != ("phase: Pending",))
        yield from itertools.islice(told, 1)


def _unplaced(seen: Observation) -> t.Iterator[tuple[Object, str, str]]:
    for pod in seen.current_pods:
        scheduled = condition(pod, "PodScheduled")
        if scheduled.get("reason") == "Unschedulable":
            message = scheduled.get("message", "")
            reason = _reason(message)
            if reason == "selector" and "taint" in message and _selected(seen, pod["spec"]):
                reason = "taint"  # of the nodes that it asks for
            yield pod, message, reason


def _reason(message: str) -> str:
    """The reason that most nodes have; a control plane's own taint counts only where there is no other."""
    if "persistentvolumeclaim" in message and "not found" in message:
        return "claim"
    if "unbound immediate PersistentVolumeClaims" in message:
        return "unbound"
    # what follows the first sentence is about preemption
    counted: dict[str, int] = {}
    for number, text in COUNTED.findall(message.partition("available: ")[2].partition(". ")[0]):
        kind = _kind(text)
        counted[kind] = counted.get(kind, 0) + int(number)
    # a pod that asks for a node by its labels will never land on those of the other reasons
    for kind in ("selector", "volume-node"):
        if counted.get(kind) and len(counted) <= 2 and set(counted) <= {kind, "taint"}:
            return kind
    others = {kind: number for kind, number in counted.items() if kind != "taint"}
    return max(others or counted or {"": 0}, key=lambda kind: (others or counted or {"": 0})[kind])


def _kind(text: str) -> str:
    for sign, kind in (
        ("affinity/selector", "selector"),
        ("untolerated taint", "taint"),
        ("Insufficient cpu", "cpu"),
        ("Insufficient memory", "memory"),
        ("Insufficient", "resource"),
        ("Too many pods", "resource"),
        ("free ports", "ports"),
        ("volume node affinity", "volume-node"),
        ("were unschedulable", "cordoned"),
        ("affinity", "affinity"),
        ("topology spread", "affinity"),
    ):
        if sign in text:
            return kind
    return ""


def _may_come(seen: Observation, pod: Object, reason: str) -> bool:
    """Whether the next seconds may bring a node, or room on one."""
    if seen.waited < SETTLING or any(is_starting(node, seen.now) for node in seen.nodes):
        return True
    if any(event.get("reason") == "TriggeredScaleUp" for event in seen.events_of(pod)):
        return True  # an autoscaler makes a node for it
    if reason == "unbound":
        return not list(claims_that_wait(seen))
    if reason in ("cpu", "memory"):
        if not seen.nodes:
            return True  # without access to nodes their capacity is unknown
        needed = requested(pod["spec"], reason)
        # a pod that ends frees its share; what is more than any node has, no one can free
        return any(needed <= _allocatable(node, reason) for node in _open_nodes(seen, pod))
    if reason == "ports":
        return any("deletionTimestamp" in holder["metadata"] for holder in seen.port_holders)
    return reason in ("resource", "affinity", "cordoned")


def _verdict(seen: Observation, pod: Object, message: str, reason: str) -> Diagnosis:
    name, spec = pod["metadata"]["name"], pod["spec"]
    why = quoted(message.partition(". ")[0])
    evidence = [message]
    more, remedy, cause = "", "Change the pod's requests, selector or tolerations, or the nodes.", "unschedulable"
    if reason == "selector":
        remedy, cause = "Correct nodeSelector or affinity, or label a node (kubectl label node).", "node-selector"
        more = _selector(seen, spec)
    elif reason == "taint":
        remedy, cause = "Give the pod a toleration, or remove the taint from a node (kubectl taint).", "taint"
        more = _taints(seen, spec)
    elif reason in ("cpu", "memory"):
        needed, most = requested(spec, reason), max((_allocatable(node, reason) for node in seen.nodes), default=0.0)
        more = f"it asks for {_amount(needed, reason)}"
        if seen.nodes:
            more += f", the largest node has {_amount(most, reason)}"
            more += "" if needed > most else ", and others use too much of that"
        if reason == "cpu":
            remedy, cause = "Ask for less CPU, or use larger nodes.", "cpu-request"
        else:
            remedy, cause = "Ask for less memory, or use larger nodes.", "memory-request"
    elif reason == "ports":
        remedy, cause = "Remove hostPort (a Service does not need it), or use another port.", "host-port-taken"
        more = _port_holders(seen, spec)
        if "older pod" in more:
            remedy = "Let the older pod end first: strategy Recreate; or remove hostPort."
    elif reason == "claim":
        remedy, cause = "Create the PersistentVolumeClaim, or correct claimName.", "claim-missing"
    elif reason == "unbound":
        waiting = next(claims_that_wait(seen), None)
        if waiting is not None:
            return waiting
        remedy, cause = "Find out why the PersistentVolumeClaim is not bound (kubectl describe pvc).", "claim-pending"
    elif reason == "affinity":
        remedy = (
            "Ask for no more replicas than there are nodes, or let podAntiAffinity and topology spread only prefer."
        )
    elif reason == "volume-node":
        remedy, cause = "Let the pod run where its volume is, or delete the volume.", "volume-elsewhere"
    sentence = f"No node can take pod {name}: {f'{more} ({why}).' if more else why}"
    return Diagnosis(cause=cause, sentence=sentence, evidence=evidence, remedy=remedy, setting=MANIFEST)


def claims_that_wait(seen: Observation) -> t.Iterator[Diagnosis]:
    """A claim of the pods that cannot be bound: nothing provides its class, or its provisioner reports why."""
    wanted = {
        (volume.get("persistentVolumeClaim") or {}).get("claimName")
        for pod in seen.current_pods
        for volume in pod["spec"].get("volumes") or []
    }
    for claim in seen.claims:
        name = claim["metadata"]["name"]
        if name not in wanted or (claim.get("status") or {}).get("phase") != "Pending":
            continue
        age = seconds_since(seen, claim["metadata"].get("creationTimestamp", ""))
        if age < SETTLING:
            continue
        events = [
            event for event in seen.events_of(claim) if event.get("reason") in ("ProvisioningFailed", "FailedBinding")
        ]
        said = [event.get("message", "") for event in events][-2:]
        wanted_class = (claim.get("spec") or {}).get("storageClassName")
        known = seen.names.get("StorageClass")
        start = f"PersistentVolumeClaim {seen.namespace}/{name} is not bound"
        if wanted_class and known is not None and wanted_class not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            yield Diagnosis(
                cause="storage-class-missing",
                sentence=f"{start}: there is no StorageClass {wanted_class}; {there}.",
                evidence=said or [f"phase: Pending, storageClassName: {wanted_class}"],
                remedy="Correct storageClassName, or install the provisioner.",
                setting=MANIFEST,
            )
        elif said or age >= BINDING:
            # without a word of the controller, it may only not have come to it: a claim on a volume just made has none
            why = quoted(said[-1]) if said else _why_unbound(claim, wanted_class)
            if "access mode" in why:
                why = f"it asks for {', '.join((claim.get('spec') or {}).get('accessModes') or [])}: {why}"
            yield Diagnosis(
                cause="claim-pending",
                sentence=f"{start}: {why}",
                evidence=said or ["phase: Pending"],
                remedy="Give it a StorageClass that provides volumes, or create a PersistentVolume that fits.",
                setting=MANIFEST,
            )


def _why_unbound(claim: Object, wanted_class: t.Optional[str]) -> str:
    volume = (claim.get("spec") or {}).get("volumeName")
    if volume:
        return f"it names PersistentVolume {volume}, which does not accept it."
    return "no event explains why." if wanted_class else "it names no StorageClass, and there is no default."


# what the pod requests, compared with the nodes


def _selected(seen: Observation, spec: Object) -> list[Object]:
    """The nodes that have the labels of its nodeSelector; none where an affinity says more."""
    wanted = spec.get("nodeSelector") or {}
    if not wanted or (spec.get("affinity") or {}).get("nodeAffinity"):
        return []
    return [node for node in seen.nodes if wanted.items() <= (node["metadata"].get("labels") or {}).items()]


def _selector(seen: Observation, spec: Object) -> str:
    if not seen.nodes:
        wanted = ", ".join(f"{key}={value}" for key, value in sorted((spec.get("nodeSelector") or {}).items()))
        return f"it asks for a node with {wanted}" if wanted else ""
    for key, value in sorted((spec.get("nodeSelector") or {}).items()):
        labels = [(node["metadata"].get("labels") or {}) for node in seen.nodes]
        values = sorted({item[key] for item in labels if key in item})
        if value not in values:
            there = f"it is {' or '.join(values)} there" if values else f"none has {key}"
            return f"no node has label {key}={value}, {there}"
    return "no node matches its affinity" if spec.get("affinity") else ""


def _taints(seen: Observation, spec: Object) -> str:
    found = [
        f"{node['metadata']['name']} has {taint['key']}={taint.get('value', '')}:{taint.get('effect')}"
        for node in _selected(seen, spec) or seen.nodes
        for taint in _untolerated(node, spec)
    ]
    return f"it does not tolerate the nodes' taints: {', '.join(found)}" if found else ""


def _untolerated(node: Object, spec: Object) -> list[Object]:
    tolerations = spec.get("tolerations") or []

    def tolerated(taint: Object) -> bool:
        for item in tolerations:
            fits = item.get("key") in (None, "", taint.get("key")) and item.get("effect") in (
                None,
                "",
                taint.get("effect"),
            )
            if fits and (item.get("operator") == "Exists" or item.get("value", "") == taint.get("value", "")):
                return True
        return False

    taints = (node.get("spec") or {}).get("taints") or []
    return [taint for taint in taints if taint.get("effect") != "PreferNoSchedule" and not tolerated(taint)]


def _open_nodes(seen: Observation, pod: Object) -> list[Object]:
    return [node for node in seen.nodes if not _untolerated(node, pod["spec"])]


def _allocatable(node: Object, resource: str) -> float:
    status = node.get("status") or {}
    amount = (status.get("allocatable") or {}).get(resource)
    return quantity(amount) if amount is not None else 0.0


def requested(spec: Object, resource: str) -> float:
    """What the scheduler counts: the sum of the containers, or the largest init container."""

    def of(container: Object) -> float:
        resources = container.get("resources") or {}
        amount = (resources.get("requests") or {}).get(resource, (resources.get("limits") or {}).get(resource))
        return quantity(amount) if amount is not None else 0.0

    first = max((of(item) for item in spec.get("initContainers") or []), default=0.0)
    return max(first, sum(of(item) for item in spec.get("containers") or []))


def _amount(number: float, resource: str) -> str:
    return f"{number:g} CPUs" if resource == "cpu" else f"{number / 2**20:.0f} MiB"


def _port_holders(seen: Observation, spec: Object) -> str:
    ports = host_ports(spec)
    own = {pod["metadata"].get("uid") for pod in seen.pods}
    for holder in seen.port_holders:
        taken = sorted(ports & host_ports(holder["spec"]))
        if not taken:
            continue
        metadata = holder["metadata"]
        who = f"pod {metadata.get('namespace')}/{metadata['name']}"
        if metadata.get("uid") in own:
            who = f"the older pod {metadata['name']} of the same workload"
        return f"host port {taken[0]} is held by {who} on node {holder['spec'].get('nodeName')}"
    return f"host port {', '.join(map(str, sorted(ports)))} is taken" if ports else ""


def is_starting(node: Object, now: str) -> bool:
    """Whether a node is not ready yet, or is for so short that pods may not have been offered to it."""
    ready = condition(node, "Ready")
    taints = [taint.get("key") for taint in (node.get("spec") or {}).get("taints") or []]
    if ready.get("status") != "True" or any(taint in STARTING_NODE for taint in taints):
        return True
    since = ready.get("lastTransitionTime")
    if not since or not now:
        return False
    return moment(now) - moment(since) < SCHEDULER_BACKOFF
