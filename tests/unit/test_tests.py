# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that cannot fail: those that assert nothing, and those that assert only in a loop that may be empty."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
ASSERTS = frozenset({"raises", "warns", "fail"})  # of pytest
FILES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(TESTS.rglob("*.py"))}


def called(node: ast.AST) -> str:
    """The name of what is called, without its object; empty for anything else."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def asserting(node: ast.AST, helpers: t.Collection[str], *, loops: bool) -> bool:
    """Whether something in a function can fail.

    :arg helpers: functions that assert for their callers.
    :arg loops: whether a loop counts that may have no round. One over a literal or over a range always counts.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assert) or called(child) in ASSERTS or called(child) in helpers:
            return True
        certain = not isinstance(child, (ast.For, ast.While)) or (
            isinstance(child, ast.For)
            and (isinstance(child.iter, (ast.Tuple, ast.List)) or called(child.iter) == "range")
        )
        if (loops or certain) and asserting(child, helpers, loops=loops):
            return True
    return False


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    """All functions of a file, also those inside of others."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def helpers_in(trees: t.Iterable[ast.AST]) -> set[str]:
    """The names of functions that assert, directly or through one another; tests are none."""
    every = [item for tree in trees for item in functions(tree) if not item.name.startswith("test_")]
    found: set[str] = set()
    while more := {item.name for item in every if asserting(item, found, loops=True)} - found:
        found |= more
    return found


HELPERS = helpers_in(FILES.values())


def hollow(tree: ast.AST, helpers: t.Collection[str] = ()) -> list[str]:
    """The tests of a file that can pass without a single assertion."""
    found = []
    for item in functions(tree):
        if item.name.startswith("test_") and not asserting(item, helpers, loops=False):
            what = (
                "asserts only in a loop that may be empty"
                if asserting(item, helpers, loops=True)
                else "asserts nothing"
            )
            found.append(f"{item.name}: {what}")
    return found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("def test_a():\n    run()\n", "asserts nothing"),
        ("def test_a():\n    for item in found():\n        assert item\n", "may be empty"),
        (
            "def test_a():\n    while more():\n        with pytest.raises(ValueError):\n            run()\n",
            "may be empty",
        ),
        ("def test_a():\n    assert [item for item in found() if not item] == []\n", ""),
        ("def test_a():\n    for item in (1, 2):\n        assert item\n", ""),
        ("def test_a():\n    found = run()\n    assert found\n    for item in found:\n        assert item\n", ""),
        ("def test_a():\n    with pytest.raises(ValueError):\n        run()\n", ""),
        ("def check(item):\n    assert item\n\ndef test_a():\n    check(1)\n", ""),
    ],
)
def test_a_hollow_test_is_found(text: str, wrong: str) -> None:
    tree = ast.parse(text)
    found = hollow(tree, helpers_in([tree]))
    assert len(found) == bool(wrong)
    assert wrong in "".join(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_can_fail(path: Path) -> None:
    assert hollow(FILES[path], HELPERS) == []
