# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of the contract and of single inputs."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Contract",
    Cause(
        "folder-unusable",
        title="A folder cannot be used",
        why="The folder for results or the cache is a file, or the user may not write to it.",
        remedy="Name another folder.",
    ),
    Cause(
        "invalid-contract",
        title="The contract is not valid",
        why=(
            "A key does not exist, has a wrong type, or contradicts another one. Everything that is wrong "
            "is in the evidence; the nearest right key is named."
        ),
        remedy="Correct `coverage_services.<service>`; see [contract](contract.md).",
    ),
    Cause(
        "bad-input",
        title="An input cannot be used",
        why=(
            "A single value is unusable: an unknown service, an invalid run id, options that exclude each "
            "other. Nothing was changed."
        ),
        remedy="Correct the value that the message names.",
    ),
    Cause(
        "damaged-saved-state",
        title="The saved state of a run cannot be used",
        why="The file is damaged, or another version of the collection wrote it.",
        remedy="Remove the file, then run the whole playbook once, without --tags.",
    ),
)
