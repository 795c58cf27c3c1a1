# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same digits as Go's own tools, on the fixture program; on many others: test_parity_programs.py."""

from __future__ import annotations

import shutil
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import function_text
from go_programs import MODES, Go, live, live_until
from go_texts import compare_texts

PROCESS_RUNS = (["area"], ["largest", "text"], ["many", "many"], ["generated"], ["text"])


def read(root: Path) -> Component:
    (component,) = read_collection(str(root), "program")
    return component


def compare(go: Go, folders: t.Sequence[Path], component: Component, tmp_path: Path) -> None:
    """Hold the texts against Go's."""
    profile = make_profile(component.programs, component.mode)
    compare_texts(go, folders, profile, tmp_path)
    assert "total:\t" not in function_text(profile)


@pytest.fixture(scope="module", params=MODES)
def program_data(request: pytest.FixtureRequest, go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five process runs of the fixture program in three pods."""
    root = tmp_path_factory.mktemp(f"processes-{request.param}")
    for number, arguments in enumerate(PROCESS_RUNS):
        live(go.program(request.param), root / "program" / f"pod-{number % 3}", *arguments)
    return root


def test_the_program(go: Go, program_data: Path, tmp_path: Path) -> None:
    folders = sorted((program_data / "program").iterdir())
    component = read(program_data)
    assert component.process_runs() == len(PROCESS_RUNS)
    assert component.problems == []
    compare(go, folders, component, tmp_path)


@pytest.mark.parametrize(
    "pattern", ["example.com/program/internal/...", "example.com/program/internal/shapes", ".../text", "none/..."]
)
def test_a_package_pattern(go: Go, program_data: Path, tmp_path: Path, pattern: str) -> None:
    folders = sorted((program_data / "program").iterdir())
    component = read(program_data)
    compare_texts(go, folders, make_profile(component.programs, component.mode), tmp_path, pattern)


def test_go_reads_what_was_merged(go: Go, program_data: Path, tmp_path: Path) -> None:
    folders = sorted((program_data / "program").iterdir())
    merged = tmp_path / "merged"
    merged.mkdir()
    for name, content in merged_files(read(program_data).programs).items():
        (merged / name).write_bytes(content)
    assert len(list(merged.iterdir())) == 2
    assert go.textfmt([merged], tmp_path / "merged.txt") == go.textfmt(folders, tmp_path / "all.txt")
    assert go.covdata("percent", [merged]) == go.covdata("percent", folders)


def test_what_go_merged_is_read(go: Go, program_data: Path, tmp_path: Path) -> None:
    folders = sorted((program_data / "program").iterdir())
    merged = tmp_path / "merged"
    merged.mkdir()
    go.covdata("merge", folders, f"-o={merged}")
    compare(go, folders, read(merged), tmp_path)


def test_two_programs_of_one_component(go: Go, program_data: Path, tmp_path: Path) -> None:
    """A second program from the same sources with fewer packages: Go combines them by package, and so does this."""
    mode = read(program_data).mode
    other = go.once(
        f"program-{mode}-few",
        lambda path: go.build(
            path,
            "-cover",
            f"-covermode={mode}",
            "-coverpkg=./cmd/...,./internal/shapes",
            "./cmd/program",
            cwd=Path(__file__).resolve().parents[4] / "fixtures" / "covdata" / "program",
        ),
    )
    root = tmp_path / "data"
    shutil.copytree(program_data, root)
    live(other, root / "program" / "pod-x", "area", "text")
    component = read(root)
    assert len(component.programs) == 2
    compare(go, sorted((root / "program").iterdir()), component, tmp_path)


def test_ends_that_write_counters_and_ends_that_do_not(go: Go, tmp_path: Path) -> None:
    """SIGTERM with a handler and os.Exit write counters; a panic and SIGKILL leave only the covmeta."""
    program = go.program("atomic")
    folder = tmp_path / "program"
    assert live_until(program, folder / "term", "waiting", signal.SIGTERM) == 0
    assert live_until(program, folder / "kill", "waiting", signal.SIGKILL) == -signal.SIGKILL
    live(program, folder / "panic", "panic", status=2)
    live(program, folder / "exit", "no such name", status=2)
    component = read(tmp_path)
    assert component.process_runs() == 2
    assert {name for name, pod in component.pods.items() if not pod.counters} == {"kill", "panic"}
    assert [problem.kind for problem in component.problems] == ["meta-without-counters"] * 2
    compare(go, sorted(folder.iterdir()), component, tmp_path)
