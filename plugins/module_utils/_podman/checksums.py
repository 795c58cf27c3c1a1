# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether a docker archive contains what it says: every layer against the checksum in the image's configuration.

The configuration's own checksum is the image's id, and it lists the SHA-256 of each layer, unpacked
(C(rootfs.diff_ids) of the OCI image specification, config.md). So the name of an image stands for all of its bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import typing as t
import zlib

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
OTHER_PACKED = (b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00")  # not unpacked here: what they contain is not checked


def damage_of(path: str, reference: str = "") -> str:
    """Return what is damaged in an archive, as the rest of a sentence; empty if all checksums are right.

    :arg reference: look only at the image of that name.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            for item in json.loads(_file(archive, "manifest.json").read()):
                if reference and reference not in (item.get("RepoTags") or []):
                    continue
                raw = _file(archive, item["Config"]).read()
                identity = hashlib.sha256(raw).hexdigest()
                if identity not in item["Config"]:
                    return f"the configuration {item['Config']} has the checksum {identity[:12]}"
                expected = json.loads(raw)["rootfs"]["diff_ids"]
                if len(expected) != len(item["Layers"]):
                    return f"it has {len(item['Layers'])} layers instead of {len(expected)}"
                for name, digest in dict(zip(item["Layers"], expected, strict=True)).items():
                    found = _digest(_file(archive, name))
                    if found and f"sha256:{found}" != digest:
                        return f"layer {name} has the checksum {found[:12]} instead of {digest[7:19]}"
    except (OSError, EOFError, ValueError, KeyError, TypeError, tarfile.TarError, zlib.error) as error:
        return str(error) or type(error).__name__
    return ""


def _file(archive: tarfile.TarFile, name: str) -> t.IO[bytes]:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream


def _digest(stream: t.IO[bytes]) -> str:
    """Return the SHA-256 of a layer, unpacked; empty if it is packed in a way that Python cannot unpack here."""
    head = stream.read(len(max(OTHER_PACKED, key=len)))
    stream.seek(0)
    if head.startswith(OTHER_PACKED):
        return ""
    digest = hashlib.sha256()
    content = t.cast("t.IO[bytes]", gzip.GzipFile(fileobj=stream)) if head.startswith(GZIP) else stream
    while chunk := content.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
