# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Why the counters of a process cannot be read."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError

STARTING = "Its program is still starting: not all of its packages have been initialized."
STARTING_REMEDY = "Read it again in a moment. If this persists, an init function of the program is blocked."


class LiveError(CoverageError):
    """The process is there, and its counters cannot be read; C(cause) says why."""

    cause = "unreadable"


class ProcessEnded(Exception):
    """The process ended, or replaced its program by exec, while it was read. An outcome, not a failure."""


class UnmappedAddress(Exception):
    """The process has no memory at that address."""


class Torn(Exception):
    """The memory changed while it was copied: what was read fits no single moment. The remedy is to read again."""
