# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that checks before anything is changed: all at once, each only if there is something to check."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from run_module import run_module

Call = t.Callable[..., dict[str, t.Any]]
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def call(check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        given = {"cache_dir": str(tmp_path / "cache"), "disk_gib": 0, "groups": ["source", "manifests"], **options}
        return run_module(capsys, "preflight_info", check, **given)

    return call


def test_nothing_is_wrong_where_nothing_is_said(call: Call, tmp_path: Path) -> None:
    result = call()
    assert result["checks"] == []
    assert not result["changed"]
    assert {item["state"] for item in result["findings"]} == {"not applicable"}
    assert list(tmp_path.iterdir()) == []


def test_the_tests_program_is_checked_with_and_without_a_folder(call: Call, tmp_path: Path) -> None:
    assert call(tests={"command": ["sh"]})["checks"] == ["tests"]
    assert call(tests={"command": ["sh"], "dir": str(tmp_path)})["checks"] == ["tests"]
    result = call(tests={"command": ["sh"], "dir": str(tmp_path / "none")})
    assert result["verdict"]["setting"] == "preflight_tests_dir"


def test_the_path_of_the_tests_environment_counts(call: Call, tmp_path: Path) -> None:
    result = call(tests={"command": ["sh"], "environment": {"PATH": str(tmp_path)}})
    assert result["verdict"]["cause"] == "tests-command-missing"


@pytest.mark.parametrize("check", [False, True])
def test_all_that_is_wrong_is_told_at_once_also_in_check_mode(call: Call, tmp_path: Path, check: bool) -> None:
    source = {"dir": str(tmp_path / "none"), "containerfile": "Containerfile"}
    result = call(
        check,
        groups=["host", "source"],
        disk_gib=1e9,
        image={"service": "demo", "source": source},
        tests={"command": ["no-such-program"]},
    )
    assert result["failed"]
    assert result["verdict"]["cause"] == "disk-full"
    assert [line for line in result["verdict"]["evidence"] if "no-such-program" in line]
    assert [line for line in result["verdict"]["evidence"] if str(tmp_path / "none") in line]
    assert result["table"][0].startswith("Preflight of demo: 3 errors")
    assert list(tmp_path.iterdir()) == []


def test_the_result_holds_the_table_as_data_and_as_lines(call: Call) -> None:
    result = call(tests={"command": ["sh"]}, show="problems")
    row = next(item for item in result["findings"] if item["check"] == "tests")
    assert (row["group"], row["state"], row["text"], row["evidence"]) == ("source", "ok", "sh", [])
    assert result["summary"] == f"1 ok, {len(result['findings']) - 1} not applicable"
    assert result["table"][0] == f"Preflight: {result['summary']}"
    assert result["preflight"] == {"title": "Preflight", "show": "problems"}


def test_an_unknown_check_cannot_be_left_out(call: Call) -> None:
    result = call(skip=["test"])
    assert result["failed"] and result["verdict"]["setting"] == "preflight_skip"
    assert "Did you mean 'tests'" in result["msg"]
    assert call(skip=["tests"], tests={"command": ["no-such-program"]})["changed"] is False
