# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to damage a file. Each takes a source of chance and changes bytes: by the same chance in the same way."""

from __future__ import annotations

import random as chance
import struct
import typing as t

META_MAGIC = b"\x00cvm"
COUNTERS_MAGIC = b"\x00cwm"
COUNTERS_FOOTER = struct.Struct("<4s4xI4x")
META_HEADER = 56
META_PACKAGE = 44
LONGEST = 1 << 20  # of what a mutation makes

EDGES: tuple[int, ...] = (
    *(0, 1, 2, 3, 4, 127, 128, 255, 256, 0x3FFF, 0x4000, 0xFFFF, 1 << 20),
    *((1 << bits) + more for bits in (28, 31, 32, 35, 63, 64) for more in (-1, 0)),
)
WORDS: tuple[bytes, ...] = (
    *(b"", b"0", b"-1", b"+1", b"1.5", b"1e9", b" ", b"\t", b"\r", b":", b",", b".", b"\n", b"\n\n", b"\0", b"NaN"),
    *(b"mode: set\n", b"mode: atomic\n", b"mode: count\n", b"mode: \n", b"mode:set\n", b"mode: unknown\n"),
    *(b"4294967295", b"4294967296", b"18446744073709551616", b"9" * 23, b"0x10", b"1_0"),
    # byte order marks, broken UTF-8, and what Python takes for digits or ends of lines
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\x85", "\N{ARABIC-INDIC DIGIT THREE}".encode(), "\u2028".encode()),
)

Mutation = t.Callable[[chance.Random, bytearray, t.Sequence[bytes]], None]


def encode(number: int, padding: int = 0) -> bytes:
    """A ULEB128 number, with C(padding) more bytes than it needs."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    for _more in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def number_at(data: bytes | bytearray, offset: int) -> tuple[int, int]:
    """The ULEB128 number at an offset as far as it goes, and the offset behind it."""
    number = shift = 0
    while offset < len(data) and shift < 70:
        number |= (data[offset] & 0x7F) << shift
        shift += 7
        offset += 1
        if data[offset - 1] < 0x80:
            break
    return number, offset


def _span(random: chance.Random, data: bytearray) -> tuple[int, int]:
    """A stretch of the data, more often a short one."""
    begin = random.randrange(len(data) + 1)
    return begin, min(len(data), begin + random.choice((1, 2, 4, 8, 16, 64, max(1, len(data) // 4), len(data))))


def flip_bits(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Turn over up to eight bits."""
    for _time in range(random.randint(1, 8)):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_bytes(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Put bytes of meaning (nothing, all, the flag that a number goes on) in the place of others."""
    for _time in range(random.randint(1, 4)):
        if data:
            data[random.randrange(len(data))] = random.choice((0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x20, 0x3A))


def cut(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Lose the end, as a copy that was stopped; now and then the beginning."""
    where = random.randrange(len(data) + 1)
    if random.random() < 0.9:
        del data[where:]
    else:
        del data[:where]


def pad(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Add zeros or anything at the end, as a file system does after a crash."""
    size = random.choice((1, 3, 4, 16, 100, 512, 4096))
    data += bytes(size) if random.random() < 0.5 else random.randbytes(size)


def remove(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Lose a stretch from within."""
    begin, end = _span(random, data)
    del data[begin:end]


def duplicate(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Have a stretch twice, at once or elsewhere."""
    begin, end = _span(random, data)
    piece = data[begin:end]
    where = end if random.random() < 0.5 else random.randrange(len(data) + 1)
    data[where:where] = piece * random.choice((1, 1, 1, 2, 10))


def insert(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Put bytes in that have no meaning."""
    where = random.randrange(len(data) + 1)
    data[where:where] = random.randbytes(random.choice((1, 2, 4, 16, 100)))


def blank(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Overwrite a stretch by one byte: zeros as of a sparse file, or 0x80s, a number without an end."""
    begin, end = _span(random, data)
    data[begin:end] = bytes([random.choice((0x00, 0x00, 0x00, 0x80, 0xFF))]) * (end - begin)


def splice(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Go on as another file does."""
    other = random.choice(others)
    if random.random() < 0.5:  # at the same place, as when two processes write one file
        where = random.randrange(len(data) + 1)
        data[where:] = other[where:]
    else:
        data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]


def change_number(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Let a ULEB128 number lie, wherever there may be one; its length may change."""
    for _time in range(random.randint(1, 3)):
        if not data:
            return
        begin = random.randrange(len(data))
        number, end = number_at(data, begin)
        value = random.choice((number + 1, number - 1, number * 2, random.choice(EDGES), random.randrange(300)))
        data[begin:end] = encode(max(value, 0), random.choice((0, 0, 0, 0, 1, 5, 12)))


def change_field(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Let a number of a fixed width lie, most often one in the header or in a table behind it."""
    width = random.choice((1, 2, 4, 4, 4, 8, 8))
    if len(data) < width:
        return
    if random.random() < 0.7:
        where = random.randrange(0, min(len(data), 128)) // width * width
        if data.startswith(META_MAGIC) and random.random() < 0.3:
            where = package_of(random, data) + 4 * random.randrange(META_PACKAGE // 4)
    else:
        where = random.randrange(len(data))
    where = min(where, len(data) - width)
    now = int.from_bytes(data[where : where + width], "little")
    value = random.choice((now + 1, now - 1, now * 2, len(data), len(data) + 1, len(data) - 1, random.choice(EDGES)))
    data[where : where + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


def package_of(random: chance.Random, data: bytearray) -> int:
    """Where a package of a covmeta begins, by its table; 0 if there is none."""
    if len(data) < META_HEADER + 8:
        return 0
    (entries,) = struct.unpack_from("<Q", data, 16)
    where = META_HEADER + 8 * random.randrange(min(max(entries, 1), (len(data) - META_HEADER) // 8))
    (offset,) = struct.unpack_from("<Q", data, where)
    return int(offset) if offset < len(data) else 0


def swap(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Let two stretches change places."""
    size = random.choice((1, 4, 16, 64))
    if len(data) < 2 * size:
        return
    one, other = random.randrange(len(data) - size + 1), random.randrange(len(data) - size + 1)
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


BINARY: tuple[Mutation, ...] = (
    flip_bits,
    set_bytes,
    cut,
    pad,
    remove,
    duplicate,
    insert,
    blank,
    splice,
    change_number,
    change_number,
    change_field,
    change_field,
    swap,
)


def replace_word(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Put a word in place of another, or between."""
    begin, end = _span(random, data)
    data[begin : random.choice((begin, begin + 1, end))] = random.choice(WORDS)


def change_line(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """Lose a line, have it twice, elsewhere, or with one of its fields changed."""
    lines = bytes(data).split(b"\n")
    index = random.randrange(len(lines))
    what = random.randrange(5)
    if what == 0:
        del lines[index]
    elif what == 1:
        lines.insert(random.randrange(len(lines) + 1), lines[index])
    elif what == 2:
        random.shuffle(lines)
    else:
        fields = lines[index].replace(b",", b" ").split(b" ") if what == 3 else lines[index].split(b" ")
        fields[random.randrange(len(fields))] = random.choice((*WORDS, str(random.choice(EDGES)).encode()))
        lines[index] = b" ".join(fields)
    data[:] = b"\n".join(lines)


def change_ends(random: chance.Random, data: bytearray, others: t.Sequence[bytes]) -> None:
    """End lines otherwise."""
    data[:] = bytes(data).replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b" \n")), random.choice((-1, 1, 3)))


TEXT: tuple[Mutation, ...] = (
    flip_bits,
    cut,
    remove,
    duplicate,
    insert,
    splice,
    replace_word,
    replace_word,
    replace_word,
    change_line,
    change_line,
    change_line,
    change_ends,
)


def repair(data: bytearray) -> None:
    """Make the outermost lengths true again, so that what lies within is looked at."""
    if data.startswith(META_MAGIC) and len(data) >= 16:
        struct.pack_into("<Q", data, 8, len(data))
    elif data.startswith(COUNTERS_MAGIC):
        data += bytes(-len(data) % 4) if data[24:25] == b"\x01" else b""
        data += COUNTERS_FOOTER.pack(COUNTERS_MAGIC, 1)


def mutate(random: chance.Random, seed: bytes, others: t.Sequence[bytes], *, text: bool = False) -> tuple[str, bytes]:
    """Damage a file in one to four ways.

    :returns: the names of the ways, and what came of it.
    """
    data = bytearray(seed)
    names = []
    for _time in range(random.choice((1, 1, 1, 2, 2, 4))):
        mutation = random.choice(TEXT if text else BINARY)
        mutation(random, data, others)
        names.append(mutation.__name__)
    if not text and random.random() < 0.3:
        repair(data)
        names.append("repair")
    del data[LONGEST:]
    return "+".join(names), bytes(data)
