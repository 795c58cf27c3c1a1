# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Where a setting is set: what libraries name, as the user of a role, of a contract and of a module writes it.

A library names one of these, and what is below it (C(source.package), C(dependencies[].migrations)):

- a key of the contract: C(readiness.timeout);
- an option of the module that reports the failure: C(outputs);
- an option of another module: C(kind_cluster#recreate).

Which role variable that is, is in a table that is generated from the roles (C(make docs)).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import astuple, dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings_table import ROWS, Row

SETTING = re.compile(r"(?:(?P<module>\w+)#)?(?P<path>\w+(?:\.\w+)*)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where a setting is set.

    :ivar variable: in an inventory or for a role; the library's own word where no role has a variable for it.
    :ivar key: in a contract, empty where a contract does not have it.
    :ivar option: of the module; C(MODULE: OPTION) where it is one of another module than the one that failed.
    """

    variable: str
    key: str = ""
    option: str = ""

    def text(self) -> str:
        """Return all of it in words."""
        words = [f"setting: {self.variable}"]
        if self.key and self.key != self.variable:
            words.append(f"contract key: {self.key}")
        if self.option and self.option not in (self.variable, self.key):
            words.append(f"module option: {self.option}")
        return "; ".join(words)


def place_of(setting: str, module: str = "") -> Place:
    """Return where a user sets what a library names.

    :arg module: the module that reports it: of several roles that have the setting, that module's is named.
    """
    if ", " in setting:
        places = [place_of(one, module) for one in setting.split(", ")]
        return Place(*(", ".join(filter(None, parts)) for parts in zip(*map(astuple, places), strict=True)))
    found = SETTING.fullmatch(setting)
    if found is None:
        return Place(setting)
    named, path, rest = found["module"] or "", found["path"], found["rest"]
    if named:
        return _from_option(named, path, rest, module, several=True) or Place(
            f"{path}{rest}", "", _option(named, path + rest, module)
        )
    return (
        _from_key(path, rest, module)
        or (_from_option(module, path, rest, module) if module else None)
        or Place(setting, "", "" if not module or _is_variable(path) else setting)
    )


def within(setting: str, scope: t.Mapping[str, str]) -> str:
    """Return what a setting is called in another place.

    :arg scope: of keys of the contract, and names of modules, what they are there; the longest one that fits counts.
    """
    found = SETTING.fullmatch(setting)
    if found is None:
        return setting
    for known in [found["module"]] if found["module"] else _prefixes(found["path"]):
        if known in scope:
            return scope[known]
    return setting


def _from_key(path: str, rest: str, module: str) -> t.Optional[Place]:
    fitting = [(row, key) for key in _prefixes(path) for row in ROWS if row.key == key]
    own = [item for item in fitting if item[0].module == module]
    # the table has the roles in the order of a run, the first one is where it is set for all
    for row, key in own or sorted(fitting, key=lambda item: ROWS.index(item[0])):
        below = f"{path[len(key) :]}{rest}"
        return Place(f"{row.variable}{below}", f"{path}{rest}", _option(row.module, f"{row.option}{below}", module))
    return None


def _from_option(named: str, path: str, rest: str, module: str, *, several: bool = False) -> t.Optional[Place]:
    for prefix in _prefixes(path):
        rows = [row for row in ROWS if row.module == named and row.option == prefix]
        variables = {row.variable for row in rows}
        # of an option that several roles fill, the first one's is meant only where the module itself is named
        if variables and (several or len(variables) == 1):
            below = f"{path[len(prefix) :]}{rest}"
            key = f"{rows[0].key}{below}" if rows[0].key else ""
            return Place(f"{rows[0].variable}{below}", key, _option(named, path + rest, module))
    return None


def _option(named: str, option: str, module: str) -> str:
    # a module that is called once for each tool has the option without the tool's name
    option = re.sub(r"^(?:go|kind)\.", "", option) if named == "runner_tool" else option
    return option if named == module else f"{named}: {option}"


def _is_variable(path: str) -> bool:
    top = path.partition(".")[0]
    return any(row.variable == top for row in ROWS)


def _prefixes(path: str) -> list[str]:
    """A dotted path and what it is below, the longest first."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


__all__ = ["Place", "Row", "place_of", "within"]
