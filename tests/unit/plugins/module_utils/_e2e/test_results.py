# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests are counted from reports: Ginkgo's and others' JUnit, and the events of go test."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e import results as lib

GINKGO = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="6"><testsuite name="S"><properties><property name="SuiteSucceeded" value="false"/></properties>
<testcase name="[BeforeSuite]" status="passed"/>
<testcase name="[It] A is stored [e2e]" status="passed"><system-err>x</system-err></testcase>
<testcase name="[It] B is refused" status="failed"><failure message="m">text</failure></testcase>
<testcase name="[It] C panics" status="panicked"><error message="m">text</error></testcase>
<testcase name="[It] D is skipped" status="skipped"><skipped message="skipped - no"/></testcase>
<testcase name="[It] E is pending" status="pending"><skipped message="pending"/></testcase>
<testcase name="[DeferCleanup (Suite)]" status="failed"><failure message="m"/></testcase>
</testsuite></testsuites>"""


def junit(folder: Path, text: str) -> lib.Results:
    (folder / "j.xml").write_text(text, encoding="utf-8")
    return lib.read_junit(str(folder / "j.xml"))


def test_ginkgo_lists_nodes_that_are_no_specs(tmp_path: Path) -> None:
    results = junit(tmp_path, GINKGO)
    assert results.passed == ["A is stored [e2e]"]
    assert results.failed == ["B is refused", "C panics", "[DeferCleanup (Suite)]"]
    assert results.skipped == ["D is skipped", "E is pending"]
    assert results.counts() == {"total": 6, "passed": 1, "failed": 3, "skipped": 2}


def test_brackets_of_others_are_names(tmp_path: Path) -> None:
    assert junit(tmp_path, '<testsuite><testcase name="[x] y"/></testsuite>').passed == ["[x] y"]


def test_a_report_without_tests_has_none(tmp_path: Path) -> None:
    assert junit(tmp_path, "<testsuites/>").counts()["total"] == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no element found"),
        ("<testsuite>", "no element found"),
        ("{}", "not well-formed"),
        ("<html/>", "begins with <html>"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>', "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
    ],
)
def test_a_report_that_cannot_be_trusted_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(lib.ReportError, match=says) as caught:
        junit(tmp_path, text)
    assert caught.value.cause == "tests-report-unreadable"


# go test -json, from Go itself


def go_test(folder: Path, tests: str) -> tuple[lib.GoTestEvents, str]:
    (folder / "go.mod").write_text("module example.com/m\n\ngo 1.24\n")
    (folder / "m.go").write_text("package m\n")
    if tests:
        (folder / "m_test.go").write_text(f'package m\n\nimport "testing"\n\n{tests}\n')
    done = subprocess.run(
        ["go", "test", "-json", "./..."],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    events = lib.GoTestEvents()
    return events, "".join(events.feed(line) or "" for line in done.stdout.splitlines())


def test_only_the_innermost_tests_count(tmp_path: Path) -> None:
    events, text = go_test(
        tmp_path,
        """func TestOne(t *testing.T) { t.Run("a", func(t *testing.T) {}); t.Run("b", func(t *testing.T) { t.Fail() }) }
func TestTwo(t *testing.T) { t.Run("c", func(t *testing.T) {}); t.Fatal("itself") }
func TestThree(t *testing.T) { t.Skip("no") }
func TestFour(t *testing.T) { t.Log("said") }""",
    )
    results = events.results()
    assert sorted(results.passed) == ["TestFour", "TestOne/a", "TestTwo/c"]
    assert sorted(results.failed) == ["TestOne/b", "TestTwo"]
    assert results.skipped == ["TestThree"]
    assert "--- FAIL: TestOne/b" in text
    assert "said" in text
    assert '"Action"' not in text


@pytest.mark.parametrize("tests", ["", "var _ = testing.Short"])
def test_a_package_without_tests_has_run_none(tmp_path: Path, tests: str) -> None:
    events, _text = go_test(tmp_path, tests)
    assert events.seen
    assert events.results().counts()["total"] == 0


def test_a_package_that_does_not_build_is_a_failed_test(tmp_path: Path) -> None:
    events, text = go_test(tmp_path, "func TestOne(t *testing.T) { undefined() }")
    assert events.results().failed == ["example.com/m"]
    assert "undefined: undefined" in text


def test_a_test_that_was_cut_off_failed() -> None:
    events = lib.GoTestEvents()
    assert events.feed(json.dumps({"Action": "run", "Package": "p", "Test": "TestSlow"})) is None
    assert events.results().failed == ["TestSlow"]


@pytest.mark.parametrize("line", ["plain", "{not json", '{"some": "json"}', ""])
def test_what_is_no_event_is_output(line: str) -> None:
    events = lib.GoTestEvents()
    assert events.feed(line) == f"{line}\n"
    assert not events.seen


# commands


@pytest.mark.parametrize(
    ("command", "argv", "junit_file"),
    [
        ("ginkgo -p ./x", "ginkgo --junit-report=j.xml --output-dir=/r -p ./x", "/r/j.xml"),
        ("/bin/ginkgo run -p", "/bin/ginkgo run --junit-report=j.xml --output-dir=/r -p", "/r/j.xml"),
        ("go tool ginkgo ./x", "go tool ginkgo --junit-report=j.xml --output-dir=/r ./x", "/r/j.xml"),
        (
            "go run github.com/onsi/ginkgo/v2/ginkgo@v2.1.0 ./x",
            "go run github.com/onsi/ginkgo/v2/ginkgo@v2.1.0 --junit-report=j.xml --output-dir=/r ./x",
            "/r/j.xml",
        ),
        ("ginkgo --junit-report=own.xml", "ginkgo --junit-report=own.xml", "/d/own.xml"),
        ("ginkgo -junit-report own.xml -output-dir o", "ginkgo -junit-report own.xml -output-dir o", "/d/o/own.xml"),
        ("ginkgo --output-dir=o", "ginkgo --junit-report=j.xml --output-dir=o", "/d/o/j.xml"),
        ("ginkgo version", "ginkgo version", ""),
        ("make test", "make test", ""),
        ("go test ./...", "go test -json ./...", ""),
        ("go -C sub test -v", "go -C sub test -json -v", ""),
        ("go test -json", "go test -json", ""),
        ("go vet", "go vet", ""),
    ],
)
def test_commands_that_can_report_are_asked_to(command: str, argv: str, junit_file: str) -> None:
    made = lib.reporting_command(command.split(), "/d", "/r", "", "j.xml")
    assert made.argv == argv.split()
    assert made.junit == junit_file
    assert made.go_events is (" test " in f"{command} " and command.startswith("go "))


def test_a_report_that_the_user_names_changes_no_command() -> None:
    made = lib.reporting_command(["ginkgo"], "/d", "/r", "own/*.xml", "j.xml")
    assert made == lib.Command(["ginkgo"], junit="/d/own/*.xml")


def test_a_file_written_anew_is_another(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert lib.age_of(str(path)) is None
    path.touch()
    before = lib.age_of(str(path))
    (tmp_path / "g").write_text("new")
    (tmp_path / "g").replace(path)
    assert lib.age_of(str(path)) != before
