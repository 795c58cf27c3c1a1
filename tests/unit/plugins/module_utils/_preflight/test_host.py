# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged of a host: its real disks, ports and processes; and facts as other hosts give them."""

from __future__ import annotations

import copy
import os
import shutil
import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host import facts as _host
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import host as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import host_cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import ERROR, OK, WARNING, Finding

SHM = Path("/dev/shm")  # noqa: S108 (a file system of its own)
NODE_IMAGE = "localhost/kindest/node:v1.34.4"
FACTS: dict[str, t.Any] = {
    "cgroup": "unified",
    "podman": {"version": "4.3.1", "graph_root": "/", "cgroup_manager": "systemd"},
    "tools": {"kind": {"path": "/usr/local/bin/kind", "version": "v0.30.0", "on_path": True}},
    "sysctls": {"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 524288},
    "limits": {"nofile": 1048576, "nproc": -1},
    "memory": {"total": 16 * lib.GIB, "available": 8 * lib.GIB},
    "checks": [
        {"name": "user", "ok": True, "result": "root", "remedy": "", "needed": True},
        {"name": "podman", "ok": True, "result": "4.3.1, crun", "remedy": "", "needed": True},
        {"name": "podman settings", "ok": True, "result": "none needed", "remedy": "", "needed": True},
    ],
}


class Records(lib.AskedOnce):
    """Podman's answers as they were given elsewhere: records of containers and images. Nothing is run."""

    def __init__(self, containers: t.Sequence[dict[str, t.Any]] = (), images: t.Sequence[str] = ()) -> None:
        super().__init__("no-podman")
        self._containers, self._images = list(containers), images

    def containers(self, *filters: str) -> list[dict[str, t.Any]]:
        return self._containers

    def image(self, reference: str) -> t.Optional[Image]:
        return Image("f" * 64, [reference], {}, "amd64", "", [], [], 1) if reference in self._images else None


def node(cluster: str, *ports: int) -> dict[str, t.Any]:
    """Podman's record of a control plane that publishes ports."""
    return {
        "Names": [f"{cluster}-control-plane"],
        "State": "running",
        "Labels": {"io.x-k8s.kind.cluster": cluster, "io.x-k8s.kind.role": "control-plane"},
        "Ports": [{"host_ip": "127.0.0.1", "host_port": port, "range": 1, "protocol": "tcp"} for port in ports],
    }


def config(*ports: int, workers: int = 0, **rest: t.Any) -> ClusterConfig:
    """A cluster with mapped ports."""
    mappings = [{"container_port": 30000 + index, "host_port": port} for index, port in enumerate(ports)]
    return ClusterConfig.from_options(
        name="mine", node_image=NODE_IMAGE, workers=workers, port_mappings=mappings, **rest
    )


def facts(**changes: t.Any) -> dict[str, t.Any]:
    """Facts of a good host with changes."""
    return {**copy.deepcopy(FACTS), **changes}


def states(found: t.Iterable[Finding]) -> list[str]:
    return [finding.state for finding in found]


def one(found: t.Iterable[Finding]) -> Finding:
    """The one finding."""
    every = list(found)
    assert len(every) == 1, every
    return every[0]


@pytest.fixture
def busy() -> t.Iterator[int]:
    """A port that this test listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port that nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


# ---- engine, user ----


def test_a_good_host() -> None:
    host = lib.Host(Records(), config=config())
    for found in (
        lib.check_podman(FACTS),
        lib.check_kind(host, FACTS),
        lib.check_user(FACTS),
        lib.check_cgroups(FACTS),
        lib.check_kernel(host, FACTS),
        lib.check_memory(host, FACTS),
    ):
        assert states(found) == [OK]


@pytest.mark.parametrize(
    ("result", "cause", "text"),
    [
        ("not installed", "command-not-found", "Podman is not installed."),
        ("database is locked", "podman-fails", "Podman does not work: database is locked."),
    ],
)
def test_podman_that_is_missing_or_broken(result: str, cause: str, text: str) -> None:
    checks = [{"name": "podman", "ok": False, "result": result, "remedy": "", "needed": True}]
    found = one(lib.check_podman(facts(checks=checks)))
    assert (found.state, found.cause, found.text) == (ERROR, cause, text)
    assert "runner.yml" in found.remedy


def test_settings_that_podman_does_not_follow_are_a_warning() -> None:
    checks = copy.deepcopy(FACTS["checks"])
    checks[2].update(ok=False, result="runtime = runc, but podman uses crun")
    assert states(lib.check_podman(facts(checks=checks))) == [OK, WARNING]


def test_kind_that_is_missing(tmp_path: Path) -> None:
    missing = {"kind": {"path": "", "version": "", "on_path": False}}
    found = one(lib.check_kind(lib.Host(Records()), facts(tools=missing)))
    assert (found.state, found.cause, found.setting) == (ERROR, "command-not-found", "kind_cluster#executable")
    assert states(lib.check_kind(lib.Host(Records(), kind=str(tmp_path / "kind")), FACTS)) == [ERROR]
    assert states(lib.check_kind(lib.Host(Records(), kind=shutil.which("sh") or ""), FACTS)) == [OK]


def test_a_user_who_cannot() -> None:
    checks = copy.deepcopy(FACTS["checks"])
    checks[0].update(ok=False, result="jo is not root, and has no subordinate ids", remedy="Run as root.")
    found = one(lib.check_user(facts(checks=checks)))
    assert (found.state, found.cause, found.remedy) == (ERROR, "no-root", "Run as root.")


@pytest.mark.parametrize(("mode", "state"), [("unified", OK), ("hybrid", OK), ("legacy", OK), ("none", ERROR)])
def test_control_groups(mode: str, state: str) -> None:
    assert one(lib.check_cgroups(facts(cgroup=mode))).state == state


# ---- limits, disk, memory ----


def test_low_limits_are_warnings_with_what_the_nodes_take() -> None:
    host = lib.Host(Records(), config=config(workers=3))
    low = facts(
        sysctls={"fs.inotify.max_user_instances": 64, "fs.inotify.max_user_watches": 8192},
        limits={"nofile": 1024, "nproc": 400},
    )
    found = list(lib.check_kernel(host, low))
    assert states(found) == [WARNING] * 4
    assert "is 64, of which " in found[0].text and "about 80" in found[0].text
    assert "8192" in found[1].text
    assert "400; the nodes need about 600" in found[2].text
    assert "ulimit -n) is 1024" in found[3].text


def test_inotify_instances_in_use_are_those_of_this_kernel(tmp_path: Path) -> None:
    before = lib.inotify_used(Path("/proc"), os.geteuid())
    process = tmp_path / "12"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "3").symlink_to("anon_inode:inotify")
    (process / "fd" / "4").symlink_to("/dev/null")
    (tmp_path / "self").mkdir()
    assert before >= 0
    assert lib.inotify_used(tmp_path, os.geteuid()) == 1
    assert lib.inotify_used(tmp_path, os.geteuid() + 1) == 0


def test_what_lies_on_one_disk_is_added_up(tmp_path: Path) -> None:
    disks = lib.budget([("a", str(tmp_path), 1), ("b", str(tmp_path / "not" / "there"), 2)])
    assert [(disk.path, disk.shares, disk.names) for disk in disks] == [(str(tmp_path), 3, ["a", "b"])]
    other = lib.budget([("a", str(tmp_path), 1), ("b", str(SHM / "x"), 1)])
    assert len(other) == 1 + (SHM.stat().st_dev != tmp_path.stat().st_dev)


def test_a_disk_with_room(tmp_path: Path) -> None:
    here = facts(podman={**FACTS["podman"], "graph_root": str(tmp_path)})
    found = one(lib.check_disk(lib.Host(Records(), cache_dir=str(tmp_path / "cache"), disk_gib=0), here))
    assert found.state == OK and str(tmp_path) in found.text


def test_a_disk_without_room_is_named_with_what_is_to_lie_on_it(tmp_path: Path) -> None:
    here = facts(podman={**FACTS["podman"], "graph_root": str(tmp_path)})
    host = lib.Host(Records(), cache_dir=str(tmp_path), disk_gib=3e6, config=config(workers=2))
    found = one(lib.check_disk(host, here))
    assert (found.state, found.cause, found.setting) == (ERROR, "disk-full", "preflight_info#disk_gib")
    assert found.text.startswith(f"The disk of {tmp_path} has ")
    # store, archive and three nodes, a million each
    assert "5000000.0 GiB are needed" in found.text
    assert "podman's store, the archive, 3 nodes" in found.text


def test_each_disk_has_its_own_budget(tmp_path: Path) -> None:
    if SHM.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    free = shutil.disk_usage(SHM).free / lib.GIB
    here = facts(podman={**FACTS["podman"], "graph_root": str(tmp_path)})
    # the archive alone is too large for its disk
    host = lib.Host(Records(), cache_dir=str(SHM), disk_gib=3 * (free + 1))
    found = list(lib.check_disk(host, here))
    assert [item.text for item in found if item.state == ERROR and str(SHM) in item.text and "archive" in item.text]


def test_memory_is_an_estimate_until_it_is_asked_for() -> None:
    low = facts(memory={"total": lib.GIB, "available": lib.GIB})
    estimated = one(lib.check_memory(lib.Host(Records(), config=config(workers=2)), low))
    assert estimated.state == WARNING and "a cluster of 3 and the service need about 2" in estimated.text
    asked = one(lib.check_memory(lib.Host(Records(), memory_gib=4), low))
    assert (asked.state, asked.cause, asked.setting) == (ERROR, "memory-short", "preflight_info#memory_gib")
    standing = lib.Host(Records([node("mine")]), config=config())
    assert states(lib.check_memory(standing, low)) == [OK]


# ---- cluster, ports, mounts ----


def test_a_port_that_a_process_has_is_told_with_its_holder(busy: int, free: int) -> None:
    host = lib.Host(Records(), config=config(busy, free))
    found = list(host_cluster.check_ports(host, config(busy, free)))
    assert states(found) == [ERROR, OK]
    assert found[0].cause == "port-taken"
    assert f"(pid {os.getpid()})" in found[0].text
    assert found[1].text == f"{free} free"


def test_all_ports_that_are_taken_are_told(busy: int) -> None:
    host = lib.Host(Records([node("other", 38999)]), config=config(busy, 38999))
    found = list(host_cluster.check_ports(host, config(busy, 38999)))
    assert states(found) == [ERROR, ERROR]
    assert any('kind cluster "other"' in item.text for item in found)


def test_a_port_of_the_own_cluster_is_fine(busy: int) -> None:
    host = lib.Host(Records([node("mine", busy)]), config=config(busy))
    found = one(host_cluster.check_ports(host, config(busy)))
    assert (found.state, found.text) == (OK, f"{busy} held by the cluster itself")


def test_the_image_of_the_nodes() -> None:
    there = lib.Host(Records(images=[NODE_IMAGE]), config=config())
    assert states(host_cluster.check_node_image(there, config())) == [OK]
    found = one(host_cluster.check_node_image(lib.Host(Records(), config=config()), config()))
    assert (found.state, found.cause) == (ERROR, "node-image-missing")
    assert states(host_cluster.check_node_image(lib.Host(Records([node("mine")]), config=config()), config())) == [OK]


def test_folders_to_be_mounted(tmp_path: Path) -> None:
    def mounts(*paths: Path) -> ClusterConfig:
        return config(extra_mounts=[{"host_path": str(path), "container_path": f"/m/{path.name}"} for path in paths])

    (tmp_path / "there").mkdir()
    assert states(host_cluster.check_mounts(mounts(tmp_path / "there"))) == [OK]
    found = list(host_cluster.check_mounts(mounts(tmp_path / "a", tmp_path / "there", tmp_path / "b")))
    assert [(item.state, item.cause) for item in found] == [(ERROR, "mount-source-missing")] * 2
    assert f"{tmp_path}/a, to be mounted at /m/a" in found[0].text


def test_no_cluster_and_a_cluster_that_cannot_be() -> None:
    assert host_cluster.cluster_config({}) is None
    assert host_cluster.cluster_config({"name": "a", "node_image": NODE_IMAGE}) is not None
    with pytest.raises(InputError):
        host_cluster.cluster_config({"name": "Not A Name", "node_image": NODE_IMAGE})
    with pytest.raises(InputError):
        host_cluster.cluster_config({"name": "a"})


# ---- this host ----


@pytest.mark.skipif(not shutil.which("podman"), reason="no podman here")
def test_this_host_is_seen_as_it_is() -> None:
    podman = lib.AskedOnce()
    host = lib.Host(podman, config=config())
    gathered = lib.facts(host)
    assert lib.check_podman(gathered).__next__().state == OK
    assert gathered["podman"]["graph_root"]
    assert podman.containers() is podman.containers()
    assert podman.image("localhost/no-such-image:1") is None
    assert {item["name"] for item in gathered["checks"]} >= {"user", "podman", "cgroups"}
    assert set(lib.SYSCTLS) == set(_host.Wanted(sysctls=lib.SYSCTLS).sysctls or {})


@pytest.mark.skipif(not shutil.which("podman"), reason="no podman here")
def test_a_quick_look_sees_the_same(tmp_path: Path) -> None:
    host = lib.Host(lib.AskedOnce(), config=config())
    quick, whole = lib.facts(host, quick=True), lib.facts(host)
    for key in ("root", "user", "rootless", "cgroup", "modules_folder", "limits", "sysctls"):
        assert quick[key] == whole[key], key
    assert quick["podman"]["version"] == whole["podman"]["version"]
    assert quick["podman"]["graph_root"] == whole["podman"]["graph_root"]
    for check in (lib.check_podman, lib.check_user, lib.check_cgroups):
        assert {item.state for item in check(quick)} == {OK}
    absent = lib.facts(lib.Host(lib.AskedOnce(str(tmp_path / "podman"))), quick=True)
    assert one(lib.check_podman(absent)).cause == "command-not-found"


def test_podman_whose_store_does_not_answer(tmp_path: Path) -> None:
    podman = tmp_path / "podman"
    answer = """[ "$1" = version ] && echo '{"Client": {"Version": "9.9"}}' && exit 0"""
    podman.write_text(f"#!/bin/sh\n{answer}\necho 'database is locked' >&2\nexit 125\n", encoding="utf-8")
    podman.chmod(0o755)
    found = one(lib.check_podman(lib.facts(lib.Host(lib.AskedOnce(str(podman))), quick=True)))
    assert (found.state, found.cause) == (ERROR, "podman-fails")
    assert "database is locked" in found.text


def test_a_kubeconfig_that_is_somebody_elses(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("clusters:\n- name: production\n", encoding="utf-8")
    host = lib.Host(Records(), config=config(), kubeconfig=str(file))
    with pytest.raises(InputError, match="production"):
        list(host_cluster.check_cluster(host, config()))
    fresh = lib.Host(Records(), config=config(), kubeconfig=str(tmp_path / "none"))
    assert one(host_cluster.check_cluster(fresh, config())).text == "mine will be created, 1 node"
