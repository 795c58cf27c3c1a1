# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each setting that a message names is one that a user can set: a variable of a role, a key of the contract, an option.

That a variable of a role which is set in an inventory takes effect is shown for each of them in
test_journey_variables.py, and that a key of the contract does, by test_wiring.py and the test at the end.
"""

from __future__ import annotations

import ast
import json
import re
import typing as t
from pathlib import Path

import pytest
import recorded_journey
import wiring
import yaml
from ansible.playbook.play import Play
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH
from recorded_journey import common, leaves

ROOT = Path(__file__).resolve().parents[2]
# of playbooks, see README.md
PLAYBOOKS = {
    *("coverage_services", "coverage_service", "coverage_run_id"),
    *("coverage_cache_dir", "coverage_results_dir", "coverage_lease_wait"),
}


def named(tree: ast.AST) -> t.Iterator[str]:
    """Every text that a program gives as a setting: C(setting="...") and constants whose name says so."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "setting"]
        elif isinstance(node, ast.Assign):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
            values = [node.value] if any(re.fullmatch(r"(?i)(\w+_)?setting", name) for name in targets) else []
        for value in values:
            branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            for part in branches:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


SETTINGS = {
    (text, path.relative_to(ROOT).as_posix())
    for path in (ROOT / "plugins").rglob("*.py")
    for text in named(ast.parse(path.read_text(encoding="utf-8")))
    if text
}


def options_of(module: str) -> set[str]:
    """The options of a module as paths, C(workload.name), with those of the fragments it takes from this collection."""

    def paths(options: t.Mapping[str, t.Any], above: str = "") -> t.Iterator[str]:
        for name, option in options.items():
            yield f"{above}{name}"
            if option.get("type") == "dict" and not option.get("suboptions"):
                yield f"{above}{name}.*"  # keys are the user's
            yield from paths(option.get("suboptions") or {}, f"{above}{name}.")

    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    documentation = yaml.safe_load(re.search(r'DOCUMENTATION = r"""\n(.*?)"""', text, re.DOTALL)[1])
    found = set(paths(documentation.get("options") or {}))
    for fragment in documentation.get("extends_documentation_fragment", []):
        if fragment == "kubernetes.core.k8s_auth_options":
            found |= set(AUTH)
        elif fragment.startswith("kubernaut.coverage."):
            source = ROOT / "plugins" / "doc_fragments" / f"{fragment.split('.')[2]}.py"
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "options:" in node.value:
                    found |= set(paths(yaml.safe_load(node.value)["options"]))
    return found


MODULES = {path.stem: options_of(path.stem) for path in (ROOT / "plugins" / "modules").glob("*.py")}


def is_option(name: str) -> bool:
    """Whether C(option), of any module, or C(module#option), of that one, exists."""
    module, _mark, path = name.rpartition("#")
    path = re.sub(r"\[.*?\]", "", path)
    where = [MODULES.get(module, set())] if module else MODULES.values()
    return any(path in options or f"{path.rpartition('.')[0]}.*" in options for options in where)


CONTRACT = set(wiring.keys(wiring.specification()))
VARIABLES = {name for options in recorded_journey.options().values() for name in options} | PLAYBOOKS
SECTIONS = {".".join(key.split(".")[:depth]) for key in CONTRACT for depth in (1, 2, 3)}


def test_there_are_settings() -> None:
    assert len(SETTINGS) > 100


@pytest.mark.parametrize("setting", sorted({setting for setting, _path in SETTINGS}))
def test_a_setting_can_be_set(setting: str) -> None:
    places = sorted(path for name, path in SETTINGS if name == setting)
    # several are named with a comma between them; what is inside of a variable, with a point
    names = re.split(r",? (?:and|or) |, ", setting)
    assert all(names)
    for name in names:
        first, *rest = re.sub(r"\[.*?\]", "", name).split(".")
        known = first in VARIABLES or name in SECTIONS or is_option(name) or first in Play.fattributes
        known = known or (first in {"dependencies", "components"} and bool(rest))
        assert known, f"{name!r} of {places} is not a role variable, a key of the contract or an option of a module"


def test_each_key_of_the_contract_takes_effect_from_an_inventory(tmp_path: Path) -> None:
    # a value for each key that a role reads and that says nothing of another one
    contract = {
        "source": {"module": "example.com/set", "version": "v9.9.9", "package": "cmd/set", "target": "set-target"},
        "image": {"base": "set-base", "user": "9:9", "covermode": "count", "coverpkg": ["example.com/set/..."]},
        "workload": {
            "namespace": "set-namespace",
            "name": "set-name",
            "container": "set-container",
            "kind": "StatefulSet",
            "objects": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "set-name"}}],
        },
        "coverage": {
            "directory": "/set-directory",
            "grace_period": 4101,
            "startup_seconds": 4102,
            "environment": {"SET": "set-environment"},
            "resources": {"limits": {"memory": "4103Mi"}},
            "replicas": 4104,
            "other_containers": [{"name": "set-other", "image": "set-other-image"}],
            "volume": "host_path",
            "permission": "init_container",
            "init_image": "set-init-image",
            "allow_root": True,
        },
        "cluster": {
            "name": "set-cluster",
            "workers": 4105,
            "node_image": "set-node-image",
            "port_mappings": [{"container_port": 4106, "host_port": 4107}],
            "extra_mounts": [{"host_path": "/set-host", "container_path": "/set-node"}],
            "kubeadm_patches": ["set: patch"],
        },
        "readiness": {"url": "http://set-url/", "timeout": 4108},
        "tests": {
            "command": ["set-command"],
            "files": "set-files",
            "dir": "set-dir",
            "environment": {"SET": "set-tests-environment"},
            "base_url": "http://set-base-url",
            "port_forward": [{"target": "service/set", "port": "4109", "variable": "SET_URL"}],
            "junit": "set-junit.xml",
            "timeout": 4110,
        },
        "report": {"include": ["set/in"], "exclude": ["set/out"], "thresholds": {"total": 41.5}},
        "dependencies": {"cache": {"kind": "redis", "version": "set-version"}},
    }
    calls, answer = recorded_journey.run(
        tmp_path,
        "service.yml",
        group_vars={**common(tmp_path), "coverage_service": "mine", "coverage_services": {"mine": contract}},
    )
    assert calls, answer.stdout[-3000:] + answer.stderr
    for role, edges in wiring.edges().items():
        if role == "preflight":
            continue  # it only looks at some of them whether they are there
        given = "\n".join(leaf for call in calls if call["role"] == role for leaf in leaves(call["args"]))
        for path in {path for edge in edges for path in edge.keys}:
            value: t.Any = contract
            for key in path.split("."):
                value = value.get(key) if isinstance(value, dict) else None
            for leaf in leaves(value) if value is not None else ():
                assert leaf in given, f"{path}: {leaf} does not arrive in {role}: {json.dumps(value)}"
