# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Argument lists of other programs, read as their libraries for options (pflag) read them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass
class Arguments:
    """An argument list.

    :ivar words: all but options, in order. :ivar options: values by name with its dashes, in order.
    :ivar places: index in the list of each word.
    """

    words: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)

    def last(self, *names: str) -> str:
        """Return the last value of an option that has several names; empty where it is not given."""
        return next((self.options[name][-1] for name in names if name in self.options), "")

    def given(self, *names: str) -> bool:
        """Whether an option is given, and not as false."""
        return any(name in self.options and self.options[name][-1] != "false" for name in names)


def read(argv: t.Sequence[str], switches: t.Container[str]) -> Arguments:
    """Read an argument list.

    :arg switches: options that take no value unless it is joined by C(=); all others take one.
    """
    found = Arguments()
    at = 0
    while at < len(argv):
        argument = argv[at]
        at += 1
        if argument == "--":
            found.words += argv[at:]
            found.places += range(at, len(argv))
            break
        if not argument.startswith("-") or argument == "-":
            found.words.append(argument)
            found.places.append(at - 1)
            continue
        name, equals, value = argument.partition("=")
        if not name.startswith("--") and len(name) > 2 and name[:2] not in switches:
            # -fNAME, -f=NAME
            name, value, equals = argument[:2], argument[2:].removeprefix("="), "="
        elif not name.startswith("--") and len(name) > 2:
            # -qf NAME: several short switches, the last of which may take a value
            for letter in name[1:-1]:
                found.options.setdefault(f"-{letter}", []).append("true")
            name = f"-{name[-1]}"
        if not equals and name not in switches and at < len(argv):
            value = argv[at]
            at += 1
        elif not equals:
            value = "true"
        found.options.setdefault(name, []).append(value)
    return found
