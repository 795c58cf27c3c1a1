# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress: one line each, whatever it is, from however many, and never a reason to fail."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import progress as lib


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "progress"
    monkeypatch.setenv(lib.ENVIRONMENT_VARIABLE, str(path))
    return path


def test_each_text_is_one_line(file: Path) -> None:
    lib.report_progress("build the image")
    lib.report_progress("  two\nlines\t here ")
    lib.report_progress("ünïcode")
    fields = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    assert [field[2] for field in fields] == ["build the image", "two lines here", "ünïcode"]
    assert {(field[0], field[1]) for field in fields} == {("", str(os.getpid()))}


def test_a_module_signs_its_steps(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ansible_collections.kubernaut.coverage.plugins.modules.kind_cluster"
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", importlib.machinery.ModuleSpec(name, None))
    lib.report_progress("create the cluster")
    assert file.read_text(encoding="utf-8").startswith("kind_cluster\t")


def test_lines_of_many_do_not_mix(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: lib.report_progress(f"{number} " * 50), range(200)))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    assert {len(set(line.split("\t")[2].split())) for line in lines} == {1}


def test_without_the_variable_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(lib.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    lib.report_progress("text")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(lib.ENVIRONMENT_VARIABLE, str(tmp_path / "no" / "such" / "folder"))
    lib.report_progress("text")
    assert list(tmp_path.iterdir()) == []
