# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suites that bring their own cluster, with real clusters: one command each, and whatever goes wrong in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll

sys.path.append(str(Path(__file__).resolve().parent))

import stand_ins

ROOT = stand_ins.ROOT
SHOP = ROOT / "tests" / "fixtures" / "suite"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
CLUSTER = "suite-test"
LIMIT = 1800  # seconds for a suite with its cluster


@pytest.fixture(scope="session", autouse=True)
def images() -> t.Iterator[None]:
    """What stands in for images of registries."""
    made = stand_ins.make()
    yield
    stand_ins.remove(made)


@dataclass
class Run:
    """A run of the playbook: its exit code and output, and the folder of its results."""

    status: int
    output: str
    folder: Path

    def record(self) -> dict[str, t.Any]:
        """What is known of the suite."""
        return t.cast("dict[str, t.Any]", json.loads((self.folder / "suite.json").read_text(encoding="utf-8")))

    def component(self, name: str) -> dict[str, t.Any]:
        """The numbers of a component."""
        summary = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))
        return next(item for item in summary["components"] if item["name"] == name)

    def verdict(self) -> str:
        """The cause that the play ended with."""
        return self.output.rpartition("Cause: ")[2].split()[0]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the project, so that no run sees what another left."""
    return Path(shutil.copytree(SHOP, tmp_path / "shop"))


def arguments(folder: Path, results: Path, command: t.Sequence[str], variables: t.Mapping[str, t.Any]) -> list[str]:
    given = {
        "coverage_suite_dir": str(folder),
        "coverage_suite_command": list(command),
        "coverage_results_dir": str(results),
        "coverage_cache_dir": str(results / "cache"),
        **variables,
    }
    return [str(PLAYBOOK), str(ROOT / "playbooks" / "suite.yml"), "-e", json.dumps(given)]


def finished(folder: Path, results: Path, process: subprocess.Popen[str]) -> Run:
    output, _errors = process.communicate(timeout=LIMIT)
    runs = sorted(path for path in (results / folder.name).iterdir() if path.is_dir() and not path.is_symlink())
    return Run(process.returncode, output, runs[-1])


def start(folder: Path, *command: str, environment: t.Mapping[str, str] | None = None, **variables: t.Any) -> t.Any:
    results = folder.parent / "results"
    own = {"CLUSTER": CLUSTER, **(environment or {})}
    return subprocess.Popen(
        arguments(folder, results, command or ["make", "test-e2e"], {"coverage_suite_environment": own, **variables}),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def measure(folder: Path, *command: str, **options: t.Any) -> Run:
    """Run a suite through the playbook."""
    return finished(folder, folder.parent / "results", start(folder, *command, **options))


def clusters() -> list[str]:
    """The clusters of these tests that are there."""
    names = subprocess.run(
        ["podman", "ps", "--all", "--filter", "label=io.x-k8s.kind.cluster", "--format", "{{.Names}}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [name for name in names if name.startswith(CLUSTER)]


@pytest.fixture(autouse=True)
def nothing_is_left() -> t.Iterator[None]:
    """Whatever a suite does, no cluster of it is left, and the user's kubeconfig is as it was."""
    kubeconfig = Path("~/.kube/config").expanduser()
    before = kubeconfig.read_bytes() if kubeconfig.exists() else None
    yield
    assert clusters() == []
    assert (kubeconfig.read_bytes() if kubeconfig.exists() else None) == before


def test_every_process_run_of_a_suite_is_counted(shop: Path) -> None:
    """A restricted namespace, a crash, an init container of some milliseconds, an image that is always pulled."""
    run = measure(shop, environment={"SPECS": "orders crashed always"})
    assert run.status == 0, run.output
    # all but the branch for an order without an item
    assert (run.component("shop")["covered"], run.component("shop")["statements"]) == (14, 16)
    assert run.component("shop-setup")["percent"] == 100.0
    found = [(item["component"], item["exit_code"], item["written"]) for item in run.record()["process_runs"]]
    assert sorted(found) == [("shop", 0, True), ("shop", 3, True), ("shop-setup", 0, True)]
    assert [item["ended"] for item in run.record()["clusters"]] == ["deleted by the suite"]
    assert not (run.folder / "evidence").exists()


def test_a_suite_that_waits_in_vain_is_ended_with_the_cause(shop: Path) -> None:
    run = measure(shop, environment={"SPECS": "orders stuck"}, e2e_suite_on_hopeless="stop", e2e_suite_grace=20)
    assert run.status == 2
    assert "shop:forgotten" in run.output
    assert "The suite was ended because waiting cannot help" in run.output
    # the program that worked before has its counters all the same
    assert run.component("shop")["covered"] > 0
    assert (run.folder / "evidence" / CLUSTER / "shop" / "README.txt").exists()


def test_a_suite_that_fails_and_leaves_its_cluster_is_reported_and_cleaned_up(shop: Path) -> None:
    run = measure(shop, environment={"SPECS": "orders fails"})
    assert (run.status, run.verdict()) == (2, "tests-failed")
    assert run.component("shop")["covered"] > 0
    assert [item["ended"] for item in run.record()["clusters"]] == ["deleted after the suite, which left it"]
    assert (run.folder / "evidence" / CLUSTER / "shop" / "README.txt").exists()


def test_two_clusters_with_a_kubeconfig_elsewhere(shop: Path) -> None:
    script = (
        f"make test-e2e CLUSTER={CLUSTER}-a CLEAN_UP= && make test-e2e CLUSTER={CLUSTER}-b && kind delete clusters -A"
    )
    run = measure(shop, "sh", "-c", script, environment={"KUBECONFIG": str(shop / "elsewhere")})
    assert run.status == 0, run.output
    assert [item["name"] for item in run.record()["clusters"]] == [f"{CLUSTER}-a", f"{CLUSTER}-b"]
    assert len({item["cluster"] for item in run.record()["process_runs"] if item["component"] == "shop"}) == 2


def test_a_command_that_creates_no_cluster(shop: Path) -> None:
    run = measure(shop, "true")
    assert (run.status, run.verdict()) == (2, "suite-without-cluster")


def test_a_suite_that_its_own_time_limit_ends(shop: Path) -> None:
    script = "make create-cluster load deploy orders && exec timeout 2 sleep 60"
    run = measure(shop, "sh", "-c", script)
    assert (run.status, run.verdict()) == (2, "tests-failed")
    assert run.component("shop")["covered"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_still_brings_its_counters_home(shop: Path, number: signal.Signals) -> None:
    process = start(shop, "sh", "-c", "make create-cluster load deploy orders && echo specs begin && exec sleep 600")
    log = shop.parent / "results" / "shop"
    for _waited in poll(1.0, timeout=LIMIT):
        if any("specs begin" in path.read_text(errors="replace") for path in log.glob("*/e2e-tests.log")):
            break
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    folder = next(path.parent for path in log.glob("*/e2e-tests.log"))
    for _waited in poll(1.0, timeout=LIMIT):
        if (folder / "processes-suite.json").exists():
            break
    assert list((folder / "coverdata" / "shop").rglob("covcounters.*"))
    assert [path.parent.name for path in (folder / "evidence").rglob("README.txt")] == ["shop"]


KUBEBUILDER = "sigs.k8s.io/kubebuilder/v4@v4.16.0"
OPERATOR = "suite-test-operator"


def test_a_kubebuilder_project_as_its_cli_makes_it(tmp_path: Path) -> None:
    """Input that nobody here wrote: one API, the scaffolded suite, nothing changed; a number for its manager."""
    tools, project = tmp_path / "tools", tmp_path / OPERATOR
    project.mkdir()

    def run(*argv: str, **environment: str) -> None:
        subprocess.run(argv, check=True, cwd=project, env={**os.environ, **environment}, timeout=LIMIT)

    run("go", "install", KUBEBUILDER, GOBIN=str(tools))
    run(str(tools / "kubebuilder"), "init", "--domain=example.com", f"--repo=example.com/{OPERATOR}")
    run(
        str(tools / "kubebuilder"),
        "create",
        "api",
        "--group=shop",
        "--version=v1",
        "--kind=Order",
        "--resource",
        "--controller",
    )
    # what the suite would download within its own time limits
    run("make", "controller-gen", "kustomize")
    run("go", "vet", "./...")
    # cert-manager's manifest is on a host that may be out of reach; the scaffold has a switch for that
    given = {
        "KIND_CLUSTER": f"{CLUSTER}-kubebuilder",
        "CERT_MANAGER_INSTALL_SKIP": "true",
        # its `go test` also compiles the image without a cache, which takes two processors longer than Go's ten minutes
        "GOFLAGS": "-timeout=30m",
    }
    found = measure(project, environment=given)
    assert found.status == 0, found.output
    manager = found.component(f"{OPERATOR}-controller-manager")
    assert manager["covered"] > 0
    assert manager["percent"] is not None
    # the pod may be gone before its exit code is read; that it wrote its counters says that it ended well
    assert [item["written"] for item in found.record()["process_runs"]] == [True]
