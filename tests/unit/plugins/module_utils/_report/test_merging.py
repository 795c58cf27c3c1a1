# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of coverage data become one, and no folder but our own is ever replaced."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.merging import LIST, Merged, Request, merge
from go_programs import RECORDED, Go, live


def run(inputs: t.Sequence[Path], output: Path, **more: t.Any) -> Merged:
    return merge(Request([str(path) for path in inputs], str(output), more.pop("reading", Reading()), **more))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def process_runs(go: Go, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders of data of one program that reach different parts of it."""
    root = tmp_path_factory.mktemp("process_runs")
    live(go.program("count"), root / "one", "area")
    live(go.program("count"), root / "one", "text")
    live(go.program("count"), root / "two", "text")
    return [root / "one", root / "two"]


@pytest.mark.parametrize("operation", ["merge", "intersect", "subtract"])
def test_what_go_makes_of_it(go: Go, process_runs: list[Path], tmp_path: Path, operation: str) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    made = run(process_runs, ours, operation=operation)
    go.covdata(operation, process_runs, f"-o={theirs}")
    assert made.changed
    assert go.textfmt([ours], tmp_path / "a") == go.textfmt([theirs], tmp_path / "b")
    assert go.covdata("percent", [ours]) == go.covdata("percent", [theirs])
    assert made.percent == pytest.approx(100 * made.covered / made.statements, abs=1e-4)
    assert sorted(everything(ours)) == sorted([*(Path(path).name for path in made.files), LIST])


def test_packages(go: Go, process_runs: list[Path], tmp_path: Path) -> None:
    pattern = "example.com/program/internal/..."
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    made = run(process_runs, ours, packages=[pattern])
    go.covdata("merge", process_runs, f"-o={theirs}", f"-pkg={pattern}")
    assert go.textfmt([ours], tmp_path / "a") == go.textfmt([theirs], tmp_path / "b")
    assert made.programs[0]["packages"] == 4
    with pytest.raises(InputError, match=r"example\.com/program/internal/text") as caught:
        run(process_runs, tmp_path / "not", packages=["example.com/program/internal/txt"])
    assert caught.value.cause == "unmatched-pattern"
    assert not (tmp_path / "not").exists()


def test_changed_is_about_the_bytes(process_runs: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "deep" / "merged"
    assert run(process_runs, output, check=True).changed
    assert not output.exists()
    assert run(process_runs, output).changed
    before = everything(output)
    assert not run(process_runs, output).changed
    assert not run(process_runs, output, check=True).changed
    assert everything(output) == before
    assert run(process_runs[:1], output, check=True).changed
    assert everything(output) == before
    assert run(process_runs[:1], output).changed
    assert everything(output) != before
    assert [path.name for path in output.parent.iterdir()] == ["merged"], "nothing is left beside it"


def test_a_folder_that_is_not_ours_is_left_alone(process_runs: list[Path], tmp_path: Path) -> None:
    """Data as a program writes them have the same names as ours: only the list tells them apart."""
    output = tmp_path / "raw"
    shutil.copytree(RECORDED / "program" / "pod-1", output)
    before = everything(output)
    with pytest.raises(InputError) as caught:
        run(process_runs, output)
    assert caught.value.cause == "folder-not-ours"
    assert everything(output) == before
    ours = tmp_path / "ours"
    run(process_runs, ours)
    (name,) = [name for name in everything(ours) if name.startswith("covcounters")]
    (ours / name).write_bytes(b"changed by someone")
    with pytest.raises(InputError, match=name):
        run(process_runs[:1], ours)
    (ours / LIST).write_text("{")
    with pytest.raises(InputError):
        run(process_runs[:1], ours)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(process_runs, empty).changed


def test_bad_input_leaves_everything_as_it_is(process_runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "unit.txt").write_text("mode: set\na.go:1.1,2.2 1 1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    before = everything(tmp_path)
    output = tmp_path / "output"
    for inputs, where, more, cause, says in (
        ([tmp_path / "nowhere"], output, {}, "input-missing", "nowhere"),
        ([tmp_path / "unit.txt"], output, {}, "bad-input", "text profile"),
        ([tmp_path / "empty"], output, {}, "no-coverage-data", "no coverage data"),
        (process_runs[:1], output, {"operation": "subtract"}, "bad-input", "two inputs"),
        ([*process_runs, tmp_path / "empty"], output, {"operation": "intersect"}, "no-coverage-data", "empty"),
        (process_runs, process_runs[0] / "merged", {}, "bad-input", "overlap"),
        (process_runs, process_runs[0].parent, {}, "bad-input", "overlap"),
        (process_runs, tmp_path / "file", {}, "bad-input", "is not a folder"),
    ):
        with pytest.raises((InputError, DataError), match=says) as caught:
            run(inputs, where, **more)
        assert caught.value.cause == cause
        assert caught.value.setting
    assert everything(tmp_path) == before


def test_what_is_bad_is_said_and_what_is_good_counts(process_runs: list[Path], tmp_path: Path) -> None:
    data = Path(shutil.copytree(process_runs[0], tmp_path / "data"))
    (first, *_rest) = sorted(data.glob("covcounters.*"))
    first.write_bytes(first.read_bytes()[:30])
    made = run([data], tmp_path / "merged")
    assert [problem["kind"] for problem in made.problems] == ["truncated"]
    assert made.programs[0]["process_runs"] == 1
    with pytest.raises(DataError) as caught:
        run([data], tmp_path / "strict", reading=Reading(policy="fail"))
    assert caught.value.cause == "truncated"
    assert not (tmp_path / "strict").exists()
