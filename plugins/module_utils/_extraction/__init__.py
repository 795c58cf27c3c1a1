# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Collect the counters: stop the program so that it writes them, wait for its real end, copy, count, put it back.

Go writes the counters when main returns or os.Exit is called (runtime/coverage, internal/coverage/cfile): only a
program that ends by itself leaves them. Every process run, a start and an end of one process, leaves one file. Where
one is missing, the rules in C(verdicts) say why, from observations made before, at and after the end (C(ending)).
"""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.copy import bring_home, remove_copied
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending, Source
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.extraction import (
    Extracted,
    NotExtracted,
    extract,
    recorded,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    PodProcessRuns,
    count_files,
    process_runs_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.stop import has_ended, stop
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.verdicts import verdict_of

__all__ = [
    "Ending",
    "Extracted",
    "NotExtracted",
    "PodProcessRuns",
    "Source",
    "bring_home",
    "count_files",
    "extract",
    "has_ended",
    "process_runs_of",
    "recorded",
    "remove_copied",
    "stop",
    "verdict_of",
]
