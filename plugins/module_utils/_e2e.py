# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Run a service's end-to-end tests: any command, its output kept as it comes, its outcome told and not judged."""

from __future__ import annotations

import json
import os
import shutil
import threading
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._command import CommandError, last_lines, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._progress import report_progress

LOG, OUTCOME = "e2e-tests.log", "e2e-tests.json"


@dataclass(frozen=True)
class Outcome:
    """How the tests ended. C(returncode) is None where the time limit ended them."""

    command: list[str]
    passed: bool
    returncode: t.Optional[int]
    seconds: float
    log: str
    last_lines: list[str]


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
            setting="e2e_tests_dir",
            cause="tests-folder-missing",
        )
    program = command[0] if command else ""
    # a relative path with a folder in it is relative to where the command is run
    found = shutil.which(
        program if os.sep not in program else str(Path(directory, program)), path=(environment or {}).get("PATH")
    )
    if not found:
        raise InputError(
            f"The tests' command {program!r} is not to be found on this host.",
            remedy="Install it, or give its full path.",
            setting="e2e_tests_command",
            cause="tests-command-missing",
        )


def run_tests(
    command: t.Sequence[str],
    directory: str,
    *,
    environment: t.Mapping[str, str],
    timeout: float,
    results: str,
) -> Outcome:
    """Run the tests to their end, or to the time limit, and keep log and outcome in C(results).

    :raises InputError: as C(check_command). A failing test is an outcome, not an error.
    """
    check_command(command, directory, environment)
    folder = Path(results)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    lock = threading.Lock()
    with log.open("w", encoding="utf-8") as stream:

        def keep(line: str) -> None:
            with lock:
                stream.write(f"{line}\n")
                stream.flush()  # whoever looks on sees each line as it comes
            if line.strip():
                report_progress(line.strip()[:100])

        try:
            completed = run(
                command,
                purpose="run the end-to-end tests",
                cwd=directory,
                environment=environment,
                timeout=timeout,
                accept=range(-64, 256),
                on_line=keep,
            )
            returncode: t.Optional[int] = completed.returncode
            seconds = completed.seconds
        except CommandError as error:
            if error.cause != "command-timeout":
                raise
            returncode, seconds = None, timeout
            keep(f"ended by the time limit of {timeout:g} s")
    outcome = Outcome(
        command=list(command),
        passed=returncode == 0,
        returncode=returncode,
        seconds=round(seconds, 2),
        log=str(log),
        last_lines=last_lines(log.read_text(encoding="utf-8")),
    )
    (folder / OUTCOME).write_text(json.dumps(asdict(outcome), indent=1), encoding="utf-8")
    return outcome
