# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Find coverage data in folders, exclude bad files, merge the others, and report every problem.

Layout: C(<root>/<component>/<pod>/...); files that lie in the root itself belong to the component that is given.
Go's own word "pod" (a covmeta with its covcounters) is not used: here that is a program, and a pod is Kubernetes'.
Source of truth for the merge: internal/coverage/cmerge and pods, cmd/covdata.

What is done, by kind of problem:

- a file that is damaged, cut off, empty, of a future version, not readable or left over from a write that was
  interrupted does not count; all others do;
- a file that is there twice counts once;
- of copies of one covmeta that differ, the one whose contents match its hashes counts;
- counters without their covmeta do not count: they have no meaning without it;
- a pod with a covmeta and no counters lost its counters: the percentage is a lower bound;
- data older than the run, or of a program that is not expected, do not count, if either was specified;
- counts that a process wrote several times while it ran count once, the last: see R(snapshots);
- C(set) data together with C(count) or C(atomic) data: all of it is reduced to covered or not, as C(set) is;
- two builds from different sources in one component: the percentage is withheld, because the same statement would
  count twice, at two places. Two builds whose shared packages are equal merge soundly;
- a covmeta whose contents do not match its hashes has changed since it was written, and nothing else shows it: the
  percentage is withheld. The check costs more than all the rest, so a large covmeta is checked only on request.

The policy says what becomes of a file that does not count: with C(warn) it is left where it is; with C(quarantine)
too, until R(quarantine) is called, which moves it away; with C(fail) a R(DataError) ends the work. In no case does it
count, and in no case does it keep good data from being read.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.checks import (
    common_mode,
    drop_foreign,
    drop_stale,
    find_changed_contents,
    find_inflated_counts,
    find_lost_process_runs,
    find_two_builds,
    without_stale,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.metas import read_metas
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Found, Pod
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, WARNING, DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.process_runs import (
    Choosing,
    merge_process_runs,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.scan import LEADS_BACK, Scan
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.snapshots import AUTO

FAIL, QUARANTINE, WARN = "fail", "quarantine", "warn"
POLICIES = (FAIL, QUARANTINE, WARN)


@dataclass(frozen=True)
class _Options:
    choosing: Choosing
    not_before: int
    expected: t.Sequence[str]
    verify: bool


def read_collection(
    roots: t.Union[str, t.Sequence[str]],
    component: str,
    *,
    layered: bool = True,
    policy: str = QUARANTINE,
    each_process_run: bool = False,
    not_before: int = 0,
    expected: t.Sequence[str] = (),
    snapshots: str = AUTO,
    process_runs: t.Optional[t.Mapping[str, int]] = None,
    verify: bool = False,
) -> list[Component]:
    """Read, check and merge all coverage data under some roots; return the components by name.

    :arg roots: a folder, or several folders and files. The covmeta of a file of counters is searched in its folder.
    :arg component: name for the data directly in a root; without layers, for all data.
    :arg layered: the first folder below a root is a component's, what is below it a pod's.
    :arg policy: what becomes of files that do not count: C(fail), C(quarantine) or C(warn).
    :arg each_process_run: also find what ran in each process run that ran its function (C(Program.always)).
    :arg not_before: when the run began, in nanoseconds since the epoch; counters that are older do not count.
    :arg expected: patterns of which one has to match the import path of a program's main package, or its module. A
        program whose main is not instrumented is judged by all of its packages.
    :arg snapshots: C(auto), C(sum) or C(last): what files of one process are, see R(snapshots).
    :arg process_runs: how many process runs each pod is known to have had, by the name of its folder.
    :arg verify: also hold those covmeta against their hashes that have more than C(VERIFIED) blocks.
    :returns: one entry for each component that has a file; each carries its problems. Empty for empty folders.
    :raises DataError: with the policy C(fail), anything that costs data or trust; its cause is the kind of the first.
    """
    options = _Options(Choosing(each_process_run, snapshots, process_runs or {}), not_before, expected, verify)
    components: dict[str, Component] = {}
    metas: dict[str, list[Found]] = {}
    counters: dict[str, list[Found]] = {}
    scan = Scan([roots] if isinstance(roots, str) else list(roots), component, layered=layered)
    for folder, name, kind in scan:
        entry = components.setdefault(folder.component, Component(folder.component))
        if kind == "meta":
            metas.setdefault(entry.name, []).append(Found(folder, name))
        elif kind == "counters":
            counters.setdefault(entry.name, []).append(Found(folder, name))
        elif kind == "temporary":
            entry.put_aside(
                "leftover",
                f"A process was killed while it wrote {name}; the partial file is not used.",
                os.path.join(folder.path, name),
                "Give the pod a longer grace period, and make sure that the disk of its node is not full.",
            )
        else:
            entry.say(
                "unreadable",
                NOTE if kind.startswith(LEADS_BACK) else WARNING,
                f"{os.path.join(folder.path, name)} cannot be read: {kind}.",
                os.path.join(folder.path, name),
                "Correct its permissions; data in it do not count.",
            )
    for name, entry in components.items():
        _read_component(entry, metas.pop(name, []), counters.pop(name, []), options)
    result = [components[name] for name in sorted(components)]
    if policy == FAIL:
        _refuse(result, scan.roots)
    return result


def _refuse(components: t.Sequence[Component], roots: t.Sequence[str]) -> None:
    """Raise for the first problem that loses data or makes them untrustworthy, with the others as evidence."""
    where = ", ".join(roots)
    if not components:
        raise DataError(
            f"There is no coverage data in {where}: no covmeta and no covcounters.",
            remedy="Make sure that the program is instrumented (go build -cover) and that GOCOVERDIR is set where it "
            "runs and is writable.",
            cause="no-coverage-data",
        )
    bad = [entry for component in components for entry in component.problems if entry.severity != NOTE]
    if bad:
        first, more = bad[0], len(bad) - 1
        raise DataError(
            first.sentence + (f" The evidence lists {more} more." if more else ""),
            remedy=first.remedy,
            evidence=[f"{entry.file}: {entry.sentence}" if entry.file else entry.sentence for entry in bad],
            cause=first.kind,
        )


def _read_component(component: Component, metas: list[Found], counters: list[Found], options: _Options) -> None:
    for group in (metas, counters):
        for found in group:
            if found.folder.pod not in component.pods:
                component.pods[found.folder.pod] = Pod(found.folder.pod)
    counters = without_stale(component, counters, options.not_before)
    for found in counters:
        component.pods[found.folder.pod].found += 1
    programs = read_metas(component, metas)
    found_for: dict[str, list[Found]] = {}
    for found in counters:
        found_for.setdefault(found.hash, []).append(found)
    del counters
    stale = drop_stale(component, programs, metas, found_for, options.not_before)
    foreign = drop_foreign(component, programs, metas, found_for, options.expected)
    for digest, group in sorted(found_for.items()):
        if digest in programs:
            continue
        for found in group:
            component.put_aside(
                "counters-without-meta",
                f"{found.name} is set aside: no valid covmeta.{digest} was found, and counters cannot be read "
                "without it.",
                found.path,
                "Collect the covmeta too; it is written when the process starts.",
            )
    component.programs = [programs[digest] for digest in sorted(programs)]
    component.mode, component.granularity = common_mode(component)
    for digest in sorted(programs):
        merge_process_runs(component, programs[digest], found_for.get(digest, []), options.choosing)
    find_lost_process_runs(component, stale | foreign)
    find_two_builds(component)
    find_inflated_counts(component)
    find_changed_contents(component, everything=options.verify)
