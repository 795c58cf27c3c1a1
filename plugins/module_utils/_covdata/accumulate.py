# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Add up the counters of many process runs of one program: files of thousands, memory of a few.

What makes it quick: process runs of one program differ in their numbers and hardly in which functions ran. A layout
(which functions, in which order) is read once; whatever has the same one is decoded and added as one array, with
the numbers between the counters checked against the layout's. All else takes the way of R(counters.open_counters),
which is the authority: both give the same, or that one's error. Many files are shared out among the processor's cores.
"""

from __future__ import annotations

import os
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.workers import cores, share

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

LARGEST = 0xFFFFFFFF
LAYOUTS = 10  # that are remembered at once
SEEN = 4096  # sizes that are remembered
NOTED = 256  # tables of arguments that are remembered: a runtime writes the same one in any order
HEADS = covcounters.RECORD_HEAD
PADDING = 6  # bytes at the end of a header that mean nothing
BUFFER = 1 << 16  # bytes; grows with the largest file
LARGEST_FILE = 1 << 30  # bytes: a hundred times what the largest programs write
KEPT_BUFFER = 1 << 22  # bytes; a larger one is not kept for the next file
CHUNK = 32  # files that a process takes at a time
WORTHWHILE = 1 << 23  # bytes of files from which on a second process pays


def common_arguments(executions: t.Sequence[dict[str, str]]) -> dict[str, str]:
    """Return what executions have in common: the whole command line or nothing of it; system; architecture.

    Source of truth: cmd/covdata/argsmerge.go.
    """
    if not executions:
        return {}
    first, *others = executions
    if not others:
        return dict(first)
    common: dict[str, str] = {}
    for key in ("GOOS", "GOARCH"):
        if key in first and all(other.get(key) == first[key] for other in others):
            common[key] = first[key]
    command = _command_line(first)
    if all(_command_line(other) == command for other in others):
        common.update(command)
    return common


def _command_line(arguments: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in arguments.items() if key.startswith("arg")}


def places(meta: Meta, segment: covcounters.Segment) -> tuple[np.ndarray, bool]:
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
    repeated = len(number) > 1 and int(np.bincount(number - number.min()).max()) > 1
    return where, repeated


def known_part(meta: Meta, segment: covcounters.Segment) -> tuple[covcounters.Segment, bool]:
    """Return the records of packages that the covmeta has, and whether there were others.

    A host that loads plugins built with C(-cover) writes the counters of their packages, too, which no covmeta
    describes. Go's own tools pass over them. What has no other records is of another program.
    """
    known = segment.package < len(meta.packages)
    if known.all() or not known.any():
        return segment, False
    return (
        covcounters.Segment(
            segment.arguments,
            segment.package[known],
            segment.function[known],
            segment.lengths[known],
            segment.counters[np.repeat(known, segment.lengths)],
        ),
        True,
    )


def add_at(total: np.ndarray, where: np.ndarray, values: np.ndarray, *, repeated: bool) -> None:
    """Add values at places, of which some come up more than once if C(repeated)."""
    if repeated:
        np.add.at(total, where, values.astype(np.uint64))
    else:
        total[where] += values


def read_into(path: str, buffer: bytearray) -> tuple[bytearray, int]:
    """Read a file into C(buffer), or into a larger one; return it and the file's size.

    :raises FormatError: unreadable; damaged: it is larger than memory is worth.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FormatError("unreadable", "it is not a file")
            if status.st_size > LARGEST_FILE:
                raise FormatError("damaged", f"the file has {status.st_size} bytes, and none of these is so large")
            if status.st_size >= len(buffer):
                buffer = bytearray(status.st_size + 1)
            view = memoryview(buffer)
            size = os.readv(descriptor, [view])
            while size < status.st_size:
                more = os.readv(descriptor, [view[size:]])
                if not more:
                    break
                size += more
            return buffer, size
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FormatError("unreadable", f"the file cannot be read: {error.strerror}") from error


class _Layout:
    """Which functions lie where among the numbers of a file, and the sum of all files in which they do."""

    def __init__(self, segment: covcounters.Segment, size: int, meta: Meta, *, each_process_run: bool) -> None:
        heads = np.cumsum(segment.lengths + HEADS) - (segment.lengths + HEADS)
        self.size = size
        self.entries = len(heads)
        self.meta = meta
        places(meta, segment)  # checks that it fits; the result is kept only at the end, to save memory
        self.at = (heads[:, None] + np.arange(HEADS)).reshape(-1)
        self.heads = np.stack([segment.lengths, segment.package, segment.function], axis=1).reshape(-1)
        self.heads = self.heads.astype(np.uint32)
        self.sum = np.zeros(size, dtype=np.uint32)
        self.before: t.Optional[np.ndarray] = None  # uint64: what was in C(sum) when it had no room for more
        self.bound = 0  # no number in C(sum) is larger
        self.worth = 1  # how often it was of use, halved whenever another one wants its place
        self.zero = np.zeros(size, dtype=bool) if each_process_run else None

    def fits(self, numbers: np.ndarray) -> bool:
        return bool((numbers[self.at] == self.heads).all())

    def add(self, numbers: np.ndarray) -> None:
        largest = int(numbers.max())
        if self.bound + largest > LARGEST:
            self._make_room()
        self.bound += largest
        np.add(self.sum, numbers, out=self.sum)
        if self.zero is not None:
            np.logical_or(self.zero, numbers == 0, out=self.zero)

    def _make_room(self) -> None:
        if self.before is None:
            self.before = self.sum.astype(np.uint64)
        else:
            self.before += self.sum
        self.sum[:] = 0
        self.bound = 0

    def flush(self, total: np.ndarray, never: t.Optional[np.ndarray]) -> None:
        """Put the sum where it belongs."""
        counters = np.ones(self.size, dtype=bool)
        counters[self.at] = False
        values = self.sum[counters].astype(np.uint64)
        if self.before is not None:
            values += self.before[counters]
        lengths, package, function = self.heads.astype(np.int64).reshape(-1, HEADS).T
        segment = covcounters.Segment({}, package, function, lengths, values)
        where, repeated = places(self.meta, segment)
        add_at(total, where, values, repeated=repeated)
        if never is not None and self.zero is not None:
            never[where[self.zero[counters]]] = True


class Accumulator:
    """The sum of the counters of process runs of one program.

    :ivar total: (U) uint64, once R(finish) was called. C(never): (U) bool, where asked for: it did not run in a process
        run that ran its function.
    :ivar arguments: what the executions have in common.
    """

    def __init__(self, meta: Meta, *, each_process_run: bool = False) -> None:
        self.meta = meta
        self.total = np.zeros(meta.units.shape[1], dtype=np.uint64)
        self.never = np.zeros(len(self.total), dtype=bool) if each_process_run else None
        self.arguments: t.Optional[dict[str, str]] = None
        self.plugins = False  # whether the last file had counters of packages that the covmeta lacks
        header = covcounters.HEADER.pack(covcounters.MAGIC, covcounters.VERSION, meta.hash, covcounters.ULEB128, 0)
        self._header = header[:-PADDING]
        self._footer = covcounters.FOOTER.pack(covcounters.MAGIC, 1)
        self._layouts: list[_Layout] = []  # the one used last comes first
        self._seen: set[tuple[int, int]] = set()  # how many numbers and functions files had whose layout was new
        self._noted: set[tuple[int, bytes]] = set()  # tables of arguments that were taken into account
        self._buffer = bytearray(BUFFER)

    def add_file(self, path: str) -> None:
        """Add the counters of one file, or nothing of it.

        :raises FormatError: what R(read_counters) raises; unreadable, renamed, foreign.
        """
        self._buffer, size = read_into(path, self._buffer)
        self.add(memoryview(self._buffer)[:size])
        if len(self._buffer) > KEPT_BUFFER:
            self._buffer = bytearray(BUFFER)

    def add(self, data: memoryview) -> None:
        """Add the counters of a file's content, or nothing of it."""
        self.plugins = False
        if not self._add_known(data):
            self._add_any(bytes(data))

    def finish(self) -> None:
        """Bring all sums together in C(total)."""
        for layout in self._layouts:
            layout.flush(self.total, self.never)
        self._layouts = []

    def _add_known(self, data: memoryview) -> bool:
        """Add a file of the usual kind, and tell whether it was one: ULEB128, one segment, nothing wrong with it."""
        end = len(data) - covcounters.FOOTER.size
        preamble = covcounters.HEADER.size + covcounters.SEGMENT.size
        if end <= preamble or data[: len(self._header)] != self._header or data[end:] != self._footer:
            return False
        entries, strings, pairs = covcounters.SEGMENT.unpack_from(data, covcounters.HEADER.size)
        begin = covcounters.HEADER.size + covcounters.round4(covcounters.SEGMENT.size + strings + pairs)
        if begin >= end or not entries:
            return False
        tables = bytes(data[preamble : preamble + strings + pairs])
        arguments: t.Optional[dict[str, str]] = None
        try:
            if (strings, tables) not in self._noted:
                arguments = covcounters.read_arguments(tables[:strings], tables[strings:])
            numbers = uleb128.decode(np.frombuffer(data, dtype=np.uint8, count=end - begin, offset=begin))
            if not self._add_numbers(numbers, entries):
                # to remember a layout pays when it comes again
                segment = covcounters.split_records(numbers, entries)
                if (len(numbers), entries) in self._seen and self._has_room():
                    self._remember(segment, len(numbers)).add(numbers)
                else:
                    self._add_segment(segment, *places(self.meta, segment))
                    if len(self._seen) < SEEN:
                        self._seen.add((len(numbers), entries))
        except FormatError:
            return False  # the other way tells what is wrong
        if arguments is not None:
            self._note(arguments)
            if len(self._noted) < NOTED:
                self._noted.add((strings, tables))
        return True

    def _add_numbers(self, numbers: np.ndarray, entries: int) -> bool:
        """Add the numbers of a file whose layout is known, and tell whether it is."""
        layouts = self._layouts
        for index, layout in enumerate(layouts):
            if layout.size == len(numbers) and layout.entries == entries and layout.fits(numbers):
                if index:
                    layouts.insert(0, layouts.pop(index))
                layout.add(numbers)
                layout.worth += 1
                return True
        return False

    def _has_room(self) -> bool:
        """Make room for one more layout, unless the one that was not used for longest has been of use often."""
        if len(self._layouts) >= LAYOUTS:
            last = self._layouts[-1]
            last.worth //= 2
            if last.worth:
                return False
            self._layouts.pop().flush(self.total, self.never)
        return True

    def _remember(self, segment: covcounters.Segment, size: int) -> _Layout:
        """Return a new layout.

        :raises FormatError: foreign: these are not functions of the covmeta.
        """
        layout = _Layout(segment, size, self.meta, each_process_run=self.never is not None)
        self._layouts.insert(0, layout)
        return layout

    def _add_segment(self, segment: covcounters.Segment, where: np.ndarray, repeated: bool) -> None:
        add_at(self.total, where, segment.counters, repeated=repeated)
        if self.never is not None:
            self.never[where[segment.counters == 0]] = True

    def _add_any(self, data: bytes) -> None:
        # all of it is checked before any of it is added, and nothing is saved: there can be thousands of segments
        file, segments = covcounters.open_counters(data)
        foreign: t.Optional[FormatError] = None
        others = False
        for segment in segments:
            part, more = known_part(self.meta, segment)
            others = others or more
            try:
                places(self.meta, part)
            except FormatError as error:
                foreign = foreign or error
        if file.meta_hash != self.meta.hash:
            raise FormatError("renamed", f"inside, it belongs to covmeta.{file.meta_hash.hex()}")
        if foreign:
            raise foreign
        self.plugins = others
        for segment in covcounters.open_counters(data)[1]:
            part, _more = known_part(self.meta, segment)
            self._add_segment(part, *places(self.meta, part))
            self._note(part.arguments)

    def _note(self, arguments: dict[str, str]) -> None:
        if self.arguments is None:
            self.arguments = arguments
        else:
            self.arguments = common_arguments([self.arguments, arguments])


@dataclass
class Sum:
    """What the files came to.

    :ivar total, never, arguments: as in R(Accumulator).
    :ivar bad: kind and sentence of each file that could not be added, by its number.
    :ivar plugins: numbers of files that also have counters of packages that the covmeta lacks.
    """

    total: np.ndarray
    never: t.Optional[np.ndarray]
    arguments: t.Optional[dict[str, str]] = None
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    plugins: list[int] = field(default_factory=list)


def add_files(
    meta: Meta,
    paths: t.Sequence[str],
    *,
    each_process_run: bool = False,
    progress: t.Callable[[int], None] = lambda number: None,
    processes: int = 0,
) -> Sum:
    """Add up the counters of all files; those that are bad add nothing, and are said.

    :arg paths: any sequence; each is asked for once.
    :arg progress: called with the number of the file that is added next, now and then.
    :arg processes: how many share the work; 0 lets their size decide.
    """

    def work(numbers: t.Iterable[int]) -> Sum:
        return _add_chunks(meta, paths, numbers, each_process_run=each_process_run, progress=progress)

    first, *others = share(-(-len(paths) // CHUNK), work, processes or _worthwhile(paths))
    for other in others:
        _join(first, other)
    return first


def _worthwhile(paths: t.Sequence[str]) -> int:
    """Return how many processes pay: a fork and its answer cost what some megabytes of counters cost."""
    if len(paths) < 2 * CHUNK:
        return 1
    try:
        size = os.stat(paths[len(paths) // 2]).st_size
    except OSError:
        return 1
    return cores() if size * len(paths) >= WORTHWHILE else 1


def _add_chunks(
    meta: Meta,
    paths: t.Sequence[str],
    chunks: t.Iterable[int],
    *,
    each_process_run: bool,
    progress: t.Callable[[int], None],
) -> Sum:
    """Add up the chunks of these numbers."""
    accumulator = Accumulator(meta, each_process_run=each_process_run)
    bad: dict[int, tuple[str, str]] = {}
    plugins: list[int] = []
    for chunk in chunks:
        start = chunk * CHUNK
        progress(start)
        for number in range(start, min(start + CHUNK, len(paths))):
            try:
                accumulator.add_file(paths[number])
                if accumulator.plugins:
                    plugins.append(number)
            except FormatError as error:
                bad[number] = (error.kind, error.message)
    accumulator.finish()
    return Sum(accumulator.total, accumulator.never, accumulator.arguments, bad, plugins)


def _join(result: Sum, other: Sum) -> None:
    result.total += other.total
    if result.never is not None and other.never is not None:
        result.never |= other.never
    if result.arguments is None:
        result.arguments = other.arguments
    elif other.arguments is not None:
        result.arguments = common_arguments([result.arguments, other.arguments])
    result.bad.update(other.bad)
    result.plugins += other.plugins
