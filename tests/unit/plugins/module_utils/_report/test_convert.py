# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage data and text profiles become files in any format."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Converted, Request, convert
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.formats import FORMATS
from go_programs import HERE, RECORDED, Go

MODULE = "example.com/program"


def run(inputs: t.Sequence[Path], outputs: t.Mapping[str, t.Any], **more: t.Any) -> Converted:
    given = {name: str(path) if isinstance(path, Path) else path for name, path in outputs.items()}
    return convert(Request([str(path) for path in inputs], given, more.pop("reading", Reading()), **more))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Recorded data of four process runs."""
    return Path(shutil.copytree(RECORDED, tmp_path / "data"))


def test_every_format(go: Go, data: Path, tmp_path: Path) -> None:
    outputs = {name: tmp_path / "out" / f"report.{name}" for name in FORMATS}
    made = run([data], outputs, name="program", sources={MODULE: str(HERE / "program")})
    assert made.changed
    assert made.files == {name: str(path) for name, path in outputs.items()}
    pods = sorted(data.glob("*/*"))
    assert outputs["profile"].read_bytes() == go.textfmt(pods, tmp_path / "go.txt")
    assert outputs["func"].read_bytes() == go.covdata("func", pods)
    assert outputs["pkglist"].read_bytes() == go.covdata("pkglist", pods)
    percent = outputs["percent"].read_text().splitlines()
    assert percent[0] == f"\t{MODULE}/cmd/program\t\tcoverage: 57.1% of statements"
    summary = json.loads(outputs["json"].read_text())
    assert (summary["service"], summary["covered"], summary["statements"]) == ("program", 40, 58)
    assert summary == made.summary
    assert "69.0 %" in outputs["markdown"].read_text()
    assert "69.0 %" in outputs["html"].read_text()
    assert outputs["cobertura"].read_text().startswith("<?xml")
    assert outputs["lcov"].read_text().startswith("TN:")
    assert sorted(path for path, _before, _after in made.differences) == sorted(
        str(outputs[name]) for name in ("percent", "pkglist", "markdown")
    )
    before = everything(tmp_path)
    assert not run([data], outputs, name="program", sources={MODULE: str(HERE / "program")}).changed
    assert everything(tmp_path) == before


def test_check_mode_predicts_and_writes_nothing(data: Path, tmp_path: Path) -> None:
    before = everything(tmp_path)
    made = run([data], {"percent": tmp_path / "out" / "percent"}, check=True)
    assert made.changed
    assert made.summary["covered"] == 40
    assert made.differences[0][1] == ""
    assert "57.1%" in made.differences[0][2]
    assert everything(tmp_path) == before


def test_no_outputs_are_numbers_only(data: Path, tmp_path: Path) -> None:
    before = everything(tmp_path)
    made = run([data], {})
    assert not made.changed
    assert made.lines[0] == "coverage: 69.0 % of statements (40 of 58), 4 process runs, mode atomic"
    assert everything(tmp_path) == before


def test_text_profiles_alone_and_joined(data: Path, tmp_path: Path) -> None:
    profile = tmp_path / "unit.txt"
    run([data / "worker"], {"profile": profile})
    alone = run([profile], {"html": tmp_path / "page.html", "lcov": tmp_path / "lcov", "func": tmp_path / "func"})
    assert alone.lines[0].endswith("1 text profile, mode atomic")
    assert "1 text profile" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "func").read_text().startswith("total\t")
    both = run([data, profile], {"profile": tmp_path / "both.txt"})
    assert both.lines[0] == "coverage: 69.0 % of statements (40 of 58), 4 process runs, 1 text profile, mode atomic"
    only = run([data], {"profile": tmp_path / "only.txt"})
    assert only.summary["covered"] == both.summary["covered"]
    assert (tmp_path / "only.txt").read_bytes() != (tmp_path / "both.txt").read_bytes(), "counts are added"


def test_a_text_profile_of_other_sources(data: Path, tmp_path: Path) -> None:
    profile = tmp_path / "unit.txt"
    run([data], {"profile": profile})
    profile.write_text(profile.read_text().replace("text.go:1", "text.go:9"))
    made = run([data, profile], {})
    assert [problem["kind"] for problem in made.summary["problems"]] == ["source-clash"]
    assert made.summary["covered"] == 40
    with pytest.raises(InputError) as caught:
        run([data, profile], {}, reading=Reading(policy="fail"))
    assert caught.value.cause == "source-clash"


def test_packages_are_chosen(data: Path) -> None:
    made = run([data], {}, include=[f"{MODULE}/internal/..."], exclude=[f"{MODULE}/internal/text"])
    assert [row["path"].rpartition("/")[2] for row in made.summary["packages"]] == ["generated", "nothing", "shapes"]


def test_bad_input_leaves_everything_as_it_is(data: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "unit.txt").write_text("mode: set\na.go:1.1,2.2 1 1\n")
    (tmp_path / "none.txt").write_text("mode: set\na.go:1.1,2.2 0 1\n")
    before = everything(tmp_path)
    out = tmp_path / "out"
    for inputs, outputs, more, cause, says in (
        ([data], {"htlm": out}, {}, "unknown-format", "the nearest is html"),
        ([data], {"html": "relative.html"}, {}, "bad-input", "absolute"),
        ([data], {"html": None}, {}, "bad-input", "absolute"),
        ([data], {"html": tmp_path / "folder"}, {}, "bad-input", "is a folder"),
        ([data], {"html": out, "func": out}, {}, "bad-input", "one file"),
        ([data, tmp_path / "unit.txt"], {"profile": tmp_path / "unit.txt"}, {}, "bad-input", "is an input"),
        ([data], {"func": out}, {"include": [f"{MODULE}/internal/txt"]}, "unmatched-pattern", "the nearest is"),
        ([data], {"func": out}, {"exclude": ["..."]}, "unmatched-pattern", "select none"),
        ([data], {"func": out}, {"sources": {MODULE: "/nowhere/at/all"}}, "bad-input", "source folder"),
        ([tmp_path / "nowhere"], {"func": out}, {}, "input-missing", "nowhere"),
        ([tmp_path / "folder"], {"func": out}, {}, "no-coverage-data", "no covmeta"),
        ([tmp_path / "none.txt"], {"func": out}, {}, "no-statements", "no statements"),
    ):
        with pytest.raises((InputError, DataError), match=says) as caught:
            run(inputs, outputs, **more)
        assert caught.value.cause == cause
        assert caught.value.setting
    assert everything(tmp_path) == before
