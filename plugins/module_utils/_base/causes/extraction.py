# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of counters that are lost or cannot be collected."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Extraction",
    Cause(
        "two-builds",
        title="The counters are of two builds",
        why=(
            "There is more than one covmeta of the same main package: the image was changed during the "
            "run, or the folder on the nodes was used before."
        ),
        remedy="Use one image for all pods of a component, and a new run for a new build.",
        settings=("coverage_mode#image",),
    ),
    Cause(
        "node-unreachable",
        title="A node cannot be searched",
        why="The counters of its pods cannot be collected.",
        remedy="Name all nodes that the pods may run on.",
        settings=("coverage_extraction#nodes",),
    ),
    Cause(
        "no-pods",
        title="No pod runs",
        why="There was nothing to collect counters from.",
        remedy="Check why: the workload has no replicas, or its Job has never run.",
        settings=("workload.name",),
    ),
    Cause(
        "does-not-end",
        title="A program does not end",
        why="It still runs after its grace period and the timeout.",
        remedy="Check why it does not end on SIGTERM.",
        settings=("coverage.grace_period",),
    ),
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
    Cause(
        "sigterm-ignored",
        title="The program ignores SIGTERM",
        why="Its signal mask says so, and it was killed at the end of the grace period.",
        remedy="Handle SIGTERM and let main return.",
    ),
    Cause(
        "grace-period-exceeded",
        title="The grace period is too short",
        why="Exit code 137, exactly when the grace period was over: the shutdown takes longer.",
        remedy="Give it more time.",
        settings=("coverage.grace_period",),
    ),
    Cause(
        "no-sigterm-handler",
        title="The program has no handler for SIGTERM",
        why="Exit code 2 without a panic in the log (Go as process 1), or 143.",
        remedy="Handle SIGTERM (`signal.NotifyContext`) and let main return.",
    ),
    Cause(
        "not-flushed",
        title="The program still runs",
        why="It writes its counters only when it ends.",
        remedy="Stop it first.",
        settings=("coverage_extraction#timeout",),
    ),
    Cause(
        "killed",
        title="The program was killed",
        why=(
            "Exit code 137, and neither memory nor grace period is the reason: a test, the node, or a "
            "probe (its event is quoted)."
        ),
        remedy="Check who killed it.",
    ),
    Cause(
        "no-counters",
        title="The program wrote no counters",
        why=("It ended with another exit code and wrote nothing: `syscall.Exit`, or the exec of another program."),
        remedy="Check how it ends.",
    ),
    Cause(
        "pod-replaced",
        title="A pod was replaced during the tests",
        why="It is gone, and counters with it. Its events are the evidence.",
        remedy="Check who replaced it.",
    ),
    Cause(
        "processes-lost",
        title="Earlier process runs wrote nothing",
        why="Kubernetes no longer knows how they ended: it remembers two.",
        remedy="Check why the container is restarted again and again.",
    ),
    Cause(
        "stale-counters",
        title="The folder has counters of an earlier run",
        why=(
            "Files are older than the first revision of the workload with this run's id. They are in "
            "`set-aside/` of the run's folder and are not counted."
        ),
        remedy="Use an id of its own for each run.",
        settings=("coverage_mode#run_id",),
    ),
    Cause(
        "bad-record",
        title="The record of process runs cannot be read",
        why="The file in the folder of the run is damaged.",
        remedy="Move it away, and collect the counters again.",
    ),
)
