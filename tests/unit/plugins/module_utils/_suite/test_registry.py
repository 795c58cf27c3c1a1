# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry for the nodes, over real HTTP: manifests and blobs are what their digests say."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import (
    ImageArchive,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.registry import LAYER, MANIFEST, Registry

NAME = "docker.io/curlimages/curl:latest"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An image of one file."""
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF and more" * 1000)
    path = tmp_path / "image.tar"
    write_image(str(path), NewImage(NAME, str(program), "program", "amd64"))
    return path


@pytest.fixture
def registry(archive: Path) -> t.Iterator[Registry]:
    """A registry that has that image alone."""

    def archive_of(reference: str) -> str:
        if reference != NAME:
            raise CoverageError(f"no {reference}")
        return str(archive)

    served = Registry(archive_of, "127.0.0.1")
    yield served
    served.close()


class Answer(t.NamedTuple):
    """What the registry answered."""

    status: int
    headers: t.Mapping[str, str]
    content: bytes


def ask(registry: Registry, path: str, method: str = "GET") -> Answer:
    connection = http.client.HTTPConnection(registry.url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def test_an_image_is_pulled_as_containerd_does(registry: Registry, archive: Path) -> None:
    assert ask(registry, "/v2/").status == 200
    head = ask(registry, "/v2/curlimages/curl/manifests/latest?ns=docker.io", "HEAD")
    digest, length = head.headers["Docker-Content-Digest"], int(head.headers["Content-Length"])
    assert head.headers["Content-Type"] == MANIFEST
    content = ask(registry, f"/v2/curlimages/curl/manifests/{digest}?ns=docker.io").content
    assert (f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)) == (digest, length)
    manifest = json.loads(content)
    with ImageArchive(str(archive)) as opened:
        assert manifest["config"]["digest"] == f"sha256:{opened.image.id}"
        assert [layer["digest"] for layer in manifest["layers"]] == opened.config["rootfs"]["diff_ids"]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {LAYER}
    for blob in (manifest["config"], *manifest["layers"]):
        data = ask(registry, f"/v2/curlimages/curl/blobs/{blob['digest']}?ns=docker.io").content
        assert (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) == (blob["digest"], blob["size"])


@pytest.mark.parametrize(
    "path",
    [
        "/v2/curlimages/curl/manifests/latest?ns=quay.io",
        "/v2/curlimages/curl/manifests/8.0?ns=docker.io",
        f"/v2/curlimages/curl/manifests/sha256:{'0' * 64}?ns=docker.io",
        f"/v2/curlimages/curl/blobs/sha256:{'0' * 64}?ns=docker.io",
        "/v2/../../etc/passwd",
        "/",
    ],
)
def test_what_is_not_here_is_asked_for_elsewhere(registry: Registry, path: str) -> None:
    assert ask(registry, path).status == 404


def test_containerd_is_told_where_it_is(registry: Registry) -> None:
    assert registry.hosts_toml == f'[host."{registry.url}"]\n  capabilities = ["pull", "resolve"]\n'
