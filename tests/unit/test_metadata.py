# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of itself, held against what is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__")
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))


def tracked() -> list[Path]:
    """The files that git knows or would know."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in filter(None, listing.split("\0")) if (path := ROOT / name).is_file()]


def texts() -> t.Iterator[tuple[str, str]]:
    """Name and content of each text file."""
    for path in tracked():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # coverage data and images among the fixtures


@pytest.fixture(scope="module")
def documentation() -> dict[str, t.Any]:
    """What ansible-doc finds in the modules, by short name."""
    names = [f"kubernaut.coverage.{name}" for name in MODULES]
    output = subprocess.run(
        [BIN / "ansible-doc", "--type", "module", "--json", *names],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"},
    ).stdout
    return {name.rpartition(".")[2]: content for name, content in json.loads(output).items()}


# ---- requirements and versions ----


def requirement_lines(name: str) -> list[str]:
    """The requirements of a file without its comments."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_an_execution_environment_gets_the_same_requirements() -> None:
    environment = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text(encoding="utf-8"))
    assert requirement_lines(environment["dependencies"]["python"]) == requirement_lines("requirements.txt")
    assert (ROOT / environment["dependencies"]["system"]).is_file()


@pytest.mark.parametrize("line", requirement_lines("requirements.txt"))
def test_requirements_have_lower_bounds_and_no_ansible(line: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[0-9.]+", line)
    assert not line.lower().startswith("ansible")


@pytest.mark.parametrize("line", requirement_lines("test-requirements.txt"))
def test_development_tools_are_pinned(line: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9.]+", line)


def test_every_foreign_library_of_the_plugins_is_a_requirement() -> None:
    known = {re.split(r"[>=<]", line)[0].lower() for line in requirement_lines("requirements.txt")}
    # kubernetes brings urllib3 and websocket-client; ansible brings itself
    modules = {
        "yaml": "pyyaml",
        "urllib3": "kubernetes",
        "websocket": "kubernetes",
        "ansible": "",
        "ansible_collections": "",
    }
    found = set()
    for path in ROOT.glob("plugins/**/*.py"):
        found |= set(re.findall(r"^\s*(?:from|import) ([a-z_0-9]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    foreign = {modules.get(name, name) for name in found - set(sys.stdlib_module_names)} - {""}
    assert foreign <= known


def test_the_version_is_stated_once() -> None:
    version = GALAXY["version"]
    pattern = re.compile(rf"""version["']?\s*[:=]\s*["']?{re.escape(version)}\b|coverage-{re.escape(version)}\b""")
    found = [
        name for name, text in texts() if pattern.search(text) and not name.startswith(("changelogs/", "CHANGELOG"))
    ]
    assert found == ["galaxy.yml"]


def test_the_ansible_that_is_tested_is_one_that_is_promised() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    output = subprocess.run([BIN / "ansible", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"core (\d+\.\d+)\.", output)
    assert found is not None
    lowest = re.fullmatch(r">=(\d+)\.(\d+)\.0", runtime["requires_ansible"])
    assert lowest is not None
    assert tuple(map(int, found[1].split("."))) >= tuple(map(int, lowest.groups()))


def test_the_lowest_ansible_that_is_promised_is_in_the_matrix() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["units"]["strategy"]["matrix"]["include"]
    branches = [entry["ansible"] for entry in matrix]
    assert f"stable-{runtime['requires_ansible'].removeprefix('>=').rpartition('.')[0]}" in branches
    assert "devel" in branches


def test_collections_that_are_named_come_with_the_pinned_ansible() -> None:
    """Roles use only what a user gets with the ansible package, or what galaxy.yml declares."""
    used = set()
    for path in [
        *ROOT.glob("roles/*/tasks/**/*.yml"),
        *ROOT.glob("roles/*/handlers/*.yml"),
        *ROOT.glob("playbooks/*.yml"),
    ]:
        used |= set(
            re.findall(r"^\s*-?\s*([a-z_]+\.[a-z_]+)\.[a-z_0-9]+:", path.read_text(encoding="utf-8"), re.MULTILINE)
        )
    assert used - {"ansible.builtin", "kubernaut.coverage"} <= set(GALAXY["dependencies"])


# ---- plugins ----


def test_there_are_modules() -> None:
    assert MODULES


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_documented(name: str, documentation: dict[str, t.Any]) -> None:
    found = documentation[name]
    doc = found["doc"]
    assert doc["short_description"] and not doc["short_description"].endswith(".")
    assert doc["author"] == ["the kubernaut.coverage authors (@kubernaut)"]
    assert found["return"], "RETURN"
    assert doc["version_added"] == "0.1.0"
    assert "python >= 3.11" in doc["requirements"]
    for attribute in ("check_mode", "diff_mode", "platform"):
        stated = doc.get("attributes", {}).get(attribute)
        assert stated, f"attribute {attribute}"
        assert stated["support"] != "partial" or stated.get("details"), f"{attribute}: what is missing?"
    examples = yaml.safe_load(found["examples"])
    assert examples
    for task in examples:
        assert re.match(r"[A-Z]", task["name"]), task
        assert all("." in key for key in task if key not in TASK_KEYWORDS), task


TASK_KEYWORDS = {"name", "register", "when", "loop", "loop_control", "vars", "changed_when", "failed_when", "until"} | {
    "become", "check_mode", "delegate_to", "environment", "retries", "delay", "async", "poll", "module_defaults",
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_modules_support_check_mode_as_documented(name: str, documentation: dict[str, t.Any]) -> None:
    source = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    documented = documentation[name]["doc"]["attributes"]["check_mode"]["support"]
    assert ("supports_check_mode=True" in source) == (documented != "none")


def test_action_groups_hold_the_modules_that_share_the_options(documentation: dict[str, t.Any]) -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    shared = {
        "covdata": {"inputs", "policy", "not_before", "expected", "snapshots"},
        "podman": {"podman"},
        "k8s": {"kubeconfig", "impersonate_user"},
        "workload": {"kubeconfig", "namespace", "kind", "name", "container"},
    }
    expected = {
        group: [name for name in MODULES if options <= set(documentation[name]["doc"]["options"])]
        for group, options in shared.items()
    }
    own = {group: [name for name in members if isinstance(name, str)] for group, members in groups.items()}
    assert own == expected


def test_one_set_of_defaults_serves_kubernetes_core_and_this_collection(tmp_path: Path) -> None:
    """In a play: a module of either collection gets the kubeconfig from the group, and says that it does not exist."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        """
- name: Ask both
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/kubernaut.coverage.k8s:
      kubeconfig: /no/such/kubeconfig
  tasks:
    - name: Ask this collection
      kubernaut.coverage.workload_diagnosis_info:
        namespace: demo
      register: ours
      failed_when: "'There is no kubeconfig /no/such/kubeconfig' not in ours.msg"
    - name: Ask kubernetes.core
      kubernetes.core.k8s_info:
        kind: Pod
      register: theirs
      failed_when: "'/no/such/kubeconfig' not in theirs.msg"
"""
    )
    run = subprocess.run(
        [BIN / "ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", playbook],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "LC_ALL": "C.UTF-8",
            "HOME": str(tmp_path),
        },
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_names_are_those_that_galaxy_accepts() -> None:
    name = re.compile(r"(?!.*__)[a-z][a-z0-9_]*")
    for path in [*ROOT.glob("roles/*"), *ROOT.glob("playbooks/*.yml"), *ROOT.glob("plugins/modules/*.py")]:
        assert name.fullmatch(path.stem), path


def test_libraries_are_private_and_know_nothing_of_modules() -> None:
    for path in ROOT.glob("plugins/module_utils/**/*.py"):
        relative = path.relative_to(ROOT / "plugins" / "module_utils")
        assert relative.parts[0].startswith("_"), path
        assert "AnsibleModule" not in path.read_text(encoding="utf-8"), path
    # ansible ships nothing else of module_utils to a host
    others = [path for path in ROOT.glob("plugins/module_utils/**/*") if path.is_file() and path.suffix != ".py"]
    assert [path for path in others if path.suffix != ".pyc"] == []


# ---- every file ----


def test_python_files_state_licence_and_owner() -> None:
    lacking = []
    for path in tracked():
        if path.suffix != ".py":
            continue
        head = path.read_text(encoding="utf-8").splitlines()[:5]
        if head and not (
            any(line.startswith("# Copyright") for line in head)
            and any(line == "# SPDX-License-Identifier: GPL-3.0-or-later" for line in head)
        ):
            lacking.append(str(path.relative_to(ROOT)))
    assert lacking == []


@pytest.mark.parametrize("name", MODULES)
def test_modules_begin_as_ansible_wants(name: str) -> None:
    path = ROOT / "plugins" / "modules" / f"{name}.py"
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/python\n")
    assert not path.stat().st_mode & 0o111


def test_no_file_names_a_private_place() -> None:
    # written so that this file does not find itself
    private = re.compile(r"""(?<![\w.])/(?:work)/[a-z]|/tmp/[v]1\b|\.(?:internal|corp|intranet)(?![\w.])[/:"' ]""")
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if private.search(line)
    ]
    assert found == []


def test_ci_runs_what_people_run(tmp_path: Path) -> None:
    """What .ci/run calls, seen through a make that only writes down how it was called."""
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$PWD $*"\n', encoding="utf-8")
    make.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci" / "run"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert done.stdout == f"{ROOT} test\n"


def test_old_names_of_modules_lead_to_the_new_ones_and_say_so() -> None:
    routing = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["plugin_routing"]["modules"]
    assert set(routing) == {"preflight", "service_contract", "workload_diagnosis"}
    for old, entry in routing.items():
        assert entry["redirect"] == f"kubernaut.coverage.{old}_info"
        assert f"{old}_info" in MODULES and old not in MODULES
        assert entry["deprecation"]["removal_version"] > GALAXY["version"]
        run = subprocess.run(
            [BIN / "ansible", "localhost", "-m", f"kubernaut.coverage.{old}", "-a", "zzz=1"],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"},
        )
        # the module itself answers: it misses its options
        assert "missing required arguments" in run.stdout or "Unsupported parameters" in run.stdout
        assert (
            f"removed from collection 'kubernaut.coverage' version {entry['deprecation']['removal_version']}"
            in " ".join(run.stderr.split())
        )
