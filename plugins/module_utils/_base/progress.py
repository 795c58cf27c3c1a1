# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""How a module that works for long says what it is doing.

A module's output is read only when it ends. So it appends one line for each step to the file that the environment
variable E(KUBERNAUT_COVERAGE_PROGRESS) names; the callback plugin P(kubernaut.coverage.journey#callback) sets that
variable, modules on the local host inherit it, and the callback shows the last step with the seconds so far.
Without the variable nothing is written.

A line has three fields, separated by tabs: the module's name (empty in any other program), the process id, the
step. A job in the background writes to the same file as the task in front; the first two fields keep them apart.
"""

from __future__ import annotations

import os
import sys

ENVIRONMENT_VARIABLE = "KUBERNAUT_COVERAGE_PROGRESS"


def report_progress(text: str) -> None:
    """Say in a few words what is being done now. Never fails: progress is not worth a run."""
    path = os.environ.get(ENVIRONMENT_VARIABLE)
    if not path:
        return
    try:
        # one write of one line in append mode: lines of parallel modules do not mix
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(f"{_module()}\t{os.getpid()}\t{' '.join(text.split())}\n")
    except OSError:
        return


def _module() -> str:
    """Return the name of the module that this process runs, or "" where it runs none."""
    # AnsiballZ runs a module by its full name with runpy, which keeps that name in the specification of __main__
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    package, _dot, name = (spec.name if spec else "").rpartition(".")
    # a module that belongs to no collection runs as ansible.legacy.NAME
    return name if package.endswith((".modules", "ansible.legacy")) else ""
