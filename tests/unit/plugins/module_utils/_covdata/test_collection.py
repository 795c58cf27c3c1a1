# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and merging: each thing that can be wrong is named, and the good data survive it."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import Component, read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.textual import text_profile
from go_programs import RECORDED
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the recorded data: program with pods pod-1 (two lives) and pod-2 (one), worker with one."""
    return Path(shutil.copytree(RECORDED, tmp_path / "coverdata"))


def read(root: Path) -> dict[str, Component]:
    return {component.name: component for component in read_collection(str(root), "program")}


def kinds(component: Component) -> list[str]:
    return [problem.kind for problem in component.problems]


def profile_of(component: Component) -> str:
    return text_profile(make_profile(component.programs, component.mode))


def one(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def test_components_are_kept_apart(data: Path) -> None:
    components = read(data)
    assert list(components) == ["program", "worker"]
    program, worker = components["program"], components["worker"]
    assert (program.lives(), worker.lives()) == (3, 1)
    assert {name: (pod.metas, pod.counters) for name, pod in program.pods.items()} == {"pod-1": (1, 2), "pod-2": (1, 1)}
    assert program.problems == worker.problems == []
    assert make_profile(program.programs, program.mode).totals() != make_profile(worker.programs, "atomic").totals()


def test_files_in_the_root_belong_to_the_service(data: Path) -> None:
    components = read(data / "worker" / "pod-1")
    assert list(components) == ["program"]
    assert components["program"].lives() == 1


def test_an_empty_folder_has_no_components(tmp_path: Path) -> None:
    tmp_path.joinpath("notes.txt").write_text("not coverage data")
    assert read(tmp_path) == {}


def test_a_covmeta_without_counters_is_said_by_pod(data: Path) -> None:
    one(data / "program" / "pod-2", "covcounters.*").unlink()
    program = read(data)["program"]
    assert kinds(program) == ["meta-without-counters"]
    assert "pod-2" in program.problems[0].sentence
    assert program.lives() == 2
    assert not program.withheld


def test_only_covmetas_are_no_coverage_of_zero(data: Path) -> None:
    for path in data.glob("program/*/covcounters.*"):
        path.unlink()
    program = read(data)["program"]
    assert kinds(program) == ["meta-without-counters", "meta-without-counters"]
    assert program.withheld == "there are no counters"
    assert not program.usable()


def test_counters_without_a_covmeta_are_set_aside(data: Path) -> None:
    for path in data.glob("program/*/covmeta.*"):
        path.unlink()
    components = read(data)
    assert kinds(components["program"]) == ["counters-without-meta"] * 3
    assert not components["program"].usable()
    assert components["worker"].usable()


def test_a_pod_may_use_the_covmeta_of_another(data: Path) -> None:
    one(data / "program" / "pod-2", "covmeta.*").unlink()
    program = read(data)["program"]
    assert program.problems == []
    assert program.lives() == 3


DAMAGE: list[tuple[str, t.Callable[[bytes], bytes]]] = [
    ("empty-file", lambda raw: b""),
    ("truncated", lambda raw: raw[: len(raw) // 2]),
    ("wrong-magic", lambda raw: b"\x7fELF" + raw[4:]),
    ("future-version", lambda raw: raw[:4] + b"\x02\0\0\0" + raw[8:]),
]


@pytest.mark.parametrize(("kind", "change"), DAMAGE, ids=[kind for kind, _change in DAMAGE])
def test_a_bad_counter_file_is_set_aside_and_the_rest_counts(
    data: Path, kind: str, change: t.Callable[[bytes], bytes]
) -> None:
    bad = one(data / "program" / "pod-1", "covcounters.*")
    good = bad.read_bytes()
    bad.unlink()
    expected = profile_of(read(data)["program"])
    bad.write_bytes(change(good))
    program = read(data)["program"]
    assert kinds(program) == [kind]
    assert program.problems[0].file == str(bad)
    assert program.problems[0].severity == "warning"
    assert program.lives() == 2
    assert not program.withheld
    assert profile_of(program) == expected


@pytest.mark.parametrize(("kind", "change"), DAMAGE, ids=[kind for kind, _change in DAMAGE])
def test_a_bad_covmeta_is_set_aside_where_another_copy_is_good(
    data: Path, kind: str, change: t.Callable[[bytes], bytes]
) -> None:
    expected = profile_of(read(data)["program"])
    for pod in ("pod-1", "pod-2"):  # the one that is read first, and one that only its header is read of
        bad = one(data / "program" / pod, "covmeta.*")
        good = bad.read_bytes()
        bad.write_bytes(change(good))
        program = read(data)["program"]
        assert kinds(program) == [kind]
        assert program.problems[0].file == str(bad)
        assert program.lives() == 3
        assert profile_of(program) == expected
        bad.write_bytes(good)


def test_a_file_that_cannot_be_read_is_set_aside(data: Path) -> None:
    bad = one(data / "program" / "pod-1", "covcounters.*")
    bad.unlink()
    bad.symlink_to(data / "nowhere")
    program = read(data)["program"]
    assert kinds(program) == ["unreadable"]
    assert program.lives() == 2


def test_a_file_under_another_name_is_set_aside(data: Path) -> None:
    bad = one(data / "program" / "pod-1", "covcounters.*")
    raw = bytearray(bad.read_bytes())
    raw[8] ^= 1
    bad.write_bytes(raw)
    meta = one(data / "program" / "pod-2", "covmeta.*")
    meta.rename(meta.with_name("covmeta." + "0" * 32))
    program = read(data)["program"]
    assert sorted(kinds(program)) == ["renamed", "renamed"]
    assert program.lives() == 2


def test_counters_that_do_not_fit_their_covmeta_are_set_aside(data: Path) -> None:
    for path in data.glob("program/pod-1/covcounters.*"):
        file = covcounters.read_counters(path.read_bytes())
        file.segments[0].function[0] = 99
        path.write_bytes(covcounters.write_counters(file))
    program = read(data)["program"]
    assert kinds(program) == ["foreign", "foreign", "meta-without-counters"]
    assert program.lives() == 1


def test_leftovers_of_a_write_that_was_interrupted_are_said(data: Path) -> None:
    good = one(data / "program" / "pod-1", "covcounters.*")
    good.with_name(f"tmp.{good.name}").write_bytes(good.read_bytes()[:50])
    program = read(data)["program"]
    assert kinds(program) == ["leftover"]
    assert program.lives() == 3


def test_a_file_that_is_there_twice_counts_once(data: Path) -> None:
    expected = profile_of(read(data)["program"])
    good = one(data / "program" / "pod-1", "covcounters.*")
    shutil.copy(good, data / "program" / "pod-2" / good.name)
    program = read(data)["program"]
    assert kinds(program) == ["duplicate"]
    assert program.lives() == 3
    assert profile_of(program) == expected


def rewrite(folder: Path, change: t.Callable[[covmeta.Meta], None]) -> None:
    """Change a pod's covmeta, and give it and its counters another hash, as another build has."""
    path = one(folder, "covmeta.*")
    meta = covmeta.read_meta(path.read_bytes())
    change(meta)
    meta.hash = bytes(reversed(meta.hash))
    path.unlink()
    path.with_name(f"covmeta.{meta.hash.hex()}").write_bytes(covmeta.write_meta(meta))
    for counters in sorted(folder.glob("covcounters.*")):
        file = covcounters.read_counters(counters.read_bytes())
        file.meta_hash = meta.hash
        _prefix, _hash, process, stamp = counters.name.split(".")
        counters.unlink()
        counters.with_name(f"covcounters.{meta.hash.hex()}.{process}.{stamp}").write_bytes(
            covcounters.write_counters(file)
        )


def test_two_builds_from_different_sources_withhold_the_percentage(data: Path) -> None:
    def change(meta: covmeta.Meta) -> None:
        package = meta.packages[-1]
        meta.packages[-1] = covmeta.Package(package.path, package.name, package.module, bytes(16))

    rewrite(data / "program" / "pod-2", change)
    components = read(data)
    program = components["program"]
    assert kinds(program) == ["two-builds"]
    assert program.problems[0].severity == "error"
    assert "two builds are mixed" in program.withheld
    assert program.lives() == 3
    assert not components["worker"].withheld


def test_two_builds_from_the_same_sources_are_merged(data: Path) -> None:
    expected = profile_of(read(data)["program"])
    rewrite(data / "program" / "pod-2", lambda meta: None)
    program = read(data)["program"]
    assert [(problem.kind, problem.severity) for problem in program.problems] == [("two-builds", "note")]
    assert not program.withheld
    assert profile_of(program) == expected


def test_a_mode_clash_leaves_only_whether_it_ran(data: Path) -> None:
    def change(meta: covmeta.Meta) -> None:
        meta.mode = "set"

    before = make_profile(read(data)["program"].programs, "atomic")
    rewrite(data / "program" / "pod-2", change)
    program = read(data)["program"]
    assert "mode-clash" in kinds(program)
    assert program.mode == "set"
    after = make_profile(program.programs, program.mode)
    assert after.totals() == before.totals()
    assert np.array_equal(after.counts, (before.counts != 0).astype(np.uint32))


def test_blocks_and_functions_do_not_mix(data: Path) -> None:
    def change(meta: covmeta.Meta) -> None:
        meta.granularity = "perfunc"

    rewrite(data / "program" / "pod-2", change)
    program = read(data)["program"]
    assert "granularity-clash" in kinds(program)
    assert program.withheld


# -- the merge itself -------------------------------------------------------------------------------------------------

META = covmeta.read_meta(one(RECORDED / "worker" / "pod-1", "covmeta.*").read_bytes())
UNITS = META.units.shape[1]
lives = st.lists(
    st.lists(st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 2**32 - 1)), min_size=UNITS, max_size=UNITS),
    min_size=1,
    max_size=4,
)


def write_life(folder: Path, number: int, counts: list[int], mode: str) -> None:
    """Write one life as Go's runtime would: functions of which nothing ran are left out."""
    array = np.asarray(counts, dtype=np.uint32)
    if mode == "set":
        array = np.minimum(array, 1)
    bounds = META.function_base
    ran = [f for f in range(len(bounds) - 1) if array[bounds[f] : bounds[f + 1]].any()]
    package = META.function_package[np.asarray(ran, dtype=np.int64)]
    segment = covcounters.Segment(
        arguments={"argc": "1", "argv0": f"./program{number}", "GOOS": "linux"},
        package=package,
        function=np.asarray(ran, dtype=np.int64) - META.package_base[package],
        lengths=np.diff(bounds)[np.asarray(ran, dtype=np.int64)],
        counters=np.concatenate([array[:0], *(array[bounds[f] : bounds[f + 1]] for f in ran)]),
    )
    file = covcounters.CounterFile(META.hash, [segment])
    folder.joinpath(f"covcounters.{META.hash.hex()}.1.{1000 + number}").write_bytes(covcounters.write_counters(file))


def merge(folder: Path, numbered: t.Iterable[tuple[int, list[int]]], mode: str) -> Component:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    raw = covmeta.write_meta(covmeta.Meta(**{**META.__dict__, "mode": mode}))
    folder.joinpath(f"covmeta.{META.hash.hex()}").write_bytes(raw)
    for number, counts in numbered:
        write_life(folder, number, counts, mode)
    return read(folder)["program"]


@given(lives, st.sampled_from(["set", "count", "atomic"]), st.randoms())
def test_merging_is_a_sum_that_stops_and_its_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, all_counts: list[list[int]], mode: str, random: t.Any
) -> None:
    folder = tmp_path_factory.mktemp("merge") / "data"
    (program,) = merge(folder, enumerate(all_counts), mode).programs
    total = np.asarray(all_counts, dtype=np.uint64).sum(axis=0)
    expected = (total != 0).astype(np.uint32) if mode == "set" else np.minimum(total, 2**32 - 1).astype(np.uint32)
    assert np.array_equal(program.counts, expected)
    assert program.arguments.get("GOOS") == "linux"
    assert ("argv0" in program.arguments) == (len(all_counts) == 1)

    shuffled = list(all_counts)
    random.shuffle(shuffled)
    (other,) = merge(folder, enumerate(shuffled), mode).programs
    assert np.array_equal(other.counts, expected)


@given(lives, st.sampled_from(["set", "count", "atomic"]), st.integers(0, 3))
def test_merged_data_can_be_merged_again(
    tmp_path_factory: pytest.TempPathFactory, all_counts: list[list[int]], mode: str, cut: int
) -> None:
    base = tmp_path_factory.mktemp("again")
    whole = merge(base / "whole", enumerate(all_counts), mode)
    numbered = list(enumerate(all_counts))
    for name, part in (("one", numbered[:cut]), ("two", numbered[cut:])):
        if part:
            component = merge(base / "part", part, mode)
            (base / "parts" / "program" / name).mkdir(parents=True)
            for file, content in merged_files(component.programs).items():
                (base / "parts" / "program" / name / file).write_bytes(content)
    again = read(base / "parts")["program"]
    assert np.array_equal(again.programs[0].counts, whole.programs[0].counts)
    if mode == "set":  # and a merge of the same once more changes nothing
        for name, content in merged_files(whole.programs).items():
            (base / "parts" / "program" / "one").mkdir(exist_ok=True)
            (base / "parts" / "program" / "one" / name).write_bytes(content)
        assert np.array_equal(read(base / "parts")["program"].programs[0].counts, whole.programs[0].counts)


def test_a_counter_that_is_full_is_said(tmp_path: Path) -> None:
    component = merge(tmp_path / "full", [(0, [2**32 - 1] * UNITS), (1, [1] * UNITS)], "atomic")
    assert kinds(component) == ["overflow"]
    assert set(component.programs[0].counts.tolist()) == {2**32 - 1}


def test_all_segments_count(tmp_path: Path) -> None:
    component = merge(tmp_path / "data", [(0, [3] * UNITS)], "atomic")
    path = one(tmp_path / "data", "covcounters.*")
    file = covcounters.read_counters(path.read_bytes())
    file.segments *= 2
    path.write_bytes(covcounters.write_counters(file))
    again = read(tmp_path / "data")["program"]
    assert np.array_equal(again.programs[0].counts, 2 * component.programs[0].counts)
    assert again.lives() == 1
