# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a healthy cluster does not show: nodes that are late, stopped or full, and answers of other containerds.

The scenario molecule/instrumented_image loads into a real cluster. Here a small program in podman's place gives the
answers that podman, ctr and containerd gave there (recorded), or that their documentation shows for other shapes.
"""

from __future__ import annotations

import json
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import (
    LoadOutcome,
    LoadRequest,
    Node,
    load_on_nodes,
    nearest_names,
)

REFERENCE = "localhost/app:1"
MANIFEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
FOREIGN = "arm64" if host_architecture() == "amd64" else "amd64"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# It reads answers.json: "ps", or the arguments after exec, to a list of answers [exit code, output] that are given one
# after the other, the last one for ever.
PROGRAM = """\
    #!{python}
    import fcntl, json, pathlib, sys
    folder = pathlib.Path({folder!r})
    words = sys.argv[1:]
    key = "ps" if words[0] == "ps" else " ".join(words[words.index("exec") + 1:]).replace("--interactive ", "")
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads((folder / "answers.json").read_text())
        with open(folder / "calls", "a") as calls:
            calls.write(key + "\\n")
        answers = state[key]
        code, output = answers[0]
        if len(answers) > 1:
            answers.pop(0)
        (folder / "answers.json").write_text(json.dumps(state))
    if "images import" in key:
        sys.stdin.buffer.read()
    (sys.stdout if code == 0 else sys.stderr).write(output)
    sys.exit(code)
"""

LIST = "n1 ctr --namespace k8s.io images ls"
IMPORT = "n1 ctr --namespace k8s.io images import --all-platforms --snapshotter overlayfs -"
DUMP = "n1 containerd config dump"
DOWN = [1, 'ctr: failed to dial "/run/containerd/containerd.sock": context deadline exceeded']
CONTAINERD_1 = textwrap.dedent(
    """\
    [plugins]
      [plugins."io.containerd.grpc.v1.cri".containerd]
        default_runtime_name = "runc"
        snapshotter = "%s"
      [plugins."io.containerd.grpc.v1.cri".containerd.default_runtime]
        snapshotter = ""
    """
)
CONTAINERD_2 = textwrap.dedent(
    """\
    [plugins]
      [plugins.'io.containerd.cri.v1.images']
        snapshotter = '%s'
        disable_snapshot_annotations = true
      [plugins.'io.containerd.cri.v1.images'.pinned_images]
        sandbox = 'registry.k8s.io/pause:3.10.1'
    """
)


def content(digest: str, node: str = "n1") -> str:
    return f"{node} ctr --namespace k8s.io content get {digest}"


def manifest(identity: str) -> list[t.Any]:
    kind = "application/vnd.docker.container.image.v1+json"
    return [
        0,
        json.dumps({"schemaVersion": 2, "config": {"mediaType": kind, "digest": f"sha256:{identity}", "size": 1}}),
    ]


def table(**images: str) -> list[t.Any]:
    lines = ["REF                    TYPE                                        DIGEST   SIZE  PLATFORMS   LABELS"]
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    for name, digest in images.items():
        lines.append(f"{name}   {kind} {digest} 12.3 MiB linux/amd64 io.cri-containerd.image=managed ")
    return [0, "\n".join(lines) + "\n"]


def nodes(**states: str) -> list[t.Any]:
    labels = {"io.x-k8s.kind.cluster": "c", "io.x-k8s.kind.role": "worker"}
    balancer = {
        "Names": ["c-lb"],
        "State": "exited",
        "Labels": {**labels, "io.x-k8s.kind.role": "external-load-balancer"},
    }
    return [
        0,
        json.dumps(
            [balancer, *({"Names": [name], "State": state, "Labels": labels} for name, state in states.items())]
        ),
    ]


class Cluster:
    """A program in podman's place, and an archive to load."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "podman"
        self.program.write_text(
            textwrap.dedent(PROGRAM).format(python=sys.executable, folder=str(folder)), encoding="utf-8"
        )
        self.program.chmod(0o755)
        (folder / "binary").write_bytes(b"\x7fELF")
        self.archive = str(folder / "image.tar")
        self.identity = self.write(host_architecture())
        self.present = {REFERENCE: MANIFEST, f"sha256:{self.identity}": MANIFEST}

    def write(self, architecture: str) -> str:
        return write_image(self.archive, NewImage(REFERENCE, str(self.folder / "binary"), "app", architecture))

    def answers(self, **answers: t.Any) -> None:
        known = {"ps": [nodes(n1="running")], DUMP: [[0, CONTAINERD_1 % "overlayfs"]], "n1 uname -m": [[0, "x86_64\n"]]}
        (self.folder / "answers.json").write_text(json.dumps({**known, **answers}), encoding="utf-8")
        (self.folder / "calls").write_text("", encoding="utf-8")

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    def load(self, *, check: bool = False, **changes: t.Any) -> LoadOutcome:
        request = {"archive": self.archive, "reference": REFERENCE, "cluster": "c", "timeout": 120.0, **changes}
        return load_on_nodes(LoadRequest(podman=str(self.program), **request), check=check)

    def failure(self, **changes: t.Any) -> CoverageError:
        with pytest.raises(CoverageError) as caught:
            self.load(**changes)
        return caught.value


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_a_node_that_has_it_is_asked_once(cluster: Cluster) -> None:
    cluster.answers(**{LIST: [table(**cluster.present)]})
    outcome = cluster.load()
    assert not outcome.changed
    assert [(node.name, node.present_before, node.loaded, node.id) for node in outcome.nodes] == [
        ("n1", True, False, cluster.identity)
    ]
    assert cluster.calls() == ["ps", LIST]


def test_the_same_name_with_another_id_is_loaded_over(cluster: Cluster) -> None:
    stale = table(**{REFERENCE: OTHER, "sha256:" + "c" * 64: OTHER})
    cluster.answers(**{LIST: [stale, table(**cluster.present)], IMPORT: [[0, ""]]})
    outcome = cluster.load()
    assert outcome.changed
    assert outcome.nodes[0].id == cluster.identity
    assert cluster.calls() == ["ps", LIST, DUMP, IMPORT, LIST]


def test_check_mode_loads_nothing(cluster: Cluster) -> None:
    cluster.answers(**{LIST: [table(**{REFERENCE: OTHER, "sha256:" + "c" * 64: OTHER})]})
    outcome = cluster.load(check=True)
    assert (outcome.changed, outcome.nodes[0].loaded, outcome.nodes[0].id) == (True, True, "c" * 64)
    assert cluster.calls() == ["ps", LIST]


def test_the_manifest_tells_the_id_where_no_name_does(cluster: Cluster) -> None:
    cluster.answers(**{LIST: [table(**{REFERENCE: MANIFEST})], content(MANIFEST): [manifest(cluster.identity)]})
    assert not cluster.load().changed


def test_an_index_is_followed_to_the_nodes_own_platform(cluster: Cluster) -> None:
    def entry(digest: str, architecture: str) -> dict[str, t.Any]:
        return {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}

    index = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry("sha256:" + "d" * 64, FOREIGN), entry(OTHER, host_architecture())],
    }
    cluster.answers(
        **{
            LIST: [table(**{REFERENCE: MANIFEST})],
            content(MANIFEST): [[0, json.dumps(index)]],
            content(OTHER): [manifest(cluster.identity)],
            "n1 uname -m": [[0, f"{MACHINES[host_architecture()]}\n"]],
        }
    )
    assert not cluster.load().changed


def test_a_name_without_its_content_is_loaded_again(cluster: Cluster) -> None:
    gone = [1, f"ctr: content digest {MANIFEST}: not found"]
    listed = [table(**{REFERENCE: MANIFEST}), table(**cluster.present)]
    cluster.answers(**{LIST: listed, content(MANIFEST): [gone], IMPORT: [[0, ""]]})
    assert cluster.load().changed


def test_a_cluster_that_still_starts_is_waited_for(cluster: Cluster) -> None:
    cluster.answers(
        **{
            "ps": [nodes(), nodes(n1="created"), nodes(n1="running", n2="created"), nodes(n1="running", n2="running")],
            LIST: [DOWN, DOWN, table(**cluster.present)],
            LIST.replace("n1", "n2"): [DOWN, table(**cluster.present)],
        }
    )
    outcome = cluster.load(node_count=2)
    assert [node.name for node in outcome.nodes] == ["n1", "n2"]
    assert cluster.calls().count("ps") == 4


@pytest.mark.parametrize(
    ("states", "changes", "cause", "says"),
    [
        ({}, {}, "cluster-missing", "There is no kind cluster c"),
        ({"n1": "running"}, {"cluster": "", "nodes": ("n2",)}, "node-missing", "There is no node n2"),
        ({"n1": "running", "n2": "exited"}, {}, "node-not-running", "Node n2 is not running: its container is exited"),
        ({"n1": "running"}, {"node_count": 2, "timeout": 0.3}, "node-not-running", "1 running nodes of 2 after 0.3 s"),
        (
            {"n1": "running"},
            {"nodes": ("n1",)},
            "bad-input",
            "on the nodes of a cluster or on a list of nodes, not both",
        ),
        ({"n1": "running"}, {"reference": "localhost/app:2"}, "bad-archive", "does not contain image localhost/app:2"),
        ({"n1": "running"}, {"image_id": "f" * 64}, "bad-archive", "does not contain the image expected as"),
    ],
)
def test_what_stops_it_before_anything_is_loaded(
    cluster: Cluster, states: dict[str, str], changes: dict[str, t.Any], cause: str, says: str
) -> None:
    cluster.answers(**{"ps": [nodes(**states)]})
    error = cluster.failure(**changes)
    assert error.cause == cause
    assert says in error.message
    assert not [call for call in cluster.calls() if call != "ps"]


def test_a_containerd_that_never_answers_is_bounded(cluster: Cluster) -> None:
    cluster.answers(**{LIST: [DOWN]})
    error = cluster.failure(timeout=0.5)
    assert error.cause == "containerd-not-answering"
    assert any("containerd.sock" in line for line in error.evidence)


def test_a_foreign_image_is_refused_before_it_is_loaded(cluster: Cluster) -> None:
    cluster.write(FOREIGN)
    machine = MACHINES[host_architecture()]
    cluster.answers(**{LIST: [table()], "n1 uname -m": [[0, f"{machine}\n"]]})
    error = cluster.failure()
    assert error.cause == "wrong-architecture"
    assert f"is for {FOREIGN}; node n1 is {host_architecture()}" in error.message
    assert IMPORT not in cluster.calls()


REMOVE = f"n1 ctr --namespace k8s.io images rm --sync {REFERENCE}"


def test_half_an_image_is_removed_and_imported_again(cluster: Cluster) -> None:
    broken = [1, "ctr: failed to extract layer sha256:1: wrong diff id calculated on extraction"]
    after = table(**{REFERENCE: MANIFEST, f"sha256:{cluster.identity}": MANIFEST})
    cluster.answers(**{LIST: [table(), after], IMPORT: [broken, [0, ""]], REMOVE: [[0, ""]]})
    assert cluster.load().changed
    calls = [call for call in cluster.calls() if call in (IMPORT, REMOVE)]
    assert calls == [IMPORT, REMOVE, IMPORT]


def test_what_cannot_be_imported_is_not_left_on_the_node(cluster: Cluster) -> None:
    broken = [1, "ctr: failed to extract layer sha256:1: wrong diff id calculated on extraction"]
    cluster.answers(**{LIST: [table()], IMPORT: [broken], REMOVE: [[0, ""]], "n1 df -h /var/lib/containerd": [[0, ""]]})
    assert cluster.failure().cause == "image-import-failed"
    assert [call for call in cluster.calls() if call in (IMPORT, REMOVE)] == [IMPORT, REMOVE, IMPORT, REMOVE]


def test_a_damaged_archive_does_not_reach_a_node(cluster: Cluster) -> None:
    content = bytearray(Path(cluster.archive).read_bytes())
    content[content.index(b"\x7fELF")] ^= 1
    Path(cluster.archive).write_bytes(content)
    cluster.answers(**{LIST: [table()]})
    error = cluster.failure()
    assert error.cause == "bad-archive"
    assert "is damaged: layer " in error.message
    assert IMPORT not in cluster.calls()


def test_a_failed_import_shows_the_free_space(cluster: Cluster) -> None:
    full = [1, "ctr: failed to ingest: write /var/lib/containerd/x: no space left on device"]
    space = [0, "Filesystem Size Used Avail Use% Mounted on\noverlay 10G 10G 0 100% /var/lib/containerd\n"]
    cluster.answers(**{LIST: [table()], IMPORT: [full], "n1 df -h /var/lib/containerd": [space]})
    error = cluster.failure()
    assert error.cause == "image-import-failed"
    assert any("no space left" in line for line in error.evidence)
    assert any("100%" in line for line in error.evidence)


def test_a_name_that_is_not_there_after_the_load_names_the_nearest(cluster: Cluster) -> None:
    near = table(**{"docker.io/library/app:1": MANIFEST, "localhost/app:0": OTHER, "registry.k8s.io/pause:3": OTHER})
    cluster.answers(**{LIST: [table(), near], IMPORT: [[0, ""]]})
    error = cluster.failure()
    assert error.cause == "image-not-on-node"
    assert "the nearest names are docker.io/library/app:1, localhost/app:0" in error.message
    assert "pause" not in error.message


def test_a_name_that_means_another_image_after_the_load_is_said(cluster: Cluster) -> None:
    stale = table(**{REFERENCE: OTHER, "sha256:" + "c" * 64: OTHER})
    cluster.answers(**{LIST: [stale], IMPORT: [[0, ""]]})
    error = cluster.failure()
    assert error.cause == "image-not-on-node"
    assert f"means image {'c' * 12} there instead of {cluster.identity[:12]}" in error.message


@pytest.mark.parametrize(
    ("dump", "name"),
    [
        (CONTAINERD_1 % "native", "native"),
        (CONTAINERD_2 % "fuse-overlayfs", "fuse-overlayfs"),
        ("version = 2\n", "overlayfs"),
    ],
)
def test_the_snapshotter_is_kubernetes_own(cluster: Cluster, dump: str, name: str) -> None:
    cluster.answers(**{DUMP: [[0, dump]]})
    assert Node(Podman(str(cluster.program)), "n1").snapshotter() == name


@pytest.mark.parametrize(
    ("reference", "first"),
    [
        ("app:1", "localhost/app:1"),
        ("localhost/app:2", "localhost/app:1"),
        ("quay.io/team/gateway:x", "localhost/gateway:x"),
        ("localhost/gatewey:x", "localhost/gateway:x"),
    ],
)
def test_nearest_names(reference: str, first: str) -> None:
    there = ["registry.k8s.io/pause:3", "localhost/gateway:x", "localhost/app:1", "sha256:" + "1" * 64]
    assert nearest_names(reference, there)[0] == first


def test_nothing_is_near() -> None:
    assert nearest_names("localhost/app:1", ["registry.k8s.io/pause:3", "sha256:" + "1" * 64]) == []
