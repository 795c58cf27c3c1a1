# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs as users name them, and what is said of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import checks
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import (
    Reading,
    describe,
    describe_lines,
    expand,
    load,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from go_programs import RECORDED

TEXT = b"mode: atomic\nexample.com/other/a.go:1.2,3.4 5 1\nexample.com/other/a.go:3.5,4.4 5 0\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Recorded data of four is in three folders, and a text profile beside them."""
    folder = tmp_path / "data"
    shutil.copytree(RECORDED, folder)
    (tmp_path / "unit.txt").write_bytes(TEXT)
    return folder


def kinds(problems: object) -> list[str]:
    return [problem.kind for problem in problems]  # type: ignore[attr-defined]


def test_folders_files_and_globs(data: Path) -> None:
    root = data.parent
    (counters, *_others) = sorted((data / "program" / "pod-1").glob("covcounters.*"))
    assert expand([str(data)]) == ([str(data)], [])
    assert expand([str(root / "*")]) == ([str(data)], [str(root / "unit.txt")])
    assert expand([str(counters), str(counters), str(root / "unit.txt")]) == ([str(counters)], [str(root / "unit.txt")])
    assert len(expand([str(root / "**" / "covcounters.*")])[0]) == 4
    assert load([str(data)], Reading()).component.process_runs() == 4
    assert load([str(root / "**" / "pod-1")], Reading()).component.process_runs() == 3
    assert load([str(counters)], Reading()).component.process_runs() == 1


@pytest.mark.parametrize("given", ["nowhere", "no*where"])
def test_an_input_that_names_nothing(tmp_path: Path, given: str) -> None:
    with pytest.raises(InputError) as caught:
        expand([str(tmp_path / given)])
    assert caught.value.cause == "input-missing"
    assert given in caught.value.message


def test_a_file_that_is_no_coverage_data(tmp_path: Path) -> None:
    path = tmp_path / "main.go"
    path.write_text("package main\n")
    with pytest.raises(InputError, match="is not coverage data"):
        expand([str(path)])
    # of a glob it is only not meant
    with pytest.raises(DataError) as caught:
        load([str(tmp_path / "*")], Reading()).need_counts(["here"])
    assert caught.value.cause == "no-coverage-data"


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(InputError, match="cannot be read"):
        expand([str(loop)])


def test_a_damaged_text_profile_is_set_aside_or_refused(data: Path) -> None:
    path = data.parent / "unit.txt"
    path.write_bytes(TEXT + b"rubbish\n")
    inputs = [str(data), str(path)]
    loaded = load(inputs, Reading())
    assert (loaded.texts, kinds(loaded.problems)) == ([], ["damaged"])
    assert "line 4" in loaded.problems[0].sentence
    assert loaded.profile(strict=False) is not None
    with pytest.raises(InputError) as caught:
        load(inputs, Reading(policy="fail"))
    assert caught.value.cause == "damaged"


def test_a_changed_bit_of_a_lone_covmeta_withholds_the_percentage(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = (data / "worker" / "pod-1").glob("covmeta.*")
    shutil.rmtree(data / "program")
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    found = load([str(data)], Reading())
    assert kinds(found.problems) == ["hash-mismatch"]
    assert found.problems[0].file == str(path)
    assert found.component.process_runs() == 1
    assert found.profile(strict=False) is None
    with pytest.raises(DataError) as caught:
        load([str(data)], Reading(policy="fail"))
    assert caught.value.cause == "hash-mismatch"
    # at a large one it is looked for where that is asked for
    monkeypatch.setattr(checks, "VERIFIED", 1)
    assert kinds(load([str(data)], Reading()).problems) == []
    assert kinds(load([str(data)], Reading(), verify=True).problems) == ["hash-mismatch"]


def test_what_is_there(data: Path) -> None:
    described = describe(load([str(data), str(data.parent / "unit.txt")], Reading()))
    (program,) = described["programs"]
    assert program["main"] == ["example.com/program/cmd/program"]
    assert (program["process_runs"], program["covered"], program["statements"]) == (4, 40, 58)
    assert program["arguments"]["GOOS"] == "linux"
    assert len(program["packages"]) == 5
    (text,) = described["text_profiles"]
    assert (text["mode"], text["blocks"], text["covered"], text["statements"], text["percent"]) == (
        "atomic",
        2,
        5,
        10,
        50.0,
    )
    assert (described["mode"], described["process_runs"], described["withheld"]) == ("atomic", 4, "")
    assert [(folder["covmeta"], folder["covcounters"]) for folder in described["folders"]] == [(1, 2), (1, 1), (1, 1)]
    lines = describe_lines(described)
    assert (
        lines[0] == "example.com/program/cmd/program: 69.0 % of statements, 4 process runs, mode atomic, 5 packages,"
        " 58 statements"
    )
    assert "unit.txt: 50.0 % of statements" in lines[1]


def test_a_program_without_counters_is_not_at_zero(data: Path) -> None:
    for path in data.rglob("covcounters.*"):
        path.unlink()
    loaded = load([str(data)], Reading())
    (program,) = describe(loaded)["programs"]
    assert (program["process_runs"], program["percent"]) == (0, None)
    with pytest.raises(DataError) as caught:
        loaded.need_counts([str(data)])
    assert caught.value.cause == "no-counters"


def test_nothing_at_all(tmp_path: Path) -> None:
    loaded = load([str(tmp_path)], Reading())
    assert describe_lines(describe(loaded)) == ["No coverage data."]
    with pytest.raises(DataError, match=os.fspath(tmp_path)) as caught:
        loaded.need_counts([str(tmp_path)])
    assert caught.value.cause == "no-coverage-data"


def test_old_and_foreign_data_do_not_count(data: Path) -> None:
    loaded = load([str(data)], Reading(not_before=4e9))
    assert not loaded.usable()
    assert set(kinds(loaded.problems)) >= {"stale"}
    loaded = load([str(data)], Reading(expected=["example.org/..."]))
    assert not loaded.usable()
    assert set(kinds(loaded.problems)) >= {"foreign-program"}
    assert load([str(data)], Reading(expected=["example.com/..."])).usable()
