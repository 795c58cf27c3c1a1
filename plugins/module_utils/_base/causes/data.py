# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Problems of coverage data: none of them ends a run by itself, unless C(policy) says so.

C(kind) of a problem in results and summary.json is the id of its cause here.
"""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Coverage data",
    Cause(
        "truncated",
        title="A file is cut off",
        why=(
            "It ends before its header says so: the process was killed while it wrote, or the copy is "
            "incomplete. The file does not count."
        ),
        remedy="Copy the file again from where it was written.",
    ),
    Cause(
        "damaged",
        title="The content of a file is damaged",
        why=("It contradicts itself. The file does not count; all others do."),
        remedy="Copy the file again from where it was written.",
    ),
    Cause(
        "empty-file",
        title="A file is empty",
        why=("Nothing was written to it. It does not count."),
        remedy="Copy the file again from where it was written.",
    ),
    Cause(
        "wrong-magic",
        title="A file is not of the format that its name says",
        why=("Its first bytes are not those of a covmeta, of covcounters or of a text profile. It does not count."),
        remedy="Remove the file, or correct its name.",
    ),
    Cause(
        "future-version",
        title="A file has a newer version of the format",
        why=("A later Go release wrote it. It does not count."),
        remedy="Update the collection, or build with a Go release that it knows.",
    ),
    Cause(
        "unreadable",
        title="A file, or the memory of a process, cannot be read",
        why=(
            "The system refuses it: permissions, or it is not a regular file. A file does not count; a snapshot "
            "fails, and its message says why."
        ),
        remedy="Correct the permissions, or remove the file.",
    ),
    Cause(
        "foreign",
        title="Counters do not fit their covmeta",
        why=("They have packages or functions that the covmeta does not describe. The file does not count."),
        remedy="Use one image for all pods of a component, and a new folder for each run.",
    ),
    Cause(
        "stale",
        title="A file is older than the run",
        why=("It was written before the given time, so it is from an earlier run. It does not count."),
        remedy="Use a new folder for each run.",
        settings=("coverage_report#not_before",),
    ),
    Cause(
        "foreign-program",
        title="A file is from another program",
        why=("Its main package is none of those that are expected. It does not count."),
        remedy="Use a separate folder for each program, or add it to those that are expected.",
        settings=("coverage_report#expected",),
    ),
    Cause(
        "leftover",
        title="A process was killed while it wrote its counters",
        why=("Its temporary file was not renamed. It does not count."),
        remedy="Give the pod a longer grace period, and check that the disk of its node is not full.",
        settings=("coverage.grace_period",),
    ),
    Cause(
        "duplicate",
        title="A file exists twice",
        why=("Two files have the same name and content. They count once."),
        remedy="Copy each folder only once.",
    ),
    Cause(
        "snapshots",
        title="One process wrote several files",
        why=("They are snapshots of the same counters: only the last one counts, unless their sum is asked for."),
        remedy="Say which it is.",
        settings=("coverage_report#snapshots",),
    ),
    Cause(
        "counters-without-meta",
        title="Counters have no covmeta next to them",
        why=("Counters cannot be read without their covmeta. They do not count."),
        remedy="Copy the covmeta of the same program, too.",
    ),
    Cause(
        "meta-without-counters",
        title="A program started and wrote no counters",
        why=("There is a covmeta and no counters: it was killed, or still runs. The percentage is a lower bound."),
        remedy="End it with SIGTERM, with a handler that lets main return, and a grace period that is long enough.",
        settings=("coverage.grace_period",),
    ),
    Cause(
        "lost-process-runs",
        title="Counters of process runs are lost",
        why=(
            "The cluster reported more process runs than there are files of counters. The percentage is a lower bound."
        ),
        remedy="Correct how the program ends; the role coverage_extraction says how each one ended.",
    ),
    Cause(
        "mode-clash",
        title="Counters of different modes are mixed",
        why=(
            "Where one of them is `set`, all are reduced to covered and not covered; else they are added. A "
            "snapshot of one program with several modes fails: Go writes no data for it either."
        ),
        remedy="Build all programs of a component, with all of their packages, with `-covermode=atomic`.",
    ),
    Cause(
        "hash-mismatch",
        title="A covmeta is not as it was written",
        why=("Its content does not match its hashes. No percentage is reported."),
        remedy="Copy it again from where it was written.",
    ),
    Cause(
        "unknown-packages",
        title="Counters have packages that their covmeta does not describe",
        why=("Most of the time they are of plugins that the program loaded. As in Go's own tools, they do not count."),
        remedy="Ignore it, or build those packages into the program.",
    ),
    Cause(
        "overflow",
        title="A counter reached its largest value",
        why=("It stays at 2^32-1, as in Go's own merge. Percentages are not affected."),
        remedy="Ignore it.",
    ),
    Cause(
        "statements-repeated",
        title="The Go release counts some statements twice",
        why=("Go 1.27.0 counts the statements of a block once for each part that blank lines divide it into."),
        remedy="Build with another Go release.",
    ),
    Cause(
        "zero-coverage",
        title="No statement of the component ran",
        why=("Its counters were collected, and all of them are zero."),
        remedy="Make sure that the tests reach the instrumented pod.",
        settings=("workload.name",),
    ),
    Cause(
        "lines-left-out",
        title="Some blocks are longer than their statements allow",
        why=("Cobertura and LCOV have only the first line of each such block."),
        remedy="Copy the data again if they may be damaged; //line directives can also have this effect.",
    ),
    Cause(
        "file-not-in-repository",
        title="Files have the path of where the program was built",
        why=("No source folder has a file that fits, so other tools cannot find them by these names."),
        remedy="Name the checkout, or the folder that the build's folder has in the repository.",
        settings=("report.paths",),
    ),
    Cause(
        "source-missing",
        title="A source file was not found",
        why=("The page shows line numbers in its place."),
        remedy="Name the folder of its import path.",
        settings=("coverage_report#sources",),
    ),
    Cause(
        "source-differs",
        title="A source file is not the one that was built",
        why=("The page shows line numbers in its place."),
        remedy="Check out the revision that the image was built from.",
        settings=("coverage_report#sources",),
    ),
    Cause(
        "statements-differ",
        title="Text profiles count the statements of a block differently",
        why=("They are of different sources or Go releases. One of them does not count."),
        remedy="Use one version of the sources for all.",
        settings=("coverage_report#text_profiles",),
    ),
    Cause(
        "joined-profiles",
        title="A file contains several text profiles",
        why=("They were written one after the other into one file. It does not count."),
        remedy="Name each profile as an input of its own; they are joined then.",
        settings=("coverage_report#text_profiles",),
    ),
    Cause(
        "blank-line",
        title="A text profile has a blank line",
        why=("No profile of Go has one: profiles were joined, or the file was edited. It does not count."),
        remedy="Name each profile as an input of its own, or remove the line.",
        settings=("coverage_report#text_profiles",),
    ),
    Cause(
        "compressed",
        title="A text profile is compressed",
        why=("It cannot be read as it is."),
        remedy="Unpack it first.",
        settings=("coverage_report#text_profiles",),
    ),
    Cause(
        "wrong-encoding",
        title="A text profile is not in UTF-8",
        why=("Another program converted it, most likely a shell of Windows."),
        remedy="Write it again without converting it.",
        settings=("coverage_report#text_profiles",),
    ),
)
