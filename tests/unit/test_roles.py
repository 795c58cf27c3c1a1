# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every role promises by its shape: specs equal defaults, names carry the role, the README is true."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import role_readme
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from yaml_nodes import nodes

ROOT = Path(__file__).resolve().parents[2]
ROLES = [path.name for path in role_readme.roles(ROOT)]
every_role = pytest.mark.parametrize("role", ROLES)


def load(role: str, *parts: str) -> t.Any:
    """The content of one of a role's YAML files."""
    return yaml.safe_load(ROOT.joinpath("roles", role, *parts).read_text(encoding="utf-8"))


def specs(role: str) -> dict[str, dict[str, t.Any]]:
    """The argument specs of a role by entry point."""
    return t.cast(dict[str, dict[str, t.Any]], load(role, "meta", "argument_specs.yml")["argument_specs"])


def trusted(path: Path) -> dict[str, t.Any]:
    """The content of a YAML file whose templates Ansible resolves."""
    return t.cast(dict[str, t.Any], DataLoader().load_from_file(str(path), trusted_as_template=True))


def resolved(values: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What templates are without a contract and without a run; those that are left out are not in it."""
    return t.cast(dict[str, t.Any], Templar(DataLoader(), variables=dict(variables)).template(dict(values)))


def task_files(role: str) -> list[Path]:
    """Task and handler files of a role."""
    folder = ROOT / "roles" / role
    return sorted([*folder.glob("tasks/**/*.yml"), *folder.glob("handlers/*.yml")])


def task_nodes(role: str) -> list[dict[str, t.Any]]:
    """Every mapping of a role's task files."""
    return [node for path in task_files(role) for node in nodes(yaml.safe_load(path.read_text(encoding="utf-8")))]


def test_there_are_roles() -> None:
    assert ROLES


def test_each_folder_of_roles_is_a_role() -> None:
    assert sorted(path.name for path in (ROOT / "roles").iterdir()) == ROLES


@every_role
def test_defaults_are_those_of_the_spec(role: str) -> None:
    # the defaults of a role serve all its entry points
    options = {name: option for spec in specs(role).values() for name, option in spec.get("options", {}).items()}
    required = {name for name, option in options.items() if option.get("required")}
    stated = {name: option.get("default") for name, option in options.items() if name not in required}
    assert [name for name in required if "default" in options[name]] == [], "required and with a default"
    defaults = trusted(ROOT / "roles" / role / "defaults" / "main.yml")
    assert stated.keys() <= defaults.keys() <= options.keys()
    specification = trusted(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    documented = {
        name: option["default"]
        for spec in specification.values()
        for name, option in spec.get("options", {}).items()
        if name not in required
    }
    given = {**defaults, **dict.fromkeys(required, "given")}
    assert resolved({name: defaults[name] for name in stated}, given) == resolved(documented, given)
    # a required one may read the contract, and is left out where there is none
    assert resolved({name: defaults[name] for name in required & defaults.keys()}, defaults) == {}


ENTRIES = [(role, entry) for role in ROLES for entry in specs(role)]
OPTIONS = [(role, entry, name) for role, entry in ENTRIES for name in specs(role)[entry].get("options", {})]


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_each_entry_point_says_what_it_is_and_has_its_tasks(role: str, entry: str) -> None:
    assert specs(role)[entry].get("short_description")
    assert specs(role)[entry].get("description")
    assert (ROOT / "roles" / role / "tasks" / f"{entry}.yml").is_file()


@pytest.mark.parametrize(("role", "entry", "name"), OPTIONS)
def test_each_option_says_what_it_is(role: str, entry: str, name: str) -> None:
    option = specs(role)[entry]["options"][name]
    assert option.get("description")
    assert option.get("type")
    assert option["type"] != "list" or option.get("elements")


@every_role
def test_entry_points_agree_on_defaults(role: str) -> None:
    stated: dict[str, set[str]] = {}
    for spec in specs(role).values():
        for name, option in spec.get("options", {}).items():
            stated.setdefault(name, set()).add(repr(option.get("default")))
    assert stated
    assert {name: defaults for name, defaults in stated.items() if len(defaults) > 1} == {}


# roles that have neither a flag nor a number
WITHOUT = ("WITHOUT",)


@every_role
def test_flags_and_numbers_given_as_text_are_what_they_say(role: str) -> None:
    # -e name=false is text, and text is true
    options = {name: option for spec in specs(role).values() for name, option in spec.get("options", {}).items()}
    flags = [name for name, option in options.items() if option["type"] == "bool"]
    numbers = [name for name, option in options.items() if option["type"] in ("int", "float")]
    assert flags or numbers or role in WITHOUT
    for path in task_files(role):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith(("when:", "- ", "failed_when:", "changed_when:")) or "1024" in line:
                for name in flags:
                    assert not re.search(rf"\b{name}\b(?! \| bool)", line), f"{path.name}: {line}"
                for name in numbers:
                    assert not re.search(rf"\b{name}\b(?! \| (int|float))", line), f"{path.name}: {line}"


@every_role
def test_variables_carry_the_role_in_their_names(role: str) -> None:
    public = re.compile(rf"{role}_[a-z0-9_]+")
    internal = re.compile(rf"__{role}_[a-z0-9_]+")
    names = [name for spec in specs(role).values() for name in spec.get("options", {})]
    assert names
    assert [name for name in names if not public.fullmatch(name)] == []
    for path in (ROOT / "roles" / role / "vars").glob("*.yml"):
        for name in yaml.safe_load(path.read_text(encoding="utf-8")) or {}:
            assert internal.fullmatch(name), f"{path.name}: {name}"
    for node in task_nodes(role):
        names = [node.get("register"), (node.get("loop_control") or {}).get("loop_var")]
        for name in filter(None, names):
            assert internal.fullmatch(name) or name == f"{role}_result", name
        for name in node.get("ansible.builtin.set_fact") or {}:
            assert internal.fullmatch(name) or name in {f"{role}_result", "cacheable"}, name


def test_every_loop_names_its_variable() -> None:
    loops = [(role, node) for role in ROLES for node in task_nodes(role) if "loop" in node]
    assert loops, "no role has a loop any more: this test can go"
    for role, node in loops:
        assert (node.get("loop_control") or {}).get("loop_var") == f"__{role}_item", node.get("name")


@every_role
def test_nothing_that_hides_failures_or_waits_blindly(role: str) -> None:
    banned = {
        "ansible.builtin.shell",
        "ansible.builtin.pause",
        "ansible.builtin.raw",
        "ignore_errors",
        "ansible.legacy.shell",
    }
    tasks = task_nodes(role)
    assert tasks
    assert [node.get("name") for node in tasks if banned & set(node)] == []


@every_role
def test_metadata(role: str) -> None:
    meta = load(role, "meta", "main.yml")
    info = meta["galaxy_info"]
    assert meta["dependencies"] == []
    assert info["license"] == "GPL-3.0-or-later"
    assert info["author"] == "the kubernaut.coverage authors"
    assert info["description"]
    assert info["min_ansible_version"] == "2.19"
    assert {"name": "Debian", "versions": ["bookworm"]} in info["platforms"]


@every_role
def test_the_readme_has_the_tables_of_the_spec(role: str) -> None:
    readme = ROOT / "roles" / role / "README.md"
    assert readme.read_text(encoding="utf-8") == role_readme.expected(ROOT / "roles" / role), "make docs writes it"


@every_role
@pytest.mark.parametrize("topic", ["Example", "Result", "Idempoten", "Check mode", "Undo"])
def test_the_readme_says_what_to_rely_on(role: str, topic: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^#+ .*{topic}|^(\*\*|- \*\*){topic}", text, re.MULTILINE | re.IGNORECASE), (
        f"a heading with {topic}"
    )


@every_role
def test_the_result_is_documented(role: str) -> None:
    sets = any(f"{role}_result" in (node.get("ansible.builtin.set_fact") or {}) for node in task_nodes(role))
    registers = any(node.get("register") == f"{role}_result" for node in task_nodes(role))
    if sets or registers:
        assert f"{role}_result" in (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")


# its suite creates and deletes clusters of its own, so that no scenario can share one with it: tests/integration/suites
WITHOUT_SCENARIO = ("e2e_suite",)


@pytest.mark.parametrize("role", [role for role in ROLES if role not in WITHOUT_SCENARIO])
def test_molecule_runs_the_role(role: str) -> None:
    """A group of scenarios runs it first in check mode, for real, and once more; test_tools.py has that."""
    converge = yaml.safe_load((ROOT / "extensions" / "molecule" / role / "converge.yml").read_text(encoding="utf-8"))
    called = [
        node.get("role") or (node.get("ansible.builtin.import_role") or {}).get("name") for node in nodes(converge)
    ]
    assert f"kubernaut.coverage.{role}" in called
