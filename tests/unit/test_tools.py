# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What make calls: the step that shows it moves, the suite that counts and never swallows a failure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import step
import suite

PASSED = '<testsuites><testsuite><testcase classname="a" name="one"/></testsuite></testsuites>'
MIXED = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="no"/></testcase>
<testcase classname="a" name="broken"><error message="no"/></testcase>
<testcase classname="a" name="left"><skipped/></testcase>
</testsuite></testsuites>"""


def test_junit_is_counted(tmp_path: Path) -> None:
    (tmp_path / "one.xml").write_text(PASSED)
    (tmp_path / "two.xml").write_text(MIXED)
    count = suite.read_junit(tmp_path, "pytest", 1)
    assert str(count) == "2 passed, 2 failed"
    assert count.failed == ["a::bad", "a::broken"]


def test_a_crash_without_a_report_is_a_failure(tmp_path: Path) -> None:
    assert suite.read_junit(tmp_path, "pytest", 3).failed == ["pytest (exit code 3)"]
    (tmp_path / "one.xml").write_text(PASSED)
    assert suite.read_junit(tmp_path, "pytest", 3).failed == ["pytest (exit code 3)"]


def test_success_without_a_test_is_a_failure(tmp_path: Path) -> None:
    assert suite.read_junit(tmp_path, "pytest", 0).failed == ["pytest (nothing was run)"]


def test_every_part_is_run_and_a_failed_one_fails_the_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> suite.Count:
        """Breaks."""
        raise subprocess.CalledProcessError(7, ["tool"])

    def bad() -> suite.Count:
        """Fails."""
        return suite.Count(1, ["this one"])

    def good() -> suite.Count:
        """Works."""
        return suite.Count(3, [])

    monkeypatch.setattr(suite, "PARTS", {"broken": broken, "bad": bad, "good": good})
    monkeypatch.chdir(suite.ROOT)
    assert suite.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "4 passed, 2 failed"
    assert "    failed: this one" in lines
    assert "    failed: broken (could not be run)" in lines
    assert suite.main(["good"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed"


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.main(["nothing"]) == 2
    assert "unknown part nothing; there are: lint, sanity," in capsys.readouterr().out


def test_scenarios_are_either_of_roles_or_journeys() -> None:
    roles, journeys = suite.scenarios(journeys=False), suite.scenarios(journeys=True)
    folders = {path.parent.name for path in suite.ROOT.glob(suite.MOLECULE_GLOB)}
    assert {*roles, *journeys, "default"} == folders
    assert not set(roles) & set(journeys)


def test_the_copy_has_what_git_knows_and_nothing_else(tmp_path: Path) -> None:
    tree = suite.make_collection_tree(tmp_path)
    assert tree == tmp_path / "ansible_collections" / "kubernaut" / "coverage"
    assert (tree / "galaxy.yml").is_file()
    assert not (tree / ".venv").exists()
    assert [path for path in tree.rglob("*") if path.is_symlink()] == []


def test_a_step_shows_its_output_only_if_it_fails() -> None:
    tool = [sys.executable, suite.ROOT / "tests" / "tools" / "step.py"]
    good = subprocess.run([*tool, "work", "--", "sh", "-c", "echo noise"], check=False, capture_output=True, text=True)
    assert good.returncode == 0
    assert re.fullmatch(r"  work \(\d+\.\d s\)\n", good.stdout)
    bad = subprocess.run(
        [*tool, "work", "--", "sh", "-c", "echo why; exit 3"], check=False, capture_output=True, text=True
    )
    assert bad.returncode == 3
    assert bad.stdout.startswith("why\nfailed: work (exit code 3 after ")


def test_a_step_that_cannot_be_started_says_so() -> None:
    outcome = step.run("work", ["/does/not/exist"])
    assert outcome.returncode == 127
    assert outcome.output == "/does/not/exist cannot be started: No such file or directory\n"


def test_a_long_step_shows_that_it_moves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(step, "FIRST_SIGN", 0.2)
    monkeypatch.setattr(step, "NEXT_SIGNS", 60.0)
    monkeypatch.setattr(step, "TERMINAL", False)
    outcome = step.run("work", ["sh", "-c", "echo step one; sleep 1.2"])
    assert outcome.returncode == 0
    assert capsys.readouterr().out == "  ... work 0 s: step one\n"


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.4, "12 s"), (185.2, "3 min 05 s")])
def test_durations(seconds: float, text: str) -> None:
    assert step.duration(seconds) == text
