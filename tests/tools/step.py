# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one command quietly and show that it moves: ``step.py TITLE -- COMMAND ...``.

The output is shown only if the command fails. Until then there is one line with the seconds so far and the last line
that the command printed: rewritten in place on a terminal, else written after 5 seconds and then every 15.
Standard library only: it runs before there is a virtual environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

FIRST_SIGN = 5.0
NEXT_SIGNS = 15.0
TERMINAL = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


class Outcome(t.NamedTuple):
    """How a command ended."""

    returncode: int
    output: str
    seconds: float


def duration(seconds: float) -> str:
    """Say a duration in a form that people read: C(0.4 s), C(12 s), C(3 min 05 s)."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def paint(text: str, code: str) -> str:
    """Colour for a terminal, nothing for a file."""
    return f"\033[{code}m{text}\033[0m" if TERMINAL and "NO_COLOR" not in os.environ else text


def say(text: str = "") -> None:
    """Print a line now: what runs below writes to the same place."""
    print(text, flush=True)


def run(
    title: str,
    argv: t.Sequence[str],
    *,
    cwd: t.Optional[Path] = None,
    environment: t.Optional[t.Mapping[str, str]] = None,
) -> Outcome:
    """Run a command to its end, showing only that it moves."""
    started = time.monotonic()
    try:
        process = subprocess.Popen(
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
        return Outcome(127, f"{argv[0]} cannot be started: {error.strerror}\n", time.monotonic() - started)

    lines: list[str] = []

    def drain() -> None:
        if process.stdout is not None:
            with process.stdout as stream:
                # as they come: the last one is shown
                for line in stream:
                    lines.append(line)

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    due = FIRST_SIGN
    drawn = False
    while True:
        try:
            process.wait(1.0 if TERMINAL else 0.25)
            break
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
            last = next((line.strip() for line in reversed(lines[-20:]) if line.strip()), "")
            text = f"  ... {title} {elapsed:.0f} s" + (f": {last}" if last else "")
            if TERMINAL:
                width = shutil.get_terminal_size().columns
                sys.stdout.write("\r\033[K" + text[: width - 1])
                sys.stdout.flush()
                drawn = True
            elif elapsed >= due:
                say(text[:200])
                due += NEXT_SIGNS
    reader.join(timeout=5)
    if drawn:
        sys.stdout.write("\r\033[K")
        sys.stdout.flush()
    return Outcome(process.returncode, "".join(lines), time.monotonic() - started)


def main(arguments: t.Sequence[str]) -> int:
    """Run the command after C(--); return its exit code."""
    if len(arguments) < 3 or arguments[1] != "--":
        say((__doc__ or "").splitlines()[0])
        return 2
    title, argv = arguments[0], arguments[2:]
    outcome = run(title, argv)
    if outcome.returncode:
        say(outcome.output.rstrip())
        say(paint(f"failed: {title} (exit code {outcome.returncode} after {duration(outcome.seconds)})", "31"))
    else:
        say(f"  {title} ({duration(outcome.seconds)})")
    return outcome.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
