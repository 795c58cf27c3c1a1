# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Merge the counters of all process runs of a program: duplicates and earlier snapshots left out."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.accumulate import LARGEST, add_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.metas import read_file, set_aside
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Found, Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.snapshots import (
    SUM,
    ProcessRun,
    choose_process_runs,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

PROGRESS_EVERY = 512  # files


@dataclass(frozen=True)
class Choosing:
    """Which counters of a program are merged, and what else is found on the way; see R(read_collection)."""

    each_process_run: bool
    snapshots: str
    process_runs: t.Mapping[str, int]


def merge_process_runs(component: Component, program: Program, found: list[Found], choosing: Choosing) -> None:
    """Merge the counters of all process runs of one program: a sum that stops at 2^32-1, or in mode set whether any
    ran.
    """
    meta = program.meta
    found = _without_duplicates(component, found)
    found = _last_snapshots(component, program, found, choosing)

    def progress(number: int) -> None:
        if number and number % PROGRESS_EVERY == 0:
            report_progress(f"merging counters of {component.name}: {number} of {len(found)} files")

    merged = add_files(meta, _Paths(found), each_process_run=choosing.each_process_run, progress=progress)
    for number in sorted(merged.bad):
        set_aside(
            component,
            found[number],
            FormatError(*merged.bad[number]),
            "Copy the file again from the node; if that copy is the same, the process was killed while writing it.",
            "The counters of that process run are lost; those of all others count.",
        )
    for number, entry in enumerate(found):
        if number not in merged.bad:
            component.pods[entry.folder.pod].counters += 1
            program.nanoseconds = max(program.nanoseconds, entry.nanoseconds)
    for number in sorted(merged.plugins):
        component.say(
            "unknown-packages",
            NOTE,
            f"{found[number].name} also has counters of packages that its covmeta does not describe: those of plugins "
            "that the program loaded, mostly. As in Go's tools they do not count; all others do.",
            found[number].path,
            "Go cannot report the coverage of plugins: test their packages as part of a program.",
        )
    program.process_runs = len(found) - len(merged.bad)
    program.arguments = merged.arguments or {}
    if merged.never is not None:
        program.always = (merged.total != 0) & ~merged.never
    if meta.mode == "set":
        program.counts = (merged.total != 0).astype(np.uint32)
    else:
        program.counts = np.minimum(merged.total, LARGEST).astype(np.uint32)
        if (merged.total > LARGEST).any():
            component.say("overflow", NOTE, "A counter passed 2^32-1 and stays there, as in Go's own merge.")


def _without_duplicates(component: Component, found: list[Found]) -> list[Found]:
    """Leave out further copies of a file. Only files of one name can be copies: its time has nanoseconds."""
    by_name: dict[str, list[Found]] = {}
    if len({entry.folder.path for entry in found}) > 1:
        for entry in found:
            by_name.setdefault(entry.name, []).append(entry)
    dropped: set[str] = set()
    for copies in by_name.values():
        if len(copies) == 1:
            continue
        known: dict[bytes, Found] = {}
        for entry in copies:
            try:
                digest = _digest(entry.path)
            except FormatError:  # who reads it next says so
                continue
            if digest in known:
                dropped.add(entry.path)
                component.say(
                    "duplicate", NOTE, f"{entry.name} is there twice, byte for byte: it counts once.", entry.path
                )
            known.setdefault(digest, entry)
    return [entry for entry in found if entry.path not in dropped] if dropped else found


def _digest(path: str) -> bytes:
    import hashlib  # not needed where nothing is there twice

    return hashlib.sha256(read_file(path)).digest()


class _Paths(Sequence[str]):
    """The paths of files, made when they are asked for."""

    def __init__(self, found: t.Sequence[Found]) -> None:
        self.found = found

    def __len__(self) -> int:
        return len(self.found)

    @t.overload
    def __getitem__(self, index: int) -> str: ...

    @t.overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: t.Union[int, slice]) -> t.Union[str, Sequence[str]]:
        return _Paths(self.found[index]) if isinstance(index, slice) else self.found[index].path


def _last_snapshots(component: Component, program: Program, found: list[Found], choosing: Choosing) -> list[Found]:
    """Leave out what a process wrote before it wrote the same counters again, later."""
    pods = {} if choosing.snapshots == SUM else _repeated_processes(found)
    dropped: set[int] = set()
    for process_runs in pods.values():
        folder = found[process_runs[0].number].folder
        choice = choose_process_runs(
            process_runs,
            lambda number: _counts(program.meta, found[number].path),
            policy=choosing.snapshots,
            known=_known_process_runs(choosing.process_runs, folder.pod),
        )
        if choice.sentence:
            where = f"pod {folder.pod}" if folder.pod else folder.path
            component.say(
                choice.kind, NOTE, f"{where} of {component.name}: {choice.sentence}", folder.path, choice.remedy
            )
        dropped.update(choice.dropped)
    return [entry for number, entry in enumerate(found) if number not in dropped] if dropped else found


def _repeated_processes(found: t.Sequence[Found]) -> dict[str, list[ProcessRun]]:
    """Return all files of those folders in which a process id comes up again; by the path of the folder.

    Where none does, each file is a process run. That is what thousands of files in one folder are, so it is found in
    arrays.
    """
    order: dict[str, int] = {}
    folders = np.fromiter((order.setdefault(entry.folder.path, len(order)) for entry in found), np.int64, len(found))
    # an id in a name can have any length; ids that only seem equal are distinguished later
    processes = np.fromiter((entry.process % LARGEST for entry in found), np.int64, len(found))
    rank = np.lexsort((processes, folders))
    again = (np.diff(folders[rank]) == 0) & (np.diff(processes[rank]) == 0)
    repeated = np.zeros(len(order), dtype=bool)
    repeated[folders[rank][1:][again]] = True
    chosen = np.flatnonzero(repeated[folders]).tolist()
    pods: dict[str, list[ProcessRun]] = {}
    for number in chosen:
        entry = found[number]
        pods.setdefault(entry.folder.path, []).append(ProcessRun(number, entry.process, entry.nanoseconds))
    return pods


def _known_process_runs(process_runs: t.Mapping[str, int], pod: str) -> t.Optional[int]:
    """Return how many process runs a pod had; it may be named by the first or the last part of its folder."""
    parts = pod.split("/")
    for name in (pod, parts[0], parts[-1]):
        if name in process_runs:
            return process_runs[name]
    return None


def _counts(meta: covmeta.Meta, path: str) -> t.Optional[np.ndarray]:
    """Return the counters of one file by unit (U); nothing for a bad file."""
    merged = add_files(meta, [path])
    return None if merged.bad else merged.total
