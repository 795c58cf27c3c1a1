# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are replaced whole, only where they differ, and nothing that is not ours is touched."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import files


def test_a_file_changes_only_with_its_content(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert files.put_file(str(path), b"one", check=True)
    assert not path.parent.exists()
    assert files.put_file(str(path), b"one", check=False)
    before = path.stat()
    assert not files.put_file(str(path), b"one", check=False)
    assert path.stat().st_ino == before.st_ino
    assert files.put_file(str(path), b"two", check=False)
    assert path.read_bytes() == b"two"
    assert path.stat().st_ino != before.st_ino, "replaced, not written over"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("in the way")
    with pytest.raises(files.WriteError, match="cannot be"):
        files.put_file(str(tmp_path / "file" / "below"), b"x", check=False)


def test_a_folder_holds_exactly_what_was_put(tmp_path: Path) -> None:
    path = tmp_path / "merged"

    def put(content: dict[str, bytes], *, check: bool = False) -> bool:
        return files.put_folder(str(path), content, ours=lambda name: name.startswith("cov"), check=check)

    assert put({"cov.1": b"a"}, check=True)
    assert not path.exists()
    assert put({"cov.1": b"a", "cov.2": b"b"})
    assert not put({"cov.1": b"a", "cov.2": b"b"})
    assert put({"cov.1": b"a", "cov.3": b"c"})
    assert {entry.name: entry.read_bytes() for entry in path.iterdir()} == {"cov.1": b"a", "cov.3": b"c"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["merged"]
    (path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match=r"mine\.txt"):
        put({"cov.1": b"z"})
    assert (path / "mine.txt").read_text() == "precious"
    assert (path / "cov.1").read_bytes() == b"a"


def test_the_link_is_relative_and_no_folder_is_replaced_by_it(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    for run in ("run-1", "run-2"):
        (tmp_path / run).mkdir()
        assert files.put_link(str(link), str(tmp_path / run), check=True)
        assert files.put_link(str(link), str(tmp_path / run), check=False)
        assert not files.put_link(str(link), str(tmp_path / run), check=False)
        assert link.readlink() == Path(run)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(InputError, match="not a symbolic link"):
        files.put_link(str(folder), str(tmp_path / "run-1"), check=False)
    assert folder.is_dir()


def test_a_run_has_one_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"run_id":"old","percent":1}\nnot json\xff')
    assert files.put_history(str(path), {"run_id": "a", "percent": 1.5}, check=True)
    assert files.put_history(str(path), {"run_id": "a", "percent": 1.5}, check=False)
    assert not files.put_history(str(path), {"run_id": "a", "percent": 1.5}, check=False)
    assert files.put_history(str(path), {"run_id": "b", "percent": 2}, check=False)
    assert files.put_history(str(path), {"run_id": "a", "percent": 3}, check=False)
    lines = path.read_bytes().splitlines()
    assert lines[:2] == [b'{"run_id":"old","percent":1}', b"not json\xff"]
    assert [json.loads(line) for line in lines[2:]] == [{"run_id": "a", "percent": 3}, {"run_id": "b", "percent": 2}]


def _append(path: str, number: int) -> None:
    files.put_history(path, {"run_id": f"run-{number}", "percent": number}, check=False)


def test_runs_that_end_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    path = str(tmp_path / "history.jsonl")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append, args=(path, number)) for number in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    entries = [json.loads(line)["run_id"] for line in Path(path).read_text().splitlines()]
    assert sorted(entries) == sorted(f"run-{number}" for number in range(12))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".history.jsonl.lock", "history.jsonl"]
