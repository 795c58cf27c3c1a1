# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/verdicts.md from the registry of causes: ``verdict_page.py [--check]``.

What introduces a stage is written here; everything about a cause comes from where it is registered. With C(--check)
nothing is written: the exit code is 1 if the page is not what would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base import causes  # registers them
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import place_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import verdicts  # and those of rules
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine  # and those of rules

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "verdicts.md"
REGISTERED = (causes, engine, verdicts)

INTRODUCTION = """\
# Verdicts

<!-- Written by make docs from the registry of causes. -->

When something is wrong, a run does not end with a timeout or an empty folder but with a verdict:

- **sentence**: what is wrong, where, and why;
- **evidence**: what was observed, quoted;
- **remedy**: what to do;
- **setting**: the variable to set, in an inventory or for a role; **contract_key** is the same in a contract,
  **option** for the module used alone (`MODULE: OPTION` where it belongs to another module);
- **also**: what else is wrong;
- **cause**: a short id that stays the same. It is for scripts and for this page;
- **documentation**: the address of the cause on this page.

Every module of the collection that fails for a reason of its own returns these as `verdict`; the callback
`kubernaut.coverage.journey` prints them part by part.
"""
GATE = """\
## Readiness gate

The gate observes the workload, its ReplicaSets or Jobs, pods, events, nodes, logs and coverage folders, several
times a second. Before a verdict, and once a second or less often while something is not ready, it makes a full
observation: also of Services, endpoints, claims, the names of ConfigMaps and Secrets, what the ports of a pod
answer, what is behind a Service that the program needs, and whether the file of the process is instrumented at all.

Rules are asked in the order of causality: what keeps a pod from being made comes before what keeps it from a node,
that before its volumes, images, configuration, start, end, counters and probes. The first rule that knows a cause
gives the verdict; what the others found is in `also`, one for each container. Kubernetes' own fields (reasons, exit
codes, conditions) decide wherever there are any. Where it only has a message, small patterns read it, each with its
origin in Kubernetes' source next to it; of logs, the forms of Go's own packages and of the usual clients.

**Terminal** causes end the wait at once: no passing of time cures them, only somebody's change. The others are given
when the time is over, instead of "timed out". Where Kubernetes, a controller or the program tries again, the wait
goes on: a probe asks again, a program that runs on may connect at its next try, one that ended once is started again,
a Secret may come of a Certificate, a table of a Job that runs. So what a program says that it cannot reach is
terminal only when it has ended for it twice, and nothing else in its namespace still comes up; and a probe that fails
only when Kubernetes has killed the container for it twice. What cannot succeed before the time is over, because
minReadySeconds is longer, is terminal, too. Before a terminal verdict, the gate makes a full observation: what cured
itself meanwhile was not terminal.

A pod that is ready and whose log says that it may not list or watch something, or that there is no such kind, is
watched for 20 s more: controllers end when their caches were not filled. One that has ended twice with an error is
ready when it runs for longer than before, up to 20 s. Pods that are not ready because another one leads (they say so,
and a Lease names a pod that is ready) are ready by design.

Logs are read whichever logger wrote them: JSON, logfmt, klog, zap's and zerolog's console, plain text over several
lines. Of an entry count the message and its error, not the time, the level or the stack. The entry that tells is the
last one whose error is of a known kind; what a program says it does without, and what the kubelet says in place of a
log, is none. What the entry names (a path, a variable, a host) is then looked up in the manifest and the namespace.

The same rules answer `playbooks/diagnosis.yml`, for any workload of any cluster, in one observation. It needs the
right to read the workload, its pods and their events; what else its user may not read (nodes, logs, ReplicaSets,
Services) is left out and named, and no sentence says anything about it.

What the rules were checked against, with the seconds that each took, and which of them are weak:
[faults](faults.md). On failure, everything that the gate observed is in `evidence/observation.json` of the run's
folder, without values that look like secrets. `tests/tools/replay_verdict.py` says what the rules find in such a
file.
"""
# stage: heading, text below it; an empty one belongs to the chapter before it
STAGES: dict[str, tuple[str, str]] = {
    "Contract": ("## Contract", "Before anything else."),
    "Preflight: the host and the source": (
        "## Preflight",
        "Before anything is changed. See [preflight](preflight.md).",
    ),
    "Cluster": ("## Cluster", "Creating it. A creation that fails leaves no containers and no volumes."),
    "Instrumented image": (
        "## Instrumented image",
        "Building it, proving it and loading it into the nodes. [`image-not-on-node`](#image-not-on-node) and"
        " [`wrong-architecture`](#wrong-architecture) are given here, too.",
    ),
    "Dependencies": (
        "## Dependencies",
        "Where the pod of a dependency does not start, the verdict is that of the [readiness gate](#readiness-gate).",
    ),
    "Coverage mode": (
        "## Coverage mode",
        "The API server is asked beforehand (a dry run). The gate gives the same causes where it refuses the"
        " pods later.",
    ),
    "The workload and its pods": (f"{GATE}\n### The workload and its pods", ""),
    "A place to run": (
        "### A place to run",
        "Terminal once all nodes have been ready for 15 s, unless an autoscaler is at work or room may become free.",
    ),
    "Images, configuration, volumes": ("### Images, configuration, volumes", ""),
    "Programs that end": (
        "### Programs that end",
        "Terminal at `CrashLoopBackOff`, from the second restart on, at the second failed pod of a Job, at"
        " the end of a bare pod that is not started again. One end alone is not: it may have waited for a"
        " dependency. A dependency of this cluster that can never come is terminal, and one that only starts"
        " is not, however often the program ends.",
    ),
    "Programs that run and are not ready": ("### Programs that run and are not ready", ""),
    "Programs that write no counters": (
        "### Programs that write no counters",
        "covmeta is written when an instrumented program starts, so all of these are known as soon as a pod"
        " is ready. [`not-instrumented`](#not-instrumented) is given here where the file of the running"
        " process lacks `runtime/coverage.initHook`. Extraction gives them where the gate was not asked, or"
        " where a pod came later.",
    ),
    "Tests": ("## Tests", ""),
    "Suites that bring their own cluster": (
        "## Suites that bring their own cluster",
        "After the suite. A workload that never becomes ready has the cause that the [readiness gate](#readiness-gate)"
        " gives; see [suites](suites.md).",
    ),
    "Extraction": (
        "## Extraction",
        "Go writes `covmeta` when a program starts and `covcounters` when it ends by a return from main or"
        " `os.Exit`: one file of counters for each process run. Extraction examines the processes before it"
        " stops them, follows their logs to the last line, waits for their real end, and compares the files"
        " with the process runs. The workload is restored in each case, and what was collected"
        " stays. Where nothing was collected, the run fails with the verdict.",
    ),
    "Lost process runs": (
        "### Lost process runs",
        "Where only some process runs are lost, the same verdict is a warning on the terminal, in"
        " `coverage_extraction_result.verdict`, and for each pod in `processes-<component>.json` (`cause`, `why`):"
        " never only a lower number. What the rules saw is in `evidence/ending.json`. First comes what concerns all"
        " counters, then [programs that wrote nothing at all](#programs-that-write-no-counters), memory and panics,"
        " and then how the program ended.",
    ),
    "Report": (
        "## Report",
        "What a report mentions without ending is listed with the role"
        " [coverage_report](../roles/coverage_report/README.md). With `policy: fail` the first of them ends"
        " the work, and is its cause.",
    ),
    "Coverage data": (
        "### Coverage data",
        "Problems of single files and of what they contain. They are in `problems` of the result and of"
        " `summary.json`, where `kind` is the name of the cause, and in the report; with `policy: fail` the first one"
        " ends the work. [`two-builds`](#two-builds), [`renamed`](#renamed), [`source-clash`](#source-clash),"
        " [`granularity-clash`](#granularity-clash), [`no-statements`](#no-statements) and"
        " [`unmatched-pattern`](#unmatched-pattern) are problems, too.",
    ),
    "Snapshots": (
        "## Snapshots",
        "Reading counters from the memory of running programs. [`not-instrumented`](#not-instrumented),"
        " [`no-pods`](#no-pods), [`unreadable`](#unreadable) and [`mode-clash`](#mode-clash) are given here, too.",
    ),
    "The runner": ("## The runner", ""),
    "Kubernetes, podman and other programs": ("## Kubernetes, podman and other programs", "Given by every stage."),
}


def setting(name: str) -> str:
    """Return where a setting is set, in Markdown."""
    place = place_of(name)
    text = f"`{place.variable}`"
    return f"{text} (contract: `{place.key}`)" if place.key and place.key != place.variable else text


def entry(cause: Cause, level: int) -> str:
    """Return what is written about one cause."""
    lines = [f"{'#' * level} `{cause.id}`", "", f"**{cause.title}.** {cause.why}", "", f"- Remedy: {cause.remedy}"]
    if cause.settings:
        lines.append(f"- Setting: {', '.join(map(setting, cause.settings))}")
    if cause.terminal:
        lines.append(f"- Terminal: {cause.terminal}")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page.

    :raises ValueError: a stage of the registry has no chapter here, or the other way round.
    """
    if set(STAGES) != set(CAUSES.stages):
        raise ValueError(f"stages without a chapter or causes: {sorted(set(STAGES) ^ set(CAUSES.stages))}")
    parts = [INTRODUCTION]
    for stage, (heading, text) in STAGES.items():
        parts.append(f"{heading}\n")
        if text:
            parts.append(f"{text}\n")
        level = heading.rpartition("\n")[2].count("#") + 1
        parts += [entry(cause, level) for cause in CAUSES.stages[stage]]
    return "\n".join(parts)


def main() -> int:
    """Write the page, or say that it is out of date."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") != wanted:
            print(f"{PAGE.relative_to(ROOT)} is out of date: make docs", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
