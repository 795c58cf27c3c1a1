# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a setting is set: for a role, in a contract and for a module alone."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import settings_table
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import settings as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings_table import ROWS

ROOT = Path(__file__).resolve().parents[5]
LIBRARIES = sorted((ROOT / "plugins" / "module_utils").rglob("*.py"))
VARIABLES = {row.variable for row in ROWS}


@pytest.mark.parametrize(
    ("setting", "module", "variable", "key", "option"),
    [
        ("readiness.timeout", "readiness_gate", "readiness_gate_timeout", "readiness.timeout", "timeout"),
        ("workload.name", "coverage_extraction", "coverage_extraction_name", "workload.name", "name"),
        ("workload.objects", "readiness_gate", "coverage_mode_objects", "workload.objects", "coverage_mode: objects"),
        (
            "source.package",
            "instrumented_image",
            "instrumented_image_source.package",
            "source.package",
            "source.package",
        ),
        ("kind_cluster#recreate", "preflight_info", "kind_cluster_recreate", "", "kind_cluster: recreate"),
        ("kind_cluster#recreate", "kind_cluster", "kind_cluster_recreate", "", "recreate"),
        ("runner_tool#go.checksum", "runner_tool", "coverage_runner_go_checksum", "", "checksum"),
        ("outputs", "covdata_report", "outputs", "", "outputs"),
        (
            "dependencies (db)",
            "service_dependencies",
            "service_dependencies_servers (db)",
            "dependencies (db)",
            "servers (db)",
        ),
        (
            "report.include, report.exclude",
            "coverage_report",
            "coverage_report_include, coverage_report_exclude",
            "report.include, report.exclude",
            "include, exclude",
        ),
        ("", "readiness_gate", "", "", ""),
    ],
)
def test_a_setting_is_named_for_each_user(setting: str, module: str, variable: str, key: str, option: str) -> None:
    assert lib.place_of(setting, module) == lib.Place(variable, key, option)


def test_a_module_names_the_variable_of_its_own_role_first() -> None:
    assert lib.place_of("workload.namespace", "e2e_tests").variable == "e2e_tests_namespace"
    assert lib.place_of("workload.namespace").variable == "coverage_mode_namespace"


def test_all_of_it_is_in_the_message() -> None:
    assert lib.place_of("readiness.timeout", "readiness_gate").text() == (
        "setting: readiness_gate_timeout; contract key: readiness.timeout; module option: timeout"
    )
    assert lib.place_of("outputs", "covdata_report").text() == "setting: outputs"


def test_a_setting_has_another_name_elsewhere() -> None:
    scope = {"readiness": "service_dependencies#timeout", "workload": "dependencies", "coverage_mode": "dependencies"}
    assert lib.within("readiness.timeout", scope) == "service_dependencies#timeout"
    assert lib.within("workload.objects", scope) == "dependencies"
    assert lib.within("coverage_mode#image", scope) == "dependencies"
    assert lib.within("cluster.name", scope) == "cluster.name"


def test_the_table_is_what_roles_and_playbooks_say() -> None:
    assert settings_table.TABLE.read_text(encoding="utf-8") == settings_table.text(), "make docs"


def test_every_variable_of_the_table_is_one_of_a_role() -> None:
    known: set[str] = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            known |= set(spec.get("options") or {})
    own = {row.variable for row in ROWS if row.module == "service_contract_info"}
    assert VARIABLES - own <= known
    assert all(name.startswith("coverage_") for name in own)


def test_every_key_of_the_table_is_one_of_the_contract() -> None:
    assert {row.key for row in ROWS if row.key and settings_table.known_key(row.key) != row.key} == set()


def literals(tree: ast.AST) -> t.Iterator[str]:
    """The texts that are given as a setting."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "setting":
            yield from (part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant))


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_library_names_a_role_variable_as_a_setting(path: Path) -> None:
    found = {str(name) for name in literals(ast.parse(path.read_text(encoding="utf-8")))}
    assert {name for name in found if re.split(r"[.\[ ]", name)[0] in VARIABLES - {"coverage_services"}} == set()


NAMED = sorted(
    {
        str(name)
        for path in LIBRARIES
        for name in literals(ast.parse(path.read_text(encoding="utf-8")))
        if "#" in str(name)
    }
)


@pytest.mark.parametrize("name", NAMED)
def test_every_option_that_a_library_names_exists(name: str) -> None:
    module, _hash, option = name.partition("#")
    assert not option or any(row.module == module and option.startswith(row.option) for row in ROWS)
