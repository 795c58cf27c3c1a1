# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster is made from, and the configuration that kind is given for it."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import config as lib

IMAGE = "localhost/kindest/node:v1.34.4"
PATCH = "kind: ClusterConfiguration\napiServer:\n  extraArgs:\n  - name: v\n    value: '4'\n"


def config(**options: t.Any) -> lib.ClusterConfig:
    return lib.ClusterConfig.from_options(**{"name": "demo", "node_image": IMAGE, **options})


def test_kind_config_of_all_options() -> None:
    wanted = config(
        workers=1,
        port_mappings=[{"container_port": 30080, "host_port": 8080}],
        extra_mounts=[{"host_path": "/srv/data", "container_path": "/data", "read_only": True}],
        kubeadm_patches=[PATCH],
    )
    mounts = [{"hostPath": "/srv/data", "containerPath": "/data", "readOnly": True}]
    assert wanted.kind_config() == {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": "demo",
        "nodes": [
            {
                "role": "control-plane",
                "image": IMAGE,
                "extraMounts": mounts,
                "extraPortMappings": [
                    {"containerPort": 30080, "hostPort": 8080, "listenAddress": "127.0.0.1", "protocol": "TCP"}
                ],
            },
            {"role": "worker", "image": IMAGE, "extraMounts": mounts},
        ],
        "kubeadmConfigPatches": [PATCH.strip()],
    }
    assert yaml.safe_load(wanted.kind_config()["kubeadmConfigPatches"][0]) == yaml.safe_load(PATCH)


def test_nodes_are_named_as_kind_names_them() -> None:
    assert config().node_names() == ["demo-control-plane"]
    assert config(workers=3).node_names() == ["demo-control-plane", "demo-worker", "demo-worker2", "demo-worker3"]


def test_what_makes_no_difference_to_the_cluster_makes_none_to_the_hash() -> None:
    one = config(
        port_mappings=[
            {"container_port": 1, "host_port": 8082},
            {"container_port": 2, "host_port": 8081, "protocol": "tcp", "listen_address": "127.0.0.1"},
        ],
        extra_mounts=[{"host_path": "/a/", "container_path": "/x"}, {"host_path": "/b", "container_path": "/y"}],
        kubeadm_patches=[PATCH],
    )
    other = config(
        port_mappings=[{"container_port": 2, "host_port": 8081}, {"container_port": 1, "host_port": 8082}],
        extra_mounts=[
            {"host_path": "/b", "container_path": "/y", "read_only": False},
            {"host_path": "/a", "container_path": "/x"},
        ],
        kubeadm_patches=[PATCH.replace("\n", "  \n")],
    )
    assert one == other
    assert one.hash() == other.hash()
    assert lib.describe_differences(one.canonical(), other.canonical()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "other"),
        ("node_image", "localhost/kindest/node:v1.33.0"),
        ("workers", 1),
        ("port_mappings", [{"container_port": 30080, "host_port": 8080}]),
        ("extra_mounts", [{"host_path": "/a", "container_path": "/b"}]),
        ("kubeadm_patches", [PATCH]),
    ],
)
def test_every_option_is_part_of_the_identity(option: str, value: t.Any) -> None:
    changed = config(**{option: value})
    assert changed.hash() != config().hash()
    (sentence,) = lib.describe_differences(config().canonical(), changed.canonical())
    assert sentence.startswith(option)


@pytest.mark.parametrize(
    ("options", "setting", "said"),
    [
        ({"name": ""}, "cluster.name", '""'),
        ({"name": "Demo"}, "cluster.name", '"Demo"'),
        ({"name": "demo-"}, "cluster.name", '"demo-"'),
        ({"name": "d" * 50}, "cluster.name", "at most 49"),
        ({"node_image": "a b"}, "cluster.node_image", '"a b"'),
        ({"workers": -1}, "cluster.workers", "-1 workers"),
        (
            {"port_mappings": [{"container_port": 0, "host_port": 1}]},
            "cluster.port_mappings",
            "container_port: 0 is not a port",
        ),
        ({"port_mappings": [{"container_port": 1, "host_port": 65536}]}, "cluster.port_mappings", "65536"),
        (
            {"port_mappings": [{"container_port": 1, "host_port": 1, "listen_address": "localhost"}]},
            "cluster.port_mappings",
            "'localhost' is not an IP address",
        ),
        (
            {
                "port_mappings": [
                    {"container_port": 1, "host_port": 80, "listen_address": "0.0.0.0"},  # noqa: S104
                    {"container_port": 2, "host_port": 80},
                ]
            },
            "cluster.port_mappings",
            "127.0.0.1:80/tcp cannot be mapped too: [0] is 0.0.0.0:80/tcp",
        ),
        (
            {"extra_mounts": [{"host_path": "./coverdata", "container_path": "/coverdata"}]},
            "cluster.extra_mounts",
            '"./coverdata" of a mount is not absolute',
        ),
        (
            {"extra_mounts": [{"host_path": "/a", "container_path": "/var/"}]},
            "cluster.extra_mounts",
            "/var of a",
        ),
        (
            {
                "extra_mounts": [
                    {"host_path": "/a", "container_path": "/x"},
                    {"host_path": "/b", "container_path": "/x/"},
                ]
            },
            "cluster.extra_mounts",
            "Two mounts have the container_path /x",
        ),
        ({"kubeadm_patches": ["apiServer: {}"]}, "cluster.kubeadm_patches", "'apiServer: {}'"),
    ],
)
def test_bad_input_names_option_and_value(options: dict[str, t.Any], setting: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        config(**options)
    assert caught.value.setting == setting
    assert said in caught.value.message


def test_longest_name_leaves_room_for_the_node() -> None:
    assert len(config(name="d" * 49).node_names()[0]) == 63


def test_differences_say_key_old_and_new() -> None:
    there = config(
        port_mappings=[{"container_port": 30080, "host_port": 8080}],
        extra_mounts=[{"host_path": "/a", "container_path": "/x", "read_only": True}],
    )
    wanted = config(workers=2, port_mappings=[{"container_port": 30081, "host_port": 8080}])
    assert lib.describe_differences(there.canonical(), wanted.canonical()) == [
        "extra_mounts: /a at /x (read-only) exists but is not described",
        "port_mappings: 127.0.0.1:8080/tcp to 30080 exists but is not described; "
        "127.0.0.1:8080/tcp to 30081 is described but does not exist",
        "workers is 0, expected 2",
    ]


def test_order_of_patches_is_a_difference() -> None:
    other = "kind: KubeletConfiguration"
    assert lib.describe_differences(
        config(kubeadm_patches=[PATCH, other]).canonical(), config(kubeadm_patches=[other, PATCH]).canonical()
    ) == ["kubeadm_patches has the same entries in another order"]


def test_a_key_that_an_older_record_lacks_counts_as_its_default() -> None:
    older = config().canonical()
    del older["kubeadm_patches"]
    assert lib.describe_differences(older, config().canonical()) == []
    assert lib.describe_differences(older, config(kubeadm_patches=["kind: X"]).canonical()) == [
        "kubeadm_patches: kind: X is described but does not exist"
    ]
