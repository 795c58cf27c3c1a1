# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Calls of programs that the tests make, and the folder of programs through which they are seen."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shutil
import socket
import tempfile
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite import front


class Hung(Exception):
    """The program that called is gone."""


@dataclass
class Call:
    """One call of a program by the tests.

    :ivar program: the name by which it was called. :ivar argv: its arguments. :ivar cwd: where.
    :ivar environment: of the caller. :ivar behind: path of the program that it would have been.
    """

    program: str
    argv: list[str]
    cwd: str
    environment: dict[str, str]
    behind: str
    stream: t.IO[str]

    def _send(self, answer: t.Mapping[str, t.Any]) -> None:
        try:
            self.stream.write(json.dumps(answer) + "\n")
            self.stream.flush()
        except OSError as error:
            raise Hung(self.program) from error

    def _receive(self, key: str) -> t.Any:
        try:
            line = self.stream.readline()
        except OSError as error:
            raise Hung(self.program) from error
        if not line:
            raise Hung(self.program)
        return json.loads(line)[key]

    def say(self, text: str) -> None:
        """Print a line on the caller's error output."""
        self._send({"say": f"{self.program}: {text}"})

    def stdin(self) -> str:
        """Return all that is piped into the call."""
        self._send({"stdin": True})
        return str(self._receive("stdin"))

    def run(
        self, argv: t.Sequence[str], environment: t.Mapping[str, str] | None = None, stdin: t.Optional[str] = None
    ) -> int:
        """Run a program in the caller's place; return its exit code, or the negative number of a signal."""
        answer: dict[str, t.Any] = {"run": list(argv), "env": dict(environment or {})}
        if stdin is not None:
            answer["input"] = stdin
        self._send(answer)
        return int(self._receive("status"))

    def become(self, argv: t.Sequence[str], environment: t.Mapping[str, str] | None = None) -> None:
        """Let the caller become a program; nothing is heard of it again."""
        self._send({"exec": list(argv), "env": dict(environment or {})})

    def exit(self, status: int) -> None:
        """End the call."""
        self._send({"exit": status})


class Handler(t.Protocol):
    """What answers the calls of a program. It has to end each with C(become) or C(exit)."""

    def __call__(self, call: Call) -> None:
        """Answer a call.

        :raises CoverageError: the call fails with that sentence.
        """


class Switchboard:
    """The folder of programs for the tests' PATH, and the thread that answers their calls.

    :arg handlers: by the names of the programs. :arg path: where the programs behind are looked for.
    """

    def __init__(self, handlers: t.Mapping[str, Handler], path: str) -> None:
        self.handlers, self.path = handlers, path
        # short: the path of a socket may have 107 characters
        self.folder = Path(tempfile.mkdtemp(prefix="kubernaut-coverage-"))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.folder / front.SOCKET))
        self._listener.listen(64)
        text = inspect.getsource(front)
        program = self.folder / "front.py"
        program.write_text(f"#!{_python()} -I\n{text}", encoding="utf-8")
        program.chmod(0o755)
        for name in handlers:
            # not links: a link's name would be lost when its path is resolved
            os.link(program, self.folder / name)
        threading.Thread(target=self._accept, daemon=True).start()

    def behind(self, name: str) -> str:
        """Return the path of the program that is behind a name; empty where there is none."""
        return shutil.which(name, path=self.path) or ""

    def close(self) -> None:
        """Take the programs away. Later calls are refused, because the run has ended."""
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                link, _address = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with link, link.makefile("rw", encoding="utf-8", errors="surrogateescape") as stream:
            line = stream.readline()
            if not line:
                return
            asked = json.loads(line)
            name = asked["program"]
            call = Call(name, asked["argv"], asked["cwd"], asked["env"], self.behind(name), stream)
            with contextlib.suppress(Hung):
                try:
                    self.handlers[name](call)
                except CoverageError as error:
                    call.say(error.diagnosis.message())
                    for line in error.evidence:
                        call.say(f"  {line}")
                    call.exit(1)


def _python() -> str:
    return shutil.which("python3") or "/usr/bin/python3"
