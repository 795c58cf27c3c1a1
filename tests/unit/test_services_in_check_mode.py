# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The six services whose sources are not in reach, in check mode, over a tree that has what their contracts name.

It shows what would be built, the clusters, and the patches of the workloads, and changes nothing. The tree is the
fixture of kubernaut's shape, which has DataStorage, with stand-ins for the rest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import service_pages
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = """\
FROM registry.access.redhat.com/ubi9/go-toolset:1.25 AS builder
ARG GOFLAGS=""
COPY . .
RUN GOFLAGS="${{GOFLAGS}}" go build -o program ./cmd/{service}
FROM registry.access.redhat.com/ubi9/ubi-minimal:latest
COPY --from=builder /opt/app-root/src/program /program
USER 1001
ENTRYPOINT ["/program"]
"""
PROVED = ("datastorage", "notification")  # by molecule/notification, in a cluster
OWN = ("httpbin", "postgres-exporter")
CONTRACTS = service_pages.contracts()
SERVICES = sorted(set(CONTRACTS).difference(PROVED, OWN))


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))


def definition(plural: str) -> dict[str, t.Any]:
    """A CustomResourceDefinition of kubernaut's group that takes anything."""
    kind = plural.removesuffix("s").capitalize()
    names = {"plural": plural, "singular": plural.removesuffix("s"), "kind": kind, "listKind": f"{kind}List"}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kubernaut.ai"},
        "spec": {"group": "kubernaut.ai", "scope": "Namespaced", "names": names, "versions": [version]},
    }


def add_service(tree: Path, service: str) -> None:
    """Write what the contract of a service names: its Containerfile, program, tests and manifests."""
    contract = CONTRACTS[service]
    workload = contract["workload"]
    labels = {"app": workload["name"]}
    container = {"name": workload["container"], "image": f"quay.io/jordigilh/{service}:latest"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    write(tree / contract["source"]["containerfile"], CONTAINERFILE.format(service=service))
    write(tree / "cmd" / service / "main.go", "package main\n\nfunc main() {}\n")
    write(tree / contract["tests"]["command"][-1] / "suite_test.go", f"package {service}\n")
    write(
        tree / workload["manifests"][0],
        {
            "apiVersion": "apps/v1",
            "kind": workload["kind"],
            "metadata": {"name": workload["name"]},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    )
    for dependency in (contract.get("dependencies") or {}).values():
        for name in dependency.get("manifests", []):
            if not (tree / name).exists():
                write(tree / name, definition(Path(name).stem.partition("_")[2]))


class Checked(t.NamedTuple):
    """All services in check mode: the folder of everything, the tree of sources, what was shown, the exit code."""

    home: Path
    tree: Path
    shown: str
    returncode: int


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """One run for all services: each start of ansible-playbook packs every module again, which takes most of a run."""
    home = tmp_path_factory.mktemp("checked")
    tree = home / "tree"
    shutil.copytree(ROOT / "tests" / "fixtures" / "kubernaut", tree)
    source = {"source": {"dir": str(tree)}}
    services: dict[str, dict[str, t.Any]] = {"datastorage": source}
    for service in SERVICES:
        add_service(tree, service)
        services[service] = dict(source)
    # Tekton's manifest is on a server that is not in reach here
    definitions = CONTRACTS["workflowexecution"]["dependencies"]["crds"]["manifests"]
    services["workflowexecution"]["dependencies"] = {"tekton": {"urls": [], "manifests": definitions}}
    overrides = {
        "coverage_services": services,
        "coverage_all_services": SERVICES,
        "coverage_results_dir": str(home / "results"),
    }
    write(home / "overrides.yml", overrides)
    answer = subprocess.run(
        [
            *[str(Path(sys.executable).parent / "ansible-playbook"), str(ROOT / "playbooks" / "all.yml")],
            *["--check", "--diff", "-e", f"@{home / 'overrides.yml'}"],
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Checked(home, tree, answer.stdout, answer.returncode)


def test_check_mode_changes_nothing(checked: Checked) -> None:
    assert checked.returncode == 0, checked.shown[-3000:]
    assert "Check mode: nothing was changed." in checked.shown
    assert not (checked.home / "results").exists()


@pytest.mark.parametrize("service", SERVICES)
def test_check_mode_shows_what_would_be_done(service: str, checked: Checked) -> None:
    contract = CONTRACTS[service]
    shown = checked.shown
    assert f"--file {checked.tree / contract['source']['containerfile']}" in shown
    assert f'+  "name": "{contract["cluster"]["name"]}"' in shown
    for mapping in contract["cluster"].get("port_mappings", []):
        assert f'"host_port": {mapping["host_port"]},' in shown
    workload = contract["workload"]
    assert f"+++ after: {workload['kind']} {workload['namespace']}/{workload['name']}" in shown
    assert f"image: localhost/{service}:coverage-to-be-built" in shown
