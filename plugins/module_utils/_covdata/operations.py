# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Merge, intersect, subtract and filter merged programs; nothing is read or written here, no argument is changed.

All take and return lists of R(Program); C(merged.merged_files) makes files of them that C(go tool covdata) reads.
Source of truth: cmd/covdata (merge.go, metamerge.go, subtractintersect.go) and internal/coverage/cmerge.

Where Go's tool would give something else, on purpose:

- intersect and subtract of data of several programs: Go's tool panics when a second program is in both inputs; here
  each program is treated as Go treats the only one;
- a program that one input of an intersection does not have: Go keeps or empties it, depending on what came before;
  here the intersection with nothing is empty;
- C(set) data combined with C(count) or C(atomic) data: Go writes a mixture of both whose numbers depend on the order
  and says C(atomic); here it is covered or not, and C(set). What is covered is the same.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.accumulate import LARGEST, common_arguments
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta, Package
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta_writer import (
    file_hash,
    function_contents,
    package_digest,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import compile_pattern, nearest

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

SHOWN = 20  # packages named in an error


def merge(programs: t.Sequence[Program], *, combine: bool = False) -> list[Program]:
    """Add up what belongs together: a sum that stops at 2^32-1, or in mode C(set) whether any ran.

    :arg combine: one program is made of all, as C(go tool covdata merge -pcombine) does: the packages by import path,
        in each the functions that are the same to the letter once. Otherwise programs of one covmeta become one.
    :returns: the programs in the order of their first, or the only one; none if there was none.
    :raises InputError: granularity-clash: counters of blocks and of functions cannot be combined.
    """
    if combine:
        return _combine(programs) if programs else []
    groups: dict[bytes, list[Program]] = {}
    for program in programs:
        groups.setdefault(program.meta.hash, []).append(program)
    return [_add(group) for group in groups.values()]


def intersect(inputs: t.Sequence[t.Sequence[Program]], *, combine: bool = False) -> list[Program]:
    """Return the programs of the first input, with those counters that ran in all others too; the rest are 0.

    Where an input was read with C(each_process_run), a function's counter has to have run in each process run that ran
    the function, as C(go tool covdata intersect) wants it of each file; otherwise in any process run of the input.

    :arg combine: compare packages and functions across different programs, as R(merge) combines them.
    """
    if not inputs:
        return []
    if combine:
        inputs = _aligned(inputs)
    first, *others = (merge(programs) for programs in inputs)
    result = []
    for program in first:
        keep = np.ones(len(program.counts), dtype=bool)
        for other in others:
            twin = next((entry for entry in other if entry.meta.hash == program.meta.hash), None)
            if twin is None:
                keep[:] = False
            else:
                keep &= twin.counts != 0 if twin.always is None else twin.always
        result.append(_with(program, np.where(keep, program.counts, np.uint32(0))))
    return result


def subtract(first: t.Sequence[Program], rest: t.Sequence[Program], *, combine: bool = False) -> list[Program]:
    """Return the programs of C(first), without what ran in C(rest).

    :arg combine: compare packages and functions across different programs, as R(merge) combines them.
    """
    if combine:
        first, rest = _aligned([first, rest])
    taken = {program.meta.hash: program.counts for program in merge(rest)}
    result = []
    for program in merge(first):
        counts = program.counts
        if program.meta.hash in taken:
            counts = np.where(taken[program.meta.hash] != 0, np.uint32(0), counts)
        result.append(_with(program, counts))
    return result


def select_packages(programs: t.Sequence[Program], patterns: t.Sequence[str]) -> list[Program]:
    """Return the programs with only the packages that one of the patterns matches, as C(-pkg) of Go's merge does.

    The new covmeta is named by the hash that Go gives it. A program of which no package is left, is left out.

    :arg patterns: with Go's meaning (R(patterns)); each may be several, separated by commas, as for C(-pkg).
    :raises InputError: unmatched-pattern: a pattern matches no package of any of the programs.
    """
    wanted = [part for pattern in patterns for part in pattern.split(",") if part]
    paths = list(dict.fromkeys(package.path for program in programs for package in program.meta.packages))
    chosen: set[str] = set()
    for pattern in wanted:
        expression = compile_pattern(pattern)
        hits = [path for path in paths if expression.fullmatch(path)]
        if not hits:
            near = nearest(pattern, paths)
            raise InputError(
                f"The package pattern {pattern} matches none of the {len(paths)} packages"
                + (f"; the nearest is {near}." if near else "."),
                remedy="Correct the pattern. The evidence lists the packages in the data.",
                evidence=paths[:SHOWN],
                cause="unmatched-pattern",
            )
        chosen.update(hits)
    if not wanted:
        return list(programs)
    result = []
    for program in programs:
        kept = [index for index, package in enumerate(program.meta.packages) if package.path in chosen]
        if kept:
            meta, units = _part(program.meta, kept)
            always = None if program.always is None else program.always[units]
            result.append(replace(program, meta=meta, counts=program.counts[units], always=always, derived=True))
    return merge(result)


def _with(program: Program, counts: np.ndarray) -> Program:
    """Return a program with other counts. As with Go, the command lines say nothing about them any more."""
    return replace(program, counts=counts.astype(np.uint32, copy=False), arguments={}, always=None)


def _add(group: t.Sequence[Program]) -> Program:
    first = group[0]
    if len(group) == 1:
        return first
    total = np.zeros(len(first.counts), dtype=np.uint64)
    always: t.Optional[np.ndarray] = None
    known = [program for program in group if program.process_runs]
    for program in known:
        if len(program.counts) != len(total):
            raise InputError(
                f"Two covmeta files have the hash {first.meta.hash.hex()}, but their contents differ.",
                remedy="One of them is damaged; copy both again.",
                evidence=[first.meta_path, program.meta_path],
                cause="renamed",
            )
        total += program.counts
    if known and all(program.always is not None for program in known):
        always = _always_of_all(known)
    return replace(
        first,
        counts=_capped(total, first.meta.mode),
        process_runs=sum(program.process_runs for program in group),
        nanoseconds=max(program.nanoseconds for program in group),
        arguments=common_arguments([program.arguments for program in known]),
        always=always,
    )


def _always_of_all(programs: t.Sequence[Program]) -> np.ndarray:
    """Return what ran in each process run that ran its function, over all programs of one covmeta."""
    bounds = programs[0].meta.function_base
    ran = np.zeros(len(programs[0].counts), dtype=bool)
    never = np.zeros(len(ran), dtype=bool)
    for program in programs:
        ran |= program.counts != 0
        if program.always is not None:
            never |= np.repeat(_any_of(program.counts != 0, bounds), np.diff(bounds)) & ~program.always
    return ran & ~never


def _any_of(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return for each stretch between two bounds whether any of its values is true."""
    before = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=before[1:])
    return before[bounds[1:]] > before[bounds[:-1]]


def _capped(total: np.ndarray, mode: str) -> np.ndarray:
    return np.minimum(total, 1 if mode == "set" else LARGEST).astype(np.uint32)


def _part(meta: Meta, kept: t.Sequence[int]) -> tuple[Meta, np.ndarray]:
    """Return a covmeta of some packages, named by its hash, and which units those are."""
    functions = np.concatenate([np.arange(meta.package_base[i], meta.package_base[i + 1]) for i in kept])
    functions = functions.astype(np.int64)
    sizes = np.diff(meta.function_base)
    base = np.zeros(len(functions) + 1, dtype=np.int64)
    np.cumsum(sizes[functions], out=base[1:])
    units = np.repeat(meta.function_base[functions] - base[:-1], sizes[functions]) + np.arange(int(base[-1]))
    package_base = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum(np.diff(meta.package_base)[list(kept)], out=package_base[1:])
    part = Meta(
        hash=b"",
        mode=meta.mode,
        granularity=meta.granularity,
        packages=[meta.packages[index] for index in kept],
        files=meta.files,
        function_name=[meta.function_name[index] for index in functions.tolist()],
        function_file=meta.function_file[functions],
        function_literal=meta.function_literal[functions],
        function_package=np.repeat(np.arange(len(kept)), np.diff(package_base)),
        package_base=package_base,
        function_base=base,
        units=meta.units[:, units],
    )
    part.hash = file_hash(part)
    return part, units


class _Union:
    """All packages of some programs and in each all functions, those that are the same to the letter once.

    Source of truth: C(visitPackage) and C(visitFunc) of metamerge.go, C(hashFuncDesc) of internal/coverage/encodemeta.
    """

    def __init__(self) -> None:
        self.packages: dict[str, Package] = {}
        self.functions: dict[str, dict[bytes, tuple[Meta, int]]] = {}

    def add(self, meta: Meta) -> None:
        """Add what is new in a covmeta, in its order."""
        contents = function_contents(meta)
        for index, package in enumerate(meta.packages):
            self.packages.setdefault(package.path, package)
            known = self.functions.setdefault(package.path, {})
            for function in range(int(meta.package_base[index]), int(meta.package_base[index + 1])):
                known.setdefault(contents[function], (meta, function))

    def meta(self, mode: str, granularity: str) -> Meta:
        """Return all of it as one covmeta, named by the hash that Go gives it."""
        files: dict[str, int] = {}
        packages, names, file_of, literal, counts, columns = [], [], [], [], [], []
        units_of = []
        for path, first in self.packages.items():
            known = self.functions[path]
            digest = package_digest(first, known)
            packages.append(Package(first.path, first.name, first.module, digest))
            counts.append(len(known))
            for source, function in known.values():
                begin, end = int(source.function_base[function]), int(source.function_base[function + 1])
                name = source.files[int(source.function_file[function])]
                names.append(source.function_name[function])
                file_of.append(files.setdefault(name, len(files)))
                literal.append(bool(source.function_literal[function]))
                units_of.append(end - begin)
                columns.append(source.units[:, begin:end])
        package_base = np.zeros(len(packages) + 1, dtype=np.int64)
        np.cumsum(counts, out=package_base[1:])
        function_base = np.zeros(len(names) + 1, dtype=np.int64)
        np.cumsum(units_of, out=function_base[1:])
        meta = Meta(
            hash=b"",
            mode=mode,
            granularity=granularity,
            packages=packages,
            files=list(files),
            function_name=names,
            function_file=np.asarray(file_of, dtype=np.int64),
            function_literal=np.asarray(literal, dtype=bool),
            function_package=np.repeat(np.arange(len(packages)), np.diff(package_base)),
            package_base=package_base,
            function_base=function_base,
            units=np.concatenate(columns, axis=1) if columns else np.zeros((5, 0), dtype=np.uint32),
        )
        meta.hash = file_hash(meta)
        return meta

    def places(self, meta: Meta, whole: Meta) -> np.ndarray:
        """Return the index in C(whole) of each unit of a covmeta that was added; two can have the same index."""
        first = dict(zip(self.packages, whole.package_base[:-1].tolist(), strict=True))
        ranks = {path: {content: rank for rank, content in enumerate(self.functions[path])} for path in first}
        contents = function_contents(meta)
        target = [
            first[package.path] + ranks[package.path][contents[function]]
            for index, package in enumerate(meta.packages)
            for function in range(int(meta.package_base[index]), int(meta.package_base[index + 1]))
        ]
        begin = whole.function_base[np.asarray(target, dtype=np.int64)]
        return np.repeat(begin - meta.function_base[:-1], np.diff(meta.function_base)) + np.arange(meta.units.shape[1])


def _common_kind(programs: t.Sequence[Program]) -> tuple[str, str]:
    """Return the mode and granularity of programs that are to be combined."""
    granularities = {program.meta.granularity: program for program in programs}
    if len(granularities) > 1:
        raise InputError(
            "Counters of blocks and counters of functions cannot be combined.",
            remedy="Build all programs with the same Go release and settings.",
            evidence=[f"{program.meta_path}: {kind}" for kind, program in sorted(granularities.items())],
            cause="granularity-clash",
        )
    modes = {program.meta.mode for program in programs}
    mode = "set" if "set" in modes else "atomic" if "atomic" in modes else "count"
    return mode, programs[0].meta.granularity


def _ordered(programs: t.Iterable[Program]) -> list[Program]:
    """Return the programs as Go meets them: by the path of the covmeta."""
    return sorted(programs, key=lambda program: os.fsencode(program.meta_path))


def _combine(programs: t.Sequence[Program]) -> list[Program]:
    ordered = _ordered(merge(programs))
    mode, granularity = _common_kind(ordered)
    union = _Union()
    for program in ordered:
        union.add(program.meta)
    return [_combined(ordered, union, union.meta(mode, granularity))]


def _combined(programs: t.Sequence[Program], union: _Union, meta: Meta) -> Program:
    total = np.zeros(meta.units.shape[1], dtype=np.uint64)
    known = [program for program in programs if program.process_runs]
    always = np.ones(len(total), dtype=bool)
    for program in programs:
        places = union.places(program.meta, meta)
        counts = np.minimum(program.counts, 1) if meta.mode == "set" else program.counts
        np.add.at(total, places, counts.astype(np.uint64))
        if program.always is not None:
            ran = _any_of(program.counts != 0, program.meta.function_base)
            always[places[np.repeat(ran, np.diff(program.meta.function_base)) & ~program.always]] = False
    each_process_run = bool(known) and all(program.always is not None for program in known)
    return Program(
        meta,
        programs[0].meta_path,
        _capped(total, meta.mode),
        process_runs=sum(program.process_runs for program in programs),
        nanoseconds=max((program.nanoseconds for program in programs), default=0),
        arguments=common_arguments([program.arguments for program in known]),
        always=always & (total != 0) if each_process_run else None,
        derived=True,
    )


def _aligned(inputs: t.Sequence[t.Sequence[Program]]) -> list[list[Program]]:
    """Return each input as one program of the packages and functions of all inputs."""
    merged = [_ordered(merge(programs)) for programs in inputs]
    everything = [program for programs in merged for program in programs]
    if not everything:
        return [[] for _input in inputs]
    mode, granularity = _common_kind(everything)
    union = _Union()
    for program in everything:
        union.add(program.meta)
    meta = union.meta(mode, granularity)
    return [[_combined(programs, union, meta)] if programs else [] for programs in merged]
