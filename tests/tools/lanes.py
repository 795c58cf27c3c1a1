# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run commands side by side without mixing up what they print.

The output of a command is kept in a file and shown whole if the command fails. While commands run, one line says of
each how long it has run and what it printed last: rewritten in place on a terminal, else written when a command has
run for 5 seconds and then every 15. A command that runs alone can be shown as it goes instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import step

LONGEST_LAST_LINE = 60
# what a playbook prints after each task says less than the task's name above it
RESULTS = ("ok: ", "changed: ", "skipping: ", "included: ", "...ignoring")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")


class Outcome(t.NamedTuple):
    """How a command ended.

    :ivar cpu: seconds of processor time of the command and of all that it waited for.
    """

    returncode: int
    output: str
    seconds: float
    cpu: float


@dataclass
class Running:
    """A command that has not ended."""

    title: str
    started: float
    process: t.Optional[subprocess.Popen[str]] = None
    last: str = ""
    shown: bool = False
    lines: list[str] = field(default_factory=list)


class Board:
    """What is shown of commands that run side by side.

    :arg logs: the folder for their output. :arg live: whether to show what commands print while they run, which is
        readable only if they run one after the other.
    """

    def __init__(self, logs: Path, *, live: bool = False) -> None:
        self.logs, self.live = logs, live
        self.started = time.monotonic()
        self._lock = threading.RLock()
        self._running: list[Running] = []
        self._drawn = False
        self._due = 0.0
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self.logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Board:
        self._ticker.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._ticker.join()
        with self._lock:
            self._erase()
            for item in self._running:
                if item.process is not None:
                    item.process.terminate()

    def say(self, text: str = "") -> None:
        """Print lines that no other command's lines get into."""
        with self._lock:
            self._erase()
            step.say(text)

    def run(
        self,
        title: str,
        argv: t.Sequence[str],
        *,
        cwd: t.Optional[Path] = None,
        environment: t.Optional[t.Mapping[str, str]] = None,
    ) -> Outcome:
        """Run a command to its end. What it printed is returned, and kept in a file named after the title."""
        item = Running(title, time.monotonic())
        try:
            item.process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            return Outcome(127, f"{argv[0]} cannot be started: {error.strerror}\n", 0.0, 0.0)
        with self._lock:
            self._running.append(item)
        reader = threading.Thread(target=self._read, args=(item,), daemon=True)
        reader.start()
        try:
            # Popen.wait() does not tell the processor time
            _pid, status, usage = os.wait4(item.process.pid, 0)
            item.process.returncode = os.waitstatus_to_exitcode(status)
            # a process that outlives the command may hold the pipe open: its output is not the command's
            reader.join(timeout=5)
        finally:
            with self._lock:
                self._running.remove(item)
                self._erase()
        output = "".join(item.lines)
        (self.logs / f"{re.sub('[^a-z0-9_.-]+', '-', title.lower())}.log").write_text(output, encoding="utf-8")
        return Outcome(
            item.process.returncode, output, time.monotonic() - item.started, usage.ru_utime + usage.ru_stime
        )

    def _read(self, item: Running) -> None:
        if item.process is None or item.process.stdout is None:
            return
        with item.process.stdout as stream:
            for line in stream:
                item.lines.append(line)
                text = ESCAPES.sub("", line).strip(" │*\n")
                if text and not text.startswith(RESULTS):
                    item.last = text
                if self.live:
                    self.say(line.rstrip("\n"))

    def _tick(self) -> None:
        while not self._ended.wait(1.0):
            with self._lock:
                self._show(time.monotonic())

    def _show(self, now: float) -> None:
        """Show what runs, if it is time to."""
        running = [item for item in self._running if now - item.started >= 1.0]
        if not running or self.live:
            return
        text = " | ".join(
            f"{item.title} {now - item.started:.0f} s: {item.last[:LONGEST_LAST_LINE]}" for item in running
        )
        if step.TERMINAL:
            width = shutil.get_terminal_size().columns
            sys.stdout.write("\r\033[K" + f"  ... {text}"[: width - 1])
            sys.stdout.flush()
            self._drawn = True
            return
        long = [item for item in running if now - item.started >= step.FIRST_SIGN]
        if long and (now >= self._due or not all(item.shown for item in long)):
            step.say(f"  ... {step.duration(now - self.started)}: {text}")
            self._due = now + step.NEXT_SIGNS
            for item in long:
                item.shown = True

    def _erase(self) -> None:
        if self._drawn:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()
            self._drawn = False
