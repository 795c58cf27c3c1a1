# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged of nodes, from what Kubernetes says of them. Real nodes are asked in the role's Molecule scenario."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import nodes as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.host import AskedOnce
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import ERROR, WARNING


def kubernetes_node(name: str, *, unschedulable: bool = False, **conditions: str) -> dict[str, t.Any]:
    """A Node object with these conditions."""
    given = {"Ready": "True", "DiskPressure": "False", "MemoryPressure": "False", "PIDPressure": "False", **conditions}
    return {
        "metadata": {"name": name},
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {
            "conditions": [
                {"type": kind, "status": status, "reason": f"Kubelet{kind}", "message": f"about {kind}"}
                for kind, status in given.items()
            ]
        },
    }


def test_nodes_that_are_fine() -> None:
    assert list(lib.conditions([kubernetes_node("a"), kubernetes_node("b")], ["a", "b"])) == []


@pytest.mark.parametrize(
    ("conditions", "cause", "says"),
    [
        ({"Ready": "False"}, "nodes-not-ready", "is not ready: about Ready"),
        ({"Ready": "Unknown"}, "nodes-not-ready", "is not ready"),
        ({"DiskPressure": "True"}, "disk-full", "DiskPressure"),
        ({"MemoryPressure": "True"}, "memory-short", "MemoryPressure"),
        ({"PIDPressure": "True"}, "kernel-limits", "PIDPressure"),
    ],
)
def test_nodes_in_trouble(conditions: dict[str, str], cause: str, says: str) -> None:
    found = list(lib.conditions([kubernetes_node("a", **conditions)], ["a"]))
    assert [(item.state, item.cause) for item in found] == [(ERROR, cause)]
    assert says in found[0].text and "Node a" in found[0].text


def test_a_node_that_never_joined_and_one_that_is_cordoned() -> None:
    found = list(lib.conditions([kubernetes_node("a", unschedulable=True)], ["a", "b"]))
    assert [item.state for item in found] == [WARNING, ERROR]
    assert "cordoned" in found[0].text
    assert "b never joined" in found[1].text


def test_nodes_that_are_named_are_not_looked_up() -> None:
    assert lib.names_of(lib.Nodes(AskedOnce("no-podman"), "x", names=("a", "b"))) == ["a", "b"]


def program(folder: Path, then: str) -> Podman:
    """A program in podman's place whose first call prints a whole answer and fails all the same."""
    (folder / "nodes.json").write_text(json.dumps({"items": [kubernetes_node("n-control-plane")]}))
    path = folder / "podman"
    path.write_text(
        f"#!/bin/sh\ncase \" $* \" in *' df '*) echo 100 1; exit;; esac\n"
        f"cat {folder}/nodes.json\n[ -e {folder}/asked ] || {{ touch {folder}/asked; exit 255; }}\n{then}\n"
    )
    path.chmod(0o755)
    return Podman(str(path))


def test_a_call_that_fails_on_a_busy_host_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "AGAIN", 0.01)
    asked = lib.Nodes(program(tmp_path, "exit 0"), "n")
    assert [node["metadata"]["name"] for node in lib._listed(asked, "n-control-plane")] == ["n-control-plane"]


def test_an_api_server_that_is_never_reached_is_said_with_what_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lib, "AGAIN", 0.01)
    monkeypatch.setattr(lib, "TIMEOUT", 0.2)
    with pytest.raises(CoverageError) as caught:
        lib._listed(lib.Nodes(program(tmp_path, "exit 3"), "n"), "n-control-plane")
    assert caught.value.cause == "cluster-unreachable"
    assert "exited with 3" in caught.value.evidence[0]
    monkeypatch.setattr(lib, "TIMEOUT", 1.0)
    with pytest.raises(CoverageError, match="no answer within 1 s"):
        lib._listed(lib.Nodes(program(tmp_path, "exec sleep 60"), "n"), "n-control-plane")
