# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What of a component does not count, or cannot be trusted: stale, foreign, mixed and changed data."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Found, Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import compile_pattern
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import ERROR, NOTE, WARNING

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
    except OSError:  # gone since: whoever reads it says so
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
                "Give each program a folder of its own, or name this one too.",
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


def find_lost_lives(component: Component, known: t.Container[str]) -> None:
    for pod in component.pods.values():
        if pod.metas and not pod.counters and pod.name not in known:
            where = f"pod {pod.name}" if pod.name else "its folder"
            component.say(
                "meta-without-counters",
                WARNING,
                f"{component.name}: {where} has a covmeta and no counters: the process started instrumented and "
                "wrote nothing when it ended, or has not ended yet.",
                remedy="End it by SIGTERM, with a handler that lets main return or calls os.Exit, and a grace period "
                "that is long enough.",
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
                "Copy the file again from the node. If it is the same there, something else than Go's tools wrote it.",
            )


def _functions_of(program: Program, package: int, known: dict[str, list[bytes]]) -> list[bytes]:
    """Return what tells the functions of a package from others; C(known) keeps it by the path of the covmeta."""
    contents = known.get(program.meta_path)
    if contents is None:
        contents = known[program.meta_path] = covmeta_writer.function_contents(program.meta)
    begin, end = program.meta.package_base[package : package + 2].tolist()
    return contents[begin:end]


def find_two_builds(component: Component) -> None:
    """Find programs that were built from different sources; only those with counters or a shared main matter."""
    owner: dict[str, tuple[Program, int]] = {}
    told: set[tuple[str, str]] = set()
    contents: dict[str, list[bytes]] = {}
    for program in component.programs:
        for index, package in enumerate(program.meta.packages):
            first, place = owner.setdefault(package.path, (program, index))
            pair = (first.meta_path, program.meta_path)
            if first.meta.packages[place].digest == package.digest or pair in told:
                continue
            # releases of Go before 1.24 hash the same functions otherwise
            if _functions_of(first, place, contents) == _functions_of(program, index, contents):
                continue
            told.add(pair)
            component.withheld = f"two builds are mixed (package {package.path} differs between them)"
            component.say(
                "two-builds",
                ERROR,
                f"The percentage of {component.name} is withheld: {os.path.basename(first.meta_path)} and "
                f"{os.path.basename(program.meta_path)} are two builds of {program.title()}, and package "
                f"{package.path} differs between them. Their statements would count twice.",
                program.meta_path,
                "Use a new folder for each run, and one image for all pods of a component.",
            )
    mains: dict[tuple[str, ...], Program] = {}
    for program in component.programs:
        main = program.meta.main_paths()
        if not main:
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
