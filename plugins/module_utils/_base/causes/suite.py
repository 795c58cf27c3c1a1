# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of suites that bring their own cluster."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Suites that bring their own cluster",
    Cause(
        "suite-without-cluster",
        title="The suite created no cluster",
        why="Its command ended without a call of kind, and nothing that it ran on the host counted.",
        remedy="Name the command that creates the cluster. If the cluster exists beforehand, use a contract.",
        settings=("e2e_suite#command",),
    ),
    Cause(
        "suite-not-instrumented",
        title="No image of the suite is instrumented",
        why="The images that it built or loaded were inspected, and no program in them counts.",
        remedy="Let the suite build its images during the run; an image from a registry cannot be instrumented.",
        settings=("e2e_suite#instrument",),
    ),
    Cause(
        "suite-without-counters",
        title="An instrumented image left no counters",
        why="No process of it was seen running, or its memory could not be read.",
        remedy="Check that the suite deploys the image that it loads, and run this as root, which may read memory.",
    ),
    Cause(
        "ended-unread",
        title="A process run of a suite left no counters",
        why="It was killed before its memory was read once, so it neither wrote its counters nor were they read.",
        remedy="Check its exit code and the memory limit; see [suites](suites.md#how-the-counters-are-collected).",
    ),
)
