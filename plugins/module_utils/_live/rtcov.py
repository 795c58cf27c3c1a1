# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Where a Go program keeps its counters and the list of its instrumented packages, by the shape of the data.

No symbol table is needed, so a program linked with C(-s -w) is read in the same way as any other:

- the runtime's C(moduledata) has the addresses of the counters (C(covctrs), C(ecovctrs)) and of C(.bss). Up to these
  fields it has been the same number of words since Go 1.20, on every architecture. It is found by the order of its
  addresses, and proved by the header of the table of functions (C(pcHeader)) that its first word points to;
- the list of packages is a slice in C(.bss): C(internal/coverage/rtcov.Meta.List), before Go 1.23
  C(runtime.covMeta.metaList). Each of its elements points to the package's meta-data in the program, which repeats
  the length and the hash of the element: nothing else in memory does.

Source of truth: runtime/symtab.go (C(moduledata), C(pcHeader)), runtime/covercounter.go, internal/coverage/rtcov,
internal/coverage/defs.go (C(MetaSymbolHeader)), debug/buildinfo.
"""

from __future__ import annotations

import re
import struct
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import PACKAGE_HEADER
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.elf import Elf
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import UnmappedAddress
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.memory import Memory

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

# words of moduledata
PC_HEADER, FUNCTION_NAMES, FUNCTION_NAMES_LENGTH = 0, 1, 2
MIN_PC, MAX_PC, TEXT, END_TEXT = 20, 21, 22, 23
RANGES = ((MIN_PC, MAX_PC), (TEXT, END_TEXT), (24, 25), (26, 27), (28, 29), (30, 31))
BSS, END_BSS, NO_POINTERS_BSS, END_NO_POINTERS_BSS, COUNTERS, END_COUNTERS = 28, 29, 30, 31, 32, 33
WORDS = 34
MODULE_SECTIONS = (".go.module", ".noptrdata")  # since Go 1.26; before
PC_MAGIC, PC_MAGIC_MASK = 0xFFFFFFF0, 0xFFFFFFF0  # 0xfffffff0 since Go 1.18, 0xfffffff1 since 1.20
QUANTA = (1, 2, 4)  # bytes of the smallest instruction
INIT_HOOK = b"runtime/coverage.initHook"  # only in programs that register all packages before main begins
BUILD_INFO, BUILD_INFO_ALIGN, BUILD_INFO_HEADER, BUILD_INFO_INLINE = b"\xff Go buildinf:", 16, 32, 2
VERSION_LIMIT = 256
MAIN_PATH = re.compile(rb"path\t([^\n]+)\n")
MOST_PACKAGES = 1 << 17
LARGEST_PACKAGE = 1 << 28  # bytes of meta-data
WIDE = 8  # bytes of an address of 64 bits
MODES, GRANULARITIES = range(1, 6), range(1, 3)
HARD_CODED = -2  # the first of the ids that packages of the runtime have
STRETCH, SHORT_STRETCH = 1 << 22, 1 << 16  # bytes of memory looked through at a time
FNV_SINCE = (1, 24)


@dataclass(frozen=True)
class Places:
    """Where things are, in the program's own addresses (a PIE is moved by its bias).

    :ivar counters: begin and end of the counters. C(packages): of the slice of packages; 0 where it is not known yet.
    :ivar bss: begin and end of what has pointers and starts as zeros.
    :ivar names: begin and size of the names of all functions.
    """

    counters: tuple[int, int]
    bss: tuple[int, int]
    names: tuple[int, int]
    packages: int = 0


@dataclass(frozen=True)
class Package:
    """An element of the list: an instrumented package that has begun to initialize.

    :ivar data: its meta-data, as it goes into a covmeta.
    :ivar hard_coded: its negative id in the counters, if it is one of the runtime's; otherwise -1.
    """

    data: bytes
    hash: bytes
    hard_coded: int
    mode: int
    granularity: int

    def name(self) -> str:
        """Return the name in its package clause."""
        functions, name = PACKAGE_HEADER.unpack_from(self.data)[6], PACKAGE_HEADER.unpack_from(self.data)[1]
        return uleb128.first_strings(self.data, PACKAGE_HEADER.size + 4 * functions, name + 1)[name]


class Program:
    """A program in memory.

    :arg memory: where it runs. C(elf): its headers. C(base): address of its program headers in memory.
    """

    def __init__(self, memory: Memory, elf: Elf, base: int) -> None:
        self.memory, self.elf = memory, elf
        self.bias = base - elf.headers
        low, high = elf.image
        self.image = low + self.bias, high + self.bias  # where it begins and ends in memory
        self._word = np.dtype(f"{elf.order}u{elf.word}")
        # P *byte, Len uint32, Hash [16]byte, PkgPath string, PkgID int, CounterMode, CounterGranularity uint8
        self._blob = struct.Struct(elf.order + ("Q I16s4x 16x q BB6x" if elf.word == WIDE else "I I16s 8x i BB2x"))

    def build_info(self) -> tuple[str, str]:
        """Return the version of Go that built it (C(go1.26.8)) and its main package's path; empty if it is not Go."""
        section = self.elf.section(".go.buildinfo")
        for begin, size in [(section.address, section.size)] if section else self.elf.writable():
            data = self._try(begin, min(size, STRETCH))
            position = data.find(BUILD_INFO)
            while position >= 0:
                flags = data[position + 15 : position + 16]
                if not (begin + position) % BUILD_INFO_ALIGN and flags and flags[0] & BUILD_INFO_INLINE:
                    length, start = uleb128.decode_one(data, position + BUILD_INFO_HEADER)
                    version = data[start : start + min(length, VERSION_LIMIT)].decode("ascii", "replace")
                    path = MAIN_PATH.search(data, start + length)
                    return version, path[1].decode("utf-8", "replace") if path else ""
                position = data.find(BUILD_INFO, position + 1)
        return "", ""

    def find_places(self) -> t.Optional[Places]:
        """Find the program's C(moduledata); None if it is not a Go program."""
        named = [self.elf.section(name) for name in MODULE_SECTIONS]
        first = [(section.address, section.size) for section in named if section is not None]
        for begin, size in dict.fromkeys([*first, *self.elf.writable()]):
            for start in range(begin, begin + size, STRETCH):
                # a stretch more, so that none is cut in two
                words = self._words(start, min(STRETCH + WORDS * self.elf.word, begin + size - start))
                for place in self._like_module(words):
                    row = [int(word) for word in words[place : place + WORDS]]
                    if self._is_pc_header(row[PC_HEADER]):
                        return Places(
                            counters=(row[COUNTERS] - self.bias, row[END_COUNTERS] - self.bias),
                            bss=(row[BSS] - self.bias, row[END_BSS] - self.bias),
                            names=(row[FUNCTION_NAMES] - self.bias, row[FUNCTION_NAMES_LENGTH]),
                        )
        return None

    def has_begun(self) -> bool:
        """Tell whether Go's runtime has begun: before, what starts as zeros is zeros, and a PIE is not relocated."""
        return any(
            np.frombuffer(self._try(begin + offset, min(SHORT_STRETCH, size - offset)), dtype=np.uint8).any()
            for begin, size in self.elf.zeros()
            for offset in range(0, size, SHORT_STRETCH)
        )

    def find_packages(self, places: Places) -> int:
        """Return the place of the slice of packages; 0 where no package has begun to initialize."""
        begin, end = places.bss
        words = self._words(begin, end - begin)
        if len(words) < 3:
            return 0
        pointer, length, capacity = words[:-2], words[1:-1], words[2:]
        found = np.flatnonzero((capacity <= MOST_PACKAGES) & (capacity != 0))
        found = found[(length[found] != 0) & (length[found] <= capacity[found])]
        found = found[(pointer[found] != 0) & (pointer[found] % self.elf.word == 0)]
        for place in found.tolist():
            try:
                if self._package(self.memory.read(int(pointer[place]), self._blob.size)) is not None:
                    return begin + int(place) * self.elf.word
            except UnmappedAddress:
                continue
        return 0

    def read_list(self, packages: int) -> bytes:
        """Return the list of packages at that place, as it is in memory; empty where it is none (any more)."""
        pointer, length, capacity = (int(word) for word in self._words(packages, 3 * self.elf.word))
        if not 1 <= length <= capacity <= MOST_PACKAGES:
            return b""
        try:
            return self.memory.read(pointer, length * self._blob.size)
        except UnmappedAddress:
            return b""

    def read_packages(self, elements: bytes) -> t.Optional[list[Package]]:
        """Return the program's own packages of a list. Those of plugins are left out: no covmeta has them.

        :returns: None where an element is not whole.
        """
        low, high = self.image
        found = []
        for offset in range(0, len(elements), self._blob.size):
            element = elements[offset : offset + self._blob.size]
            if low <= self._blob.unpack(element)[0] < high:
                package = self._package(element)
                if package is None:
                    return None
                found.append(package)
        return found

    def hashes(self, elements: bytes) -> bytes:
        """Return the hashes of a list's packages, one after the other: the same in every process of a build."""
        at = self.elf.word + 4
        return np.frombuffer(elements, dtype=np.uint8).reshape(-1, self._blob.size)[:, at : at + 16].tobytes()

    def is_hooked(self, places: Places) -> bool:
        """Tell whether its main package is instrumented: then main registers as the last package."""
        return INIT_HOOK in self.memory.read(places.names[0] + self.bias, places.names[1])

    def read_counters(self, places: Places) -> np.ndarray:
        """Return all counters (uint32) as they are in memory: heads of functions, counters, zeros."""
        begin, end = places.counters
        raw = self.memory.read(begin + self.bias, end - begin)
        return np.frombuffer(raw, dtype=f"{self.elf.order}u4").astype(np.uint32, copy=False)

    def _package(self, element: bytes) -> t.Optional[Package]:
        pointer, length, digest, hard_coded, mode, granularity = self._blob.unpack(element)
        low, high = self.image
        if (
            mode not in MODES
            or granularity not in GRANULARITIES
            or hard_coded > -1
            or not PACKAGE_HEADER.size <= length <= LARGEST_PACKAGE
            or not low <= pointer <= high - length
        ):
            return None
        try:
            data = self.memory.read(pointer, length)
        except UnmappedAddress:
            return None
        head = PACKAGE_HEADER.unpack_from(data)
        if head[0] != length or head[4] != digest:
            return None
        return Package(data, digest, hard_coded, mode, granularity)

    def _like_module(self, words: np.ndarray) -> list[int]:
        """Return at which words a C(moduledata) could begin."""
        count = len(words) - WORDS + 1
        if count <= 0:
            return []

        def word(number: int) -> np.ndarray:
            return words[number : number + count]

        low, high = self.image
        like = (word(PC_HEADER) > low) & (word(PC_HEADER) < high) & (word(TEXT) >= low) & (word(TEXT) < word(END_TEXT))
        places = np.flatnonzero(like)
        for begin, end in RANGES:
            places = places[(words[places + begin] <= words[places + end]) & (words[places + end] <= high)]
        inside = (words[places + NO_POINTERS_BSS] <= words[places + COUNTERS]) & (
            words[places + END_COUNTERS] <= words[places + END_NO_POINTERS_BSS]
        )
        places = places[inside & (words[places + COUNTERS] <= words[places + END_COUNTERS])]
        return [int(place) for place in places]

    def _is_pc_header(self, address: int) -> bool:
        try:
            magic, zero, quantum, word = struct.unpack(f"{self.elf.order}IHBB", self.memory.read(address, 8))
        except UnmappedAddress:
            return False
        return bool(magic & PC_MAGIC_MASK == PC_MAGIC and zero == 0 and quantum in QUANTA and word == self.elf.word)

    def _words(self, address: int, size: int) -> np.ndarray:
        """Return the words at an address of the file's; none where there is no memory."""
        data = self._try(address, size - size % self.elf.word)
        return np.frombuffer(data, dtype=self._word)

    def _try(self, address: int, size: int) -> bytes:
        try:
            return self.memory.read(address + self.bias, size)
        except UnmappedAddress:
            return b""


def hash_by_fnv(version: str) -> bool:
    """Tell by what this Go hashes packages: with FNV-1a since 1.24, with MD5 before.

    :arg version: C(go1.26.8), with anything behind it; of a version that has no number the newest way is meant.
    """
    found = re.search(r"go(\d+)\.(\d+)", version)
    return found is None or (int(found[1]), int(found[2])) >= FNV_SINCE
