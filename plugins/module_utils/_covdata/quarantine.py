# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Move files that do not count out of the way, with a record of why."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.scan import QUARANTINE_RECORD


def quarantine(problems: t.Sequence[Problem], folder: str, *, check: bool = False) -> list[tuple[str, str]]:
    """Move files that do not count to C(folder), and record there where each came from and why.

    The folder is not read as data any more, wherever it is: R(read_collection) skips folders that contain the record.

    :arg problems: C(Component.set_aside); of those that name a file that is gone, nothing is done.
    :arg check: move nothing.
    :returns: from where to where each file was moved, or would be.
    :raises InputError: cannot-write: a file could not be moved; those before it are moved and recorded.
    """
    import json  # most callers never move anything
    import shutil

    record = os.path.join(folder, QUARANTINE_RECORD)
    moved: list[tuple[str, str]] = []
    taken: set[str] = set()
    for problem in problems:
        if (
            not problem.file
            or not os.path.lexists(problem.file)
            or any(problem.file == source for source, _to in moved)
        ):
            continue
        name = base = os.path.basename(problem.file)
        number = 0
        while name in taken or os.path.lexists(os.path.join(folder, name)):
            number += 1
            name = f"{base}.{number}"
        taken.add(name)
        target = os.path.join(folder, name)
        if not check:
            try:
                os.makedirs(folder, exist_ok=True)
                # the record first: what is moved has its reason, whatever happens in between
                with open(record, "a", encoding="utf-8", errors="surrogateescape") as stream:
                    stream.write(json.dumps({**problem.as_dict(), "name": name}, ensure_ascii=False) + "\n")
                shutil.move(problem.file, target)
            except OSError as error:
                raise InputError(
                    f"{problem.file} could not be moved to {folder}: {error.strerror}.",
                    remedy="Make sure that the folder is writable and that its disk is not full.",
                    evidence=[f"{source} was moved to {to}" for source, to in moved],
                    cause="cannot-write",
                ) from error
        moved.append((problem.file, target))
    return moved
