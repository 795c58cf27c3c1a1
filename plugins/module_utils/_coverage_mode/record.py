# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The way back: what coverage mode changed travels with the workload, in an annotation, and nothing else does.

It is the list of changed fields with their values before and after, not a copy of the workload: what other people
change meanwhile stays, and no secret is copied that was not in a changed field.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import typing as t
import zlib

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.changes import (
    Change,
    Kept,
    change_from_json,
    differences,
    undone,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import containers_of, kind_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object, describe

PREFIX = "coverage.kubernaut.io"
ORIGINAL = f"{PREFIX}/original"
RUN = f"{PREFIX}/run"
COMPONENT = f"{PREFIX}/component"
VOLUME = "coverage-data"
POD_NAME = "COVERAGE_POD_NAME"

COMPRESSED = "zlib:"
LONG = 16 * 1024  # characters; all annotations of an object together may have 256 KiB
MOST = 4 * 1024 * 1024  # characters; more than any object can have


def is_in_coverage_mode(workload: Object) -> bool:
    """Whether the workload carries the way back with it."""
    return ORIGINAL in ((workload.get("metadata") or {}).get("annotations") or {})


def with_record(changed: Object, normal: Object) -> Object:
    """Return a copy of the changed workload that carries the way back to the normal one."""
    return _annotated(changed, as_text(differences(normal, changed)))


def in_normal_mode(workload: Object) -> tuple[Object, list[Kept]]:
    """Return the normal workload, and what somebody else changed of what coverage mode had changed: that is kept.

    :raises InputError: the annotation cannot be read.
    """
    if not is_in_coverage_mode(workload):
        return copy.deepcopy(workload), []
    return without_changes(workload, changes_of(workload))


def without_changes(workload: Object, changes: t.Sequence[Change]) -> tuple[Object, list[Kept]]:
    """Return the workload without these changes, and without the annotation."""
    bare = copy.deepcopy(workload)
    annotations = bare["metadata"].get("annotations")
    if annotations:
        annotations.pop(ORIGINAL, None)
    return undone(changes, bare, needed=_is_needed)


def changes_of(workload: Object) -> list[Change]:
    """Return what the annotation says was changed.

    :raises InputError: it cannot be read.
    """
    text = workload["metadata"]["annotations"][ORIGINAL]
    try:
        if text.startswith(COMPRESSED):
            packed = base64.b64decode(text[len(COMPRESSED) :], validate=True)
            text = zlib.decompressobj().decompress(packed, MOST).decode()
        value = json.loads(text)
        if not isinstance(value, list):
            raise TypeError("not a list")
        return [change_from_json(item) for item in value]
    except (ValueError, TypeError, zlib.error, binascii.Error, InputError) as error:
        raise InputError(
            f"The annotation {ORIGINAL} of {describe(workload)} cannot be read, so the original workload is"
            f" unknown: {error}.",
            remedy="Apply the normal manifest, and remove that annotation.",
            cause="way-back-unreadable",
        ) from error


def as_text(changes: t.Sequence[Change]) -> str:
    """Return the changes as the annotation has them: JSON, compressed where it is long."""
    text = json.dumps([change.as_json() for change in changes], sort_keys=True, separators=(",", ":"))
    if len(text) <= LONG:
        return text
    return COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _annotated(workload: Object, text: str) -> Object:
    result = copy.deepcopy(workload)
    result["metadata"]["annotations"] = {**(result["metadata"].get("annotations") or {}), ORIGINAL: text}
    return result


def _is_needed(workload: Object, change: Change) -> bool:
    """Whether the volume, or the variable with the pod's name, is still used by a mount that stays."""
    name = change.path[-1][1] if isinstance(change.path[-1], tuple) else ""
    if name not in (VOLUME, POD_NAME):
        return False
    owner = next((step[1] for step in change.path if isinstance(step, tuple)), "")
    for container in containers_of(kind_of(workload["kind"]).pod_template(workload)["spec"]):
        if name == POD_NAME and container["name"] != owner:
            continue
        if any(mount["name"] == VOLUME for mount in container.get("volumeMounts") or []):
            return True
    return False
