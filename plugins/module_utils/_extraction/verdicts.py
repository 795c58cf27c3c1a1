# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Why counters are missing: pure rules over the observed end, in order of precedence.

Each lost process run gets one cause; of all causes the first in ORDER gives the verdict, and the others are mentioned.
Signs: what covmeta (written at the start) and covcounters (written at the end) are there, the exit code, the last lines
of the log, and what the node saw of the process while it ran. Facts about Go: runtime/coverage,
internal/coverage/cfile.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending, Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    REPLACED,
    PodProcessRuns,
    ProcessRun,
    known_process_runs,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import redacted_text

SIGKILLED, ENDED_BY_TERM, NO_HANDLER = 137, 143, 2
OOM_KILLED = "OOMKilled"
GRACE_ROUNDING = 1.5  # seconds: the kubelet's times are whole seconds, rounded down
FULL = 64 << 10  # bytes free at the most on a disk that is full: some file systems keep a block back
PANIC = re.compile(r"(panic: |fatal error: |SIGQUIT: quit|unexpected fault address )")
SHELLS = ("sh", "bash", "dash", "ash", "busybox", "zsh", "ksh")
EVIDENCE_LINES = 20
LOG_LINES = 8
MEBI = 1 << 20

Rule = t.Callable[[Ending, PodProcessRuns], t.Optional[Diagnosis]]
ProcessRunRule = t.Callable[[Ending, PodProcessRuns, ProcessRun], t.Optional[Diagnosis]]

# the first of these that was seen gives the verdict: what concerns all counters comes before what concerns one process
# run
ORDER = (
    *("two-builds", "disk-full", "node-unreachable", "coverage-path-mismatch", "gocoverdir-unset"),
    *("coverage-read-only", "coverage-not-writable", "not-instrumented", "no-covmeta"),
    *("out-of-memory", "panic", "sigterm-not-forwarded", "sigterm-ignored", "grace-period-exceeded"),
    *("no-sigterm-handler", "not-flushed", "killed", "crash", "no-counters", "pod-replaced", "processes-lost"),
    "stale-counters",
)


def verdict_of(ending: Ending, process_runs: t.Sequence[PodProcessRuns]) -> t.Optional[Diagnosis]:
    """Return why counters are missing or cannot be trusted, None where all is well; note the cause at each lost process
    run.

    What else was seen is in C(also); the evidence begins with what is lost.
    """
    if not process_runs:
        return Diagnosis(
            cause="no-pods",
            sentence="No pod was running when the counters were collected, so there are none.",
            remedy="Find out why: the workload has no replicas, or its Job has never run.",
            setting="workload.name",
        )
    found = [verdict for rule in WHOLE for verdict in rule(ending, process_runs)]
    for item in process_runs:
        if item.lost:
            explained = list(why(ending, item))
            found += explained
            item.cause, item.why = explained[0].cause, redacted_text(explained[0].sentence)
    if not found:
        return None
    by_cause: dict[str, list[Diagnosis]] = {}
    for verdict in found:
        by_cause.setdefault(verdict.cause, []).append(verdict)
    merged = [_merged(by_cause[cause]) for cause in sorted(by_cause, key=ORDER.index)]
    first, rest = merged[0], merged[1:]
    lost = [
        f"pod {item.pod}: counters of {item.counters} of {_count(item.process_runs, 'process run', 'process runs')}"
        f" collected, {item.metas} covmeta, "
        f"exit codes {item.exit_codes or 'not seen'}{f' ({item.reason})' if item.reason else ''}"
        for item in process_runs
        if item.lost
    ]
    return dataclasses.replace(
        first,
        sentence=redacted_text(first.sentence),
        evidence=[redacted_text(line) for line in [*lost[:EVIDENCE_LINES], *first.evidence]][: 2 * EVIDENCE_LINES],
        also=[other.rewritten(redacted_text) for other in rest],
    )


def why(ending: Ending, item: PodProcessRuns) -> t.Iterator[Diagnosis]:
    """Yield a verdict for each lost process run of a pod that is explained, at least one."""
    names = ending.names(item.pod)
    known = known_process_runs(ending, item.pod) if ending.pod(item.pod) is not None else []
    if not item.metas:
        # one cause for all of its process runs
        yield next(filter(None, (rule(ending, item) for rule in NOTHING_WRITTEN)), None) or _no_covmeta(ending, item)
        return
    if item.reason == REPLACED and not known:
        yield _replaced(ending, item)
        return
    # the last one first: it is the one that got SIGTERM
    lost = [process_run for process_run in reversed(known) if not process_run.wrote(names)][: item.lost]
    if not lost and known and item.lost >= item.process_runs:
        lost = known[-1:]
    for process_run in lost:
        yield (
            next(filter(None, (rule(ending, item, process_run) for rule in NOT_FINISHED)), None)
            or _no_counters(ending, item, process_run)
        )
    forgotten = item.lost - len(lost)
    if forgotten > 0:
        yield Diagnosis(
            cause="processes-lost",
            sentence=f"{_count(forgotten, 'process run', 'process runs')} of the program in pod {item.pod} ended"
            " earlier without writing counters; Kubernetes no longer knows how.",
            evidence=[f"pod {item.pod}: started {item.process_runs} times, {item.counters} covcounters"],
            remedy="Find out why it is restarted; read the events and the log of the previous process run.",
        )


# rules about all collected counters


def two_builds(ending: Ending, process_runs: t.Sequence[PodProcessRuns]) -> t.Iterator[Diagnosis]:
    """More than one covmeta of the same program: it was changed in between, and its statements would count twice."""
    by_main: dict[tuple[str, ...], list[str]] = {}
    for digest, main in sorted(ending.builds.items()):
        if main:
            by_main.setdefault(tuple(main), []).append(digest)
    for mains, digests in by_main.items():
        pods = {
            digest: sorted({name.partition("/")[0] for name in ending.files if digest in name}) for digest in digests
        }
        if len(digests) > 1:
            yield Diagnosis(
                cause="two-builds",
                sentence=f"The counters of {ending.component} are from {len(digests)} builds of {mains[0]} and cannot"
                " be merged.",
                evidence=[f"covmeta.{digest} of {', '.join(pods[digest]) or 'no pod'}" for digest in digests],
                remedy="Use one image for all pods of a component, and a new run for a new build.",
                setting="coverage_mode#image",
            )


def stale_counters(ending: Ending, process_runs: t.Sequence[PodProcessRuns]) -> t.Iterator[Diagnosis]:
    """Files that are older than the workload of this run: of an earlier one that used the same folder."""
    old = sorted(name for name in ending.set_aside if name.rpartition("/")[2].startswith("cov"))
    if old:
        yield Diagnosis(
            cause="stale-counters",
            sentence=f"{_count(len(old), 'file', 'files')} in {ending.volume_directory} on the nodes"
            f" {'is' if len(old) == 1 else 'are'} older than this run's workload, and"
            f" {'was' if len(old) == 1 else 'were'} set aside.",
            evidence=old[:EVIDENCE_LINES],
            remedy="Use a unique id for each run: it names the folder on the nodes.",
            setting="coverage_mode#run_id",
        )


WHOLE: tuple[t.Callable[[Ending, t.Sequence[PodProcessRuns]], t.Iterator[Diagnosis]], ...] = (
    two_builds,
    stale_counters,
)


# rules for a pod that wrote nothing at all, not even covmeta


def node_unreachable(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """The pod's node was not searched."""
    if not item.node or item.node in ending.searched:
        return None
    said = ending.unreachable.get(item.node, "")
    return Diagnosis(
        cause="node-unreachable",
        sentence=f"Could not search node {item.node} for the coverage counters of pod {item.pod}.",
        evidence=[f"nodes that were searched: {', '.join(ending.searched) or 'none'}", *[said] * bool(said)],
        remedy="List every node that the pods may run on; each must be a running container.",
        setting="coverage_extraction#nodes",
    )


def path_mismatch(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """GOCOVERDIR names another folder than the one that is mounted: files are there, or it does not exist."""
    mounted = _mounted_at(ending, item.pod)
    for process in _instrumented(ending, item.pod):
        point = next(iter(process.mount.split(" ")[1:]), "/")
        inside = bool(mounted) and (process.folder == mounted or process.folder.startswith(f"{mounted}/"))
        if not process.folder or (inside and process.mode) or not mounted:
            continue
        there = f"it holds {', '.join(process.files)}" if process.files else "it is empty"
        return Diagnosis(
            cause="coverage-path-mismatch",
            sentence=f"The program in pod {item.pod} writes its counters to {process.folder}, but the folder that"
            f" is collected is mounted at {mounted}.",
            evidence=[
                f"GOCOVERDIR={process.folder} of process {process.name}, "
                + (there if process.mode else "and there is no such folder"),
                f"{process.folder} is on the mount {point}",
            ],
            remedy="The image's entrypoint, a wrapper or the manifest overrides GOCOVERDIR. Remove the override.",
            setting="coverage.directory",
        )
    line = _log_line(ending, item.pod, "inaccessible")
    if line:
        return Diagnosis(
            cause="coverage-path-mismatch",
            sentence=f"The folder that GOCOVERDIR names in pod {item.pod} does not exist:"
            f" {_after(line, 'output directory ')}",
            evidence=[line],
            remedy="Mount the folder for counters where GOCOVERDIR points.",
            setting="coverage.directory",
        )
    return None


def gocoverdir_unset(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """The program is instrumented, and no GOCOVERDIR reaches it."""
    line = _log_line(ending, item.pod, "GOCOVERDIR not set")
    without = [process for process in _instrumented(ending, item.pod) if not process.folder]
    if not line and (not without or len(without) < len(_instrumented(ending, item.pod))):
        return None
    return Diagnosis(
        cause="gocoverdir-unset",
        sentence=f"The program in pod {item.pod} is instrumented, but GOCOVERDIR does not reach it.",
        evidence=[
            *[line] * bool(line),
            *(f"{_shown(process)}: no GOCOVERDIR" for process in without),
        ],
        remedy="Find what drops it between the container's entrypoint and the program: a wrapper, or env -i.",
        setting="workload.container",
    )


def disk_full_at_start(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    line = _log_line(ending, item.pod, "no space left on device")
    return _disk_full(ending, item, line) if line else None


def not_writable(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """It may not write there: by the folder's mode, or because the mount is read-only."""
    read_only = _log_line(ending, item.pod, "read-only file system")
    denied = _log_line(ending, item.pod, "permission denied")
    process = next(iter(_instrumented(ending, item.pod)), None)
    mount = process.mount if process else ""
    if read_only or (process and not process.files and "ro" in mount.split(" ")[0].split(",")):
        return Diagnosis(
            cause="coverage-read-only",
            sentence=f"The program in pod {item.pod} cannot write its counters: the folder is mounted read-only.",
            evidence=[
                *[read_only] * bool(read_only),
                *[f"mount: {mount}"] * bool(mount),
            ],
            remedy="Remove readOnly from the mount of the folder for counters.",
            setting="coverage.directory",
        )
    if denied or (process and process.folder and process.mode and not process.files and not _may_write(process)):
        who = f"user {process.user}" if process else "its user"
        how = f"{process.folder} has mode, owner, group {process.mode}" if process else ""
        return Diagnosis(
            cause="coverage-not-writable",
            sentence=f"The program in pod {item.pod} runs as {who}, which may not write to the folder for counters.",
            evidence=[*[denied] * bool(denied), *[how] * bool(how)],
            remedy="Let its user write to the folder: mode 1777, as the role coverage_mode prepares it, or an fsGroup.",
            setting="coverage_mode#nodes",
        )
    return None


def not_instrumented(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """None of the container's binaries can write counters."""
    seen = ending.processes.get(item.pod, [])
    if not seen or any(process.instrumented for process in seen):
        return None
    image = _container(ending, item.pod).get("image", "")
    return Diagnosis(
        cause="not-instrumented",
        sentence=f"The program in pod {item.pod} is not instrumented: its binary cannot write counters.",
        evidence=[f"image {image}", *(f"{_shown(process)}: no runtime/coverage.initHook in it" for process in seen)],
        remedy="Check that the image that runs is the one that was built, and that it was built with -cover.",
        setting="coverage_mode#image",
    )


NOTHING_WRITTEN: tuple[Rule, ...] = (
    node_unreachable,
    disk_full_at_start,
    path_mismatch,
    gocoverdir_unset,
    not_writable,
    not_instrumented,
)


def _no_covmeta(ending: Ending, item: PodProcessRuns) -> Diagnosis:
    if item.reason == REPLACED:
        return _replaced(ending, item)
    return Diagnosis(
        cause="no-covmeta",
        sentence=f"The program in pod {item.pod} wrote nothing: neither covmeta, which is written at startup,"
        " nor counters.",
        evidence=[f"files of {item.pod}: {', '.join(ending.names(item.pod)) or 'none'}", *_log_end(ending, item.pod)],
        remedy="Check that the image that ran is instrumented, and that GOCOVERDIR is the mounted folder.",
        setting="source",
    )


def _replaced(ending: Ending, item: PodProcessRuns) -> Diagnosis:
    said = [
        f"{event.get('reason')}: {event.get('message')}"
        for event in ending.events
        if (event.get("involvedObject") or {}).get("name") == item.pod
    ]
    return Diagnosis(
        cause="pod-replaced",
        sentence=f"Pod {item.pod} was replaced during the tests; counters of"
        f" {_count(item.lost, 'process run', 'process runs')} were lost.",
        evidence=said[-LOG_LINES:],
        remedy="Find out who replaced it: the tests themselves, a new rollout, or an eviction.",
    )


# rules for a process run that wrote covmeta when it started, and no counters when it ended


def still_runs(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    if not process_run.last or process_run.code is not None:
        return None
    return Diagnosis(
        cause="not-flushed",
        sentence=f"The program in pod {item.pod} still runs, and writes its counters only when it ends.",
        evidence=[],
        remedy="Stop it before collecting the counters.",
        setting="coverage_extraction#timeout",
    )


def could_not_write(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """The program itself said that it could not write its counters, or left them half written."""
    lines = [line for line in process_run.log.splitlines() if "emit failed" in line]
    no_space = next((line for line in lines if "no space left" in line), "")
    half = [name for name in ending.names(item.pod) if name.startswith("tmp.covcounters")]
    disk = ending.disks.get(item.node)
    if no_space or (half and disk is not None and (disk.free <= FULL or disk.free_files == 0)):
        return _disk_full(ending, item, no_space, half)
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


def out_of_memory(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    if process_run.reason != OOM_KILLED:
        return None
    limit = ((_container(ending, item.pod).get("resources") or {}).get("limits") or {}).get("memory", "")
    return Diagnosis(
        cause="out-of-memory",
        sentence=f"The program in pod {item.pod} was killed because it needed more memory than its limit"
        f"{f' of {limit}' if limit else ''}; its counters were lost.",
        evidence=[_end_of(process_run), *_last_lines(process_run.log)],
        remedy="Raise the memory limit; coverage counters need additional memory.",
        setting="workload.objects",
    )


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
        sentence=f"The program in pod {item.pod} panicked {when}: {_short(lines[begin])}",
        evidence=[_end_of(process_run), *lines[begin : begin + LOG_LINES]],
        remedy="Fix the panic. A Go program that panics exits before it writes its counters.",
    )


def signal_not_forwarded(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """The container's first process is another than the program, and does not pass SIGTERM on to it."""
    first = ending.first_process(item.pod)
    programs = [process for process in _instrumented(ending, item.pod) if not process.first]
    if not process_run.last or first is None or not programs:
        return None
    if first.instrumented and not (process_run.code == SIGKILLED and _grace_over(process_run)):
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
        f" which was killed with it{_after_seconds(process_run)}.",
        evidence=[
            f"first process: {_shown(first)}, {does}",
            *(f"program: {_shown(one)}" for one in programs),
            _end_of(process_run),
        ],
        remedy="Start the program with exec, or write the image's ENTRYPOINT as a list, so that it is process 1.",
        setting="source",
    )


def signal_ignored(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    first = ending.first_process(item.pod)
    if (
        not process_run.last
        or process_run.code != SIGKILLED
        or first is None
        or not first.ignores
        or not _grace_over(process_run)
    ):
        return None
    return Diagnosis(
        cause="sigterm-ignored",
        sentence=f"The program in pod {item.pod} ignores SIGTERM and was killed when its grace period of"
        f" {process_run.grace:g} s was over.",
        evidence=[f"{_shown(first)} ignores SIGTERM", _end_of(process_run)],
        remedy="Handle SIGTERM (signal.NotifyContext) and let main return.",
    )


def grace_exceeded(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    if process_run.code != SIGKILLED or not _grace_over(process_run):
        return None
    hook = any((part.get("lifecycle") or {}).get("preStop") for part in _spec(ending, item.pod).get("containers") or [])
    return Diagnosis(
        cause="grace-period-exceeded",
        sentence=f"The program in pod {item.pod} was still shutting down when its grace period of"
        f" {process_run.grace:g} s was over, and was killed.",
        evidence=[
            _end_of(process_run),
            *["its preStop hook takes part of that time"] * hook,
            *_last_lines(process_run.log),
        ],
        remedy="Raise the grace period above the time that its shutdown takes.",
        setting="coverage.grace_period",
    )


def killed(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    if process_run.code != SIGKILLED:
        return None
    events = _events(ending, item.pod, "Killing", "Evicted", "Preempting", "OOMKilling", "SystemOOM")
    probe = next((said for said in events if "failed liveness probe" in said or "failed startup probe" in said), "")
    if probe:
        return Diagnosis(
            cause="killed",
            sentence=f"The program in pod {item.pod} was killed because its probe failed, and did not end within its"
            " grace period.",
            evidence=[probe, _end_of(process_run)],
            remedy="Relax the probe's thresholds, or fix what makes it fail.",
            setting="workload.objects",
        )
    return Diagnosis(
        cause="killed",
        sentence=f"The program in pod {item.pod} was killed (SIGKILL){_after_seconds(process_run)}, neither for its"
        " memory limit nor at the end of its grace period.",
        evidence=[_end_of(process_run), *events[-3:]],
        remedy="Find out who killed it: a test, the node's own memory, an eviction.",
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
        evidence=[_end_of(process_run), "no panic in its log", *_last_lines(process_run.log)],
        remedy="Handle SIGTERM (signal.NotifyContext) and let main return.",
    )


def crashed(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> t.Optional[Diagnosis]:
    """An earlier process run that ended by itself with an error, and wrote nothing: not through os.Exit, then."""
    if process_run.last or not process_run.code:
        return None
    return Diagnosis(
        cause="crash",
        sentence=f"An earlier process run of the program in pod {item.pod} ended with exit code {process_run.code} and"
        " wrote no counters.",
        evidence=[_end_of(process_run), *_last_lines(process_run.log)],
        remedy="Read the end of its log.",
    )


NOT_FINISHED: tuple[ProcessRunRule, ...] = (
    still_runs,
    could_not_write,
    out_of_memory,
    panicked,
    signal_not_forwarded,
    signal_ignored,
    grace_exceeded,
    killed,
    no_handler,
    crashed,
)


def _no_counters(ending: Ending, item: PodProcessRuns, process_run: ProcessRun) -> Diagnosis:
    return Diagnosis(
        cause="no-counters",
        sentence=f"The program in pod {item.pod} wrote covmeta when it started, but no counters when it ended with exit"
        f" code {process_run.code}.",
        evidence=[_end_of(process_run), *_last_lines(process_run.log)],
        remedy="Find out how it ends: Go writes no counters on syscall.Exit or when it execs another program.",
    )


# helpers


def _disk_full(ending: Ending, item: PodProcessRuns, line: str, half: t.Sequence[str] = ()) -> Diagnosis:
    disk = ending.disks.get(item.node)
    free = (
        f"{disk.free / MEBI:.1f} of {disk.size / MEBI:.0f} MiB free, {disk.free_files} of {disk.files} inodes free"
        if disk
        else "its free space is not known"
    )
    return Diagnosis(
        cause="disk-full",
        sentence=f"The program in pod {item.pod} could not write its counters: the disk of its node,"
        f" {item.node or '?'}, is full.",
        evidence=[*[line] * bool(line), f"node {item.node}: {free}", *(f"partially written: {name}" for name in half)],
        remedy="Free space on the node, which shares the disk of its host.",
        setting="preflight_info#disk_gib",
    )


def _merged(verdicts: t.Sequence[Diagnosis]) -> Diagnosis:
    """One verdict for all that have the same cause: the first one's words, and everyone's evidence."""
    first, others = verdicts[0], verdicts[1:]
    if not others:
        return first
    evidence = [line for verdict in verdicts for line in verdict.evidence]
    return dataclasses.replace(
        first,
        sentence=f"{first.sentence.rstrip('.')} (and {len(others)} more).",
        evidence=list(dict.fromkeys(evidence))[: 2 * EVIDENCE_LINES],
    )


def _instrumented(ending: Ending, pod: str) -> list[Process]:
    return [process for process in ending.processes.get(pod, []) if process.instrumented]


def _spec(ending: Ending, pod: str) -> Object:
    return t.cast(Object, (ending.pod(pod) or {}).get("spec") or {})


def _container(ending: Ending, pod: str) -> Object:
    parts = _spec(ending, pod).get("containers") or []
    return next((part for part in parts if part["name"] == ending.container), {})


def _mounted_at(ending: Ending, pod: str) -> str:
    """Mount path of the collected folder in the instrumented container, empty where it is not mounted."""
    spec = _spec(ending, pod)
    volumes = {
        volume["name"]
        for volume in spec.get("volumes") or []
        if ((volume.get("hostPath") or {}).get("path") or "").rstrip("/") == ending.volume_directory.rstrip("/")
    }
    mounts = _container(ending, pod).get("volumeMounts") or []
    return next((str(mount["mountPath"]).rstrip("/") or "/" for mount in mounts if mount["name"] in volumes), "")


def _may_write(process: Process) -> bool:
    """Whether mode and owner of a folder let the process write to it."""
    mode, owner, group = process.mode.split()
    if process.user == 0:
        return True
    digit = mode[-3] if process.user == int(owner) else mode[-2] if int(group) in process.groups else mode[-1]
    return bool(int(digit) & 2)


def _grace_over(process_run: ProcessRun) -> bool:
    return bool(process_run.asked) and process_run.ended - process_run.asked >= process_run.grace - GRACE_ROUNDING


def _end_of(process_run: ProcessRun) -> str:
    """How a process run ended, in a line."""
    text = f"exit code {process_run.code}{f' ({process_run.reason})' if process_run.reason else ''}"
    if process_run.ended and process_run.started:
        text += f", {process_run.ended - process_run.started:.0f} s after its start"
    if process_run.ended and process_run.asked:
        seconds = max(0, process_run.ended - process_run.asked)
        text += f", {seconds:.0f} s after SIGTERM (grace period {process_run.grace:g} s)"
    return text


def _after_seconds(process_run: ProcessRun) -> str:
    return (
        f" {max(0, process_run.ended - process_run.asked):.0f} s after SIGTERM"
        if process_run.asked and process_run.ended
        else ""
    )


def _shown(process: Process) -> str:
    return _short(f"{process.command or process.executable or process.name} (user {process.user})")


def _events(ending: Ending, pod: str, *reasons: str) -> list[str]:
    return [
        f"{event.get('reason')}: {event.get('message')}"
        for event in ending.events
        if (event.get("involvedObject") or {}).get("name") == pod and event.get("reason") in reasons
    ]


def _logs(ending: Ending, pod: str) -> t.Iterator[str]:
    for process_run in known_process_runs(ending, pod):
        yield from process_run.log.splitlines()


def _log_line(ending: Ending, pod: str, words: str) -> str:
    """The first line of the pod's logs about coverage with these words."""
    lines = (line for line in _logs(ending, pod) if words in line and ("emit failed" in line or "GOCOVERDIR" in line))
    return next(lines, "")


def _log_end(ending: Ending, pod: str) -> list[str]:
    return _last_lines("\n".join(_logs(ending, pod)))


def _last_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][-LOG_LINES:]


def _after(line: str, words: str) -> str:
    return _short(line.partition(words)[2] or line)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:99]} … {text[-98:]}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
