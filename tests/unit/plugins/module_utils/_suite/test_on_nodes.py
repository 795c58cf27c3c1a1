# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in front of a node's runtime, run by a real shell on specifications as containerd writes them."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite import on_nodes

ID = "4ba656f761a5" + "0" * 52
HASH = "ab" * 16


class Node(t.NamedTuple):
    """A runtime that records its arguments, the program in front of it, a bundle, and the folder for counters."""

    runtime: Path
    bundle: Path
    folder: Path

    def specification(self, **changes: t.Any) -> dict[str, t.Any]:
        annotations = {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "server",
            "io.kubernetes.cri.sandbox-name": "shop-6d4f8c-x2x2x",
            "io.kubernetes.cri.sandbox-namespace": "shop",
        }
        return {
            "process": {"args": ["/shop", '{"env":["A"],"mounts":[]}'], "env": ["PATH=/bin"]},
            "mounts": [{"destination": "/proc"}],
            "annotations": annotations,
            **changes,
        }

    def run(self, specification: t.Mapping[str, t.Any], *argv: str) -> dict[str, t.Any]:
        """Run the runtime; return what the specification has become."""
        config = self.bundle / "config.json"
        config.write_text(json.dumps(specification, separators=(",", ":")))
        arguments = argv or ("--root", "/run", "create", "--bundle", str(self.bundle), "--pid-file", "/p", ID)
        done = subprocess.run([self.runtime, *arguments], capture_output=True, text=True, check=False)
        assert (done.stdout.splitlines(), done.returncode) == (list(arguments), 7), done.stderr
        return t.cast("dict[str, t.Any]", json.loads(config.read_text()))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    runtime = tmp_path / "runc"
    folder = tmp_path / "node"
    runtime.write_text(on_nodes.FRONT.replace(on_nodes.FOLDER, str(folder)))
    real = tmp_path / "runc.real"
    real.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    for path in (runtime, real):
        path.chmod(0o755)
    (tmp_path / "bundle").mkdir()
    return Node(runtime, tmp_path / "bundle", folder)


def test_a_container_gets_a_folder_and_the_variable_and_all_else_stays(node: Node) -> None:
    before = node.specification()
    after = node.run(before)
    assert after["process"].pop("env") == ["GOCOVERDIR=/kubernaut-coverage", *before["process"].pop("env")]
    assert after.pop("mounts") == [
        {
            "destination": "/kubernaut-coverage",
            "type": "bind",
            "source": str(node.folder / ID),
            "options": ["rbind", "rw"],
        },
        *before.pop("mounts"),
    ]
    assert after == before
    assert (node.folder / ID).stat().st_mode & 0o7777 == 0o1777
    assert (node.folder / ID / "who").read_text().splitlines() == ["shop", "shop-6d4f8c-x2x2x", "server"]


def test_a_container_that_has_the_variable_keeps_it(node: Node) -> None:
    before = node.specification(process={"args": ["/shop"], "env": ["GOCOVERDIR=/coverdata"]})
    assert node.run(before) == before


def write(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)


def own(node: Node, directory: str, volume: Path) -> dict[str, t.Any]:
    """The specification of a container with a folder of its own, in one of several volumes."""
    mounts = [
        {"destination": "/", "type": "bind", "source": "/nowhere", "options": []},
        {"destination": "/data", "type": "bind", "source": str(volume), "options": ["rbind", "rw"]},
        {"destination": "/data-else", "type": "bind", "source": "/nowhere", "options": []},
    ]
    return node.specification(process={"args": ["/shop"], "env": [f"GOCOVERDIR={directory}"]}, mounts=mounts)


def kept(node: Node, identity: str = ID) -> list[str]:
    """The coverage data that was copied for a container."""
    return sorted(path.name for path in (node.folder / identity).iterdir() if path.name.startswith("cov"))


META, FIRST, SECOND, STALE = (
    f"covmeta.{HASH}",
    *(f"covcounters.{HASH}.1.{number}" for number in (100, 200, 50)),
)


@pytest.mark.parametrize(("directory", "below"), [("/data", ""), ("/data/", ""), ("/data/a/b", "a/b")])
def test_what_a_container_left_in_a_volume_is_copied_when_it_is_removed(
    node: Node, tmp_path: Path, directory: str, below: str
) -> None:
    place = tmp_path / "volume" / below
    write(place, META, STALE, "covmeta.of-another")
    for name in (META, STALE):
        os.utime(place / name, (1, 1))
    node.run(own(node, directory, tmp_path / "volume"))
    write(place, FIRST)
    node.run({}, "--root", "/run", "delete", ID)
    assert kept(node) == sorted([META, FIRST])
    assert (node.folder / ID / "who").read_text().splitlines() == ["shop", "shop-6d4f8c-x2x2x", "server"]


def test_what_a_container_left_in_its_own_file_system_is_copied(node: Node, tmp_path: Path) -> None:
    node.run(own(node, "/var/cover", tmp_path))
    write(node.bundle / "rootfs/var/cover", META, FIRST)
    node.run({}, "delete", "--force", ID)
    assert kept(node) == sorted([META, FIRST])


def test_two_containers_with_one_folder_have_each_file_once(node: Node, tmp_path: Path) -> None:
    other = ID.replace("4", "5")
    specification = own(node, "/data", tmp_path / "volume")
    for identity in (ID, other):
        node.run(specification, "create", "--bundle", str(node.bundle), identity)
    write(tmp_path / "volume", META, FIRST)
    node.run({}, "delete", ID)
    write(tmp_path / "volume", SECOND)
    node.run({}, "delete", other)
    assert (kept(node), kept(node, other)) == (sorted([META, FIRST]), sorted([META, SECOND]))


@pytest.mark.parametrize("directory", ["/data", "/data/gone", ""])
def test_a_container_that_left_nothing_has_nothing(node: Node, tmp_path: Path, directory: str) -> None:
    write(tmp_path / "volume", META)
    node.run(own(node, directory, tmp_path / "volume"))
    node.run({}, "delete", ID)
    assert not list(node.folder.rglob("cov*"))


def test_a_sandbox_is_left_alone(node: Node) -> None:
    before = node.specification(annotations={"io.kubernetes.cri.container-type": "sandbox"})
    assert node.run(before) == before


@pytest.mark.parametrize("argv", [("--root", "/run", "state", ID), ("delete", "--force", ID), ("--version",)])
def test_all_else_is_passed_on(node: Node, argv: tuple[str, ...]) -> None:
    before = node.specification()
    assert node.run(before, *argv) == before


def test_the_runtime_keeps_its_name_and_is_installed_once(tmp_path: Path) -> None:
    runtime = tmp_path / "runc"
    runtime.write_text("#!/bin/sh\necho real\n")
    runtime.chmod(0o755)
    for _time in range(2):
        subprocess.run(
            ["sh", "-c", on_nodes.INSTALL, "sh", str(tmp_path / "folder")],
            input=on_nodes.FRONT,
            text=True,
            check=True,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )
    assert (tmp_path / "runc.real").read_text() == "#!/bin/sh\necho real\n"
    assert subprocess.run([runtime], capture_output=True, text=True, check=True).stdout == "real\n"
    assert (tmp_path / "folder").is_dir()


def left(folder: Path, *names: str) -> on_nodes.Left:
    folder.mkdir(parents=True)
    for name in (on_nodes.WHO, "from", *names):
        (folder / name).write_text(f"left as {name}")
    return on_nodes.Left(ID, "node", folder, "shop", "shop-6d4f8c7b9-x2x2x", "server")


def test_what_was_written_at_the_end_replaces_what_was_read_before(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    snapshot, other = f"covcounters.{HASH}.1.100", f"covcounters.{HASH}.8.100"
    for name in (f"covmeta.{HASH}", snapshot, other):
        (home / name).write_text("read from memory")
    last = f"covcounters.{HASH}.1.200"
    assert on_nodes.bring(left(tmp_path / "left", f"covmeta.{HASH}", last), home)
    assert sorted(path.name for path in home.iterdir()) == sorted([f"covmeta.{HASH}", last, other])
    assert (home / f"covmeta.{HASH}").read_text() == "read from memory"


def test_a_program_that_wrote_no_counters_was_killed(tmp_path: Path) -> None:
    assert not on_nodes.bring(left(tmp_path / "left", f"covmeta.{HASH}", "tmp.covcounters.1"), tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == [f"covmeta.{HASH}"]


@pytest.mark.parametrize(
    ("pod", "workload"),
    [("shop-6d4f8c7b9-x2x2x", "shop"), ("agent-x2x2x", "agent"), ("db-0", "db-0"), ("curl", "curl")],
)
def test_a_pod_that_was_never_seen_has_its_workload_by_its_name(tmp_path: Path, pod: str, workload: str) -> None:
    assert on_nodes.Left(ID, "node", tmp_path, "shop", pod, "server").workload == workload
