# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What single values of a contract may be, said with their whole path: what would fail in the last stage is refused."""

from __future__ import annotations

import math
import typing as t
import urllib.parse

from ansible.module_utils.common.validation import check_type_bool, check_type_float, check_type_int

LARGEST = 2**31 - 1  # of a number that programs take
SCHEMES = ("http", "https")


def scalar_problem(value: t.Any, kind: str, rule: t.Mapping[str, t.Any]) -> str:
    """Return what is wrong with a value that is text or a number, as the rest of a sentence; empty if nothing is."""
    choices = rule.get("choices")
    if choices and value not in choices:
        return f"is {value!r}, but should be one of: {', '.join(map(str, choices))}."
    try:
        if kind == "int" and abs(check_type_int(value)) > LARGEST:
            return f"is larger than {LARGEST}."
        if kind == "float" and not math.isfinite(check_type_float(value)):
            return f"is {value}, but should be a finite number."
        if kind == "bool":
            check_type_bool(value)
    except (TypeError, ValueError, OverflowError):
        what = {"int": "a whole number", "float": "a number", "bool": "a boolean"}[kind]
        return f"is {value!r}, but should be {what}."
    return ""


def nul_problems(value: t.Any, path: str) -> t.Iterator[str]:
    """Yield each text of a contract with a NUL: no argument, variable or file name of a program can have one."""
    if isinstance(value, str):
        if "\0" in value:
            yield f"{path} contains a NUL character, which no program can be given."
    elif isinstance(value, t.Mapping):
        for key, item in value.items():
            yield from nul_problems(str(key), f"{path}, the name of a key,")
            yield from nul_problems(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from nul_problems(item, f"{path}[{index}]")


def url_problem(url: str) -> str:
    """Return what is wrong with the address of a service, as the rest of a sentence; empty if nothing is."""
    if not url:
        return ""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{url!r} is not a URL: {error}."
    if parts.scheme not in SCHEMES:
        return f"{url!r} does not begin with http:// or https://."
    if not parts.hostname or port == 0 or any(character.isspace() for character in url):
        return f"{url!r} has no usable host and port."
    return ""


def threshold_problems(thresholds: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield each threshold that is not a percentage, below C(report.thresholds)."""
    named = {f"packages[{pattern!r}]": value for pattern, value in thresholds["packages"].items()}
    for name, value in {"total": thresholds["total"], **named}.items():
        if value is None:
            continue
        try:
            right = not isinstance(value, bool) and 0 <= float(value) <= 100
        except (TypeError, ValueError):
            right = False
        if not right:
            yield f"report.thresholds.{name}: {value!r} is not a number from 0 to 100."
