# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A registry for the nodes: what is in podman's store can be pulled under its name.

A suite's manifests name images of third parties, some with C(imagePullPolicy: Always) (the default for C(:latest)), so
an image on the node is not enough. containerd asks this registry first, for every registry there is
(C(certs.d/_default/hosts.toml)), and the real one for what is not here. Reading only; no image is changed.

Source of truth: the OCI distribution specification 1.1 (pull), Docker's image manifest version 2 schema 2 (layers that
are not compressed have C(application/vnd.docker.image.rootfs.diff.tar)), containerd's docs/hosts.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import tarfile
import threading
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
REQUEST = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<which>[^/]+)")
HOSTS_FOLDER = "/etc/containerd/certs.d/_default"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A file of an archive: where it is in it, or its bytes."""

    size: int
    archive: str = ""
    member: str = ""
    data: bytes = b""


class Registry:
    """Serves images as the API for pulling has them.

    :arg archive_of: returns the path of an archive that has an image under that name; raises L(CoverageError) where
        there is none.
    :arg address: of this host, as the nodes reach it.
    """

    def __init__(self, archive_of: t.Callable[[str], str], address: str) -> None:
        self._archive_of = archive_of
        self._blobs: dict[str, Blob] = {}
        self._manifests: dict[str, bytes] = {}
        self._lock = threading.Lock()
        registry = self

        class Handler(_Handler):
            def find(self, registry_name: str) -> t.Optional[tuple[str, str, Blob]]:
                return registry.find(self.path, registry_name)

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def hosts_toml(self) -> str:
        """What containerd reads: ask here first."""
        return f'[host."{self.url}"]\n  capabilities = ["pull", "resolve"]\n'

    def close(self) -> None:
        """Serve nothing any more."""
        self._server.shutdown()
        self._server.server_close()

    def find(self, target: str, registry_name: str = "") -> t.Optional[tuple[str, str, Blob]]:
        """Return media type, digest and content for the target of a request; None for what is not here.

        :arg registry_name: the registry that was meant, where the target does not say it (C(?ns=)).
        """
        url = urllib.parse.urlsplit(target)
        request = REQUEST.fullmatch(urllib.parse.unquote(url.path))
        if request is None:
            return None
        meant = urllib.parse.parse_qs(url.query).get("ns", [registry_name])[0]
        if request["kind"] == "blobs":
            blob = self._blobs.get(request["which"])
            return ("application/octet-stream", request["which"], blob) if blob else None
        digest = request["which"]
        if ":" not in digest:
            try:
                digest = self._add(f"{meant}/{request['name']}:{request['which']}")
            except CoverageError:
                return None
        manifest = self._manifests.get(digest)
        return (MANIFEST, digest, Blob(len(manifest), data=manifest)) if manifest else None

    def _add(self, reference: str) -> str:
        """Make the manifest of an image, and return its digest."""
        path = self._archive_of(reference)
        with ImageArchive(path, reference) as archive, tarfile.open(path, "r:") as members:
            raw = t.cast(t.IO[bytes], members.extractfile(archive.image.config_file)).read()
            layers = [
                (digest, Blob(members.getmember(name).size, path, name))
                for digest, name in zip(archive.config["rootfs"]["diff_ids"], archive.image.layers, strict=True)
            ]
        config = (f"sha256:{archive.image.id}", Blob(len(raw), data=raw))
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "size": config[1].size, "digest": config[0]},
                "layers": [{"mediaType": LAYER, "size": blob.size, "digest": digest} for digest, blob in layers],
            }
        ).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        with self._lock:
            self._blobs.update([config, *layers])
            self._manifests[digest] = manifest
        return digest


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def find(self, registry_name: str) -> t.Optional[tuple[str, str, Blob]]:
        raise NotImplementedError

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def _answer(self, *, with_content: bool) -> None:
        if urllib.parse.urlsplit(self.path).path == "/v2/":
            self._head(200, "application/json", 0)
            return
        found = self.find("")
        if found is None:
            self._head(404, "application/json", 0)
            return
        media_type, digest, blob = found
        self._head(200, media_type, blob.size, digest)
        if with_content:
            # a node that has enough hangs up
            with contextlib.suppress(ConnectionError):
                for part in _parts(blob):
                    self.wfile.write(part)

    def _head(self, status: int, media_type: str, size: int, digest: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(size))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing: the journal has what matters."""


def _parts(blob: Blob) -> t.Iterator[bytes]:
    if not blob.archive:
        yield blob.data
        return
    with tarfile.open(blob.archive, "r:") as members:
        stream = t.cast(t.IO[bytes], members.extractfile(blob.member))
        while part := stream.read(CHUNK):
            yield part
