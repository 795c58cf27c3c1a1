# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Rules about all collected counters."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import count
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Ending
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    PodProcessRuns,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.rule import rule
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.signs import (
    EVIDENCE_LINES,
)


@rule(
    Cause(
        "two-builds",
        title="The counters are of two builds",
        why=(
            "There is more than one covmeta of the same main package: the image was changed during the "
            "run, or the folder on the nodes was used before."
        ),
        remedy="Use one image for all pods of a component, and a new run for a new build.",
        settings=("coverage_mode#image",),
    ),
)
def two_builds(ending: Ending, process_runs: t.Sequence[PodProcessRuns]) -> t.Iterator[Diagnosis]:
    """More than one covmeta of the same program: it was changed in between, and its statements would count twice."""
    by_main: dict[tuple[str, ...], list[str]] = {}
    for digest, main in sorted(ending.builds.items()):
        if main:
            by_main.setdefault(tuple(main), []).append(digest)
    for mains, digests in by_main.items():
        pods = {
            digest: sorted({name.partition("/")[0] for name in ending.files if digest in name}) for digest in digests
        }
        if len(digests) > 1:
            yield Diagnosis(
                cause="two-builds",
                sentence=f"The counters of {ending.component} are from {len(digests)} builds of {mains[0]} and cannot"
                " be merged.",
                evidence=[f"covmeta.{digest} of {', '.join(pods[digest]) or 'no pod'}" for digest in digests],
                remedy="Use one image for all pods of a component, and a new run for a new build.",
                setting="coverage_mode#image",
            )


@rule(
    Cause(
        "stale-counters",
        title="The folder has counters of an earlier run",
        why=(
            "Files are older than the first revision of the workload with this run's id. They are in "
            "`set-aside/` of the run's folder and are not counted."
        ),
        remedy="Use an id of its own for each run.",
        settings=("coverage_mode#run_id",),
    ),
)
def stale_counters(ending: Ending, process_runs: t.Sequence[PodProcessRuns]) -> t.Iterator[Diagnosis]:
    """Files that are older than the workload of this run: of an earlier one that used the same folder."""
    old = sorted(name for name in ending.set_aside if name.rpartition("/")[2].startswith("cov"))
    if old:
        yield Diagnosis(
            cause="stale-counters",
            sentence=f"{count(len(old), 'file')} in {ending.volume_directory} on the nodes"
            f" {'is' if len(old) == 1 else 'are'} older than this run's workload, and"
            f" {'was' if len(old) == 1 else 'were'} set aside.",
            evidence=old[:EVIDENCE_LINES],
            remedy="Use a unique id for each run: it names the folder on the nodes.",
            setting="coverage_mode#run_id",
        )
