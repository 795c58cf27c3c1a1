# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Rules for a pod that wrote nothing at all, not even covmeta, which is written when a program starts."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import count
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    REPLACED,
    PodProcessRuns,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.rule import rule
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.signs import (
    LOG_LINES,
    after,
    container,
    disk_full,
    instrumented,
    log_end,
    log_line,
    may_write,
    mounted_at,
    shown,
)


@rule(
    Cause(
        "node-unreachable",
        title="A node cannot be searched",
        why="The counters of its pods cannot be collected.",
        remedy="Name all nodes that the pods may run on.",
        settings=("coverage_extraction#nodes",),
    ),
)
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


@rule(gives=("disk-full",))
def disk_full_at_start(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """The program said that there was no room for its covmeta."""
    line = log_line(ending, item.pod, "no space left on device")
    return disk_full(ending, item, line) if line else None


@rule(gives=("coverage-path-mismatch",))
def path_mismatch(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """GOCOVERDIR names another folder than the one that is mounted: files are there, or it does not exist."""
    mounted = mounted_at(ending, item.pod)
    for process in instrumented(ending, item.pod):
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
    line = log_line(ending, item.pod, "inaccessible")
    if line:
        return Diagnosis(
            cause="coverage-path-mismatch",
            sentence=f"The folder that GOCOVERDIR names in pod {item.pod} does not exist:"
            f" {after(line, 'output directory ')}",
            evidence=[line],
            remedy="Mount the folder for counters where GOCOVERDIR points.",
            setting="coverage.directory",
        )
    return None


@rule(gives=("gocoverdir-unset",))
def gocoverdir_unset(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """The program is instrumented, and no GOCOVERDIR reaches it."""
    line = log_line(ending, item.pod, "GOCOVERDIR not set")
    without = [process for process in instrumented(ending, item.pod) if not process.folder]
    if not line and (not without or len(without) < len(instrumented(ending, item.pod))):
        return None
    return Diagnosis(
        cause="gocoverdir-unset",
        sentence=f"The program in pod {item.pod} is instrumented, but GOCOVERDIR does not reach it.",
        evidence=[
            *[line] * bool(line),
            *(f"{shown(process)}: no GOCOVERDIR" for process in without),
        ],
        remedy="Find what drops it between the container's entrypoint and the program: a wrapper, or env -i.",
        setting="workload.container",
    )


@rule(
    gives=(
        "coverage-read-only",
        "coverage-not-writable",
    ),
)
def not_writable(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """It may not write there: by the folder's mode, or because the mount is read-only."""
    read_only = log_line(ending, item.pod, "read-only file system")
    denied = log_line(ending, item.pod, "permission denied")
    process = next(iter(instrumented(ending, item.pod)), None)
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
    if denied or (process and process.folder and process.mode and not process.files and not may_write(process)):
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


@rule(gives=("not-instrumented",))
def not_instrumented(ending: Ending, item: PodProcessRuns) -> t.Optional[Diagnosis]:
    """None of the container's binaries can write counters."""
    seen = ending.processes.get(item.pod, [])
    if not seen or any(process.instrumented for process in seen):
        return None
    image = container(ending, item.pod).get("image", "")
    return Diagnosis(
        cause="not-instrumented",
        sentence=f"The program in pod {item.pod} is not instrumented: its binary cannot write counters.",
        evidence=[f"image {image}", *(f"{shown(process)}: no runtime/coverage.initHook in it" for process in seen)],
        remedy="Check that the image that runs is the one that was built, and that it was built with -cover.",
        setting="coverage_mode#image",
    )


@rule(
    Cause(
        "pod-replaced",
        title="A pod was replaced during the tests",
        why="It is gone, and counters with it. Its events are the evidence.",
        remedy="Check who replaced it.",
    ),
)
def replaced(ending: Ending, item: PodProcessRuns) -> Diagnosis:
    """The pod no longer exists, and nothing of its end was observed."""
    said = [
        f"{event.get('reason')}: {event.get('message')}"
        for event in ending.events
        if (event.get("involvedObject") or {}).get("name") == item.pod
    ]
    return Diagnosis(
        cause="pod-replaced",
        sentence=f"Pod {item.pod} was replaced during the tests; counters of"
        f" {count(item.lost, 'process run')} were lost.",
        evidence=said[-LOG_LINES:],
        remedy="Find out who replaced it: the tests themselves, a new rollout, or an eviction.",
    )


@rule(gives=("no-covmeta", "pod-replaced"))
def no_covmeta(ending: Ending, item: PodProcessRuns) -> Diagnosis:
    """For when no other rule knows why: the pod wrote nothing at all."""
    if item.reason == REPLACED:
        return replaced(ending, item)
    return Diagnosis(
        cause="no-covmeta",
        sentence=f"The program in pod {item.pod} wrote nothing: neither covmeta, which is written at startup,"
        " nor counters.",
        evidence=[f"files of {item.pod}: {', '.join(ending.names(item.pod)) or 'none'}", *log_end(ending, item.pod)],
        remedy="Check that the image that ran is instrumented, and that GOCOVERDIR is the mounted folder.",
        setting="source",
    )
