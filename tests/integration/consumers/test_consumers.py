# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tools that people feed our reports to make of them, and of those that were made from the same data."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Request, convert
from consumer_tools import Tools
from go_programs import HERE

pytestmark = pytest.mark.consumers

REPORTS = HERE.parent / "reports"
# data, sources below it, module
SUBJECTS = {
    "lcov2-empty-function": ("cov", "src", "example.com/stack/v3"),
    "cobertura-names-change-with-unit-profile": ("cov", "src", "example.com/depot"),
    "cobertura-monorepo": ("cov-all", "repo", "example.com/shop"),
    "cobertura-main-built-as-file": ("cov", "src", "example.com/valve-operator"),
}
Rows = dict[tuple[str, int], bool]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(params=SUBJECTS)
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository with all reports in its root."""
    data, source, module = SUBJECTS[request.param]
    root = Path(shutil.copytree(REPORTS / request.param / source, tmp_path / "checkout"))
    formats = ("cobertura", "lcov", "profile")
    convert(
        Request(
            [str(REPORTS / request.param / data)],
            {name: str(root / f"report.{name}") for name in formats},
            Reading(),
            sources={module: str(root)},
        )
    )
    git(root, "init")
    git(root, "add", "--all")
    git(root, "commit", "--message=first")
    return root


def cobertura(text: str, prefix: str = "") -> Rows:
    rows: Rows = {}
    for entry in ET.fromstring(text).iter("class"):  # noqa: S314  (made here)
        for line in entry.findall("lines/line"):
            rows[prefix + entry.attrib["filename"], int(line.attrib["number"])] = line.attrib["hits"] != "0"
    return rows


def lcov(text: str) -> Rows:
    rows: Rows = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("SF:"):
            name = line[3:]
        elif line.startswith("DA:"):
            number, hits = line[3:].split(",")
            rows[name, int(number)] = hits != "0"
    return rows


def test_genhtml_reads_it_and_has_the_same_lines(tools: Tools, checkout: Path) -> None:
    text = tools.run(checkout, "genhtml", "--output-directory", "html", "report.lcov")
    rows = lcov((checkout / "report.lcov").read_text())
    assert f"({sum(rows.values())} of {len(rows)} lines)" in text
    # genhtml leaves out the folder that all files are in
    pages = [str(path) for path in (checkout / "html").rglob("*.gcov.html")]
    for name, _line in rows:
        assert any(page.endswith(f"/{name.rpartition('/')[2]}.gcov.html") for page in pages)


def test_lcov_adds_it_to_itself(tools: Tools, checkout: Path) -> None:
    tools.run(checkout, "lcov", "-a", "report.lcov", "-a", "report.lcov", "-o", "sum.info")
    names = {name.removeprefix(f"{checkout}/") for name, _line in lcov((checkout / "sum.info").read_text())}
    assert names == {name for name, _line in lcov((checkout / "report.lcov").read_text())}


@pytest.mark.parametrize("name", ["cobertura", "lcov"])
@pytest.mark.parametrize("below", ["", "internal", "services/gate"])
def test_diff_cover_finds_every_changed_line(tools: Tools, checkout: Path, name: str, below: str) -> None:
    if not (checkout / below).is_dir():
        pytest.skip(f"no folder {below} in this repository")
    rows = lcov((checkout / "report.lcov").read_text())
    for path in {name for name, _line in rows}:
        source = checkout / path
        source.write_text("".join(f"{line} // changed\n" for line in source.read_text().splitlines()))
    report = checkout / f"coverage-{name}.{'xml' if name == 'cobertura' else 'info'}"
    shutil.copy(checkout / f"report.{name}", report)
    if name == "lcov" and below:
        pytest.skip("diff-cover takes the names in LCOV for relative to the current folder")
    text = tools.run(checkout / below, "diff-cover", report, "--compare-branch=HEAD", "--diff-range-notation=..")
    assert f"Total:   {len(rows)} lines" in text
    assert f"Missing: {len(rows) - sum(rows.values())} lines" in text


def test_pycobertura_shows_the_same_numbers_and_every_source(tools: Tools, checkout: Path) -> None:
    rows = lcov((checkout / "report.lcov").read_text())
    text = tools.run(checkout, "pycobertura", "show", "--format", "csv", "--delimiter", ",", "report.cobertura")
    total = text.strip().splitlines()[-1].split(",")
    assert [int(total[1]), int(total[2])] == [len(rows), len(rows) - sum(rows.values())]
    page = tools.run(checkout, "pycobertura", "show", "--format", "html", "report.cobertura")
    assert "not found" not in page


def modules(checkout: Path) -> t.Iterator[tuple[Path, str]]:
    for path in sorted(checkout.rglob("go.mod")):
        yield path.parent, path.read_text().split()[1]


def test_gocover_cobertura_and_gcov2lcov_have_the_same_lines(tools: Tools, checkout: Path) -> None:
    """Each is run in every module: they find files by the go command. Of hits they have the sum, ours the largest."""
    profile = (checkout / "report.profile").read_text()
    if "\n/" in profile:
        built = next(line.partition("/cmd/")[0] for line in profile.splitlines() if line.startswith("/"))
        profile = profile.replace(built, str(checkout))
    ours = cobertura((checkout / "report.cobertura").read_text())
    assert ours == lcov((checkout / "report.lcov").read_text())
    theirs: dict[str, Rows] = {"gocover-cobertura": {}, "gcov2lcov": {}}
    paths = sorted((path for _folder, path in modules(checkout)), key=len, reverse=True)
    for folder, module in modules(checkout):
        head, *lines = profile.splitlines()
        mine = [
            line
            for line in lines
            if (line.startswith("/") and folder == checkout)
            or next((path for path in paths if line.startswith(f"{path}/")), "") == module
        ]
        if not mine:
            continue
        prefix = f"{folder.relative_to(checkout)}/" if folder != checkout else ""
        text = "\n".join([head, *mine, ""])
        (folder / "part.txt").write_text(text)
        if not any(line.startswith("/") for line in mine):
            xml = tools.run(folder, "gocover-cobertura", stdin=text.encode())
            theirs["gocover-cobertura"].update(cobertura(xml, prefix))
        tools.run(folder, "gcov2lcov", "-infile", "part.txt", "-outfile", "part.info")
        found = lcov((folder / "part.info").read_text())
        theirs["gcov2lcov"].update(
            # in a workspace its names are relative to that
            {(name if (checkout / name).is_file() else prefix + name, line): ran for (name, line), ran in found.items()}
        )
    assert theirs["gcov2lcov"]
    for rows in filter(None, theirs.values()):  # main packages that were built as files are in neither
        files = {name for name, _line in rows}
        assert rows == {key: ran for key, ran in ours.items() if key[0] in files}
        assert {key[0] for key in ours} - files <= {"cmd/main.go"}
