# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of podman become clusters. Real ones are for the molecule scenario kind_cluster."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import existing as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import KIND_CLUSTER_LABEL, KIND_ROLE_LABEL

IMAGE = "localhost/kindest/node:v1.34.4"


def config(**options: t.Any) -> ClusterConfig:
    return ClusterConfig.from_options(**{"name": "demo", "node_image": IMAGE, **options})


def container(name: str, cluster: str, role: str = "control-plane", state: str = "running") -> dict[str, t.Any]:
    """Podman's own record of a node, as far as it is read."""
    return {
        "Names": [name],
        "Labels": {KIND_CLUSTER_LABEL: cluster, KIND_ROLE_LABEL: role},
        "State": state,
        "Image": IMAGE,
        "ImageID": "e3a7",
    }


def record(wanted: ClusterConfig, **changes: t.Any) -> dict[str, t.Any]:
    return {"format": 1, "complete": True, "config": wanted.canonical(), "config_hash": wanted.hash(), **changes}


def test_containers_become_clusters_with_the_control_plane_first_and_workers_by_number() -> None:
    workers = [container(f"b-worker{number}", "b", "worker") for number in ("10", "", "2")]
    found = lib.clusters_of(
        [
            *workers,
            {"Names": ["postgres"], "Labels": None, "State": "running"},
            container("b-control-plane", "b", state="exited"),
            container("a-control-plane", "a"),
        ]
    )
    assert list(found) == ["a", "b"]
    assert [node.name for node in found["b"]] == ["b-control-plane", "b-worker", "b-worker2", "b-worker10"]
    assert [node.running for node in found["b"]] == [False, True, True, True]


@pytest.mark.parametrize(
    ("containers", "changes", "state"),
    [
        ([container("demo-control-plane", "demo"), container("demo-worker", "demo", "worker")], {}, "running"),
        (
            [container("demo-control-plane", "demo"), container("demo-worker", "demo", "worker", "exited")],
            {},
            "stopped",
        ),
        ([container("demo-control-plane", "demo")], {}, "incomplete"),
        (
            [container("demo-control-plane", "demo"), container("demo-worker", "demo", "worker")],
            {"complete": False},
            "incomplete",
        ),
    ],
)
def test_state_of_our_cluster(containers: list[dict[str, t.Any]], changes: dict[str, t.Any], state: str) -> None:
    nodes = lib.clusters_of(containers)["demo"]
    cluster = lib.KindCluster(name="demo", nodes=nodes, record=record(config(workers=1), **changes))
    assert cluster.state == state
    assert cluster.result()["ours"] is True


def test_foreign_cluster_has_no_configuration() -> None:
    nodes = lib.clusters_of([container("demo-control-plane", "demo")])["demo"]
    result = lib.KindCluster(name="demo", nodes=nodes).result()
    assert (result["ours"], result["state"], result["config"], result["config_hash"]) == (False, "running", {}, "")
