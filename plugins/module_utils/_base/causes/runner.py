# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of a runner that cannot be set up."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "The runner",
    Cause(
        "runner-not-ready",
        title="The runner lacks something",
        why="What a run needs of its host is missing; the line of the check says what.",
        remedy="Do what the check says; the role coverage_runner does most of it.",
    ),
    Cause(
        "image-unobtainable",
        title="The image cannot be obtained",
        why="No image source had it; the evidence has one line for each source.",
        remedy=("Make one of the sources possible; see [runner](runner.md#images-by-an-ordered-list-of-ways)."),
    ),
    Cause(
        "image-build-failed",
        title="The recipe of an image failed",
        why="The end of its output is the evidence.",
        remedy="Fix what the output says.",
    ),
    Cause(
        "tool-unobtainable",
        title="Go or kind cannot be obtained",
        why="No source had it.",
        remedy="Correct the address.",
        settings=(
            "runner_tool#go.url",
            "runner_tool#kind.url",
        ),
    ),
    Cause(
        "checksum-mismatch",
        title="A download has the wrong checksum",
        why="Nothing of it was used.",
        remedy="Correct the checksum, or the address.",
        settings=(
            "runner_tool#go.checksum",
            "runner_tool#kind.checksum",
        ),
    ),
)
