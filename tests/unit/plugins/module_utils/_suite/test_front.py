# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in front of others, real processes on both sides: what goes in and out is that of the program behind."""

from __future__ import annotations

import os
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.calls import Call, Switchboard
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.front import NO_SESSION

# what is behind: says what it was given, ends as it is told, and outlives no signal
BEHIND = """#!/bin/sh
for argument in "$@"; do printf 'argument <%s>\\n' "$argument"; done
printf 'variable <%s>\\n' "$ADDED"
if [ "$1" = stdin ]; then printf 'stdin <%s>\\n' "$(cat)"; fi
if [ "$1" = wait ]; then trap 'echo interrupted; exit 5' INT TERM; echo ready; while :; do sleep 0.05; done; fi
if [ "$1" = killed ]; then kill -KILL $$; fi
[ "$1" != exit ] || exit "$2"
"""


class Bench(t.NamedTuple):
    """A switchboard with one program, and what was asked of it."""

    board: Switchboard
    program: str
    calls: list[Call]


def through_exec(call: Call) -> None:
    """Let the caller become the program behind."""
    call.become([call.behind, *call.argv], {"ADDED": "yes"})


def through_run(call: Call) -> None:
    """Let the caller run the program behind."""
    call.exit(call.run([call.behind, *call.argv], {"ADDED": "yes"}))


@pytest.fixture(params=[through_exec, through_run])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Bench]:
    """A program called tool, and one in front of it that is answered in either way."""
    behind = tmp_path / "behind" / "tool"
    behind.parent.mkdir()
    behind.write_text(BEHIND)
    behind.chmod(0o755)
    calls: list[Call] = []

    def answer(call: Call) -> None:
        calls.append(call)
        request.param(call)

    board = Switchboard({"tool": answer}, f"{behind.parent}{os.pathsep}{os.environ['PATH']}")
    yield Bench(board, str(board.folder / "tool"), calls)
    board.close()


def run(program: str, *argv: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *argv], capture_output=True, text=True, timeout=30, check=False, **options)


def test_arguments_and_variables_arrive(bench: Bench) -> None:
    argv = ["two words", "", "*", "--flag=$HOME", 'quote"s', "new\nline", "ö"]
    done = run(bench.program, *argv)
    expected = "".join(f"argument <{argument}>\n" for argument in argv) + "variable <yes>\n"
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)
    assert bench.calls[0].argv == argv


def test_what_is_piped_in_arrives(bench: Bench) -> None:
    assert "stdin <kind: Cluster>" in run(bench.program, "stdin", input="kind: Cluster").stdout


@pytest.mark.parametrize("status", [0, 1, 3, 125, 255])
def test_the_exit_code_is_that_of_the_program_behind(bench: Bench, status: int) -> None:
    assert run(bench.program, "exit", str(status)).returncode == status


def test_a_program_that_a_signal_ended_looks_so(bench: Bench) -> None:
    assert run(bench.program, "killed").returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_program_behind(bench: Bench, number: signal.Signals) -> None:
    with subprocess.Popen([bench.program, "wait"], stdout=subprocess.PIPE, text=True) as process:
        output = t.cast(t.IO[str], process.stdout)
        while output.readline() != "ready\n":
            pass
        process.send_signal(number)
        assert output.read() == "interrupted\n"
    assert process.returncode == 5


def test_the_folder_and_variables_of_the_caller_are_known(bench: Bench, tmp_path: Path) -> None:
    run(bench.program, cwd=tmp_path, env={**os.environ, "KIND_CLUSTER_NAME": "mine"})
    assert bench.calls[0].cwd == str(tmp_path)
    assert bench.calls[0].environment["KIND_CLUSTER_NAME"] == "mine"


def test_after_the_run_a_call_says_so(tmp_path: Path) -> None:
    board = Switchboard({"tool": through_exec}, str(tmp_path))
    # a process that outlived the run still has the program open under its path
    copy = tmp_path / "tool"
    copy.write_text((board.folder / "tool").read_text())
    copy.chmod(0o755)
    board.close()
    done = run(str(copy))
    assert done.returncode == NO_SESSION
    assert "has ended" in done.stderr
    assert not board.folder.exists()


def test_an_error_of_the_session_fails_the_call_with_its_sentence(tmp_path: Path) -> None:
    def refuse(call: Call) -> None:
        raise InputError("There is no such image.", remedy="Build it.", evidence=["seen"])

    board = Switchboard({"tool": refuse}, str(tmp_path))
    done = run(str(board.folder / "tool"))
    board.close()
    assert done.returncode == 1
    assert done.stderr == "tool: There is no such image. Build it.\ntool:   seen\n"


def test_calls_are_answered_side_by_side(bench: Bench) -> None:
    with subprocess.Popen([bench.program, "wait"], stdout=subprocess.PIPE, text=True) as process:
        output = t.cast(t.IO[str], process.stdout)
        while output.readline() != "ready\n":
            pass
        assert run(bench.program, "exit", "4").returncode == 4
        process.terminate()
