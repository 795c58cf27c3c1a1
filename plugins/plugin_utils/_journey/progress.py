# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file through which modules report the step they have reached."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import plain

PROGRESS_VARIABLE = "KUBERNAUT_COVERAGE_PROGRESS"
TAIL_BYTES = 4096


class Progress:
    """The file through which modules say which step they have reached."""

    def __init__(self) -> None:
        self._folder: t.Optional[str] = None
        inherited = os.environ.get(PROGRESS_VARIABLE, "")
        if inherited and os.path.isfile(inherited):
            # this playbook was started by a task of another: both show the same steps
            self.path = inherited
            return
        self._folder = tempfile.mkdtemp(prefix="kubernaut-coverage-")
        self.path = os.path.join(self._folder, "progress")
        with open(self.path, "x", encoding="utf-8"):
            pass
        os.environ[PROGRESS_VARIABLE] = self.path

    def size(self) -> int:
        """Bytes that were written so far: what comes later lies beyond."""
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def last_line(self, since: int = 0) -> str:
        """The last whole line that was written beyond C(since) bytes, or nothing."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(max(since, self.size() - TAIL_BYTES))
                whole, newline, _rest = stream.read().rpartition(b"\n")
        except OSError:
            return ""
        return plain(whole.rpartition(b"\n")[2].decode(errors="replace")) if newline else ""

    def close(self) -> None:
        """Remove the file with its folder: a job that outlives this playbook then writes nowhere."""
        if self._folder is not None:
            os.environ.pop(PROGRESS_VARIABLE, None)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
