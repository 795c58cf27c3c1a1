# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Run a program: argument lists only, one time limit, one typed error that quotes what the program said."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError

EVIDENCE_LINES = 20


@dataclass(frozen=True)
class Completed:
    """A program that ended: its argument list, exit code (negative: signal), output and duration in seconds."""

    argv: list[str]
    returncode: int
    stdout: str
    stderr: str
    seconds: float = field(compare=False)


class CommandError(CoverageError):
    """A program could not be started, failed, or ran past its time limit."""

    cause = "command-failed"

    def __init__(self, message: str, *, completed: t.Optional[Completed] = None, **details: t.Any) -> None:
        super().__init__(message, **details)
        self.completed = completed


def last_lines(text: str, count: int = EVIDENCE_LINES) -> list[str]:
    """Return the last C(count) lines of a program's output that are not blank."""
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def run(
    argv: t.Sequence[str],
    *,
    purpose: str,
    cwd: t.Optional[str] = None,
    environment: t.Optional[t.Mapping[str, str]] = None,
    stdin: t.Union[bytes, t.BinaryIO, None] = None,
    timeout: t.Optional[float] = None,
    accept: t.Container[int] = (0,),
    on_line: t.Optional[t.Callable[[str], None]] = None,
    remedy: str = "",
    setting: str = "",
) -> Completed:
    """Run C(argv) to its end and return it.

    :arg purpose: what this is for, as a phrase that fits "could not ...": "save image x as an archive".
    :arg environment: variables added to this process's own.
    :arg stdin: bytes to feed, or an open binary file; nothing (the null device) by default.
    :arg timeout: seconds; then the program and all its children are killed.
    :arg accept: exit codes that are no failure.
    :arg on_line: called with each line of output or error output as it comes.
    :raises CommandError: not found, another exit code, or too slow. Its evidence is the end of the error output.
    """
    argv = [os.fspath(argument) for argument in argv]
    started = time.monotonic()
    feed = stdin if isinstance(stdin, bytes) else None
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **environment} if environment else None,
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else (stdin or subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # its own process group, so that a time limit also ends what it started
            start_new_session=True,
        )
    except OSError as error:
        nowhere = cwd is not None and not os.path.isdir(cwd)
        where = f" in {cwd}" if nowhere else ""
        raise CommandError(
            f"Could not {purpose}: {argv[0]} cannot be started{where} ({error.strerror}).",
            remedy=remedy,
            setting=setting,
            evidence=[shlex.join(argv)],
            cause="command-not-found" if isinstance(error, FileNotFoundError) and not nowhere else "",
        ) from error
    stdout, stderr, timed_out = _communicate(process, feed, timeout, on_line)
    completed = Completed(
        argv=argv,
        returncode=process.returncode,
        stdout=stdout,
        stderr=stderr,
        seconds=time.monotonic() - started,
    )
    if timed_out or completed.returncode not in accept:
        why = f"still running after {timeout:g} s" if timed_out else describe_exit(completed.returncode)
        raise CommandError(
            f"Could not {purpose}: {os.path.basename(argv[0])} {why}.",
            completed=completed,
            remedy=remedy,
            setting=setting,
            evidence=[f"$ {shlex.join(argv)}", *last_lines(completed.stderr or completed.stdout)],
            cause="command-timeout" if timed_out else "",
        )
    return completed


def _communicate(
    process: subprocess.Popen[bytes],
    feed: t.Optional[bytes],
    timeout: t.Optional[float],
    on_line: t.Optional[t.Callable[[str], None]],
) -> tuple[str, str, bool]:
    """Feed a program, read all it writes, and end it when its time is over; return output, errors, whether it was.

    Input, output and errors have a thread each: a program that neither reads nor writes does not outlive its time.
    """
    outputs: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

    def drain(name: str) -> None:
        with t.cast(t.BinaryIO, getattr(process, name)) as stream:
            for line in stream:
                outputs[name].append(line)
                if on_line is not None:
                    on_line(line.decode(errors="replace").rstrip("\n"))

    def supply() -> None:
        # it may end without reading all: its exit code tells
        with contextlib.suppress(BrokenPipeError), t.cast(t.BinaryIO, process.stdin) as pipe:
            pipe.write(feed or b"")

    if feed is not None:
        threading.Thread(target=supply, daemon=True).start()
    readers = [threading.Thread(target=drain, args=(name,), daemon=True) for name in outputs]
    for reader in readers:
        reader.start()
    timed_out = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for reader in readers:
        # a child that outlives the program may hold the pipe open
        reader.join(timeout=5)
    stdout, stderr = (b"".join(outputs[name]).decode(errors="replace") for name in ("stdout", "stderr"))
    return stdout, stderr, timed_out


def describe_exit(returncode: int) -> str:
    """Say how a program ended: "exited with 3", "was ended by SIGKILL"."""
    if returncode < 0:
        try:
            return f"was ended by {signal.Signals(-returncode).name}"
        except ValueError:  # a real-time signal has a number only
            return f"was ended by signal {-returncode}"
    return f"exited with {returncode}"
