# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import files as lib


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def umask() -> t.Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_file_is_replaced_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    lib.write_text(path, "one")
    lib.write_bytes(str(path), b"two\xff")
    assert path.read_bytes() == b"two\xff"
    assert (mode(path), list(tmp_path.iterdir())) == (0o644, [path])


def test_a_mode_is_kept_whatever_the_umask_and_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("open to all")
    path.chmod(0o666)
    lib.write_text(path, "one", 0o664)
    assert mode(path) == 0o664
    lib.write_json(path, {"b": 1, "a": [2]}, 0o600)
    assert (mode(path), path.read_text()) == (0o600, '{\n "a": [\n  2\n ],\n "b": 1\n}')


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    path = tmp_path / "a"
    path.symlink_to("other")
    lib.write_text(path, "one")
    assert not path.is_symlink()
    assert (tmp_path / "other").read_text() == "other"
    with lib.replacing(path) as temporary:
        temporary.symlink_to("other")
    assert path.readlink() == Path("other")


def test_two_at_once_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with lib.replacing(path) as one, lib.replacing(path) as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    lib.write_text(path, "one")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), lib.replacing(path) as temporary:
        fail(temporary)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("one", [path])


def test_private_files_are_for_their_owner_alone_and_replace_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "clusters" / "demo" / "kubeconfig"
    lib.write_private(path, "one")
    lib.write_private(path, "two")
    assert path.read_text() == "two"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    lib.write_private(path, "one")
    with pytest.raises(UnicodeEncodeError):
        lib.write_private(path, "\ud800")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]
