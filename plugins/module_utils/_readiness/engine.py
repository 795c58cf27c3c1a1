# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The rules: each looks at an observation and says what is wrong, or nothing. Pure; this is their order.

The order is that of causality: what keeps a pod from being made comes before what keeps it from a node, that before its
volumes, images, configuration, start, end, probes and counters. So the first verdict is the first cause, and one
further down is either a fault of its own, and mentioned, or about the same container, and left out.

Signs and history: the failure catalogue in the project's documentation (docs/verdicts.md).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import (
    admission,
    configuration,
    coverage,
    crash,
    dependencies,
    image,
    pods,
    probes,
    scheduling,
    workload,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.verdict import (
    SETTLING,
    Rule,
    Verdict,
    log_end,
    name_of,
)

__all__ = ["SETTLING", "Verdict", "missing", "pods_without_covmeta", "terminal_verdict", "timeout_verdict", "verdicts"]

pods_without_covmeta = coverage.pods_without_covmeta

TERMINAL: tuple[Rule, ...] = (
    workload.workload_missing,
    workload.asks_for_nothing,
    workload.no_node_for_it,
    admission.pods_not_created,
    scheduling.unschedulable,
    pods.no_sandbox,
    configuration.mount_failed,
    image.image_not_usable,
    configuration.refused_start,
    crash.crashed,
    workload.job_failed,
    dependencies.dependency_broken,
    coverage.not_written,
    probes.probe_wrong,
)
# mentioned beside a cause, given only when the time is over: what the manifest names and is not there (what Kubernetes
# meets decides, so that the order does not depend on the moment), and a first end of a program
MENTIONED: tuple[Rule, ...] = (configuration.references_missing, crash.crashed_once)
SLOW: tuple[Rule, ...] = (
    pods.evicted,
    pods.node_down,
    scheduling.not_placed_yet,
    crash.crashed_once,
    dependencies.dependency_not_there,
    pods.init_stuck,
    probes.probe_fails,
    probes.slow_start,
    coverage.url_silent,
)


def terminal_verdict(seen: Observation) -> t.Optional[Verdict]:
    """Return the first cause that waiting cannot cure, with what else was seen, or None."""
    return _first(seen, verdicts(seen, TERMINAL))


def timeout_verdict(seen: Observation, timeout: float) -> Verdict:
    """Return the likeliest cause when the time is over: never just that it is over."""
    return (
        _first(seen, verdicts(seen, (*TERMINAL, *SLOW)))
        or _first(seen, verdicts(seen, MENTIONED))
        or _still_waiting(seen, timeout)
    )


def verdicts(seen: Observation, rules: t.Sequence[Rule] = (*TERMINAL, *SLOW)) -> list[Verdict]:
    """Return all causes that the rules find, the first one first; of several over one container only the first."""
    found: dict[tuple[str, str], Verdict] = {}
    for rule in rules:
        for verdict in rule(seen):
            # a rule for when the time is over only repeats what a terminal one has said
            key = ("container", verdict.subject) if verdict.subject else (verdict.cause, "")
            found.setdefault(key, verdict)
    return list(found.values())


def _first(seen: Observation, found: t.Sequence[Verdict]) -> t.Optional[Verdict]:
    if not found:
        return None
    first, *others = found
    causes, subjects = {item.cause for item in found}, {item.subject for item in found} - {""}
    others += [item for item in verdicts(seen, MENTIONED) if item.cause not in causes and item.subject not in subjects]
    also = [{"cause": item.cause, "sentence": item.sentence} for item in others if item.sentence != first.sentence]
    return dataclasses.replace(first, also=[*first.also, *also])


def _still_waiting(seen: Observation, timeout: float) -> Verdict:
    for pod in seen.current_pods:
        events = seen.events_of(pod)
        if events:
            return Verdict(
                cause="not-ready",
                sentence=f"{name_of(seen)} was not ready in time: {missing(seen)}.",
                evidence=[f"{event.get('reason')}: {event.get('message')}" for event in events[-3:]]
                + log_end(seen, pod["metadata"]["name"], seen.container),
                remedy="Give it more time if it only starts slowly.",
                setting="readiness_gate_timeout",
            )
    return Verdict(
        cause="not-ready",
        sentence=f"{name_of(seen)} was not ready after {timeout:.0f} s, and nothing that was seen says why.",
        evidence=[missing(seen)],
        remedy="Give it more time, or look at its log.",
        setting="readiness_gate_timeout",
    )


def missing(seen: Observation) -> str:
    """Say in a few words what is still missing: the progress line of a wait."""
    if seen.workload is None:
        return f"{name_of(seen)} does not exist yet"
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
