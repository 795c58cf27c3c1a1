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
from dataclasses import dataclass

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
STRETCH = 1 << 16  # numbers that are looked through at a time: the work then stays in the processor's cache


@dataclass
class Segment:
    """One execution: N functions that ran and their counters, one after the other.

    :ivar package, function, lengths: (N) index of the package in the covmeta, of the function in it, its counters.
    :ivar counters: (sum of lengths) uint32.
    """

    arguments: dict[str, str]
    package: np.ndarray
    function: np.ndarray
    lengths: np.ndarray
    counters: np.ndarray


@dataclass
class CounterFile:
    """A whole covcounters file."""

    meta_hash: bytes
    segments: list[Segment]
    flavour: int = ULEB128
    big_endian: bool = False


def read_counters(data: bytes) -> CounterFile:
    """Decode a whole covcounters file.

    Go's own tools read the first segment only; this reads them all.

    :raises FormatError: empty-file, truncated, wrong-magic, future-version or damaged.
    """
    file, segments = open_counters(data)
    file.segments.extend(segments)
    return file


def open_counters(data: bytes) -> tuple[CounterFile, t.Iterator[Segment]]:
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
    return file, _segments(data, file, segments)


def _segments(data: bytes, file: CounterFile, segments: int) -> t.Iterator[Segment]:
    offset, entries_before = HEADER.size, 0
    for number in range(1, segments + 1):
        segment, offset, entries_before = _read_segment(
            data, offset, file, number=number, entries_before=entries_before, segments=segments
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
                    segment = _read_records(data[begin:end], count, file)
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


def _read_records(payload: bytes, entries: int, file: CounterFile) -> Segment:
    """Decode C(entries) records, which have to fill the payload."""
    if entries * RECORD_HEAD > len(payload) or entries < 0:
        raise FormatError("damaged", f"the header claims {entries} functions, more than fit")
    if file.flavour == RAW:
        if len(payload) % WORD:
            raise FormatError("damaged", "the counters do not end where a number ends")
        numbers = np.frombuffer(payload, dtype=">u4" if file.big_endian else "<u4").astype(np.uint32)
    else:
        numbers = uleb128.decode(np.frombuffer(payload, dtype=np.uint8))
    return split_records(numbers, entries)


def split_records(numbers: np.ndarray, entries: int) -> Segment:
    """Split the numbers of a segment (uint32) into its records, without arguments.

    :raises FormatError: truncated or damaged: they are not so many records.
    """
    starts = RecordFinder(len(numbers)).starts(numbers, entries)
    if int(starts[-1]) != len(numbers):
        raise FormatError("damaged", f"there are {len(numbers) - int(starts[-1])} numbers behind the last function")
    heads = starts[:-1]
    keep = np.ones(len(numbers), dtype=bool)
    for column in range(RECORD_HEAD):
        keep[heads + column] = False
    return Segment(
        arguments={},
        package=numbers[heads + 1].astype(np.int64),
        function=numbers[heads + 2].astype(np.int64),
        lengths=numbers[heads].astype(np.int64),
        counters=numbers[keep],
    )


class RecordFinder:
    """Finds where records begin. It keeps its arrays from one time to the next: new memory costs more than the work."""

    def __init__(self, most: int = STRETCH) -> None:
        """More than C(most) numbers are looked through a stretch at a time."""
        self.stretch = max(1, min(most, STRETCH))
        self._make_room(0)

    def _make_room(self, size: int) -> None:
        """Make room for so many numbers: a small file costs little, and many files of a size only once."""
        self._steps = np.arange(RECORD_HEAD, size + RECORD_HEAD)
        self._behind = np.empty(size + 1, dtype=np.int64)
        self._chain = np.zeros(size // RECORD_HEAD + 2, dtype=np.int64)

    def starts(self, numbers: np.ndarray, entries: int) -> np.ndarray:
        """Return where each record begins among the numbers (uint32), and where the last one ends (entries + 1, int64).

        Each record tells only its own length, so one has to go from record to record.

        :raises FormatError: truncated or damaged: there are not so many records.
        """
        size = len(numbers)
        if entries * RECORD_HEAD > size:
            raise FormatError("damaged", f"the header claims {entries} functions, more than fit")
        starts = np.zeros(entries + 1, dtype=np.int64)
        done = 0
        while done < entries:
            begin = int(starts[done])
            if begin >= size:
                raise FormatError("truncated", f"it ends after {done} of {entries} functions")
            stretch = numbers[begin : begin + self.stretch]
            ends = self._ends(stretch, min(entries - done, len(stretch) // RECORD_HEAD + 1))
            np.add(ends, begin, out=starts[done + 1 : done + 1 + len(ends)])
            done += len(ends)
        if int(starts[-1]) > size:
            raise FormatError("truncated", f"it ends within the last of {entries} functions")
        return starts

    def _ends(self, numbers: np.ndarray, most: int) -> np.ndarray:
        """Return the ends of the records that begin among these numbers, up to so many; the first begins at 0.

        C(np.take) looks up one index after the other, so one that it has just written can be the next that it looks
        up: it goes from record to record by itself. Nothing promises that, so the outcome is checked, and where a
        release of numpy does it otherwise Python goes instead.
        """
        size = len(numbers)
        if size > len(self._steps):
            self._make_room(min(max(size, 2 * len(self._steps)), self.stretch))
        behind, chain = self._behind[: size + 1], self._chain[: most + 1]
        np.add(self._steps[:size], numbers, out=behind[:size])
        behind[size] = size
        np.take(behind, chain[:-1], out=chain[1:], mode="clip")
        inside = int(np.count_nonzero(chain[:-1] < size))
        begins, ends = chain[:inside], chain[1 : inside + 1]
        if inside and int(begins.max()) < size and np.array_equal(behind[begins], ends):
            return ends
        return _walk(behind, most)


def _walk(behind: np.ndarray, most: int) -> np.ndarray:
    """Do the same, one record at a time."""
    size = len(behind) - 1
    steps = memoryview(behind.data)
    ends = array.array("q")
    position = 0
    for _record in itertools.repeat(None, most):
        if position >= size:
            break
        position = steps[position]
        ends.append(position)
    return np.frombuffer(ends, dtype=np.int64)


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
