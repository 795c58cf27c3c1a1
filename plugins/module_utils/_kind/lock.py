# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A lock file that keeps two runs from creating one cluster at once, and shows that one died while it did."""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import make_private_folder
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.failures import ClusterError

# kubeadm's own limit is 4 minutes for the control plane and 5 for each worker that joins
CREATION_LIMIT = 900
LOCK_INTERVAL = 0.2


class CreationLock:
    """Keeps two runs from creating or deleting one cluster at once. A lock file that is left tells of a dead run."""

    def __init__(self, kubeconfig: Path) -> None:
        self.path = kubeconfig.with_name(f".{kubeconfig.name}.creating")

    def held_elsewhere(self) -> bool:
        """Whether another process is creating the cluster right now."""
        try:
            with self.path.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def left_behind(self) -> bool:
        """Whether a run died while it was creating the cluster."""
        return self.path.exists() and not self.held_elsewhere()

    @contextlib.contextmanager
    def __call__(self, waiting: str) -> t.Iterator[None]:
        """Hold the lock; the file goes when the block ends well or with an error, and stays when the process dies.

        :raises ClusterError: another process held it for longer than a creation can last.
        """
        make_private_folder(self.path.parent)
        announced = False
        for _waited in poll(LOCK_INTERVAL, CREATION_LIMIT):
            with self.path.open("ab") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not announced:
                        report_progress(waiting)
                        announced = True
                    continue
                if not self._is_current(stream):
                    continue
                try:
                    yield
                finally:
                    self.path.unlink(missing_ok=True)
                return
        raise ClusterError(f"Another process has held {self.path} for {CREATION_LIMIT} s.", cause="creation-blocked")

    def _is_current(self, stream: t.BinaryIO) -> bool:
        """Whether an open file still is the lock file: its previous holder may have removed it."""
        try:
            return os.fstat(stream.fileno()).st_ino == self.path.stat().st_ino
        except FileNotFoundError:
            return False
