# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mildest way that works, on "nodes" that are this machine: what podman is told is run here."""

from __future__ import annotations

import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import permission as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def test_a_folder_that_is_open_is_left_as_it_is(podman: Podman, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o1777)
    found = lib.decide(podman, ["a", "b"], str(folder))
    assert (found.way, str(folder) in found.reason) == ("writable", True)


def test_a_folder_that_is_not_is_prepared(podman: Podman, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "component"
    assert lib.decide(podman, ["a"], str(folder)).way == "node"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    assert lib.decide(podman, ["a"], str(folder)).way == "node"
    # deciding changes nothing
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    lib.make_folders(podman, ["a", "b"], [str(folder)], "1777")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert lib.modes_of(podman, ["a"], str(folder)) == [True]


def test_nodes_that_are_still_to_be_made_are_not_asked() -> None:
    nobody = t.cast("t.Any", None)
    assert lib.decide(nobody, ["a"], "/x", nodes_exist=False).way == "node"


def test_without_nodes_the_ways_are_asked_in_their_order(podman: Podman) -> None:
    assert lib.decide(podman, [], "/x", init_image="busybox", allow_root=True).way == "init_container"
    found = lib.decide(podman, [], "/x", allow_root=True)
    assert (found.way, "root is allowed" in found.reason) == ("root", True)
    with pytest.raises(lib.NotWritable) as caught:
        lib.decide(podman, [], "/x")
    assert (caught.value.cause, caught.value.setting) == ("coverage-folder-not-writable", "coverage_mode#nodes")


@pytest.mark.parametrize("way", ["writable", "fs_group"])
def test_a_way_that_is_wanted_is_taken(podman: Podman, way: str) -> None:
    assert lib.decide(podman, [], "/x", wanted=way, volume="auto").way == way


@pytest.mark.parametrize(
    ("way", "volume", "setting"),
    [
        ("root", "auto", "coverage.allow_root"),
        ("init_container", "auto", "coverage.init_image"),
        ("fs_group", "host_path", "coverage.volume"),
        ("node", "auto", "coverage_mode#nodes"),
    ],
)
def test_a_way_that_cannot_work_is_refused(podman: Podman, way: str, volume: str, setting: str) -> None:
    with pytest.raises(InputError) as caught:
        lib.decide(podman, [], "/x", wanted=way, volume=volume)
    assert caught.value.setting == setting


def test_folders_go_with_their_runs_but_not_with_what_nobody_took(podman: Podman, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for name in ("one", "two"):
        (run / name / "pod").mkdir(parents=True)
        (run / name / "pod" / "covmeta.1").touch()
    assert lib.remove_folders(podman, ["a"], str(run / "one"), discard=False) == []
    assert [path.name for path in run.iterdir()] == ["two"]
    (run / "two" / "pod" / "covcounters.1.1.1").touch()
    assert lib.remove_folders(podman, ["a"], str(run / "two"), discard=False) == [f"a:{run / 'two'}"]
    assert (run / "two" / "pod" / "covmeta.1").exists()
    assert lib.remove_folders(podman, ["a"], str(run / "two"), discard=True) == []
    assert not run.exists()
    # nothing to do
    assert lib.remove_folders(podman, ["a"], str(run / "two"), discard=False) == []


@pytest.mark.parametrize(
    ("folder", "run", "component", "is_own"),
    [
        ("/coverdata/r/c", "r", "c", True),
        ("/coverdata/20261123-1.2_x/c", "20261123-1.2_x", "c", True),
        ("/", "", "", False),
        ("/coverdata", "", "", False),
        ("/coverdata/r/..", "r", "..", False),
        ("/coverdata/../c", "..", "c", False),
        ("/coverdata/r/c", "r", "d", False),
        ("/etc/r/c", "r", "c", False),
        ("/coverdata/r/c/", "r", "c/", False),
        ("", "", "", False),
    ],
)
def test_only_its_own_folders_are_removed(folder: str, run: str, component: str, is_own: bool) -> None:
    assert lib.is_own_folder(folder, "/coverdata", run, component) is is_own
