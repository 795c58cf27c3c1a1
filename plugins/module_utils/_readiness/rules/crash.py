# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of a program that ends when it should go on: exit code and reason first, then the last words of its log."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    condition,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    LOG_LINES,
    log_lines,
    quoted,
    specification,
    started_again,
    terminated,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import (
    MANIFEST,
    MENTIONED,
    SETTLING,
    TIMEOUT,
    rule,
    unconfirmed,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import (
    configuration,
    manifest,
    probes,
    said,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules.dependencies import (
    asked,
    dependency_verdict,
    of_container,
)

OOM_KILLED, KILLED = "OOMKilled", 137
NOT_STARTED = ("StartError", "ContainerCannotRun", "ContainerStatusUnknown")
# the kernel's message, and that of Go's runtime under an emulator
FOREIGN_SIGNS = ("exec format error", "taggedPointerPack")
# what runc itself writes into the log where it cannot execute the program
OF_RUNTIME = re.compile(r"^exec /\S+: (?:no such file or directory|permission denied)$")
NEVER_COMES = ("dependency-down", "dependency-name")
PANIC = re.compile(r"^(?:panic: |fatal error: |unexpected fault address|runtime: goroutine stack exceeds)")
GOROUTINE = re.compile(r"^goroutine \d+ .*\[.*\]:")
BACKGROUND = re.compile(r"background|daemon|forked|detach", re.IGNORECASE)
FRAME = re.compile(r"^\s+(?P<file>\S+\.go:\d+)")


@rule(
    "Programs that end",
    Cause(
        "out-of-memory",
        title="The program needed more memory than its limit",
        why=(
            "Kubernetes reports `OOMKilled`, at the start or later; limit and seconds are in the "
            "message. Atomic counters need some memory."
        ),
        remedy="Raise the memory limit; coverage counters need additional memory.",
        settings=(
            "workload.objects",
            "coverage.resources",
        ),
        terminal="yes",
    ),
    Cause(
        "panic",
        title="The program panics",
        why=(
            "The log has a panic or a fatal error of the Go runtime. It is quoted with its "
            "goroutine and first frames. A panic at the end of a process run loses its counters."
        ),
        remedy="Fix the program or its input; the stack shows where it panics.",
        settings=("source",),
        terminal="yes",
    ),
    Cause(
        "wrong-architecture",
        title="The program is of another architecture",
        why=(
            "Program and node differ. It is found in the image before it is loaded, at the "
            "registry, and on a node (`exec format error`)."
        ),
        remedy=("Remove a fixed `GOARCH` from the Containerfile; a script needs a first line that names its shell."),
        settings=(
            "instrumented_image#goarch",
            "source",
        ),
        terminal="yes",
    ),
    Cause(
        "rbac-forbidden",
        title="A permission is missing in the cluster",
        why=("The user of the kubeconfig, or the ServiceAccount of the program, may not do what it tries to do."),
        remedy=("Give it a Role or ClusterRole that allows it, and the binding; or use another kubeconfig."),
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "config-file-missing",
        title="A configuration file does not exist",
        why="The last words of the program are about a file that is not there.",
        remedy=("Mount the file (a ConfigMap or Secret) where the program looks for it, or correct the path."),
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "config-error",
        title="The configuration cannot be used",
        why=("The last words of the program are about a configuration that it cannot read or that lacks something."),
        remedy="Correct the ConfigMap, the variables or the arguments of the container.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "bad-argument",
        title="The program does not know an argument",
        why="A flag or its value is not known to the program.",
        remedy="Correct `args` or `command`; compare them with the program's usage text.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "file-permission",
        title="The program may not use a file",
        why=("Permission denied, or a read-only file system, for a file that has nothing to do with coverage."),
        remedy="Let its user access that path: fsGroup, an emptyDir, or the permissions in the image.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "open-files",
        title="The program has no file descriptor left",
        why="It says `too many open files`: its limit is reached, or it never closes what it opens.",
        remedy="Raise the limit of open files, or close what is not used.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "token-not-mounted",
        title="The program has no token of its ServiceAccount",
        why="It wants its configuration from inside the cluster, and `automountServiceAccountToken` is false.",
        remedy="Remove `automountServiceAccountToken: false` from the pod or its ServiceAccount.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "port-in-use",
        title="The port is taken inside the pod",
        why="Two listeners of the pod use the same port.",
        remedy="Give each container, and probes, metrics and API of a program, a port of its own.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "port-not-allowed",
        title="The program may not bind the port",
        why="Ports below 1024 need a capability.",
        remedy="Listen on a port above 1023, or allow NET_BIND_SERVICE.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "completes",
        title="The program ends with exit code 0 each time",
        why="It does its work and ends, although its kind is for programs that keep running.",
        remedy="Use a Job, or pass the arguments that make it serve.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "killed-by-probe",
        title="Kubernetes kills the container because of its probe",
        why=(
            "The liveness or startup probe fails. Where the answer to the probe says more "
            "(`probe-timeout`, `probe-path`, `probe-port`), that is the cause."
        ),
        remedy="Correct its port or path, or add a startup probe; its numbers are in the message.",
        settings=("workload.objects",),
        terminal="at the second time",
    ),
    Cause(
        "crash",
        title="The program ends with an error",
        why=(
            "None of the other causes fits. Exit code and last line are in the message. Extraction "
            "also gives it for an earlier process run that ended with an error and wrote nothing."
        ),
        remedy=("Read the end of the log: often a configuration file, an argument or a dependency is missing."),
        settings=("workload.objects",),
        terminal="yes",
    ),
    gives=(
        "crd-missing",
        "dependency-down",
        "dependency-name",
        "dependency-auth",
        "dependency-schema",
        "dependency-tls",
        "dependency-permission",
        "dependency-refuses",
        "config-key-missing",
        "disk-full",
        "probe-timeout",
        "probe-path",
        "probe-port",
        "probe-command",
        "probe-scheme",
        "command-missing",
        "command-not-executable",
        "container-config",
    ),
)
def crashed(seen: Observation) -> t.Iterator[Diagnosis]:
    """A container ended twice, or is held back from its next start. Once may be a wait for a dependency."""
    for pod, status, ended in _ended(seen):
        waiting = ((status.get("state") or {}).get("waiting") or {}).get("reason")
        # an end with 0 is an init container's good end, unless Kubernetes starts it again and again
        again_and_again = status.get("restartCount", 0) >= 2 and ended.get("exitCode") != 0
        given_up = ended.get("exitCode") != 0 and _is_given_up(seen, pod)
        # once may have been a start that was slow once; unless its answers are known to take too long
        often_killed = 1 if probes.is_too_slow(seen, pod, status["name"]) else 2
        killed = probes.times_killed(seen, pod, status["name"]) >= often_killed
        often = waiting == "CrashLoopBackOff" or again_and_again or given_up or killed
        if not often and not (seen.full and seen.waited >= SETTLING and ended.get("exitCode")):
            continue
        verdict, terminal = crash_verdict(seen, pod, status, ended)
        # what it needs and can never have is known at the first end
        if given_up or (terminal and (often or _never_comes(seen, pod, status["name"], verdict))):
            yield verdict


def _never_comes(seen: Observation, pod: Object, container: str, verdict: Diagnosis) -> bool:
    """Whether it is a Service of this cluster that is missed, all of which was observed."""
    first = next(iter(of_container(seen, pod["metadata"]["name"], container)), None)
    return first is not None and first.inside and verdict.cause in NEVER_COMES


@rule("Programs that end", like=crashed, phases=(TIMEOUT, MENTIONED))
def crashed_once(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: a container that ended, however often."""
    for pod, status, ended in _ended(seen):
        if ended.get("exitCode") != 0 or started_again(status):
            yield crash_verdict(seen, pod, status, ended)[0]


def _ended(seen: Observation) -> t.Iterator[tuple[Object, Object, Object]]:
    # the pods of a Job that have failed stay; the last one is the one to judge by
    for pod in sorted(seen.current_pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True):
        for status in containers(pod):
            ended = terminated(status)
            if ended is not None and not status.get("ready"):
                yield pod, status, ended


def _is_given_up(seen: Observation, pod: Object) -> bool:
    """Whether no one will start it again, or Kubernetes has tried twice with a new pod."""
    if (pod.get("status") or {}).get("phase") != "Failed":
        return False
    if seen.kind == "Pod":
        return True
    if seen.kind not in ("Job", "CronJob") or seen.newest_job is None:
        return False
    failed = [item for item in seen.current_pods if (item.get("status") or {}).get("phase") == "Failed"]
    return len(failed) >= 2 or any(
        condition(seen.newest_job, kind).get("status") == "True" for kind in ("Failed", "FailureTarget")
    )


def crash_verdict(seen: Observation, pod: Object, status: Object, ended: Object) -> tuple[Diagnosis, bool]:
    """Return why a container ended, and whether that is final (a dependency that is still starting is not)."""
    name, container = pod["metadata"]["name"], status["name"]
    lines = log_lines(seen, name, container) or (ended.get("message") or "").splitlines()
    evidence = _evidence(seen, pod, status, ended, lines)
    who = f"Container {container} of pod {name}"

    def verdict(cause: str, sentence: str, remedy: str, setting: str = MANIFEST) -> Diagnosis:
        return Diagnosis(cause, sentence, evidence, remedy, setting, subject=container)

    killed = probes.killed_by_probe(seen, pod, status, evidence)
    if killed is not None:
        return killed, True
    reason, message, code = ended.get("reason", ""), ended.get("message") or "", ended.get("exitCode")
    if reason == OOM_KILLED:
        more, remedy = _memory(pod, container)
        return verdict(
            cause="out-of-memory",
            sentence=f"{who} was killed{_after(ended)} because it needed more memory than its limit"
            f"{_limit(pod, container)}{more}.",
            remedy=remedy,
        ), True
    if code == KILLED and _limit(pod, container) and not seen.events_of(pod, reason="Killing"):
        # containerd sometimes misses the kernel's OOM event; only the kernel kills without an event
        more, remedy = _memory(pod, container)
        return verdict(
            cause="out-of-memory",
            sentence=f"{who} was killed{_after(ended)}, and not by Kubernetes; with a memory limit"
            f"{_limit(pod, container)} that is the kernel, because it needed more{more}.",
            remedy=remedy,
        ), True
    if any(sign in line for sign in FOREIGN_SIGNS for line in (message, *lines[-LOG_LINES:])):
        return verdict(
            cause="wrong-architecture",
            sentence=f"The node{_architecture(seen, pod)} cannot run what container {container} of pod {name} starts:"
            f" it is built for another architecture, or is not a program ({quoted(_foreign(message, lines))}).",
            remedy="Build for the node's architecture (look for a GOARCH fixed in the Containerfile); a script needs a"
            " first line (#!) that names its shell.",
            setting="source",
        ), True
    by_runtime = next((line for line in lines[-2:] if OF_RUNTIME.match(line)), "")
    if by_runtime or (reason in NOT_STARTED and message):
        message = by_runtime or message
        known, remedy, more = configuration.known_failure(seen, message)
        if known == "command-missing":
            more, remedy = configuration.missing_command(pod, container, message, remedy)
        return verdict(known, f"{who} cannot be started: {quoted(message)}{more}", remedy), True
    panicked = next((number for number, line in enumerate(lines) if PANIC.match(line)), None)
    entry = said.telling(lines if panicked is None else lines[panicked : panicked + 1], ended=code != 0)
    if entry is not None and entry.contact is not None:
        item = asked(seen, name, container, entry.contact)
        down, terminal = dependency_verdict(seen, item, who, str(ended.get("finishedAt") or ""))
        return down.changed(evidence=[*evidence[:1], *down.evidence], subject=container), terminal
    if entry is not None and entry.kind is not None:
        own = said.known(seen, pod, container, entry.kind, entry.said.text)
        more = f"; {own.more}" if own.more else ""
        sentence = f"{who} ends with exit code {code}{_after(ended)}: {quoted(entry.said.text)}{more}"
        return verdict(own.cause, sentence, own.remedy), True
    if panicked is not None:
        evidence[1:] = _stack(lines, panicked)
        where = next((found["file"] for line in evidence if (found := FRAME.match(line))), "")
        at = f" ({where.rpartition('/')[2]})" if where else ""
        return verdict(
            cause="panic",
            sentence=f"{who} panics{_after(ended)}: {quoted(lines[panicked])}{at}",
            remedy="Fix the program or its input; the stack shows where it panics.",
            setting="source",
        ), True
    last = entry.said.text if entry is not None else lines[-1] if lines else ""
    words = f": {quoted(last)}" if last else ""
    if code == 0:
        return verdict(
            cause="completes",
            sentence=f"{who} ends with exit code 0 each time it starts: it does its work and exits{words}",
            remedy="Let it stay in the foreground: a container ends with its first process."
            if BACKGROUND.search(last)
            else f"A {seen.kind} is for programs that keep running; use a Job, or pass the arguments"
            " that make it serve.",
        ), True
    hidden = any(item.startswith(f"log of {name}/{container}") for item in seen.unseen)
    crash = verdict(
        cause="crash",
        sentence=f"{who} ends with exit code {code} each time it starts{words}",
        remedy="Read the end of the log: often a configuration file, an argument or a dependency."
        if not hidden
        else "Its log would say what it lacks, and this user may not read it: give it get of pods/log, and look again.",
    )
    # between two process runs a log can be out of reach for a moment
    return crash if lines or hidden else unconfirmed(crash), True


def _evidence(seen: Observation, pod: Object, status: Object, ended: Object, lines: list[str]) -> list[str]:
    reason, message, restarts = ended.get("reason", ""), ended.get("message", ""), status.get("restartCount", 0)
    evidence = [
        f"container {status['name']}: exit code {ended.get('exitCode')}, {reason or 'no reason'}, {restarts} restarts"
    ]
    if message and message.strip() not in "\n".join(lines):
        evidence.append(message)
    return [*evidence, *lines[-LOG_LINES:]]


def _after(ended: Object) -> str:
    started, finished = ended.get("startedAt") or "", ended.get("finishedAt") or ""
    if not started or not finished or started.startswith("1970"):
        return ""
    lived = moment(finished) - moment(started)
    return " when it starts" if lived < 2 else f" {lived:.0f} s after its start"


def _limit(pod: Object, container: str) -> str:
    limits = (specification(pod, container).get("resources") or {}).get("limits") or {}
    return f" of {limits['memory']}" if limits.get("memory") else ""


def _memory(pod: Object, container: str) -> tuple[str, str]:
    """What counts against a limit of memory beside the program's own, and the remedy."""
    volumes = manifest.in_memory(pod, container)
    if not volumes:
        return "", "Raise the memory limit; atomic counters need additional memory."
    return (
        f"; what it writes to {volumes}, an emptyDir of medium Memory, counts, too",
        "Raise the memory limit, or remove medium: Memory; sizeLimit bounds such a volume.",
    )


def _architecture(seen: Observation, pod: Object) -> str:
    for node in seen.nodes:
        if node["metadata"]["name"] == pod["spec"].get("nodeName"):
            name = ((node.get("status") or {}).get("nodeInfo") or {}).get("architecture")
            return f" ({name})" if name else ""
    return ""


def _foreign(message: str, lines: list[str]) -> str:
    return next((line for line in (*reversed(lines), message) if any(sign in line for sign in FOREIGN_SIGNS)), "")


def _stack(lines: list[str], panicked: int) -> list[str]:
    """The panic, its signal, the goroutine's first line and the first frames of it."""
    found = [lines[panicked]]
    for number, line in enumerate(lines[panicked + 1 :], start=panicked + 1):
        if line.startswith("[signal"):
            found.append(line)
        elif GOROUTINE.match(line):
            frames = [item for item in lines[number + 1 :] if not item.startswith(("panic(", "\t/usr/local/go/src/"))]
            return [*found, line, *frames[:4]]
    return found
