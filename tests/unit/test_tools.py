# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What make calls: the step that shows it moves, the suite that counts and never swallows a failure."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
import step
import suite
import times
import yaml
from lanes import Board
from yaml_nodes import nodes

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


@pytest.fixture
def own_suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[[dict[str, suite.Part]], None]:
    """Give the suite other parts, and a place of its own for what it keeps."""

    def give(parts: dict[str, suite.Part]) -> None:
        monkeypatch.setattr(suite, "PARTS", parts)

    monkeypatch.setattr(suite, "WORK", tmp_path)
    monkeypatch.chdir(suite.ROOT)
    return give


def broken(_suite: suite.Suite) -> suite.Count:
    """Breaks."""
    raise subprocess.CalledProcessError(7, ["tool"])


def bad(_suite: suite.Suite) -> suite.Count:
    """Fails."""
    return suite.Count(1, ["this one"])


def good(_suite: suite.Suite) -> suite.Count:
    """Works."""
    return suite.Count(3, [])


Give = t.Callable[[dict[str, suite.Part]], None]


def test_every_part_is_run_and_a_failed_one_fails_the_whole(
    own_suite: Give, capsys: pytest.CaptureFixture[str]
) -> None:
    own_suite({"broken": suite.Part(broken, "one"), "bad": suite.Part(bad, "one"), "good": suite.Part(good, "two")})
    assert suite.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "4 passed, 2 failed"
    assert "    failed: this one" in lines
    assert "    failed: broken (could not be run)" in lines
    assert suite.main(["good"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lane_that_breaks_off_is_a_failure_and_nobody_waits_for_it(
    own_suite: Give, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(_suite: suite.Suite) -> suite.Count:
        """Has a bug."""
        raise KeyError("bug")

    own_suite(
        {
            "crash": suite.Part(crash, "one"),
            "next": suite.Part(good, "one"),
            "waits": suite.Part(good, "two", after="next"),
        }
    )
    assert suite.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 passed, 2 failed"
    assert lines.count("    failed: was not run") == 2


def test_a_part_waits_for_the_one_that_it_comes_after(own_suite: Give) -> None:
    order: list[str] = []
    begun = threading.Event()

    def first(_suite: suite.Suite) -> suite.Count:
        """Ends when the other lane is known to be under way."""
        assert begun.wait(60)
        order.append("first")
        return suite.Count(1, [])

    def beside(_suite: suite.Suite) -> suite.Count:
        """Runs in the other lane meanwhile."""
        begun.set()
        return suite.Count(1, [])

    def second(_suite: suite.Suite) -> suite.Count:
        """Comes after the first."""
        order.append("second")
        return suite.Count(1, [])

    own_suite(
        {
            "beside": suite.Part(beside, "two"),
            "second": suite.Part(second, "two", after="first"),
            "first": suite.Part(first, "one"),
        }
    )
    assert suite.main([]) == 0
    assert order == ["first", "second"]


def test_rare_parts_are_run_only_if_all_is_wanted(own_suite: Give, capsys: pytest.CaptureFixture[str]) -> None:
    own_suite({"often": suite.Part(good, "one"), "seldom": suite.Part(good, "one", rare=True)})
    for arguments, checks in (([], 3), (["--all"], 6), (["seldom"], 3)):
        assert suite.main(arguments) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"{checks} passed, 0 failed"


def test_times_are_kept_and_compared_with_the_run_before(own_suite: Give, capsys: pytest.CaptureFixture[str]) -> None:
    own_suite({"good": suite.Part(good, "one"), "other": suite.Part(good, "one")})
    last, history = suite.WORK / times.LAST, suite.WORK / times.HISTORY
    last.write_text(json.dumps({"parts": {"good": {"seconds": 100.0}, "left": {"seconds": 7.0}}}))
    assert suite.main([]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^good +3 checks +\d\.\d s +-100 s$", out, re.MULTILINE)
    assert re.search(r"^other +3 checks +\d\.\d s$", out, re.MULTILINE)
    assert set(times.read(suite.WORK)) == {"good", "other", "left"}
    assert len(history.read_text().splitlines()) == 1
    last.write_text("{")
    assert suite.main([]) == 0


def test_the_state_of_a_killed_run_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Molecule would skip the creation of a cluster that is long gone, and fail in the first scenario that needs it."""
    monkeypatch.setattr(suite, "WORK", tmp_path)
    state = tmp_path / "molecule-roles" / "state.yml"
    state.parent.mkdir()
    state.write_text("---\ncreated: true\nconverged: true\ndriver: default\n")
    with Board(tmp_path / "logs") as board:
        listed = suite.Molecule("roles").run(suite.Suite(board), "list", "default", "--format=plain")
    shown = (tmp_path / "logs" / "molecule-list-default.log").read_text()
    assert listed, shown
    assert re.search(r"default\s+.*false\s+false\s*$", shown, re.MULTILINE), shown


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.main(["nothing"]) == 2
    assert "unknown part nothing; there are: lint, sanity," in capsys.readouterr().out


def test_parts_come_after_parts_of_other_lanes_or_before_them() -> None:
    names = list(suite.PARTS)
    after = {name: part.after for name, part in suite.PARTS.items() if part.after}
    assert after
    for name, other in after.items():
        assert suite.PARTS[other].lane != suite.PARTS[name].lane or names.index(other) < names.index(name)


def test_output_is_shown_of_what_fails_and_kept_of_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Board(tmp_path) as board:
        run = suite.Suite(board)
        assert run.check("Good one", ["sh", "-c", "echo noise"]).failed == []
        assert run.check("bad one", ["sh", "-c", "echo why; exit 3"]).failed == ["bad one"]
        assert run.check("none", ["/does/not/exist"]).failed == ["none"]
    out = capsys.readouterr().out
    assert "noise" not in out
    assert re.search(r"^why\n  FAILED bad one \(\d\.\d s, \d\.\d s of processor time\)$", out, re.MULTILINE)
    assert "/does/not/exist cannot be started: No such file or directory" in out
    assert (tmp_path / "good-one.log").read_text() == "noise\n"


def test_output_of_a_single_lane_is_shown_as_it_comes_and_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Board(tmp_path, live=True) as board:
        suite.Suite(board).check("bad", ["sh", "-c", "echo why; exit 3"])
    assert capsys.readouterr().out.count("why\n") == 1


def test_what_runs_side_by_side_is_shown_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(step, "FIRST_SIGN", 0.0)
    monkeypatch.setattr(step, "TERMINAL", False)
    with Board(tmp_path) as board:
        # each ends when both have been shown
        script = f"echo 'TASK [{{}}]'; echo 'ok: [localhost]'; until [ -e {tmp_path}/end ]; do sleep 0.1; done"
        threads = [
            threading.Thread(target=board.run, args=(name, ["sh", "-c", script.format(name)])) for name in ("a", "b")
        ]
        for thread in threads:
            thread.start()
        shown, deadline = "", time.monotonic() + 120
        while ("a " not in shown or "b " not in shown) and time.monotonic() < deadline:
            time.sleep(0.1)
            shown += capsys.readouterr().out
        (tmp_path / "end").touch()
        for thread in threads:
            thread.join()
    assert re.search(r"^  \.\.\. .*: ([ab]) \d+ s: TASK \[\1\]( \| ([ab]) \d+ s: TASK \[\3\])?$", shown, re.MULTILINE)


# ---- molecule's groups ----

SCENARIOS = {path.parent.name: path.parent for path in suite.SCENARIOS.glob("*/molecule.yml")}
GROUPS = ("data", "host", "workload")
JOURNEYS = {"httpbin", "notification"}
STEPS = ("prepare", "converge", "verify", "cleanup")


def plays(path: Path) -> list[dict[str, t.Any]]:
    """The plays and imports of a playbook; none where there is no such file."""
    return t.cast(list[dict[str, t.Any]], yaml.safe_load(path.read_text())) if path.is_file() else []


def imported(group: str, name: str) -> list[str]:
    """The scenarios whose playbook of that name a group imports."""
    files = [play["ansible.builtin.import_playbook"] for play in plays(SCENARIOS[group] / f"{name}.yml")]
    assert [path for path in files if not (SCENARIOS[group] / path).is_file()] == []
    return [Path(path).parts[1] for path in files]


def test_groups_run_every_playbook_of_every_scenario_that_is_no_journey() -> None:
    alone = set(SCENARIOS) - {*GROUPS, *JOURNEYS, "default"}
    assert alone
    for name in STEPS:
        run = [scenario for group in GROUPS for scenario in imported(group, name)]
        assert sorted(run) == sorted(scenario for scenario in alone if (SCENARIOS[scenario] / f"{name}.yml").is_file())


@pytest.mark.parametrize("group", GROUPS)
def test_scenarios_of_a_group_do_not_hide_each_others_variables(group: str) -> None:
    """What a task registers outlives its play and beats variables of that name in the plays that follow."""
    found: set[str] = set()
    given: dict[str, set[str]] = {}
    for scenario in imported(group, "converge"):
        for path in [*SCENARIOS[scenario].glob("*.yml"), *SCENARIOS[scenario].glob("tasks/*.yml")]:
            for node in nodes(yaml.safe_load(path.read_text())):
                found |= {node["register"]} if isinstance(node.get("register"), str) else set()
                found |= set(node.get("ansible.builtin.set_fact") or {})
                variables = node.get("vars")
                given.setdefault(scenario, set()).update(variables if isinstance(variables, dict) else {})
    assert found
    assert {scenario: sorted(names & found) for scenario, names in given.items() if names & found} == {}


def test_the_copy_has_what_git_knows_and_nothing_else(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    suite.copy_what_git_knows(tree)
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
    assert re.fullmatch(r"  \.\.\. work \d+ s: step one\n", capsys.readouterr().out)


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.4, "12 s"), (185.2, "3 min 05 s")])
def test_durations(seconds: float, text: str) -> None:
    assert step.duration(seconds) == text
