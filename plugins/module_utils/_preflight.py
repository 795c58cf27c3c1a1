# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What has to hold before a run may change anything: asked side by side, and all that is wrong is told at once."""

from __future__ import annotations

import shutil
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError, InputError

Check = t.Callable[[], t.Any]

GIB = 1024**3


def check_all(checks: t.Mapping[str, Check]) -> list[str]:
    """Run every check in a thread of its own and return the names of those that passed.

    :raises CoverageError: the first that failed, in the order given; the others are in its evidence.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(checks))) as pool:
        futures = {name: pool.submit(check) for name, check in checks.items()}
        errors = {name: future.exception() for name, future in futures.items()}
    failures: list[CoverageError] = []
    for error in errors.values():
        if isinstance(error, CoverageError):
            failures.append(error)
        elif error is not None:
            raise error
    if not failures:
        return list(checks)
    first, *others = failures
    for other in others:
        first.evidence.append(f"also: {other.result()['msg']}")
    raise first


def check_disk(path: str, minimum_gib: float) -> None:
    """Refuse a disk that an image, its archive and its copy on a node could fill.

    :arg path: a folder on that disk; its nearest existing parent is asked.
    :raises InputError: less than that is free.
    """
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GIB
    if free < minimum_gib:
        raise InputError(
            f"The disk of {folder} has {free:.1f} GiB free, {minimum_gib:g} GiB are needed.",
            remedy="An image is held three times (store, archive, node): make room, or use another disk.",
            setting="preflight_disk_gib",
            cause="disk-full",
        )
