# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Conditions over live objects, in JMESPath: what they are, and whether they can be evaluated at all."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError


@dataclass(frozen=True)
class Until:
    """One condition to wait for.

    :ivar name: of one object; or "" with a label C(selector): the condition is then over C({items: [...]}).
    :ivar api_version: "" for the one that the cluster prefers for the kind.
    :ivar condition: JMESPath; what is true to JMESPath ends the wait (not null, false or empty).
    """

    kind: str
    condition: str
    name: str = ""
    selector: str = ""
    api_version: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.selector}: {self.condition}"


def compile_condition(expression: str, where: str, setting: str) -> t.Any:
    """Return a JMESPath expression compiled.

    :raises InputError: it is none, or calls a function that JMESPath does not have; C(where) says whose it is.
    """
    try:
        import jmespath
        import jmespath.exceptions
        import jmespath.functions
    except ImportError as error:
        raise InputError(
            f"{where} has a condition, which needs the Python library jmespath on the host where the module runs.",
            remedy="Install it (python3-jmespath, or pip install jmespath), or remove the condition.",
            setting=setting,
            cause="library-missing",
        ) from error
    try:
        compiled = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise InputError(
            f"{where}: the condition {expression!r} is not valid JMESPath: {' '.join(str(error).split())}.",
            remedy="See https://jmespath.org: quote text with single quotes, numbers and booleans with backticks.",
            setting=setting,
            cause="condition-unreadable",
        ) from error
    known = jmespath.functions.Functions.FUNCTION_TABLE
    for name in _functions(compiled.parsed):
        if name not in known:
            raise InputError(
                f"{where}: the condition {expression!r} calls {name}(), which JMESPath does not have.",
                remedy=f"It has: {', '.join(sorted(known))}.",
                setting=setting,
                cause="condition-unreadable",
            )
    return compiled


def check_until(until: Until, where: str, setting: str) -> None:
    """Refuse a condition that can never be evaluated.

    :raises InputError: neither or both of name and selector, or no JMESPath.
    """
    if bool(until.name) == bool(until.selector):
        raise InputError(f"{where} ({until.kind}): set either name or selector, not both.", setting=setting)
    compile_condition(until.condition, f"{where} ({until.kind})", setting)


def _functions(node: t.Any) -> t.Iterator[str]:
    """Yield the names of all functions that a parsed expression calls."""
    if isinstance(node, dict):
        if node.get("type") == "function_expression":
            yield node["value"]
        for child in node.get("children", ()):
            yield from _functions(child)


def is_true(value: t.Any) -> bool:
    """Whether a value is true to JMESPath: all but null, false, and empty text, lists and objects. Zero is."""
    return not (value is None or value is False or (isinstance(value, (str, list, dict)) and not value))
