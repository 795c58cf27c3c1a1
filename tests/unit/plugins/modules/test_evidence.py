# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module evidence, without a cluster."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from run_module import run_module

VERDICT = {"cause": "crash", "sentence": "It ends.", "evidence": ["x"], "remedy": "", "setting": "", "also": []}


def test_what_failed_is_kept_and_given_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    failure: dict[str, t.Any] = {"task": "Wait", "msg": "It ends. See the log.", "verdict": VERDICT}
    result = run_module(capsys, "evidence", directory=str(tmp_path / "evidence"), failure=failure)
    assert result["changed"]
    assert (result["msg"], result["verdict"]) == (failure["msg"], VERDICT)
    assert result["files"] == ["README.txt", "verdict.json"]
    assert list(result["missing"]) == ["the cluster"]
    kept = json.loads((tmp_path / "evidence" / "verdict.json").read_text(encoding="utf-8"))
    assert kept == failure


def test_without_a_failure_the_message_is_the_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_module(capsys, "evidence", directory=str(tmp_path))
    assert str(tmp_path) in result["msg"]
    assert "verdict" not in result


def test_check_mode_collects_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_module(capsys, "evidence", check=True, directory=str(tmp_path / "evidence"))
    assert result["changed"]
    assert result["files"] == []
    assert not (tmp_path / "evidence").exists()


def test_a_folder_that_cannot_be_made_is_a_verdict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run_module(capsys, "evidence", directory=str(tmp_path / "file" / "evidence"))
    assert result["failed"]
    assert result["verdict"]["cause"] == "cannot-write"
