# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Snapshots: the covmeta and the covcounters of a process that runs, without its help.

The covmeta is byte for byte the one that the program writes where GOCOVERDIR is set; the counters are those that
C(runtime/coverage.WriteCountersDir) would write at that moment. What is the same in all processes of a build is
found once and kept by the build id.

Source of truth: internal/coverage/cfile/emit.go (C(prepareForMetaEmit), C(emitCounterDataToDirectory)).
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.fnv import fnv128a
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta_writer import frame_packages
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.counters import (
    Shape,
    check_later,
    find_heads,
    to_segment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.elf import Elf, read_elf
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import (
    STARTING,
    STARTING_REMEDY,
    LiveError,
    Torn,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.memory import Memory, Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.rtcov import (
    Package,
    Places,
    Program,
    hash_by_fnv,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

COPIES = 20  # of counters that change while they are copied, before it is given up
STATEMENTS = 4  # row of a covmeta's units
MAIN, TEST_SUFFIX = "main", ".test"
PACKED = b"UPX!"


@dataclass
class Build:
    """What all processes of one build have in common.

    :ivar test: it is a test binary (C(go test -c)).
    :ivar heads: where functions that ran in any of its processes have their heads (int64, ascending).
    """

    elf: Elf
    go_version: str
    places: Places
    test: bool = False
    hashes: bytes = b""
    digest: bytes = b""
    mode: str = ""
    granularity: str = ""
    covmeta: bytes = b""
    shape: t.Optional[Shape] = None
    heads: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @functools.cached_property
    def meta(self) -> Meta:
        """The covmeta, decoded."""
        return covmeta.read_meta(self.covmeta)


@dataclass
class Snapshot:
    """The counters of one process at one moment.

    :ivar pid: the id that the process has for itself.
    :ivar taken: when, in nanoseconds since the epoch. C(started): when the process was started; 0 where unknown.
    :ivar copies: how many copies of the counters it took; more than two where they changed in a way that matters.
    :ivar seconds: how long it took.
    """

    build: Build
    segment: covcounters.Segment
    pid: int
    taken: int
    copies: int
    seconds: float = 0.0
    started: int = 0

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """The counter of each unit of the covmeta (uint32)."""
        meta, segment = self.build.meta, self.segment
        counts = np.zeros(meta.units.shape[1], dtype=np.uint32)
        function = meta.package_base[segment.package] + segment.function
        begin, units = meta.function_base[function], np.diff(meta.function_base)[function]
        if meta.granularity == covmeta.GRANULARITIES[1]:
            values = segment.counters
        else:  # one counter for all units of a function
            values = np.repeat(segment.counters, units)
        before = np.cumsum(units) - units
        counts[np.repeat(begin - before, units) + np.arange(int(units.sum()))] = values
        return counts

    @property
    def statements(self) -> int:
        """How many statements the program has."""
        return int(self.build.meta.units[STATEMENTS].sum(dtype=np.int64))

    @property
    def covered(self) -> int:
        """How many of them ran."""
        return int(self.build.meta.units[STATEMENTS][self.counts != 0].sum(dtype=np.int64))

    def reached_packages(self) -> list[str]:
        """Return the import paths of the packages of which a function ran."""
        return [self.build.meta.packages[slot].path for slot in np.unique(self.segment.package).tolist()]

    def covcounters(self) -> bytes:
        """Return the covcounters file."""
        return covcounters.write_counters(covcounters.CounterFile(self.build.digest, [self.segment]))


class Reader:
    """Reads processes, and remembers their builds."""

    def __init__(self) -> None:
        self._builds: dict[t.Hashable, Build] = {}

    def read(self, process: Process) -> Snapshot:
        """Read the counters of a process of this host.

        :raises LiveError: not-elf, not-go, not-instrumented, starting, unsettled.
        :raises ProcessEnded: it ended meanwhile.
        """
        begun = time.perf_counter()
        elf = read_elf(process.executable)
        file = os.fstat(process.executable)
        key = (elf.build_id, elf.size) if elf.build_id else (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns)
        program = Program(process, elf, process.base)
        build = self._builds.get(key)
        if build is None:
            packed = PACKED in os.pread(process.executable, 1 << 12, 0)
            build = self._builds[key] = find_build(program, packed=packed)
        snapshot = read_snapshot(program, build, process.command_line(), process.own_pid())
        snapshot.started = process.started()
        snapshot.seconds = time.perf_counter() - begun
        return snapshot


def find_build(program: Program, *, packed: bool = False) -> Build:
    """Find where a program has its counters.

    :arg packed: it is compressed, with UPX.
    :raises LiveError: not-go, starting, not-instrumented, unknown-layout.
    """
    version, main = program.build_info()
    if not version:
        if packed:
            raise LiveError(
                "Its program is packed with UPX, so its file does not show where the counters are in memory.",
                remedy="Run the unpacked program.",
                cause="packed",
            )
        raise LiveError(
            "Its program is not a Go program: it has no Go build information.",
            remedy="Give the id of the Go program itself, not of a shell, an init process or an emulator around it.",
            setting="pid",
            cause="not-go",
        )
    begun = program.has_begun()  # asked first: while a PIE is relocated, its module data are not there yet
    places = program.find_places()
    if places is None and not begun:
        raise LiveError(STARTING, remedy=STARTING_REMEDY, cause="starting")
    if places is None:
        raise LiveError(
            f"Its module data (runtime.moduledata of {version}) was not found in its memory.",
            remedy="Report this with the version of Go, the architecture and the flags that it was built with.",
            evidence=[f"{version}, {program.elf.architecture}"],
            cause="unknown-layout",
        )
    if places.counters[0] == places.counters[1]:
        raise LiveError(
            f"Its program ({version}) has no counters: it was built without coverage.",
            remedy="Build it with 'go build -cover'. 'go install -cover' records the flag and instruments nothing.",
            evidence=[f"runtime.covctrs and runtime.ecovctrs are both {places.counters[0]:#x}"],
            cause="not-instrumented",
        )
    return Build(program.elf, version, places, test=main.endswith(TEST_SUFFIX))


def read_snapshot(program: Program, build: Build, command_line: t.Sequence[str], pid: int) -> Snapshot:
    """Read the counters of a program in memory. What is learnt about the build is kept in C(build).

    :arg command_line: its arguments, which a covcounters file has. C(pid): the id that goes into the name of the file.
    :raises LiveError: starting, unsettled, mode-clash.
    :raises ProcessEnded: it ended meanwhile.
    """
    shape = _read_packages(program, build)
    reason = ""
    for copies in range(2, 2 * COPIES, 2):
        words = program.read_counters(build.places)
        taken = time.time_ns()
        later = program.read_counters(build.places)
        try:
            heads = find_heads(words, build.heads)
            check_later(words, heads, later)
            segment = to_segment(words, heads, shape)
        except Torn as torn:
            reason = str(torn)
            continue
        build.heads = _joined(build.heads, heads, len(words))
        segment.arguments = {
            "argc": str(len(command_line)),
            **{f"argv{index}": argument for index, argument in enumerate(command_line)},
            "GOOS": "linux",
            "GOARCH": program.elf.architecture,
        }
        return Snapshot(build, segment, pid, taken, copies)
    raise LiveError(
        f"Its counters changed during each of {COPIES} copies of its memory ({build.go_version}): {reason}.",
        remedy="Read it again when it has started. If that does not help, report this with the version of Go.",
        cause="unsettled",
    )


def _joined(some: np.ndarray, others: np.ndarray, size: int) -> np.ndarray:
    """Return the numbers below C(size) that are in one or the other, ascending."""
    either = np.zeros(size, dtype=bool)
    either[some] = True
    either[others] = True
    return np.flatnonzero(either)


def _read_packages(program: Program, build: Build) -> Shape:
    """Make the covmeta, unless the list of packages is the one that it was made of; return what it says."""
    places = build.places
    at = places.packages or program.find_packages(places)
    elements = program.read_list(at) if at else b""
    hashes = program.hashes(elements)
    if build.shape is not None and hashes == build.hashes:
        return build.shape
    packages = program.read_packages(elements)
    # main registers last; where it is not there, it is not instrumented (in a test binary it never is), or it is not
    # its turn yet
    if not packages or (
        not build.test
        and not any(package.name() == MAIN for package in reversed(packages))
        and program.is_hooked(places)
    ):
        raise LiveError(STARTING, remedy=STARTING_REMEDY, cause="starting")
    build.places = Places(places.counters, places.bss, places.names, at)
    modes = [covmeta.MODES[package.mode] for package in packages if package.mode in covmeta.MODES]
    if len(set(modes)) != 1:
        raise LiveError(
            f"Its packages have {len(set(modes))} counter modes: Go writes no coverage data for such a program.",
            evidence=sorted(set(modes)),
            remedy="Build all of it with one -covermode.",
            cause="mode-clash",
        )
    build.mode, build.granularity = modes[0], covmeta.GRANULARITIES[packages[0].granularity]
    build.digest = _digest(packages, build)
    build.covmeta = frame_packages([package.data for package in packages], build.digest, build.mode, build.granularity)
    build.__dict__.pop("meta", None)
    build.shape, build.hashes = Shape(packages), hashes
    return build.shape


def _digest(packages: t.Sequence[Package], build: Build) -> bytes:
    """Return the hash that Go gives to the covmeta (C(finalHash))."""
    text = b"".join(package.hash for package in packages) + build.mode.encode() + build.granularity.encode()
    if hash_by_fnv(build.go_version):
        return fnv128a(text)
    return hashlib.md5(text, usedforsecurity=False).digest()


def read_memory(memory: Memory, elf: Elf, base: int, command_line: t.Sequence[str], pid: int) -> Snapshot:
    """Read a program whose memory is at hand in another way than as a process of this host: a recording."""
    program = Program(memory, elf, base)
    return read_snapshot(program, find_build(program), command_line, pid)
