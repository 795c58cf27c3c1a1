# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What an observed end shows: processes, mounts, events, the end of logs; in words where rules say it."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import last_lines, short
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending, Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    PodProcessRuns,
    ProcessRun,
    known_process_runs,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

GRACE_ROUNDING = 1.5  # seconds: the kubelet's times are whole seconds, rounded down
EVIDENCE_LINES = 20
LOG_LINES = 8
MEBI = 1 << 20


def instrumented(ending: Ending, pod: str) -> list[Process]:
    """Return the processes of a pod whose program can write counters."""
    return [process for process in ending.processes.get(pod, []) if process.instrumented]


def spec(ending: Ending, pod: str) -> Object:
    """Return the spec of a pod, empty where it was not observed."""
    return t.cast(Object, (ending.pod(pod) or {}).get("spec") or {})


def container(ending: Ending, pod: str) -> Object:
    """Return the specification of the instrumented container, empty where it was not observed."""
    parts = spec(ending, pod).get("containers") or []
    return next((part for part in parts if part["name"] == ending.container), {})


def mounted_at(ending: Ending, pod: str) -> str:
    """Return the mount path of the collected folder in the instrumented container, empty where it is not mounted."""
    volumes = {
        volume["name"]
        for volume in spec(ending, pod).get("volumes") or []
        if ((volume.get("hostPath") or {}).get("path") or "").rstrip("/") == ending.volume_directory.rstrip("/")
    }
    mounts = container(ending, pod).get("volumeMounts") or []
    return next((str(mount["mountPath"]).rstrip("/") or "/" for mount in mounts if mount["name"] in volumes), "")


def may_write(process: Process) -> bool:
    """Whether mode and owner of a folder let the process write to it."""
    mode, owner, group = process.mode.split()
    if process.user == 0:
        return True
    digit = mode[-3] if process.user == int(owner) else mode[-2] if int(group) in process.groups else mode[-1]
    return bool(int(digit) & 2)


def grace_over(process_run: ProcessRun) -> bool:
    """Whether a process run ended at the end of its grace period or later."""
    return bool(process_run.asked) and process_run.ended - process_run.asked >= process_run.grace - GRACE_ROUNDING


def end_of(process_run: ProcessRun) -> str:
    """Return how a process run ended, in a line."""
    text = f"exit code {process_run.code}{f' ({process_run.reason})' if process_run.reason else ''}"
    if process_run.ended and process_run.started:
        text += f", {process_run.ended - process_run.started:.0f} s after its start"
    if process_run.ended and process_run.asked:
        seconds = max(0, process_run.ended - process_run.asked)
        text += f", {seconds:.0f} s after SIGTERM (grace period {process_run.grace:g} s)"
    return text


def after_seconds(process_run: ProcessRun) -> str:
    """Return C( 30 s after SIGTERM) with a space before it, empty where a time is not known."""
    return (
        f" {max(0, process_run.ended - process_run.asked):.0f} s after SIGTERM"
        if process_run.asked and process_run.ended
        else ""
    )


def shown(process: Process) -> str:
    """Return the command of a process and its user."""
    return short(f"{process.command or process.executable or process.name} (user {process.user})")


def events_of(ending: Ending, pod: str, *reasons: str) -> list[str]:
    """Return the events of a pod that have one of these reasons, as C(reason: message)."""
    return [
        f"{event.get('reason')}: {event.get('message')}"
        for event in ending.events
        if (event.get("involvedObject") or {}).get("name") == pod and event.get("reason") in reasons
    ]


def logs(ending: Ending, pod: str) -> t.Iterator[str]:
    """Yield the lines of all process runs of a pod, as far as they are known."""
    for process_run in known_process_runs(ending, pod):
        yield from process_run.log.splitlines()


def log_line(ending: Ending, pod: str, words: str) -> str:
    """Return the first line of the pod's logs about coverage with these words."""
    lines = (line for line in logs(ending, pod) if words in line and ("emit failed" in line or "GOCOVERDIR" in line))
    return next(lines, "")


def log_end(ending: Ending, pod: str) -> list[str]:
    """Return the last lines of a pod's logs."""
    return log_lines("\n".join(logs(ending, pod)))


def log_lines(text: str) -> list[str]:
    """Return the last lines of a log."""
    return last_lines(text, LOG_LINES)


def after(line: str, words: str) -> str:
    """Return what follows some words in a line, shortened; the whole line where they are not in it."""
    return short(line.partition(words)[2] or line)


def disk_full(ending: Ending, item: PodProcessRuns, line: str, half: t.Sequence[str] = ()) -> Diagnosis:
    """Return the diagnosis of a full disk.

    :arg line: of the log. :arg half: names of files that were only partly written.
    """
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
