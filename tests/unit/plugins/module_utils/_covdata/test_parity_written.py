# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no program can be made to do in a test is written by our writer, and Go's own tools read it as ours do.

Counters over 2^28 (a program would count for an hour), counters that stop at 2^32-1, the raw flavour and big-endian
files of other machines, and programs of any shape: names of any letters, functions and packages without anything.
"""

from __future__ import annotations

import shutil
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import (
    function_text,
    package_text,
    percent_text,
    text_profile,
)
from go_programs import MODES, Go, live
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import Shape, make_meta, shapes

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "fuzz"))

import cases

LARGE = (2**28 - 1, 2**28, 2**28 + 1, 2**31, 2**32 - 2, 2**32 - 1)


def change(path: Path, counters: t.Callable[[np.ndarray], np.ndarray], **form: t.Any) -> None:
    """Write a program's counter file anew, with other numbers or in another form."""
    file = covcounters.read_counters(path.read_bytes())
    (segment,) = file.segments
    file = replace(file, segments=[replace(segment, counters=counters(segment.counters))], **form)
    path.write_bytes(covcounters.write_counters(file))


def compare(go: Go, folders: t.Sequence[Path], root: Path, tmp_path: Path, expected: t.Sequence[str] = ()) -> str:
    """Hold all texts against Go's; return the text profile."""
    components = read_collection(str(root), "program")
    (component,) = (entry for entry in components if entry.name == "program")
    assert [problem.kind for problem in component.problems] == list(expected)
    profile = make_profile(component.programs, component.mode)
    text = text_profile(profile)
    assert text.encode("utf-8", "surrogateescape") == go.textfmt(folders, tmp_path / "go.txt")
    assert function_text(profile).encode("utf-8", "surrogateescape") == go.covdata("func", folders)
    assert package_text([package.path for package in profile.packages]).encode() == go.covdata("pkglist", folders)
    return text


@pytest.mark.parametrize("mode", MODES)
def test_large_counters(go: Go, tmp_path: Path, mode: str) -> None:
    """The sum of two process runs stops at 2^32-1 in both, and merged data say the same again."""
    root = tmp_path / "data"
    values = np.asarray(LARGE, dtype=np.uint32)
    for pod in ("pod-1", "pod-2"):
        live(go.program(mode), root / "program" / pod, "area", "text", "largest")
        (path,) = (root / "program" / pod).glob("covcounters.*")
        change(path, lambda old: np.where(old != 0, np.resize(values, len(old)), 0).astype(np.uint32))
    pods = sorted((root / "program").iterdir())
    full = mode != "set"
    single = tmp_path / "single"
    shutil.copytree(pods[0], single / "program" / "pod-1")
    alone = compare(go, [single / "program" / "pod-1"], single, tmp_path)
    text = compare(go, pods, root, tmp_path, ["overflow"] if full else [])
    if full:
        found = {int(line.rsplit(" ", 1)[1]) for line in alone.splitlines()[1:]}
        assert found == {0, *LARGE}
        assert {int(line.rsplit(" ", 1)[1]) for line in text.splitlines()[1:]} == {
            0,
            2**29 - 2,
            2**29,
            2**29 + 2,
            2**32 - 1,
        }
    merged = tmp_path / "merged" / "program" / "pod"
    merged.mkdir(parents=True)
    (component,) = read_collection(str(root), "program")
    for name, content in merged_files(component.programs).items():
        (merged / name).write_bytes(content)
    assert compare(go, [merged], tmp_path / "merged", tmp_path) == text


@pytest.mark.parametrize("big_endian", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("flavour", [covcounters.RAW, covcounters.ULEB128], ids=["raw", "uleb128"])
def test_forms_of_other_machines(go: Go, tmp_path: Path, flavour: int, big_endian: bool) -> None:
    for number, arguments in enumerate((["area", "text"], ["many", "many"])):
        pod = tmp_path / "data" / "program" / f"pod-{number}"
        live(go.program("atomic"), pod, *arguments)
        (path,) = pod.glob("covcounters.*")
        change(path, lambda counters: counters * 1000, flavour=flavour, big_endian=big_endian)
    text = compare(go, sorted((tmp_path / "data" / "program").iterdir()), tmp_path / "data", tmp_path)
    assert " 600000\n" in text


@settings(max_examples=60)
@given(shapes(), st.sampled_from(MODES), st.sampled_from(["perblock", "perfunc"]))
def test_programs_of_any_shape(
    go: Go, tmp_path_factory: pytest.TempPathFactory, shape: Shape, mode: str, granularity: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("shape")
    folder = tmp_path / "data" / "program" / "pod"
    folder.mkdir(parents=True)
    meta = make_meta(shape, mode, granularity)
    (folder / f"covmeta.{meta.hash.hex()}").write_bytes(covmeta_writer.write_meta(meta))
    total = meta.units.shape[1]
    lengths = np.diff(meta.function_base)
    counts = np.resize(np.asarray([1, 0, 7, 2**32 - 1], dtype=np.uint32), total)
    if mode == "set":
        counts = np.minimum(counts, 1)
    ran = np.flatnonzero(np.arange(len(lengths)) % 3 != 1)
    package = meta.function_package[ran]
    segment = covcounters.Segment(
        arguments={"argc": "1", "argv0": "program", "GOOS": "linux", "GOARCH": "amd64"},
        package=package,
        function=ran - meta.package_base[package],
        lengths=lengths[ran],
        counters=counts[np.repeat(np.isin(np.arange(len(lengths)), ran), lengths)],
    )
    data = covcounters.write_counters(covcounters.CounterFile(meta.hash, [segment]))
    (folder / f"covcounters.{meta.hash.hex()}.1.1").write_bytes(data)
    compare(go, [folder], tmp_path / "data", tmp_path)
    # Go's percent does not end the line of a package without statements; names have no tab in them
    (component,) = read_collection(str(tmp_path / "data"), "program")
    ours = percent_text(make_profile(component.programs, component.mode)).encode("utf-8", "surrogateescape")
    theirs = go.covdata("percent", [folder])
    assert ours.replace(b"coverage: [no statements]\n", b"") == theirs.replace(b"coverage: [no statements]\n", b"")


def test_damaged_counters_that_are_accepted_are_what_go_reads(go: Go, tmp_path: Path) -> None:
    """Of the fuzzer's cases: what passes as good here says the same to Go, or Go refuses it (its arguments, mostly)."""
    same = refused = 0
    for index in range(6000):
        case = cases.make_case("go", index)
        if case.kind != "counters":
            continue
        try:
            file = covcounters.read_counters(case.data)
            added = cases.plain_sum(cases.program_of(case.name)[0], case.data)
        except FormatError:
            continue
        if len(file.segments) > 1:  # Go reads the first only
            continue
        digest = case.name.split(".")[1]
        good = next(good for good in cases.corpus()["meta"] if good.name == f"covmeta.{digest}")
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / good.name).write_bytes(good.data)
        (folder / case.name).write_bytes(case.data)
        output = folder / "text"
        if go.tries("textfmt", f"-i={folder}", f"-o={output}"):
            refused += 1
            continue
        meta = covmeta.read_meta(good.data)
        profile = make_profile([Program(meta, "", added.astype(np.uint32), process_runs=1)], meta.mode)
        assert text_profile(profile).encode("utf-8", "surrogateescape") == output.read_bytes(), case.mutations
        same += 1
    assert same > 50
    assert refused < same / 5
