# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind is asked for and what is made of its answers. Real clusters are for the molecule scenario kind_cluster."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import clusters as lib

IMAGE = "localhost/kindest/node:v1.34.4"
PATCH = "kind: ClusterConfiguration\napiServer:\n  extraArgs:\n  - name: v\n    value: '4'\n"


def config(**options: t.Any) -> lib.ClusterConfig:
    return lib.ClusterConfig.from_options(**{"name": "demo", "node_image": IMAGE, **options})


def container(name: str, cluster: str, role: str = "control-plane", state: str = "running") -> dict[str, t.Any]:
    """Podman's own record of a node, as far as it is read."""
    return {
        "Names": [name],
        "Labels": {lib.KIND_CLUSTER_LABEL: cluster, lib.ROLE_LABEL: role},
        "State": state,
        "Image": IMAGE,
        "ImageID": "e3a7",
    }


def record(wanted: lib.ClusterConfig, **changes: t.Any) -> dict[str, t.Any]:
    return {"format": 1, "complete": True, "config": wanted.canonical(), "config_hash": wanted.hash(), **changes}


# the configuration


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
        ({"port_mappings": [{"container_port": 0, "host_port": 1}]}, "cluster.port_mappings", "container_port 0"),
        ({"port_mappings": [{"container_port": 1, "host_port": 65536}]}, "cluster.port_mappings", "65536"),
        (
            {"port_mappings": [{"container_port": 1, "host_port": 1, "listen_address": "localhost"}]},
            "cluster.port_mappings",
            '"localhost" is not an IP address',
        ),
        (
            {
                "port_mappings": [
                    {"container_port": 1, "host_port": 80, "listen_address": "0.0.0.0"},  # noqa: S104
                    {"container_port": 2, "host_port": 80},
                ]
            },
            "cluster.port_mappings",
            "0.0.0.0:80/tcp and 127.0.0.1:80/tcp cannot both",
        ),
        (
            {"extra_mounts": [{"host_path": "./coverdata", "container_path": "/coverdata"}]},
            "cluster.extra_mounts",
            '"./coverdata" of a mount is not absolute',
        ),
        ({"extra_mounts": [{"host_path": "/a", "container_path": "/var/"}]}, "cluster.extra_mounts", "/var is"),
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


# differences in words


def test_differences_say_key_old_and_new() -> None:
    there = config(
        port_mappings=[{"container_port": 30080, "host_port": 8080}],
        extra_mounts=[{"host_path": "/a", "container_path": "/x", "read_only": True}],
    )
    wanted = config(workers=2, port_mappings=[{"container_port": 30081, "host_port": 8080}])
    assert lib.describe_differences(there.canonical(), wanted.canonical()) == [
        "extra_mounts: /a at /x (read-only) is there and not wanted",
        "port_mappings: 127.0.0.1:8080/tcp to 30080 is there and not wanted; "
        "127.0.0.1:8080/tcp to 30081 is wanted and not there",
        "workers is 0 there, wanted is 2",
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
        "kubeadm_patches: kind: X is wanted and not there"
    ]


# what is there


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
    cluster = lib.Cluster(name="demo", nodes=nodes, record=record(config(workers=1), **changes))
    assert cluster.state == state
    assert cluster.result()["ours"] is True


def test_foreign_cluster_has_no_configuration() -> None:
    nodes = lib.clusters_of([container("demo-control-plane", "demo")])["demo"]
    result = lib.Cluster(name="demo", nodes=nodes).result()
    assert (result["ours"], result["state"], result["config"], result["config_hash"]) == (False, "running", {}, "")


# kubeconfigs

KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    server: https://127.0.0.1:44665
  name: kind-demo
contexts:
- context:
    cluster: kind-demo
    user: kind-demo
  name: kind-demo
current-context: kind-demo
kind: Config
users:
- name: kind-demo
  user: {}
"""


def test_names_in_a_kubeconfig_that_are_not_of_the_cluster() -> None:
    assert lib.foreign_entries(KUBECONFIG, "demo") == []
    assert lib.foreign_entries(KUBECONFIG, "other") == ["kind-demo"]
    assert lib.foreign_entries(KUBECONFIG.replace("- name: kind-demo", '- "name": "admin"'), "demo") == ["admin"]
    assert lib.foreign_entries('{"users":\n[{"user": 1,\n"name": "admin"}]}', "demo") == ["admin"]
    assert lib.foreign_entries("apiVersion: v1\nclusters: null\n", "demo") == []


def test_a_kubeconfig_with_other_access_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert lib.read_kubeconfig(path, "demo") == KUBECONFIG
    assert lib.read_kubeconfig(tmp_path / "none", "demo") == ""
    with pytest.raises(InputError, match="also holds access to kind-demo"):
        lib.read_kubeconfig(path, "mine")
    with pytest.raises(InputError, match="is no kubeconfig"):
        lib.read_kubeconfig(tmp_path, "mine")
    assert path.read_text() == KUBECONFIG


def test_private_files_are_for_their_owner_alone_and_replace_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "clusters" / "demo" / "kubeconfig"
    lib.write_private(path, "one")
    lib.write_private(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    lib.write_private(path, "one")
    with pytest.raises(UnicodeEncodeError):
        lib.write_private(path, "\ud800")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


# the lock


# another process, as the lock is meant against: holds it until its input ends, then gives it back as CreationLock does
HOLDER = """
import fcntl, os, sys
with open(sys.argv[1], "ab") as stream:
    fcntl.flock(stream, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
    os.unlink(sys.argv[1])
"""


@pytest.fixture
def held_lock(tmp_path: Path) -> t.Iterator[tuple[lib.CreationLock, subprocess.Popen[bytes]]]:
    """A lock, and the process that holds it."""
    lock = lib.CreationLock(tmp_path / "kubeconfig")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield lock, other
        other.kill()


def test_the_lock_is_seen_by_others_and_waited_for(
    held_lock: tuple[lib.CreationLock, subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, other = held_lock
    progress = tmp_path / "progress"
    monkeypatch.setenv("KUBERNAUT_COVERAGE_PROGRESS", str(progress))
    assert lock.held_elsewhere()
    assert not lock.left_behind()
    assert other.stdin is not None
    threading.Timer(0.5, other.stdin.close).start()
    with lock("waiting for another run"):
        assert other.wait(20) == 0
    assert not lock.path.exists()
    assert progress.read_text() == "waiting for another run\n"


def test_a_run_that_dies_leaves_its_lock(held_lock: tuple[lib.CreationLock, subprocess.Popen[bytes]]) -> None:
    lock, other = held_lock
    other.kill()
    other.wait(20)
    assert lock.left_behind()
    with lock("not said"):
        assert lock.path.exists()
    assert not lock.left_behind()


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    lock = lib.CreationLock(tmp_path / "kubeconfig")
    with pytest.raises(CoverageError), lock(""):
        raise CoverageError("no")
    assert not lock.path.exists()


# what kind says


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (" • Ensuring node image (kindest/node:v1.34.4) 🖼  ...", "Ensuring node image (kindest/node:v1.34.4)"),
        (" • Preparing nodes 📦 📦   ...", "Preparing nodes"),
        (" • Starting control-plane 🕹️  ...", "Starting control-plane"),
        (" ✓ Starting control-plane 🕹️", ""),
        ('Creating cluster "demo" ...', ""),
        ("", ""),
    ],
)
def test_steps_of_kind(line: str, step: str) -> None:
    assert lib.step_of(line) == step


@pytest.mark.parametrize(
    ("output", "cause", "said"),
    [
        (
            "Error: statfs /root/coverdata: no such file or directory",
            "mount-source-missing",
            "/root/coverdata, which a node mounts, does not exist",
        ),
        ("listen tcp 127.0.0.1:80: bind: address already in use", "port-taken", "host port was taken"),
        ("write /var/tmp/x: no space left on device", "disk-full", "disk is full"),
        ("Failed to allocate directory watch: Too many open files\ntoo many open files", "kernel-limits", "inotify"),
        ("running kind with rootless provider requires cgroup v2, see", "no-root", "without root"),
        (
            'could not find a log line that matches "Reached target .*Multi-User System.*"',
            "node-boot",
            "systemd did not come up",
        ),
        ("[kubelet-check] The kubelet is not healthy after 4m0s", "control-plane", "control plane did not come up"),
        ("ERROR: something new", "kind-failed", "kind gave up"),
    ],
)
def test_failures_of_kind_become_verdicts(output: str, cause: str, said: str) -> None:
    error = lib.explain_failure(config(), f"Creating cluster\n{output}\n", ["demo-control-plane: last words"])
    assert (error.cause, said in error.message) == (cause, True)
    assert error.message.startswith('Cluster "demo" could not be created')
    assert error.evidence[-1] == "demo-control-plane: last words"
    assert output.splitlines()[-1] in error.evidence
