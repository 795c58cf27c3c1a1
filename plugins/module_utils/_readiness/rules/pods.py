# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes around a pod: it was evicted, its node is gone, its sandbox cannot be made, an init container does not end."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Observation,
    condition,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    first_seen,
    log_end,
    name_of,
    quoted,
    seconds_since,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST, TIMEOUT, rule

SANDBOX = 15.0  # seconds after which a node that is still starting no longer explains a pod without a network


@rule(
    "The workload and its pods",
    Cause(
        "evicted",
        title="The pod was evicted",
        why="The kubelet removed the pod because its node ran short of disk or memory.",
        remedy="Free space on the node, or give the pod requests that say what it needs.",
        settings=("workload.objects",),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def evicted(seen: Observation) -> t.Iterator[Diagnosis]:
    """The kubelet evicted a pod because its node ran short of something."""
    for pod in seen.current_pods:
        status = pod.get("status") or {}
        if status.get("reason") != "Evicted":
            continue
        yield Diagnosis(
            cause="evicted",
            sentence=f"Pod {pod['metadata']['name']} was evicted from node {pod['spec'].get('nodeName', '?')}:"
            f" {quoted(status.get('message', ''))}",
            evidence=[f"Evicted: {status.get('message', '')}", *_pressures(seen)],
            remedy="Free disk or memory on the node, or give the pod requests that say what it needs.",
            setting=MANIFEST,
        )


@rule(
    "The workload and its pods",
    Cause(
        "sandbox-failed",
        title="The node cannot set up the pod",
        why="The network or the first container of the pod cannot be created on its node.",
        remedy=("Check that the cluster's network plugin runs on that node (`kubectl -n kube-system get pods`)."),
        settings=("cluster.name",),
        terminal="after 15 s",
    ),
)
def no_sandbox(seen: Observation) -> t.Iterator[Diagnosis]:
    """The node cannot create the pod's network or its first container."""
    for pod in seen.current_pods:
        if (pod.get("status") or {}).get("phase") != "Pending":
            continue
        for event in reversed(seen.events_of(pod, reason="FailedCreatePodSandBox")):
            ready = condition(pod, "PodReadyToStartContainers").get("status") == "True"
            if ready or seconds_since(seen, first_seen(event)) < SANDBOX:
                continue
            yield Diagnosis(
                cause="sandbox-failed",
                sentence=f"Node {pod['spec'].get('nodeName', '?')} cannot set up pod {pod['metadata']['name']}:"
                f" {quoted(event.get('message', ''))}",
                evidence=[event.get("message", "")],
                remedy="Check that the cluster's network plugin runs on that node (kubectl -n kube-system get pods).",
                setting="cluster.name",
            )
            break


@rule(
    "The workload and its pods",
    Cause(
        "node-not-ready",
        title="A node is not ready",
        why="The node of the pod does not report, or the pod waits for a node that is not ready.",
        remedy="Check its kubelet, or move the pod.",
        settings=("cluster.name",),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def node_down(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: the pod's node does not report."""
    down = {
        node["metadata"]["name"]: condition(node, "Ready")
        for node in seen.nodes
        if condition(node, "Ready").get("status") in ("False", "Unknown")
    }
    for pod in seen.current_pods:
        node = pod["spec"].get("nodeName", "")
        if node in down and pod not in seen.ready_pods:
            said = down[node].get("message") or down[node].get("reason") or "no word"
            yield Diagnosis(
                cause="node-not-ready",
                sentence=f"Node {node}, where pod {pod['metadata']['name']} is, is not ready: {quoted(said)}",
                evidence=[f"Ready={down[node].get('status')}: {down[node].get('reason')}: {said}"],
                remedy="See its kubelet, or move the pod.",
                setting="cluster.name",
            )
            return
    if down and any(condition(pod, "PodScheduled").get("status") == "False" for pod in seen.current_pods):
        name, found = min(down.items())
        yield Diagnosis(
            cause="node-not-ready",
            sentence=f"A pod of {name_of(seen)} waits for a node, and node {name} is not ready.",
            evidence=[f"{name}: Ready={found.get('status')}: {found.get('reason')}: {found.get('message')}"],
            remedy="Check its kubelet.",
            setting="cluster.name",
        )


@rule(
    "Programs that run and are not ready",
    Cause(
        "init-stuck",
        title="An init container still runs",
        why="The other containers wait for it. Its last line is in the message.",
        remedy="Check what it waits for: read its command and its log.",
        settings=("workload.objects",),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def init_stuck(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: an init container still runs."""
    for pod in seen.current_pods:
        ordinary = {
            item["name"] for item in pod["spec"].get("initContainers") or [] if item.get("restartPolicy") != "Always"
        }
        for status in (pod.get("status") or {}).get("initContainerStatuses") or []:
            running = (status.get("state") or {}).get("running")
            if running is None or status["name"] not in ordinary:
                continue
            since = seconds_since(seen, running.get("startedAt", ""))
            log = log_end(seen, pod["metadata"]["name"], status["name"])
            yield Diagnosis(
                cause="init-stuck",
                sentence=f"Init container {status['name']} of pod {pod['metadata']['name']} still runs"
                f"{f' after {since:.0f} s' if since < float('inf') else ''}; the other containers wait for it"
                f"{f': {quoted(log[-1])}' if log else '.'}",
                evidence=[f"container {status['name']}: running since {running.get('startedAt')}", *log],
                remedy="Check what it waits for: read its command and its log.",
                setting=MANIFEST,
                subject=status["name"],
            )


def _pressures(seen: Observation) -> list[str]:
    return [
        f"node {node['metadata']['name']}: {kind}"
        for node in seen.nodes
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
        if condition(node, kind).get("status") == "True"
    ]
