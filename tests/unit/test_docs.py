# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What README and docs say, held against what is there."""

from __future__ import annotations

import ast
import functools
import re
import typing as t
from pathlib import Path

import pytest
import verdict_page
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import (
    CAUSES,
    DOCUMENTATION,
    documentation,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import place_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings_table import ROWS
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.contract import (
    SPECIFICATION,
    merged_contract,
    shipped_contract,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine
from yaml_nodes import nodes

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("roles/*/README.md"))]
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__")
ROLES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/tasks/main.yml"))
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    return [body for name, body in FENCE.findall(page.read_text(encoding="utf-8")) if name == language]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


# ---- links and blocks ----


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _hash, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            dead.append(target)
    assert dead == []


def named(page: Path, what: object) -> str:
    """The name of a test of one thing on a page."""
    return f"{page.relative_to(ROOT)}-{what}"


BLOCKS = [
    pytest.param(block, id=named(page, number)) for page in PAGES for number, block in enumerate(blocks(page, "yaml"))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_yaml_blocks_are_yaml(block: str) -> None:
    assert yaml.safe_load(block) is not None


def contracts(page: Path) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """The service and the contract of each example on a page, in their order."""
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        yield from (content.get("coverage_services", {}) if isinstance(content, dict) else {}).items()


def contract_below(page: Path, service: str) -> dict[str, t.Any]:
    """What an example is merged over: the shipped contract, or the README's if the page says to merge it."""
    if "(Merge it into your file" in page.read_text(encoding="utf-8"):
        return dict(contracts(ROOT / "README.md"))[service]
    return shipped_contract(str(ROOT / "playbooks" / "vars"), service)


EXAMPLES = [
    pytest.param(page, service, contract, id=named(page, f"{service}-{number}"))
    for page in PAGES
    for number, (service, contract) in enumerate(contracts(page))
]


@pytest.mark.parametrize(("page", "service", "contract"), EXAMPLES)
def test_contracts_in_the_examples_are_valid(page: Path, service: str, contract: dict[str, t.Any]) -> None:
    assert merged_contract(service, contract_below(page, service), contract)


def role_options(role: str) -> dict[str, t.Any]:
    """The options of all entry points of a role."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return {name: rule for spec in specs["argument_specs"].values() for name, rule in spec.get("options", {}).items()}


def calls(page: Path) -> t.Iterator[tuple[str, set[str]]]:
    """The roles that examples on a page use, and their variables."""
    for block in blocks(page, "yaml"):
        for node in nodes(yaml.safe_load(block)):
            name = node.get("role") or (node.get("ansible.builtin.import_role") or {}).get("name")
            if name:
                yield name, set(node.get("vars", {}))


CALLS = [
    pytest.param(name, variables, id=named(page, f"{name}-{number}"))
    for page in PAGES
    for number, (name, variables) in enumerate(calls(page))
]


@pytest.mark.parametrize(("name", "variables"), CALLS)
def test_examples_use_roles_with_variables_that_they_have(name: str, variables: set[str]) -> None:
    assert name.startswith("kubernaut.coverage.")
    role = name.rpartition(".")[2]
    assert role in ROLES
    assert variables <= set(role_options(role))


TARGETS = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
TARGETS.append("test-e2e")  # of projects that are measured
COMMANDS = {
    r"ansible-playbook[^\n`]*? playbooks/(\w+)\.yml": PLAYBOOKS,
    r"ansible-playbook[^\n`]*? kubernaut\.coverage\.(\w+)": PLAYBOOKS,
    r"(?:^|`)make ([a-z][a-z0-9-]*)": TARGETS,
}


@pytest.mark.parametrize(("command", "known"), COMMANDS.items())
def test_commands_name_playbooks_and_targets_that_exist(command: str, known: list[str]) -> None:
    found = {
        f"{page.relative_to(ROOT)}: {name}": name
        for page in PAGES
        for name in re.findall(command, page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found
    assert [where for where, name in found.items() if name not in known] == []


# ---- tables of what there is ----


def reference() -> str:
    """README and reference together: the tables of modules, roles and playbooks."""
    return "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/reference.md"))


@pytest.mark.parametrize(("folder", "names"), [("modules", MODULES), ("roles", ROLES), ("playbooks", PLAYBOOKS)])
def test_readme_and_reference_name_all_there_is(folder: str, names: list[str]) -> None:
    text = reference()
    assert [name for name in names if f"`{name}`" not in text] == [], folder


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_playbook_is_shown_by_name_and_by_path(name: str) -> None:
    text = reference()
    assert f"ansible-playbook kubernaut.coverage.{name}" in text
    assert f"ansible-playbook playbooks/{name}.yml" in text


# ---- verdicts ----


# what makes a problem of coverage data; the first argument is its kind
PROBLEMS = ("FormatError", "Problem", "say", "put_aside")


def called(node: ast.Call) -> str:
    """The name of what is called, without its object."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@functools.cache
def causes() -> set[str]:
    """Every cause that the libraries give: keyword arguments and class attributes of that name, and tables of them."""
    found = set()
    for path in ROOT.glob("plugins/module_utils/**/*.py"):
        if path.parent.name == "causes":
            continue  # the registry itself
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values: list[ast.expr] = []
            if isinstance(node, ast.Call) and called(node) in PROBLEMS and node.args and "_suite" not in path.parts:
                values = node.args[:1]
            elif isinstance(node, ast.keyword) and node.arg == "cause":
                values = [node.value]
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                names = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(name, ast.Name) and name.id == "cause" for name in names) and node.value:
                    values = [node.value]
                elif any(isinstance(name, ast.Name) and name.id == "KNOWN_FAILURES" for name in names):
                    assert isinstance(node.value, ast.Tuple)
                    values = [row.elts[1] for row in node.value.elts if isinstance(row, ast.Tuple)]
                elif isinstance(node.value, ast.Tuple) and any(
                    isinstance(name, ast.Tuple) and isinstance(name.elts[-1], ast.Name) and name.elts[-1].id == "cause"
                    for name in names
                ):
                    # text, cause = "...", "package-unknown"
                    values = [node.value.elts[-1]]
            for value in values:
                found |= {
                    item.value
                    for item in ast.walk(value)
                    if isinstance(item, ast.Constant) and isinstance(item.value, str) and item.value
                }
    return found


def mentioned() -> set[str]:
    """Every text in the rules of the gate, which give many causes by position or from a table."""
    return {
        node.value
        for path in ROOT.glob("plugins/module_utils/_readiness/**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_search_for_causes_finds_them() -> None:
    assert {"image-not-on-node", "port-taken", "package-unknown", "kernel-limits", "bad-input"} <= causes()


def test_every_cause_is_registered_and_no_other() -> None:
    # these are given by a constant, or made from the registered cause itself
    made = {
        "containerfile-goflags",
        "unauthorized",
        "source-missing",
        "source-differs",
        "snapshots",
        engine.NOT_READY.id,
    }
    assert sorted(causes() - CAUSES.ids) == []
    unused = CAUSES.ids - causes() - made - {"below-threshold", "runner-not-ready"}
    assert sorted(unused - mentioned()) == []


def test_the_role_says_what_each_problem_of_coverage_data_does() -> None:
    text = (ROOT / "roles" / "coverage_report" / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Problems and their effect")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`([a-z-]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))))
    also = {"two-builds", "renamed", "source-clash", "granularity-clash", "no-statements", "unmatched-pattern"}
    assert listed == {cause.id for cause in CAUSES.stages["Coverage data"]} | also


def test_the_list_of_verdicts_is_what_is_registered() -> None:
    assert verdict_page.PAGE.read_text(encoding="utf-8") == verdict_page.page(), "make docs"


def test_every_cause_has_an_address_that_exists() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert f"{galaxy['documentation']}/verdicts.md" == DOCUMENTATION
    there = anchors(verdict_page.PAGE)
    for cause in CAUSES.ids:
        assert documentation(cause) == f"{DOCUMENTATION}#{cause}"
        assert cause in there


@pytest.mark.parametrize("cause", sorted(CAUSES.ids))
def test_every_cause_is_described_in_full(cause: str) -> None:
    found = next(item for causes in CAUSES.stages.values() for item in causes if item.id == cause)
    assert re.fullmatch(r"[a-z0-9-]+", cause)
    assert found.title and not found.title.endswith(".") and len(found.title) < 80
    assert found.why.endswith(".") and found.remedy.endswith(".")
    for setting in found.settings:
        assert place_of(setting).variable in known_variables(), setting


def known_variables() -> set[str]:
    """The variables of all roles and playbooks, and what is below those that are named in part."""
    below = {name for causes in CAUSES.stages.values() for item in causes for name in item.settings}
    rows = {row.variable for row in ROWS}
    return rows | {place_of(name).variable for name in below if re.split(r"[.\[]", place_of(name).variable)[0] in rows}


# ---- the contract ----


def test_each_key_of_the_contract_says_what_it_is() -> None:
    found: list[str] = []

    def check(options: t.Mapping[str, t.Any], path: str) -> None:
        for name, rule in options.items():
            found.append(f"{path}{name}")
            assert rule.get("description", "").endswith("."), f"{path}{name}"
            check(rule.get("options", {}), f"{path}{name}.")
            # entries by a name of the user's: the rule of each is under "values"
            check(rule.get("values", {}), f"{path}{name}.NAME.")

    check(SPECIFICATION, "")
    assert {"source.dir", "dependencies.NAME.kind", "components.NAME.overrides"} <= set(found)
