# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of the roles' tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import role_readme

SPEC = """---
argument_specs:
  absent:
    short_description: Take it away
  main:
    short_description: Make it
    options:
      thing_name:
        type: str
        required: true
        description: The name, as in O(other_name) or V(a|b\\)).
      thing_ports:
        type: list
        elements: dict
        default: []
        description:
          - Ports.
          - See L(the manual,https://example.org) and M(a.b.c).
        options:
          protocol:
            type: str
            default: TCP
            choices: [TCP, UDP]
            description: What B(kind).
"""


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """A role with a README and a spec."""
    folder = tmp_path / "roles" / "thing"
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "argument_specs.yml").write_text(SPEC)
    (folder / "README.md").write_text(f"# thing\n\n{role_readme.BEGIN}\nold\n{role_readme.END}\n\nby hand\n")
    return folder


def test_tables(role: Path) -> None:
    text = role_readme.expected(role)
    assert text.startswith(
        f"# thing\n\n{role_readme.BEGIN}\n\n### Entry point `main`\n\nMake it\n\n| Variable | Type |"
    )
    assert text.endswith(f"### Entry point `absent`\n\nTake it away\n\nNo variables.\n\n{role_readme.END}\n\nby hand\n")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        r"| `thing_name` | str | **required** | The name, as in `other_name` or `a\|b)`. |",
        "| `thing_ports` | list of dict | `[]` | Ports. See [the manual](https://example.org) and `a.b.c`. |",
        "| `thing_ports[].protocol` | str | `TCP` | What **kind**. One of `TCP`, `UDP`. |",
    ]


def test_it_is_stable(role: Path) -> None:
    text = role_readme.expected(role)
    (role / "README.md").write_text(text)
    assert role_readme.expected(role) == text


def test_markers_are_needed(role: Path) -> None:
    (role / "README.md").write_text("# thing\n")
    with pytest.raises(role_readme.ReadmeError, match=r"roles/thing/README\.md needs the line"):
        role_readme.expected(role)
