# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of counters that cannot be collected; the rules about lost ones register theirs."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Extraction",
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
        "bad-record",
        title="The record of process runs cannot be read",
        why="The file in the folder of the run is damaged.",
        remedy="Move it away, and collect the counters again.",
    ),
)
