# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/wiring.md: which variable reads each key of the contract, and which option receives it.

It is read from the defaults and the tasks of the roles. With C(--check) nothing is written: the exit code is 1 if the
page is not what would be written.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import yaml
from contract_reference import Specification, specification
from role_readme import roles, write_or_check

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "wiring.md"
KEY = re.compile(r"coverage_component\.contract\.([a-z_]+(?:\.[a-z_]+)*)")
RECORD = re.compile(r"coverage_(?:run|component)\.(?!contract\b)[a-z_]+(?:\.[a-z_]+)*")
INNER = re.compile(r"\b__[a-z0-9_]+\b")
COLLECTION = "kubernaut.coverage."
INTRO = """\
# Wiring

<!-- written by make docs -->

Each contract key, the role variable that reads it, and the module option that receives it. Role variables read the
contract in their defaults (`roles/<role>/defaults/main.yml`), so the inventory, `vars` and `-e` override it, both in a
whole run and when a role is used alone. A variable set there applies to every component of a run. To change only one
component, set the key in its contract: `coverage_services.<service>`, or
`components.<name>.overrides` in the contract of the service that needs it.

"""


class Edge(t.NamedTuple):
    """A variable of a role: what its default reads of the contract and of the run's record, and options."""

    variable: str
    keys: tuple[str, ...]
    record: tuple[str, ...]
    options: tuple[str, ...]


def tasks_of(role: Path) -> t.Iterator[dict[str, t.Any]]:
    """Every task of a role, from all its files."""
    for path in sorted(role.glob("tasks/*.yml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8")) or []


def options_of(role: Path) -> dict[str, set[str]]:
    """By name of a variable: the options of this collection's modules whose value mentions it."""
    shared = role / "vars" / "main.yml"
    common = yaml.safe_load(shared.read_text(encoding="utf-8")) if shared.is_file() else {}
    found: dict[str, set[str]] = {}
    for task in tasks_of(role):
        inner = {**common, **task.get("vars", {})}
        for action, arguments in task.items():
            if not action.startswith(COLLECTION) or not isinstance(arguments, dict):
                continue
            for option, value in arguments.items():
                text = json.dumps(value)
                # a variable of the task, which may itself be made of others
                for _depth in range(3):
                    text = INNER.sub(lambda match, inner=inner: json.dumps(inner.get(match[0], "")), text)
                for variable in set(re.findall(rf"\b{role.name}_[a-z0-9_]+\b", text)):
                    found.setdefault(variable, set()).add(f"{action.removeprefix(COLLECTION)}: {option}")
    return found


def edges(root: Path = ROOT) -> dict[str, list[Edge]]:
    """By role, its variables in the order of its defaults."""
    found = {}
    for role in roles(root):
        options = options_of(role)
        defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
        found[role.name] = [
            Edge(
                name,
                tuple(dict.fromkeys(KEY.findall(str(default)))),
                tuple(dict.fromkeys(RECORD.findall(str(default)))),
                tuple(sorted(options.get(name, ()))),
            )
            for name, default in defaults.items()
        ]
    return found


def keys(specification: Specification, prefix: str = "") -> t.Iterator[str]:
    """The keys of the contract that hold a value, by path."""
    for key, rule in specification.items():
        if rule["type"] == "dict" and "options" in rule:
            yield from keys(rule["options"], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def page(wiring: t.Mapping[str, t.Sequence[Edge]], spec: Specification) -> str:
    """The page: a table by section of the contract, and one of what comes from the run."""

    def row(cells: t.Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def code(words: t.Iterable[str]) -> str:
        return ", ".join(f"`{word}`" for word in words)

    every = [edge for role in wiring.values() for edge in role]
    parts = []
    for section in spec:
        keys = sorted({key for edge in every for key in edge.keys if key.split(".")[0] == section})
        lines = [
            row((f"`{key}`", f"`{edge.variable}`", code(edge.options)))
            for key in keys
            for edge in every
            if key in edge.keys
        ]
        if lines:
            head = [row(("Key", "Role variable", "Module option")), row(["---"] * 3)]
            parts.append("\n".join([f"## `{section}`", "", *head, *lines]))
    lines = [row((code(edge.record), f"`{edge.variable}`", code(edge.options))) for edge in every if edge.record]
    head = [row(("Record", "Role variable", "Module option")), row(["---"] * 3)]
    text = (
        "Results of earlier stages are in the fact `coverage_run` (saved as `run.json`); the resolved components and"
        " dependencies of the contract are in `coverage_component`."
    )
    parts.append("\n".join(["## The record of a run", "", text, "", *head, *lines]))
    return INTRO + "\n\n".join(parts) + "\n"


def main(arguments: t.Sequence[str]) -> int:
    """Write or check the page; return 1 if it is wrong and was not fixed."""
    PAGE.touch()
    return write_or_check(PAGE, page(edges(), specification()), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
