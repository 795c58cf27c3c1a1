# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: a process that reads its arguments and prints its result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from go_programs import HERE, RECORDED

ROOT = Path(__file__).resolve().parents[4]
MODULE = "ansible_collections.kubernaut.coverage.plugins.modules.coverage_report"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's results folder with recorded data."""
    folder = tmp_path / "program" / "run-1"
    shutil.copytree(RECORDED, folder / "coverdata")
    return folder


def call(run: Path, *, check: bool = False, diff: bool = False, **more: t.Any) -> dict[str, t.Any]:
    """Run the module and return what it printed; the key C(rc) has its exit code."""
    arguments = {
        "input": str(run),
        "output": str(run),
        "service": "program",
        "run_id": "run-1",
        "sources": {"example.com/program": str(HERE / "program")},
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_remote_tmp": str(run.parent),
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": str(ROOT / ".ansible" / "collections")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "rc": done.returncode}


def test_check_run_check_run(run: Path) -> None:
    predicted = call(run, check=True)
    assert predicted["changed"]
    assert not (run / "summary.json").exists()
    done = call(run)
    assert done["changed"]
    assert (run / "summary.json").exists()
    assert not call(run, check=True)["changed"]
    assert not call(run)["changed"]
    for key in ("percent", "statements", "covered", "packages", "components", "problems", "lines", "files"):
        assert predicted[key] == done[key], key


def test_the_result(run: Path) -> None:
    result = call(run, thresholds={"total": 90}, diff=True)
    assert result["rc"] == 0
    assert (result["covered"], result["statements"], result["withheld"]) == (37, 58, "")
    assert not result["threshold_passed"]
    assert [shortfall["scope"] for shortfall in result["shortfalls"]] == ["total"]
    assert result["files"]["summary.json"] == str(run / "summary.json")
    assert result["diff"]["before"] == ""
    assert "| example.com/program/internal/text |" in result["diff"]["after"]
    assert all(isinstance(line, str) for line in result["lines"])


def test_a_failure_has_a_verdict(run: Path) -> None:
    shutil.rmtree(run / "coverdata")
    (run / "coverdata").mkdir()
    result = call(run)
    assert result["rc"] == 1
    assert result["failed"]
    assert result["verdict"]["cause"] == "no-coverage-data"
    assert result["verdict"]["remedy"] in result["msg"]


def test_check_mode_where_nothing_came_home_yet(run: Path) -> None:
    shutil.rmtree(run / "coverdata")
    for given in (str(run / "coverdata"), str(run)):
        result = call(run, check=True, input=given)
        assert result["rc"] == 0
        assert result["changed"]
        assert result["percent"] is None
        assert result["threshold_passed"]
        assert result["lines"]


def test_a_misspelt_threshold_is_refused(run: Path) -> None:
    result = call(run, thresholds={"totl": 1})
    assert result["rc"] == 1
    assert "totl" in result["msg"]
