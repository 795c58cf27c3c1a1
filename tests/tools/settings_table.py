# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write which role variable is which option of a module and which key of the contract: ``settings_table.py [--check]``.

Libraries name a key of the contract or an option of a module; a failed task names the variable that its user can set.
The table between the two is read from where the facts are: tasks of roles and playbooks give the options, defaults of
roles and variables of plays give the keys. With C(--check) nothing is written: the exit code is 1 if the table is not
what would be written.
"""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.contract import SPECIFICATION
from yaml_nodes import nodes

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "plugins" / "module_utils" / "_base" / "settings_table.py"
PREFIX = "kubernaut.coverage."
# of several roles that take a key of the contract, the first one here is named by a module that has no such option
ORDER = (
    *("kind_cluster", "instrumented_image", "coverage_mode", "readiness_gate", "e2e_tests", "coverage_extraction"),
    *(
        "coverage_report",
        "service_dependencies",
        "failure_evidence",
        "coverage_runner",
        "preflight",
        "coverage_snapshot",
        "e2e_suite",
    ),
)
NO_SETTING = ("components",)  # a list of names that values are counted by
KEY = re.compile(r"\b(?:contract|coverage_component(?=\.dependencies))\.([a-z_]+(?:\.[a-z_]+)*)")
HEADER = '''\
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Written by C(make docs) from roles and playbooks: what a role variable is for a module and in a contract."""

from __future__ import annotations

import typing as t


class Row(t.NamedTuple):
    """A variable, the module and option that it becomes, and the key of the contract that it is taken from, if any."""

    variable: str
    module: str
    option: str
    key: str = ""


# fmt: off
ROWS = (
'''


class Row(t.NamedTuple):
    """A row of the table: variable, module, option, key of the contract."""

    variable: str
    module: str
    option: str
    key: str


def known_key(path: str, options: t.Optional[t.Mapping[str, t.Any]] = None) -> str:
    """Return as much of a dotted path as is a key of the contract."""
    options = SPECIFICATION if options is None else options
    name, _dot, rest = path.partition(".")
    if name not in options:
        return ""
    below = known_key(rest, options[name].get("options", {})) if rest else ""
    return f"{name}.{below}" if below else name


def key_of(variable: str, value: t.Any) -> str:
    """Return the key of the contract that the value of a variable is made from, empty where it is from none."""
    if isinstance(value, dict):
        tops = {key_of(variable, item).partition(".")[0] for item in value.values()} - {""}
        return next((top for top in sorted(tops) if variable.endswith(f"_{top}")), "")
    found = [key for path in KEY.findall(taken(str(value))) if (key := known_key(path)) and key not in NO_SETTING]
    named = [key for key in found if variable.endswith(f"_{key.rpartition('.')[2]}")]
    return next(iter(named or found), "")


def taken(text: str) -> str:
    """Return a template without its conditions: what is asked there is not what the value is made from."""
    value = re.sub(r"\bif .*?(?:\belse\b|\)|\}\}|$)", " ", text)
    return "" if "| length" in value else value  # a question about it


def keys(root: Path = ROOT) -> dict[str, str]:
    """Return the key of each variable that has one: the play's own values first, then the defaults of the roles."""
    found: dict[str, str] = {}
    sources = [*root.glob("roles/*/defaults/main.yml")]
    plays = yaml.safe_load((root / "playbooks" / "service.yml").read_text(encoding="utf-8"))
    for values in [*(yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in sources), plays[0]["vars"]]:
        found |= {name: key for name, value in values.items() if (key := key_of(name, value))}
    return found


def _options(arguments: t.Any, made: t.Mapping[str, t.Any], path: str = "") -> t.Iterator[tuple[str, str]]:
    """Yield each option's path and the text of its value; what the task's own variables make is followed into them."""
    if isinstance(arguments, dict):
        for name, value in arguments.items():
            yield from _options(value, made, f"{path}.{name}" if path else name)
        return
    text = taken(str(arguments))
    inner = next((made[name] for name in re.findall(r"\b__\w+", text) if name in made), None)
    yield path, text
    if inner is not None:
        yield from _options(inner, made, path)


def rows(root: Path = ROOT) -> list[Row]:
    """Return the table, in the order of C(ORDER) and of the tasks."""
    found: dict[tuple[str, str, str], Row] = {}
    of_key = keys(root)
    for role in ORDER:
        specs = yaml.safe_load((root / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
        variables = {name for spec in specs["argument_specs"].values() for name in spec.get("options", {})}
        for path in sorted((root / "roles" / role / "tasks").glob("*.yml")):
            for task in nodes(yaml.safe_load(path.read_text(encoding="utf-8"))):
                for row in _of_task(task, variables, of_key):
                    found.setdefault(row[:3], row)
    for path in sorted((root / "playbooks").glob("**/*.yml")):
        for task in nodes(yaml.safe_load(path.read_text(encoding="utf-8"))):
            if f"{PREFIX}service_contract_info" in task:
                for row in _of_task(task, None, {}):
                    found.setdefault(row[:3], row)
    return list(found.values())


def _of_task(
    task: t.Mapping[str, t.Any], variables: t.Optional[t.Collection[str]], of_key: t.Mapping[str, str]
) -> t.Iterator[Row]:
    for name, arguments in task.items():
        if not str(name).startswith(PREFIX) or not isinstance(arguments, dict):
            continue
        module, literal = name.removeprefix(PREFIX), arguments.get("name", "")
        for option, text in _options(arguments, task.get("vars") or {}):
            used = [
                word
                for word in re.findall(r"\b[a-z]\w+", text)
                if (word in variables if variables is not None else word.startswith("coverage_"))
            ]
            if used:
                # one tool of several that a module is called for
                several = module == "runner_tool" and "{" not in literal and used[0] != f"coverage_runner_{option}"
                path = f"{literal}.{option}" if several and f"_{literal}_" in used[0] else option
                yield Row(used[0], module, path, of_key.get(used[0], ""))


def text(root: Path = ROOT) -> str:
    """Return the module that holds the table."""
    lines = []
    for row in rows(root):
        cells = ", ".join(f'"{cell}"' for cell in (row if row.key else row[:3]))
        lines.append(f"    Row({cells}),\n")
    return HEADER + "".join(lines) + ")\n# fmt: on\n"


def main() -> int:
    """Write the table, or say that it is out of date."""
    wanted = text()
    if "--check" in sys.argv[1:]:
        if not TABLE.is_file() or TABLE.read_text(encoding="utf-8") != wanted:
            print(f"{TABLE.relative_to(ROOT)} is out of date: make docs", file=sys.stderr)
            return 1
        return 0
    TABLE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
