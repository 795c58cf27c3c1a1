# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock, against another process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import lock as lib

# another process, as the lock is meant against: holds it until its input ends, then gives it back as CreationLock does
HOLDER = """
import fcntl, os, sys
with open(sys.argv[1], "ab") as stream:
    fcntl.flock(stream, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
    os.unlink(sys.argv[1])
"""


@pytest.fixture
def held_lock(tmp_path: Path) -> t.Iterator[tuple[lib.CreationLock, subprocess.Popen[bytes]]]:
    """A lock, and the process that holds it."""
    lock = lib.CreationLock(tmp_path / "kubeconfig")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield lock, other
        other.kill()


def test_the_lock_is_seen_by_others_and_waited_for(
    held_lock: tuple[lib.CreationLock, subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, other = held_lock
    progress = tmp_path / "progress"
    monkeypatch.setenv("KUBERNAUT_COVERAGE_PROGRESS", str(progress))
    assert lock.held_elsewhere()
    assert not lock.left_behind()
    assert other.stdin is not None

    def let_go() -> None:
        """End the other run once it is known that this one waits."""
        deadline = time.monotonic() + 120
        while not progress.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert other.stdin is not None
        other.stdin.close()

    threading.Thread(target=let_go).start()
    with lock("waiting for another run"):
        assert other.wait(120) == 0
    assert not lock.path.exists()
    assert progress.read_text() == "waiting for another run\n"


def test_a_run_that_dies_leaves_its_lock(held_lock: tuple[lib.CreationLock, subprocess.Popen[bytes]]) -> None:
    lock, other = held_lock
    other.kill()
    other.wait(120)
    assert lock.left_behind()
    with lock("not said"):
        assert lock.path.exists()
    assert not lock.left_behind()


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    lock = lib.CreationLock(tmp_path / "kubeconfig")
    with pytest.raises(CoverageError), lock(""):
        raise CoverageError("no")
    assert not lock.path.exists()
