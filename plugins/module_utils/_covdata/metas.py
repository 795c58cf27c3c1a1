# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Read each distinct covmeta of a component once, and choose between copies that differ."""

from __future__ import annotations

import os

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.accumulate import read_into
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Found, Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import ERROR, FormatError

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]


def read_metas(component: Component, metas: list[Found]) -> dict[str, Program]:
    """Read each distinct covmeta once; compare it with one copy, and check every further one by its header and size."""
    programs: dict[str, Program] = {}
    first: dict[str, Found] = {}
    confirmed: set[str] = set()
    trust: dict[str, int] = {}  # of those of which copies differ
    for found in metas:
        digest = found.hash
        try:
            if digest in confirmed:
                head = covmeta.read_head(*_read_head(found.path))
            else:
                data = read_file(found.path)
                head = covmeta.read_head(data, len(data))
            if head.hash.hex() != digest:
                raise FormatError("renamed", f"inside, its hash is {head.hash.hex()}: another file, or a damaged one")
            if digest not in programs:
                programs[digest] = _program(data, found)
                first[digest] = found
            elif digest not in confirmed:
                confirmed.add(digest)
                before = read_file(first[digest].path)
                if data != before:
                    confirmed.discard(digest)
                    if digest not in trust:
                        trust[digest] = covmeta_writer.trust(programs[digest].meta)
                    other, trust[digest] = _better_copy(trust[digest], found, data)
                    programs[digest], worse, first[digest] = other, first[digest], found
                    _set_aside_meta(component, worse, _different())
                    component.pods[worse.folder.pod].metas -= 1
        except FormatError as error:
            _set_aside_meta(component, found, error)
            continue
        component.pods[found.folder.pod].metas += 1
    for digest in sorted(digest for digest, known in trust.items() if not known):
        component.withheld = f"no copy of {first[digest].name} is as it was written"
        component.say(
            "damaged",
            ERROR,
            f"The percentage of {component.name} is withheld: {component.withheld}.",
            first[digest].path,
            "Copy the file again from the node.",
        )
    return programs


def _program(data: bytes, found: Found) -> Program:
    meta = covmeta.read_meta(data)
    return Program(meta, found.path, np.zeros(meta.units.shape[1], dtype=np.uint32))


def _set_aside_meta(component: Component, found: Found, error: FormatError) -> None:
    set_aside(
        component,
        found,
        error,
        "Copy the file again from the node; if it is the same there, see whether the node's disk is full.",
        "Another good copy of it is used if there is one.",
    )


def _different() -> FormatError:
    return FormatError("damaged", "another copy of it differs, and its contents are not those of its hashes")


def _better_copy(known: int, found: Found, data: bytes) -> tuple[Program, int]:
    """Of two copies of one covmeta that differ, the one counts whose contents are those of its hashes.

    :arg known: how far the copy that counts until now is to be trusted (R(trust) of a covmeta).
    :returns: the other copy's program and how far that is to be trusted, if it is further.
    :raises FormatError: damaged: the other copy is not to be used.
    """
    if known < covmeta_writer.TRUSTED:
        try:
            program = _program(data, found)
        except FormatError as error:
            raise _different() from error
        trust = covmeta_writer.trust(program.meta)
        if trust > known:
            return program, trust
    raise _different()


def set_aside(component: Component, found: Found, error: FormatError, remedy: str, effect: str) -> None:
    component.put_aside(error.kind, f"{found.name} is set aside: {error.message}. {effect}", found.path, remedy)


def read_file(path: str) -> bytes:
    """Return a file's content.

    :raises FormatError: unreadable.
    """
    buffer, size = read_into(path, bytearray())
    return bytes(memoryview(buffer)[:size])


def _read_head(path: str) -> tuple[bytes, int]:
    """Return the first bytes of a covmeta and its size.

    :raises FormatError: unreadable.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.read(covmeta.HEADER.size), os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise FormatError("unreadable", f"the file cannot be read: {error.strerror}") from error
