# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real playbook with a service that needs a component: order, whose contract each role reads, and what is saved."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import recorded_journey
from recorded_journey import common


def contract(name: str, **other: t.Any) -> dict[str, t.Any]:
    return {
        "source": {"module": f"example.com/{name}", "version": "v1.0.0"},
        "workload": {"namespace": "shop", "name": name, "container": name},
        "tests": {"command": [f"test-{name}"]},
        **other,
    }


def services() -> dict[str, t.Any]:
    return {
        "cart": contract("cart", components={"stock": {}}),
        "stock": contract("stock", readiness={"timeout": 33}, dependencies={"cache": {"kind": "redis"}}),
    }


def cart(tmp_path: Path) -> dict[str, t.Any]:
    """The variables of a run of cart; recorded reports miss their thresholds."""
    own = {"coverage_service": "cart", "coverage_services": services()}
    return {**common(tmp_path), **own, "coverage_report_fail_below_threshold": False}


def test_each_component_is_run_with_its_contract_and_the_service_is_the_last(tmp_path: Path) -> None:
    variables = cart(tmp_path)
    calls, answer = recorded_journey.run(tmp_path, "service.yml", group_vars=variables, fails="e2e_tests_outcome")
    assert "e2e_tests_outcome fails, as the test wants it" in answer.stdout, answer.stdout[-3000:] + answer.stderr
    modules = [(call["module"], call["args"].get("service") or call["args"].get("name", "")) for call in calls]
    assert [name for module, name in modules if module == "instrumented_image"] == ["stock", "cart"]
    assert [name for module, name in modules if module in ("coverage_mode", "readiness_gate")] == ["stock"] * 2 + [
        "cart"
    ] * 2
    assert [name for module, name in modules if module == "coverage_extraction"] == ["cart", "stock"]
    by_module: dict[str, list[dict[str, t.Any]]] = {}
    for call in calls:
        by_module.setdefault(call["module"], []).append(call["args"])
    assert [args["timeout"] for args in by_module["readiness_gate"]] == [33, 120]
    assert [args["image"]["service"] for args in by_module["preflight_info"]] == ["cart", "stock"]
    assert [("host" in args["groups"], "tests" in args) for args in by_module["preflight_info"]] == [
        (True, True),
        (False, False),
    ]
    assert [args["image"] for args in by_module["coverage_mode"]] == [
        "localhost/stock:recorded",
        "localhost/cart:recorded",
    ]
    assert [args["volume_directory"] for args in by_module["coverage_extraction"]] == [
        "/volumes/cart",
        "/volumes/stock",
    ]
    # once while the cluster starts, once when the component is started; the service itself has none
    assert [[item["name"] for item in args["servers"]] for args in by_module["service_dependencies"]] == [["cache"]] * 2
    (report,) = by_module["coverage_report"]
    assert set(report["sources"]) == {"example.com/cart", "example.com/stock"}
    assert [Path(path).name for path in report["records"]] == ["processes-stock.json", "processes-cart.json"]
    saved = json.loads((tmp_path / "cache" / "clusters" / "cart-e2e" / "run-cart.json").read_text())
    assert saved["volumes"] == {"stock": "/volumes/stock", "cart": "/volumes/cart"}
    assert saved == json.loads((Path(saved["dir"]) / "run.json").read_text())


def test_a_failure_of_a_component_is_explained_by_that_component(tmp_path: Path) -> None:
    variables = cart(tmp_path)
    calls, answer = recorded_journey.run(tmp_path, "service.yml", group_vars=variables, fails="readiness_gate")
    assert answer.returncode == 2
    (evidence,) = [call["args"] for call in calls if call["module"] == "evidence"]
    assert (evidence["name"], evidence["volume_directory"]) == ("stock", "/volumes/stock")
    assert "readiness_gate fails" in evidence["failure"]["msg"]
    assert not [call for call in calls if call["module"] in ("e2e_tests", "coverage_extraction")]


def test_tags_continue_the_run_that_was_saved_and_another_id_another_one(tmp_path: Path) -> None:
    variables = cart(tmp_path)
    recorded_journey.run(tmp_path / "whole", "service.yml", group_vars=variables)
    saved = json.loads((tmp_path / "cache" / "clusters" / "cart-e2e" / "run-cart.json").read_text())
    calls, answer = recorded_journey.run(
        tmp_path / "again", "service.yml", "--tags", "coverage_extraction", group_vars=variables
    )
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert {call["role"] for call in calls} == {"readiness_gate", "coverage_extraction"}
    (first, _second) = [call["args"] for call in calls if call["module"] == "coverage_extraction"]
    assert first["destination"] == f"{saved['dir']}/coverdata/cart"
    other = {**variables, "coverage_run_id": "other"}
    calls, answer = recorded_journey.run(
        tmp_path / "other", "service.yml", "--tags", "coverage_report", group_vars=other, fails="none"
    )
    (report,) = [call["args"] for call in calls if call["module"] == "coverage_report"]
    assert report["output"] == f"{saved['base']}/other"


def test_without_a_saved_run_single_stages_are_refused_before_anything_else(tmp_path: Path) -> None:
    variables = cart(tmp_path)
    calls, answer = recorded_journey.run(tmp_path, "service.yml", "--tags", "e2e_tests", group_vars=variables)
    assert answer.returncode == 2 and calls == []
    assert "There is no saved run of cart to continue with --tags" in answer.stdout
    assert not (tmp_path / "results").exists()
