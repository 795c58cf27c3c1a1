# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The little of an ELF program that is needed: segments, sections, Go's build id.

Source: elf(5). pyelftools knows far more, but importing it takes longer than a snapshot, half as long as importing
numpy, and it would be one more library to install on each host.
"""

from __future__ import annotations

import os
import struct
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import LiveError

MAGIC = b"\x7fELF"
LOAD, NOTE = 1, 4  # kinds of segments
PROGRAM_BITS = 1  # kind of a section that has bytes in the file
WRITE, ALLOCATE = 1, 2  # flags of a section
SEGMENT_WRITE = 2
GO_NOTE, GO_BUILD_ID = b"Go\0\0", 4
SMALLEST_NOTE = 12
NOTES_LIMIT = 1 << 20
# Go's names of the machines (cmd/internal/sys): number in the header, bytes of a word, order
ARCHITECTURES = {
    (3, 4, "<"): "386",
    (62, 8, "<"): "amd64",
    (40, 4, "<"): "arm",
    (183, 8, "<"): "arm64",
    (258, 8, "<"): "loong64",
    (8, 4, ">"): "mips",
    (8, 4, "<"): "mipsle",
    (8, 8, ">"): "mips64",
    (8, 8, "<"): "mips64le",
    (21, 8, ">"): "ppc64",
    (21, 8, "<"): "ppc64le",
    (243, 8, "<"): "riscv64",
    (22, 8, ">"): "s390x",
}


class Segment(t.NamedTuple):
    """A part of the file that is mapped, or a note."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Section(t.NamedTuple):
    """A named part; addresses are those of the file, before a PIE is moved."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int


@dataclass(frozen=True)
class Elf:
    """What the headers say.

    :ivar word: bytes of an address, 4 or 8. C(order): C(<) or C(>), as in R(struct).
    :ivar headers: address of the program headers in the file's own addresses.
    :ivar build_id: Go's build id; empty where there is none.
    :ivar size: bytes of the file.
    """

    word: int
    order: str
    machine: int
    headers: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    build_id: str
    size: int

    @property
    def architecture(self) -> str:
        """Go's name of the machine (GOARCH)."""
        return ARCHITECTURES.get((self.machine, self.word, self.order), f"elf-{self.machine}")

    @property
    def image(self) -> tuple[int, int]:
        """Where the program begins and ends in the file's own addresses."""
        loads = [segment for segment in self.segments if segment.kind == LOAD]
        return min(part.address for part in loads), max(part.address + part.memory_size for part in loads)

    def section(self, name: str) -> t.Optional[Section]:
        """Return the section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def writable(self) -> list[tuple[int, int]]:
        """Return address and size of all that has bytes in the file and can be written: by sections where there are."""
        found = [
            (section.address, section.size)
            for section in self.sections
            if section.kind == PROGRAM_BITS and section.flags & WRITE and section.flags & ALLOCATE
        ]
        return found or [
            (part.address, part.file_size)
            for part in self.segments
            if part.kind == LOAD and part.flags & SEGMENT_WRITE and part.file_size
        ]

    def zeros(self) -> list[tuple[int, int]]:
        """Return address and size of all that can be written and has no bytes in the file: it starts as zeros."""
        return [
            (part.address + part.file_size, part.memory_size - part.file_size)
            for part in self.segments
            if part.kind == LOAD and part.flags & SEGMENT_WRITE and part.memory_size > part.file_size
        ]


def read_elf(descriptor: int) -> Elf:
    """Read the headers of an open file.

    :raises LiveError: not-elf: the file is not an ELF program, or is damaged.
    """
    try:
        return _read(descriptor)
    except (struct.error, ValueError) as error:
        raise LiveError(f"Its program is not an ELF file that can be read: {error}.", cause="not-elf") from error


def _read(descriptor: int) -> Elf:
    head = os.pread(descriptor, 64, 0)
    if head[:4] != MAGIC:
        raise ValueError("its first bytes are others")
    wide, order = head[4] == 2, {1: "<", 2: ">"}[head[5]] if head[5] in (1, 2) else "<"
    machine = struct.unpack_from(f"{order}H", head, 18)[0]
    form = f"{order}QQQIHHHHHH" if wide else f"{order}IIIIHHHHHH"
    _entry, at, sections_at, _flags, _size, each, count, section_size, sections, names = struct.unpack_from(
        form, head, 24
    )
    segments = []
    table = os.pread(descriptor, each * count, at)
    for index in range(count):
        if wide:
            kind, flags, offset, address, _physical, stored, taken, _align = struct.unpack_from(
                f"{order}IIQQQQQQ", table, index * each
            )
        else:
            kind, offset, address, _physical, stored, taken, flags, _align = struct.unpack_from(
                f"{order}IIIIIIII", table, index * each
            )
        segments.append(Segment(kind, flags, offset, address, stored, taken))
    loads = [part for part in segments if part.kind == LOAD]
    inside = next((part for part in loads if part.offset <= at < part.offset + part.file_size), None)
    if inside is None:
        raise ValueError("its program headers are in no segment")
    return Elf(
        word=8 if wide else 4,
        order=order,
        machine=machine,
        headers=inside.address + at - inside.offset,
        segments=tuple(segments),
        sections=tuple(_sections(descriptor, wide, order, sections_at, section_size, sections, names)),
        build_id=_build_id(descriptor, segments, order),
        size=os.fstat(descriptor).st_size,
    )


def _sections(
    descriptor: int, wide: bool, order: str, at: int, each: int, count: int, names: int
) -> t.Iterator[Section]:
    form = f"{order}IIQQQQ" if wide else f"{order}IIIIII"
    table = os.pread(descriptor, each * count, at) if at else b""
    if not count or len(table) < each * count or names >= count:
        return  # taken off: the segments have to do
    rows = [struct.unpack_from(form, table, index * each) for index in range(count)]
    texts = os.pread(descriptor, rows[names][5], rows[names][4])
    for name, kind, flags, address, offset, size in rows:
        text = texts[name : texts.find(b"\0", name)].decode("ascii", "replace")
        yield Section(text, kind, flags, address, offset, size)


def _build_id(descriptor: int, segments: t.Sequence[Segment], order: str) -> str:
    for segment in segments:
        if segment.kind != NOTE or segment.file_size > NOTES_LIMIT:
            continue
        data, position = os.pread(descriptor, segment.file_size, segment.offset), 0
        while position + SMALLEST_NOTE <= len(data):
            name_size, size, kind = struct.unpack_from(f"{order}III", data, position)
            begin = position + SMALLEST_NOTE + (name_size + 3) // 4 * 4
            if kind == GO_BUILD_ID and data[position + SMALLEST_NOTE : begin] == GO_NOTE:
                return data[begin : begin + size].decode("ascii", "replace")
            position = begin + (size + 3) // 4 * 4
    return ""
