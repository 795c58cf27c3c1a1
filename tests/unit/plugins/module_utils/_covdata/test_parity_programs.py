# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same digits as Go's own tools, on programs of every kind (go_subjects.py), both run side by side."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import operations
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import text_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.blocks import make_blocks, ranges
from go_page import go_ranges
from go_programs import Go
from go_subjects import MAKE, Subject
from go_texts import compare_texts, selected

NAMES = sorted(MAKE)
# all or nothing of a program so small may run
FEW = {"covdata-prog1", "covdata-prog1-atomic", "covdata-prog2", "script"}


@pytest.fixture(scope="module", params=NAMES)
def subject(request: pytest.FixtureRequest, go: Go, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A program's data, made by some process runs of it."""
    made = MAKE[request.param](go, tmp_path_factory.mktemp(request.param))
    assert made.name == request.param
    return made


def read(subject: Subject, *, each_process_run: bool = False, folders: t.Sequence[Path] = ()) -> list[Program]:
    """The merged programs of a subject, or of some pods."""
    programs = []
    for folder in folders or [subject.root]:
        # the folder's name is that of the component, or the folder is a pod
        for component in read_collection(str(folder.parent), subject.name, each_process_run=each_process_run):
            if component.name == folder.name:
                assert [problem.kind for problem in component.problems if problem.severity != "note"] == []
                programs += component.programs
    assert programs
    return programs


def test_the_texts(go: Go, subject: Subject, tmp_path: Path) -> None:
    profile = make_profile(read(subject), subject.mode)
    assert profile.mode == subject.mode
    compare_texts(go, subject.folders, profile, tmp_path)
    covered, statements = profile.totals()
    assert 0 < covered < statements or subject.name in FEW
    if subject.name == "exporter-all":
        assert len(profile.packages) > 300
        assert "runtime" in {package.path for package in profile.packages}


def test_the_texts_of_some_packages(go: Go, subject: Subject, tmp_path: Path) -> None:
    profile = make_profile(read(subject), subject.mode)
    assert subject.patterns
    for pattern in subject.patterns:
        assert selected(profile, pattern).packages
        compare_texts(go, subject.folders, profile, tmp_path, pattern)


# -- operations: what we write and what Go writes is the same to Go's reader and to ours -------------------------------


def write(programs: t.Sequence[Program], folder: Path) -> Path:
    folder.mkdir()
    for name, content in merged_files(programs).items():
        (folder / name).write_bytes(content)
    return folder


def covdata(go: Go, command: str, folders: t.Sequence[Path], output: Path, *more: str) -> Path:
    output.mkdir()
    go.covdata(command, folders, f"-o={output}", *more)
    return output


def dump(go: Go, folder: Path) -> str:
    """Go's dump of everything in a folder, without the names and the command lines of the counter files."""
    text = go.covdata("debugdump", [folder]).decode()
    return re.sub(r"^(data file|\s*\*?\s*\S*covdata debugdump).*\n", "", text, flags=re.MULTILINE)


def same(go: Go, ours: Path, gos: Path, subject: Subject, tmp_path: Path) -> None:
    """The covmeta byte for byte, and all counters as Go's reader and as ours finds them."""
    assert {p.name: p.read_bytes() for p in ours.glob("covmeta.*")} == {
        p.name: p.read_bytes() for p in gos.glob("covmeta.*")
    }
    assert dump(go, ours) == dump(go, gos)
    assert go.textfmt([ours], tmp_path / "ours.txt") == go.textfmt([gos], tmp_path / "gos.txt")
    for command in ("func", "percent", "pkglist"):
        assert go.covdata(command, [ours]) == go.covdata(command, [gos])
    texts = []
    for folder in (ours, gos):
        (component,) = read_collection(str(folder), subject.name)
        assert component.problems == []
        texts.append(text_profile(make_profile(component.programs, component.mode)))
    assert texts[0] == texts[1]
    assert texts[0].encode() == (tmp_path / "gos.txt").read_bytes()


def test_merge(go: Go, subject: Subject, tmp_path: Path) -> None:
    gos = covdata(go, "merge", subject.folders, tmp_path / "gos")
    ours = write(operations.merge(read(subject, folders=subject.folders)), tmp_path / "ours")
    same(go, ours, gos, subject, tmp_path)


def test_merge_of_some_packages(go: Go, subject: Subject, tmp_path: Path) -> None:
    pattern = ",".join(subject.patterns)
    gos = covdata(go, "merge", subject.folders, tmp_path / "gos", f"-pkg={pattern}")
    ours = write(operations.select_packages(read(subject), [pattern]), tmp_path / "ours")
    same(go, ours, gos, subject, tmp_path)


def test_merge_into_one_program(go: Go, subject: Subject, tmp_path: Path) -> None:
    gos = covdata(go, "merge", subject.folders, tmp_path / "gos", "-pcombine")
    ours = write(operations.merge(read(subject), combine=True), tmp_path / "ours")
    same(go, ours, gos, subject, tmp_path)


@pytest.mark.parametrize("command", ["intersect", "subtract"])
def test_intersect_and_subtract(go: Go, subject: Subject, tmp_path: Path, command: str) -> None:
    one, other = subject.folders[0], subject.folders[-1]
    gos = covdata(go, command, [one, other], tmp_path / "gos")
    programs = [read(subject, folders=[folder], each_process_run=True) for folder in (one, other)]
    result = operations.intersect(programs) if command == "intersect" else operations.subtract(*programs)
    same(go, write(result, tmp_path / "ours"), gos, subject, tmp_path)


def test_two_builds_into_one(go: Go, tmp_path: Path) -> None:
    """Two builds of one program from other files, by a build tag: the functions that differ are there twice."""
    one = MAKE["variants-atomic"](go, tmp_path)
    other = MAKE["variants-tags"](go, tmp_path)
    gos = covdata(go, "merge", [*one.folders, *other.folders], tmp_path / "gos", "-pcombine")
    ours = write(operations.merge(read(one, folders=[*one.folders, *other.folders]), combine=True), tmp_path / "ours")
    same(go, ours, gos, one, tmp_path)
    assert go.textfmt([gos], tmp_path / "text").count(b"/internal/tagged/special.go:") > 0


def test_two_programs_with_a_common_package_into_one(go: Go, tmp_path: Path) -> None:
    subjects = [MAKE[name](go, tmp_path) for name in ("covdata-prog1", "covdata-prog2")]
    folders = [folder for subject in subjects for folder in subject.folders]
    gos = covdata(go, "merge", folders, tmp_path / "gos", "-pcombine")
    programs = [program for subject in subjects for program in read(subject)]
    same(go, write(operations.merge(programs, combine=True), tmp_path / "ours"), gos, subjects[0], tmp_path)


# -- HTML: covered, uncovered and untracked ----------------------------------------------------------------------------


def widened(source: bytes, found: t.Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Our ranges with the offsets that they have where each tab is eight spaces, as on Go's page."""
    offsets = [0]
    for byte in source:
        offsets.append(offsets[-1] + (8 if byte == 9 else 1))
    return [(offsets[begin], offsets[end], count) for begin, end, count in found]


def source_folders(go: Go, packages: t.Iterable[str], cwd: Path) -> dict[str, Path]:
    listed = go.run("list", "-f", "{{.ImportPath}}\t{{.Dir}}", *packages, cwd=cwd)
    return {path: Path(folder) for path, folder in (line.split("\t") for line in listed.splitlines())}


def test_html(go: Go, subject: Subject, tmp_path: Path) -> None:
    """The page is made by Go of our profile; a //line directive to no file ends Go's tool, so those are left out."""
    profile = make_profile(read(subject), subject.mode)
    keep = [package.path for package in profile.packages if package.path not in subject.without_source]
    if subject.name == "exporter-all":  # all of it would be 50 MB of page
        keep = [path for path in keep if path.startswith(("net", "runtime", "strings", "os", "fmt"))]
        assert len(keep) > 15
    if not keep:
        assert subject.name == "script"  # Go's tool finds no sources of command-line-arguments
        return
    profile = profile.select(keep)
    (tmp_path / "profile").write_text(text_profile(profile))
    page = tmp_path / "go.html"
    go.run("tool", "cover", f"-html={tmp_path / 'profile'}", f"-o={page}", cwd=subject.cwd)
    # latin-1: a character a byte, as our offsets are
    theirs = go_ranges(page.read_text(encoding="latin-1"))
    folders = source_folders(go, keep, subject.cwd)
    seen = marked = 0
    for index, name in enumerate(profile.files):
        units = profile.file == index
        if not units.any():
            continue
        package, _slash, base = name.rpartition("/")
        source = (folders[package] / base).read_bytes()
        found, fits = ranges(source, make_blocks(profile.units[:, units], profile.counts[units], profile.mode))
        assert fits, name
        text, expected = theirs[name]
        assert text.encode("latin-1") == source.replace(b"\t", b" " * 8), name
        assert widened(source, found) == expected, name
        seen += 1
        marked += len(found)
    assert seen == len(theirs)
    # one counter for a function has an empty range: nothing is coloured, by Go neither
    assert (marked >= 4) == (subject.name != "variants-perfunc")
