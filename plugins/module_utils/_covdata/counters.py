# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The covcounters file: what one process run executed.

Source of truth: internal/coverage/defs.go, decodecounter, encodecounter of the Go source.
"""

from __future__ import annotations

import array
import itertools
import struct
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

MAGIC = b"\x00cwm"
VERSION = 1
HEADER = struct.Struct("<4sI16sBB6x")
SEGMENT = struct.Struct("<QII")
FOOTER = struct.Struct("<4s4xI4x")
RAW, ULEB128 = 1, 2
RECORD_HEAD = 3  # numbers before a function's counters: how many, package, function
WORD = 4
TRIES = 4
LONGEST = 0xFFFFFFFF - RECORD_HEAD  # a record; what claims more is as wrong as that
FEW = 8  # a record is longer than that, in most files


@dataclass
class Segment:
    """One execution: N functions that ran and their counters, one after the other.

    :ivar package, function, lengths: (N) index of the package in the covmeta, of the function in it, its counters.
    :ivar counters: (sum of lengths) uint32.
    :ivar heads: (N) where each record began: lets the next file of the same layout be decoded without a walk.
    """

    arguments: dict[str, str]
    package: np.ndarray
    function: np.ndarray
    lengths: np.ndarray
    counters: np.ndarray
    heads: t.Optional[np.ndarray] = field(default=None, repr=False, compare=False)


@dataclass
class CounterFile:
    """A whole covcounters file."""

    meta_hash: bytes
    segments: list[Segment]
    flavour: int = ULEB128
    big_endian: bool = False


def read_counters(data: bytes, like: t.Optional[np.ndarray] = None) -> CounterFile:
    """Decode a whole covcounters file.

    Go's own tools read the first segment only; this reads them all.

    :arg like: C(heads) of a segment read before; where it fits, decoding is faster. It never changes the outcome.
    :raises FormatError: empty-file, truncated, wrong-magic, future-version or damaged.
    """
    file, segments = open_counters(data, like)
    file.segments.extend(segments)
    return file


def open_counters(data: bytes, like: t.Optional[np.ndarray] = None) -> tuple[CounterFile, t.Iterator[Segment]]:
    """Do the same, but decode each segment when it is asked for: of thousands only one is in memory.

    :returns: the file without its segments, and the segments, of which each may raise as R(read_counters) does.
    :raises FormatError: as there, of the header.
    """
    if not data:
        raise FormatError("empty-file", "the file is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise FormatError("wrong-magic", "the file is not a covcounters: its first bytes are others")
    if len(data) < HEADER.size:
        raise FormatError("truncated", f"the file ends after {len(data)} bytes, within its header")
    _magic, version, meta_hash, flavour, big_endian = HEADER.unpack_from(data)
    if version > VERSION:
        raise FormatError("future-version", f"the file has version {version} of the format; known is {VERSION}")
    if flavour not in (RAW, ULEB128):
        raise FormatError("damaged", f"the counter flavour {flavour} is unknown")
    if len(data) < HEADER.size + SEGMENT.size + FOOTER.size:
        raise FormatError("truncated", f"the file ends after {len(data)} bytes")
    magic, segments = FOOTER.unpack_from(data, len(data) - FOOTER.size)
    if magic != MAGIC:
        raise FormatError("truncated", "the file does not end with its footer: it is cut off or padded")
    if segments == 0 or segments > len(data) // SEGMENT.size:
        raise FormatError("damaged", f"the footer claims {segments} segments")
    file = CounterFile(meta_hash, [], flavour, bool(big_endian))
    return file, _segments(data, file, segments, like)


def _segments(data: bytes, file: CounterFile, segments: int, like: t.Optional[np.ndarray]) -> t.Iterator[Segment]:
    offset, entries_before = HEADER.size, 0
    for number in range(1, segments + 1):
        segment, offset, entries_before = _read_segment(
            data, offset, file, number=number, entries_before=entries_before, segments=segments, like=like
        )
        yield segment
    if offset != len(data):
        raise FormatError("damaged", f"the file has {len(data) - offset} bytes behind its last segment")


def _read_segment(
    data: bytes,
    start: int,
    file: CounterFile,
    *,
    number: int,
    entries_before: int,
    segments: int,
    like: t.Optional[np.ndarray],
) -> tuple[Segment, int, int]:
    if start + SEGMENT.size + FOOTER.size > len(data):
        raise FormatError("truncated", f"the file ends within segment {number} of {segments}")
    entries, strings_length, arguments_length = SEGMENT.unpack_from(data, start)
    strings_at = start + SEGMENT.size
    arguments_at = strings_at + strings_length
    behind = arguments_at + arguments_length
    if behind + FOOTER.size > len(data):
        raise FormatError("damaged", f"the tables of segment {number} lie outside of the file")
    arguments = read_arguments(data[strings_at:arguments_at], data[arguments_at:behind])
    # Go's writer fills up to 4 bytes within the segment, its reader within the file: the same for a first segment.
    # Its writer counts the functions of all segments so far in each header, its reader expects those of one.
    failure: t.Optional[FormatError] = None
    for begin in dict.fromkeys([start + round4(behind - start), round4(behind)]):
        for end in _ends(data, begin, number, segments):
            for count in dict.fromkeys([entries, entries - entries_before]):
                try:
                    segment = _read_records(data[begin:end], count, file, like)
                except FormatError as error:
                    failure = failure or error
                    continue
                segment.arguments = arguments
                return segment, end + FOOTER.size, entries_before + count
    raise failure or FormatError("damaged", f"segment {number} does not end with its footer")


def _ends(data: bytes, begin: int, number: int, segments: int) -> t.Iterator[int]:
    """Yield where the records that begin at C(begin) can end: before the footer, which tells the segment's number.

    That of the last segment ends the file. Of others the place is not written anywhere, so the next few are tried:
    its 16 bytes do not come up in counters by chance.
    """
    if number == segments:
        end = len(data) - FOOTER.size
        if begin <= end:
            yield end
        return
    footer = FOOTER.pack(MAGIC, number)
    end = data.find(footer, begin)
    for _try in range(TRIES):
        if end < 0:
            return
        yield end
        end = data.find(footer, end + 1)


def round4(number: int) -> int:
    """Round up to whole words."""
    return (number + WORD - 1) // WORD * WORD


def read_arguments(table: bytes, pairs: bytes) -> dict[str, str]:
    """Decode the arguments of a segment.

    :raises FormatError: truncated or damaged.
    """
    strings, _end = uleb128.decode_strings(table, 0)
    count, offset = uleb128.decode_one(pairs, 0)
    arguments: dict[str, str] = {}
    for _index in range(min(count, len(pairs) + 1)):
        key, offset = uleb128.decode_one(pairs, offset)
        value, offset = uleb128.decode_one(pairs, offset)
        if key >= len(strings) or value >= len(strings) or strings[key] in arguments:
            raise FormatError("damaged", "the table of arguments is malformed")
        arguments[strings[key]] = strings[value]
    return arguments


def _read_records(payload: bytes, entries: int, file: CounterFile, like: t.Optional[np.ndarray]) -> Segment:
    """Decode C(entries) records, which have to fill the payload."""
    if entries * RECORD_HEAD > len(payload) or entries < 0:
        raise FormatError("damaged", f"the header claims {entries} functions, more than fit")
    if file.flavour == RAW:
        if len(payload) % WORD:
            raise FormatError("damaged", "the counters do not end where a number ends")
        numbers = np.frombuffer(payload, dtype=">u4" if file.big_endian else "<u4").astype(np.uint32)
    else:
        numbers = uleb128.decode(np.frombuffer(payload, dtype=np.uint8))
    return split_records(numbers, entries, like)


def split_records(numbers: np.ndarray, entries: int, like: t.Optional[np.ndarray] = None) -> Segment:
    """Split the numbers of a segment (uint32) into its records, without arguments.

    :raises FormatError: truncated or damaged: they are not so many records.
    """
    if entries * RECORD_HEAD > len(numbers):
        raise FormatError("damaged", f"the header claims {entries} functions, more than fit")
    heads, count = _walk(numbers, entries, like)
    if count != len(numbers):
        raise FormatError("damaged", f"there are {len(numbers) - count} numbers behind the last function")
    keep = np.ones(count, dtype=bool)
    for column in range(RECORD_HEAD):
        keep[heads + column] = False
    return Segment(
        arguments={},
        package=numbers[heads + 1].astype(np.int64),
        function=numbers[heads + 2].astype(np.int64),
        lengths=numbers[heads].astype(np.int64),
        counters=numbers[keep],
        heads=heads,
    )


def _walk(numbers: np.ndarray, entries: int, like: t.Optional[np.ndarray]) -> tuple[np.ndarray, int]:
    """Return where the records begin, and how many numbers they take together.

    Each record tells only its own length, so this goes from function to function (never over counters);
    where a layout seen before proves to fit, no walk is needed.
    """
    if like is not None and entries == len(like) and entries and int(like[-1]) < len(numbers):
        behind = like + RECORD_HEAD + numbers[like]
        if int(like[0]) == 0 and np.array_equal(behind[:-1], like[1:]) and int(behind[-1]) <= len(numbers):
            return like, int(behind[-1])
    size = len(numbers)
    steps = memoryview((np.minimum(numbers, np.uint32(LONGEST)) + np.uint32(RECORD_HEAD)).data)
    # a list is quicker, and too large where most records are nothing but a head
    heads: t.Union[list[int], array.array[int]] = [] if entries < size // FEW else array.array("q")
    note = heads.append
    position = 0
    try:
        for _record in itertools.repeat(None, entries):
            note(position)
            position += steps[position]
    except IndexError:
        raise FormatError("truncated", f"it ends after {len(heads) - 1} of {entries} functions") from None
    if position > size:
        raise FormatError("truncated", f"it ends within the last of {entries} functions")
    return np.array(heads, dtype=np.int64), position


def write_counters(file: CounterFile) -> bytes:
    """Encode a covcounters file as Go's runtime does: Go's tools read it (of several segments, the first)."""
    parts = [HEADER.pack(MAGIC, VERSION, file.meta_hash, file.flavour, int(file.big_endian))]
    for number, segment in enumerate(file.segments, start=1):
        strings: dict[str, int] = {"": 0}
        pairs = [uleb128.encode_one(len(segment.arguments))]
        for key in sorted(segment.arguments):
            for text in (key, segment.arguments[key]):
                pairs.append(uleb128.encode_one(strings.setdefault(text, len(strings))))
        table = uleb128.encode_strings(list(strings))
        arguments = b"".join(pairs)
        preamble = SEGMENT.size + len(table) + len(arguments)
        arguments += bytes(round4(preamble) - preamble)
        parts += [SEGMENT.pack(len(segment.lengths), len(table), len(arguments)), table, arguments]
        numbers = _interleave(segment)
        if file.flavour == RAW:
            parts.append(numbers.astype(">u4" if file.big_endian else "<u4").tobytes())
        else:
            parts.append(uleb128.encode(numbers))
        parts.append(FOOTER.pack(MAGIC, number))
    return b"".join(parts)


def _interleave(segment: Segment) -> np.ndarray:
    """Return the numbers of a segment in the file's order: head, counters, head, counters ..."""
    starts = np.cumsum(segment.lengths + RECORD_HEAD) - (segment.lengths + RECORD_HEAD)
    numbers = np.zeros(int(segment.lengths.sum()) + RECORD_HEAD * len(starts), dtype=np.uint32)
    keep = np.ones(len(numbers), dtype=bool)
    for column, values in enumerate((segment.lengths, segment.package, segment.function)):
        numbers[starts + column] = values
        keep[starts + column] = False
    numbers[keep] = segment.counters
    return numbers
