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


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def call(check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        return run_module(
            capsys, "preflight", check, **{"cache_dir": str(tmp_path / "cache"), "disk_gib": 0, **options}
        )

    return call


def test_only_the_disk_is_checked_where_nothing_else_is_said(call: Call, tmp_path: Path) -> None:
    result = call()
    assert result["checks"] == ["disk"]
    assert not result["changed"]
    assert list(tmp_path.iterdir()) == []


def test_the_tests_program_is_checked_with_and_without_a_folder(call: Call, tmp_path: Path) -> None:
    assert call(tests={"command": ["sh"]})["checks"] == ["disk", "tests"]
    assert call(tests={"command": ["sh"], "dir": str(tmp_path)})["checks"] == ["disk", "tests"]
    result = call(tests={"command": ["sh"], "dir": str(tmp_path / "none")})
    assert result["verdict"]["setting"] == "e2e_tests_dir"


def test_a_checkout_that_is_not_there_is_found_before_anything_is_built(call: Call, tmp_path: Path) -> None:
    source = {"dir": str(tmp_path / "none"), "containerfile": "Containerfile"}
    result = call(image={"service": "demo", "source": source})
    assert result["failed"]
    assert str(tmp_path / "none") in result["msg"]
    assert result["verdict"]["setting"].startswith("instrumented_image_source")


def test_all_that_is_wrong_is_told_at_once(call: Call, tmp_path: Path) -> None:
    source = {"dir": str(tmp_path / "none"), "containerfile": "Containerfile"}
    result = call(
        disk_gib=1e9, image={"service": "demo", "source": source}, tests={"command": ["no-such-program"]}, check=True
    )
    assert result["verdict"]["cause"] == "disk-full"
    assert len(result["verdict"]["evidence"]) == 2
    assert "no-such-program" in result["verdict"]["evidence"][1]
    assert list(tmp_path.iterdir()) == []
