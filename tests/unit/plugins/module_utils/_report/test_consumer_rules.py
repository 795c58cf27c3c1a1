# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which services find files in reports, from their documentation: none of these can be run here."""

from __future__ import annotations

import re
import shutil
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Request, convert
from go_programs import HERE

REPORTS = HERE.parent / "reports"
PROJECT = "group/shop"  # where GitLab's runner checks a project out: CI_BUILDS_DIR and this
# data, sources below it, module
SUBJECTS = {
    "lcov2-empty-function": ("cov", "src", "example.com/stack/v3"),
    "cobertura-names-change-with-unit-profile": ("cov", "src", "example.com/depot"),
    "cobertura-monorepo": ("cov-all", "repo", "example.com/shop"),
    "cobertura-main-built-as-file": ("cov", "src", "example.com/valve-operator"),
}


@dataclass
class Reported:
    """A checkout and the reports of it."""

    root: Path
    data: Path
    texts: dict[str, str]

    def cobertura(self) -> ET.Element:
        return ET.fromstring(self.texts["cobertura"])  # noqa: S314  (made here)

    def has(self, name: str) -> bool:
        return not name.startswith("/") and (self.root / name).is_file()


@pytest.fixture(params=SUBJECTS)
def reported(request: pytest.FixtureRequest, tmp_path: Path) -> Reported:
    data, source, module = SUBJECTS[request.param]
    root = Path(shutil.copytree(REPORTS / request.param / source, tmp_path / "builds" / PROJECT))
    (root / ".git").mkdir()
    outputs = {name: str(tmp_path / name) for name in ("cobertura", "lcov", "profile")}
    convert(Request([str(REPORTS / request.param / data)], outputs, Reading(), sources={module: str(root)}))
    texts = {name: Path(path).read_text(encoding="utf-8") for name, path in outputs.items()}
    return Reported(root, REPORTS / request.param / data, texts)


def names_of_classes(report: ET.Element) -> list[str]:
    return [entry.attrib["filename"] for entry in report.iter("class")]


def test_gitlab_finds_each_file(reported: Reported) -> None:
    """docs.gitlab.com/ci/testing/code_coverage/cobertura, "Automatic class path correction" and "Limits".

    What follows the project's full path in a source is a folder of the project; with such sources a file has to be in
    one of the first 100, and without any the name of the class has to be the full path. A report has at most 10 MiB.
    """
    report = reported.cobertura()
    texts = [source.text or "" for source in report.iter("source")]
    folders = [text.split(f"{PROJECT}/", 1)[1] for text in texts if f"{PROJECT}/" in text]
    assert len(texts) <= 100
    assert len(reported.texts["cobertura"].encode()) < 10 << 20
    for name in names_of_classes(report):
        candidates = [f"{folder.rstrip('/')}/{name}" for folder in folders] or [name]
        assert any(reported.has(candidate) for candidate in candidates), (name, candidates)


def test_codecov_finds_each_file_and_takes_no_old_report_for_a_new_one(reported: Reported) -> None:
    """docs.codecov.com/docs/fixing-paths, and max_report_age in docs.codecov.com/docs/codecovyml-reference.

    Each path has to be that of the file in git. A report that is older than 12 hours is refused: the time in it has to
    be that of the data, so that an old result is not shown as a new one.
    """
    report = reported.cobertura()
    names = re.findall(r"^SF:(.*)$", reported.texts["lcov"], re.MULTILINE)
    assert names
    for name in [*names, *names_of_classes(report)]:
        assert reported.has(name), name
    written = max(int(path.name.rsplit(".", 1)[1]) for path in reported.data.rglob("covcounters.*"))
    assert int(report.attrib["timestamp"]) == written // 1_000_000_000


def test_jenkins_paints_each_file(reported: Reported) -> None:
    """The coverage plugin's help of its option sourceDirectories (github.com/jenkinsci/code-coverage-api-plugin).

    A file is looked for by its name in the workspace, and in the sources of the report where those are in there.
    """
    report = reported.cobertura()
    sources = [Path(source.text or "") for source in report.iter("source")]
    names = names_of_classes(report)
    assert names
    for name in names:
        found = [folder / name for folder in (reported.root, *sources) if (folder / name).is_file()]
        assert found, name
        assert {path.resolve() for path in found} == {(reported.root / name).resolve()}


def test_sonar_reads_what_go_itself_writes(reported: Reported) -> None:
    """docs.sonarsource.com, "Go test coverage": sonar.go.coverage.reportPaths takes what C(-coverprofile) writes.

    So names are import paths and not those of the repository; each is one of a module of the checkout, by its go.mod.
    """
    mode, *lines = reported.texts["profile"].splitlines()
    assert mode in ("mode: set", "mode: count", "mode: atomic")
    modules = {path.read_text(encoding="utf-8").split()[1]: path.parent for path in reported.root.rglob("go.mod")}
    for line in lines:
        found = re.fullmatch(r"(?P<file>.+):[0-9]+\.[0-9]+,[0-9]+\.[0-9]+ [0-9]+ [0-9]+", line)
        assert found, line
        assert any(places(found["file"], modules)), line


def places(file: str, modules: t.Mapping[str, Path]) -> t.Iterator[bool]:
    """Yield whether a file of the profile is there: by its module, or by the end of the path of its build."""
    for module, folder in modules.items():
        yield file.startswith(f"{module}/") and (folder / file.removeprefix(f"{module}/")).is_file()
        parts = file.strip("/").split("/") if file.startswith("/") else []
        yield any((folder / "/".join(parts[number:])).is_file() for number in range(len(parts)))
