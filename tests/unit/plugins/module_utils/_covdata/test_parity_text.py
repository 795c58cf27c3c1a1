# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text profiles as an input: those of go test, in which each test binary has its own lines of the same blocks."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    Profile,
    make_profile,
    percentage,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import join, read_text_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import text_profile
from go_programs import MODES, Go
from go_subjects import cover_tests, make_cover, make_cover_tests


def page_of_go(go: Go, profile: Path, cwd: Path, tmp_path: Path) -> tuple[dict[str, str], list[int]]:
    """What the page of go tool cover says: of each file its percentage, and the counts of all ranges, sorted.

    C(go tool cover -func) would be of no use: it leaves out function literals at package level, also in its total.
    """
    page = tmp_path / "page.html"
    go.run("tool", "cover", f"-html={profile}", f"-o={page}", cwd=cwd)
    text = page.read_text()
    files = dict(re.findall(r"<option [^>]*>(.*) \(([0-9.]+%)\)</option>", text))
    return files, sorted(int(count) for count in re.findall(r'<span class="cov\d+" title="(\d+)">', text))


def page_of(profile: Profile) -> tuple[dict[str, str], list[int]]:
    """The same of ours."""
    covered, statements = profile.by(profile.file, len(profile.files))
    files = {name: f"{percentage(c, s):.1f}%" for name, c, s in zip(profile.files, covered, statements, strict=True)}
    return files, sorted(profile.counts.tolist())


@pytest.fixture(scope="module", params=MODES)
def tested(request: pytest.FixtureRequest, go: Go, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The profile of go test over a module of which each test counts all packages; the module; the mode."""
    _binary, module = cover_tests(go)
    profile = tmp_path_factory.mktemp("go-test") / "cover.out"
    go.run("test", f"-covermode={request.param}", "-coverpkg=./...", f"-coverprofile={profile}", "./...", cwd=module)
    return profile, module, request.param


def test_a_profile_of_go_test(go: Go, tested: tuple[Path, Path, str], tmp_path: Path) -> None:
    path, module, mode = tested
    read, problems = join(None, [read_text_profile(str(path))])
    assert problems == []
    assert read.mode == mode
    assert page_of(read) == page_of_go(go, path, module, tmp_path)
    assert 0 < read.totals()[0] < read.totals()[1]


def test_profiles_one_behind_the_other(go: Go, tested: tuple[Path, Path, str], tmp_path: Path) -> None:
    """Blocks that are there more than once are one, in Go's tool and here; their counts are added up."""
    path, module, mode = tested
    first, *lines = path.read_text().splitlines()
    many = tmp_path / "many.out"
    factor = 1 if mode == "set" else 5
    changed = [re.sub(r"(\d+)$", lambda match: str(int(match[1]) * factor), line) for line in lines]
    many.write_text("\n".join([first, *lines, *changed[::-1], *lines]) + "\n")
    read, problems = join(None, [read_text_profile(str(many))])
    assert problems == []
    assert page_of(read) == page_of_go(go, many, module, tmp_path)
    sums: collections.Counter[str] = collections.Counter()
    for line in [*lines, *changed, *lines]:
        place, _space, number = line.rpartition(" ")
        sums[place] += int(number)
    expected = {place: min(number, 1) if mode == "set" else number for place, number in sums.items()}
    written = [line.rpartition(" ") for line in text_profile(read).splitlines()[1:]]
    assert {place: int(number) for place, _space, number in written} == expected
    # and what is written of it, Go's tool reads with the same outcome
    again = tmp_path / "again.out"
    again.write_text(text_profile(read))
    assert page_of_go(go, again, module, tmp_path) == page_of(read)


def test_counters_and_a_text_profile_of_the_same_program(go: Go, tmp_path: Path) -> None:
    """Joined they are what Go's own tool makes of both process runs."""
    subject = make_cover_tests(go, tmp_path)
    (component,) = read_collection(str(subject.root.parent), subject.name)
    base = make_profile(component.programs, component.mode)
    # the text of the same data: every count is there twice
    text = tmp_path / "process_runs.txt"
    go.textfmt(subject.folders, text)
    joined, problems = join(base, [read_text_profile(str(text))])
    assert problems == []
    assert joined.totals() == base.totals()
    double = re.sub(r"(\d+)$", lambda match: str(2 * int(match[1])), text.read_text(), flags=re.MULTILINE)
    assert text_profile(joined) == double
    assert [package.path for package in joined.packages] == [package.path for package in base.packages]


def test_a_text_profile_of_another_program_adds_its_files(go: Go, tmp_path: Path) -> None:
    one, other = make_cover_tests(go, tmp_path), make_cover(go, tmp_path, "count")
    components = {component.name: component for component in read_collection(str(tmp_path), "x")}
    base = make_profile(components[one.name].programs, "count")
    text = tmp_path / "other.txt"
    theirs = go.textfmt(other.folders, text).decode().splitlines()
    joined, problems = join(base, [read_text_profile(str(text))])
    assert problems == []
    assert sorted(text_profile(joined).splitlines()[1:]) == sorted([*text_profile(base).splitlines()[1:], *theirs[1:]])
