# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage in archives: every byte of an image counts, and nothing else does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.store import archive_is_good
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.checksums import damage_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)

NAME = "localhost/app:1"


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, str]:
    """An archive as this collection writes it, and its image's id."""
    program = tmp_path / "program"
    program.write_bytes(bytes(range(256)) * 4000)
    path = tmp_path / "image.tar"
    return path, write_image(str(path), NewImage(NAME, str(program), "app", "amd64", "0", {}, ()))


def test_an_archive_is_whole(archive: tuple[Path, str]) -> None:
    path, identity = archive
    assert damage_of(str(path), NAME) == damage_of(str(path)) == ""
    assert archive_is_good(path, identity, NAME)


def test_one_changed_byte_of_a_layer_is_found(archive: tuple[Path, str]) -> None:
    path, identity = archive
    content = bytearray(path.read_bytes())
    content[content.index(bytes(range(256))) + 1000] ^= 1
    path.write_bytes(content)
    assert "has the checksum" in damage_of(str(path), NAME)
    assert not archive_is_good(path, identity, NAME)


@pytest.mark.parametrize("left", [0.1, 0.5, 0.9])
def test_a_cut_off_archive_is_found(archive: tuple[Path, str], left: float) -> None:
    path, identity = archive
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    assert damage_of(str(path), NAME)
    assert not archive_is_good(path, identity, NAME)


def repacked(path: Path, change: t.Callable[[str, bytes], bytes]) -> None:
    """Write an archive again with other contents of its members."""
    with tarfile.open(path) as old:
        members = {item.name: t.cast("t.IO[bytes]", old.extractfile(item)).read() for item in old if item.isreg()}
    with tarfile.open(path, "w") as new:
        for name, content in members.items():
            fresh = change(name, content)
            info = tarfile.TarInfo(name)
            info.size = len(fresh)
            new.addfile(info, io.BytesIO(fresh))


def test_a_packed_layer_counts_by_what_it_contains(archive: tuple[Path, str]) -> None:
    path, _identity = archive
    layers = {item["Layers"][0] for item in manifest(path)}
    repacked(path, lambda name, content: gzip.compress(content) if name in layers else content)
    assert damage_of(str(path), NAME) == ""
    repacked(path, lambda name, content: gzip.compress(b"other") if name in layers else content)
    assert "has the checksum" in damage_of(str(path), NAME)


def test_a_changed_configuration_is_found(archive: tuple[Path, str]) -> None:
    path, identity = archive
    repacked(path, lambda name, content: content + b" " if identity in name and name.endswith("json") else content)
    assert damage_of(str(path), NAME).startswith("the configuration ")


def test_what_is_no_archive_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    assert damage_of(str(file))
    file.write_bytes(hashlib.sha256().digest() * 100)
    assert damage_of(str(file))


def manifest(path: Path) -> list[dict[str, t.Any]]:
    with tarfile.open(path) as archive:
        return t.cast("list[dict[str, t.Any]]", json.load(t.cast("t.IO[bytes]", archive.extractfile("manifest.json"))))
