# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""ULEB128 numbers, a whole array at once.

Source of truth: internal/coverage/uleb128, slicereader and stringtab of the Go source.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

LONGEST = 10  # bytes of a 64 bit number
PAYLOAD = 7  # bits of a byte that carry the number
CONTINUED = 0x80  # in a byte that is not the last of its number
NOT_LAST = bytes(range(CONTINUED, 256))
STRETCH = 1 << 16  # bytes decoded at a time
WORD_SHIFT, WORD_MASK = 3, 7  # of an offset: its word of eight bytes, and its place in there
EACH_BYTE = 0x0101010101010101
WIDTH = 32  # bits of a number
CARRYING = 5  # bytes of which a 32 bit number has need; more can only be zeros


def decode(data: np.ndarray, room: t.Optional[np.ndarray] = None) -> np.ndarray:
    """Decode all numbers of C(data), a stretch at a time: the work then stays in the processor's cache.

    :arg data: bytes (uint8), holding whole numbers only.
    :arg room: where the numbers are put (uint32), as many as there are bytes; new memory if it is not given.
    :returns: the numbers (uint32).
    :raises FormatError: the last number is cut off, or one does not fit 32 bits (Go writes none such).
    """
    size = len(data)
    if not size:
        return np.zeros(0, dtype=np.uint32)
    if data[-1] >= CONTINUED:
        raise FormatError("truncated", "the last number is cut off")
    if room is None:
        room = np.empty(int(np.count_nonzero(data < CONTINUED)), dtype=np.uint32)
    begin = done = 0
    while begin < size:
        end = min(begin + STRETCH, size)
        for _byte in range(LONGEST):
            if data[end - 1] < CONTINUED:
                break
            end += 1
        else:
            raise FormatError("damaged", f"a number of more than {LONGEST} bytes is longer than any number can be")
        done += _decode_stretch(data[begin:end], room[done:])
        begin = end
    return room[:done]


def _decode_stretch(data: np.ndarray, room: np.ndarray) -> int:
    """Decode some whole numbers: begin with each one's last byte, and let the few longer ones take in those before.

    :returns: how many there are.
    """
    # the quickest way to leave bytes out of an array is this one of bytes
    last = data.tobytes().translate(None, NOT_LAST)
    numbers = room[: len(last)]
    numbers[:] = np.frombuffer(last, dtype=np.uint8)
    if len(numbers) < len(data):
        _take_in(data, numbers)
    return len(numbers)


def _take_in(data: np.ndarray, numbers: np.ndarray) -> None:
    continued = (data >= CONTINUED).nonzero()[0]
    payload = data[continued] & np.uint8(0x7F)
    # as many numbers end before a byte as there are bytes before it, less those that end none
    number = continued - np.arange(len(continued))
    early = (number[1:] == number[:-1]).nonzero()[0]  # bytes that are followed by another one of these
    if not len(early):
        numbers[number] = numbers[number] << np.uint32(PAYLOAD) | payload
        return
    late = np.ones(len(number), dtype=bool)
    late[early] = False
    chosen = number[late]
    numbers[chosen] = numbers[chosen] << np.uint32(PAYLOAD) | payload[late]
    for _length in range(2, LONGEST):
        number, payload = number[early], payload[early]
        late = np.ones(len(number), dtype=bool)
        np.not_equal(number[1:], number[:-1], out=late[:-1])
        chosen = number[late]
        values = numbers[chosen]
        if (values >> np.uint32(WIDTH - PAYLOAD)).any():
            raise FormatError("damaged", "a number does not fit 32 bits")
        numbers[chosen] = values << np.uint32(PAYLOAD) | payload[late]
        early = np.logical_not(late, out=late).nonzero()[0]
        if not len(early):
            return
    raise FormatError("damaged", f"a number of more than {LONGEST} bytes is longer than any number can be")


def numbers_before(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return for each offset into C(data) how many numbers end before it (int64)."""
    size = len(data)
    ends = np.zeros(((size >> WORD_SHIFT) + 1) << WORD_SHIFT, dtype=bool)
    np.less(data, CONTINUED, out=ends[:size])
    words = ends.view("<u8")
    before = np.zeros(len(words), dtype=np.int64)
    np.cumsum(_sum_of_bytes(words[:-1]), out=before[1:])
    word = offsets >> WORD_SHIFT
    bits = ((offsets & WORD_MASK) << 3).astype(np.uint64)
    return before[word] + _sum_of_bytes(words[word] & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)


def _sum_of_bytes(words: np.ndarray) -> np.ndarray:
    """Return the sum of the eight bytes of each word (uint64); it has to fit a byte."""
    return (words * np.uint64(EACH_BYTE)) >> np.uint64(7 * 8)


def lengths(numbers: np.ndarray) -> np.ndarray:
    """Return in how many bytes each number (uint32) is encoded (uint8)."""
    taken = np.ones(len(numbers), dtype=np.uint8)
    for position in range(1, CARRYING):
        taken += numbers >= np.uint32(1 << (PAYLOAD * position))
    return taken


def encode(numbers: np.ndarray) -> bytes:
    """Encode an array (uint32), each number in as few bytes as it takes."""
    numbers = numbers.astype(np.uint32, copy=False)
    taken = lengths(numbers)
    if not len(numbers) or int(taken.max()) == 1:
        return numbers.astype(np.uint8).tobytes()
    offsets = np.cumsum(taken, dtype=np.int64) - taken
    encoded = np.zeros(int(offsets[-1]) + int(taken[-1]), dtype=np.uint8)
    encoded[offsets] = numbers & np.uint32(0x7F)
    for position in range(1, CARRYING):
        longer = np.flatnonzero(taken > position)
        if not len(longer):
            break
        where = offsets[longer] + position
        encoded[where] = numbers[longer] >> np.uint32(PAYLOAD * position) & np.uint32(0x7F)
        encoded[where - 1] |= 0x80
    return encoded.tobytes()


def decode_one(data: bytes, offset: int) -> tuple[int, int]:
    """Decode the one number at C(offset); return it and the offset behind it."""
    number = shift = 0
    while True:
        if offset >= len(data):
            raise FormatError("truncated", "it ends within a number")
        if shift >= PAYLOAD * LONGEST:
            raise FormatError("damaged", "a number is longer than any number can be")
        byte = data[offset]
        offset += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, offset
        shift += PAYLOAD


def encode_one(number: int) -> bytes:
    """Encode one number."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= PAYLOAD
    encoded.append(number)
    return bytes(encoded)


def decode_strings(data: bytes, offset: int) -> tuple[list[str], int]:
    """Decode the string table at C(offset); return the strings and the offset behind it.

    Bytes that are not UTF-8 survive (surrogateescape). Source of truth: internal/coverage/stringtab.
    """
    count, behind = skip_strings(data, offset)
    return first_strings(data, offset, count), behind


def first_strings(data: bytes, offset: int, number: int) -> list[str]:
    """Decode the first C(number) strings of a table that R(skip_strings) found to be in order."""
    _count, offset = decode_one(data, offset)
    strings = []
    for _index in range(number):
        length = data[offset]
        if length < CONTINUED:
            offset += 1
        else:
            length, offset = decode_one(data, offset)
        end = offset + length
        strings.append(data[offset:end].decode("utf-8", "surrogateescape"))
        offset = end
    return strings


def all_strings(data: bytes, offset: int, behind: int) -> list[str]:
    """Do the same for all strings of the table that ends at C(behind)."""
    count, begin = decode_one(data, offset)
    table = data[begin:behind]
    if not table.isascii():
        return first_strings(data, offset, count)
    # a piece of a string is had sooner than one of bytes, and each length is one byte here
    text = table.decode("ascii")
    strings = []
    begin = 0
    for _index in range(count):
        end = begin + 1 + table[begin]
        strings.append(text[begin + 1 : end])
        begin = end
    return strings


def chosen_strings(data: bytes, offset: int, chosen: t.Iterable[int]) -> dict[int, str]:
    """Decode some strings of a table that R(skip_strings) found to be in order; return them by their number."""
    wanted = sorted(chosen)
    _count, offset = decode_one(data, offset)
    strings: dict[int, str] = {}
    number = 0
    for index in wanted:
        length, begin = decode_one(data, _behind(data, offset, index - number))
        offset = begin + length
        number = index + 1
        strings[index] = data[begin:offset].decode("utf-8", "surrogateescape")
    return strings


def skip_strings(data: bytes, offset: int) -> tuple[int, int]:
    """Return how many strings the table at C(offset) has and the offset behind it, without making strings of them.

    :raises FormatError: it is malformed; R(decode_strings) of the same table then raises nothing.
    """
    count, offset = decode_one(data, offset)
    if count > len(data) - offset:
        raise FormatError("damaged", f"its string table claims {count} strings")
    try:
        offset = _behind(data, offset, count)
    except IndexError:
        raise FormatError("truncated", "it ends within its string table") from None
    if offset > len(data):
        raise FormatError("truncated", "it ends within its string table")
    return count, offset


def _behind(data: bytes, offset: int, number: int) -> int:
    """Return the offset behind some strings; it can lie outside of the data."""
    for _index in range(number):
        length = data[offset]
        if length < CONTINUED:
            offset += length + 1
        else:
            length, offset = decode_one(data, offset)
            offset += length
    return offset


def encode_strings(strings: t.Sequence[str]) -> bytes:
    """Encode a string table."""
    parts = [encode_one(len(strings))]
    for string in strings:
        raw = string.encode("utf-8", "surrogateescape")
        parts += [encode_one(len(raw)), raw]
    return b"".join(parts)
