# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms and layers: who may import whom (docs/architecture.md has the same table in words)."""

from __future__ import annotations

import ast
import graphlib
import typing as t
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.kubernaut.coverage.plugins."

# From top to bottom. A room imports from itself and from the layers below, never from another room of its layer.
LAYERS = (
    ("modules", "callback", "doc_fragments"),
    ("plugin_utils",),
    ("_suite",),
    ("_contract", "_diagnostics", "_preflight"),
    ("_coverage_mode", "_dependencies", "_e2e", "_extraction", "_live", "_report"),
    ("_readiness",),
    ("_build", "_covdata", "_kind", "_observe"),
    ("_host",),
    ("_kubernetes", "_podman"),
    ("_base",),
)
# Imports against the layers that are still there; the list only gets shorter. An entry that no longer applies fails.
EXCEPTIONS = frozenset(
    {
        # the reader of manifests is no check: it belongs below both rooms
        ("module_utils._dependencies.contents", "module_utils._preflight.manifests"),
        ("module_utils._dependencies.manifests", "module_utils._preflight.manifests"),
        ("module_utils._dependencies.runs", "module_utils._preflight.manifests"),
        ("module_utils._dependencies.sources", "module_utils._preflight.manifests"),
        ("module_utils._dependencies.sources", "module_utils._preflight.table"),
    }
)


def name_of(path: Path) -> str:
    """Return a file's module name, as it is in an import."""
    parts = path.relative_to(PLUGINS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str:
    """Return the room of a module: "_kind" of "module_utils._kind.config", "modules" of "modules.kind_cluster"."""
    return name.removeprefix("module_utils.").partition(".")[0]


FILES = {name_of(path): path for path in sorted(PLUGINS.rglob("*.py"))}


def imports_of(path: Path) -> set[str]:
    """Return what a file imports of the collection, at its top and inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: Ansible takes only absolute imports along to a host"
            base = f"{node.module}."
            # "from package import module", or "from module import name"
            found |= {
                full
                if (full := f"{base}{alias.name}".removeprefix(PREFIX)) in FILES
                else base[:-1].removeprefix(PREFIX)
                for alias in node.names
                if base.startswith(PREFIX)
            }
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix(PREFIX) for alias in node.names if alias.name.startswith(PREFIX)}
    return found


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Every file, and what it imports."""
    return {name: imports_of(path) for name, path in FILES.items()}


def test_every_room_has_one_layer() -> None:
    listed = [room for layer in LAYERS for room in layer]
    assert sorted(listed) == sorted({room_of(name) for name in FILES} - {""})


def test_rooms_import_downwards(imports: t.Mapping[str, set[str]]) -> None:
    layer = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
    against = {
        (name, other)
        for name, others in imports.items()
        for other in others
        if room_of(name) != room_of(other) and layer[room_of(name)] >= layer[room_of(other)]
    }
    assert against - EXCEPTIONS == set(), "imports against the layers"
    assert EXCEPTIONS - against == set(), "exceptions that are no longer needed: delete them"


def circle(imports: t.Mapping[str, set[str]]) -> str:
    """Return the first circle of files that import each other, as text; empty if there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def test_no_files_import_each_other_in_a_circle(imports: t.Mapping[str, set[str]]) -> None:
    assert circle(imports) == ""
