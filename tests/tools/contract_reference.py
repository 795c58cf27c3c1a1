# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the contract's reference into docs/contract.md, from its specification: ``contract_reference.py [--check]``.

The tables stand between two markers; what is written by hand around them stays. With C(--check) nothing is written:
the exit code is 1 if the page is not what would be written.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from role_readme import describe_default, describe_type, markdown, rows, write_or_check

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "contract.md"
BEGIN = "<!-- BEGIN CONTRACT REFERENCE -->"
END = "<!-- END CONTRACT REFERENCE -->"
HEAD = ["| Key | Type | Default | Meaning |", "| --- | --- | --- | --- |"]

Specification = t.Mapping[str, t.Mapping[str, t.Any]]


class PageError(Exception):
    """A page that cannot be generated; the message says why."""


def specification() -> Specification:
    """The one definition of the contract, from this checkout, whether or not Python knows its collections."""
    sys.path.insert(0, str(ROOT / ".ansible" / "collections"))
    from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.spec import SPECIFICATION  # noqa: PLC0415

    return SPECIFICATION


def rules(section: t.Mapping[str, t.Any], prefix: str) -> t.Iterator[str]:
    """What a section demands of several keys together, a sentence each."""

    def names(keys: t.Iterable[str], word: str) -> str:
        return f" {word} ".join(f"`{prefix}{key}`" for key in keys)

    exclusive = [tuple(keys) for keys in section.get("mutually_exclusive", ())]
    wanted = [tuple(keys) for keys in section.get("required_one_of", ())]
    for keys in dict.fromkeys([*exclusive, *wanted]):
        if keys in exclusive and keys in wanted:
            yield f"Exactly one of {names(keys, 'and')}."
        elif keys in exclusive:
            yield f"At most one of {names(keys, 'and')}."
        else:
            yield f"At least one of {names(keys, 'and')}."
    for key, needed in section.get("required_by", {}).items():
        yield f"`{prefix}{key}` needs {names(needed, 'and')}."


def reference(spec: Specification) -> str:
    """The sections of a contract, each with a table of its keys and what they demand of each other."""
    parts = []
    for name, section in spec.items():
        # no default: it has to be there, even where it is empty otherwise
        needed = "Required." if section.get("required") else "Optional."
        parts.append(f"### `{name}`\n\n{markdown(section['description'])} {needed}")
        if section.get("options"):
            parts.append("\n".join([*HEAD, *rows(section["options"], f"{name}.")]))
            parts.extend(rules(section, f"{name}."))
        elif section.get("values"):
            parts.append("\n".join([*HEAD, *rows(section["values"], f"{name}.<name>.")]))
        else:
            parts.append(f"Type {describe_type(section)}, default {describe_default(section) or 'none'}.")
    return "\n\n".join(parts)


def expected(text: str, spec: Specification) -> str:
    """What the page should be.

    :raises PageError: there is no pair of markers.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise PageError(f"{PAGE.relative_to(ROOT)} needs the line {BEGIN} and after it the line {END}.")
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n\n{reference(spec)}\n\n{END}{text.partition(END)[2]}"


def main(arguments: t.Sequence[str]) -> int:
    """Write or check the page; return 1 if it is wrong and was not, or could not be, fixed."""
    text = PAGE.read_text(encoding="utf-8")
    try:
        wanted = expected(text, specification())
    except PageError as error:
        print(error)
        return 1
    return write_or_check(PAGE, wanted, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
