# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of the tests: whatever they do, it is told, kept and not judged."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import typing as t
from dataclasses import asdict
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import ENVIRONMENT_VARIABLE
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e import local as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.results import Command


def run(folder: Path, script: str, **options: t.Any) -> lib.SuiteOutcome:
    place = lib.OnHost(str(folder), options.pop("environment", {}))
    details: dict[str, t.Any] = {"timeout": 60, "results": str(folder / "results"), **options}
    return lib.run_tests(["sh", "-c", script], place, **details)


@pytest.mark.parametrize(
    ("script", "returncode"),
    [("true", 0), ("exit 1", 1), ("exit 255", 255), ("kill -TERM $$", -15), ("kill -36 $$", -36)],
)
def test_every_end_is_an_outcome(tmp_path: Path, script: str, returncode: int) -> None:
    outcome = run(tmp_path, script)
    assert outcome.returncode == returncode
    assert outcome.passed is (returncode == 0)
    assert outcome.seconds >= 0


def test_log_and_outcome_are_kept(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo one; echo two >&2; echo; pwd; echo $E2E_BASE_URL", environment={"E2E_BASE_URL": "u"})
    log = Path(outcome.log)
    assert log == tmp_path / "results" / lib.LOG
    assert sorted(log.read_text().splitlines()) == sorted(["one", "two", "", str(tmp_path), "u"])
    assert json.loads((tmp_path / "results" / lib.OUTCOME).read_text()) == asdict(outcome)
    assert sorted(outcome.last_lines) == sorted(["one", "two", str(tmp_path), "u"])


def test_only_the_end_of_a_long_log_is_told(tmp_path: Path) -> None:
    outcome = run(tmp_path, "seq 1000")
    assert len(outcome.last_lines) == 20
    assert outcome.last_lines[-1] == "1000"
    assert len(Path(outcome.log).read_text().splitlines()) == 1000


def test_a_second_run_has_its_own_log(tmp_path: Path) -> None:
    run(tmp_path, "echo first; exit 1")
    outcome = run(tmp_path, "echo second")
    assert Path(outcome.log).read_text() == "second\n"
    assert json.loads((tmp_path / "results" / lib.OUTCOME).read_text())["passed"]


def test_output_in_any_encoding_is_kept(tmp_path: Path) -> None:
    assert Path(run(tmp_path, r"printf 'a\377\342\234\223\n'").log).read_text(encoding="utf-8") == "a\ufffd✓\n"


def test_the_time_limit_is_an_outcome_too(tmp_path: Path) -> None:
    # were it not ended, it would run for ever
    outcome = run(tmp_path, "echo started; sleep infinity", timeout=3)
    assert (outcome.passed, outcome.returncode, outcome.seconds) == (False, None, 3)
    assert outcome.last_lines == ["started", "ended by the time limit of 3 s"]
    assert json.loads((tmp_path / "results" / lib.OUTCOME).read_text())["returncode"] is None


def test_each_line_is_in_the_log_as_soon_as_it_is_said(tmp_path: Path) -> None:
    waiting = threading.Thread(target=run, args=(tmp_path, "echo early; while ! test -e go; do sleep 0.05; done"))
    waiting.start()
    log = tmp_path / "results" / lib.LOG
    try:
        deadline = time.monotonic() + 120
        while not (log.exists() and log.read_text() == "early\n"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert waiting.is_alive()
    finally:
        (tmp_path / "go").touch()
        waiting.join()


def test_progress_is_what_the_tests_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "progress"))
    run(tmp_path, f"echo; echo '  === RUN'; echo {'x' * 300}")
    lines = (tmp_path / "progress").read_text().splitlines()
    assert [line.rpartition("\t")[2] for line in lines] == ["=== RUN", "x" * 100]


# what cannot be started


@pytest.mark.parametrize("command", ["sh", sys.executable, "./script", "folder/script"])
def test_a_program_is_found_as_the_shell_finds_it(tmp_path: Path, command: str) -> None:
    (tmp_path / "folder").mkdir()
    for path in ("script", "folder/script"):
        (tmp_path / path).write_text("#!/bin/sh\necho here\n")
        (tmp_path / path).chmod(0o755)
    lib.check_command([command], str(tmp_path))
    arguments = ["-c", ""] if "script" not in command else []
    assert lib.run_tests(
        [command, *arguments], lib.OnHost(str(tmp_path), {}), timeout=60, results=str(tmp_path / "r")
    ).passed


@pytest.mark.parametrize("command", ["no-such-program", "/no/such/program", "./text", "text", "", "./folder"])
def test_a_program_that_cannot_be_started_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "text").write_text("not executable")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError) as caught:
        run_nothing(tmp_path, [command])
    assert caught.value.cause == "tests-command-missing"
    assert caught.value.setting == "tests.command"
    assert repr(command) in caught.value.message
    assert not (tmp_path / "results").exists()


def run_nothing(folder: Path, command: list[str]) -> lib.SuiteOutcome:
    return lib.run_tests(command, lib.OnHost(str(folder), {}), timeout=60, results=str(folder / "results"))


def test_a_command_without_a_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_nothing(tmp_path, [])
    assert caught.value.setting == "tests.command"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        lib.check_command(["sh"], str(tmp_path / "none"))
    assert (caught.value.cause, caught.value.setting) == ("tests-folder-missing", "tests.dir")
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        lib.check_command(["sh"], str(tmp_path / "file"))


def test_the_search_path_of_the_tests_counts(tmp_path: Path) -> None:
    (tmp_path / "only-here").write_text("#!/bin/sh\n")
    (tmp_path / "only-here").chmod(0o755)
    with pytest.raises(InputError):
        lib.check_command(["only-here"], str(tmp_path))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    outcome = lib.run_tests(
        ["only-here"], lib.OnHost(str(tmp_path), {"PATH": path}), timeout=60, results=str(tmp_path / "results")
    )
    assert outcome.passed


# what the tests say of themselves


def write_report(name: str, *cases: str) -> str:
    return f"echo '<testsuite>{''.join(cases)}</testsuite>' > {name}"


PASS = '<testcase name="good"/>'
FAIL = '<testcase name="bad"><failure/></testcase>'
SKIP = '<testcase name="later"><skipped/></testcase>'


@pytest.mark.parametrize(
    ("cases", "returncode", "cause", "says"),
    [
        ((PASS, SKIP), 0, "", ""),
        ((PASS, FAIL, SKIP), 1, "tests-failed", "1 of 2 tests failed: bad (the command exited with 1)"),
        ((FAIL,), 0, "tests-failed", "1 of 1 tests failed: bad (the command exited with 0)"),
        ((FAIL,) * 7, 1, "tests-failed", "7 of 7 tests failed: bad; bad; bad; bad; bad and 2 more"),
        ((SKIP, SKIP), 0, "no-tests-run", "no test was run, 2 were skipped or left out by a filter"),
        ((), 0, "no-tests-run", "no test was run (the command exited with 0)"),
        ((PASS,), 3, "tests-failed", "the command exited with 3"),
    ],
)
def test_a_report_is_believed(tmp_path: Path, cases: tuple[str, ...], returncode: int, cause: str, says: str) -> None:
    outcome = run(tmp_path, f"{write_report('r.xml', *cases)}; exit {returncode}", junit="r.xml")
    assert outcome.cause == cause
    assert outcome.sentence.startswith(says)
    assert outcome.passed is (cause == "")
    assert outcome.counts is not None
    assert outcome.counts["total"] == len(cases)
    assert outcome.junit == [str(tmp_path / "results" / lib.JUNIT)]
    assert Path(outcome.junit[0]).read_text() == (tmp_path / "r.xml").read_text()


def test_several_reports_are_one_outcome(tmp_path: Path) -> None:
    outcome = run(tmp_path, f"{write_report('a.xml', PASS)}; {write_report('b.xml', FAIL)}; exit 1", junit="*.xml")
    assert outcome.counts == {"total": 2, "passed": 1, "failed": 1, "skipped": 0}
    assert len(outcome.junit or []) == 2


def test_a_report_of_before_does_not_count(tmp_path: Path) -> None:
    assert run(tmp_path, write_report("r.xml", PASS), junit="r.xml").passed
    outcome = run(tmp_path, "true", junit="r.xml")
    assert (outcome.passed, outcome.cause, outcome.counts) == (False, "tests-report-missing", None)
    assert not (tmp_path / "results" / lib.JUNIT).exists()


def test_a_report_that_is_none_is_said(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo broken > r.xml", junit="r.xml")
    assert (outcome.passed, outcome.cause) == (False, "tests-report-unreadable")


def test_the_time_limit_comes_before_what_failed(tmp_path: Path) -> None:
    outcome = run(tmp_path, f"{write_report('r.xml', FAIL)}; sleep infinity", junit="r.xml", timeout=3)
    assert outcome.cause == "tests-timeout"
    assert outcome.failed_tests == ["bad"]


@pytest.mark.parametrize(
    ("pattern", "cause", "counts"),
    [("TestGood", "", [1, 0]), ("TestBad", "tests-failed", [0, 1]), ("TestNone", "no-tests-run", [0, 0])],
)
def test_go_test_is_counted(tmp_path: Path, pattern: str, cause: str, counts: list[int]) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.24\n")
    (tmp_path / "m_test.go").write_text(
        'package m\n\nimport "testing"\n\nfunc TestGood(t *testing.T) {}\n\nfunc TestBad(t *testing.T) { t.Fail() }\n'
    )
    outcome = lib.run_tests(
        ["go", "test", "-run", pattern, "./..."],
        lib.OnHost(str(tmp_path), {}),
        timeout=120,
        results=str(tmp_path / "results"),
    )
    assert outcome.cause == cause
    assert outcome.counts is not None
    assert [outcome.counts["passed"], outcome.counts["failed"]] == counts
    assert outcome.command == ["go", "test", "-run", pattern, "./..."]
    assert '"Action"' not in Path(outcome.log).read_text()


# the judgement


def test_tests_that_passed_are_judged_so(tmp_path: Path) -> None:
    run(tmp_path, "exit 3")
    with pytest.raises(lib.TestsNotPassed):
        lib.judge(str(tmp_path / "results"))
    # the outcome of the last run counts
    assert run(tmp_path, "true").passed
    lib.judge(str(tmp_path / "results"))


def test_tests_that_failed_are_told_with_their_last_lines(tmp_path: Path) -> None:
    run(tmp_path, "echo one spec failed; exit 3")
    with pytest.raises(lib.TestsNotPassed) as caught:
        lib.judge(str(tmp_path / "results"))
    assert caught.value.cause == "tests-failed"
    assert "the command exited with 3; the coverage data was collected" in caught.value.message
    assert str(tmp_path / "results" / lib.LOG) in caught.value.remedy
    assert caught.value.evidence == ["one spec failed"]


def test_without_an_outcome_nothing_can_be_judged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No outcome of tests") as caught:
        lib.judge(str(tmp_path))
    assert caught.value.cause == "tests-outcome-missing"


class Lost:
    """A place that loses what runs in it."""

    def check(self, command: t.Sequence[str]) -> None: ...

    def reporting(self, command: t.Sequence[str], _results: str, _junit: str) -> Command:
        return Command(list(command))

    def run(self, _argv: t.Sequence[str], _timeout: float, keep: t.Callable[[str], None]) -> lib.Ended:
        keep("begun")
        return lib.Ended(None, 3.0, "Kubernetes ended the pod of the tests: Evicted")


def test_tests_that_were_lost_were_not_ended_by_the_time_limit(tmp_path: Path) -> None:
    outcome = lib.run_tests(["x"], Lost(), timeout=60, results=str(tmp_path))
    assert (outcome.passed, outcome.cause) == (False, "tests-lost")
    assert outcome.sentence == "Kubernetes ended the pod of the tests: Evicted"
    assert outcome.last_lines == ["begun", outcome.sentence]
