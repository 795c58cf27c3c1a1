# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of the contract's reference, and that the page is what it writes."""

from __future__ import annotations

import typing as t

import contract_reference
import pytest

SPECIFICATION: dict[str, dict[str, t.Any]] = {
    "place": {
        "type": "dict",
        "required": True,
        "description": "Where it is.",
        "mutually_exclusive": [("here", "there")],
        "required_one_of": [("here", "there")],
        "required_by": {"here": ("how", "when")},
        "options": {
            "here": {"type": "str", "required": True, "description": "As in O(place.there)."},
            "ports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Ports.",
                "options": {"number": {"type": "int", "default": 1, "description": "Which."}},
            },
        },
    },
    "words": {
        "type": "dict",
        "default": {},
        "description": "What is said.",
        "mutually_exclusive": [("loud", "soft")],
        "required_one_of": [("soft", "short")],
        "options": {"loud": {"type": "str", "description": "Loud."}},
    },
}


def test_sections_tables_and_rules() -> None:
    text = contract_reference.reference(SPECIFICATION)
    assert text.startswith("### `place`\n\nWhere it is. Required.\n\n| Key | Type | Default | Meaning |\n")
    assert [line for line in text.splitlines() if line.startswith("| `")] == [
        "| `place.here` | str | **required** | As in `place.there`. |",
        "| `place.ports` | list of dict | `[]` | Ports. |",
        "| `place.ports[].number` | int | `1` | Which. |",
        "| `words.loud` | str |  | Loud. |",
    ]
    assert "Exactly one of `place.here` and `place.there`." in text
    assert "`place.here` needs `place.how` and `place.when`." in text
    assert "### `words`\n\nWhat is said. Optional." in text
    assert "At most one of `words.loud` and `words.soft`." in text
    assert "At least one of `words.soft` and `words.short`." in text


def test_what_is_written_by_hand_stays_and_it_is_stable() -> None:
    page = f"# By hand\n\n{contract_reference.BEGIN}\nold\n{contract_reference.END}\n\nthe end\n"
    once = contract_reference.expected(page, SPECIFICATION)
    assert once.startswith(f"# By hand\n\n{contract_reference.BEGIN}\n\n### `place`")
    assert once.endswith(f"{contract_reference.END}\n\nthe end\n")
    assert "old" not in once
    assert contract_reference.expected(once, SPECIFICATION) == once


def test_markers_are_needed() -> None:
    with pytest.raises(contract_reference.PageError, match=r"docs/contract\.md needs the line"):
        contract_reference.expected("# no markers\n", SPECIFICATION)


def test_the_page_is_up_to_date() -> None:
    text = contract_reference.PAGE.read_text(encoding="utf-8")
    assert text == contract_reference.expected(text, contract_reference.specification()), "make docs writes it"
