# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The engine: asks every rule about an observation and returns what is wrong, the first cause first. Pure.

Rules register themselves with their causes (C(rule)); the order in which they are asked is here, and is that of
causality: what keeps a pod from being made comes before what keeps it from a node, that before its volumes, images,
configuration, start, end, counters and probes. So the first diagnosis is the first cause, and one further down is
either a fault of its own, and mentioned, or about the same container, and left out.

What a workload depends on is diagnosed before the workload itself, by the same rules (post-order): a rule finds the
result in the observation and never calls another rule.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Behind, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import log_end, name_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.finality import may_pass
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import (
    MENTIONED,
    RULES,
    TERMINAL,
    TIMEOUT,
    Rule,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import (
    admission,
    alive,
    configuration,
    coverage,
    crash,
    dependencies,
    image,
    pods,
    probes,
    rollout,
    scheduling,
    url,
    workload,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.unexplained import facts, ruled_out

ORDER: tuple[t.Callable[[Observation], t.Iterable[Diagnosis]], ...] = (
    workload.workload_missing,
    workload.asks_for_nothing,
    workload.no_node_for_it,
    admission.pods_not_created,
    rollout.nobody_takes_it,
    scheduling.unschedulable,
    scheduling.claim_unbound,
    pods.no_sandbox,
    configuration.mount_failed,
    image.image_not_usable,
    configuration.refused_start,
    rollout.hook_failed,
    crash.crashed,
    workload.job_failed,
    # what a probe is answered is nearer to the cause than what a program that runs has logged
    probes.probe_wrong,
    alive.says_why,
    dependencies.dependency_broken,
    coverage.not_written,
    configuration.mount_not_done,
    rollout.never_in_time,
    url.port_has_no_name,
    # what follows may still pass, or only mentions
    configuration.references_missing,
    pods.evicted,
    pods.node_down,
    scheduling.not_placed_yet,
    crash.crashed_once,
    dependencies.dependency_not_there,
    pods.init_stuck,
    probes.probe_fails,
    probes.slow_start,
    rollout.ready_but,
    rollout.not_due,
    url.url_silent,
)
NOTHING_WANTED = (workload.workload_missing, workload.asks_for_nothing)

NOT_READY = Cause(
    "not-ready",
    title="The workload was not ready in time, for a reason that no rule knows",
    why="The time is over and none of the other causes fits. The message says what is still missing and the most"
    " telling fact, the remedy what was ruled out.",
    remedy="Check what is left: the evidence has the most telling facts.",
    settings=("readiness.timeout",),
    terminal="no",
)
CAUSES.add("Programs that run and are not ready", NOT_READY)


def rules_of(*phases: str) -> list[Rule]:
    """Return the rules of these phases, in their order."""
    found = [RULES[look.__name__] for look in ORDER]
    return [rule for phase in phases for rule in found if phase in rule.phases]


def terminal_verdict(seen: Observation) -> t.Optional[Diagnosis]:
    """Return the first cause that waiting cannot cure, with what else is wrong, or None."""
    found = verdicts(seen, rules_of(TERMINAL))
    final = [item for item in found if not may_pass(seen, item)]
    return _first(seen, [*final[:1], *(item for item in found if item is not final[0])]) if final else None


def timeout_verdict(seen: Observation, timeout: float) -> Diagnosis:
    """Return the likeliest cause when the time is over: never just that it is over."""
    return (
        _first(seen, verdicts(seen))
        or _first(seen, verdicts(seen, rules_of(MENTIONED)))
        or _still_waiting(seen, timeout)
    )


def asks_for_nothing(seen: Observation) -> t.Optional[Diagnosis]:
    """Return why a workload will never run anything, which may well be what is wanted; None where it asks for pods."""
    return next(iter(verdicts(seen, [RULES[look.__name__] for look in NOTHING_WANTED])), None)


def verdicts(seen: Observation, rules: t.Optional[t.Sequence[Rule]] = None) -> list[Diagnosis]:
    """Return all causes that the rules find, the first one first; of several over one container only the first.

    :arg rules: those that are asked; those of a wait that is over where not given.
    """
    diagnose_what_is_behind(seen)
    found: dict[tuple[str, str], Diagnosis] = {}
    for rule in rules_of(TERMINAL, TIMEOUT) if rules is None else rules:
        for verdict in rule.look(seen):
            # a rule for when the time is over only repeats what a terminal one has said
            key = ("container", verdict.subject) if verdict.subject else (verdict.cause, "")
            found.setdefault(key, verdict)
    return list(found.values())


def diagnose_what_is_behind(seen: Observation) -> None:
    """Put into each dependency what the rules find in the workloads that should serve it."""
    for item in seen.dependencies:
        item.behind = [
            Behind(name_of(workload), terminal_verdict(workload), missing(workload)) for workload in item.workloads
        ]


def _first(seen: Observation, found: t.Sequence[Diagnosis]) -> t.Optional[Diagnosis]:
    if not found:
        return None
    first, *others = found
    causes, subjects = {item.cause for item in found}, {item.subject for item in found} - {""}
    mentioned = verdicts(seen, rules_of(MENTIONED))
    others += [item for item in mentioned if item.cause not in causes and item.subject not in subjects]
    return first.changed(also=[*first.also, *(item for item in others if item.sentence != first.sentence)])


def _still_waiting(seen: Observation, timeout: float) -> Diagnosis:
    well, telling = ruled_out(seen), facts(seen)
    sentence = f"{name_of(seen)} was not ready after {timeout:.0f} s: {missing(seen)}"
    if telling:
        sentence += f"; {telling[0]}"
    ended = [line for pod in seen.current_pods for line in log_end(seen, pod["metadata"]["name"], seen.container)]
    remedy = "Check the facts in the evidence."
    if well:
        remedy = f"Look for what is left: {well}."
    return NOT_READY(f"{sentence.rstrip('.')}.", [*telling, *ended[-3:]] or [missing(seen)], remedy=remedy)
