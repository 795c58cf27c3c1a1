# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite's process, for real: it gets the chance to clean up, and nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import Ended
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.process import SuiteProcess, kill_marked

CLEANS_UP = "trap 'echo cleaning up; exit 130' INT; echo ready; while :; do sleep 0.05; done"
DEAF = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done"


class Run(t.NamedTuple):
    """How a suite ended, and what it said."""

    ended: Ended
    lines: list[str]


def run(folder: Path, script: str, *, timeout: float = 60, grace: float = 60, stop: str = "") -> Run:
    process = SuiteProcess(str(folder), dict(os.environ), grace)
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        if stop and line == "ready":
            process.stop(stop)

    return Run(process.run(["sh", "-c", script], timeout, keep), lines)


@pytest.mark.parametrize(("script", "status"), [("true", 0), ("exit 7", 7), ("kill -TERM $$", -15)])
def test_the_end_is_told(tmp_path: Path, script: str, status: int) -> None:
    assert run(tmp_path, script).ended.returncode == status


def test_output_and_errors_come_line_by_line_in_order(tmp_path: Path) -> None:
    assert run(tmp_path, "echo one; echo two >&2; printf three").lines == ["one", "two", "three"]


def test_a_suite_that_is_stopped_cleans_up(tmp_path: Path) -> None:
    found = run(tmp_path, CLEANS_UP, stop="a pod will never be ready")
    assert found.lines == ["ready", "cleaning up"]
    assert (found.ended.returncode, found.ended.lost) == (None, "a pod will never be ready")


def test_one_that_does_not_listen_is_killed_in_the_end(tmp_path: Path) -> None:
    assert run(tmp_path, DEAF, grace=0.2, stop="why").ended.lost == "why"


def test_a_time_limit_lets_it_clean_up_too(tmp_path: Path) -> None:
    found = run(tmp_path, CLEANS_UP, timeout=0.5)
    assert found.lines == ["ready", "cleaning up"]
    assert (found.ended.returncode, found.ended.lost) == (None, "")


def test_what_stays_in_its_group_is_gone(tmp_path: Path) -> None:
    found = run(tmp_path, "sleep 600 & echo $!")
    assert_gone(int(found.lines[0]))


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be started"):
        SuiteProcess(str(tmp_path), {}, 1).run(["/nowhere/suite"], 5, lambda _line: None)


def test_what_left_its_group_is_found_by_its_mark() -> None:
    mark = f"SUITE_OF_THIS_TEST={os.getpid()}-{threading.get_ident()}"
    name, _equals, value = mark.partition("=")
    with subprocess.Popen(["sleep", "600"], start_new_session=True, env={**os.environ, name: value}) as process:
        other = subprocess.Popen(["sleep", "600"], env={**os.environ, name: f"{value}0"})
        try:
            wait_until_it_is(process.pid, "sleep")
            assert kill_marked(mark) == ["sleep 600"]
            assert process.wait(10) == -9
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()


def wait_until_it_is(pid: int, name: str) -> None:
    """Wait until exec has put the new environment in place."""
    for _waited in poll(0.01, timeout=10):
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            return
    raise AssertionError(f"{pid} never became {name}")


def assert_gone(pid: int) -> None:
    for _waited in poll(0.05, timeout=10):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":  # nobody has asked for its exit code
            return
    raise AssertionError(f"{pid} is still there")
