# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of what a service depends on."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Dependencies",
    Cause(
        "dependency-unknown",
        title="A dependency is not known",
        why=("Its kind is unknown, or it comes after a name that does not exist. The nearest one is named."),
        remedy="Correct it.",
        settings=("dependencies",),
    ),
    Cause(
        "dependency-cycle",
        title="Dependencies wait for each other",
        why="The cycle is named before anything starts.",
        remedy="Remove one `after`.",
        settings=("dependencies",),
    ),
    Cause(
        "condition-unreadable",
        title="A condition cannot be read",
        why=("It is not JMESPath, or calls a function that does not exist. It is found before anything starts."),
        remedy="Correct `until[].condition`; see [dependencies](dependencies.md#conditions).",
        settings=("dependencies",),
    ),
    Cause(
        "library-missing",
        title="A Python library is missing",
        why="A condition is given, and the host where the module runs lacks jmespath.",
        remedy="Install it, or do without conditions.",
    ),
    Cause(
        "manifest-unreachable",
        title="A URL with manifests does not answer",
        why="It failed three times or answered with an error, before anything was changed.",
        remedy="Check the network, or give a file.",
        settings=("dependencies",),
    ),
    Cause(
        "dependency-stays",
        title="A deleted object does not go away",
        why="Its finalizers are in the evidence.",
        remedy="Check what should clear them.",
    ),
    Cause(
        "credentials-incomplete",
        title="Credentials are incomplete",
        why="Only one half is given, in the variable or in the Secret in the cluster.",
        remedy="Give both user and password, or neither.",
        settings=("dependencies",),
    ),
    Cause(
        "dependency-not-ready",
        title="A dependency is not ready in time",
        why=(
            "A server runs but does not answer a query through its Service; or a condition, definition or "
            "Job did not become true in time."
        ),
        remedy="Check its Service, the DNS of the cluster and the status of the object, or wait longer.",
        settings=("service_dependencies#timeout",),
    ),
    Cause(
        "migrations-missing",
        title="The migrations do not exist",
        why="The folder does not exist or has no migration.",
        remedy="Correct the folder.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "migration-unreadable",
        title="A migration cannot be read",
        why=(
            "A file is not UTF-8, has no number or no Up part, or two files have the same number. It is "
            "found before anything is changed."
        ),
        remedy="Correct the file.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "migration-failed",
        title="A migration failed",
        why=(
            "PostgreSQL rejected a statement (file and line are named), or the command or Job that "
            "migrates failed (its last words are quoted). Nothing after it was applied."
        ),
        remedy="Correct it and run again.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "migration-changed",
        title="A migration has changed since it was applied",
        why="A file differs from the one that was applied, or is new and comes before one that was.",
        remedy="Write a new migration, or drop the database and run again.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "tables-missing",
        title="An expected table does not exist",
        why="All migrations were applied, and the table is still missing.",
        remedy="Check which migration should create it.",
        settings=("dependencies[].migrations",),
    ),
)
