# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Add up the counters of many process runs of one program: files of thousands, memory of a few.

What makes it quick: the files of the usual kind are taken together, as many as the processor's cache holds, and their
records split, checked and added as arrays, whatever functions ran in each. All else, and all of a batch in which
anything is wrong, takes the way of R(counters.open_counters), which is the authority: both give the same, or that one's
error. Many files are shared out among the processor's cores.
"""

from __future__ import annotations

import itertools
import os
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.cells import Cells, add_at
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.workers import cores, share

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

LARGEST = 0xFFFFFFFF
NOTED = 256  # tables of arguments that are remembered: a runtime writes the same one in any order
KIND_AT = 24  # of a header: how counters are encoded, and in which order of bytes
BUFFER = 1 << 16  # bytes; grows with the largest file
LARGEST_FILE = 1 << 30  # bytes: a hundred times what the largest programs write
KEPT_BUFFER = 1 << 22  # bytes; a larger one is not kept for the next file
BATCH = 1 << 16  # bytes of counters that are added together; of a larger file alone
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


def places(meta: Meta, segment: covcounters.Segment) -> np.ndarray:
    """Return for each counter the index of its unit.

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
    return np.repeat(begin - starts, segment.lengths) + np.arange(int(segment.lengths.sum()))


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


class _File(t.NamedTuple):
    """A file of the usual kind: of one segment, with the header and the footer that belong to this program.

    :ivar source: its path, or its content where it has none.
    :ivar kind: how its counters are encoded. C(tables): its arguments, and C(strings) how many bytes of that are text.
    """

    number: int
    source: t.Union[str, bytes]
    entries: int
    kind: bytes
    tables: bytes
    strings: int


class Accumulator:
    """The sum of the counters of process runs of one program.

    :ivar total: (U) uint64, once R(finish) was called. C(never): (U) bool, where asked for: it did not run in a process
        run that ran its function.
    :ivar arguments: what the executions have in common.
    :ivar bad: kind and sentence of each file that could not be added, by its number.
    :ivar plugins: numbers of files that also have counters of packages that the covmeta lacks.
    """

    def __init__(self, meta: Meta, *, each_process_run: bool = False) -> None:
        self.meta = meta
        self.total = np.zeros(meta.units.shape[1], dtype=np.uint64)
        self.never = np.zeros(len(self.total), dtype=bool) if each_process_run else None
        self.arguments: t.Optional[dict[str, str]] = None
        self.bad: dict[int, tuple[str, str]] = {}
        self.plugins: list[int] = []
        header = covcounters.HEADER.pack(covcounters.MAGIC, covcounters.VERSION, meta.hash, covcounters.ULEB128, 0)
        self._header = header[:KIND_AT]
        self._footer = covcounters.FOOTER.pack(covcounters.MAGIC, 1)
        self._cells = Cells(meta, each_process_run=each_process_run)
        self._finder = covcounters.RecordFinder()
        self._noted: set[tuple[int, bytes]] = set()  # tables of arguments that were taken into account
        self._buffer = bytearray(BUFFER)
        self._numbers = np.empty(0, dtype=np.uint32)
        # the files that wait, their counters one behind the other, and where those of each end
        self._files: list[_File] = []
        self._waiting = bytearray()
        self._ends: list[int] = []

    def add_file(self, path: str, number: int) -> None:
        """Add the counters of one file, or nothing of it: what is wrong with it is in C(bad) after R(finish)."""
        try:
            self._buffer, size = read_into(path, self._buffer)
        except FormatError as error:
            self.bad[number] = (error.kind, error.message)
            return
        self._add(memoryview(self._buffer)[:size], path, number)
        if len(self._buffer) > KEPT_BUFFER:
            self._buffer = bytearray(BUFFER)

    def add(self, data: bytes, number: int = 0) -> None:
        """Add the counters of a file's content, or nothing of it."""
        self._add(memoryview(data), data, number)

    def finish(self) -> None:
        """Bring all sums together in C(total)."""
        self._flush()
        self.total += self._cells.take()
        zero = self._cells.zeros()
        if self.never is not None and zero is not None:
            self.never |= zero

    def _add(self, data: memoryview, source: t.Union[str, bytes], number: int) -> None:
        end = len(data) - covcounters.FOOTER.size
        preamble = covcounters.HEADER.size + covcounters.SEGMENT.size
        if end <= preamble or data[:KIND_AT] != self._header or data[end:] != self._footer:
            self._add_any(bytes(data), number)
            return
        entries, strings, pairs = covcounters.SEGMENT.unpack_from(data, covcounters.HEADER.size)
        begin = covcounters.HEADER.size + covcounters.round4(covcounters.SEGMENT.size + strings + pairs)
        if begin >= end or not 0 < entries <= end - begin:
            self._add_any(bytes(data), number)
            return
        tables = bytes(data[preamble : preamble + strings + pairs])
        file = _File(number, source, entries, bytes(data[KIND_AT : KIND_AT + 2]), tables, strings)
        size = end - begin
        used = self._ends[-1] if self._ends else 0
        if used + size > BATCH or (self._files and self._files[0].kind != file.kind):
            self._flush()
            used = 0
        if size > BATCH:
            if not self._add_batch([file], data[begin:end], [size]):
                self._add_any(bytes(data), number)
            return
        if used + size > len(self._waiting):
            room = min(BATCH, max(used + size, 2 * len(self._waiting)))
            self._waiting = self._waiting[:used] + bytes(room - used)
        self._waiting[used : used + size] = data[begin:end]
        self._files.append(file)
        self._ends.append(used + size)

    def _flush(self) -> None:
        """Add the files that wait; where they cannot be added together, each alone."""
        files, ends = self._files, self._ends
        self._files, self._ends = [], []
        if not files or self._add_batch(files, memoryview(self._waiting)[: ends[-1]], ends):
            return
        waiting = memoryview(bytes(self._waiting))
        for file, (begin, end) in zip(files, itertools.pairwise([0, *ends]), strict=True):
            if len(files) == 1 or not self._add_batch([file], waiting[begin:end], [end - begin]):
                self._add_again(file)

    def _add_batch(self, files: t.Sequence[_File], waiting: memoryview, ends: t.Sequence[int]) -> bool:
        """Add files of one kind, or nothing of them if there is anything wrong with one, and tell which."""
        try:
            arguments = [
                covcounters.read_arguments(file.tables[: file.strings], file.tables[file.strings :])
                for file in files
                if (file.strings, file.tables) not in self._noted
            ]
            numbers, bounds = self._decode(files[0].kind, np.frombuffer(waiting, dtype=np.uint8), np.asarray(ends))
            entries = np.cumsum([file.entries for file in files])
            starts = self._finder.starts(numbers, int(entries[-1]))
        except FormatError:
            return False  # the other way tells what is wrong
        if not np.array_equal(starts[entries], bounds) or not self._cells.add(numbers, starts):
            return False
        for entry in arguments:
            self._note(entry)
        if len(self._noted) < NOTED:
            self._noted.update((file.strings, file.tables) for file in files)
        return True

    def _decode(self, kind: bytes, data: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of files of one kind, one file behind the other, and where those of each end.

        :raises FormatError: a file ends within a number, or one does not fit 32 bits.
        """
        flavour, big_endian = kind
        if flavour == covcounters.ULEB128:
            if bool((data[ends - 1] >= uleb128.CONTINUED).any()):
                raise FormatError("truncated", "the last number is cut off")
            if len(data) > len(self._numbers):
                self._numbers = np.empty(max(len(data), min(2 * len(self._numbers), BATCH)), dtype=np.uint32)
            numbers = uleb128.decode(data, self._numbers)
            return numbers, uleb128.numbers_before(data, ends) if len(ends) > 1 else np.asarray([len(numbers)])
        if flavour != covcounters.RAW or bool((ends % covcounters.WORD).any()):
            raise FormatError("damaged", "the counters do not end where a number ends")
        numbers = data.view(">u4" if big_endian else "<u4").astype(np.uint32, copy=False)
        return numbers, ends // covcounters.WORD

    def _add_again(self, file: _File) -> None:
        """Add a file that cannot be added with others; it is read once more."""
        data = file.source
        if isinstance(data, str):
            try:
                buffer, size = read_into(data, bytearray())
            except FormatError as error:
                self.bad[file.number] = (error.kind, error.message)
                return
            data = bytes(memoryview(buffer)[:size])
        self._add_any(data, file.number)

    def _add_any(self, data: bytes, number: int) -> None:
        """Add any file, or nothing of it."""
        try:
            others = self._add_checked(data)
        except FormatError as error:
            self.bad[number] = (error.kind, error.message)
            return
        if others:
            self.plugins.append(number)

    def _add_checked(self, data: bytes) -> bool:
        # all of it is checked before any of it is added, and nothing kept: there can be thousands of segments
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
        for segment in covcounters.open_counters(data)[1]:
            part, _more = known_part(self.meta, segment)
            where = places(self.meta, part)
            add_at(self.total, where, part.counters)
            if self.never is not None:
                self.never[where[part.counters == 0]] = True
            self._note(part.arguments)
        return others

    def _note(self, arguments: dict[str, str]) -> None:
        if self.arguments is None:
            self.arguments = arguments
        elif arguments != self.arguments:
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
    for chunk in chunks:
        start = chunk * CHUNK
        progress(start)
        for number in range(start, min(start + CHUNK, len(paths))):
            accumulator.add_file(paths[number], number)
    accumulator.finish()
    return Sum(accumulator.total, accumulator.never, accumulator.arguments, accumulator.bad, accumulator.plugins)


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
