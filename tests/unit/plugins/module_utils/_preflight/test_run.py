# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole preflight on this host: what applies, what follows from what, and how long it takes."""

from __future__ import annotations

import shutil
import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import BuildRequest as ImageRequest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import ImageSource
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import run as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    CHECKS,
    ERROR,
    GROUPS,
    NOT_APPLICABLE,
    NOT_CHECKED,
    OK,
    Finding,
    verdict,
)

BROKEN = Path(__file__).resolve().parents[5] / "extensions" / "molecule" / "preflight" / "broken"
WORKLOAD = {
    "namespace": "gateway-e2e",
    "kind": "Deployment",
    "name": "gateway",
    "container": "gateway",
    "objects": [],
    "manifests": ["deploy/gateway.yaml", "deploy/config.yaml", "deploy/service.yaml"],
    "dir": str(BROKEN),
}
NO_HOST = tuple(group for group in GROUPS if group != "host")
needs_podman = pytest.mark.skipif(not shutil.which("podman"), reason="no podman here")


def broken(cache: Path, **rest: t.Any) -> lib.Request:
    """The checkout on which everything is wrong."""
    image = ImageRequest(
        service="gateway",
        source=ImageSource(dir=str(BROKEN), containerfile="docker/gateway.Containerfile"),
        cache_dir=str(cache),
    )
    values = {"image": image, "workload": WORKLOAD, "groups": NO_HOST, **rest}
    return lib.Request(cache_dir=str(cache), **values)


def by_check(found: t.Sequence[Finding]) -> dict[str, list[Finding]]:
    return {name: [item for item in found if item.check == name] for name in CHECKS}


def test_what_is_not_described_is_not_applicable(tmp_path: Path) -> None:
    found = lib.preflight(lib.Request(cache_dir=str(tmp_path), groups=[*NO_HOST]))
    assert {item.state for item in found} == {NOT_APPLICABLE, NOT_CHECKED}
    assert {item.check for item in found} == {name for name in CHECKS if CHECKS[name] != "host"}


@needs_podman
def test_every_check_answers_on_this_host(tmp_path: Path) -> None:
    found = lib.preflight(lib.Request(cache_dir=str(tmp_path), disk_gib=0))
    assert {item.check for item in found} == set(CHECKS)
    assert verdict(found) is None


@needs_podman
def test_everything_that_is_wrong_is_told_at_once_and_fast(tmp_path: Path) -> None:
    found = by_check(lib.preflight(broken(tmp_path)))
    wrong = {name for name, items in found.items() if any(item.state == ERROR for item in items)}
    assert wrong == {"goflags", "goarch", "sigterm", "image-user", "references", "probes"}
    lines = {item.where for name in ("goflags", "sigterm", "probes") for item in found[name]}
    assert lines == {
        "docker/gateway.Containerfile:13",
        "docker/gateway.Containerfile:26",
        "deploy/gateway.yaml:23",
    }
    assert {item.state for item in found["nodes"]} == {NOT_APPLICABLE}
    assert list(tmp_path.iterdir()) == []


@needs_podman
def test_what_may_be_in_a_standing_cluster_is_no_error(tmp_path: Path) -> None:
    # no cluster is described: nobody can tell what it holds
    found = by_check(lib.preflight(broken(tmp_path)))["references"]
    assert "It must exist in the cluster beforehand." in {item.remedy for item in found}
    new = {"name": "preflight-unit-none", "node_image": "localhost/kindest/node:v1.34.4"}
    found = by_check(lib.preflight(broken(tmp_path, cluster=new)))["references"]
    assert {item.cause for item in found if "Secret" in item.text} == {"reference-unresolved"}


def test_a_source_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    image = ImageRequest("x", ImageSource(dir=str(tmp_path / "none"), containerfile="Containerfile"), str(tmp_path))
    found = lib.preflight(lib.Request(cache_dir=str(tmp_path), image=image, groups=NO_HOST))
    assert [(item.check, item.cause) for item in found if item.state == ERROR] == [("source", "dir-missing")]
    assert all(item.state == NOT_CHECKED for item in found if CHECKS[item.check] == "Containerfile")


def test_a_stage_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM scratch AS one\n", encoding="utf-8")
    image = ImageRequest(
        "x", ImageSource(dir=str(tmp_path), containerfile="Containerfile", target="two"), str(tmp_path)
    )
    found = by_check(lib.preflight(lib.Request(cache_dir=str(tmp_path), image=image, groups=["Containerfile"])))
    assert found["containerfile"][0].cause == "containerfile-target"
    assert "it has one" in found["containerfile"][0].text


def test_without_podman_one_error_is_told_and_not_ten(tmp_path: Path) -> None:
    cluster = {
        "name": "none",
        "node_image": "localhost/none:1",
        "port_mappings": [{"container_port": 30080, "host_port": 39999}],
    }
    request = lib.Request(
        cache_dir=str(tmp_path), cluster=cluster, podman=str(tmp_path / "podman"), groups=["host", "nodes"], disk_gib=0
    )
    found = lib.preflight(request)
    assert [(item.check, item.cause) for item in found if item.state == ERROR] == [("podman", "command-not-found")]
    assert {item.text for item in found if item.check in ("ports", "cluster", "nodes")} == {"see podman"}


def test_a_cluster_that_cannot_be_is_told_once(tmp_path: Path) -> None:
    cluster = {"name": "Not A Name", "node_image": "x"}
    found = [
        item for item in lib.preflight(lib.Request(cache_dir=str(tmp_path), cluster=cluster)) if item.state == ERROR
    ]
    assert [item.check for item in found if item.check in ("cluster", "ports", "node-image", "mounts")] == ["cluster"]
    assert found[-1].setting == "cluster.name"


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'goarch'"):
        lib.preflight(lib.Request(cache_dir=str(tmp_path), skip=["goarchh"]))
    with pytest.raises(InputError, match="no group"):
        lib.preflight(lib.Request(cache_dir=str(tmp_path), groups=["hosts"]))


def test_the_path_of_the_tests_is_searched(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ginkgo-of-mine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    tests = {"command": ["ginkgo-of-mine"], "environment": {"PATH": str(program.parent)}}
    found = by_check(lib.preflight(lib.Request(cache_dir=str(tmp_path), tests=tests, groups=["source"])))
    assert found["tests"][0].state == OK
    tests = {"command": ["ginkgo-of-mine"], "environment": {"PORT": 1}}
    found = by_check(lib.preflight(lib.Request(cache_dir=str(tmp_path), tests=tests, groups=["source"])))
    assert found["tests"][0].cause == "tests-command-missing"


@needs_podman
def test_leaving_errors_out_lets_a_run_go_on(tmp_path: Path) -> None:
    skip = ["goflags", "goarch", "sigterm", "image-user", "references", "service-account", "probes"]
    found = lib.preflight(broken(tmp_path, skip=skip))
    assert verdict(found) is None
    assert {item.check for item in found if "preflight_skip" in item.text} == set(skip)


@needs_podman
def test_a_name_without_an_archive_is_looked_for_on_the_nodes_all_the_same(tmp_path: Path) -> None:
    built = {"reference": "localhost/preflight-unit:none", "archive": "", "id": ""}
    request = lib.Request(cache_dir=str(tmp_path), built=built, nodes=["preflight-unit-no-node"], groups=["nodes"])
    found = by_check(lib.preflight(request))["image-on-nodes"][0]
    # podman has no such node, and says so: the question was asked
    assert (found.state, "preflight-unit-no-node" in found.text) == (ERROR, True)


def test_what_kustomize_makes_is_checked_and_built_once(tmp_path: Path) -> None:
    folder, calls = tmp_path / "source" / "config" / "e2e", tmp_path / "calls"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    (folder / "all.yaml").write_text((BROKEN / "deploy" / "gateway.yaml").read_text())
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ncat "$2/all.yaml"\n')
    kubectl.chmod(0o755)
    workload = {**WORKLOAD, "manifests": ["config/e2e"], "dir": str(tmp_path / "source")}
    request = lib.Request(cache_dir=str(tmp_path), workload=workload, groups=["manifests"], kubectl=str(kubectl))
    found = by_check(lib.preflight(request))
    assert [item.state for item in found["manifests"]] == [OK]
    assert [item.where for item in found["probes"] if item.state == ERROR] == ["config/e2e"]
    assert calls.read_text().splitlines() == [f"kustomize {folder}"]


def test_a_url_that_does_not_answer_is_one_error_of_the_manifests(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/deploy.yaml"
        workload = {**WORKLOAD, "manifests": [], "urls": [{"url": url, "checksum": f"sha256:{'0' * 64}"}]}
        found = lib.preflight(lib.Request(cache_dir=str(tmp_path), workload=workload, groups=["manifests"]))
    errors = [item for item in found if item.state == ERROR]
    assert [(item.check, item.cause) for item in errors] == [("manifests", "manifest-unreachable")]
    assert url in errors[0].text
    assert len(errors[0].evidence) == 3
    assert [item.state for item in by_check(found)["workload"]] == [NOT_CHECKED]
