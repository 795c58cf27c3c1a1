# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Find coverage data in a folder, set aside what is bad, merge what is good, and say all that was seen.

Layout: C(<root>/<component>/<pod>/...); files that lie in the root itself belong to the component that is given.
Go's own word "pod" (a covmeta with its covcounters) is not used: here that is a program, and a pod is Kubernetes'.
Source of truth for the merge: internal/coverage/cmerge and pods, cmd/covdata.

Policy, by kind of problem:

- a file that is damaged, cut off, empty, foreign, of a future version or left over from a write that was
  interrupted is set aside; all others count;
- a file that is there twice counts once;
- counters without their covmeta are set aside: they have no meaning without it;
- a pod with a covmeta and no counters lost its counters: the percentage stands, as a lower bound;
- C(set) data beside C(count) or C(atomic) data: all of it is reduced to covered or not, as C(set) is;
- two builds from different sources in one component: nothing is added up and the percentage is withheld, because
  the same statement would count twice, at two places. Two builds whose shared packages are equal merge soundly.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import (
    ERROR,
    NOTE,
    WARNING,
    FormatError,
    Problem,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._progress import report_progress

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

META_NAME = re.compile(r"covmeta\.(\S+)")
COUNTERS_NAME = re.compile(r"covcounters\.(\S+)\.(\d+)\.(\d+)")
TEMPORARY_NAME = re.compile(r"tmp\.cov(meta|counters)\..*", re.DOTALL)
PROGRESS_EVERY = 500  # files
LARGEST = 0xFFFFFFFF


@dataclass(frozen=True)
class Found:
    """One file with a name that Go gives to coverage data."""

    path: str
    component: str
    pod: str
    name: str
    size: int
    hash: str
    process: int = 0
    nanoseconds: int = 0


@dataclass
class Pod:
    """What one pod's folder holds: good files only."""

    name: str
    metas: int = 0
    counters: int = 0


@dataclass
class Program:
    """One covmeta and the counters of all its lives, merged.

    :ivar counts: (U) uint32, one for each unit of C(meta).
    :ivar nanoseconds: when the last of its lives wrote its counters, since the epoch, from the file's name.
    """

    meta: covmeta.Meta
    meta_path: str
    counts: np.ndarray
    lives: int = 0
    nanoseconds: int = 0
    arguments: dict[str, str] = field(default_factory=dict)

    def title(self) -> str:
        """Return the import path of its main package, or how else to call it."""
        return ", ".join(self.meta.main_paths()) or f"a program of {len(self.meta.packages)} packages"


@dataclass
class Component:
    """Everything that was found of one instrumented workload.

    :ivar mode: counter mode of the merged data; empty if there is none.
    :ivar withheld: why no percentage can be given; empty if one can.
    """

    name: str
    programs: list[Program] = field(default_factory=list)
    pods: dict[str, Pod] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    mode: str = ""
    granularity: str = ""
    withheld: str = ""

    def usable(self) -> bool:
        """Tell whether there are counters at all."""
        return any(program.lives for program in self.programs)

    def lives(self) -> int:
        """Return how many lives' counters were merged."""
        return sum(program.lives for program in self.programs)

    def say(self, kind: str, severity: str, sentence: str, file: str = "", remedy: str = "") -> None:
        """Record a problem."""
        self.problems.append(Problem(kind, severity, sentence, file, self.name, remedy))


def read_collection(root: str, component: str) -> list[Component]:
    """Read, check and merge all coverage data under C(root); return the components by name.

    :arg component: name for what lies in the root itself.
    :returns: one entry for each component that has a file; each carries its problems. Empty for an empty folder.
    """
    metas: list[Found] = []
    counters: list[Found] = []
    components: dict[str, Component] = {}
    for found, kind in _scan(root, component):
        entry = components.setdefault(found.component, Component(found.component))
        if kind == "temporary":
            entry.say(
                "leftover",
                WARNING,
                f"A process was stopped while it wrote {found.name}: what it wrote is not used.",
                found.path,
                "Give the pod a longer grace period, and see that the disk of its node is not full.",
            )
        else:
            (metas if kind == "meta" else counters).append(found)
    for name, entry in components.items():
        _read_component(
            entry,
            [found for found in metas if found.component == name],
            [found for found in counters if found.component == name],
        )
    return [components[name] for name in sorted(components)]


def _scan(root: str, component: str) -> t.Iterator[tuple[Found, str]]:
    """Yield each file that Go's coverage runtime could have written, in a fixed order."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        relative = os.path.relpath(folder, root)
        parts = [] if relative == os.curdir else relative.split(os.sep)
        owner = parts[0] if parts else component
        pod = "/".join(parts[1:])
        for name in sorted(names):
            path = os.path.join(folder, name)
            for pattern, kind in ((META_NAME, "meta"), (COUNTERS_NAME, "counters"), (TEMPORARY_NAME, "temporary")):
                match = pattern.fullmatch(name)
                if not match:
                    continue
                process, nanoseconds = (int(match[2]), int(match[3])) if kind == "counters" else (0, 0)
                try:
                    size = os.stat(path).st_size
                except OSError:  # a dangling link, or gone since: reading it says so
                    size = -1
                yield Found(path, owner, pod, name, size, match[1], process, nanoseconds), kind
                break


def _read(path: str, length: int = -1) -> bytes:
    """Return a file's content, or its first bytes.

    :raises FormatError: unreadable.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read(length)
    except OSError as error:
        raise FormatError("unreadable", f"the file cannot be read: {error.strerror}") from error


def _set_aside(component: Component, found: Found, error: FormatError, what: str, effect: str) -> None:
    component.say(error.kind, WARNING, f"{found.name} is set aside: {error.message}. {effect}", found.path, what)


def _read_component(component: Component, metas: list[Found], counters: list[Found]) -> None:
    for found in metas + counters:
        component.pods.setdefault(found.pod, Pod(found.pod))
    programs = _read_metas(component, metas)
    found_for: dict[str, list[Found]] = {}
    for found in counters:
        found_for.setdefault(found.hash, []).append(found)
    for digest, group in sorted(found_for.items()):
        if digest in programs:
            continue
        for found in group:
            component.say(
                "counters-without-meta",
                WARNING,
                f"{found.name} is set aside: there is no covmeta.{digest} in good order, and counters mean nothing "
                "without it.",
                found.path,
                "Bring the covmeta file home too; it is written when the process starts.",
            )
    component.programs = [programs[digest] for digest in sorted(programs)]
    component.mode, component.granularity = _common_mode(component)
    for digest in sorted(programs):
        _merge_lives(component, programs[digest], found_for.get(digest, []))
    _find_lost_lives(component)
    _find_two_builds(component)


def _read_metas(component: Component, metas: list[Found]) -> dict[str, Program]:
    """Read each distinct covmeta once; check every further copy by its header and size."""
    programs: dict[str, Program] = {}
    for found in metas:
        try:
            data = _read(found.path, covmeta.HEADER.size if found.hash in programs else -1)
            head = covmeta.read_head(data, max(found.size, 0))
            if head.hash.hex() != found.hash:
                raise FormatError("renamed", f"inside, its hash is {head.hash.hex()}: another file, or a damaged one")
            if found.hash not in programs:
                meta = covmeta.read_meta(data)
                empty = np.zeros(meta.units.shape[1], dtype=np.uint32)
                programs[found.hash] = Program(meta, found.path, empty)
        except FormatError as error:
            _set_aside(
                component,
                found,
                error,
                "Copy the file again from the node; if it is the same there, see whether the node's disk is full.",
                "Another good copy of it is used if there is one.",
            )
            continue
        component.pods[found.pod].metas += 1
    return programs


def _common_mode(component: Component) -> tuple[str, str]:
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


def _merge_lives(component: Component, program: Program, found: list[Found]) -> None:
    """Merge the counters of all lives of one program: a sum that stops at 2^32-1, or in mode set whether any ran."""
    meta = program.meta
    total = np.zeros(meta.units.shape[1], dtype=np.uint64)
    seen: dict[tuple[str, int], list[str]] = {}
    like: t.Optional[np.ndarray] = None
    place: t.Optional[tuple[covcounters.Segment, np.ndarray, bool]] = None
    arguments: t.Optional[dict[str, str]] = None
    for number, file in enumerate(found):
        if number and number % PROGRESS_EVERY == 0:
            report_progress(f"merging counters of {component.name}: {number} of {len(found)} files")
        try:
            data = _read(file.path)
            twin = next((p for p in seen.get((file.name, len(data)), ()) if _read(p) == data), "")
            if twin:
                component.say(
                    "duplicate", NOTE, f"{file.name} is there twice, byte for byte: it counts once.", file.path
                )
                continue
            parsed = covcounters.read_counters(data, like)
            if parsed.meta_hash != meta.hash:
                raise FormatError("renamed", f"inside, it belongs to covmeta.{parsed.meta_hash.hex()}")
            additions = []
            for segment in parsed.segments:
                if place is None or not _same_layout(place[0], segment):
                    place = (segment, *_places(meta, segment))
                additions.append((place[1], segment.counters, place[2]))
        except FormatError as error:
            _set_aside(
                component,
                file,
                error,
                "Copy the file again from the node; if it is the same there, the process was killed while it wrote.",
                "The counters of that life are lost, those of all others count.",
            )
            continue
        for where, values, repeated in additions:
            if repeated:
                np.add.at(total, where, values.astype(np.uint64))
            else:
                total[where] += values
        like = parsed.segments[0].heads
        seen.setdefault((file.name, len(data)), []).append(file.path)
        for segment in parsed.segments:
            arguments = segment.arguments if arguments is None else _common_arguments(arguments, segment.arguments)
        program.lives += 1
        program.nanoseconds = max(program.nanoseconds, file.nanoseconds)
        component.pods[file.pod].counters += 1
    program.arguments = arguments or {}
    if meta.mode == "set":
        program.counts = (total != 0).astype(np.uint32)
    else:
        program.counts = np.minimum(total, LARGEST).astype(np.uint32)
        if (total > LARGEST).any():
            component.say("overflow", NOTE, "A counter passed 2^32-1 and stays there, as in Go's own merge.")


def _same_layout(one: covcounters.Segment, other: covcounters.Segment) -> bool:
    return (
        np.array_equal(one.lengths, other.lengths)
        and np.array_equal(one.function, other.function)
        and np.array_equal(one.package, other.package)
    )


def _places(meta: covmeta.Meta, segment: covcounters.Segment) -> tuple[np.ndarray, bool]:
    """Return for each counter the index of its unit, and whether a function is there more than once.

    :raises FormatError: foreign: the functions are not those of the covmeta.
    """
    package, function = segment.package, segment.function
    if len(package) and int(package.max()) >= len(meta.packages):
        raise FormatError("foreign", f"it has counters of package {int(package.max())}, of {len(meta.packages)}")
    number = meta.package_base[package] + function
    if np.any(number >= meta.package_base[package + 1]):
        raise FormatError("foreign", "it has counters of a function that its package does not have")
    begin = meta.function_base[number]
    if np.any(meta.function_base[number + 1] - begin != segment.lengths):
        raise FormatError("foreign", "a function in it has another number of counters than in the covmeta")
    starts = np.cumsum(segment.lengths) - segment.lengths
    where = np.repeat(begin - starts, segment.lengths) + np.arange(int(segment.lengths.sum()))
    return where, bool(len(number)) and int(np.bincount(number).max()) > 1


def _common_arguments(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """Return what both executions have in common: the whole command line or nothing of it; system; architecture."""
    common = {key: value for key, value in one.items() if key in ("GOOS", "GOARCH") and other.get(key) == value}
    command = {key: value for key, value in one.items() if key.startswith("arg")}
    if command == {key: value for key, value in other.items() if key.startswith("arg")}:
        common.update(command)
    return common


def _find_lost_lives(component: Component) -> None:
    for pod in component.pods.values():
        if pod.metas and not pod.counters:
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


def _find_two_builds(component: Component) -> None:
    """Find programs that were built from different sources; only those with counters or a shared main matter."""
    owner: dict[str, tuple[bytes, Program]] = {}
    told: set[tuple[str, str]] = set()
    for program in component.programs:
        for package in program.meta.packages:
            digest, first = owner.setdefault(package.path, (package.digest, program))
            pair = (first.meta_path, program.meta_path)
            if digest == package.digest or pair in told:
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
