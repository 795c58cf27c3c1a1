# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Merged data as files that C(go tool covdata) reads: each covmeta as it came, and one covcounters for it."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import (
    CounterFile,
    Segment,
    write_counters,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta_writer import write_meta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]


def merged_files(programs: t.Sequence[Program]) -> dict[str, bytes]:
    """Return the content of each file of the merged folder by its name.

    The same data give the same bytes: the time in a name is that of the last process run, the process id is 0 as in
    Go's own merge. A covmeta that no operation changed is copied as it came. A program of which no counters were found
    is only its covmeta, so that it is not taken for one at 0 %.
    """
    files: dict[str, bytes] = {}
    for program in programs:
        digest = program.meta.hash.hex()
        if program.derived:
            files[f"covmeta.{digest}"] = write_meta(program.meta)
        else:
            with open(program.meta_path, "rb") as stream:
                files[f"covmeta.{digest}"] = stream.read()
        if program.process_runs:
            file = CounterFile(program.meta.hash, [_segment(program)])
            files[f"covcounters.{digest}.0.{program.nanoseconds}"] = write_counters(file)
    return files


def _segment(program: Program) -> Segment:
    """Return the functions of which at least one unit ran."""
    meta, counts = program.meta, program.counts
    lengths = np.diff(meta.function_base)
    ran = np.concatenate([[0], np.cumsum(counts != 0)])
    live = np.flatnonzero(ran[meta.function_base[1:]] > ran[meta.function_base[:-1]])
    package = meta.function_package[live]
    return Segment(
        arguments=program.arguments,
        package=package,
        function=live - meta.package_base[package],
        lengths=lengths[live],
        counters=counts[np.repeat(np.isin(np.arange(len(lengths)), live), lengths)],
    )
