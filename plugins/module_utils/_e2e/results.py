# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What tests say of themselves: counts and names from a JUnit file or from C(go test -json), never from prose."""

from __future__ import annotations

import json
import os
import re
import typing as t
import xml.parsers.expat
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

# What Ginkgo lists next to its specs: [BeforeSuite], [DeferCleanup (Suite)] ... (ginkgo/v2/reporters/junit_report.go)
GINKGO_NODE = re.compile(r"\[(?!It\])[^\]]+\]")


class ReportError(CoverageError):
    """The report that the tests wrote cannot be read."""

    cause = "tests-report-unreadable"


@dataclass
class Results:
    """Names of tests by how they ended; a skipped one was not run."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, name: str, ended: str) -> None:
        """Take one test."""
        t.cast("list[str]", getattr(self, ended)).append(name)

    def extend(self, other: Results) -> None:
        """Take all tests of another report."""
        for ended in (PASSED, FAILED, SKIPPED):
            getattr(self, ended).extend(getattr(other, ended))

    def counts(self) -> dict[str, int]:
        """Return the numbers; C(total) is their sum."""
        counts = {ended: len(getattr(self, ended)) for ended in (PASSED, FAILED, SKIPPED)}
        return {"total": sum(counts.values()), **counts}


def read_junit(path: str) -> Results:
    """Read a JUnit file as Ginkgo, gotestsum, pytest and others write it, of any size.

    The file comes from the tests: a document type, with which entities could be defined, is refused.

    :raises ReportError: not XML, or no JUnit.
    """
    results = Results()
    parser = xml.parsers.expat.ParserCreate()
    state: dict[str, t.Any] = {"ginkgo": False, "case": None, "root": ""}

    def start(tag: str, attributes: dict[str, str]) -> None:
        state["root"] = state["root"] or tag
        if tag == "testsuite":
            state["ginkgo"] = False
        elif tag == "property" and attributes.get("name") == "SuiteSucceeded":
            state["ginkgo"] = True
        elif tag == "testcase":
            state["case"], state["ended"] = attributes.get("name", ""), PASSED
        elif state["case"] is not None:
            if tag in ("failure", "error"):
                state["ended"] = FAILED
            elif tag == "skipped" and state["ended"] == PASSED:
                state["ended"] = SKIPPED

    def end(tag: str) -> None:
        if tag != "testcase":
            return
        name, ended = state["case"], state["ended"]
        state["case"] = None
        # setting up a suite is not a test; a failure to set it up is a failed test
        if not (state["ginkgo"] and GINKGO_NODE.match(name) and ended != FAILED):
            results.add(name.removeprefix("[It] "), ended)

    def refuse(*_arguments: t.Any) -> None:
        raise ReportError(f"The tests' report {path} has a document type, which a JUnit file must not have.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        with open(path, "rb") as stream:
            parser.ParseFile(stream)
    except (OSError, xml.parsers.expat.ExpatError) as error:
        raise ReportError(f"The tests' report {path} cannot be read: {error}.") from error
    if state["root"] not in ("testsuites", "testsuite"):
        raise ReportError(f"The tests' report {path} is not a JUnit file: it begins with <{state['root']}>.")
    return results


class GoTestEvents:
    """The events of C(go test -json) (cmd/test2json): fed line by line, they become text again, and results."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], str] = {}
        self._packages_failed: list[str] = []
        self.seen = False

    def feed(self, line: str) -> t.Optional[str]:
        """Return the output that a line carries, None for an event without; any other line is output itself."""
        event: t.Any = None
        if line.startswith("{"):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
        if not isinstance(event, dict) or "Action" not in event:
            return f"{line}\n"
        self.seen = True
        action, package, test = event["Action"], str(event.get("Package", "")), str(event.get("Test", ""))
        if action in ("output", "build-output"):
            return str(event.get("Output", ""))
        if test and action in ("run", "pass", "fail", "skip"):
            # one that began and never ended was cut off
            self._ended[package, test] = {"pass": PASSED, "skip": SKIPPED}.get(action, FAILED)
        elif action == "fail":
            self._packages_failed.append(package)
        return None

    def results(self) -> Results:
        """Return the tests without those that only contain others.

        A package that failed though none of its tests did (it did not build, its TestMain ended) is one failed test.
        """
        results = Results()
        containing: dict[tuple[str, str], list[str]] = {}
        for (package, test), ended in self._ended.items():
            parent = test
            while "/" in parent:
                parent = parent.rpartition("/")[0]
                containing.setdefault((package, parent), []).append(ended)
        for (package, test), ended in self._ended.items():
            below = containing.get((package, test))
            # a test can fail itself, apart from all that it contains
            if below is None or (ended == FAILED and FAILED not in below):
                results.add(test, ended)
        failed = {package for (package, _test), ended in self._ended.items() if ended == FAILED}
        for package in self._packages_failed:
            if package not in failed:
                results.add(package, FAILED)
        return results


@dataclass(frozen=True)
class Command:
    """A command as it is run.

    :ivar argv: with what is added, so that it reports. :ivar go_events: whether it prints events of C(go test).
    :ivar junit: path or pattern of the JUnit files that it writes; "" where it writes none.
    """

    argv: list[str]
    go_events: bool = False
    junit: str = ""


def reporting_command(command: t.Sequence[str], directory: str, results: str, junit: str, name: str) -> Command:
    """Return the command so that it reports: Ginkgo gets C(--junit-report), C(go test) gets C(-json).

    :arg junit: where the command writes its report anyway, relative to C(directory); then nothing is added.
    :arg name: what to call Ginkgo's report in C(results).
    """
    argv = list(command)
    if junit:
        return Command(argv, junit=os.path.join(directory, junit))
    at = _ginkgo(argv)
    if at:
        given = _flag(argv, "junit-report")
        folder = _flag(argv, "output-dir")
        added = [] if given else [f"--junit-report={name}"]
        if not folder and not given:
            added.append(f"--output-dir={results}")
            folder = results
        path = os.path.join(directory, folder, given or name)
        return Command([*argv[:at], *added, *argv[at:]], junit=path)
    at = _go_test(argv)
    if at:
        added = [] if any(word in ("-json", "--json") for word in argv[at:]) else ["-json"]
        return Command([*argv[:at], *added, *argv[at:]], go_events=True)
    return Command(argv)


def _ginkgo(argv: list[str]) -> int:
    """Return where Ginkgo's own flags begin; 0 where this is not Ginkgo running tests."""
    words = [word.partition("@")[0].rpartition("/")[2] for word in argv]
    first = words[0] if words else ""
    if first == "ginkgo":
        at = 1
    elif first == "go" and "ginkgo" in words and words[1:2] in (["run"], ["tool"]):
        at = words.index("ginkgo") + 1
    else:
        return 0
    following = argv[at : at + 1]
    if following == ["run"]:
        return at + 1
    # its other commands run no tests
    return 0 if following and following[0] in GINKGO_COMMANDS else at


GINKGO_COMMANDS = (
    "bootstrap",
    "build",
    "completion",
    "generate",
    "help",
    "labels",
    "outline",
    "unfocus",
    "version",
    "watch",
)


def _go_test(argv: list[str]) -> int:
    """Return where the flags of C(go test) begin; 0 where this is another command."""
    if not argv or argv[0].rpartition("/")[2] != "go":
        return 0
    at = 1
    if argv[at : at + 1] in (["-C"], ["--C"]):
        at += 2
    elif argv[at : at + 1] and re.match("--?C=", argv[at]):
        at += 1
    return at + 1 if argv[at : at + 1] == ["test"] else 0


def _flag(argv: t.Sequence[str], name: str) -> str:
    """Return the value of a flag in any of Go's four forms; "" where it is not given."""
    for index, word in enumerate(argv):
        if word == "--":
            break
        flag, equals, value = word.partition("=")
        if flag in (f"-{name}", f"--{name}"):
            return value if equals else "".join(argv[index + 1 : index + 2])
    return ""


def age_of(path: str) -> t.Optional[tuple[int, int]]:
    """Return what changes when a file is rewritten; None where there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
