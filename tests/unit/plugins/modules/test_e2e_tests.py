# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that runs the tests: a failing test does not fail the task."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from run_module import run_module

Call = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def call(*command: str, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        folders = {"dir": str(tmp_path), "results": str(tmp_path / "results")}
        return run_module(capsys, "e2e_tests", check, command=list(command), **{**folders, **options})

    return call


def test_tests_that_pass(call: Call) -> None:
    result = call("sh", "-c", "echo $NUMBER $SAYS", environment={"NUMBER": 7, "SAYS": True})
    assert result["passed"]
    assert result["returncode"] == 0
    assert not result["changed"]
    assert result["last_lines"] == ["7 True"]


def test_tests_that_fail_are_told_and_do_not_fail_the_task(call: Call) -> None:
    result = call("sh", "-c", "echo '--- FAIL: TestX'; exit 1")
    assert not result.get("failed")
    assert not result["passed"]
    assert result["returncode"] == 1
    assert Path(result["log"]).read_text() == "--- FAIL: TestX\n"


def test_tests_that_take_too_long_are_told(call: Call) -> None:
    result = call("sleep", "60", timeout=1)
    assert not result.get("failed")
    assert (result["passed"], result["returncode"]) == (False, None)


def test_in_check_mode_nothing_is_run_and_nothing_made(call: Call, tmp_path: Path) -> None:
    result = call("sh", "-c", "touch ran", check=True)
    assert not result["changed"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("check", [True, False])
def test_what_cannot_be_started_fails_in_check_mode_too(call: Call, check: bool) -> None:
    result = call("no-such-program", check=check)
    assert result["failed"]
    assert result["verdict"]["setting"] == "e2e_tests_command"
    assert call("sh", check=check, dir="/no/such/folder")["verdict"]["setting"] == "e2e_tests_dir"


def test_a_job_has_no_use_for_a_port_of_this_host(call: Call) -> None:
    forward = [{"target": "service/x", "port": "http", "variable": "X"}]
    result = call("/e2e.test", job={"image": "localhost/tests:1"}, port_forward=forward)
    assert result["verdict"]["setting"] == "e2e_tests_port_forward"


def test_a_job_needs_a_cluster_and_in_check_mode_none(call: Call) -> None:
    job = {"image": "localhost/tests:1"}
    assert call("/e2e.test", job=job, kubeconfig="/no/such/file")["verdict"]["cause"] == "no-kubeconfig"
    assert not call("/e2e.test", job=job, kubeconfig="/no/such/file", check=True).get("failed")


def test_an_outcome_is_judged_by_the_module_beside(
    call: Call, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    results = str(tmp_path / "results")
    call("sh", "-c", "exit 3")
    judged = run_module(capsys, "e2e_tests_outcome", False, results=results)
    assert judged["failed"]
    assert judged["verdict"]["cause"] == "tests-failed"
    call("true")
    assert not run_module(capsys, "e2e_tests_outcome", False, results=results).get("failed")
