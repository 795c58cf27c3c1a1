# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The result of a suite: its components, its process runs as the report reads them, and why it did not pass."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, replace
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_json
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import judge
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import PodProcessRuns
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import RECORD, Record

PROCESS_RUNS = "processes-suite.json"
VERDICT = "suite-verdict.json"
NAMED = 3
COLLECTED, NOT_COLLECTED = "; the coverage data was collected", "; it left no coverage data"


class SuiteNotMeasured(CoverageError):
    """The suite ended, and its coverage is not what was wanted."""


def components(coverdata: Path) -> list[str]:
    """Return the components that have coverage data, the largest program first: its name stands for the suite."""
    sizes = {
        folder.name: max((path.stat().st_size for path in folder.rglob("covmeta.*")), default=0)
        for folder in (coverdata.iterdir() if coverdata.is_dir() else ())
        if folder.is_dir()
    }
    return sorted((name for name, size in sizes.items() if size), key=lambda name: (-sizes[name], name))


def process_runs(record: Record) -> list[PodProcessRuns]:
    """Return the process runs of a suite by component and pod."""
    found: dict[tuple[str, str, str], PodProcessRuns] = {}
    for run in record.runs.values():
        key = (run.component, run.pod, run.container)
        item = found.setdefault(key, PodProcessRuns(run.component, run.pod, run.node, run.container, 0, uid=run.uid))
        item.process_runs += 1
        item.counters += run.home
        item.metas += run.home
        item.reason = run.reason or item.reason
        if run.exit_code is not None:
            item.exit_codes.append(run.exit_code)
        if not run.home:
            found[key] = replace(item, cause="ended-unread", why="a process run of it was killed before it was read")
    return list(found.values())


def save(results: str, record: Record, verdict: t.Optional[Diagnosis]) -> None:
    """Write the record, the process runs for the report, and the verdict that ended the suite, if any."""
    folder = Path(results)
    record.save(results)
    write_json(folder / PROCESS_RUNS, [asdict(item) for item in process_runs(record)])
    if verdict is not None:
        write_json(folder / VERDICT, verdict.verdict())


def why_nothing(record: t.Mapping[str, t.Any]) -> CoverageError:
    """Return the error of a suite that left no counters at all."""
    clusters, images = record["clusters"], record["images"]
    counting = [item["reference"] for item in images if item["instrumented"]]
    evidence = [f"{item['reference']}: {item['why']}" for item in images if not item["instrumented"]]
    if not clusters:
        return SuiteNotMeasured(
            "The suite created no kind cluster, and no program that it started on this host left counters.",
            evidence=evidence,
            cause="suite-without-cluster",
        )
    if not counting:
        named = "; ".join(evidence[:NAMED])
        return SuiteNotMeasured(
            "None of the images that the suite built or loaded counts anything" + (f": {named}" if named else "."),
            evidence=evidence,
            cause="suite-not-instrumented",
        )
    return SuiteNotMeasured(
        f"No counters were collected, although {', '.join(counting)} is instrumented: no process of it was seen.",
        evidence=[
            f"{run['namespace']}/{run['pod']} {run['container']}: {run['why']}" for run in record["process_runs"]
        ],
        cause="suite-without-counters",
    )


def judge_suite(results: str) -> None:
    """Read how a suite went, from the folder of its run.

    :raises CoverageError: it was ended for a verdict, did not pass, or left no counters; in that order.
    """
    folder = Path(results)
    if (folder / VERDICT).is_file():
        found = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
        of_the_gate = str(found["cause"])
        raise SuiteNotMeasured(
            f"The suite was ended because waiting cannot help: {found['sentence']}",
            evidence=found["evidence"],
            remedy=found["remedy"],
            cause=of_the_gate,
        )
    try:
        judge(results)
    except CoverageError as error:
        if components(folder / "coverdata"):
            raise
        raise error.amend(sentence=error.message.replace(COLLECTED, NOT_COLLECTED)) from None
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    if not components(folder / "coverdata"):
        raise why_nothing(record)
