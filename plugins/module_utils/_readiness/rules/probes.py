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
import re
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

PERSISTENT = 2.0  # seconds for which a probe has to fail the same way
SURE = 10.0  # and those after which nothing else has to confirm it
STATUS = re.compile(r"statuscode: (\d{3})")
TIMEOUT_SIGNS = ("context deadline exceeded", "Client.Timeout", "i/o timeout", "timed out", "timeout:")
COMMAND_SIGNS = ("executable file not found", "no such file or directory", "exec format error")
SCHEME_SIGNS = ("server gave HTTP response to HTTPS client", "malformed HTTP response", "tls: ")


@rule(
    "Programs that run and are not ready",
    Cause(
        "probe-port",
        title="The probe asks the wrong port",
        why="The port of the probe refuses connections. Where another port answers, it is named.",
        remedy="Correct the port of the probe.",
        settings=("workload.objects",),
        terminal="if another port answers",
    ),
    Cause(
        "probe-path",
        title="The probe asks the wrong path",
        why="The program does not serve that path; a path that does answer is named.",
        remedy="Correct the path of the probe.",
        settings=("workload.objects",),
        terminal="if another path answers, or after 10 s",
    ),
    Cause(
        "probe-timeout",
        title="The program answers the probe too slowly",
        why="The time that its answer takes is named.",
        remedy="Raise `timeoutSeconds` of the probe, or make the answer faster.",
        settings=("workload.objects",),
        terminal="if an answer was measured",
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
        terminal="after 2 s",
    ),
    Cause(
        "probe-fails",
        title="The probe fails, for another reason",
        why=("Connections are refused and no port answers, or the program answers 5xx without saying why."),
        remedy="Read the log of the program.",
        settings=("workload.objects",),
        terminal="no",
    ),
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
        "slow-start",
        "dependency-down",
    ),
    phases=(TIMEOUT,),
)
def probe_fails(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over."""
    for pod, status, kind, event in failing(seen):
        yield judged(seen, pod, status["name"], kind, event)[0]


def judged(seen: Observation, pod: Object, container: str, kind: str, event: Object) -> tuple[Diagnosis, bool]:
    """Return what a failing probe means, and whether waiting cannot cure it."""
    message = event.get("message", "")
    name = pod["metadata"]["name"]
    who = f"The {kind} probe of container {container} in pod {name}"
    probe = probe_of(pod, container, kind)
    port, path = port_of(pod, container, probe), path_of(probe)
    own = answer(seen, name, port, path)
    evidence = [message, *_answers(seen, name), *log_end(seen, name, container)]
    old = seconds_since(seen, first_seen(event)) >= SURE

    def verdict(sentence: str, remedy: str, *, cause: str) -> Diagnosis:
        return Diagnosis(cause, sentence, evidence, remedy, MANIFEST, subject=container)

    status = STATUS.search(message)
    if any(sign in message for sign in COMMAND_SIGNS) and ("exec" in probe or "errored" in message):
        command = " ".join((probe.get("exec") or {}).get("command") or [])
        sentence = f"{who} cannot run its command{f' {command}' if command else ''}: {quoted(message)}"
        return verdict(sentence, "Name a program that the image has.", cause="probe-command"), True
    if any(sign in message for sign in SCHEME_SIGNS):
        sentence = f"{who} speaks another protocol than port {port}: {quoted(message)}"
        return verdict(sentence, "Correct the probe's scheme (HTTP or HTTPS).", cause="probe-scheme"), True
    if "connection refused" in message:
        if own is not None and own["status"]:
            return _slow(seen, pod, container, kind, probe, evidence), False
        others = [item for item in _of_pod(seen, name) if item["status"] and item["port"] != port]
        good = next((item for item in others if 200 <= item["status"] < 400), None)
        if good is not None:
            sentence = (
                f"{who} asks port {port}, where nothing listens (connection refused); port {good['port']} answers"
                f" {good['path']} with {good['status']}."
            )
            return verdict(sentence, f"Correct the probe's port: {good['port']}.", cause="probe-port"), good[
                "path"
            ] == path or old
        ports = sorted({item["port"] for item in others} or set(declared_ports(pod, container)) - {port})
        if ports:
            hint = f"the container {'listens at' if others else 'declares'} {', '.join(map(str, ports))}"
            sentence = f"{who} asks port {port}, where nothing listens (connection refused); {hint}."
            remedy = "Correct the probe's port; if the program only starts slowly, add a startupProbe."
            return verdict(sentence, remedy, cause="probe-port"), False
        if own is not None and not any(item["status"] for item in _of_pod(seen, name)):
            return _slow(seen, pod, container, kind, probe, evidence), False
        sentence = f"{who} fails: nothing listens at port {port} (connection refused): {quoted(message)}"
        remedy = "Wrong port, or a program that does not listen yet: compare with its log; add a startupProbe."
        return verdict(sentence, remedy, cause="probe-fails"), False
    if status and int(status[1]) in (404, 405, 410, 501):
        good = next(
            (
                item
                for item in _of_pod(seen, name)
                if item["port"] == port and 200 <= item["status"] < 300 and item["path"] != path
            ),
            None,
        )
        sentence = f"{who} asks for {path}, which the program answers with {status[1]}"
        sentence += f"; {good['path']} answers {good['status']}." if good else "."
        remedy = f"Correct the probe's path: {good['path']}." if good else "Correct the probe's path."
        still = own is not None and own["status"] == int(status[1])
        return verdict(sentence, remedy, cause="probe-path"), still and (
            old or (good is not None and good["path"] != "/")
        )
    if any(sign in message for sign in TIMEOUT_SIGNS):
        allowed = int(probe.get("timeoutSeconds") or 1)
        takes = own["seconds"] if own is not None and (own["status"] or own["seconds"] > allowed) else 0.0
        long_enough = takes > allowed
        better = math.ceil(takes * 2) if long_enough else allowed * 5
        measured = (
            f"it answered after {takes:.1f} s" if long_enough and own and own["status"] else "it did not answer in time"
        )
        sentence = f"{who} waits {allowed} s for {path or 'an answer'}; {measured}."
        remedy = f"Give it timeoutSeconds: {better}, or make the endpoint that it asks faster."
        return verdict(sentence, remedy, cause="probe-timeout"), bool(long_enough and own and own["status"])
    sentence = f"Pod {name} runs, but its {kind} probe fails: {quoted(message)}"
    remedy = "A status of 5xx means that the program itself says it is not ready: see its log for what it waits for."
    return verdict(sentence, remedy, cause="probe-fails"), False


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
        own = answer(seen, pod["metadata"]["name"], port_of(pod, container, probe), path_of(probe)) if probe else None
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
                verdict.cause == "probe-port" and any(item["status"] for item in _of_pod(seen, name))
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
    return any(sign in event.get("message", "") for sign in TIMEOUT_SIGNS)


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
    own = answer(seen, name, port_of(pod, container, probe), path_of(probe))
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


def answer(seen: Observation, pod: str, port: int, path: str) -> t.Optional[Object]:
    """What that port said when it was asked for that path."""
    return next((item for item in _of_pod(seen, pod) if item["port"] == port and item["path"] == path), None)


def _of_pod(seen: Observation, pod: str) -> list[Object]:
    return [item for item in seen.answers if item["pod"] == pod]


def _answers(seen: Observation, pod: str) -> list[str]:
    return [
        f"port {item['port']}, {item['path'] or 'any path'}: {item['status']} after {item['seconds']:.1f} s"
        for item in _of_pod(seen, pod)
        if item["status"]
    ][:4]
