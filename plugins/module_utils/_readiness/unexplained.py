# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is said of a workload that no rule explains: what was ruled out, and the most telling facts."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import short
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.logs import entries
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    condition,
    containers,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import log_lines, specifications

MOST = 3  # facts


def ruled_out(seen: Observation) -> str:
    """What is well, as one clause: C(its pods have nodes, their images are there); empty where nothing is known."""
    pods = seen.current_pods
    if not pods:
        return ""
    found = []
    if all(condition(pod, "PodScheduled").get("status") == "True" for pod in pods):
        found.append("its pods have nodes")
    states = [status for pod in pods for status in containers(pod)]
    if states and all(status.get("imageID") or status.get("containerID") for status in states):
        found.append("their images are there")
    if states and all("running" in (status.get("state") or {}) for status in states):
        found.append("their containers run")
    if states and not any(status.get("restartCount") for status in states):
        found.append("none has ended")
    return ", ".join(found)


def facts(seen: Observation) -> list[str]:
    """The most telling facts, the first one first: warnings, conditions that are not true, errors in logs."""
    pods = [pod for pod in seen.current_pods if pod not in seen.ready_pods]
    found = [*_warnings(seen, pods)[:MOST], *_errors(seen, pods)[:MOST], *_conditions(seen, pods)[:MOST]]
    # one of each kind before a second of the same
    first = [*_warnings(seen, pods)[:1], *_errors(seen, pods)[:1], *_conditions(seen, pods)[:1]]
    return [*dict.fromkeys([*first, *found])][:MOST]


def _warnings(seen: Observation, pods: t.Sequence[Object]) -> list[str]:
    """Warnings about the pods, their owners, claims, nodes and Services, the newest first."""
    claims = {
        (volume.get("persistentVolumeClaim") or {}).get("claimName")
        for pod in pods
        for volume in pod["spec"].get("volumes") or []
    }
    about = [*pods, seen.newest_replica_set, seen.newest_job, seen.workload]
    about += [claim for claim in seen.claims if claim["metadata"]["name"] in claims]
    names = {pod["spec"].get("nodeName") for pod in pods} - {None}
    events = seen.events_of(*about) + [
        event
        for event in seen.events
        if (event.get("involvedObject") or {}).get("kind") in ("Node", "Service")
        and (event["involvedObject"].get("name") in names or event["involvedObject"]["kind"] == "Service")
    ]
    return [
        f"{event.get('reason')}: {short(' '.join(str(event.get('message', '')).split()))}"
        for event in reversed(events)
        if event.get("type") == "Warning"
    ]


def _errors(seen: Observation, pods: t.Sequence[Object]) -> list[str]:
    return [
        f"log of {container['name']}: {short(said.text)}"
        for pod in pods
        for container in specifications(pod["spec"])
        for said in reversed(entries(log_lines(seen, pod["metadata"]["name"], container["name"])))
        if said.is_bad
    ]


def _conditions(seen: Observation, pods: t.Sequence[Object]) -> list[str]:
    items = [*pods, *([seen.workload] if seen.workload else [])]
    return [
        f"{item.get('kind', 'pod')} {item['metadata']['name']}: {found['type']} is {found['status']}:"
        f" {short(str(found.get('message') or found.get('reason')))}"
        for item in items
        for found in (item.get("status") or {}).get("conditions") or []
        if found.get("status") == "False" and (found.get("message") or found.get("reason"))
    ]
