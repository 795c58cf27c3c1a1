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

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
PREFIX = "ansible_collections.kubernaut.coverage.plugins."

# From top to bottom. A room imports from itself and from the layers below, never from another room of its layer.
LAYERS = (
    ("modules", "callback", "doc_fragments"),
    ("plugin_utils",),
    ("_suite",),
    ("_contract", "_diagnostics", "_preflight", "_upkeep"),
    ("_coverage_mode", "_dependencies", "_e2e", "_extraction", "_live", "_report"),
    ("_readiness",),
    ("_build", "_covdata", "_kind", "_manifests", "_observe"),
    ("_host",),
    ("_kubernetes", "_leases", "_podman"),
    ("_base",),
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
    assert against == set(), "imports against the layers"


def circle(imports: t.Mapping[str, set[str]]) -> str:
    """Return the first circle of files that import each other, as text; empty if there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def test_no_files_import_each_other_in_a_circle(imports: t.Mapping[str, set[str]]) -> None:
    assert circle(imports) == ""


def test_no_file_is_longer_than_a_person_reads() -> None:
    """Generated files are data: nobody edits them."""
    generated = {"plugins/module_utils/_report/template.py", "plugins/module_utils/_base/settings_table.py"}
    files = [*PLUGINS.rglob("*.py"), *(ROOT / "tests" / "tools").rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert generated <= set(lines)
    assert {name: count for name, count in lines.items() if count >= 500 and name not in generated} == {}
