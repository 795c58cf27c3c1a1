# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The covmeta file: what was instrumented. Source of truth: internal/coverage/defs.go, decodemeta, encodemeta."""

from __future__ import annotations

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

MAGIC = b"\x00cvm"
VERSION = 1
HEADER = struct.Struct("<4sIQQ16sIIBB6x")
PACKAGE_HEADER = struct.Struct("<IIII16s4xII")
MODES = {1: "set", 2: "count", 3: "atomic"}
GRANULARITIES = {1: "perblock", 2: "perfunc"}
FUNCTION_HEAD = 3  # numbers before a function's units: how many, name, file
FILES = ("files", "function_file")
NAMES = ("names", "function_name_id", "function_name")
OWN_STRINGS = 4  # of a package: nothing, its path, its name, its module; each function has two
GROUP = 1 << 16  # bytes of functions that are decoded at a time
UNIT = 5  # numbers of a unit: start line, start column, end line, end column, statements


@dataclass(frozen=True)
class Head:
    """The fixed first bytes of a covmeta."""

    total: int
    entries: int
    hash: bytes
    strings_length: int
    mode: str
    granularity: str


@dataclass(frozen=True)
class Package:
    """One instrumented package; C(digest) is the compiler's over its functions: another source, another digest."""

    path: str
    name: str
    module: str
    digest: bytes


@dataclass
class Meta:
    """A whole covmeta as arrays: P packages, F functions, U units, in the file's order.

    :ivar package_base: (P+1) where each package's functions begin in the F.
    :ivar function_base: (F+1) where each function's units begin in the U.
    :ivar function_package: (F) index of the package. C(function_literal): (F) bool.
    :ivar function_file: (F) index into C(files). C(function_name): F strings.
    :ivar units: (5, U) uint32: start line, start column, end line, end column, statements.
    :ivar names: names of functions, of each package each once. C(function_name_id): (F) index into them.
    """

    hash: bytes
    mode: str
    granularity: str
    packages: list[Package]
    files: list[str]
    function_name: list[str]
    function_file: np.ndarray
    function_literal: np.ndarray
    function_package: np.ndarray
    package_base: np.ndarray
    function_base: np.ndarray
    units: np.ndarray

    def __getattr__(self, name: str) -> t.Any:
        """Decode the names of functions and files when they are first asked for: not all work needs them."""
        known = self.__dict__
        texts = known.get("_texts")
        if texts is not None and name in FILES:
            known["files"], known["function_file"] = texts.decode_files()
        elif texts is not None and name in NAMES:
            for key, value in texts.decode().items():
                known.setdefault(key, value)  # files that were decoded before keep their numbers
            known["function_name"] = [known["names"][index] for index in known["function_name_id"].tolist()]
            del known["_texts"]  # and with it the file's bytes
        elif name in NAMES and "function_name" in known:
            ids: dict[str, int] = {}
            numbers = [ids.setdefault(text, len(ids)) for text in self.function_name]
            known.update(names=list(ids), function_name_id=np.asarray(numbers, dtype=np.int64))
        else:
            raise AttributeError(name)
        return known[name]

    def main_paths(self) -> tuple[str, ...]:
        """Return the import paths of the program's main packages, sorted (none where main is not instrumented)."""
        return tuple(sorted(package.path for package in self.packages if package.name == "main"))


def read_head(data: bytes, size: int) -> Head:
    """Read the first bytes of a covmeta that is C(size) bytes long.

    :raises FormatError: empty-file, truncated, wrong-magic, future-version or damaged.
    """
    if size == 0:
        raise FormatError("empty-file", "the file is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise FormatError("wrong-magic", "the file is not a covmeta: its first bytes are others")
    if len(data) < HEADER.size:
        raise FormatError("truncated", f"the file ends after {size} bytes, within its header")
    _magic, version, total, entries, digest, _offset, strings, mode, granularity = HEADER.unpack_from(data)
    if version > VERSION:
        raise FormatError("future-version", f"the file has version {version} of the format; known is {VERSION}")
    if size < total:
        raise FormatError("truncated", f"the file has {size} of its {total} bytes")
    if size > total:
        raise FormatError("damaged", f"the file has {size - total} bytes more than the {total} of its header")
    if mode not in MODES or granularity not in GRANULARITIES:
        raise FormatError("damaged", f"the counter mode {mode} or granularity {granularity} is unknown")
    if entries > (total - HEADER.size) // 16:
        raise FormatError("damaged", f"the header claims {entries} packages, more than fit")
    return Head(total, entries, digest, strings, MODES[mode], GRANULARITIES[granularity])


def read_meta(data: bytes) -> Meta:
    """Decode a whole covmeta. Names of functions and files are decoded when they are first asked for.

    :raises FormatError: empty-file, truncated, wrong-magic, future-version or damaged.
    """
    head = read_head(data, len(data))
    table = np.frombuffer(data, dtype="<u8", count=2 * head.entries, offset=HEADER.size)
    _check_apart(table[: head.entries], table[head.entries :], HEADER.size + 16 * head.entries)
    reader = _Reader(data)
    for start, length in zip(table[: head.entries].tolist(), table[head.entries :].tolist(), strict=True):
        if start + length > len(data):
            raise FormatError("damaged", "a package is outside the file")
        reader.package(start, length)
    reader.flush()
    functions = reader.functions
    function_base = np.zeros(len(functions.units) + 1, dtype=np.int64)
    np.cumsum(functions.units, out=function_base[1:])
    package_base = np.zeros(len(reader.packages) + 1, dtype=np.int64)
    np.cumsum(reader.counts, out=package_base[1:])
    meta = Meta.__new__(Meta)
    meta.hash, meta.mode, meta.granularity = head.hash, head.mode, head.granularity
    meta.packages = reader.packages
    meta.function_literal = functions.literal
    meta.function_package = np.repeat(np.arange(len(reader.packages), dtype=np.int64), reader.counts)
    meta.package_base, meta.function_base = package_base, function_base
    meta.units = functions.unit_rows
    meta.__dict__["_texts"] = _Texts(data, reader.tables, package_base, functions.name, functions.file)
    return meta


def _check_apart(starts: np.ndarray, lengths: np.ndarray, begin: int) -> None:
    """Refuse packages that lie over one another, or over the table: one stretch of a file would be read many times."""
    order = np.argsort(starts, kind="stable")
    starts, lengths = starts[order], lengths[order]
    limit = np.uint64(1 << 63)
    if np.any(starts >= limit) or np.any(lengths >= limit):
        raise FormatError("damaged", "a package is outside the file")
    ends = (starts + lengths).astype(np.uint64)
    if len(starts) and (int(starts[0]) < begin or np.any(starts[1:] < ends[:-1])):
        raise FormatError("damaged", "packages lie over one another")


@dataclass
class _Functions:
    """F functions as they were decoded: numbers of units, indices into the string tables, literal; U units."""

    units: np.ndarray
    name: np.ndarray
    file: np.ndarray
    literal: np.ndarray
    unit_rows: np.ndarray


class _Reader:
    """Takes packages in, and decodes the functions of many at once: few enough to stay in the processor's cache."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.packages: list[Package] = []
        self.tables: list[tuple[int, int, int]] = []  # where each package's string table begins and ends, its strings
        self.counts: list[int] = []  # functions of each package
        # of the packages that are not decoded yet: functions' offsets, what they grow by and between what they have to
        # lie; and what the functions are encoded in
        self._offsets: list[bytes] = []
        self._shifts: list[tuple[int, int, int]] = []
        self._regions: list[bytes] = []
        self._limits: list[int] = []
        self._pending = 0
        self._parts: list[_Functions] = []

    def package(self, start: int, length: int) -> None:
        """Read the package at that offset."""
        if length < PACKAGE_HEADER.size:
            raise FormatError("damaged", "a package is shorter than its header")
        data, behind = self.data, start + length
        _length, name, path, module, digest, _files, functions = PACKAGE_HEADER.unpack_from(data, start)
        table = start + PACKAGE_HEADER.size + 4 * functions
        if table > behind:
            raise FormatError("damaged", f"a package claims {functions} functions, more than fit")
        count, begin = uleb128.skip_strings(data, table)
        if begin > behind:
            raise FormatError("truncated", "it ends within its string table")
        if max(name, path, module) >= count:
            raise FormatError("damaged", "a package's name is not in its string table")
        # the compiler puts these three first
        texts = uleb128.first_strings(data, table, max(name, path, module) + 1)
        self.packages.append(Package(texts[path], texts[name], texts[module], digest))
        self.tables.append((table, begin, count))
        self.counts.append(functions)
        if begin < behind and data[behind - 1] >= uleb128.CONTINUED:
            raise FormatError("damaged", f"package {texts[path]} ends within a number")
        self._offsets.append(data[start + PACKAGE_HEADER.size : table])
        self._shifts.append((self._pending + start - begin, begin - start, length))
        self._regions.append(data[begin:behind])
        self._pending += behind - begin
        self._limits.append(self._pending)
        if self._pending >= GROUP:
            self._decode()

    def flush(self) -> None:
        """Decode what is left, and put all parts together."""
        if self._limits or not self._parts:
            self._decode()

    @property
    def functions(self) -> _Functions:
        """All functions of all packages."""
        parts = self._parts
        rows = np.empty((UNIT, sum(part.unit_rows.shape[1] for part in parts)), dtype=np.uint32)
        begin = 0
        for part in parts:
            end = begin + part.unit_rows.shape[1]
            rows[:, begin:end] = part.unit_rows
            begin = end
            part.unit_rows = rows[:, :0]
        return _Functions(
            units=np.concatenate([part.units for part in parts]),
            name=np.concatenate([part.name for part in parts]),
            file=np.concatenate([part.file for part in parts]),
            literal=np.concatenate([part.literal for part in parts]),
            unit_rows=rows,
        )

    def _decode(self) -> None:
        """Decode the functions of the packages taken in since the last time."""
        stream = np.frombuffer(b"".join(self._regions), dtype=np.uint8)
        offsets = np.frombuffer(b"".join(self._offsets), dtype="<u4")
        before = len(self.counts) - len(self._limits)
        counts = np.asarray(self.counts[before:], dtype=np.int64)
        strings = np.asarray([count for _begin, _end, count in self.tables[before:]], dtype=np.int64)
        limits = np.asarray(self._limits, dtype=np.int64)
        shifts = np.asarray(self._shifts, dtype=np.int64).reshape(-1, 3)
        self._regions, self._offsets, self._shifts, self._limits, self._pending = [], [], [], [], 0
        numbers = uleb128.decode(stream)
        # of the packages that have functions: where these begin, and what holds for each
        owners = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[owners]
        shift, low, high = shifts[owners].T

        def beyond(values: np.ndarray, limit: np.ndarray) -> bool:
            return bool(np.any(np.maximum.reduceat(values, starts) > limit))

        if np.any(np.minimum.reduceat(offsets, starts) < low) or beyond(offsets, high - 1):
            raise FormatError("damaged", "a function is outside its package")
        begin = offsets.astype(np.int64)
        begin += np.repeat(shift, counts[owners])
        if np.any(stream[begin[begin > 0] - 1] >= uleb128.CONTINUED):
            raise FormatError("damaged", "a function begins within a number")
        first = uleb128.numbers_before(stream, begin)
        last = uleb128.numbers_before(stream, limits[owners]) - 1
        if beyond(first, last - FUNCTION_HEAD):
            raise FormatError("damaged", "a function ends outside of its package")
        units = numbers[first].astype(np.int64)
        after = units * UNIT
        after += first
        after += FUNCTION_HEAD
        total = int(units.sum())
        if beyond(after, last) or total * UNIT > len(numbers):
            raise FormatError("damaged", "a function has more units than fit its package")
        name, file = numbers[first + 1], numbers[first + 2]
        if beyond(np.maximum(name, file), strings[owners] - 1):
            raise FormatError("damaged", "a function's name is not in the string table of its package")
        literal = numbers[after] != 0
        if len(first) and np.array_equal(first[1:], after[:-1] + 1):  # one behind the other, as Go writes them
            inside = np.zeros(len(numbers), dtype=bool)
            inside[first[0] : after[-1] + 1] = True
            for column in range(FUNCTION_HEAD):
                inside[first + column] = False
            inside[after] = False
            rows = numbers[inside].reshape(total, UNIT).T
        else:
            bases = np.cumsum(units) - units
            where = np.repeat(first + FUNCTION_HEAD - UNIT * bases, units) + UNIT * np.arange(total)
            rows = np.empty((UNIT, total), dtype=np.uint32)
            for column in range(UNIT):
                rows[column] = numbers[where + column]
        self._parts.append(_Functions(units, name, file, literal, rows))


class _Texts:
    """The names of functions and files, not yet decoded.

    :ivar tables: where the string table of each package begins and ends, and how many strings it has.
    :ivar name, file: (F) numbers in there.
    """

    def __init__(
        self,
        data: bytes,
        tables: list[tuple[int, int, int]],
        package_base: np.ndarray,
        name: np.ndarray,
        file: np.ndarray,
    ) -> None:
        self.data, self.tables, self.package_base, self.name, self.file = data, tables, package_base, name, file

    def decode(self) -> dict[str, t.Any]:
        """Return names, function_name_id, files and function_file of R(Meta)."""
        strings: list[str] = []
        bases: list[int] = []
        once = True
        name, file = self.name.astype(np.int64), self.file.astype(np.int64)
        bounds = self.package_base.tolist()
        for (table, behind, count), begin, end in zip(self.tables, bounds[:-1], bounds[1:], strict=True):
            bases.append(len(strings))
            if count > OWN_STRINGS + 2 * (end - begin):  # no compiler writes any that nothing is called by
                used, places = np.unique(np.concatenate([name[begin:end], file[begin:end]]), return_inverse=True)
                name[begin:end], file[begin:end] = places[: end - begin], places[end - begin :]
                part = list(uleb128.chosen_strings(self.data, table, used.tolist()).values())
            else:
                part = uleb128.all_strings(self.data, table, behind)
            once = once and len(set(part)) == len(part)
            strings += part
        base = np.repeat(np.asarray(bases, dtype=np.int64), np.diff(self.package_base))
        name += base
        file += base
        if not once:  # no compiler writes such a table
            last = {text: number for number, text in enumerate(strings)}
            same = np.fromiter(map(last.__getitem__, strings), dtype=np.int64, count=len(strings))
            name, file = same[name], same[file]
        names, name_id = _used(strings, name)
        files, file_id = _used(strings, file)
        # a file can be of several packages
        ids: dict[str, int] = {}
        known = np.asarray([ids.setdefault(text, len(ids)) for text in files], dtype=np.int64)
        return {
            "names": names,
            "function_name_id": name_id,
            "files": list(ids),
            "function_file": known[file_id] if len(known) else file_id,
        }

    def decode_files(self) -> tuple[list[str], np.ndarray]:
        """Return files and function_file of R(Meta), without the many names of functions."""
        ids: dict[str, int] = {}
        file_id = np.empty(len(self.file), dtype=np.int64)
        bounds = self.package_base.tolist()
        for (table, _behind, _count), begin, end in zip(self.tables, bounds[:-1], bounds[1:], strict=True):
            if begin == end:
                continue
            numbers = self.file[begin:end].tolist()
            strings = uleb128.chosen_strings(self.data, table, set(numbers))
            known = {number: ids.setdefault(text, len(ids)) for number, text in strings.items()}
            file_id[begin:end] = [known[number] for number in numbers]
        return list(ids), file_id


def _used(strings: t.Sequence[str], number: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return those of some strings that are used, and the number of each use among them."""
    used = np.zeros(len(strings), dtype=bool)
    used[number] = True
    return list(itertools.compress(strings, used.tolist())), (np.cumsum(used) - 1)[number]
