# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A program in front of another one: it asks the session which program to run, and how.

This file is copied into a folder under the names of the programs (kind, podman ...), next to the socket of the session
(R(Switchboard)). It runs outside of Ansible, in the environment of the tests: it imports Python's standard library
alone.

Each answer of the session is one line of JSON with one key: C(say) prints a line, C(stdin) asks for what is piped in,
C(exec) becomes that program, C(run) runs it and reports its exit code, C(exit) ends. Arguments, standard input,
signals and exit code are those of the program behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import typing as t

SOCKET = "session"
NO_SESSION = 75  # EX_TEMPFAIL of sysexits.h
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def say(line: str) -> None:
    """Write a line where the person who runs the tests reads it. No module runs here, so there is no result for it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(argv: t.Sequence[str]) -> int:
    """Ask, do as answered, and return the exit code."""
    folder = os.path.dirname(os.path.realpath(argv[0]))
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(os.path.join(folder, SOCKET))
    except OSError as error:
        say(f"{os.path.basename(argv[0])}: the coverage run of these tests has ended ({error.strerror}).")
        return NO_SESSION
    with link, link.makefile("rw", encoding="utf-8", errors="surrogateescape") as stream:

        def tell(message: t.Mapping[str, t.Any]) -> None:
            # where the session is gone, the program behind has ended anyhow
            with contextlib.suppress(OSError):
                stream.write(json.dumps(message) + "\n")
                stream.flush()

        tell(
            {"program": os.path.basename(argv[0]), "argv": list(argv[1:]), "cwd": os.getcwd(), "env": dict(os.environ)}
        )
        for line in stream:
            answer = json.loads(line)
            if "say" in answer:
                say(answer["say"])
            elif "stdin" in answer:
                tell({"stdin": sys.stdin.read()})
            elif "exec" in answer:
                os.execve(answer["exec"][0], answer["exec"], {**os.environ, **answer["env"]})  # noqa: S606, no shell is wanted
            elif "run" in answer:
                tell({"status": run(answer["run"], {**os.environ, **answer["env"]}, answer.get("input"))})
            else:
                return end(int(answer["exit"]))
    say(f"{os.path.basename(argv[0])}: the coverage run of these tests ended.")
    return NO_SESSION


def run(argv: t.Sequence[str], environment: t.Mapping[str, str], text: t.Optional[str]) -> int:
    """Run the program behind; return its exit code, or the negative number of the signal that ended it."""
    process = subprocess.Popen(argv, env=environment, stdin=None if text is None else subprocess.PIPE)
    before = {number: signal.signal(number, lambda sent, _frame: _pass(process, sent)) for number in FORWARDED}
    if text is not None:
        threading.Thread(target=_feed, args=(process, text), daemon=True).start()
    status = process.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
    return status


def _pass(process: subprocess.Popen[bytes], sent: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(sent)


def _feed(process: subprocess.Popen[bytes], text: str) -> None:
    with contextlib.suppress(BrokenPipeError), t.cast(t.BinaryIO, process.stdin) as pipe:
        pipe.write(text.encode("utf-8", "surrogateescape"))


def end(status: int) -> int:
    """Return an exit code; end as the program behind ended where a signal ended it."""
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler to remove
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
