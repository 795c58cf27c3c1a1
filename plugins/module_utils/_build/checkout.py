# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is in a checkout: Containerfiles, Go modules."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import ImageSource

CONTAINERFILES = ("Containerfile", "Dockerfile")
SKIPPED_FOLDERS = {".git", "node_modules", "vendor", "testdata"}


def containerfile_of(source: ImageSource) -> tuple[Path, Path, Path]:
    """Return the source's folder, its Containerfile and the build's context, all of which exist.

    :raises InputError: causes C(dir-missing), C(containerfile-missing), C(context-missing).
    """
    folder = Path(source.dir).expanduser().absolute()
    if not folder.is_dir():
        parent = next(path for path in folder.parents if path.is_dir())
        near = nearest(folder.name, [item.name for item in parent.iterdir() if item.is_dir()])
        raise InputError(
            f"There is no folder {folder}." + (f" The nearest is {parent / near}." if near else ""),
            remedy="Check it out there, or name the folder that has the service's sources.",
            setting="source.dir",
            cause="dir-missing",
        )
    if source.containerfile:
        containerfile = folder / Path(source.containerfile).expanduser()
    else:
        usual = [folder / name for name in CONTAINERFILES]
        containerfile = next((path for path in usual if path.is_file()), usual[0])
    if not containerfile.is_file():
        found = containerfiles_below(folder)
        near = nearest(os.path.relpath(containerfile, folder), found, cutoff=0)
        has = f"the nearest there is {near}" if near else "there is none in this folder"
        raise InputError(
            f"There is no Containerfile {containerfile}; {has}.",
            remedy="Name one that exists, relative to dir.",
            setting="source.containerfile",
            evidence=found[:10],
            cause="containerfile-missing",
        )
    context = folder / Path(source.context).expanduser()
    if not context.is_dir():
        raise InputError(
            f"The build context {context} is not a folder.",
            remedy="Name a folder relative to dir, or omit it.",
            setting="source.context",
            cause="context-missing",
        )
    return folder, containerfile, context


def containerfiles_below(folder: Path) -> list[str]:
    """Return every file that is named like a Containerfile, relative to the folder."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        found += [
            os.path.relpath(Path(place) / name, folder)
            for name in sorted(files)
            if re.search(r"(^|[._-])(Containerfile|Dockerfile)($|[._-])", name, re.IGNORECASE)
        ]
    return found


def go_modules_below(folder: Path) -> dict[str, str]:
    """Return the Go modules of a checkout: module path to folder."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        if "go.mod" in files:
            text = (Path(place) / "go.mod").read_text(encoding="utf-8", errors="replace")
            match = re.search(r'^module\s+"?([^\s"]+)', text, re.MULTILINE)
            if match:
                found[match[1]] = place
    return dict(sorted(found.items()))
