# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of reports: data that cannot be trusted, thresholds."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Report",
    Cause(
        "input-missing",
        title="The folder of the data does not exist",
        why="There is nothing to report.",
        remedy="Correct the folder.",
        settings=("coverage_report#input",),
    ),
    Cause(
        "no-coverage-data",
        title="There is no coverage data",
        why="The folder has not one covmeta and not one covcounters.",
        remedy="Check that the program is instrumented and that its counters were collected.",
    ),
    Cause(
        "no-meta",
        title="Counters have no covmeta",
        why="Counters cannot be read without their covmeta.",
        remedy="Copy the covmeta, too.",
    ),
    Cause(
        "all-set-aside",
        title="No file of counters can be used",
        why="Every one was quarantined; the evidence says why for each.",
        remedy="Copy them again.",
    ),
    Cause(
        "unmatched-pattern",
        title="A package pattern matches nothing",
        why="The data have no such package; the evidence names some that they have.",
        remedy="Correct the pattern; the nearest package is named.",
        settings=("report.include",),
    ),
    Cause(
        "granularity-clash",
        title="Counters cannot be combined",
        why="Some are of blocks and others of functions.",
        remedy="Use one Go release and one set of build flags.",
    ),
    Cause(
        "no-statements",
        title="The selected packages have no statements",
        why="Nothing can be covered in them.",
        remedy="Select others.",
        settings=("report.include",),
    ),
    Cause(
        "withheld",
        title="No percentage can be trusted",
        why="A file with a percentage was asked for; the evidence says what was found.",
        remedy="Report separately what does not belong together.",
    ),
    Cause(
        "source-clash",
        title="A text profile is of other sources",
        why="A block of a file that both know is in one of them only.",
        remedy="Use one version of the sources for all.",
        settings=("coverage_report#policy",),
    ),
    Cause(
        "unknown-format",
        title="The format does not exist",
        why="The nearest one is named.",
        remedy="Correct `outputs`.",
    ),
    Cause(
        "folder-not-ours",
        title="The folder for results has other files",
        why=("It has files that no report or merge wrote, or that were changed since. It is left alone."),
        remedy="Name another folder.",
        settings=("coverage_report#output",),
    ),
    Cause(
        "renamed",
        title="A file is not the one that its name says",
        why="Two covmeta have the same hash and differ, or the hash in the name of a file is wrong.",
        remedy="Copy it again.",
    ),
    Cause(
        "damaged-file",
        title="A file is damaged",
        why=(
            "It is not what its name says. It is quarantined and reported; it ends a run only where "
            "nothing else is left."
        ),
        remedy="Copy it again.",
    ),
    Cause(
        "cannot-write",
        title="A file of the report cannot be written",
        why="The evidence says why.",
        remedy="Check permissions and disk.",
        settings=("coverage_report#output",),
    ),
    Cause(
        "below-threshold",
        title="A number is below its threshold",
        why=("The total, or a package, has less coverage than was asked for; or there is no percentage to compare."),
        remedy="Cover more, or lower the threshold.",
        settings=("report.thresholds",),
    ),
)
