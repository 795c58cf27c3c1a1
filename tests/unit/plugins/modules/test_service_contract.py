# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that reads a contract: what ships, what the inventory says, and the run's own two facts."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from run_module import run_module

SHIPPED = Path(__file__).resolve().parents[4] / "playbooks" / "vars"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    def call(service: str = "httpbin", check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        folders = {"shipped": str(SHIPPED), "results": str(tmp_path / "results")}
        return run_module(capsys, "service_contract_info", check, service=service, **{**folders, **options})

    return call


Call = t.Callable[..., dict[str, t.Any]]


def test_the_contract_is_merged_with_the_entry_of_the_service_alone(call: Call) -> None:
    result = call(overrides={"httpbin": {"readiness": {"timeout": 600}}, "other": {"nonsense": 1}})
    assert not result["changed"]
    assert result["contract"]["readiness"]["timeout"] == 600
    assert result["contract"]["workload"]["name"] == "httpbin"


@pytest.mark.parametrize("overrides", [{}, {"httpbin": None}, {"httpbin": {}}, {"other": {}}])
def test_without_an_entry_what_ships_is_the_contract(call: Call, overrides: dict[str, t.Any]) -> None:
    assert call(overrides=overrides)["contract"] == call()["contract"]


def test_a_run_has_an_id_and_a_folder_which_is_not_made(call: Call, tmp_path: Path) -> None:
    run = call()["run"]
    assert re.fullmatch(r"\d{8}-\d{6}-\d{3}", run["id"])
    assert run["base"] == str(tmp_path / "results" / "httpbin")
    assert run["dir"] == f"{run['base']}/{run['id']}"
    assert list(tmp_path.iterdir()) == []
    assert call(check=True)["run"].keys() == run.keys()


def test_an_earlier_run_can_be_gone_on_with(call: Call) -> None:
    assert call(run_id="20261123-154210-123")["run"]["id"] == "20261123-154210-123"


@pytest.mark.parametrize("run_id", ["../x", ".hidden", "a b", "-x", "x" * 64, "a/b"])
def test_a_run_id_that_is_no_folders_name_is_refused(call: Call, run_id: str) -> None:
    result = call(run_id=run_id)
    assert result["failed"]
    assert result["verdict"]["setting"] == "coverage_run_id"


def test_all_that_is_wrong_is_in_the_verdict(call: Call) -> None:
    result = call(overrides={"httpbin": {"tests": {"comand": ["x"]}, "cluster": {"nam": "x"}}})
    assert result["failed"]
    assert result["verdict"]["cause"] == "invalid-contract"
    assert len(result["verdict"]["evidence"]) == 2
    problem = "coverage_services.httpbin.tests.comand is not a key of a contract. Did you mean 'command'?"
    assert problem in result["verdict"]["evidence"]
    assert result["verdict"]["evidence"][0] in result["msg"]


@pytest.mark.parametrize("entry", [[], "", "text", 0])
def test_an_entry_that_is_no_dictionary_is_not_taken_for_none(call: Call, entry: t.Any) -> None:
    assert "not a dictionary" in call(overrides={"httpbin": entry})["msg"]


def test_an_unknown_service_is_answered_with_the_nearest_of_both_places(call: Call) -> None:
    assert "Did you mean 'httpbin'?" in call("htpbin")["msg"]
    assert "Did you mean 'my-service'?" in call("my-servce", overrides={"my-service": {}})["msg"]
