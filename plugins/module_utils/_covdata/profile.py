# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The merged data in the order of Go's text profile: what all reports are made from.

Source of truth: internal/coverage/cformat (C(AddUnit), C(sortUnits)), which folds equal units of one function and
sorts by package, file, start line, end line, start column, end column, statements.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Package

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import Program

LARGEST = 0xFFFFFFFF
START_LINE, START_COLUMN, END_LINE, END_COLUMN, STATEMENTS = range(5)


def percentage(covered: int, total: int) -> float:
    """Return the percentage as Go computes it; of no statements it is 0."""
    return 100.0 * float(covered) / float(total or 1)


def sort_key(text: str) -> bytes:
    """Order strings as Go does, by their bytes."""
    return text.encode("utf-8", "surrogateescape")


@dataclass
class Profile:
    """P packages, N files, F functions, U units, the units sorted.

    :ivar mode: set, count or atomic.
    :ivar packages: P, sorted by path; also those without any unit.
    :ivar function_name, function_literal, function_package, function_file: (F).
    :ivar package, file, function: (U) indices. C(units): (5, U) uint32 as in R(Meta). C(counts): (U) uint32.
    """

    mode: str
    packages: list[Package]
    files: list[str]
    function_name: list[str]
    function_literal: np.ndarray
    function_package: np.ndarray
    function_file: np.ndarray
    package: np.ndarray
    file: np.ndarray
    function: np.ndarray
    units: np.ndarray
    counts: np.ndarray

    def totals(self) -> tuple[int, int]:
        """Return the statements covered and all statements."""
        statements = self.units[STATEMENTS].astype(np.int64)
        return int(statements[self.counts != 0].sum()), int(statements.sum())

    def by(self, index: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the statements covered and all statements for each of C(size) packages, files or functions."""
        # float64 is exact to 2^53
        statements = self.units[STATEMENTS].astype(np.float64)
        total = np.bincount(index, statements, size).astype(np.int64)
        covered = np.bincount(index, np.where(self.counts != 0, statements, 0.0), size).astype(np.int64)
        return covered, total

    def select(self, keep: t.Container[str]) -> Profile:
        """Return the part whose packages' paths are in C(keep)."""
        chosen = np.asarray([package.path in keep for package in self.packages], dtype=bool)
        if chosen.all():
            return self
        rename = np.cumsum(chosen) - 1
        units = chosen[self.package] if len(self.package) else np.zeros(0, dtype=bool)
        functions = chosen[self.function_package] if len(self.function_package) else np.zeros(0, dtype=bool)
        function_rename = np.cumsum(functions) - 1
        used = np.zeros(len(self.files), dtype=bool)
        used[self.function_file[functions]] = True
        file_rename = np.cumsum(used) - 1
        return Profile(
            mode=self.mode,
            packages=[package for package, kept in zip(self.packages, chosen.tolist(), strict=True) if kept],
            files=[file for file, kept in zip(self.files, used.tolist(), strict=True) if kept],
            function_name=[name for name, kept in zip(self.function_name, functions.tolist(), strict=True) if kept],
            function_literal=self.function_literal[functions],
            function_package=rename[self.function_package[functions]],
            function_file=file_rename[self.function_file[functions]],
            package=rename[self.package[units]],
            file=file_rename[self.file[units]],
            function=function_rename[self.function[units]],
            units=self.units[:, units],
            counts=self.counts[units],
        )


def make_profile(programs: t.Sequence[Program], mode: str) -> Profile:
    """Put the merged programs of one component together."""
    packages: dict[str, Package] = {}
    file_names: set[str] = set()
    for program in programs:
        for entry in program.meta.packages:
            packages.setdefault(entry.path, entry)
        file_names.update(program.meta.files)
    paths = sorted(packages, key=sort_key)
    files = sorted(file_names, key=sort_key)
    package_rank = {path: rank for rank, path in enumerate(paths)}
    file_rank = {name: rank for rank, name in enumerate(files)}

    functions: dict[tuple[int, int, str, bool], int] = {}
    parts_function, parts_units, parts_counts = [], [], []
    for program in programs:
        meta = program.meta
        package_of = np.asarray([package_rank[package.path] for package in meta.packages], dtype=np.int64)
        file_of = np.asarray([file_rank[name] for name in meta.files], dtype=np.int64)
        keys = zip(
            package_of[meta.function_package].tolist() if len(meta.function_package) else [],
            file_of[meta.function_file].tolist() if len(meta.function_file) else [],
            meta.function_name,
            meta.function_literal.tolist(),
            strict=True,
        )
        ids = np.asarray([functions.setdefault(key, len(functions)) for key in keys], dtype=np.int64)
        parts_function.append(np.repeat(ids, np.diff(meta.function_base)))
        parts_units.append(meta.units)
        # beside data of mode set, counts are only whether anything ran
        parts_counts.append(np.minimum(program.counts, 1) if mode == "set" else program.counts)
    function_package = np.asarray([key[0] for key in functions], dtype=np.int64)
    function_file = np.asarray([key[1] for key in functions], dtype=np.int64)
    function = np.concatenate(parts_function) if parts_function else np.zeros(0, dtype=np.int64)
    units = np.concatenate(parts_units, axis=1) if parts_units else np.zeros((5, 0), dtype=np.uint32)
    counts = np.concatenate(parts_counts) if parts_counts else np.zeros(0, dtype=np.uint32)
    package, file = function_package[function], function_file[function]

    wide = units.astype(np.uint64)
    high = np.uint64(32)
    keys64 = [
        (package.astype(np.uint64) << high) | file.astype(np.uint64),
        (wide[START_LINE] << high) | wide[END_LINE],
        (wide[START_COLUMN] << high) | wide[END_COLUMN],
        # the function last: Go leaves the order of equal ranges to chance
        (wide[STATEMENTS] << high) | function.astype(np.uint64),
    ]
    order = np.lexsort(keys64[::-1])
    if len(order):
        new = np.ones(len(order), dtype=bool)
        new[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys64])
        if not new.all():
            starts = np.flatnonzero(new)
            merged = np.add.reduceat(counts[order].astype(np.uint64), starts)
            counts = counts.copy()
            order = order[starts]
            counts[order] = np.minimum(merged, 1 if mode == "set" else LARGEST).astype(np.uint32)
    return Profile(
        mode=mode,
        packages=[packages[path] for path in paths],
        files=files,
        function_name=[key[2] for key in functions],
        function_literal=np.asarray([key[3] for key in functions], dtype=bool),
        function_package=function_package,
        function_file=function_file,
        package=package[order],
        file=file[order],
        function=function[order],
        units=units[:, order],
        counts=counts[order],
    )
