# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The covmeta file: what was instrumented. Source of truth: internal/coverage/defs.go, decodemeta, encodemeta."""

from __future__ import annotations

import struct
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
    """Decode a whole covmeta.

    :raises FormatError: empty-file, truncated, wrong-magic, future-version or damaged.
    """
    head = read_head(data, len(data))
    raw = np.frombuffer(data, dtype=np.uint8)
    table = np.frombuffer(data, dtype="<u8", count=2 * head.entries, offset=HEADER.size)
    packages: list[Package] = []
    tables: list[list[str]] = []
    regions: list[np.ndarray] = []
    offsets: list[np.ndarray] = []
    counts: list[int] = []
    limits: list[int] = []
    position = 0
    for start, length in zip(table[: head.entries].tolist(), table[head.entries :].tolist(), strict=True):
        if start + length > len(data):
            raise FormatError("damaged", "a package lies outside of the file")
        blob = data[start : start + length]
        package, strings, functions, begin = _read_package(blob)
        packages.append(package)
        tables.append(strings)
        counts.append(len(functions))
        if len(functions) and (int(functions.min()) < begin or int(functions.max()) >= length):
            raise FormatError("damaged", f"a function of package {package.path} lies outside of it")
        if begin < length and blob[-1] >= 0x80:
            raise FormatError("damaged", f"package {package.path} ends within a number")
        regions.append(raw[start + begin : start + length])
        offsets.append(functions.astype(np.int64) + (position - begin))
        position += length - begin
        limits.append(position)
    return _assemble(
        head, packages=packages, tables=tables, regions=regions, offsets=offsets, counts=counts, limits=limits
    )


def _read_package(blob: bytes) -> tuple[Package, list[str], np.ndarray, int]:
    """Return a package, its strings, the offsets of its functions, and where the functions begin."""
    if len(blob) < PACKAGE_HEADER.size:
        raise FormatError("damaged", "a package is shorter than its header")
    _length, name, path, module, digest, _files, functions = PACKAGE_HEADER.unpack_from(blob)
    begin = PACKAGE_HEADER.size + 4 * functions
    if begin > len(blob):
        raise FormatError("damaged", f"a package claims {functions} functions, more than fit")
    offsets = np.frombuffer(blob, dtype="<u4", count=functions, offset=PACKAGE_HEADER.size)
    strings, begin = uleb128.decode_strings(blob, begin)
    if max(name, path, module) >= len(strings):
        raise FormatError("damaged", "a package's name is not in its string table")
    return Package(strings[path], strings[name], strings[module], digest), strings, offsets, begin


def _assemble(
    head: Head,
    *,
    packages: list[Package],
    tables: list[list[str]],
    regions: list[np.ndarray],
    offsets: list[np.ndarray],
    counts: list[int],
    limits: list[int],
) -> Meta:
    """Decode all functions of all packages in one pass over one array."""
    stream = np.concatenate(regions) if regions else np.zeros(0, dtype=np.uint8)
    begin = np.concatenate(offsets) if offsets else np.zeros(0, dtype=np.int64)
    functions_of = np.asarray(counts, dtype=np.int64)
    function_package = np.repeat(np.arange(len(packages), dtype=np.int64), functions_of)
    numbers, ends = uleb128.decode(stream)
    first = np.searchsorted(ends, begin)
    if np.any(stream[begin[begin > 0] - 1] >= 0x80):
        raise FormatError("damaged", "a function begins within a number")
    last = np.searchsorted(ends, np.asarray(limits, dtype=np.int64))[function_package]
    if np.any(first + FUNCTION_HEAD >= last):
        raise FormatError("damaged", "a function ends outside of its package")
    units_of = numbers[first].astype(np.int64)
    after = first + FUNCTION_HEAD + UNIT * units_of
    if np.any(after >= last) or int((units_of * UNIT).sum()) > len(numbers):
        raise FormatError("damaged", "a function has more units than fit its package")
    function_base = np.zeros(len(begin) + 1, dtype=np.int64)
    np.cumsum(units_of, out=function_base[1:])
    total = int(function_base[-1])
    where = np.repeat(first + FUNCTION_HEAD - UNIT * function_base[:-1], units_of) + UNIT * np.arange(total)
    units = np.stack([numbers[where + column] for column in range(UNIT)]) if total else np.zeros((UNIT, 0), np.uint32)

    files: dict[str, int] = {}
    names, file_of = [], []
    rows = zip(function_package.tolist(), numbers[first + 1].tolist(), numbers[first + 2].tolist(), strict=True)
    for package, name, file in rows:
        strings = tables[package]
        if name >= len(strings) or file >= len(strings):
            raise FormatError("damaged", f"a function's name is not in the string table of {packages[package].path}")
        names.append(strings[name])
        file_of.append(files.setdefault(strings[file], len(files)))
    package_base = np.zeros(len(packages) + 1, dtype=np.int64)
    np.cumsum(functions_of, out=package_base[1:])
    return Meta(
        hash=head.hash,
        mode=head.mode,
        granularity=head.granularity,
        packages=packages,
        files=list(files),
        function_name=names,
        function_file=np.asarray(file_of, dtype=np.int64),
        function_literal=numbers[after] != 0 if len(begin) else np.zeros(0, dtype=bool),
        function_package=function_package,
        package_base=package_base,
        function_base=function_base,
        units=units,
    )


def write_meta(meta: Meta) -> bytes:
    """Encode a covmeta as the compiler and the runtime do: Go's tools read it."""
    blobs = [_write_package(meta, index) for index in range(len(meta.packages))]
    strings = uleb128.encode_strings([""])
    offset = HEADER.size + 16 * len(blobs) + len(strings)
    starts, lengths = [], []
    for blob in blobs:
        starts.append(offset)
        lengths.append(len(blob))
        offset += len(blob)
    mode = {name: number for number, name in MODES.items()}[meta.mode]
    granularity = {name: number for number, name in GRANULARITIES.items()}[meta.granularity]
    table_end = HEADER.size + 16 * len(blobs)
    header = HEADER.pack(MAGIC, VERSION, offset, len(blobs), meta.hash, table_end, len(strings), mode, granularity)
    table = np.asarray(starts + lengths, dtype="<u8").tobytes()
    return b"".join([header, table, strings, *blobs])


def _write_package(meta: Meta, index: int) -> bytes:
    package = meta.packages[index]
    strings: dict[str, int] = {"": 0}
    where = [strings.setdefault(text, len(strings)) for text in (package.path, package.name, package.module)]
    bodies = []
    for function in range(int(meta.package_base[index]), int(meta.package_base[index + 1])):
        begin, end = int(meta.function_base[function]), int(meta.function_base[function + 1])
        name = strings.setdefault(meta.function_name[function], len(strings))
        file = strings.setdefault(meta.files[int(meta.function_file[function])], len(strings))
        numbers = np.concatenate(
            [
                np.asarray([end - begin, name, file], dtype=np.uint32),
                meta.units[:, begin:end].T.reshape(-1),
                np.asarray([meta.function_literal[function]], dtype=np.uint32),
            ]
        )
        bodies.append(uleb128.encode(numbers))
    table = uleb128.encode_strings(list(strings))
    offset = PACKAGE_HEADER.size + 4 * len(bodies) + len(table)
    offsets = []
    for body in bodies:
        offsets.append(offset)
        offset += len(body)
    header = PACKAGE_HEADER.pack(offset, where[1], where[0], where[2], package.digest, len(strings), len(bodies))
    return b"".join([header, np.asarray(offsets, dtype="<u4").tobytes(), table, *bodies])
