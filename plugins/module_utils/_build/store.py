# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a service's folder in the cache has of earlier builds."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ArchiveError, ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.checksums import damage_of


def archive_is_good(archive: Path, identity: str, reference: str) -> bool:
    """Whether the archive holds the image of that id under that name, undamaged."""
    if not archive.exists():
        return False
    try:
        with ImageArchive(str(archive), reference) as opened:
            right = opened.image.id == identity
        return right and not damage_of(str(archive), reference)
    except ArchiveError:
        return False  # cut off by an interrupted run, or another name: it is written again


def read_json(path: Path) -> dict[str, t.Any]:
    """Return the object in a JSON file, an empty one if the file is missing or damaged."""
    try:
        return t.cast("dict[str, t.Any]", json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}
