# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file through which modules report the step they have reached."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import temporary_prefix
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import ancestors, start_of
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import plain

PROGRESS_VARIABLE = "KUBERNAUT_COVERAGE_PROGRESS"
# the name of a module and its process id, as the file has them
Writer = tuple[str, str]


class Progress:
    """The file through which modules report their current step; see C(module_utils/_base/progress.py)."""

    def __init__(self) -> None:
        self._offset = 0
        self._steps: dict[Writer, str] = {}
        self._jobs: dict[Writer, bool] = {}
        self._folder: t.Optional[str] = None
        inherited = os.environ.get(PROGRESS_VARIABLE, "")
        if inherited and os.path.isfile(inherited):
            # this playbook was started by a task of another playbook: both show the same steps
            self.path = inherited
            return
        self._folder = tempfile.mkdtemp(prefix=temporary_prefix())
        self.path = os.path.join(self._folder, "progress")
        with open(self.path, "x", encoding="utf-8"):
            pass
        os.environ[PROGRESS_VARIABLE] = self.path

    def writers(self) -> frozenset[Writer]:
        """Module and process id of all writers so far."""
        self._read()
        return frozenset(self._steps)

    def last_step(self, module: str, but: t.Container[Writer]) -> str:
        """The step that this module reported last, by no job in the background and by none of those in C(but)."""
        self._read()
        for writer, text in reversed(self._steps.items()):
            if writer[0] == module and writer not in but and not self._jobs[writer]:
                return text
        return ""

    def last_step_of_a_living_process(self) -> str:
        """The last step of a process that still runs."""
        self._read()
        return next(
            (text for (_module, pid), text in reversed(self._steps.items()) if os.path.exists(f"/proc/{pid}")), ""
        )

    def _read(self) -> None:
        """Read the complete lines that were appended since the last call."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self._offset)
                whole, newline, _rest = stream.read().rpartition(b"\n")
        except OSError:
            return
        self._offset += len(whole + newline)
        for line in whole.decode(errors="replace").split("\n") if newline else []:
            module, _tab, rest = line.partition("\t")
            process, _tab, text = rest.partition("\t")
            writer = (module, process)
            self._steps.pop(writer, None)  # the newest comes last
            self._steps[writer] = plain(text)
            if writer not in self._jobs:
                self._jobs[writer] = _is_job(process)

    def close(self) -> None:
        """Remove the file with its folder: a job that outlives this playbook then writes nowhere."""
        if self._folder is not None:
            os.environ.pop(PROGRESS_VARIABLE, None)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _is_job(process: str) -> bool:
    """Whether a process was left alone to run in the background: it has not ended, and not a descendant of this one.

    A job may report its first step after the next task has begun, so that it is not known to be older than that task.
    """
    pid = int(process) if process.isdigit() else 0
    if not pid or start_of(pid) is None:
        return False
    above = {number for number, _command in ancestors(pid)}
    return os.getpid() not in above | {pid}
