# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the variables of each role into its README, from its argument specs: ``role_readme.py [--check]``.

The tables stand between two markers; what is written by hand around them stays. With C(--check) nothing is written:
the exit code is 1 if a README is not what would be written.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- BEGIN ARGUMENT SPECS -->"
END = "<!-- END ARGUMENT SPECS -->"

# semantic markup of Ansible's documentation, as Markdown
CODE = re.compile(r"\b(?:O|V|C|E|RV)\(((?:[^()\\]|\\.)*)\)")
PLUGIN = re.compile(r"\b[MP]\(([^()#]*)(?:#\w+)?\)")
LINK = re.compile(r"\bL\(([^(),]*),\s*([^()]*)\)")
URL = re.compile(r"\bU\(([^()]*)\)")
BOLD = re.compile(r"\bB\(([^()]*)\)")
ITALIC = re.compile(r"\bI\(([^()]*)\)")


class ReadmeError(Exception):
    """A README that cannot be generated; the message says which and why."""


def markdown(text: str) -> str:
    """Turn one paragraph of Ansible's markup into Markdown that fits a table cell."""
    text = CODE.sub(lambda match: "`" + re.sub(r"\\(.)", r"\1", match[1]) + "`", text)
    text = PLUGIN.sub(r"`\1`", text)
    text = LINK.sub(r"[\1](\2)", text)
    text = URL.sub(r"<\1>", text)
    text = BOLD.sub(r"**\1**", text)
    text = ITALIC.sub(r"*\1*", text)
    return " ".join(text.split()).replace("|", "\\|")


def paragraphs(value: t.Any) -> list[str]:
    """A description as Ansible allows it: one text, or a list of them."""
    return [value] if isinstance(value, str) else list(value or [])


def describe_type(option: t.Mapping[str, t.Any]) -> str:
    """The type as people say it: C(list of str)."""
    name = option.get("type", "str")
    elements = option.get("elements")
    return f"{name} of {elements}" if elements else str(name)


def describe_default(option: t.Mapping[str, t.Any]) -> str:
    """The default as it is written in YAML, or that the option is required."""
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return ""
    value = option["default"]
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`{text.strip()}`".replace("|", "\\|")


def rows(options: t.Mapping[str, t.Mapping[str, t.Any]], prefix: str = "") -> t.Iterator[str]:
    """A table row for each option, and below a dictionary for each of its own."""
    for name, option in options.items():
        text = " ".join(markdown(paragraph) for paragraph in paragraphs(option.get("description")))
        if option.get("choices"):
            text += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
        path = f"{prefix}{name}"
        yield f"| `{path}` | {describe_type(option)} | {describe_default(option)} | {text} |"
        if option.get("options"):
            yield from rows(option["options"], f"{path}{'[]' if option.get('type') == 'list' else ''}.")


def tables(specs: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    """All entry points of a role, C(main) first."""
    parts = []
    for name in sorted(specs, key=lambda name: (name != "main", name)):
        spec = specs[name] or {}
        if len(specs) > 1:
            parts.append(f"### Entry point `{name}`\n\n{markdown(spec.get('short_description', ''))}")
        if spec.get("options"):
            table = ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |", *rows(spec["options"])]
            parts.append("\n".join(table))
        else:
            parts.append("No variables.")
    return "\n\n".join(parts)


def expected(role: Path) -> str:
    """What the README of a role should be.

    :raises ReadmeError: there is no README, no argument spec, or no pair of markers.
    """
    readme, spec_file = role / "README.md", role / "meta" / "argument_specs.yml"
    for path in (readme, spec_file):
        if not path.is_file():
            raise ReadmeError(f"{path.relative_to(role.parents[1])} is missing.")
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ReadmeError(f"{readme.relative_to(role.parents[1])} needs the line {BEGIN} and after it the line {END}.")
    specs = yaml.safe_load(spec_file.read_text(encoding="utf-8"))["argument_specs"]
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n\n{tables(specs)}\n\n{END}{text.partition(END)[2]}"


def roles(root: Path = ROOT) -> list[Path]:
    """The folders of all roles: those that have tasks."""
    return sorted(path.parents[1] for path in root.glob("roles/*/tasks/main.yml"))


def write_or_check(page: Path, wanted: str, arguments: t.Sequence[str]) -> int:
    """Write a generated page where it is another one, or with --check only say so; return 1 if it is left wrong."""
    if page.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in arguments:
        print(f"{page.relative_to(ROOT)} is not up to date: make docs writes it.")
        return 1
    page.write_text(wanted, encoding="utf-8")
    print(f"{page.relative_to(ROOT)} written")
    return 0


def main(arguments: t.Sequence[str]) -> int:
    """Write or check the README of each role; return 1 if one is wrong and was not, or could not be, fixed."""
    status = 0
    for role in roles():
        readme = role / "README.md"
        try:
            text = expected(role)
        except ReadmeError as error:
            print(error)
            status = 1
            continue
        status |= write_or_check(readme, text, arguments)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
