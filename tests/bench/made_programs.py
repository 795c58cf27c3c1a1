# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage data of programs that do not exist, in Go's format: every process run is different.

A program has packages, functions and blocks in the proportions of real ones: most functions are small, a few are long.
Each process run enters some packages, and runs some functions of each, chosen anew by chance; a third of the blocks of
a function that ran did not run, and counts have a long tail, as loops make it. Functions lie in a file in the order in
which Go's linker puts their counters, by size, or in that in which C(go tool covdata merge) writes them, by package.
The same shape gives the same bytes. C(go tool covdata) reads all of it; the benchmark checks that.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import (
    RAW,
    ULEB128,
    CounterFile,
    Segment,
    write_counters,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Meta, Package
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta_writer import (
    file_hash,
    function_contents,
    package_digest,
    write_meta,
)

LARGEST_COUNT = 200_000  # the sum of all files has no overflow, of which Go's tool would warn each time
BEGAN = 1_800_000_000_000_000_000  # nanoseconds since the epoch


@dataclass(frozen=True)
class Shape:
    """A program and its process runs.

    :ivar functions: of a package, on average. C(share): of the functions that a process run runs, on average.
    :ivar by_size: functions lie in the order of Go's linker, otherwise by package.
    """

    name: str
    packages: int
    functions: int
    share: float
    files: int
    mode: str = "atomic"
    flavour: int = ULEB128
    by_size: bool = True
    seed: int = 1


SHAPES = (
    Shape("dense", packages=400, functions=60, share=0.45, files=2_000, seed=11),
    Shape("sparse", packages=900, functions=40, share=0.06, files=2_000, seed=12),
    Shape("set", packages=300, functions=50, share=0.25, files=2_000, mode="set", seed=13),
    Shape("raw", packages=250, functions=40, share=0.30, files=2_000, flavour=RAW, by_size=False, seed=14),
    Shape("small", packages=30, functions=25, share=0.40, files=20_000, seed=15),
    Shape("few", packages=900, functions=60, share=0.30, files=20, seed=16),
    Shape("one", packages=900, functions=60, share=0.30, files=1, mode="set", seed=17),
)


def make_meta(shape: Shape, chance: np.random.Generator) -> Meta:
    """Return the covmeta of a program, named by the hash that Go gives it."""
    counts = np.maximum(1, chance.geometric(1 / shape.functions, shape.packages))
    package_base = np.concatenate([[0], np.cumsum(counts)])
    functions = int(package_base[-1])
    units = np.clip(chance.lognormal(1.1, 1.0, functions), 1, 400).astype(np.int64)
    function_base = np.concatenate([[0], np.cumsum(units)])
    owner = np.repeat(np.arange(shape.packages), counts)
    within = np.arange(functions) - package_base[owner]
    paths = [f"example.com/{shape.name}/part{number // 20}/p{number}" for number in range(shape.packages)]
    meta = Meta(
        hash=b"",
        mode=shape.mode,
        granularity="perblock",
        packages=[
            Package(path, "main" if not index else path.rpartition("/")[2], f"example.com/{shape.name}", b"")
            for index, path in enumerate(paths)
        ],
        files=[f"{path}/f{number}.go" for path in paths for number in range(4)],
        function_name=[f"Function{number}" for number in within.tolist()],
        function_file=owner * 4 + within % 4,
        function_literal=chance.random(functions) < 0.1,
        function_package=owner,
        package_base=package_base,
        function_base=function_base,
        units=_units(units, within, chance),
    )
    contents = function_contents(meta)
    meta.packages = [
        replace(package, digest=package_digest(package, contents[package_base[index] : package_base[index + 1]]))
        for index, package in enumerate(meta.packages)
    ]
    meta.hash = file_hash(meta)
    return meta


def _units(sizes: np.ndarray, within: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return blocks (5, U) that lie one behind the other: a function begins below those that its file has already."""
    total = int(sizes.sum())
    statements = chance.geometric(0.6, total)
    number = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    start = np.repeat(within * 1000, sizes) + 2 * number + 1
    return np.stack([start, 2 + number % 7, start + 1, 3 + number % 60, statements]).astype(np.uint32)


def process_runs(shape: Shape, meta: Meta, chance: np.random.Generator) -> t.Iterator[Segment]:
    """Yield what each process run ran."""
    sizes = np.diff(meta.function_base)
    order = np.argsort(sizes, kind="stable") if shape.by_size else np.arange(len(sizes))
    tail = np.minimum(chance.pareto(0.7, 1 << 20) + 1, LARGEST_COUNT).astype(np.uint32)
    if shape.mode == "set":
        tail[:] = 1
    tail[chance.random(len(tail)) < 0.33] = 0
    for number in range(shape.files):
        share = shape.share * chance.uniform(0.5, 1.5)
        entered = chance.random(len(meta.packages)) < share**0.5
        ran = entered[meta.function_package] & (chance.random(len(sizes)) < share**0.5)
        live = order[ran[order]]
        if not len(live):
            live = order[:1]
        lengths = sizes[live]
        counts = tail[(int(chance.integers(len(tail))) + np.arange(int(lengths.sum()))) % len(tail)]
        counts[np.cumsum(lengths) - lengths] |= np.uint32(1)  # a function that ran ran its first block
        package = meta.function_package[live]
        arguments = {
            "argc": "2",
            "argv0": f"/{shape.name}",
            "argv1": f"--run={number}",
            "GOOS": "linux",
            "GOARCH": "amd64",
        }
        yield Segment(arguments, package, live - meta.package_base[package], lengths, counts)


def make_data(shape: Shape, folder: Path) -> None:
    """Write the covmeta and all covcounters of a shape into a new folder."""
    folder.mkdir()
    chance = np.random.default_rng(shape.seed)
    meta = make_meta(shape, chance)
    digest = meta.hash.hex()
    (folder / f"covmeta.{digest}").write_bytes(write_meta(meta))
    for number, segment in enumerate(process_runs(shape, meta, chance)):
        content = write_counters(CounterFile(meta.hash, [segment], shape.flavour))
        (folder / f"covcounters.{digest}.{1000 + number}.{BEGAN + number}").write_bytes(content)
