# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""From a source to an instrumented image: built, proved, named once, saved as an archive.

A Go module's image is named after the hash of its recipe, a Containerfile's after its own id: either way a name can
never mean two contents, so a stale image is never taken for a new one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import typing as t
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.from_containerfile import (
    image_from_containerfile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.from_module import image_from_module
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import (
    LABEL,
    BuildOutcome,
    BuildRequest,
    checked,
    service_folder,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def ensure_image(request: BuildRequest, *, check: bool = False) -> BuildOutcome:
    """Build, prove, name and archive the image unless all that is there already.

    :arg check: change nothing and tell what would change. A Containerfile's outcome cannot be known without building.
    :raises InputError: something asked for does not exist or does not fit; nothing was changed.
    :raises CoverageError: causes C(build-failed), C(not-instrumented), C(no-go-binary), C(wrong-architecture).
    """
    request = checked(request)
    with _lock(service_folder(request), check):
        if request.source.module:
            return image_from_module(request, check)
        return image_from_containerfile(request, check)


def remove_images(request: BuildRequest, *, check: bool = False) -> BuildOutcome:
    """Remove the images that were made for the service, and its folder in the cache.

    It waits for a build of the service that is under way.
    """
    podman = Podman(request.podman)
    records = podman.images_with_label(f"{LABEL}/service={request.service}")
    folder = service_folder(request)
    changed = bool(records) or folder.is_dir()
    if changed and not check:
        with _lock(folder, check):
            for record in podman.images_with_label(f"{LABEL}/service={request.service}"):
                # by name: an image that somebody tagged otherwise keeps that tag
                for name in record.get("Names") or [record["Id"]]:
                    podman.remove_image(name)
            shutil.rmtree(folder)
    return BuildOutcome(changed, {})


@contextmanager
def _lock(folder: Path, check: bool) -> t.Iterator[None]:
    """Let one run at a time work for a service; a parallel one finds the finished work."""
    if check:
        yield
        return
    file = folder / "lock"
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            stream = file.open("w", encoding="utf-8")
        except FileNotFoundError:  # removed meanwhile
            continue
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            try:
                current = os.fstat(stream.fileno()).st_ino == file.stat().st_ino
            except FileNotFoundError:
                current = False
            if current:  # else who held it before removed the folder with it
                yield
                return
