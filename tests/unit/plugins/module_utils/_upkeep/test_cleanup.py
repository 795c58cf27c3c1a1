# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean-up with the real podman: containers that look like the nodes of clusters, images of services, files."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import TEMPORARY
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.record import RECORD_FORMAT, write_record
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import (
    CLUSTER,
    IMAGE,
    LeaseError,
    Leases,
    Resource,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner, start_of, this_run
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep import cleanup as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep.cleanup import (
    CleanupOutcome,
    CleanupRequest,
    clean_up,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep.made import Made, MadeCluster, MadeImages, find

MARK = f"unit-upkeep-{os.getpid()}"
ONE, TWO, FOREIGN = f"{MARK}-one", f"{MARK}-two", f"{MARK}-foreign"
IMAGE_NAME = f"localhost/{MARK}:base"


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Podman]:
    """Podman, with an image of a few bytes to make containers from."""
    folder = tmp_path_factory.mktemp("context")
    (folder / "Containerfile").write_text("FROM scratch\nCOPY Containerfile /\nCMD ['/none']\n")
    program = Podman()
    program.build(str(folder), tags=[IMAGE_NAME])
    yield program
    names = [item["Names"][0] for item in program.containers() if item["Names"][0].startswith(MARK)]
    if names:
        program.run("rm", "--force", *names, purpose="clean up")
    for record in program.images_with_label("coverage.kubernaut.io/service"):
        for name in record.get("Names") or []:
            if MARK in name:
                program.remove_image(name)
    program.remove_image(IMAGE_NAME)


def make_cluster(
    podman: Podman, cache: Path, name: str, *services: str, ours: bool = True, complete: bool = True
) -> None:
    """Make what there is of a cluster when its node is stopped, and the saved states of runs in it."""
    node = f"{name}-control-plane"
    label = f"io.x-k8s.kind.cluster={name}"
    podman.run(
        *["create", "--name", node, "--label", label, "--label", "io.x-k8s.kind.role=control-plane", IMAGE_NAME],
        purpose="make a node",
    )
    folder = cache / "clusters" / name
    folder.mkdir(parents=True)
    if ours:
        config = ClusterConfig.from_options(name=name, node_image=IMAGE_NAME)
        record = {
            "format": RECORD_FORMAT,
            "complete": complete,
            "config": config.canonical(),
            "config_hash": config.hash(),
            "kubeconfig": {"path": str(folder / "kubeconfig")},
        }
        # /kind is not in an image of one file
        podman.run("cp", str(cache), f"{node}:/kind", purpose="make the folder of the record")
        write_record(podman, node, record)
    for service in services:
        (folder / f"run-{service}.json").write_text("{}")


def make_image(podman: Podman, cache: Path, service: str) -> None:
    folder = cache / "instrumented_image" / service
    folder.mkdir(parents=True)
    (folder / "image.tar").write_bytes(b"x" * 1000)
    context = cache / f"context-{service}"
    context.mkdir()
    (context / "Containerfile").write_text(f"FROM scratch\nLABEL coverage.kubernaut.io/service={service}\n")
    podman.build(str(context), tags=[f"localhost/{service}:{MARK}"])


@pytest.fixture
def host(podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """Two clusters of ours and one of somebody else's; of three services, one ran in both clusters."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = tmp_path / "cache"
    cache.mkdir()
    make_cluster(podman, cache, ONE, f"{MARK}-a", f"{MARK}-b")
    make_cluster(podman, cache, TWO, f"{MARK}-b")
    make_cluster(podman, cache, FOREIGN, ours=False)
    for service in "abc":
        make_image(podman, cache, f"{MARK}-{service}")
    yield cache
    for name in (ONE, TWO, FOREIGN):
        podman.run("rm", "--force", "--ignore", f"{name}-control-plane", purpose="clean up")
    for service in "abc":
        podman.remove_image(f"localhost/{MARK}-{service}:{MARK}")


def only_ours(made: Made) -> tuple[set[str], set[str]]:
    """Return what is there of this test: other tests and people have clusters on this host, too."""
    clusters = {item.name.removeprefix(f"{MARK}-") for item in made.clusters if item.name.startswith(MARK)}
    images = {item.service.removeprefix(f"{MARK}-") for item in made.images if item.service.startswith(MARK)}
    return clusters, images


def cluster_of(name: str, *services: str, ours: bool = True) -> MadeCluster:
    return MadeCluster(name, ours, False, "running", "", [], list(services), 0.0)


@pytest.mark.parametrize(
    ("clusters", "services", "goes"),
    [
        (["one"], [], (["one"], ["a"])),  # b ran in the other cluster too
        (["two"], [], (["two"], [])),
        ([], ["b"], (["two"], ["b"])),
        (["one"], ["c"], (["one"], ["c"])),
        (["others"], [], ([], [])),
        (["foreign"], [], ([], [])),
    ],
    ids=["cluster", "shared", "service", "both", "unknown", "foreign"],
)
def test_only_what_is_named_goes(clusters: list[str], services: list[str], goes: tuple[list[str], list[str]]) -> None:
    made = Made(
        [cluster_of("one", "a", "b"), cluster_of("two", "b"), cluster_of("foreign", ours=False)],
        [MadeImages(service, [], "", 1, 0.0) for service in "abc"],
        [],
        [],
    )
    outcome = CleanupOutcome()
    request = CleanupRequest("/nowhere", "named", tuple(clusters), tuple(services))
    found = lib._named(request, made, outcome)
    assert ([item.name for item, _why in found[0]], [item.service for item, _why in found[1]]) == goes
    assert bool(outcome.unknown) == (clusters in (["others"], ["foreign"]))


def test_what_is_named_is_removed_and_nothing_else(host: Path, podman: Podman) -> None:
    request = CleanupRequest(str(host), "named", (ONE, f"{MARK}-tow", FOREIGN), (), wait=0)
    planned = clean_up(request, this_run(), check=True)
    assert only_ours(find(host, podman)) == ({"one", "two", "foreign"}, {"a", "b", "c"})
    outcome = clean_up(request, this_run())
    assert outcome.removed == planned.removed
    assert f"There is nothing here of a cluster {MARK}-tow. Did you mean {TWO}?" in outcome.unknown
    assert f"Cluster {FOREIGN} was not created by this collection and is kept." in outcome.unknown
    assert only_ours(find(host, podman)) == ({"two", "foreign"}, {"b", "c"})
    # archives go with the images, and nothing else does
    assert {path.name for path in (host / "instrumented_image").iterdir()} == {f"{MARK}-b", f"{MARK}-c"}
    assert clean_up(request, this_run()).removed == []


@pytest.fixture
def other_run() -> t.Iterator[Owner]:
    """A run of somebody else's that is under way."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        mine = this_run("other", "httpbin")
        started = start_of(process.pid) or 0
        yield Owner(mine.host, mine.boot, process.pid, started, "somebody", "other", "httpbin")


def test_what_a_run_uses_is_waited_for_and_stays(host: Path, podman: Podman, other_run: Owner) -> None:
    used = [Resource(CLUSTER, ONE, shared=True), Resource(IMAGE, f"{MARK}-a", shared=True)]
    Leases(host).take(other_run, used, wait=0)
    with pytest.raises(LeaseError, match=f"run other of httpbin .* has held cluster {ONE}"):
        clean_up(CleanupRequest(str(host), "named", (ONE,), wait=0), this_run())
    clean_up(CleanupRequest(str(host), "named", (TWO,), wait=0), this_run())
    assert only_ours(find(host, podman)) == ({"one", "foreign"}, {"a", "b", "c"})


def test_a_sweep_takes_what_is_unfinished_too_old_or_too_large_and_not_in_use(
    host: Path, podman: Podman, other_run: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = f"{MARK}-killed"
    make_cluster(podman, host, killed, complete=False)
    left = host.parent / f"{TEMPORARY}4194305-x"
    left.mkdir()
    mine = host.parent / f"{TEMPORARY}{os.getpid()}-x"
    mine.mkdir()
    half = host / "clusters" / ONE / ".kubeconfig.4194305-1.part"
    half.touch()
    # of other people's clusters on this host nothing is looked at
    monkeypatch.setattr(lib, "find", lambda *arguments: keep_ours(find(*arguments)))
    nothing = CleanupRequest(str(host), "unneeded")
    planned = clean_up(nothing, this_run(), check=True)
    assert {item["what"] for item in planned.removed} == {f"cluster {killed}", str(left), str(half)}
    assert clean_up(nothing, this_run()).removed == planned.removed
    assert clean_up(nothing, this_run()).removed == []
    assert mine.exists()
    Leases(host).take(other_run, [Resource(IMAGE, f"{MARK}-a", shared=True), Resource(CLUSTER, ONE, shared=True)])
    swept = clean_up(CleanupRequest(str(host), "unneeded", budget=1e-9, older_than=1e-9), this_run())
    assert {item["what"] for item in swept.kept} == {f"images of {MARK}-a", f"cluster {ONE}"}
    assert all("run other of httpbin" in item["reason"] for item in swept.kept)
    assert only_ours(find(host, podman)) == ({"one", "foreign"}, {"a"})


def keep_ours(made: Made) -> Made:
    clusters = [item for item in made.clusters if item.name.startswith(MARK)]
    images = [item for item in made.images if item.service.startswith(MARK)]
    return Made(clusters, images, made.remains, made.leases)


@pytest.mark.parametrize(
    "request_",
    [
        CleanupRequest("/nowhere", "named"),
        CleanupRequest("/nowhere", "all", older_than=1),
        CleanupRequest("/nowhere", "unneeded", budget=-1),
        CleanupRequest("/nowhere", "unneeded", older_than=float("nan")),
    ],
    ids=str,
)
def test_a_request_without_meaning_is_refused(request_: CleanupRequest) -> None:
    with pytest.raises(InputError):
        clean_up(request_, this_run())
