# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data of each release of Go since 1.20 give what the tools of that release say of them (record_releases.py)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.operations import merge
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import (
    function_text,
    package_text,
    percent_text,
    text_profile,
)
from go_programs import Go
from go_texts import ends_lines
from record_releases import PROGRAMS, RELEASES, run

RECORDED = sorted(path for path in RELEASES.glob("*/*") if path.is_dir())
OLDEST = "go1.20.14"


def read(*folders: Path) -> Component:
    (component,) = read_collection([str(folder) for folder in folders], "program", layered=False)
    assert component.problems == []
    return component


def test_every_release_is_recorded() -> None:
    releases = {path.parent.name.rpartition(".")[0] for path in RECORDED}
    assert releases >= {f"go1.{minor}" for minor in range(20, 28)}
    assert len(RECORDED) == len(releases) * len(PROGRAMS)


@pytest.mark.parametrize("folder", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
@pytest.mark.parametrize("inputs", [("pod-0", "pod-1"), ("merged",)], ids=["process_runs", "merged"])
def test_the_texts_of_a_release(folder: Path, inputs: tuple[str, ...]) -> None:
    component = read(*(folder / name for name in inputs))
    assert component.process_runs() == (3 if len(inputs) > 1 else 1)
    assert component.mode == PROGRAMS[folder.name][0]
    profile = make_profile(component.programs, component.mode)
    assert text_profile(profile) == (folder / "profile.txt").read_text(encoding="utf-8")
    assert function_text(profile) == (folder / "func.txt").read_text(encoding="utf-8")
    percent = (folder / "percent.txt").read_bytes()
    if folder.parent.name == OLDEST:  # one tab less, and a line for a package without statements: as ours has it
        assert percent_text(profile).replace("\t\t", "\t").encode() == percent
    else:
        assert percent_text(profile) == ends_lines(percent)
    assert package_text(entry.path for entry in profile.packages) == (folder / "pkglist.txt").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("folder", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_a_release_wrote_is_trusted(folder: Path, tmp_path: Path) -> None:
    """Go hashed with MD5 up to 1.23. Of two copies that differ the good one counts, whichever is read first."""
    for name in ("pod-0", "merged"):
        (path,) = (folder / name).glob("covmeta.*")
        data = bytearray(path.read_bytes())
        assert covmeta_writer.trust(covmeta.read_meta(bytes(data))) == covmeta_writer.TRUSTED
    text = (folder / "profile.txt").read_text(encoding="utf-8")
    data[-2] ^= 1  # of the last function: how many statements its last block has
    assert covmeta_writer.trust(covmeta.read_meta(bytes(data))) == 0
    for number, bad in enumerate(("pod-0", "pod-1")):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        (copy / bad / path.name).write_bytes(data)
        (component,) = read_collection([str(copy / "pod-0"), str(copy / "pod-1")], "program", layered=False)
        assert [(problem.kind, Path(problem.file).parent.name) for problem in component.problems] == [("damaged", bad)]
        assert component.withheld == ""
        assert text_profile(make_profile(component.programs, component.mode)) == text


@pytest.mark.parametrize("name", sorted(PROGRAMS))
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("go1.23.12", "go1.24.13", True), ("go1.26.8", "go1.27.4", False)],
    ids=["hash", "blocks"],
)
def test_the_same_sources_by_two_releases(name: str, one: str, other: str, same: bool) -> None:
    """Another hash over the same blocks is no other build; Go 1.27 has the blocks begin and end elsewhere."""
    folders = [str(RELEASES / release / name / pod) for release in (one, other) for pod in ("pod-0", "pod-1")]
    (component,) = read_collection(folders, "program", layered=False)
    assert {(problem.kind, problem.severity) for problem in component.problems} == {
        ("two-builds", "note" if same else "error")
    }
    assert bool(component.withheld) is not same
    if same:
        covered, statements = make_profile(component.programs, component.mode).totals()
        alone = read(RELEASES / one / name / "pod-0", RELEASES / one / name / "pod-1")
        assert (covered, statements) == make_profile(alone.programs, alone.mode).totals()


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_the_oldest_release_reads_what_is_merged(go: Go, name: str, tmp_path: Path) -> None:
    """What is read was written by the newest: a team's builders and its coverage host need not have the same Go."""
    newest = max((path for path in RECORDED if path.name == name), key=lambda path: int(path.parent.name.split(".")[1]))
    merged = tmp_path / "merged"
    merged.mkdir()
    for file, content in merged_files(merge(read(newest / "pod-0", newest / "pod-1").programs)).items():
        (merged / file).write_bytes(content)
    run(OLDEST, go.go, "tool", "covdata", "textfmt", f"-i={merged}", f"-o={tmp_path / 'profile.txt'}", cwd=tmp_path)
    assert (tmp_path / "profile.txt").read_bytes() == (newest / "profile.txt").read_bytes()
