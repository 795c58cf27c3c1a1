# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Find coverage data in folders, leave out what is bad, merge what is good, and say all that was seen.

Layout: C(<root>/<component>/<pod>/...); files that lie in the root itself belong to the component that is given.
Go's own word "pod" (a covmeta with its covcounters) is not used: here that is a program, and a pod is Kubernetes'.
Source of truth for the merge: internal/coverage/cmerge and pods, cmd/covdata.

What is done, by kind of problem:

- a file that is damaged, cut off, empty, of a future version, not readable or left over from a write that was
  interrupted does not count; all others do;
- a file that is there twice counts once;
- of copies of one covmeta that differ, the one counts whose contents are those of its hashes;
- counters without their covmeta do not count: they have no meaning without it;
- a pod with a covmeta and no counters lost its counters: the percentage stands, as a lower bound;
- what is older than the run, or of another program than is expected, does not count, where either was told;
- counts that a process wrote several times while it ran count once, the last: see R(snapshots);
- C(set) data beside C(count) or C(atomic) data: all of it is reduced to covered or not, as C(set) is;
- two builds from different sources in one component: the percentage is withheld, because the same statement would
  count twice, at two places. Two builds whose shared packages are equal merge soundly;
- a covmeta whose contents are not those of its hashes has changed since it was written, and only that shows it: the
  percentage is withheld. To look costs more than all the rest, so at a large one it is done where that is asked for.

The policy says what becomes of a file that does not count: with C(warn) it is left where it is; with C(quarantine)
too, until R(quarantine) is called, which moves it away; with C(fail) a R(DataError) ends the work. In no case does it
count, and in no case does it keep good data from being read.
"""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.accumulate import (
    LARGEST,
    add_files,
    read_into,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import compile_pattern
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import (
    ERROR,
    NOTE,
    WARNING,
    DataError,
    FormatError,
    Problem,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.snapshots import (
    AUTO,
    SUM,
    Life,
    choose_lives,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

META_NAME = re.compile(r"covmeta\.(\S+)")
COUNTERS_NAME = re.compile(r"covcounters\.(\S+)\.(\d+)\.(\d+)", re.ASCII)
TEMPORARY_NAME = re.compile(r"tmp\.cov(meta|counters)\..*", re.DOTALL)
QUARANTINE_RECORD = "quarantined.jsonl"  # in a folder: what lies there was put aside, and is not read again
PROGRESS_EVERY = 512  # files
VERIFIED = 1 << 16  # blocks of a covmeta that is always held against its hashes: it takes a tenth of a second
FAIL, QUARANTINE, WARN = "fail", "quarantine", "warn"
POLICIES = (FAIL, QUARANTINE, WARN)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in which data lie, and whose they are."""

    path: str
    component: str
    pod: str


@dataclass(frozen=True, slots=True)
class Found:
    """One file with a name that Go gives to coverage data. There can be many thousands: it holds two references."""

    folder: Folder
    name: str

    @property
    def path(self) -> str:
        """Where it lies."""
        return os.path.join(self.folder.path, self.name)

    @property
    def hash(self) -> str:
        """The hash of the covmeta, in the name."""
        parts = self.name.split(".", 1)[1]
        return parts if self.name.startswith("covmeta.") else parts.rsplit(".", 2)[0]

    @property
    def process(self) -> int:
        """The id of the process that wrote the counters, as the process itself knew it: 1 in most containers."""
        return int(self.name.rsplit(".", 2)[1])

    @property
    def nanoseconds(self) -> int:
        """When the counters were written, since the epoch."""
        return int(self.name.rsplit(".", 1)[1])


@dataclass(slots=True)
class Pod:
    """What one pod's folder holds: good files only."""

    name: str
    metas: int = 0
    counters: int = 0


@dataclass
class Program:
    """One covmeta and the counters of all its lives, merged.

    :ivar counts: (U) uint32, one for each unit of C(meta).
    :ivar meta_path: where its covmeta was read, or the first of those it was made of.
    :ivar derived: an operation made its covmeta: it is not the file at C(meta_path).
    :ivar nanoseconds: when the last of its lives wrote its counters, since the epoch, from the file's name.
    :ivar always: (U) bool: whether it ran in each life that ran its function; only where that was asked for.
    """

    meta: covmeta.Meta
    meta_path: str
    counts: np.ndarray
    lives: int = 0
    nanoseconds: int = 0
    arguments: dict[str, str] = field(default_factory=dict)
    always: t.Optional[np.ndarray] = None
    derived: bool = False

    def title(self) -> str:
        """Return the import path of its main package, or how else to call it."""
        return ", ".join(self.meta.main_paths()) or f"a program of {len(self.meta.packages)} packages"


@dataclass
class Component:
    """Everything that was found of one instrumented workload.

    :ivar set_aside: those of the problems that tell of a file that does not count and should not be there.
    :ivar mode: counter mode of the merged data; empty if there is none.
    :ivar withheld: why no percentage can be given; empty if one can.
    """

    name: str
    programs: list[Program] = field(default_factory=list)
    pods: dict[str, Pod] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    set_aside: list[Problem] = field(default_factory=list)
    mode: str = ""
    granularity: str = ""
    withheld: str = ""

    def usable(self) -> bool:
        """Tell whether there are counters at all."""
        return any(program.lives for program in self.programs)

    def lives(self) -> int:
        """Return how many lives' counters were merged."""
        return sum(program.lives for program in self.programs)

    def say(self, kind: str, severity: str, sentence: str, file: str = "", remedy: str = "") -> Problem:
        """Record a problem."""
        problem = Problem(kind, severity, sentence, file, self.name, remedy)
        self.problems.append(problem)
        return problem

    def put_aside(self, kind: str, sentence: str, file: str, remedy: str) -> None:
        """Record a file that does not count."""
        self.set_aside.append(self.say(kind, WARNING, sentence, file, remedy))


@dataclass(frozen=True)
class _Options:
    each_life: bool
    not_before: int
    expected: t.Sequence[str]
    snapshots: str
    lives: t.Mapping[str, int]
    verify: bool


def read_collection(
    roots: t.Union[str, t.Sequence[str]],
    component: str,
    *,
    layered: bool = True,
    policy: str = QUARANTINE,
    each_life: bool = False,
    not_before: int = 0,
    expected: t.Sequence[str] = (),
    snapshots: str = AUTO,
    lives: t.Optional[t.Mapping[str, int]] = None,
    verify: bool = False,
) -> list[Component]:
    """Read, check and merge all coverage data under some roots; return the components by name.

    :arg roots: a folder, or several folders and files. Beside a file of counters its covmeta is looked for.
    :arg component: name for what lies in a root itself; of everything, where there are no layers.
    :arg layered: the first folder below a root is a component's, what is below it a pod's.
    :arg policy: what becomes of files that do not count: C(fail), C(quarantine) or C(warn).
    :arg each_life: also find what ran in each life that ran its function (C(Program.always)).
    :arg not_before: when the run began, in nanoseconds since the epoch; counters that are older do not count.
    :arg expected: patterns of which one has to match the import path of a program's main package, or its module. A
        program whose main is not instrumented is judged by all of its packages.
    :arg snapshots: C(auto), C(sum) or C(last): what files of one process are, see R(snapshots).
    :arg lives: how many lives each pod is known to have had, by the name of its folder.
    :arg verify: also hold those covmeta against their hashes that have more than C(VERIFIED) blocks.
    :returns: one entry for each component that has a file; each carries its problems. Empty for empty folders.
    :raises DataError: with the policy C(fail), anything that costs data or trust; its cause is the kind of the first.
    """
    options = _Options(each_life, not_before, expected, snapshots, lives or {}, verify)
    components: dict[str, Component] = {}
    metas: dict[str, list[Found]] = {}
    counters: dict[str, list[Found]] = {}
    scan = _Scan([roots] if isinstance(roots, str) else list(roots), component, layered=layered)
    for folder, name, kind in scan:
        entry = components.setdefault(folder.component, Component(folder.component))
        if kind == "meta":
            metas.setdefault(entry.name, []).append(Found(folder, name))
        elif kind == "counters":
            counters.setdefault(entry.name, []).append(Found(folder, name))
        elif kind == "temporary":
            entry.put_aside(
                "leftover",
                f"A process was stopped while it wrote {name}: what it wrote is not used.",
                os.path.join(folder.path, name),
                "Give the pod a longer grace period, and see that the disk of its node is not full.",
            )
        else:
            entry.say(
                "unreadable",
                WARNING,
                f"{os.path.join(folder.path, name)} cannot be read: {kind}.",
                os.path.join(folder.path, name),
                "See who may read it; data that are in there do not count.",
            )
    for name, entry in components.items():
        _read_component(entry, metas.pop(name, []), counters.pop(name, []), options)
    result = [components[name] for name in sorted(components)]
    if policy == FAIL:
        _refuse(result, scan.roots)
    return result


def _refuse(components: t.Sequence[Component], roots: t.Sequence[str]) -> None:
    """Raise for the first thing that costs data or trust, and list the rest."""
    where = ", ".join(roots)
    if not components:
        raise DataError(
            f"There are no coverage data in {where}: not one covmeta, not one covcounters.",
            remedy="See that the program is instrumented (go build -cover), that GOCOVERDIR is set where it runs and "
            "can be written to.",
            cause="no-coverage-data",
        )
    bad = [entry for component in components for entry in component.problems if entry.severity != NOTE]
    if bad:
        first, more = bad[0], len(bad) - 1
        raise DataError(
            first.sentence + (f" {more} more like it: see the evidence." if more else ""),
            remedy=first.remedy,
            evidence=[f"{entry.file}: {entry.sentence}" if entry.file else entry.sentence for entry in bad],
            cause=first.kind,
        )


def quarantine(problems: t.Sequence[Problem], folder: str, *, check: bool = False) -> list[tuple[str, str]]:
    """Move files that do not count to C(folder), and record there where each came from and why.

    The folder is not read as data any more, wherever it lies: R(read_collection) passes over what has the record.

    :arg problems: C(Component.set_aside); of those that name a file that is gone, nothing is done.
    :arg check: move nothing.
    :returns: from where to where each file was moved, or would be.
    :raises InputError: cannot-write: a file could not be moved; those before it are moved and recorded.
    """
    import json  # most who read never move anything
    import shutil

    record = os.path.join(folder, QUARANTINE_RECORD)
    moved: list[tuple[str, str]] = []
    taken: set[str] = set()
    for problem in problems:
        if (
            not problem.file
            or not os.path.lexists(problem.file)
            or any(problem.file == source for source, _to in moved)
        ):
            continue
        name = base = os.path.basename(problem.file)
        number = 0
        while name in taken or os.path.lexists(os.path.join(folder, name)):
            number += 1
            name = f"{base}.{number}"
        taken.add(name)
        target = os.path.join(folder, name)
        if not check:
            try:
                os.makedirs(folder, exist_ok=True)
                # the record first: what is moved has its reason, whatever happens in between
                with open(record, "a", encoding="utf-8", errors="surrogateescape") as stream:
                    stream.write(json.dumps({**problem.as_dict(), "name": name}, ensure_ascii=False) + "\n")
                shutil.move(problem.file, target)
            except OSError as error:
                raise InputError(
                    f"{problem.file} could not be moved to {folder}: {error.strerror}.",
                    remedy="See who may write there, and whether the disk is full.",
                    evidence=[f"{source} was moved to {to}" for source, to in moved],
                    cause="cannot-write",
                ) from error
        moved.append((problem.file, target))
    return moved


class _Scan:
    """The files that Go's coverage runtime could have written, in a fixed order, with their folder and kind.

    The kind is C(meta), C(counters) or C(temporary); for what cannot be read it is the reason.
    """

    def __init__(self, roots: list[str], component: str, *, layered: bool) -> None:
        self.roots = roots
        self.component = component
        self.layered = layered
        self._entered: set[str] = set()  # folders, so that what two roots share is not read twice

    def __iter__(self) -> t.Iterator[tuple[Folder, str, str]]:
        files: dict[str, list[str]] = {}
        for root in self.roots:
            if os.path.isdir(root):
                yield from self._below(root, root)
            else:
                files.setdefault(os.path.dirname(root), []).append(os.path.basename(root))
        for parent, names in files.items():
            read = os.path.realpath(parent) in self._entered
            folder = self._folder(parent, parent)
            wanted: dict[str, str] = {}
            for name in names:
                if not os.path.lexists(os.path.join(parent, name)):
                    wanted[name] = "it is not there"
                    continue
                kind = _kind(name)
                if not kind:
                    wanted[name] = "it is not named as coverage data are"
                elif not read:
                    wanted[name] = kind
                    match = COUNTERS_NAME.fullmatch(name)
                    if match and os.path.lexists(os.path.join(parent, f"covmeta.{match[1]}")):
                        wanted[f"covmeta.{match[1]}"] = "meta"
            for name, kind in sorted(wanted.items()):
                yield folder, name, kind

    def _folder(self, root: str, path: str) -> Folder:
        relative = os.path.relpath(path, root)
        parts = [] if relative == os.curdir else relative.split(os.sep)
        if self.layered:
            return Folder(path, parts[0] if parts else self.component, "/".join(parts[1:]))
        if len(self.roots) > 1:  # pods of one name below two roots are two
            return Folder(path, self.component, "/".join([root, *parts]))
        return Folder(path, self.component, "/".join(parts))

    def _below(self, root: str, path: str) -> t.Iterator[tuple[Folder, str, str]]:
        folder = self._folder(root, path)
        real = os.path.realpath(path)
        if real in self._entered:
            return
        self._entered.add(real)
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                        continue
                    if entry.name == QUARANTINE_RECORD:
                        return
                    if _kind(entry.name):
                        names.append(entry.name)
        except OSError as error:
            yield folder, "", str(error.strerror)
            return
        names.sort()
        for name in names:
            yield folder, name, _kind(name)
        for name in sorted(folders):
            yield from self._below(root, os.path.join(path, name))


def _kind(name: str) -> str:
    """Return the kind of a file by its name; nothing for what is none of Go's."""
    if name.startswith("covcounters."):
        return "counters" if COUNTERS_NAME.fullmatch(name) else ""
    if name.startswith("covmeta."):
        return "meta" if META_NAME.fullmatch(name) else ""
    return "temporary" if TEMPORARY_NAME.fullmatch(name) else ""


def _read(path: str) -> bytes:
    """Return a file's content.

    :raises FormatError: unreadable.
    """
    buffer, size = read_into(path, bytearray())
    return bytes(memoryview(buffer)[:size])


def _read_head(path: str) -> tuple[bytes, int]:
    """Return the first bytes of a covmeta and its size.

    :raises FormatError: unreadable.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.read(covmeta.HEADER.size), os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise FormatError("unreadable", f"the file cannot be read: {error.strerror}") from error


def _set_aside(component: Component, found: Found, error: FormatError, remedy: str, effect: str) -> None:
    component.put_aside(error.kind, f"{found.name} is set aside: {error.message}. {effect}", found.path, remedy)


def _read_component(component: Component, metas: list[Found], counters: list[Found], options: _Options) -> None:
    for group in (metas, counters):
        for found in group:
            if found.folder.pod not in component.pods:
                component.pods[found.folder.pod] = Pod(found.folder.pod)
    counters = _without_stale(component, counters, options.not_before)
    programs = _read_metas(component, metas)
    found_for: dict[str, list[Found]] = {}
    for found in counters:
        found_for.setdefault(found.hash, []).append(found)
    del counters
    stale = _drop_stale(component, programs, metas, found_for, options.not_before)
    foreign = _drop_foreign(component, programs, metas, found_for, options.expected)
    for digest, group in sorted(found_for.items()):
        if digest in programs:
            continue
        for found in group:
            component.put_aside(
                "counters-without-meta",
                f"{found.name} is set aside: there is no covmeta.{digest} in good order, and counters mean nothing "
                "without it.",
                found.path,
                "Bring the covmeta home too; it is written when the process starts.",
            )
    component.programs = [programs[digest] for digest in sorted(programs)]
    component.mode, component.granularity = _common_mode(component)
    for digest in sorted(programs):
        _merge_lives(component, programs[digest], found_for.get(digest, []), options)
    _find_lost_lives(component, stale | foreign)
    _find_two_builds(component)
    _find_changed_contents(component, everything=options.verify)


def _without_stale(component: Component, counters: list[Found], not_before: int) -> list[Found]:
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


def _drop_stale(
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


def _drop_foreign(
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


def _read_metas(component: Component, metas: list[Found]) -> dict[str, Program]:
    """Read each distinct covmeta once; compare it with one copy, and check every further one by its header and size."""
    programs: dict[str, Program] = {}
    first: dict[str, Found] = {}
    confirmed: set[str] = set()
    trust: dict[str, int] = {}  # of those of which copies differ
    for found in metas:
        digest = found.hash
        try:
            if digest in confirmed:
                head = covmeta.read_head(*_read_head(found.path))
            else:
                data = _read(found.path)
                head = covmeta.read_head(data, len(data))
            if head.hash.hex() != digest:
                raise FormatError("renamed", f"inside, its hash is {head.hash.hex()}: another file, or a damaged one")
            if digest not in programs:
                programs[digest] = _program(data, found)
                first[digest] = found
            elif digest not in confirmed:
                confirmed.add(digest)
                before = _read(first[digest].path)
                if data != before:
                    confirmed.discard(digest)
                    if digest not in trust:
                        trust[digest] = covmeta.trust(programs[digest].meta)
                    other, trust[digest] = _better_copy(trust[digest], found, data)
                    programs[digest], worse, first[digest] = other, first[digest], found
                    _set_aside_meta(component, worse, _different())
                    component.pods[worse.folder.pod].metas -= 1
        except FormatError as error:
            _set_aside_meta(component, found, error)
            continue
        component.pods[found.folder.pod].metas += 1
    for digest in sorted(digest for digest, known in trust.items() if not known):
        component.withheld = f"no copy of {first[digest].name} is as it was written"
        component.say(
            "damaged",
            ERROR,
            f"The percentage of {component.name} is withheld: {component.withheld}.",
            first[digest].path,
            "Copy the file again from the node.",
        )
    return programs


def _program(data: bytes, found: Found) -> Program:
    meta = covmeta.read_meta(data)
    return Program(meta, found.path, np.zeros(meta.units.shape[1], dtype=np.uint32))


def _set_aside_meta(component: Component, found: Found, error: FormatError) -> None:
    _set_aside(
        component,
        found,
        error,
        "Copy the file again from the node; if it is the same there, see whether the node's disk is full.",
        "Another good copy of it is used if there is one.",
    )


def _different() -> FormatError:
    return FormatError("damaged", "another copy of it differs, and its contents are not those of its hashes")


def _better_copy(known: int, found: Found, data: bytes) -> tuple[Program, int]:
    """Of two copies of one covmeta that differ, the one counts whose contents are those of its hashes.

    :arg known: how far the copy that counts until now is to be trusted (R(trust) of a covmeta).
    :returns: the other copy's program and how far that is to be trusted, if it is further.
    :raises FormatError: damaged: the other copy is not to be used.
    """
    if known < covmeta.TRUSTED:
        try:
            program = _program(data, found)
        except FormatError as error:
            raise _different() from error
        trust = covmeta.trust(program.meta)
        if trust > known:
            return program, trust
    raise _different()


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

    return hashlib.sha256(_read(path)).digest()


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


def _merge_lives(component: Component, program: Program, found: list[Found], options: _Options) -> None:
    """Merge the counters of all lives of one program: a sum that stops at 2^32-1, or in mode set whether any ran."""
    meta = program.meta
    found = _without_duplicates(component, found)
    found = _last_snapshots(component, program, found, options)

    def progress(number: int) -> None:
        if number and number % PROGRESS_EVERY == 0:
            report_progress(f"merging counters of {component.name}: {number} of {len(found)} files")

    merged = add_files(meta, _Paths(found), each_life=options.each_life, progress=progress)
    for number in sorted(merged.bad):
        _set_aside(
            component,
            found[number],
            FormatError(*merged.bad[number]),
            "Copy the file again from the node; if it is the same there, the process was killed while it wrote.",
            "The counters of that life are lost, those of all others count.",
        )
    for number, entry in enumerate(found):
        if number not in merged.bad:
            component.pods[entry.folder.pod].counters += 1
            program.nanoseconds = max(program.nanoseconds, entry.nanoseconds)
    program.lives = len(found) - len(merged.bad)
    program.arguments = merged.arguments or {}
    if merged.never is not None:
        program.always = (merged.total != 0) & ~merged.never
    if meta.mode == "set":
        program.counts = (merged.total != 0).astype(np.uint32)
    else:
        program.counts = np.minimum(merged.total, LARGEST).astype(np.uint32)
        if (merged.total > LARGEST).any():
            component.say("overflow", NOTE, "A counter passed 2^32-1 and stays there, as in Go's own merge.")


def _last_snapshots(component: Component, program: Program, found: list[Found], options: _Options) -> list[Found]:
    """Leave out what a process wrote before it wrote the same counters again, later."""
    pods = {} if options.snapshots == SUM else _repeated_processes(found)
    dropped: set[int] = set()
    for lives in pods.values():
        folder = found[lives[0].number].folder
        choice = choose_lives(
            lives,
            lambda number: _counts(program.meta, found[number].path),
            policy=options.snapshots,
            known=_known_lives(options.lives, folder.pod),
        )
        if choice.sentence:
            where = f"pod {folder.pod}" if folder.pod else folder.path
            component.say(
                choice.kind, NOTE, f"{where} of {component.name}: {choice.sentence}", folder.path, choice.remedy
            )
        dropped.update(choice.dropped)
    return [entry for number, entry in enumerate(found) if number not in dropped] if dropped else found


def _repeated_processes(found: t.Sequence[Found]) -> dict[str, list[Life]]:
    """Return all files of those folders in which a process id comes up again; by the path of the folder.

    Where none does, each file is a life. That is what thousands of files in one folder are, so it is found in arrays.
    """
    order: dict[str, int] = {}
    folders = np.fromiter((order.setdefault(entry.folder.path, len(order)) for entry in found), np.int64, len(found))
    # what a name has for an id can have any length; ids that only seem equal are told apart later
    processes = np.fromiter((entry.process % LARGEST for entry in found), np.int64, len(found))
    rank = np.lexsort((processes, folders))
    again = (np.diff(folders[rank]) == 0) & (np.diff(processes[rank]) == 0)
    repeated = np.zeros(len(order), dtype=bool)
    repeated[folders[rank][1:][again]] = True
    chosen = np.flatnonzero(repeated[folders]).tolist()
    pods: dict[str, list[Life]] = {}
    for number in chosen:
        entry = found[number]
        pods.setdefault(entry.folder.path, []).append(Life(number, entry.process, entry.nanoseconds))
    return pods


def _known_lives(lives: t.Mapping[str, int], pod: str) -> t.Optional[int]:
    """Return how many lives a pod had; it may be named by the first or the last part of its folder."""
    parts = pod.split("/")
    for name in (pod, parts[0], parts[-1]):
        if name in lives:
            return lives[name]
    return None


def _counts(meta: covmeta.Meta, path: str) -> t.Optional[np.ndarray]:
    """Return the counters of one file by unit (U); nothing for a bad file."""
    merged = add_files(meta, [path])
    return None if merged.bad else merged.total


def _find_lost_lives(component: Component, known: t.Container[str]) -> None:
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


def _find_changed_contents(component: Component, *, everything: bool) -> None:
    """Find each covmeta whose contents are not those of its hashes: a changed bit that nothing else shows."""
    told = {problem.file for problem in component.problems if problem.severity == ERROR}
    for program in component.programs:
        if program.meta_path in told or (program.meta.units.shape[1] > VERIFIED and not everything):
            continue
        if not covmeta.trust(program.meta):
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
        contents = known[program.meta_path] = covmeta.function_contents(program.meta)
    begin, end = program.meta.package_base[package : package + 2].tolist()
    return contents[begin:end]


def _find_two_builds(component: Component) -> None:
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
