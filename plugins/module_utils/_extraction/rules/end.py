# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Rules for a process run that wrote covmeta when it started, and no counters when it ended."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import count, short
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    PodProcessRuns,
    ProcessRun,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.rule import rule
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.signs import (
    GRACE_ROUNDING,
    LOG_LINES,
    after_seconds,
    container,
    disk_full,
    end_of,
    events_of,
    grace_over,
    instrumented,
    log_lines,
    shown,
    spec,
)

SIGKILLED, ENDED_BY_TERM, NO_HANDLER = 137, 143, 2
OOM_KILLED = "OOMKilled"
FULL = 64 << 10  # bytes free at the most on a disk that is full: some file systems keep a block back
PANIC = re.compile(r"(panic: |fatal error: |SIGQUIT: quit|unexpected fault address )")
SHELLS = ("sh", "bash", "dash", "ash", "busybox", "zsh", "ksh")


@rule(
    Cause(
        "not-flushed",
        title="The program still runs",
        why="It writes its counters only when it ends.",
        remedy="Stop it first.",
        settings=("coverage_extraction#timeout",),
    ),
)
def still_runs(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """The program had not ended when its counters were collected."""
    if not process_run.last or process_run.code is not None:
        return None
    return Diagnosis(
        cause="not-flushed",
        sentence=f"The program in pod {item.pod} still runs, and writes its counters only when it ends.",
        evidence=[],
        remedy="Stop it before collecting the counters.",
        setting="coverage_extraction#timeout",
    )


@rule(
    gives=(
        "disk-full",
        "coverage-not-writable",
    ),
)
def could_not_write(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """The program itself said that it could not write its counters, or left them half written."""
    lines = [line for line in process_run.log.splitlines() if "emit failed" in line]
    no_space = next((line for line in lines if "no space left" in line), "")
    half = [name for name in ending.names(item.pod) if name.startswith("tmp.covcounters")]
    disk = ending.disks.get(item.node)
    if no_space or (half and disk is not None and (disk.free <= FULL or disk.free_files == 0)):
        return disk_full(ending, item, no_space, half)
    if any("permission denied" in line or "read-only" in line for line in lines):
        return Diagnosis(
            cause="coverage-not-writable",
            sentence=f"The program in pod {item.pod} could write to the folder for counters when it started, but no"
            " longer when it ended.",
            evidence=lines[-LOG_LINES:],
            remedy="Find out who changed the folder's mode or owner during the run.",
            setting="coverage_mode#nodes",
        )
    return None


@rule(gives=("out-of-memory",))
def out_of_memory(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """The kernel killed it for its memory limit."""
    if process_run.reason != OOM_KILLED:
        return None
    limit = ((container(ending, item.pod).get("resources") or {}).get("limits") or {}).get("memory", "")
    return Diagnosis(
        cause="out-of-memory",
        sentence=f"The program in pod {item.pod} was killed because it needed more memory than its limit"
        f"{f' of {limit}' if limit else ''}; its counters were lost.",
        evidence=[end_of(process_run), *log_lines(process_run.log)],
        remedy="Raise the memory limit; coverage counters need additional memory.",
        setting="workload.objects",
    )


@rule(gives=("panic",))
def panicked(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """A panic ends the process at once, with exit code 2 as a signal without handler does: only the log shows it."""
    if process_run.code != NO_HANDLER:
        return None
    lines = process_run.log.splitlines()
    begin = next((number for number, line in enumerate(lines) if PANIC.match(line)), None)
    if begin is None:
        return None
    when = (
        "after SIGTERM"
        if process_run.asked and process_run.ended >= process_run.asked - GRACE_ROUNDING
        else "while it ran"
    )
    return Diagnosis(
        cause="panic",
        sentence=f"The program in pod {item.pod} panicked {when}: {short(lines[begin])}",
        evidence=[end_of(process_run), *lines[begin : begin + LOG_LINES]],
        remedy="Fix the panic. A Go program that panics exits before it writes its counters.",
    )


@rule(
    Cause(
        "sigterm-not-forwarded",
        title="SIGTERM is not forwarded to the program",
        why=(
            "The first process of the container is a shell or a wrapper; it ended or was killed, and the "
            "program with it."
        ),
        remedy="Use `exec` in the script, or write `ENTRYPOINT` as a list.",
        settings=("source",),
    ),
)
def signal_not_forwarded(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """The container's first process is another than the program, and does not pass SIGTERM on to it."""
    first = ending.first_process(item.pod)
    programs = [process for process in instrumented(ending, item.pod) if not process.first]
    if not process_run.last or first is None or not programs:
        return None
    if first.instrumented and not (process_run.code == SIGKILLED and grace_over(process_run)):
        return None  # a Go program that has children: it ended itself
    # an init that forwards it exits with the program's own code; a program without a handler is then the cause
    if process_run.code == ENDED_BY_TERM and first.handles and first.name not in SHELLS:
        return None
    does = (
        "ignores SIGTERM"
        if first.ignores
        else "has a handler for SIGTERM of its own"
        if first.handles
        else "is not ended by SIGTERM as process 1"
    )
    return Diagnosis(
        cause="sigterm-not-forwarded",
        sentence=f"In pod {item.pod}, {first.name} is the first process and does not pass SIGTERM on to the program,"
        f" which was killed with it{after_seconds(process_run)}.",
        evidence=[
            f"first process: {shown(first)}, {does}",
            *(f"program: {shown(one)}" for one in programs),
            end_of(process_run),
        ],
        remedy="Start the program with exec, or write the image's ENTRYPOINT as a list, so that it is process 1.",
        setting="source",
    )


@rule(
    Cause(
        "sigterm-ignored",
        title="The program ignores SIGTERM",
        why="Its signal mask says so, and it was killed at the end of the grace period.",
        remedy="Handle SIGTERM and let main return.",
    ),
)
def signal_ignored(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """Its first process ignores SIGTERM and was killed at the end of the grace period."""
    first = ending.first_process(item.pod)
    if (
        not process_run.last
        or process_run.code != SIGKILLED
        or first is None
        or not first.ignores
        or not grace_over(process_run)
    ):
        return None
    return Diagnosis(
        cause="sigterm-ignored",
        sentence=f"The program in pod {item.pod} ignores SIGTERM and was killed when its grace period of"
        f" {process_run.grace:g} s was over.",
        evidence=[f"{shown(first)} ignores SIGTERM", end_of(process_run)],
        remedy="Handle SIGTERM (signal.NotifyContext) and let main return.",
    )


@rule(
    Cause(
        "grace-period-exceeded",
        title="The grace period is too short",
        why="Exit code 137, exactly when the grace period was over: the shutdown takes longer.",
        remedy="Give it more time.",
        settings=("coverage.grace_period",),
    ),
)
def grace_exceeded(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """Its shutdown took longer than the grace period."""
    if process_run.code != SIGKILLED or not grace_over(process_run):
        return None
    hook = any((part.get("lifecycle") or {}).get("preStop") for part in spec(ending, item.pod).get("containers") or [])
    return Diagnosis(
        cause="grace-period-exceeded",
        sentence=f"The program in pod {item.pod} was still shutting down when its grace period of"
        f" {process_run.grace:g} s was over, and was killed.",
        evidence=[
            end_of(process_run),
            *["its preStop hook takes part of that time"] * hook,
            *log_lines(process_run.log),
        ],
        remedy="Raise the grace period above the time that its shutdown takes.",
        setting="coverage.grace_period",
    )


@rule(
    Cause(
        "killed",
        title="The program was killed",
        why=(
            "Exit code 137, and neither memory nor grace period is the reason: a test, the node, or a "
            "probe (its event is quoted)."
        ),
        remedy="Check who killed it.",
    ),
)
def killed(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """SIGKILL, neither for memory nor at the end of the grace period: a probe, the node, somebody."""
    if process_run.code != SIGKILLED:
        return None
    events = events_of(ending, item.pod, "Killing", "Evicted", "Preempting", "OOMKilling", "SystemOOM")
    probe = next((said for said in events if "failed liveness probe" in said or "failed startup probe" in said), "")
    if probe:
        return Diagnosis(
            cause="killed",
            sentence=f"The program in pod {item.pod} was killed because its probe failed, and did not end within its"
            " grace period.",
            evidence=[probe, end_of(process_run)],
            remedy="Relax the probe's thresholds, or fix what makes it fail.",
            setting="workload.objects",
        )
    return Diagnosis(
        cause="killed",
        sentence=f"The program in pod {item.pod} was killed (SIGKILL){after_seconds(process_run)}, neither for its"
        " memory limit nor at the end of its grace period.",
        evidence=[end_of(process_run), *events[-3:]],
        remedy="Find out who killed it: a test, the node's own memory, an eviction.",
    )


@rule(
    Cause(
        "no-sigterm-handler",
        title="The program has no handler for SIGTERM",
        why="Exit code 2 without a panic in the log (Go as process 1), or 143.",
        remedy="Handle SIGTERM (`signal.NotifyContext`) and let main return.",
    ),
)
def no_handler(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """SIGTERM without a handler: as process 1 of a container Go's runtime exits with 2, else the signal ends it."""
    if process_run.code not in (NO_HANDLER, ENDED_BY_TERM):
        return None
    after = f" {max(0, process_run.ended - process_run.asked):.0f} s after SIGTERM" if process_run.asked else ""
    return Diagnosis(
        cause="no-sigterm-handler",
        sentence=f"The program in pod {item.pod} has no handler for SIGTERM: it ended{after} without returning"
        " from main, so Go wrote no counters.",
        evidence=[end_of(process_run), "no panic in its log", *log_lines(process_run.log)],
        remedy="Handle SIGTERM (signal.NotifyContext) and let main return.",
    )


@rule(gives=("crash",))
def crashed(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """An earlier process run that ended by itself with an error, and wrote nothing: not through os.Exit, then."""
    if process_run.last or not process_run.code:
        return None
    return Diagnosis(
        cause="crash",
        sentence=f"An earlier process run of the program in pod {item.pod} ended with exit code {process_run.code} and"
        " wrote no counters.",
        evidence=[end_of(process_run), *log_lines(process_run.log)],
        remedy="Read the end of its log.",
    )


@rule(
    Cause(
        "no-counters",
        title="The program wrote no counters",
        why=("It ended with another exit code and wrote nothing: `syscall.Exit`, or the exec of another program."),
        remedy="Check how it ends.",
    ),
)
def no_counters(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> Diagnosis:
    """For when no other rule knows why: it ended without counters."""
    return Diagnosis(
        cause="no-counters",
        sentence=f"The program in pod {item.pod} wrote covmeta when it started, but no counters when it ended with exit"
        f" code {process_run.code}.",
        evidence=[end_of(process_run), *log_lines(process_run.log)],
        remedy="Find out how it ends: Go writes no counters on syscall.Exit or when it execs another program.",
    )


@rule(
    Cause(
        "processes-lost",
        title="Earlier process runs wrote nothing",
        why="Kubernetes no longer knows how they ended: it remembers two.",
        remedy="Check why the container is restarted again and again.",
    ),
)
def forgotten(item: PodProcessRuns, number: int) -> Diagnosis:
    """Kubernetes remembers two process runs of a container: nothing can be said of the end of earlier ones."""
    return Diagnosis(
        cause="processes-lost",
        sentence=f"{count(number, 'process run')} of the program in pod {item.pod} ended"
        " earlier without writing counters; Kubernetes no longer knows how.",
        evidence=[f"pod {item.pod}: started {item.process_runs} times, {item.counters} covcounters"],
        remedy="Find out why it is restarted; read the events and the log of the previous process run.",
    )
