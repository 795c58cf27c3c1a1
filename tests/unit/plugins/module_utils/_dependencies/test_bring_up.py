# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a cluster is asked anything. Molecule proves the rest with real servers."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import bring_up as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.images import ImageSettings, archive_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Migrations, Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import ImageError


class Untouched:
    """A cluster that nobody may ask anything."""

    def __getattr__(self, name: str) -> t.Any:
        raise AssertionError(f"the cluster was asked: {name}")


def bring_up(servers: list[Server], folder: Path, **image: t.Any) -> None:
    settings = ImageSettings(recipe=str(folder), cache_dir=str(folder), **image)
    lib.bring_up(t.cast("t.Any", Untouched()), servers, "demo", nodes=[], images=settings, timeout=1)


def test_bad_input_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which is not a dependency"):
        bring_up([Server("db", "postgresql", after=("crds",))], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_migrations_are_read_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        bring_up([Server("db", "postgresql", migrations=Migrations(str(tmp_path / "none")))], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_no_way_gives_is_told_before_the_cluster_is_asked(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM scratch\n")
    with pytest.raises(ImageError, match="could not be obtained: archive: "):
        bring_up([Server("db", "postgresql", version="0.never")], tmp_path, ways=("archive",))


def test_servers_of_one_version_share_an_archive(tmp_path: Path) -> None:
    settings = ImageSettings(recipe="", cache_dir=str(tmp_path))
    one, other = Server("a", "postgresql", version="16"), Server("b", "postgresql", version="17")
    assert archive_of(one, settings) == archive_of(Server("c", "postgresql"), settings)
    assert archive_of(one, settings) != archive_of(other, settings)
