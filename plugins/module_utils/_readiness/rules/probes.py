# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in probes: the wrong port, the wrong path, too little time, a start that only takes long.

What a probe met is in the kubelet's event as text (pkg/probe); what the pod's ports really say was asked in a full
look.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    declared_ports,
    failing,
    first_seen,
    is_of,
    log_end,
    path_of,
    port_of,
    probe_of,
    quoted,
    seconds_since,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST, TIMEOUT, rule
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import probe_answers

PERSISTENT = 2.0  # seconds for which a probe has to fail the same way


@rule(
    "Programs that run and are not ready",
    Cause(
        "probe-port",
        title="The probe asks the wrong port",
        why="The port of the probe refuses connections. Where another port answers, it is named.",
        remedy="Correct the port of the probe.",
        settings=("workload.objects",),
        terminal="no: the port may only not be there yet",
    ),
    Cause(
        "probe-path",
        title="The probe asks the wrong path",
        why="The program does not serve that path; a path that does answer is named.",
        remedy="Correct the path of the probe.",
        settings=("workload.objects",),
        terminal="no: a program may serve its paths one after the other",
    ),
    Cause(
        "probe-timeout",
        title="The program answers the probe too slowly",
        why="The time that its answer takes is named.",
        remedy="Raise `timeoutSeconds` of the probe, or make the answer faster.",
        settings=("workload.objects",),
        terminal="at the second time that Kubernetes kills the container for it",
    ),
    Cause(
        "probe-command",
        title="The command of the probe does not exist",
        why="The image does not have the command that the probe runs.",
        remedy="Use a command that the image has, or another kind of probe.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "probe-scheme",
        title="The probe uses the wrong scheme",
        why="HTTP is spoken to HTTPS, or the other way round.",
        remedy="Correct the scheme of the probe.",
        settings=("workload.objects",),
        terminal="at the second time that Kubernetes kills the container for it",
    ),
    Cause(
        "probe-host",
        title="The probe asks another host than the pod",
        why="`host` of the probe is set: the kubelet asks that address from the node.",
        remedy="Remove `host` from the probe.",
        settings=("workload.objects",),
        terminal="no",
    ),
    Cause(
        "probe-unauthorized",
        title="The path of the probe wants a login",
        why="The program answers the probe with 401 or 403.",
        remedy="Serve the health check without authentication, or send its header with the probe.",
        settings=("workload.objects",),
        terminal="no",
    ),
    Cause(
        "listens-on-loopback",
        title="The program listens on the loopback address only",
        why="The kernel's sockets have the probe's port at 127.0.0.1 or ::1, where only the pod itself reaches it.",
        remedy="Let the program listen on all addresses.",
        settings=("workload.objects",),
        terminal="no",
    ),
    Cause(
        "probe-fails",
        title="The probe fails, for another reason",
        why=("Connections are refused and no port answers, or the program answers 5xx without saying why."),
        remedy="Read the log of the program.",
        settings=("workload.objects",),
        terminal="no",
    ),
    gives=("dependency-down", "dependency-name", "dependency-auth"),
)
def probe_wrong(seen: Observation) -> t.Iterator[Diagnosis]:
    """A probe that asks for what will never answer it, as the pod's ports themselves say."""
    for pod, status, kind, event in failing(seen):
        if seconds_since(seen, first_seen(event)) < PERSISTENT:
            continue
        verdict, sure = judged(seen, pod, status["name"], kind, event)
        if sure:
            yield verdict


@rule(
    "Programs that run and are not ready",
    gives=(
        "probe-port",
        "probe-path",
        "probe-timeout",
        "probe-command",
        "probe-scheme",
        "probe-fails",
        "probe-host",
        "probe-unauthorized",
        "listens-on-loopback",
        "slow-start",
        "dependency-down",
        "dependency-name",
        "dependency-auth",
    ),
    phases=(TIMEOUT,),
)
def probe_fails(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over."""
    for pod, status, kind, event in failing(seen):
        yield judged(seen, pod, status["name"], kind, event)[0]


def judged(seen: Observation, pod: Object, container: str, kind: str, event: Object) -> tuple[Diagnosis, bool]:
    """Return what a failing probe means, and whether it is proved by what its ports say."""
    asked = probe_answers.Asked(seen, pod, container, kind, event)
    for first in (probe_answers.misconfigured, probe_answers.redirected):
        found = first(asked)
        if found is not None:
            return found
    if "connection refused" in asked.message:
        own = asked.own
        listens = own is not None and own["status"]
        silent = own is not None and not any(item["status"] for item in asked.answers) and not asked.listeners
        if listens or (silent and not set(declared_ports(pod, container)) - {asked.port}):
            evidence = [asked.message, *probe_answers.said_by_ports(seen, asked.name)]
            return _slow(seen, pod, container, kind, asked.probe, evidence), False
    for read in (probe_answers.by_grpc, probe_answers.refused, probe_answers.answered, probe_answers.late):
        found = read(asked)
        if found is not None:
            return found
    return probe_answers.otherwise(asked)


def times_killed(seen: Observation, pod: Object, container: str) -> int:
    """How often Kubernetes itself ended the container because a probe failed."""
    return sum(
        int(event.get("count") or 1)
        for event in seen.events_of(pod, reason="Killing")
        if " probe, will be restarted" in event.get("message", "") and is_of(event, container)
    )


def is_too_slow(seen: Observation, pod: Object, container: str) -> bool:
    """Whether an answer to its liveness or startup probe was measured, and takes longer than the probe waits."""
    for kind in ("liveness", "startup"):
        probe = probe_of(pod, container, kind)
        own = (
            probe_answers.answer(seen, pod["metadata"]["name"], port_of(pod, container, probe), path_of(probe))
            if probe
            else None
        )
        if own is not None and own["status"] and own["seconds"] > int(probe.get("timeoutSeconds") or 1):
            return True
    return False


def killed_by_probe(seen: Observation, pod: Object, status: Object, evidence: list[str]) -> t.Optional[Diagnosis]:
    """Whether Kubernetes itself ended the container, because a liveness or startup probe failed."""
    name, container = pod["metadata"]["name"], status["name"]
    for event in reversed(seen.events_of(pod, reason="Killing")):
        killed = event.get("message", "")
        kind = next((kind for kind in ("liveness", "startup") if f"failed {kind} probe" in killed), "")
        if not kind or not is_of(event, container):
            continue
        failed = [
            item
            for item in seen.events_of(pod, reason="Unhealthy")
            if item.get("message", "").lower().startswith(f"{kind} probe") and is_of(item, container)
        ]
        # what it met most often; of what it met as often, a late answer says more than none: each new process run has a
        # moment in which nothing listens yet
        failed.sort(key=lambda item: (int(item.get("count") or 1), _is_late(item)))
        said = failed[-1]["message"] if failed else ""
        proof = [killed, *([said] if said else []), *evidence]
        if failed:
            verdict, _sure = judged(seen, pod, container, kind, failed[-1])
            proved = verdict.cause in ("probe-path", "probe-command", "probe-scheme", "probe-timeout") or (
                verdict.cause == "probe-port" and any(item["status"] for item in probe_answers.of_pod(seen, name))
            )
            if proved:
                words = f"{verdict.sentence} Kubernetes kills the container for it."
                return Diagnosis(verdict.cause, words, proof, verdict.remedy, verdict.setting, subject=container)
        probe = probe_of(pod, container, kind)
        allowed = _allowed(probe)
        ended = (status.get("lastState") or {}).get("terminated") or (status.get("state") or {}).get("terminated") or {}
        lived = moment(ended.get("finishedAt") or "") - moment(ended.get("startedAt") or "")
        gives = f" {allowed:.0f} s after its start" if probe else ""
        limit = math.ceil(max(allowed, lived) * 3 / max(1, int(probe.get("periodSeconds") or 10)))
        return Diagnosis(
            cause="killed-by-probe",
            sentence=f"Container {container} of pod {name} is killed each time because its {kind} probe fails"
            f"{f': {quoted(said)}' if said else '.'}",
            evidence=proof,
            remedy=f"The probe gives it up{gives}. Correct its port or path; or add a startupProbe that gives three"
            f" times that (failureThreshold: {limit} at the same period).",
            setting=MANIFEST,
            subject=container,
        )
    return None


def _is_late(event: Object) -> bool:
    return any(sign in event.get("message", "") for sign in probe_answers.TIMEOUT_SIGNS)


@rule(
    "Programs that run and are not ready",
    Cause(
        "slow-start",
        title="The program is only slow to become ready",
        why="It runs, and its probe has hardly asked yet. What would be quicker is in the message.",
        remedy="Give it more time, or shorten the delays of its probe.",
        settings=("readiness.timeout",),
        terminal="no",
    ),
    phases=(TIMEOUT,),
)
def slow_start(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: a program that runs, and whose probe has not even asked, or has only just begun to."""
    for pod in seen.current_pods:
        if pod in seen.ready_pods:
            continue
        for status in containers(pod):
            running = (status.get("state") or {}).get("running")
            if status.get("ready") or running is None:
                continue
            for kind in ("startup", "readiness"):
                probe = probe_of(pod, status["name"], kind)
                if not probe or (kind == "startup" and status.get("started")):
                    continue
                since = seconds_since(seen, running.get("startedAt", ""))
                delay = int(probe.get("initialDelaySeconds") or 0)
                if since < delay + int(probe.get("periodSeconds") or 10):
                    yield _slow(seen, pod, status["name"], kind, probe, [])
                break


def _slow(seen: Observation, pod: Object, container: str, kind: str, probe: Object, evidence: list[str]) -> Diagnosis:
    name = pod["metadata"]["name"]
    own = probe_answers.answer(seen, name, port_of(pod, container, probe), path_of(probe))
    delay, period = int(probe.get("initialDelaySeconds") or 0), int(probe.get("periodSeconds") or 10)
    if own is not None and 200 <= own["status"] < 400:
        already = (
            f"it answers already, but its {kind} probe asks only {delay} s after the start and then every {period} s"
        )
        remedy = (
            "Shorten initialDelaySeconds and periodSeconds; a startupProbe with a short period does the same safely."
        )
    elif own is not None and not own["status"]:
        status = next((item for item in containers(pod) if item["name"] == container), {})
        since = seconds_since(seen, ((status.get("state") or {}).get("running") or {}).get("startedAt", ""))
        lived = f"{since:.0f} s after its start " if since < float("inf") else ""
        already = f"{lived}it listens neither at port {own['port']}, which its {kind} probe asks, nor at another"
        remedy = "Give it more time; if it never listens, its log may say what it waits for."
    else:
        already = (
            f"its {kind} probe asks first {delay} s after the start, then every {period} s, and had no good answer yet"
        )
        remedy = "Give the gate more time than the probe takes, or shorten initialDelaySeconds."
    return Diagnosis(
        cause="slow-start",
        sentence=f"Container {container} of pod {name} runs and is only slow to become ready: {already}.",
        evidence=[
            *evidence,
            *(f"{event.get('reason')}: {event.get('message')}" for event in seen.events_of(pod)[-3:]),
            *log_end(seen, name, container),
        ],
        remedy=remedy,
        setting="readiness.timeout",
        subject=container,
    )


# readers


def _allowed(probe: Object) -> float:
    """Seconds from the start until a probe that never succeeds gives up."""
    period, threshold = int(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
    return int(probe.get("initialDelaySeconds") or 0) + period * (threshold - 1) + int(probe.get("timeoutSeconds") or 1)
