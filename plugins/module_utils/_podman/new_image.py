# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Small docker archives, written without podman: one program, on top of the layers of another archive or of nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import posixpath
import tarfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import replacing
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import (
    CHUNK,
    DEFAULT_PATH,
    ImageArchive,
    header,
)


@dataclass(frozen=True)
class NewImage:
    """An image of one program, to be written.

    :arg binary: the program on this host; it becomes C(/usr/local/bin/NAME) and the entrypoint.
    :arg ports: exposed ports, as C(8080/tcp).
    """

    reference: str
    binary: str
    name: str
    architecture: str
    user: str = ""
    labels: t.Mapping[str, str] = field(default_factory=dict)
    ports: t.Sequence[str] = ()


def write_image(path: str, image: NewImage, base: t.Optional[ImageArchive] = None) -> str:
    """Write an archive with one layer, on top of the layers of C(base) if given, and return the image's id.

    The same input gives the same bytes and so the same id, on every host: no time, host name or container id is in it,
    which an image built by podman in Docker's format always has. The file appears whole or not at all.
    """
    target = f"usr/local/bin/{image.name}"
    layer_file = Path(f"{path}.{os.getpid()}.layer")
    try:
        digest = _write_layer(layer_file, image.binary, target)
        config: dict[str, t.Any] = json.loads(json.dumps(base.config)) if base else {}
        container = config.setdefault("config", {}) or {}
        container["Entrypoint"] = [f"/{target}"]
        container["Cmd"] = None
        container.setdefault("Env", [f"PATH={DEFAULT_PATH}"])
        if image.user:
            container["User"] = image.user
        container["Labels"] = {**(container.get("Labels") or {}), **image.labels}
        if image.ports:
            container["ExposedPorts"] = {**(container.get("ExposedPorts") or {}), **{port: {} for port in image.ports}}
        config["config"] = container
        config.update(architecture=image.architecture, os="linux", created="1970-01-01T00:00:00Z")
        rootfs = config.setdefault("rootfs", {"type": "layers", "diff_ids": []})
        rootfs["diff_ids"] = [*rootfs["diff_ids"], f"sha256:{digest}"]
        history = config.setdefault("history", [])
        history.append({"created": config["created"], "created_by": f"kubernaut.coverage: {image.name}"})
        raw = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
        identity = hashlib.sha256(raw).hexdigest()
        layers = list(base.image.layers) if base else []
        manifest = [{"Config": f"{identity}.json", "RepoTags": [image.reference], "Layers": [*layers, f"{digest}.tar"]}]
        with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
            if base is not None:
                base.copy_layers(archive)
            with layer_file.open("rb") as stream:
                archive.addfile(header(f"{digest}.tar", layer_file.stat().st_size), stream)
            for name, content in (
                (f"{identity}.json", raw),
                ("manifest.json", json.dumps(manifest, separators=(",", ":")).encode()),
            ):
                archive.addfile(header(name, len(content)), io.BytesIO(content))
    finally:
        layer_file.unlink(missing_ok=True)
    return identity


def _write_layer(path: Path, binary: str, target: str) -> str:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as layer:
        folder = ""
        for part in target.split("/")[:-1]:
            folder = posixpath.join(folder, part)
            layer.addfile(header(folder, mode=0o755, kind=tarfile.DIRTYPE))
        with Path(binary).open("rb") as stream:
            layer.addfile(header(target, os.fstat(stream.fileno()).st_size, mode=0o755), stream)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
