# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a user installs it: built, installed elsewhere, everything taken away that need not be there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
import suite

BIN = Path(sys.executable).parent
PLAYBOOKS = sorted(path.stem for path in suite.ROOT.glob("playbooks/*.yml"))
NEEDED = {"meta", "plugins", "roles", "playbooks"}
SHIPPED = NEEDED | {
    "CHANGELOG.rst", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "FILES.json", "LICENSE",
    "MAINTAINERS", "MANIFEST.json", "README.md", "SECURITY.md", "changelogs", "docs", "inventories", "requirements.txt",
}  # fmt: skip


def environment(home: Path) -> dict[str, str]:
    """Nothing of this checkout's configuration."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "ANSIBLE_HOME": str(home / ".ansible")}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as ansible-galaxy builds it from what git knows."""
    folder = tmp_path_factory.mktemp("build")
    tree = folder / "tree"
    suite.copy_what_git_knows(tree)
    subprocess.run(
        [BIN / "ansible-galaxy", "collection", "build", "--output-path", folder],
        cwd=tree,
        check=True,
        env=environment(folder),
    )
    (path,) = folder.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of collections that has this one, less what a user may do without.

    Its dependencies are those that the package ansible brings: Galaxy, from which they would be fetched, is not asked.
    That they are new enough is a test of its own.
    """
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [BIN / "ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", folder, archive],
        cwd=folder,
        check=True,
        env=environment(folder),
    )
    collection = folder / "ansible_collections" / "kubernaut" / "coverage"
    for path in collection.iterdir():
        if path.name not in NEEDED | {"MANIFEST.json", "FILES.json"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def test_the_archive_has_what_belongs_into_it(archive: Path) -> None:
    with tarfile.open(archive) as content:
        names = {name.partition("/")[0] for name in content.getnames()} - {"."}
    assert names >= NEEDED | {"README.md", "LICENSE"}
    assert names <= SHIPPED


def test_the_archive_declares_what_it_needs_and_ansible_brings_it(archive: Path) -> None:
    """Without C(--no-deps), C(ansible-galaxy) fetches exactly these; here the package ansible has them."""
    with tarfile.open(archive) as content:
        manifest = json.load(t.cast(t.IO[bytes], content.extractfile("MANIFEST.json")))
    needed = manifest["collection_info"]["dependencies"]
    assert set(needed) == {"kubernetes.core", "containers.podman"}
    for name, wanted in needed.items():
        spec = importlib.util.find_spec(f"ansible_collections.{name}")
        assert spec is not None and spec.submodule_search_locations, f"{name} is not installed"
        folder = Path(next(iter(spec.submodule_search_locations)))
        found = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"]
        assert version(found) >= version(wanted.removeprefix(">=")), f"{name} {found}, needed {wanted}"


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_there_are_playbooks() -> None:
    assert PLAYBOOKS


def test_playbooks_are_sound_where_nothing_else_is(installed: Path) -> None:
    """By their full names, from a folder without inventory and configuration, as a user of the release calls them."""
    names = [f"kubernaut.coverage.{playbook}" for playbook in PLAYBOOKS]
    run = subprocess.run(
        [BIN / "ansible-playbook", "--syntax-check", "-i", "localhost,", *names],
        cwd=installed,
        check=False,
        capture_output=True,
        text=True,
        env={**environment(installed), "ANSIBLE_COLLECTIONS_PATH": str(installed)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.findall(r"^playbook: \S*/(\S+)\.yml$", run.stdout, re.MULTILINE) == PLAYBOOKS


def test_the_callback_works_where_nothing_else_is(installed: Path) -> None:
    playbook = installed / "hello.yml"
    playbook.write_text(
        "---\n- name: Hello\n  hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - name: Say it\n      ansible.builtin.debug:\n        msg: it works\n"
    )
    run = subprocess.run(
        [BIN / "ansible-playbook", "-i", "localhost,", playbook],
        cwd=installed,
        check=False,
        capture_output=True,
        text=True,
        env={
            **environment(installed),
            "ANSIBLE_COLLECTIONS_PATH": str(installed),
            "ANSIBLE_STDOUT_CALLBACK": "kubernaut.coverage.journey",
        },
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\nHello\n  it works\n" in run.stdout
