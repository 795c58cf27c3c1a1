# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kind of the tests: node images that are there, clusters of others that stay. Behind are programs that record."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.builds import Images
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.calls import Call, Switchboard
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.clusters import KindCalls, NodeContainers
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import Journal, Record, Request

OURS = "localhost/kindest/node:v1"
# a host on which "mine" and "standing" are clusters, until kind deletes one
PODMAN = r"""#!/bin/sh
case "$1 $2" in
  "ps --all")
    printf '['
    first=
    for name in $(cat "$STATE/clusters"); do
      printf '%s{"Names": ["%s-control-plane"], "State": "running", "Labels": ' "$first" "$name"
      printf '{"io.x-k8s.kind.cluster": "%s", "io.x-k8s.kind.role": "control-plane"}}' "$name"
      first=,
    done
    printf ']' ;;
  "image inspect") grep -qxF "$3" "$STATE/images" || exit 125; printf '[{"Id": "sha256:1"}]' ;;
  "container inspect") printf 'id-of-%s' "${5%-control-plane}" ;;
  *) exit 99 ;;
esac
"""
KIND = r"""#!/bin/sh
{ printf '%s' "$KIND_EXPERIMENTAL_PROVIDER"; [ $# -eq 0 ] || printf '\t%s' "$@"; echo; } >> "$STATE/kind"
case "$*" in *"--config -"*) cat > "$STATE/stdin" ;; esac
case "$1 $2" in
  "create cluster") [ ! -e "$STATE/broken" ] || exit 1; echo fresh >> "$STATE/clusters" ;;
  "delete cluster") grep -vxF "$4" "$STATE/clusters" > "$STATE/left"; mv "$STATE/left" "$STATE/clusters" ;;
esac
"""


@dataclass
class Owner:
    """Says that one cluster is the suite's, and notes what it is told."""

    told: list[str] = field(default_factory=list)

    def owns(self, name: str, container: str) -> bool:
        assert container == f"id-of-{name}"
        return name in ("mine", "fresh")

    def creating(self, name: str, node_image: str) -> None:
        self.told.append(f"creating {name} {node_image}")

    def created(self, name: str, call: Call) -> None:
        self.told.append(f"created {name}")

    def not_created(self, name: str) -> None:
        self.told.append(f"not created {name}")

    def before_deletion(self, name: str, call: Call) -> None:
        self.told.append(f"before {name}")

    def deleted(self, name: str) -> None:
        self.told.append(f"deleted {name}")


@dataclass
class Bench:
    """kind in front of a kind that records."""

    state: Path
    owner: Owner
    program: str

    def run(self, *argv: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *argv], capture_output=True, text=True, timeout=30, check=False, cwd=self.state, **options
        )

    def calls(self) -> list[list[str]]:
        """Provider and arguments of each call that reached kind."""
        path = self.state / "kind"
        return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Bench]:
    behind = tmp_path / "behind"
    behind.mkdir()
    for name, text in (("kind", KIND), ("podman", PODMAN)):
        (behind / name).write_text(text)
        (behind / name).chmod(0o755)
    (tmp_path / "clusters").write_text("mine\nstanding\n")
    (tmp_path / "images").write_text(f"{OURS}\nkindest/node:present\n")
    monkeypatch.setenv("STATE", str(tmp_path))
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER", raising=False)
    path = f"{behind}{os.pathsep}{os.environ['PATH']}"
    podman, record = Podman(str(behind / "podman")), Record()
    request = Request((), str(tmp_path), str(tmp_path), str(tmp_path / "state"), OURS)
    owner = Owner()
    images = Images(podman, tmp_path / "archives", record, Journal(str(tmp_path)))
    board = Switchboard({"kind": KindCalls(podman, request, images, owner, path)}, path)
    yield Bench(tmp_path, owner, str(board.folder / "kind"))
    board.close()


CONFIG = "kind: Cluster\nname: fresh\nnodes:\n- role: control-plane\n  image: kindest/node:{}\n"


def test_a_suite_that_names_no_node_image_gets_ours(bench: Bench) -> None:
    done = bench.run("create", "cluster", "--name", "fresh")
    assert done.returncode == 0
    assert bench.calls() == [["podman", "create", "cluster", "--name", "fresh", "--image", OURS]]
    assert bench.owner.told == [f"creating fresh {OURS}", "created fresh"]
    assert f"node image {OURS} is used" in done.stderr


def test_a_node_image_that_is_present_stays(bench: Bench) -> None:
    bench.run("create", "cluster", "-n", "fresh", "--image=kindest/node:present")
    assert bench.calls()[0][1:] == ["create", "cluster", "-n", "fresh", "--image=kindest/node:present"]
    assert bench.owner.told == ["creating fresh kindest/node:present", "created fresh"]


def test_one_in_a_piped_configuration_is_replaced_where_it_is_not_present(bench: Bench) -> None:
    done = bench.run("create", "cluster", "--config", "-", input=CONFIG.format("v1.36.1@sha256:3489"))
    assert bench.calls()[0][1:] == ["create", "cluster", "--config", "-", "--image", OURS]
    assert (bench.state / "stdin").read_text() == CONFIG.format("v1.36.1@sha256:3489")
    assert "kindest/node:v1.36.1@sha256:3489 is not in podman's store" in done.stderr


def test_one_in_a_file_that_is_present_stays(bench: Bench) -> None:
    (bench.state / "kind.yaml").write_text(CONFIG.format("present"))
    bench.run("create", "cluster", "--config=kind.yaml")
    assert bench.calls()[0][1:] == ["create", "cluster", "--config=kind.yaml"]


def test_a_creation_that_fails_is_not_looked_after(bench: Bench) -> None:
    (bench.state / "broken").touch()
    assert bench.run("create", "cluster", "--name", "fresh").returncode == 1
    assert bench.owner.told == [f"creating fresh {OURS}", "not created fresh"]


def test_a_name_that_is_taken_is_left_to_kind_to_refuse(bench: Bench) -> None:
    bench.run("create", "cluster", "--name", "standing")
    assert bench.calls() == [["podman", "create", "cluster", "--name", "standing"]]
    assert bench.owner.told == []


def test_all_is_brought_home_before_a_cluster_goes(bench: Bench) -> None:
    assert bench.run("delete", "cluster", "--name", "mine").returncode == 0
    assert bench.owner.told == ["before mine", "deleted mine"]
    assert bench.calls() == [["podman", "delete", "cluster", "--name", "mine"]]


@pytest.mark.parametrize(
    ("argv", "variables"),
    [
        (["delete", "cluster", "--name", "standing"], {}),
        (["delete", "cluster", "--name=standing"], {}),
        (["delete", "cluster", "-n", "standing"], {}),
        (["-q", "delete", "cluster", "--name", "standing"], {}),
        (["-v", "1", "delete", "cluster", "--name", "standing"], {}),
        (["delete", "cluster"], {"KIND_CLUSTER_NAME": "standing"}),
        (["delete", "clusters", "mine", "standing"], {}),
    ],
)
def test_a_cluster_of_others_is_not_deleted(bench: Bench, argv: list[str], variables: dict[str, str]) -> None:
    done = bench.run(*argv, env={**os.environ, **variables})
    assert done.returncode == 1
    assert '"standing" is not deleted, because these tests did not create it' in done.stderr
    assert (bench.calls(), bench.owner.told) == ([], [])


def test_all_clusters_are_those_of_the_suite(bench: Bench) -> None:
    done = bench.run("delete", "clusters", "--all")
    assert done.returncode == 0
    assert bench.calls() == [["podman", "delete", "cluster", "--name", "mine"]]
    assert "did not create them: standing" in done.stderr


def test_a_cluster_that_is_not_there_is_left_to_kind(bench: Bench) -> None:
    assert bench.run("delete", "cluster", "--name", "nowhere", "--kubeconfig", "/k").returncode == 0
    assert bench.calls()[0][1:] == ["delete", "cluster", "--name", "nowhere", "--kubeconfig=/k"]
    assert bench.owner.told == []


@pytest.mark.parametrize("argv", [["version"], ["get", "clusters"], ["create", "cluster", "--help"], ["load"], []])
def test_all_else_is_passed_on(bench: Bench, argv: list[str]) -> None:
    assert bench.run(*argv).returncode == 0
    assert bench.calls() == [["podman", *argv]]


def test_an_image_that_podman_does_not_have_is_said(bench: Bench) -> None:
    done = bench.run("load", "docker-image", "app:1", "--name", "mine")
    assert done.returncode == 1
    assert "There is no image app:1 in podman's store." in done.stderr


KIND_NODE = ["run", "--name", "lib-control-plane", "--label", "io.x-k8s.kind.role=control-plane", "--label"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([*KIND_NODE, "io.x-k8s.kind.cluster=lib", "-d", "kindest/node:v1"], ("lib", "kindest/node:v1")),
        (["run", "--label", "io.x-k8s.kind.role=worker", "--label", "io.x-k8s.kind.cluster=lib", "image"], ("", "")),
        (["run", "image"], ("", "")),
        (["ps"], ("", "")),
    ],
)
def test_a_cluster_that_a_library_creates_is_seen(bench: Bench, argv: list[str], expected: tuple[str, str]) -> None:
    assert NodeContainers(Podman(str(bench.state / "behind" / "podman")), bench.owner).created(argv) == expected


def test_a_cluster_that_a_library_deletes_is_seen(bench: Bench) -> None:
    nodes = NodeContainers(Podman(str(bench.state / "behind" / "podman")), bench.owner)
    assert nodes.removed(["rm", "-f", "-v", "mine-control-plane", "mine-worker"]) == ["mine"]
    assert nodes.removed(["rm", "-f", "else"]) == []
    assert nodes.removed(["ps", "mine-control-plane"]) == []
    assert (nodes.owns("mine"), nodes.owns("standing")) == (True, False)


def test_the_program_records_in_json(bench: Bench) -> None:
    # what the tests above build on: podman's stand-in speaks as podman does
    answer = subprocess.run([bench.state / "behind" / "podman", "ps", "--all"], capture_output=True, check=True)
    assert [item["Names"] for item in json.loads(answer.stdout)] == [["mine-control-plane"], ["standing-control-plane"]]
