# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Run a service's end-to-end tests: any command, its output kept as it arrives, its outcome reported and judged."""

from __future__ import annotations

import glob
import json
import os
import shutil
import threading
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import (
    CommandError,
    describe_exit,
    last_lines,
    run,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.results import (
    Command,
    GoTestEvents,
    ReportError,
    Results,
    age_of,
    read_junit,
    reporting_command,
)

LOG, OUTCOME, JUNIT = "e2e-tests.log", "e2e-tests.json", "e2e-tests-junit.xml"
NAMED = 5  # failed tests that a sentence names


class WhyNot(t.NamedTuple):
    """Why tests did not pass; nothing where they did."""

    cause: str = ""
    sentence: str = ""


class Ended(t.NamedTuple):
    """How a command ended.

    :ivar returncode: None where it did not end by itself. :ivar lost: why there is none, if it was not the time limit.
    """

    returncode: t.Optional[int]
    seconds: float
    lost: str = ""


class Place(t.Protocol):
    """Where tests are run."""

    def check(self, command: t.Sequence[str]) -> None:
        """Refuse what cannot be started, before anything is changed.

        :raises InputError: says what is missing.
        """

    def reporting(self, command: t.Sequence[str], results: str, junit: str) -> Command:
        """Return the command so that it reports. :arg results: folder on this host. :arg junit: as C(run_tests)."""

    def run(self, argv: t.Sequence[str], timeout: float, keep: t.Callable[[str], None]) -> Ended:
        """Run it to its end, or to the time limit; C(keep) gets each line as it comes."""


@dataclass(frozen=True)
class OnHost:
    """This host: a folder to run in, and variables added to the host's own."""

    directory: str
    environment: t.Mapping[str, str]

    def check(self, command: t.Sequence[str]) -> None:
        """Refuse a folder or program that is not there."""
        check_command(command, self.directory, self.environment)

    def reporting(self, command: t.Sequence[str], results: str, junit: str) -> Command:
        """Ginkgo is made to write a report, and C(go test) to print events."""
        return reporting_command(command, self.directory, results, junit, JUNIT)

    def run(self, argv: t.Sequence[str], timeout: float, keep: t.Callable[[str], None]) -> Ended:
        """Run it, and all that it starts, to the end or to the time limit."""
        try:
            completed = run(
                argv,
                purpose="run the end-to-end tests",
                cwd=self.directory,
                environment=self.environment,
                timeout=timeout,
                accept=range(-64, 256),
                on_line=keep,
            )
        except CommandError as error:
            if error.cause != "command-timeout":
                raise
            return Ended(None, timeout)
        return Ended(completed.returncode, completed.seconds)


class TestsNotPassed(CoverageError):
    """The tests ran, and did not pass."""

    __test__ = False  # no test, whatever pytest thinks of the name


@dataclass(frozen=True)
class SuiteOutcome:
    """How the tests ended.

    :ivar returncode: None where they did not end by themselves. :ivar counts: total, passed, failed, skipped; None
        where the command reports no tests. :ivar junit: the JUnit files, kept with the log. :ivar cause: identifier,
        and :ivar sentence: words for why they did not pass; both empty where they did.
    """

    command: list[str]
    passed: bool
    returncode: t.Optional[int]
    seconds: float
    log: str
    last_lines: list[str]
    counts: t.Optional[dict[str, int]] = None
    failed_tests: t.Optional[list[str]] = None
    skipped_tests: t.Optional[list[str]] = None
    junit: t.Optional[list[str]] = None
    cause: str = ""
    sentence: str = ""


def check_command(
    command: t.Sequence[str], directory: str, environment: t.Optional[t.Mapping[str, str]] = None
) -> None:
    """Refuse what cannot be started.

    :arg environment: of the command; its C(PATH) counts.
    :raises InputError: the folder or the program is missing.
    """
    if not Path(directory).is_dir():
        raise InputError(
            f"The folder of the tests, {directory}, does not exist.",
            setting="tests.dir",
            cause="tests-folder-missing",
        )
    program = command[0] if command else ""
    # a relative path with a folder in it is relative to where the command is run
    found = shutil.which(
        program if os.sep not in program else str(Path(directory, program)), path=(environment or {}).get("PATH")
    )
    if not found:
        raise InputError(
            f"The tests' command {program!r} was not found on this host.",
            remedy="Install it, or set its full path.",
            setting="tests.command",
            cause="tests-command-missing",
        )


def run_tests(command: t.Sequence[str], place: Place, *, timeout: float, results: str, junit: str = "") -> SuiteOutcome:
    """Run the tests to their end, or to the time limit, and keep log, report and outcome in C(results).

    :arg junit: path or pattern of the JUnit files that the command writes, relative to the folder that it runs in (a
        Job: to the folder of its results). Without it the place may make the command report.
    :raises InputError: as C(place.check). A failing test is an outcome, not an error.
    """
    place.check(command)
    folder = Path(results).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    for old in folder.glob("e2e-tests-junit*.xml"):
        old.unlink()
    reporting = place.reporting(command, str(folder), junit)
    before = {path: age_of(path) for path in glob.glob(reporting.junit)}
    events = GoTestEvents() if reporting.go_events else None
    lock = threading.Lock()
    with log.open("w", encoding="utf-8") as stream:

        def keep(line: str) -> None:
            with lock:
                text = f"{line}\n" if events is None else events.feed(line)
                if text is None:
                    return
                stream.write(text)
                stream.flush()  # a reader of the file sees each line as it arrives
            if text.strip():
                report_progress(text.strip()[:100])

        ended = place.run(reporting.argv, timeout, keep)
        if ended.returncode is None:
            keep(ended.lost or f"ended by the time limit of {timeout:g} s")
    found, files, problem = None, None, None
    if events is not None:
        # without events it was not go test that spoke: it could not even begin
        found = events.results() if events.seen else None
    elif reporting.junit:
        files = _kept(reporting.junit, before, folder)
        try:
            found = _read(files) if files else None
        except ReportError as error:
            problem = WhyNot(error.cause, error.message)
        if not files:
            problem = WhyNot(
                cause="tests-report-missing", sentence=f"the tests' command wrote no report {reporting.junit}"
            )
    cause, sentence = _why_not(ended, timeout, found, problem)
    outcome = SuiteOutcome(
        command=list(command),
        passed=not cause,
        returncode=ended.returncode,
        seconds=round(ended.seconds, 2),
        log=str(log),
        last_lines=last_lines(log.read_text(encoding="utf-8")),
        counts=found.counts() if found else None,
        failed_tests=found.failed if found else None,
        skipped_tests=found.skipped if found else None,
        junit=files,
        cause=cause,
        sentence=sentence,
    )
    (folder / OUTCOME).write_text(json.dumps(asdict(outcome), indent=1), encoding="utf-8")
    return outcome


def judge(results: str) -> None:
    """Read the outcome that the last run of tests left in its folder.

    :raises TestsNotPassed: they did not pass; with their last lines. :raises InputError: there is no outcome.
    """
    path = Path(results) / OUTCOME
    try:
        outcome = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"No outcome of tests was found in {results}: {error}.",
            remedy="Run the tests first; they write it there.",
            setting="e2e_tests#results",
            cause="tests-outcome-missing",
        ) from error
    cause, sentence = outcome["cause"], outcome["sentence"]
    if not outcome["passed"]:
        raise TestsNotPassed(
            f"The end-to-end tests did not pass: {sentence}; the coverage data was collected.",
            remedy=f"Command: {' '.join(outcome['command'])}. Output: {outcome['log']}",
            evidence=outcome["last_lines"],
            cause=cause,
        )


def _kept(pattern: str, before: t.Mapping[str, t.Any], folder: Path) -> list[str]:
    """Copy the reports that this run wrote to its folder; return where they lie now."""
    written = [path for path in sorted(glob.glob(pattern)) if age_of(path) != before.get(path)]
    kept = []
    for number, path in enumerate(written, 1):
        name = folder / (JUNIT if len(written) == 1 else f"e2e-tests-junit-{number}.xml")
        if Path(path) != name:
            shutil.copyfile(path, name)
        kept.append(str(name))
    return kept


def _read(files: t.Sequence[str]) -> Results:
    results = Results()
    for path in files:
        results.extend(read_junit(path))
    return results


def _why_not(
    ended: Ended,
    timeout: float,
    found: t.Optional[Results],
    problem: t.Optional[WhyNot],
) -> WhyNot:
    """Return cause and sentence for tests that did not pass; empty ones for tests that did."""
    counts = found.counts() if found else {}
    named = ""
    if found and found.failed:
        more = f" and {len(found.failed) - NAMED} more" if len(found.failed) > NAMED else ""
        ran = counts["passed"] + counts["failed"]
        named = f"{counts['failed']} of {ran} tests failed: {'; '.join(found.failed[:NAMED])}{more}"
    returncode = ended.returncode
    if returncode is None:
        sentence = (ended.lost or f"the time limit of {timeout:g} s ended them") + (f"; {named}" if named else "")
        return WhyNot(cause="tests-lost" if ended.lost else "tests-timeout", sentence=sentence)
    if named:
        return WhyNot(cause="tests-failed", sentence=f"{named} (the command {describe_exit(returncode)})")
    if found is not None and not found.passed:
        left = f", {counts['skipped']} were skipped or left out by a filter" if counts["skipped"] else ""
        return WhyNot(cause="no-tests-run", sentence=f"no test was run{left} (the command {describe_exit(returncode)})")
    if returncode:
        return WhyNot(cause="tests-failed", sentence=f"the command {describe_exit(returncode)}")
    return problem or WhyNot()
