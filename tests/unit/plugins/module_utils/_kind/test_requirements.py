# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a cluster that exists cannot be used, and what has to be there before one is created."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import PortError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import requirements as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import KindCluster, KindNode
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image

IMAGE = Image("e3a7", ["localhost/kindest/node:v1"], {}, "amd64", "", [], [], 1)


def config(**options: t.Any) -> ClusterConfig:
    return ClusterConfig.from_options(name="demo", node_image="localhost/kindest/node:v1", **options)


@pytest.mark.parametrize(
    ("record", "running", "difference", "cause"),
    [
        (False, True, [], "cluster-foreign"),
        (True, True, ["workers is 0, expected 1"], "cluster-different"),
        (True, False, [], "cluster-incomplete"),
    ],
)
def test_refusals(record: bool, running: bool, difference: list[str], cause: str) -> None:
    wanted = config()
    found = KindCluster(
        name="demo",
        nodes=[KindNode("demo-control-plane", "control-plane", running, wanted.node_image, "e3a7")],
        record={"format": 1, "complete": True, "config": wanted.canonical()} if record else None,
    )
    error = lib.refusal(found, difference)
    assert error.cause == cause
    assert '"demo"' in error.message
    assert error.remedy


def test_the_node_image_and_what_is_mounted_have_to_be_there(tmp_path: Path) -> None:
    lib.require_parts(config(), [], own=(), image=IMAGE)
    with pytest.raises(CoverageError) as caught:
        lib.require_parts(config(), [], own=(), image=None)
    assert caught.value.cause == "node-image-missing"
    mount = {"host_path": str(tmp_path / "absent"), "container_path": "/data"}
    with pytest.raises(CoverageError, match="absent, to be mounted at /data") as caught:
        lib.require_parts(config(extra_mounts=[mount]), [], own=(), image=IMAGE)
    assert caught.value.cause == "mount-source-missing"
    (tmp_path / "absent").mkdir()
    lib.require_parts(config(extra_mounts=[mount]), [], own=(), image=IMAGE)


def test_ports_of_the_cluster_that_is_replaced_come_free_and_others_do_not() -> None:
    mapping = {"container_port": 30080, "host_port": 65123}
    holder = {
        "Names": ["demo-control-plane"],
        "State": "running",
        "Ports": [{"host_ip": "127.0.0.1", "host_port": 65123, "container_port": 30080, "protocol": "tcp"}],
    }
    wanted = config(port_mappings=[mapping])
    lib.require_parts(wanted, [holder], own={"demo-control-plane"}, image=IMAGE)
    with pytest.raises(PortError, match="demo-control-plane"):
        lib.require_parts(wanted, [holder], own=(), image=IMAGE)
