# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a suite is judged: by the verdict that ended it, then by itself, then by what it left."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import recorded
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.pods import Seen
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import (
    ClusterRecord,
    ImageProof,
    Record,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.result import (
    PROCESS_RUNS,
    components,
    judge_suite,
    save,
)

CLUSTER = ClusterRecord("mine", "node", "id", 0.0)
PLAIN = ImageProof("app:1", "1", False, why="/app in image app:1 is not instrumented.")
COUNTING = ImageProof("app:2", "2", True)


def seen(identity: str, pod: str = "app-1") -> Seen:
    return Seen("shop", pod, "uid", "node", "app", "server", True, "app:2", identity, running=True)


def judged(folder: Path, record: Record, verdict: Diagnosis | None = None, **outcome: t.Any) -> str:
    """Return cause and sentence of a suite that ended like this; empty if it passed."""
    details = {"passed": True, "cause": "", "sentence": "", "command": ["make"], "log": "log", "last_lines": []}
    (folder / "e2e-tests.json").write_text(json.dumps({**details, **outcome}))
    save(str(folder), record, verdict)
    try:
        judge_suite(str(folder))
    except CoverageError as error:
        return f"{error.cause}: {error.message}"
    return ""


def with_counters(folder: Path, component: str = "app", size: int = 10) -> None:
    place = folder / "coverdata" / component / "pod"
    place.mkdir(parents=True)
    (place / "covmeta.1").write_bytes(b"x" * size)


def test_a_suite_that_passed_and_left_counters(tmp_path: Path) -> None:
    with_counters(tmp_path)
    assert judged(tmp_path, Record(clusters=[CLUSTER], images=[COUNTING])) == ""


FAILED = {"passed": False, "cause": "tests-failed", "sentence": "the command exited with 2"}


def test_a_failure_says_whether_there_is_coverage(tmp_path: Path) -> None:
    assert judged(tmp_path, Record(), **FAILED).endswith("exited with 2; it left no coverage data.")
    with_counters(tmp_path)
    assert judged(tmp_path, Record(), **FAILED).endswith("exited with 2; the coverage data was collected.")


def test_the_verdict_that_ended_it_comes_first(tmp_path: Path) -> None:
    found = judged(tmp_path, Record(), Diagnosis("image-not-on-node", "Image x is not there."), **FAILED)
    assert found == "image-not-on-node: The suite was ended because waiting cannot help: Image x is not there."


@pytest.mark.parametrize(
    ("record", "cause", "part"),
    [
        (Record(), "suite-without-cluster", "created no kind cluster"),
        (Record(clusters=[CLUSTER]), "suite-not-instrumented", "counts anything"),
        (Record(clusters=[CLUSTER], images=[PLAIN]), "suite-not-instrumented", PLAIN.why),
        (Record(clusters=[CLUSTER], images=[PLAIN, COUNTING]), "suite-without-counters", "although app:2"),
    ],
)
def test_one_that_left_nothing_says_why(tmp_path: Path, record: Record, cause: str, part: str) -> None:
    found = judged(tmp_path, record)
    assert found.startswith(f"{cause}: ")
    assert part in found


def test_the_largest_program_stands_for_the_suite(tmp_path: Path) -> None:
    with_counters(tmp_path, "webhook", 10)
    with_counters(tmp_path, "manager", 500)
    (tmp_path / "coverdata" / "empty").mkdir()
    assert components(tmp_path / "coverdata") == ["manager", "webhook"]


def test_process_runs_are_counted_for_the_report(tmp_path: Path) -> None:
    record = Record()
    for identity, code, home in (("a" * 64, 3, True), ("b" * 64, 0, False)):
        run = record.add(seen(identity), "mine", str(tmp_path))
        run.exit_code, run.written = code, home
    save(str(tmp_path), record, None)
    (item,) = recorded(str(tmp_path / PROCESS_RUNS))
    assert (item.component, item.pod, item.process_runs, item.counters) == ("app", "app-1", 2, 1)
    assert (item.exit_codes, item.cause, item.lost) == ([3, 0], "ended-unread", 1)
