# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Checks of a component for data that do not count or cannot be trusted: stale, foreign, mixed and changed data."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta_writer import function_contents
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Found, Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import compile_pattern
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import ERROR, LIBRARY, NOTE, WARNING
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.releases import (
    STATEMENTS,
    blocks_by_line,
    repeated_parts,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

BUILT_AS_FILES = "command-line-arguments"  # the go command's name for a package that is given as files
VERIFIED = 1 << 16  # blocks of a covmeta that is always held against its hashes: it takes a tenth of a second


def without_stale(component: Component, counters: list[Found], not_before: int) -> list[Found]:
    if not not_before:
        return counters
    fresh = []
    for found in counters:
        if found.nanoseconds >= not_before:
            fresh.append(found)
            continue
        component.put_aside(
            "stale",
            f"{found.name} is set aside: it was written before this run began.",
            found.path,
            "Use a new folder for each run.",
        )
    return fresh


def drop_stale(
    component: Component,
    programs: dict[str, Program],
    metas: list[Found],
    found_for: t.Mapping[str, list[Found]],
    not_before: int,
) -> set[str]:
    """Leave out programs that wrote nothing since the run began, nor began in it; return the pods that had them."""
    if not not_before:
        return set()
    pods: set[str] = set()
    for digest in sorted(set(programs) - set(found_for)):
        copies = [found for found in metas if found.hash == digest]
        if any(_modified(found.path) >= not_before for found in copies):
            continue
        del programs[digest]
        for found in copies:
            pods.add(found.folder.pod)
            component.put_aside(
                "stale",
                f"{found.name} is set aside: it was written before this run began, and no counters of it since.",
                found.path,
                "Use a new folder for each run.",
            )
    return pods


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:  # deleted since: reading it reports that
        return 0


def drop_foreign(
    component: Component,
    programs: dict[str, Program],
    metas: list[Found],
    found_for: dict[str, list[Found]],
    expected: t.Sequence[str],
) -> set[str]:
    """Leave out programs that are not the expected one; return the pods that had them."""
    pods: set[str] = set()
    patterns = [compile_pattern(pattern) for pattern in expected]
    for digest in sorted(programs) if patterns else []:
        program = programs[digest]
        judged = [package for package in program.meta.packages if package.name == "main"] or program.meta.packages
        names = {name for package in judged for name in (package.path, package.module)}
        if any(pattern.fullmatch(name) for pattern in patterns for name in names):
            continue
        del programs[digest]
        for found in [found for found in metas if found.hash == digest] + found_for.pop(digest, []):
            pods.add(found.folder.pod)
            component.put_aside(
                "foreign-program",
                f"{found.name} is set aside: it is of {program.title()}, and expected is {' or '.join(expected)}.",
                found.path,
                "Use a separate folder for each program, or add this one to the expected programs.",
            )
    return pods


def common_mode(component: Component) -> tuple[str, str]:
    """Return the counter mode and granularity of all data together, and say when they differ."""
    modes = sorted({program.meta.mode for program in component.programs})
    granularities = sorted({program.meta.granularity for program in component.programs})
    if len(granularities) > 1:
        component.withheld = "counters for each block and counters for each function are mixed"
        component.say(
            "granularity-clash",
            ERROR,
            f"The percentage of {component.name} is withheld: {component.withheld}.",
            remedy="Build all programs of a component with the same Go release and settings.",
        )
    if len(modes) <= 1:
        return (modes[0] if modes else ""), (granularities[0] if granularities else "")
    mode = "set" if "set" in modes else "atomic"
    component.say(
        "mode-clash",
        WARNING,
        f"Programs of {component.name} were built with different counter modes ({', '.join(modes)}): "
        + ("every counter is reduced to covered or not." if mode == "set" else "the counters are added up."),
        remedy="Build them all with -covermode=atomic.",
    )
    return mode, granularities[0]


def find_lost_process_runs(component: Component, known: t.Container[str]) -> None:
    for pod in component.pods.values():
        if pod.metas and not pod.found and pod.name not in known:
            where = f"pod {pod.name}" if pod.name else "its folder"
            component.say(
                "meta-without-counters",
                WARNING,
                f"{component.name}: {where} has a covmeta and no counters: the process started instrumented and "
                "wrote nothing when it ended, or has not ended yet.",
                remedy="End it by SIGTERM, with a handler that lets main return or calls os.Exit, and a grace period "
                "that is long enough. " + LIBRARY,
            )
    if not component.usable():
        component.withheld = component.withheld or "there are no counters"


def find_changed_contents(component: Component, *, everything: bool) -> None:
    """Find each covmeta whose contents are not those of its hashes: a changed bit that nothing else shows."""
    told = {problem.file for problem in component.problems if problem.severity == ERROR}
    for program in component.programs:
        if program.meta_path in told or (program.meta.units.shape[1] > VERIFIED and not everything):
            continue
        if not covmeta_writer.trust(program.meta):
            component.withheld = f"{os.path.basename(program.meta_path)} is not as it was written"
            component.say(
                "hash-mismatch",
                ERROR,
                f"The percentage of {component.name} is withheld: {component.withheld}, its contents are not those of "
                f"its hashes. It is of {program.title()}.",
                program.meta_path,
                "Copy the file again from the node. If that copy is the same, it was not written by Go's tools.",
            )


def _files_of(program: Program, package: int, known: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """Return what tells the functions of a package from others, by file; C(known) keeps it by path of the covmeta."""
    meta = program.meta
    contents = known.get(program.meta_path)
    if contents is None:
        contents = known[program.meta_path] = function_contents(meta)
    begin, end = meta.package_base[package : package + 2].tolist()
    files: dict[str, list[bytes]] = {}
    for number, file in enumerate(meta.function_file[begin:end].tolist(), begin):
        files.setdefault(meta.files[file], []).append(contents[number])
    return files


def find_two_builds(component: Component) -> None:
    """Find files that two programs have from different sources: their statements would count twice.

    A package may have other files on another platform, and programs that were built from files alone all have the
    package C(command-line-arguments): a file that only one of them has is not a second version.
    """
    owners: dict[tuple[str, str], tuple[Program, list[bytes]]] = {}
    seen: dict[str, set[bytes]] = {}
    told: set[tuple[str, str]] = set()
    contents: dict[str, list[bytes]] = {}
    several = _packages_of_several_digests(component.programs)
    for program in component.programs:
        for index, package in enumerate(program.meta.packages):
            digests = seen.setdefault(package.path, set())
            if package.path not in several or package.digest in digests:
                continue
            digests.add(package.digest)
            for file, functions in _files_of(program, index, contents).items():
                first, others = owners.setdefault((package.path, file), (program, functions))
                pair = (first.meta_path, program.meta_path)
                # releases of Go before 1.24 hash the same functions otherwise
                if others == functions or pair in told:
                    continue
                told.add(pair)
                _say_two_builds(component, first, program, package.path, file)
    _say_other_settings(component, told)


def _packages_of_several_digests(programs: t.Sequence[Program]) -> set[str]:
    digests: dict[str, bytes] = {}
    return {
        package.path
        for program in programs
        for package in program.meta.packages
        if digests.setdefault(package.path, package.digest) != package.digest
    }


def _say_two_builds(component: Component, first: Program, second: Program, package: str, file: str) -> None:
    names = f"{os.path.basename(first.meta_path)} and {os.path.basename(second.meta_path)}"
    component.withheld = f"two builds are mixed (package {package} differs between them)"
    why, remedy = "", "Use a new folder for each run, and one image for all pods of a component."
    releases = [blocks_by_line(program.meta.units) for program in (first, second)]
    if releases[0] != releases[1]:
        why = " One was built by Go 1.27 or later and the other by an earlier release, which place blocks differently."
        remedy = "Build all programs of a component with the same Go release."
    component.say(
        "two-builds",
        ERROR,
        f"The percentage of {component.name} is withheld: {names} are two builds of {second.title()}, and package "
        f"{package} differs between them in {file}. Their statements would count twice.{why}",
        second.meta_path,
        remedy,
    )


def _say_other_settings(component: Component, told: t.Container[tuple[str, str]]) -> None:
    """Say of programs of the same main packages that they were built twice, from the same sources."""
    mains: dict[tuple[str, ...], Program] = {}
    for program in component.programs:
        main = program.meta.main_paths()
        if not main or BUILT_AS_FILES in main:
            continue
        first = mains.setdefault(main, program)
        if first is not program and (first.meta_path, program.meta_path) not in told:
            component.say(
                "two-builds",
                NOTE,
                f"{os.path.basename(first.meta_path)} and {os.path.basename(program.meta_path)} are two builds of "
                f"{program.title()} with other settings, from the same sources: they are merged.",
                program.meta_path,
            )


def find_inflated_counts(component: Component) -> None:
    """Say where Go 1.27.0 counted statements more than once, and what the numbers are about without that."""
    repeated = whole = covered = part = 0
    for program in component.programs:
        again = (
            repeated_parts(program.meta.units, program.counts, program.meta.function_base)
            if program.process_runs
            else None
        )
        if again is None:
            continue
        statements = program.meta.units[STATEMENTS].astype(np.int64)
        ran = program.counts != 0
        whole, repeated = whole + int(statements.sum()), repeated + int(statements[again].sum())
        covered, part = covered + int(statements[ran].sum()), part + int(statements[ran & again].sum())
    if repeated:
        share = 100.0 * (covered - part) / (whole - repeated)
        component.say(
            "statements-repeated",
            NOTE,
            f"{component.name} was built by Go 1.27.0, which counts the statements of a block once for each part that "
            f"blank lines divide it into (golang/go#80974): {covered} of {whole}, as Go's own tools say. Counted once, "
            f"they are about {covered - part} of {whole - repeated}, {share:.1f} %.",
            remedy="Build with another Go release to get comparable numbers.",
        )
