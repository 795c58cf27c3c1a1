# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text profiles mean what golang.org/x/tools/cover makes of them, which runs beside."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile, make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import (
    TextProfile,
    join,
    looks_like_text,
    parse_text_profile,
    read_text_profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import (
    function_text,
    profile_chunks,
    text_profile,
)
from go_programs import HERE, Go, live
from hypothesis import given
from hypothesis import strategies as st

TOOLS = "golang.org/x/tools@v0.26.0"
REFERENCE = """
package main

import (
    "fmt"
    "os"

    "golang.org/x/tools/cover"
)

func main() {
    profiles, err := cover.ParseProfiles(os.Args[1])
    if err != nil {
        fmt.Fprintln(os.Stderr, err)
        os.Exit(1)
    }
    for _, p := range profiles {
        for _, b := range p.Blocks {
            fmt.Printf("%s %s:%d.%d,%d.%d %d %d\\n", p.Mode, p.FileName, b.StartLine, b.StartCol, b.EndLine, b.EndCol,
                b.NumStmt, b.Count)
        }
    }
}
"""


@pytest.fixture(scope="session")
def reference(go: Go) -> Path:
    """A program that prints what golang.org/x/tools/cover reads."""

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "main.go").write_text(REFERENCE)
        go.run("mod", "init", "example.com/reference", cwd=folder)
        go.run("get", TOOLS, cwd=folder)
        go.build(folder / "reference", ".", cwd=folder)

    return go.once("text-profile-reference", make) / "reference"


def told(reference: Path, path: Path) -> list[str] | None:
    """What Go's package reads, a line each; nothing where it refuses."""
    done = subprocess.run([reference, path], capture_output=True, timeout=60, check=False)
    return sorted(done.stdout.decode().splitlines()) if done.returncode == 0 else None


def lines(text: TextProfile) -> list[str]:
    rows = zip(text.file.tolist(), text.units.T.tolist(), text.counts.tolist(), strict=True)
    return sorted(
        f"{text.mode} {text.files[file]}:{a}.{b},{c}.{d} {n} {count}" for file, (a, b, c, d, n), count in rows
    )


PROFILE = b"""mode: count
example.com/a/b.go:3.10,5.2 2 4
example.com/a/a.go:30.10,50.2 2 1
example.com/a/b.go:1.1,2.2 1 0
example.com/a/a.go:30.10,50.2 2 41
example.com/a/b.go:3.10,5.2 2 0
C:/odd name, 1.2,3.4 5 6.go:7.8,9.10 11 12
"""


@pytest.mark.parametrize("mode", [b"set", b"count", b"atomic"])
@pytest.mark.parametrize(
    "change", [lambda data: data, lambda data: data.replace(b"\n", b"\r\n"), lambda data: data[:-1]]
)
def test_what_go_reads(reference: Path, tmp_path: Path, mode: bytes, change) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "profile"
    path.write_bytes(change(PROFILE.replace(b"count", mode)))
    expected = told(reference, path)
    assert expected is not None
    assert len(expected) == 4
    if mode == b"set":
        # Go ors the bits of counts in mode set; what ran is 1 in every profile that Go writes
        expected = [line.rpartition(" ")[0] + f" {min(int(line.rpartition(' ')[2]), 1)}" for line in expected]
    assert lines(read_text_profile(str(path))) == expected


names = st.sampled_from(["a.go", "b.go", "dir/a.go", "dir/b.go", "x:1.go", "1.2,3.4 5 6", "\u00e4.go"])
numbers = st.integers(0, 3)
blocks = st.lists(st.tuples(names, numbers, numbers, numbers, numbers, numbers), max_size=40)


@given(blocks, st.sampled_from(["set", "count", "atomic"]))
def test_any_profile_means_what_go_reads(reference: Path, tmp_path_factory: pytest.TempPathFactory, rows, mode) -> None:  # type: ignore[no-untyped-def]
    text = f"mode: {mode}\n" + "".join(f"{n}:{a}.{b},{c}.{d} 1 {min(k, 1)}\n" for n, a, b, c, d, k in rows)
    path = tmp_path_factory.mktemp("any") / "profile"
    path.write_text(text)
    assert lines(read_text_profile(str(path))) == told(reference, path)


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (b"", "empty-file", "empty"),
        (b"hello\n", "wrong-magic", "line 1 is 'hello'"),
        (b"mode: \n", "wrong-magic", "line 1"),
        (b"mode: fast\n", "wrong-magic", "set, count, atomic"),
        (b"mode: set\na.go:1.2,3.4 5\n", "damaged", "line 2 "),
        (b"mode: set\na.go:1.2,3.4 5 6\n\n", "blank-line", "line 3 "),
        (b"mode: set\na.go:1.2,3.4 5 6\nmode: set\n", "joined-profiles", "line 3 is a second 'mode: set'"),
        (b"mode: set\n:1.2,3.4 5 6\n", "damaged", "its file name is blank"),
        (b"mode: set\na.go:1.2,3.4 5 -6\n", "damaged", "its count is '-6'"),
        (b"mode: set\na.go:1.2,3.4 5 \n", "damaged", "its count is ''"),
        (b"mode: set\na.go:1.2;3.4 5 6\n", "damaged", "there is no ',' before its end line"),
        (b"mode: set\na.go:1.2,3.4 5 12345678901234567890\n", "damaged", "its count is too large"),
        (b"mode: set\na.go:1.2,4294967296.4 5 6\n", "damaged", "its end line is too large"),
        (b"mode: set\na.go:1.2,3.4 5 6\na.go:1.2,3.4 6 6\n", "statements-differ", "a.go:1.2,3.4"),
        (b"mode: set\n" + b"a.go:1.2,3.4 5 6\n" * 200_000 + b"x\n", "damaged", "line 200002 "),
    ],
)
def test_what_is_refused_and_where(reference: Path, tmp_path: Path, data: bytes, kind: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_text_profile(data)
    assert caught.value.kind == kind
    assert says in caught.value.message
    # Go refuses the same, but for an empty file, any mode, and line numbers of 64 bits
    if data and b"mode: fast" not in data and b"4294967296" not in data:
        path = tmp_path / "profile"
        path.write_bytes(data)
        assert told(reference, path) is None


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        read_text_profile(str(tmp_path / "nowhere"))
    assert caught.value.kind == "unreadable"


def test_counts_stop_at_the_largest() -> None:
    text = parse_text_profile(b"mode: count\na.go:1.2,3.4 5 4294967295\na.go:1.2,3.4 5 1\na.go:5.1,6.1 1 9999999999\n")
    assert text.counts.tolist() == [0xFFFFFFFF, 0xFFFFFFFF]
    assert text.overflow
    _profile, problems = join(None, [text])
    assert [problem.kind for problem in problems] == ["overflow"]


def test_many_lines_take_no_time() -> None:
    rows = (f"example.com/p{n // 400}/f.go:{n % 400 * 3 + 1}.2,{n % 400 * 3 + 3}.4 2 {n % 7}\n" for n in range(350_000))
    data = b"mode: atomic\n" + "".join(rows).encode()
    begin = time.process_time()
    text = parse_text_profile(data)
    assert time.process_time() - begin < 2  # 0.25 s on an idle machine; a loop over the lines takes longer than this
    assert len(text.counts) == 350_000
    profile, _problems = join(None, [text])
    assert b"".join(profile_chunks(profile)).count(b"\n") == 350_001


def test_a_text_profile_is_told_by_its_first_bytes() -> None:
    assert looks_like_text(PROFILE[:6])
    assert not looks_like_text(b"\x00cvm")


@pytest.fixture(scope="module")
def base(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """What two process runs of the fixture program covered."""
    root = tmp_path_factory.mktemp("join")
    live(go.program("count"), root / "program" / "pod", "area")
    live(go.program("count"), root / "program" / "pod", "text")
    (component,) = read_collection(str(root), "program")
    return make_profile(component.programs, component.mode)


def as_text(profile: Profile, path: str = "unit.txt") -> TextProfile:
    return parse_text_profile(b"".join(profile_chunks(profile)), path)


def test_a_profile_survives_being_a_text(base: Profile) -> None:
    joined, problems = join(None, [as_text(base)])
    assert problems == []
    assert text_profile(joined) == text_profile(base)
    assert joined.totals() == base.totals()
    assert [package.path for package in joined.packages] == [
        package.path for index, package in enumerate(base.packages) if index in set(base.package.tolist())
    ]
    (total,) = function_text(joined).splitlines()  # a text profile tells no functions
    assert total.split() == function_text(base).splitlines()[-1].split()


def test_counts_are_added_and_functions_stay(base: Profile, reference: Path, tmp_path: Path) -> None:
    before = text_profile(base)
    joined, problems = join(base, [as_text(base), as_text(base)])
    assert problems == []
    assert joined.counts.tolist() == (3 * base.counts.astype(np.int64)).tolist()
    assert function_text(joined) == function_text(base)
    assert text_profile(base) == before, "the argument is left alone"
    # what Go makes of the same three in one file
    path = tmp_path / "three"
    body = before.partition("\n")[2]
    path.write_text("mode: count\n" + body * 3)
    assert lines(as_text(joined)) == told(reference, path)


def test_new_files_come_in_at_their_place(base: Profile) -> None:
    new = "example.com/program/internal/extra/extra.go"
    text = parse_text_profile(f"mode: count\n{new}:1.2,3.4 5 6\naaa/first.go:1.1,2.2 3 0\n".encode())
    joined, problems = join(base, [text])
    assert problems == []
    covered, statements = base.totals()
    assert joined.totals() == (covered + 5, statements + 8)
    rows = text_profile(joined).splitlines()
    assert rows[1] == "aaa/first.go:1.1,2.2 3 0"
    assert f"{new}:1.2,3.4 5 6" in rows
    paths = [package.path for package in joined.packages]
    assert paths == sorted(paths)
    assert {"aaa", "example.com/program/internal/extra"} <= set(paths)
    assert function_text(joined).splitlines()[:-1] == function_text(base).splitlines()[:-1]


@pytest.mark.parametrize("change", [(".", ".1"), (" 1 ", " 2 ")])
def test_other_sources_are_found_out(base: Profile, change: tuple[str, str]) -> None:
    head, row, *_rest = text_profile(base).split("\n")
    place, blank, rest = row.rpartition(":")
    other = place + blank + rest.replace(*change, 1) if change[0] == "." else row.replace(" 3 ", " 4 ").replace(*change)
    assert other != row
    text = parse_text_profile(f"{head}\n{other}\n".encode(), "unit.txt")
    joined, problems = join(base, [text])
    assert [problem.kind for problem in problems] == ["source-clash"]
    assert "1 file" in problems[0].sentence
    assert text_profile(joined) == text_profile(base), "set aside"
    with pytest.raises(InputError) as caught:
        join(base, [text], policy="fail")
    assert caught.value.cause == "source-clash"
    kept, problems = join(base, [text], policy="warn")
    assert [problem.kind for problem in problems] == ["source-clash"]
    assert text_profile(kept) != text_profile(base)


def test_modes_that_differ(base: Profile) -> None:
    text = as_text(base)
    text.mode = "atomic"
    joined, problems = join(base, [text])
    assert (joined.mode, [problem.kind for problem in problems]) == ("atomic", ["mode-clash"])
    text.mode = "set"
    joined, problems = join(base, [text])
    assert joined.mode == "set"
    assert set(joined.counts.tolist()) == {0, 1}
    assert base.mode == "count"


def test_what_is_set_aside_has_no_say(base: Profile) -> None:
    """Found by the fuzzer: a text profile of other sources in mode set reduced all others to set."""
    name, colon, rest = text_profile(base).split("\n")[1].rpartition(":")
    row = name + colon + rest.replace(".", ".1", 1)
    joined, problems = join(base, [parse_text_profile(f"mode: set\n{row}\n".encode())])
    assert [problem.kind for problem in problems] == ["source-clash"]
    assert (joined.mode, text_profile(joined)) == ("count", text_profile(base))


def test_unit_tests_join_end_to_end_tests(go: Go, base: Profile, tmp_path: Path) -> None:
    """A real text profile of go test, beside data of the program that was built from the same sources."""
    folder = tmp_path / "program"
    subprocess.run(["cp", "-r", str(HERE / "program"), str(folder)], check=True)
    (folder / "internal" / "text" / "text_test.go").write_text(
        'package text\n\nimport "testing"\n\nfunc TestNothing(t *testing.T) {}\n'
    )
    profile = tmp_path / "unit.txt"
    go.run("test", "-covermode=count", "-coverpkg=./...", f"-coverprofile={profile}", "./internal/text", cwd=folder)
    text = read_text_profile(str(profile))
    assert text.mode == "count"
    joined, problems = join(base, [text])
    assert problems == []
    assert joined.totals()[1] == base.totals()[1], "the same blocks"
    assert joined.totals()[0] >= base.totals()[0]
