# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that saves the state of a run, and reads it again."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from run_module import run_module

Call = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def call(check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        given = {"service": "orders", "path": str(tmp_path / "cluster" / "run-orders.json"), **options}
        return run_module(capsys, "run_record", check, **given)

    return call


def record(tmp_path: Path, **other: t.Any) -> dict[str, t.Any]:
    own = {"service": "orders", "id": "r1", "dir": str(tmp_path / "orders" / "r1"), "base": str(tmp_path / "orders")}
    return {**own, "cluster": {"name": "orders-e2e"}, "images": {}, "volumes": {"orders": "/v"}, **other}


def test_what_was_saved_is_read_again_from_one_file_and_is_in_the_other(call: Call, tmp_path: Path) -> None:
    saved = record(tmp_path, components=[{"contract": {"password": "not kept"}}])
    assert call(record=saved)["changed"] is True
    assert call(record=saved)["changed"] is False
    kept = {key: value for key, value in saved.items() if key != "components"}
    assert call()["record"] == kept
    of_run, of_cluster = tmp_path / "orders" / "r1" / "run.json", tmp_path / "cluster" / "run-orders.json"
    assert of_run.read_text() == of_cluster.read_text()
    assert json.loads(of_run.read_text()) == {**kept, "version": 1}
    assert of_cluster.stat().st_mode & 0o777 == 0o600


def test_without_a_saved_state_the_record_is_empty(call: Call) -> None:
    assert call()["record"] == {}


def test_check_mode_writes_nothing(call: Call, tmp_path: Path) -> None:
    assert call(check=True, record=record(tmp_path))["changed"] is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "service": "orders"}'])
def test_a_damaged_state_is_refused_with_the_way_out(call: Call, tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "run-orders.json").write_text(text)
    result = call()
    assert result["failed"] and result["verdict"]["cause"] == "damaged-saved-state"
    assert "Remove that file" in result["verdict"]["remedy"]
    assert "run-orders.json" in result["msg"]


def test_a_record_of_another_service_is_refused(call: Call, tmp_path: Path) -> None:
    assert "service carts" in call(record=record(tmp_path, service="carts"))["msg"]
    call(record=record(tmp_path))
    assert "not of carts" in call(service="carts")["msg"]


def test_an_incomplete_record_is_not_saved(call: Call, tmp_path: Path) -> None:
    result = call(record=record(tmp_path, volumes=None))
    assert "volumes of the saved state is NoneType, not a dict" in result["msg"]
    assert list(tmp_path.iterdir()) == []
