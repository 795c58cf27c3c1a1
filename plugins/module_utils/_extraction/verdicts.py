# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Why counters are missing: pure rules over the observed end, in order of precedence.

Each lost process run gets one cause; of all causes the first in ORDER gives the verdict, and the others are mentioned.
Signs: what covmeta (written at the start) and covcounters (written at the end) are there, the exit code, the last lines
of the log, and what the node saw of the process while it ran. Facts about Go: runtime/coverage,
internal/coverage/cfile.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import count
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    REPLACED,
    PodProcessRuns,
    ProcessRun,
    known_process_runs,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.rules.counters import (
    stale_counters,
    two_builds,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.rules.end import (
    could_not_write,
    crashed,
    forgotten,
    grace_exceeded,
    killed,
    no_counters,
    no_handler,
    out_of_memory,
    panicked,
    signal_ignored,
    signal_not_forwarded,
    still_runs,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.rules.start import (
    disk_full_at_start,
    gocoverdir_unset,
    no_covmeta,
    node_unreachable,
    not_instrumented,
    not_writable,
    path_mismatch,
    replaced,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.signs import EVIDENCE_LINES
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import redacted_text

Rule = t.Callable[[Ending, PodProcessRuns], t.Optional[Diagnosis]]
ProcessRunRule = t.Callable[[Ending, PodProcessRuns, ProcessRun], t.Optional[Diagnosis]]

WHOLE: tuple[t.Callable[[Ending, t.Sequence[PodProcessRuns]], t.Iterator[Diagnosis]], ...] = (
    two_builds,
    stale_counters,
)
NOTHING_WRITTEN: tuple[Rule, ...] = (
    node_unreachable,
    disk_full_at_start,
    path_mismatch,
    gocoverdir_unset,
    not_writable,
    not_instrumented,
)
NOT_FINISHED: tuple[ProcessRunRule, ...] = (
    still_runs,
    could_not_write,
    out_of_memory,
    panicked,
    signal_not_forwarded,
    signal_ignored,
    grace_exceeded,
    killed,
    no_handler,
    crashed,
)

# the first of these that was seen gives the verdict: what concerns all counters comes before what concerns one process
# run
ORDER = (
    *("two-builds", "disk-full", "node-unreachable", "coverage-path-mismatch", "gocoverdir-unset"),
    *("coverage-read-only", "coverage-not-writable", "not-instrumented", "no-covmeta"),
    *("out-of-memory", "panic", "sigterm-not-forwarded", "sigterm-ignored", "grace-period-exceeded"),
    *("no-sigterm-handler", "not-flushed", "killed", "crash", "no-counters", "pod-replaced", "processes-lost"),
    "stale-counters",
)


def verdict_of(ending: Ending, process_runs: t.Sequence[PodProcessRuns]) -> t.Optional[Diagnosis]:
    """Return why counters are missing or cannot be trusted, None where all is well; note the cause at each lost process
    run.

    What else was seen is in C(also); the evidence begins with what is lost.
    """
    if not process_runs:
        return Diagnosis(
            cause="no-pods",
            sentence="No pod was running when the counters were collected, so there are none.",
            remedy="Find out why: the workload has no replicas, or its Job has never run.",
            setting="workload.name",
        )
    found = [verdict for look in WHOLE for verdict in look(ending, process_runs)]
    for item in process_runs:
        if item.lost:
            explained = list(why(ending, item))
            found += explained
            item.cause, item.why = explained[0].cause, redacted_text(explained[0].sentence)
    if not found:
        return None
    by_cause: dict[str, list[Diagnosis]] = {}
    for verdict in found:
        by_cause.setdefault(verdict.cause, []).append(verdict)
    merged = [_merged(by_cause[cause]) for cause in sorted(by_cause, key=ORDER.index)]
    first, rest = merged[0], merged[1:]
    lost = [
        f"pod {item.pod}: counters of {item.counters} of {count(item.process_runs, 'process run')}"
        f" collected, {item.metas} covmeta, "
        f"exit codes {item.exit_codes or 'not seen'}{f' ({item.reason})' if item.reason else ''}"
        for item in process_runs
        if item.lost
    ]
    return dataclasses.replace(
        first,
        sentence=redacted_text(first.sentence),
        evidence=[redacted_text(line) for line in [*lost[:EVIDENCE_LINES], *first.evidence]][: 2 * EVIDENCE_LINES],
        also=[other.rewritten(redacted_text) for other in rest],
    )


def why(ending: Ending, item: PodProcessRuns) -> t.Iterator[Diagnosis]:
    """Yield a verdict for each lost process run of a pod that is explained, at least one."""
    names = ending.names(item.pod)
    known = known_process_runs(ending, item.pod) if ending.pod(item.pod) is not None else []
    if not item.metas:
        # one cause for all of its process runs
        yield next(filter(None, (look(ending, item) for look in NOTHING_WRITTEN)), None) or no_covmeta(ending, item)
        return
    if item.reason == REPLACED and not known:
        yield replaced(ending, item)
        return
    # the last one first: it is the one that got SIGTERM
    lost = [process_run for process_run in reversed(known) if not process_run.wrote(names)][: item.lost]
    if not lost and known and item.lost >= item.process_runs:
        lost = known[-1:]
    for process_run in lost:
        yield (
            next(filter(None, (look(ending, item, process_run) for look in NOT_FINISHED)), None)
            or no_counters(ending, item, process_run)
        )
    if item.lost > len(lost):
        yield forgotten(item, item.lost - len(lost))


def _merged(verdicts: t.Sequence[Diagnosis]) -> Diagnosis:
    """One verdict for all that have the same cause: the first one's words, and everyone's evidence."""
    first, others = verdicts[0], verdicts[1:]
    if not others:
        return first
    evidence = [line for verdict in verdicts for line in verdict.evidence]
    return dataclasses.replace(
        first,
        sentence=f"{first.sentence.rstrip('.')} (and {len(others)} more).",
        evidence=list(dict.fromkeys(evidence))[: 2 * EVIDENCE_LINES],
    )
