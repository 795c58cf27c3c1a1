# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws that hold for programs of any shape, through files: what is written is read, and operations keep their laws.

The laws of the operations alone, on one real program, are in test_operations.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import operations
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import join, parse_text_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import text_profile
from go_programs import MODES
from hypothesis import given
from hypothesis import strategies as st
from shapes import make_meta, shapes

LARGEST = 2**32 - 1


@dataclass
class RunSets:
    """Some process runs of one or two programs that share a package: each as a list of programs, as an input of
    operations.
    """

    inputs: list[list[Program]]
    mode: str


@st.composite
def process_runs(draw: st.DrawFn, modes: t.Sequence[str] = MODES) -> RunSets:
    shape = draw(shapes())
    mode, granularity = draw(st.sampled_from(modes)), draw(st.sampled_from(["perblock", "perfunc"]))
    metas = [make_meta(shape, mode, granularity)]
    if draw(st.booleans()) and len(shape) > 1:
        metas.append(make_meta(shape[1:], mode, granularity))
    number = st.sampled_from([0, 1] if mode == "set" else [0, 1, 2, 2**31, LARGEST])
    inputs = []
    for index in range(draw(st.integers(2, 4))):
        meta = draw(st.sampled_from(metas))
        size = meta.units.shape[1]
        counts = np.asarray(draw(st.lists(number, min_size=size, max_size=size)), dtype=np.uint32)
        inputs.append([Program(meta, f"covmeta.{meta.hash.hex()}", counts, process_runs=1, nanoseconds=index)])
    return RunSets(inputs, mode)


def flat(inputs: t.Iterable[t.Sequence[Program]]) -> list[Program]:
    return [program for programs in inputs for program in programs]


def content(programs: t.Sequence[Program]) -> dict[bytes, list[int]]:
    return {program.meta.hash: program.counts.tolist() for program in programs}


def covered(programs: t.Sequence[Program]) -> int:
    return make_profile(programs, programs[0].meta.mode).totals()[0] if programs else 0


def write(programs: t.Sequence[Program], folder: Path) -> Path:
    """Write programs whose covmeta were never read."""
    folder.mkdir(parents=True)
    for program in programs:
        path = folder / f"covmeta.{program.meta.hash.hex()}"
        path.write_bytes(covmeta_writer.write_meta(program.meta))
    named = [replace(p, meta_path=str(folder / f"covmeta.{p.meta.hash.hex()}")) for p in programs]
    for name, data in merged_files(named).items():
        (folder / name).write_bytes(data)
    return folder


def same_meta(one: covmeta.Meta, other: covmeta.Meta) -> bool:
    return (
        (one.hash, one.mode, one.granularity, one.packages)
        == (other.hash, other.mode, other.granularity, other.packages)
        and list(one.function_name) == list(other.function_name)
        and [one.files[i] for i in one.function_file] == [other.files[i] for i in other.function_file]
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("function_literal", "function_package", "package_base", "function_base", "units")
        )
    )


@given(shapes(), st.sampled_from(MODES), st.sampled_from(["perblock", "perfunc"]))
def test_a_covmeta_that_is_written_is_read(shape: t.Any, mode: str, granularity: str) -> None:
    meta = make_meta(shape, mode, granularity)
    data = covmeta_writer.write_meta(meta)
    read = covmeta.read_meta(data)
    assert same_meta(read, meta)
    assert covmeta_writer.write_meta(read) == data


@given(process_runs())
def test_programs_that_are_written_are_read(tmp_path_factory: pytest.TempPathFactory, some: RunSets) -> None:
    programs = operations.merge(flat(some.inputs))
    root = tmp_path_factory.mktemp("written")
    write(programs, root / "data" / "pod")
    (component,) = read_collection(str(root), "data")
    assert component.mode == some.mode
    assert content(component.programs) == content(programs)
    assert all(
        same_meta(program.meta, next(p.meta for p in programs if p.meta.hash == program.meta.hash))
        for program in component.programs
    )


@given(process_runs(), st.booleans(), st.randoms())
def test_merging_does_not_depend_on_order_or_grouping(some: RunSets, combine: bool, random: t.Any) -> None:
    whole = operations.merge(flat(some.inputs), combine=combine)
    shuffled = list(some.inputs)
    random.shuffle(shuffled)
    again = operations.merge(flat(shuffled), combine=combine)
    first = operations.merge(
        [*operations.merge(flat(shuffled[:2]), combine=combine), *flat(shuffled[2:])], combine=combine
    )
    texts = {text_profile(make_profile(programs, some.mode)) for programs in (whole, again, first)}
    assert len(texts) == 1
    if not combine:
        assert content(whole) == content(again) == content(first)


@given(process_runs(modes=["set"]), st.booleans())
def test_merging_sets_again_changes_nothing(some: RunSets, combine: bool) -> None:
    whole = operations.merge(flat(some.inputs), combine=combine)
    assert content(operations.merge([*whole, *whole], combine=combine)) == content(whole)


@given(process_runs())
def test_what_is_covered_goes_the_right_way(some: RunSets) -> None:
    """Merging never lowers, intersecting and subtracting never raise it; nothing is left of a thing less itself."""
    programs = operations.merge(flat(some.inputs))
    for one, *rest in (some.inputs, some.inputs[::-1]):
        assert covered(one) <= covered(programs)
        less = operations.subtract(one, flat(rest))
        both = operations.intersect([one, flat(rest)])
        assert covered(less) <= covered(one)
        assert covered(both) <= covered(one)
        # each counter is in exactly one of both
        assert content(operations.merge([*less, *both])) == content(one)
        assert not any(program.counts.any() for program in operations.subtract(one, one))
        assert content(operations.intersect([one, one])) == content(one)


@given(process_runs())
def test_a_text_profile_says_the_same_when_it_is_read(some: RunSets) -> None:
    profile = make_profile(operations.merge(flat(some.inputs)), some.mode)
    text = text_profile(profile)
    read, problems = join(None, [parse_text_profile(text.encode("utf-8", "surrogateescape"), "text")])
    assert problems == []
    assert read.totals() == profile.totals()
    # packages are not in a text profile, so the order may be another
    assert sorted(text_profile(read).splitlines()) == sorted(text.splitlines())
