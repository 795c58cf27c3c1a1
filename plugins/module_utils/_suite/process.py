# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The process of a suite and all that it starts: read, interrupted so that it can clean up, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import Ended

# what keeps containers alive, their names and their networks (the kernel cuts names after 15 characters)
OF_PODMAN = frozenset(["conmon", "aardvark-dns", "netavark", "catatonit", "rootlessport", "slirp4netns", "pasta"])
LADDER = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
TICK = 0.1
PIPE_PATIENCE = 2.0  # seconds for which a process that outlived the command may hold its output open


def kill_marked(mark: str) -> list[str]:
    """Kill every process that has C(mark) (NAME=VALUE) in its environment; return their command lines.

    The processes by which podman keeps containers stay: they belong to the containers, which are asked for by name.
    """
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if mark.encode() not in folder.joinpath("environ").read_bytes().split(b"\0"):
                continue
            if folder.joinpath("comm").read_text(encoding="utf-8", errors="replace").strip() in OF_PODMAN:
                continue
            words = folder.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
            os.kill(int(folder.name), signal.SIGKILL)
            found.append(" ".join(words).strip())
    return found


class SuiteProcess:
    """Runs the command of a suite; another thread can end it.

    :arg grace: seconds between an interrupt and each harder signal: the suite cleans up in them.
    :arg mark: C(NAME=VALUE) in the environment of all its processes; those that are left are killed by it.
    :ivar left: command lines of those that were.
    """

    def __init__(self, directory: str, environment: t.Mapping[str, str], grace: float, mark: str = "") -> None:
        self.directory, self.environment, self.grace, self.mark = directory, environment, grace, mark
        self.why = ""
        self.left: list[str] = []
        self._stop = threading.Event()

    def stop(self, why: str) -> None:
        """End the suite: interrupted first, so that it cleans up, then harder. C(why) is a sentence."""
        self.why = self.why or why
        self._stop.set()

    def run(self, argv: t.Sequence[str], timeout: float, keep: t.Callable[[str], None]) -> Ended:
        """Run it to its end, or until it is stopped or the time limit is reached; C(keep) gets each line.

        :raises CommandError: it cannot be started.
        """
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandError(
                f"Could not run the end-to-end tests: {argv[0]} cannot be started ({error.strerror}).",
                cause="command-not-found" if isinstance(error, FileNotFoundError) else "",
            ) from error
        reader = threading.Thread(target=_drain, args=(t.cast(t.BinaryIO, process.stdout), keep), daemon=True)
        reader.start()
        late = self._wait(process, started + timeout)
        _signal_group(process.pid, signal.SIGKILL)  # what it left in its own group
        reader.join(PIPE_PATIENCE)
        self.left = kill_marked(self.mark) if self.mark else []
        reader.join(PIPE_PATIENCE)
        seconds = time.monotonic() - started
        if late and not self.why:
            return Ended(None, seconds)
        return Ended(None if self.why else process.returncode, seconds, self.why)

    def _wait(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Wait for the end and bring it about where it is due; return whether that was the time limit."""
        late, signals, next_at = False, list(LADDER), 0.0
        while process.poll() is None:
            now = time.monotonic()
            late = late or now > deadline
            if (late or self._stop.is_set()) and now >= next_at:
                _signal_group(process.pid, signals[0])
                next_at = now + self.grace
                del signals[: len(signals) > 1]
            self._stop.wait(TICK) if not late and not self._stop.is_set() else time.sleep(TICK)
        return late


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _drain(stream: t.BinaryIO, keep: t.Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            keep(line.decode(errors="replace").rstrip("\n"))
