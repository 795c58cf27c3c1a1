# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The merged data in the order of Go's text profile: what all reports are made from.

Source of truth: internal/coverage/cformat (C(AddUnit), C(sortUnits)), which folds equal units of one function and
sorts by package, file, start line, end line, start column, end column, statements.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Package

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program

LARGEST = 0xFFFFFFFF
START_LINE, START_COLUMN, END_LINE, END_COLUMN, STATEMENTS = range(5)
PLACE = (START_LINE, END_LINE, START_COLUMN, END_COLUMN)  # in the order that Go sorts by
WORD_BITS = 64


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
    :ivar entry: (U) bool: whether it is the unit that its function begins with, which //line can move behind others.
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
    entry: np.ndarray

    def totals(self) -> tuple[int, int]:
        """Return the statements covered and all statements."""
        statements = self.units[STATEMENTS].astype(np.int64)
        return int(statements[self.counts != 0].sum()), int(statements.sum())

    def by(self, index: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the statements covered and all statements for each of C(size) packages, files or functions."""
        return _statements(index, self.units[STATEMENTS], self.counts, size)

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
            entry=self.entry[units],
        )


def make_profile(programs: t.Sequence[Program], mode: str) -> Profile:
    """Put the merged programs of one component together.

    What is equal in package, file, function, place and statements is one unit: its counts are added up, as Go does it.
    """
    functions = _Functions(programs)
    function = _units_of(functions.ids, programs)
    units = _joined([program.meta.units for program in programs], axis=1)
    # combined with data of mode set, counts are only whether anything ran
    counts = _joined([np.minimum(entry.counts, 1) if mode == "set" else entry.counts for entry in programs])
    order, folded = order_units(functions.place[function], functions.places, units, function)
    sorted_counts = counts[order]
    if folded is not None:
        merged = np.add.reduceat(sorted_counts.astype(np.uint64), folded)
        sorted_counts = np.minimum(merged, 1 if mode == "set" else LARGEST).astype(np.uint32)
        entry = np.maximum.reduceat(_entries(programs)[order], folded)
        order = order[folded]
    else:
        entry = _entries(programs)[order]
    function = function[order]
    return Profile(
        mode=mode,
        packages=functions.packages,
        files=functions.files,
        function_name=functions.names,
        function_literal=functions.literal,
        function_package=functions.package,
        function_file=functions.file,
        package=functions.package[function],
        file=functions.file[function],
        function=function,
        units=np.take(units, order, axis=1),
        counts=sorted_counts,
        entry=entry,
    )


def package_totals(programs: t.Sequence[Program], mode: str) -> tuple[list[Package], np.ndarray, np.ndarray]:
    """Return the packages sorted by path, and of each the statements covered and all statements.

    The numbers are those of R(make_profile), which is only needed where two units could be one.
    """
    functions = _Functions(programs, named=False)
    function = _units_of(functions.ids, programs)
    units = _joined([program.meta.units for program in programs], axis=1)
    place = pack_columns(
        [(functions.place[function], functions.places), *((units[column], None) for column in PLACE[::2])]
    )
    twins = place is None
    if place is not None:
        place.sort(kind="stable")  # quickest, as most are in order already
        twins = bool((place[1:] == place[:-1]).any())
    if twins:
        profile = make_profile(programs, mode)
        covered, total = profile.by(profile.package, len(profile.packages))
        return profile.packages, covered, total
    counts = _joined([program.counts for program in programs])
    covered, total = _statements(functions.package[function], units[STATEMENTS], counts, len(functions.packages))
    return functions.packages, covered, total


class _Functions:
    """The functions of all programs; those of one package, file, name and kind are one.

    :ivar ids: for each program the number of each of its functions.
    :ivar package, file, literal, names: by that number. C(place): rank of its file among all, by package and file.
    """

    def __init__(self, programs: t.Sequence[Program], *, named: bool = True) -> None:
        # names first: where they are decoded, the files are, too
        self.names = [name for program in programs for name in program.meta.function_name] if named else []
        packages: dict[str, Package] = {}
        file_names: dict[str, None] = {}
        for program in programs:
            for entry in program.meta.packages:
                packages.setdefault(entry.path, entry)
            file_names.update(dict.fromkeys(program.meta.files))
        paths = sorted(packages, key=sort_key)
        self.packages = [packages[path] for path in paths]
        self.files = sorted(file_names, key=sort_key)
        package_rank = {path: rank for rank, path in enumerate(paths)}
        file_rank = {name: rank for rank, name in enumerate(self.files)}
        package_parts, file_parts = [], []
        for program in programs:
            meta = program.meta
            package_parts.append(_ranks([package_rank[entry.path] for entry in meta.packages], meta.function_package))
            file_parts.append(_ranks([file_rank[name] for name in meta.files], meta.function_file))
        self.package, self.file = _joined(package_parts, np.int64), _joined(file_parts, np.int64)
        self.literal = _joined([program.meta.function_literal for program in programs], bool)
        ids = np.arange(len(self.package))
        if named:
            ids = self._fold(self.package * len(self.files) + self.file, _name_ids(programs))
        bounds = np.cumsum([0, *(len(program.meta.function_package) for program in programs)]).tolist()
        self.ids = [ids[begin:end] for begin, end in itertools.pairwise(bounds)]
        # functions of one file lie together, mostly
        key = self.package * len(self.files) + self.file
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else ids[:0]
        values, place = np.unique(key[starts], return_inverse=True)
        self.place = np.repeat(place, np.diff(np.append(starts, len(key))))
        self.places = len(values)

    def _fold(self, place: np.ndarray, name: np.ndarray) -> np.ndarray:
        """Keep one of each package, file, name and kind; return the number of each function."""
        columns = ((place, None), (name, None), (self.literal, 2))
        key = pack_columns(columns)
        if key is None:  # places are many, but there is one at most for each function
            rank = np.unique(place, return_inverse=True)[1]
            key = rank << (WORD_BITS // 2) | (name * 2 + self.literal)
        order = np.argsort(key, kind="stable")
        new = np.ones(len(order), dtype=bool)
        new[1:] = key[order[1:]] != key[order[:-1]]
        if new.all():
            return np.arange(len(order))
        # numbered by where the first of each is
        starts = np.flatnonzero(new)
        first = np.minimum.reduceat(order, starts)
        kept = np.sort(first)
        ids = np.empty(len(order), dtype=np.int64)
        ids[order] = np.repeat(np.searchsorted(kept, first), np.diff(np.append(starts, len(order))))
        self.package, self.file, self.literal = self.package[kept], self.file[kept], self.literal[kept]
        self.names = [self.names[index] for index in kept.tolist()]
        return ids


def _name_ids(programs: t.Sequence[Program]) -> np.ndarray:
    """Return a number for each function of each program that tells names apart."""
    packages = [entry.path for program in programs for entry in program.meta.packages]
    if len(programs) == 1 and len(set(packages)) == len(packages):
        return t.cast("np.ndarray", programs[0].meta.function_name_id)  # it does so within a package
    known: dict[str, int] = {}
    parts = [
        _ranks([known.setdefault(name, len(known)) for name in program.meta.names], program.meta.function_name_id)
        for program in programs
    ]
    return _joined(parts, np.int64)


def _ranks(ranks: t.Sequence[int], index: np.ndarray) -> np.ndarray:
    return np.asarray(ranks, dtype=np.int64)[index] if len(index) else np.zeros(0, dtype=np.int64)


def _joined(parts: t.Sequence[np.ndarray], dtype: t.Any = "uint32", axis: int = 0) -> np.ndarray:
    """Return the parts as one array, without a copy where there is only one."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return np.zeros((5, 0) if axis else 0, dtype=dtype)
    return np.concatenate(parts, axis=axis)


def _units_of(ids: t.Sequence[np.ndarray], programs: t.Sequence[Program]) -> np.ndarray:
    """Return the function of each unit of each program."""
    parts = [
        np.repeat(numbers, np.diff(program.meta.function_base)) for numbers, program in zip(ids, programs, strict=True)
    ]
    return _joined(parts, np.int64)


def _entries(programs: t.Sequence[Program]) -> np.ndarray:
    """Return of each unit of each program whether its function begins with it."""
    parts = []
    for program in programs:
        base = program.meta.function_base
        first = np.zeros(program.meta.units.shape[1], dtype=bool)
        first[base[:-1][base[1:] > base[:-1]]] = True
        parts.append(first)
    return _joined(parts, bool)


def pack_columns(columns: t.Sequence[tuple[np.ndarray, t.Optional[int]]]) -> t.Optional[np.ndarray]:
    """Return columns as one number each row, that sorts as they do; nothing where they have more than 64 bits.

    :arg columns: values and how many different ones there can be, where that is known.
    """
    sizes = [size if size is not None else int(values.max(initial=0)) + 1 for values, size in columns]
    bits = [max(size - 1, 0).bit_length() for size in sizes]
    if sum(bits) > WORD_BITS:
        return None
    packed = columns[0][0].astype(np.uint64)
    for (values, _size), width in zip(columns[1:], bits[1:], strict=True):
        packed <<= np.uint64(width)
        packed |= values if values.dtype == np.uint64 else values.astype(np.uint64)
    return packed


def order_units(
    place: np.ndarray, places: int, units: np.ndarray, function: t.Optional[np.ndarray] = None
) -> tuple[np.ndarray, t.Optional[np.ndarray]]:
    """Put units in the order of Go's text profile.

    :arg place: (U) rank of each unit's package and file; below C(places).
    :arg function: (U) the last to sort by, as Go leaves the order of equal ranges to chance. With it, units are equal
        if all is; without it, if they are the same range of the same file.
    :returns: the order, and where in it each unit begins that is not equal to the one before (nothing: all of them).
    """
    # of blocks that begin on one line the ends sort as their heights do, and those take fewer bits
    end = units[END_LINE]
    if (end >= units[START_LINE]).all():
        end = end - units[START_LINE]
    columns = (units[START_LINE], end, units[START_COLUMN], units[END_COLUMN])  # as in C(PLACE)
    key = pack_columns([(place, places), *((column, None) for column in columns)])
    if key is not None:
        if (key[1:] > key[:-1]).all():
            return np.arange(len(key)), None
        order = np.argsort(key, kind="stable")  # quickest, as most are in order already
        ordered = key[order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        if new.all():
            return order, None
        if function is None:
            return order, np.flatnonzero(new)
    wide = units.astype(np.uint64)
    high = np.uint64(WORD_BITS // 2)
    keys = [
        (place.astype(np.uint64) << high) | wide[START_LINE],
        (wide[END_LINE] << high) | wide[START_COLUMN],
        wide[END_COLUMN],
    ]
    if function is not None:
        keys[-1] = (wide[END_COLUMN] << high) | wide[STATEMENTS]
        keys.append(function.astype(np.uint64))
    order = np.lexsort(keys[::-1])
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.logical_or.reduce([column[order[1:]] != column[order[:-1]] for column in keys])
    return order, None if new.all() else np.flatnonzero(new)


def _statements(
    index: np.ndarray, statements: np.ndarray, counts: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the statements covered and all statements for each value of C(index)."""
    # float64 is exact to 2^53
    exact = statements.astype(np.float64)
    total = np.bincount(index, exact, size).astype(np.int64)
    covered = np.bincount(index, np.where(counts != 0, exact, 0.0), size).astype(np.int64)
    return covered, total
