# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the real playbooks and roles with recorders in the place of the modules that would change something.

What is real: playbooks, includes, loops, roles with their defaults and argument specs, Ansible's precedence of
variables, the modules service_contract and run_record. So it shows, in seconds and without a cluster, with which
variables each role is called and which arguments each module gets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from role_readme import roles

ROOT = Path(__file__).resolve().parents[2]
REAL = ("service_contract_info", "run_record", "covdata_report")
LINKED = ("meta", "playbooks", "roles", "galaxy.yml")

Call = dict[str, t.Any]
Option = dict[str, t.Any]


def make_collection(folder: Path) -> Path:
    """Return the path of a collection in C(folder) that has this checkout's playbooks and roles, and recorders."""
    collection = folder / "ansible_collections" / "kubernaut" / "coverage"
    (collection / "plugins" / "action").mkdir(parents=True)
    for name in LINKED:
        (collection / name).symlink_to(ROOT / name)
    for plugins in (ROOT / "plugins").iterdir():
        if plugins.is_dir() and plugins.name != "action":
            (collection / "plugins" / plugins.name).symlink_to(plugins)
    for module in (ROOT / "plugins" / "modules").glob("*.py"):
        if module.stem not in REAL:
            recorder = collection / "plugins" / "action" / module.name
            shutil.copyfile(ROOT / "tests" / "tools" / "recorder_action.py", recorder)
    return collection


def run(
    folder: Path,
    playbook: str,
    *arguments: str,
    group_vars: t.Optional[t.Mapping[str, t.Any]] = None,
    host_vars: t.Optional[t.Mapping[str, t.Any]] = None,
    play_vars: t.Optional[t.Mapping[str, t.Any]] = None,
    fails: str = "",
) -> tuple[list[Call], subprocess.CompletedProcess[str]]:
    """Run a playbook of the collection; return what was recorded, and the process that has ended.

    :arg play_vars: given where C(import_playbook) calls the playbook. :arg fails: name of a module that fails.
    """
    collection = make_collection(folder / "collections")
    inventory = folder / "inventory"
    for name, variables in (("group_vars", group_vars), ("host_vars", host_vars)):
        (inventory / name).mkdir(parents=True)
        host = "all" if name == "group_vars" else "localhost"
        (inventory / name / f"{host}.yml").write_text(yaml.safe_dump(dict(variables or {})))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": local}}}))
    path = collection / "playbooks" / playbook
    if play_vars is not None:
        call = [{"ansible.builtin.import_playbook": str(path), "vars": dict(play_vars)}]
        path = folder / "playbook.yml"
        path.write_text(yaml.safe_dump(call))
    (folder / "ansible.cfg").touch()
    record = folder / "calls.jsonl"
    record.touch()
    answer = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(path), *arguments],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_PIPELINING": "True",
            "RECORDER_FILE": str(record),
            "RECORDER_FAILS": fails,
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()], answer


def options() -> dict[str, dict[str, Option]]:
    """Return by role the variables of all its entry points."""
    found = {}
    for role in roles():
        specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        found[role.name] = {
            name: option for spec in specs.values() for name, option in (spec.get("options") or {}).items()
        }
    return found


def common(tmp_path: Path) -> dict[str, t.Any]:
    """What each run needs: a service, and folders of the test."""
    return {
        "coverage_service": "httpbin",
        "coverage_cache_dir": str(tmp_path / "cache"),
        "coverage_results_dir": str(tmp_path / "results"),
    }


def leaves(value: t.Any) -> t.Iterator[str]:
    """Every scalar in a value, as text."""
    if isinstance(value, dict):
        for key, content in value.items():
            yield str(key)
            yield from leaves(content)
    elif isinstance(value, list):
        for content in value:
            yield from leaves(content)
    else:
        yield str(value)
