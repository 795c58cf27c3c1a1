# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Write a covmeta, and hash it as Go does. Source of truth: internal/coverage/encodemeta, finalHash of cfile."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.fnv import fnv128a
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import (
    FUNCTION_HEAD,
    GRANULARITIES,
    HEADER,
    MAGIC,
    MODES,
    PACKAGE_HEADER,
    UNIT,
    VERSION,
    Meta,
    Package,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

TRUSTED = 2  # all of a covmeta is as it was written


def function_contents(meta: Meta) -> list[bytes]:
    """Return what tells functions apart, as Go hashes it (C(HashFuncDesc) of internal/coverage/encodemeta)."""
    units = meta.units.T.astype("<u4").tobytes()
    bounds = (meta.function_base * (UNIT * 4)).tolist()
    files = list(map(raw_text, meta.files))
    rows = zip(
        map(raw_text, meta.function_name),
        meta.function_file.tolist(),
        itertools.pairwise(bounds),
        meta.function_literal.astype("<u4").tolist(),
        strict=True,
    )
    return [
        b"".join((name, files[file], units[begin:end], literal.to_bytes(4, "little")))
        for name, file, (begin, end), literal in rows
    ]


def raw_text(text: str) -> bytes:
    """Return the bytes of a string of a covmeta."""
    return text.encode("utf-8", "surrogateescape")


def package_digest(
    package: Package, contents: t.Iterable[bytes], digest: t.Callable[[bytes], bytes] = fnv128a
) -> bytes:
    """Return the digest that the compiler gives to a package of these functions."""
    return digest(b"".join([*map(raw_text, (package.path, package.name, package.module)), *contents]))


def file_hash(meta: Meta, digest: t.Callable[[bytes], bytes] = fnv128a) -> bytes:
    """Return the hash that C(go tool covdata merge) gives to a covmeta of these packages."""
    return digest(b"".join(map(digest, encode_packages(meta))))


def trust(meta: Meta) -> int:
    """Tell how far a covmeta is as it was written: 2 if all of it is, 1 if all packages are, 0 if one is not.

    Slower than reading it. Go hashes with FNV-128a since 1.24, and did with MD5 before.
    Source of truth: C(finalHash) of internal/coverage/cfile, C(emitMeta) of cmd/covdata.
    """
    contents = function_contents(meta)
    bounds = list(itertools.pairwise(meta.package_base.tolist()))
    digests = b"".join(package.digest for package in meta.packages)
    for digest in (fnv128a, _md5):
        if all(
            package.digest == package_digest(package, contents[begin:end], digest)
            for package, (begin, end) in zip(meta.packages, bounds, strict=True)
        ):
            written = digest(digests + meta.mode.encode() + meta.granularity.encode())
            return TRUSTED if meta.hash == written or meta.hash == file_hash(meta, digest) else 1
    return 0


def _md5(data: bytes) -> bytes:
    import hashlib  # hardly ever needed

    return hashlib.md5(data, usedforsecurity=False).digest()


def write_meta(meta: Meta) -> bytes:
    """Encode a covmeta as the compiler and the runtime do: Go's tools read it."""
    return frame_packages(encode_packages(meta), meta.hash, meta.mode, meta.granularity)


def frame_packages(blobs: t.Sequence[bytes], digest: bytes, mode_name: str, granularity_name: str) -> bytes:
    """Return a covmeta of encoded packages: the header, the table and the packages, as C(encodemeta) writes them."""
    strings = uleb128.encode_strings([""])
    table_end = HEADER.size + 16 * len(blobs)
    lengths = [len(blob) for blob in blobs]
    starts = list(itertools.accumulate(lengths, initial=table_end + len(strings)))
    mode = {name: number for number, name in MODES.items()}[mode_name]
    granularity = {name: number for number, name in GRANULARITIES.items()}[granularity_name]
    header = HEADER.pack(MAGIC, VERSION, starts[-1], len(blobs), digest, table_end, len(strings), mode, granularity)
    table = np.asarray(starts[:-1] + lengths, dtype="<u8").tobytes()
    return b"".join([header, table, strings, *blobs])


def encode_packages(meta: Meta) -> list[bytes]:
    """Encode each package byte for byte as the compiler does, whose hash a new covmeta is named by."""
    tables: list[list[str]] = []
    names: list[int] = []
    files: list[int] = []
    file_of = meta.function_file.tolist()
    for index, package in enumerate(meta.packages):
        strings: dict[str, int] = {"": 0}
        for text in (package.path, package.name, package.module):
            strings.setdefault(text, len(strings))
        for function in range(int(meta.package_base[index]), int(meta.package_base[index + 1])):
            names.append(strings.setdefault(meta.function_name[function], len(strings)))
            files.append(strings.setdefault(meta.files[file_of[function]], len(strings)))
        tables.append(list(strings))
    units_of = np.diff(meta.function_base)
    # all functions of all packages as one stream of numbers
    starts = np.zeros(len(units_of) + 1, dtype=np.int64)
    np.cumsum(FUNCTION_HEAD + UNIT * units_of + 1, out=starts[1:])
    numbers = np.zeros(int(starts[-1]), dtype=np.uint32)
    numbers[starts[:-1]] = units_of
    numbers[starts[:-1] + 1] = names
    numbers[starts[:-1] + 2] = files
    numbers[starts[1:] - 1] = meta.function_literal
    where = np.repeat(starts[:-1] + FUNCTION_HEAD - UNIT * meta.function_base[:-1], units_of)
    where += UNIT * np.arange(meta.units.shape[1])
    for column in range(UNIT):
        numbers[where + column] = meta.units[column]
    stream = uleb128.encode(numbers)
    # the bytes of all numbers before a function are where it begins
    ends = np.zeros(len(numbers) + 1, dtype=np.int64)
    np.cumsum(uleb128.lengths(numbers), out=ends[1:])
    begins = ends[starts]
    blobs = []
    for index, (package, table) in enumerate(zip(meta.packages, tables, strict=True)):
        first, last = int(meta.package_base[index]), int(meta.package_base[index + 1])
        encoded = uleb128.encode_strings(table)
        ahead = PACKAGE_HEADER.size + 4 * (last - first) + len(encoded)
        begin, end = int(begins[first]), int(begins[last])
        name, path, module = (table.index(text) for text in (package.name, package.path, package.module))
        total = ahead + end - begin
        header = PACKAGE_HEADER.pack(total, name, path, module, package.digest, len(table), last - first)
        offsets = (begins[first:last] + (ahead - begin)).astype("<u4").tobytes()
        blobs.append(b"".join([header, offsets, encoded, stream[begin:end]]))
    return blobs
