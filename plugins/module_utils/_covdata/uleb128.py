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
CARRYING = 5  # bytes of which a 32 bit number has need; more can only be zeros


def decode(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode all numbers of C(data).

    :arg data: bytes (uint8), holding whole numbers only.
    :returns: the numbers (uint32) and, of the same shape, the offset of each number's last byte.
    :raises FormatError: the last number is cut off, or one does not fit 32 bits (Go writes none such).
    """
    ends = np.flatnonzero(data < 0x80)
    if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        raise FormatError("truncated", "the last number is cut off")
    if len(ends) == len(data):
        return data.astype(np.uint32), ends
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > LONGEST:
        raise FormatError("damaged", f"a number of {longest} bytes is longer than any number can be")
    numbers = (data[starts] & 0x7F).astype(np.uint32)
    longer = np.flatnonzero(lengths > 1)
    for position in range(1, longest):
        longer = longer[lengths[longer] > position]
        payload = (data[starts[longer] + position] & 0x7F).astype(np.uint32)
        # the fifth byte carries the last 4 of 32 bits, what comes after it can only be zeros
        if position >= CARRYING - 1 and (payload > (0x0F if position == CARRYING - 1 else 0)).any():
            raise FormatError("damaged", "a number does not fit 32 bits")
        if position < CARRYING:
            numbers[longer] |= payload << np.uint32(PAYLOAD * position)
    return numbers, ends


def encode(numbers: np.ndarray) -> bytes:
    """Encode an array (uint32), each number in as few bytes as it takes."""
    numbers = numbers.astype(np.uint64)
    lengths = np.ones(len(numbers), dtype=np.int64)
    for position in range(1, CARRYING):
        lengths += numbers >= np.uint64(1 << (PAYLOAD * position))
    offsets = np.cumsum(lengths) - lengths
    encoded = np.zeros(int(lengths.sum()), dtype=np.uint8)
    for position in range(CARRYING):
        longer = np.flatnonzero(lengths > position)
        if not len(longer):
            break
        payload = ((numbers[longer] >> np.uint64(PAYLOAD * position)) & np.uint64(0x7F)).astype(np.uint8)
        more = (lengths[longer] > position + 1).astype(np.uint8) << 7
        encoded[offsets[longer] + position] = payload | more
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
    count, offset = decode_one(data, offset)
    if count > len(data) - offset:
        raise FormatError("damaged", f"its string table claims {count} strings")
    strings = []
    for _index in range(count):
        length, offset = decode_one(data, offset)
        if length > len(data) - offset:
            raise FormatError("truncated", "it ends within its string table")
        strings.append(data[offset : offset + length].decode("utf-8", "surrogateescape"))
        offset += length
    return strings, offset


def encode_strings(strings: t.Sequence[str]) -> bytes:
    """Encode a string table."""
    parts = [encode_one(len(strings))]
    for string in strings:
        raw = string.encode("utf-8", "surrogateescape")
        parts += [encode_one(len(raw)), raw]
    return b"".join(parts)
