# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The good files that are damaged: recorded ones, and the forms of them that Go can write but did not here."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import text_profile

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "covdata"
FOLDERS = (
    FIXTURES / "recorded" / "coverdata" / "program",
    FIXTURES / "recorded-exporter",
    # the oldest release of Go that writes such data, and the newest
    FIXTURES / "recorded-releases" / "go1.20.14" / "variants",
    FIXTURES / "recorded-releases" / "go1.27.4" / "variants",
)
KINDS = ("counters", "meta", "profile")


@dataclass(frozen=True)
class Good:
    """One good file. C(kind) is one of KINDS; C(name) is what Go would call it."""

    kind: str
    name: str
    data: bytes


def make_corpus() -> list[Good]:
    """All good files, in a fixed order."""
    found: dict[tuple[str, bytes], Good] = {}
    for good in _make():
        found.setdefault((good.kind, good.data), good)
    return list(found.values())


def _make() -> t.Iterator[Good]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("cov*")):
            data = path.read_bytes()
            if path.name.startswith("covmeta."):
                yield Good("meta", path.name, data)
                meta = covmeta.read_meta(data)
                for mode, granularity in (("set", "perblock"), ("count", "perfunc")):
                    other = replace(meta, mode=mode, granularity=granularity)
                    yield Good("meta", path.name, covmeta_writer.write_meta(other))
            else:
                yield Good("counters", path.name, data)
                yield from _forms(path.name, covcounters.read_counters(data))
        for component in read_collection(str(folder), "program"):
            text = text_profile(make_profile(component.programs, component.mode)).encode("utf-8", "surrogateescape")
            name = f"{folder.name}-{component.name}.txt"
            yield Good("profile", name, text)
            # other modes, and other sources: the same files, their blocks one column further
            for line in (b"mode: set", b"mode: count"):
                yield Good("profile", name, text.replace(b"mode: atomic", line))
                yield Good("profile", name, re.sub(rb"\.(\d+),", rb".1\1,", text).replace(b"mode: atomic", line))


def _forms(name: str, file: covcounters.CounterFile) -> t.Iterator[Good]:
    for flavour in (covcounters.RAW, covcounters.ULEB128):
        for big_endian in (False, True):
            other = replace(file, flavour=flavour, big_endian=big_endian)
            yield Good("counters", name, covcounters.write_counters(other))
    yield Good("counters", name, covcounters.write_counters(replace(file, segments=file.segments * 3)))
    # so large that two of them are more than a counter holds
    full = [replace(part, counters=part.counters | np.uint32(0xC0000000)) for part in file.segments]
    yield Good("counters", name, covcounters.write_counters(replace(file, segments=full)))
