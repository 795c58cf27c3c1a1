# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Snapshots as files that C(go tool covdata) reads: one covmeta and, of each process run, the newest covcounters."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import Snapshot

CLOCK_SLACK = 10**9  # nanoseconds: the kernel says in seconds when it was booted


def write_snapshot(snapshot: Snapshot, folder: str) -> tuple[str, str]:
    """Write both files; a file appears whole or not at all.

    Earlier covcounters of the same process run are removed once the new one is there: C(go tool covdata) would add
    them up. A file counts as earlier where its name has the same covmeta and process id and a time after the process
    was started, and none of its counters is greater.

    :returns: the paths of covmeta and covcounters.
    :raises InputError: the folder cannot be made or written to.
    """
    place, digest = Path(folder), snapshot.build.digest.hex()
    meta = place / f"covmeta.{digest}"
    prefix = f"covcounters.{digest}.{snapshot.pid}."
    counters = place / f"{prefix}{snapshot.taken}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not meta.is_file() or meta.read_bytes() != snapshot.build.covmeta:
            _write(meta, snapshot.build.covmeta)
        _write(counters, snapshot.covcounters())
        for path in place.glob(f"{prefix}*"):
            if path != counters and _is_earlier(path, snapshot):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"The snapshot cannot be written to {folder}: {error.strerror}.",
            remedy="Use a writable folder.",
            setting="output",
            cause="output-not-writable",
        ) from error
    return str(meta), str(counters)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"tmp.{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _is_earlier(path: Path, snapshot: Snapshot) -> bool:
    """Tell whether a file has counters of the same process run, and none that the snapshot does not have."""
    written = path.name.rpartition(".")[2]
    if not written.isdigit() or not snapshot.started - CLOCK_SLACK <= int(written) <= snapshot.taken:
        return False
    try:
        segments = covcounters.read_counters(path.read_bytes()).segments
    except FormatError:
        return False
    now = _by_function(snapshot.segment)
    for segment in segments:
        for function, values in _by_function(segment).items():
            if function not in now or any(before > after for before, after in zip(values, now[function], strict=True)):
                return False
    return True


def _by_function(segment: covcounters.Segment) -> dict[tuple[int, int], list[int]]:
    ends = segment.lengths.cumsum().tolist()
    begins = (segment.lengths.cumsum() - segment.lengths).tolist()
    counters = segment.counters.tolist()
    return {
        (package, function): counters[begin:end]
        for package, function, begin, end in zip(
            segment.package.tolist(), segment.function.tolist(), begins, ends, strict=True
        )
    }
