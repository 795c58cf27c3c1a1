# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The numbers of a report, as data and as text. The keys of summary.json are a promise: see C(SCHEMA)."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile, percentage
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import Shortfall, Thresholds
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.tiers import Tiers

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

SCHEMA = 2  # incremented when a key changes its meaning or is removed; see docs/results.md
DECIMALS = 4


@dataclass(frozen=True)
class PackageRow:
    """One package's numbers."""

    path: str
    module: str
    statements: int
    covered: int
    functions: int
    functions_covered: int

    def exact(self) -> t.Optional[float]:
        """Return the percentage; nothing where there is no statement."""
        return percentage(self.covered, self.statements) if self.statements else None

    def as_dict(self) -> dict[str, t.Any]:
        """Return the row as plain data."""
        return {
            "path": self.path,
            "module": self.module,
            "percent": rounded(self.exact()),
            "statements": self.statements,
            "covered": self.covered,
            "functions": self.functions,
            "functions_covered": self.functions_covered,
        }


@dataclass
class Section:
    """One component of a report; C(profile) is nothing where its percentage is withheld.

    :ivar texts: how many text profiles are part of it.
    """

    component: Component
    of_service: bool
    profile: t.Optional[Profile] = None
    covered: int = 0
    statements: int = 0
    packages: list[PackageRow] = field(default_factory=list)
    texts: int = 0

    def origin(self) -> str:
        """Return what the numbers are computed from."""
        process_runs, parts = self.component.process_runs(), []
        if process_runs or not self.texts:
            parts.append(f"{process_runs} {'process run' if process_runs == 1 else 'process runs'}")
        if self.texts:
            parts.append(f"{self.texts} text {'profile' if self.texts == 1 else 'profiles'}")
        return ", ".join(parts)

    def mode(self) -> str:
        """Return the counter mode of the numbers."""
        return self.profile.mode if self.profile is not None else self.component.mode

    def exact(self) -> t.Optional[float]:
        """Return the total's percentage; nothing where it is withheld."""
        if self.profile is None or self.component.withheld:
            return None
        return percentage(self.covered, self.statements)


def rounded(percent: t.Optional[float]) -> t.Optional[float]:
    """Return a percentage as it is written to files."""
    return None if percent is None else round(percent, DECIMALS)


def package_rows(profile: Profile) -> list[PackageRow]:
    """Count statements and functions by package; a function is covered if a statement of it ran."""
    size = len(profile.packages)
    covered, statements = profile.by(profile.package, size)
    ran, _whole = profile.by(profile.function, len(profile.function_name))
    named = ~profile.function_literal
    functions = np.bincount(profile.function_package[named], minlength=size)
    functions_covered = np.bincount(profile.function_package[named & (ran > 0)], minlength=size)
    columns = (covered, statements, functions, functions_covered)
    rows = zip(profile.packages, *(column.tolist() for column in columns), strict=True)
    return [
        PackageRow(package.path, package.module, whole, part, many, some) for package, part, whole, many, some in rows
    ]


def summary_dict(
    sections: t.Sequence[Section],
    *,
    service: str,
    run_id: str,
    thresholds: Thresholds,
    shortfalls: t.Sequence[Shortfall],
    problems: t.Sequence[Problem],
    process_runs: t.Sequence[t.Mapping[str, t.Any]],
    stages: t.Optional[t.Mapping[str, float]],
    files: t.Sequence[str],
    tiers: t.Optional[Tiers] = None,
) -> dict[str, t.Any]:
    """Return the content of summary.json. The numbers at the top are those of the service's own component."""
    first = sections[0]
    return {
        "schema": SCHEMA,
        "service": service,
        "run_id": run_id,
        "component": first.component.name,
        "percent": rounded(first.exact()),
        "statements": first.statements,
        "covered": first.covered,
        "withheld": first.component.withheld,
        "threshold_passed": not shortfalls,
        "thresholds": {"total": thresholds.total, "packages": dict(sorted(thresholds.packages.items()))},
        "shortfalls": [shortfall.as_dict() for shortfall in shortfalls],
        "packages": [row.as_dict() for row in first.packages],
        "components": [_component_dict(section) for section in sections],
        "tiers": tiers.as_list() if tiers else [],
        "process_runs": [dict(entry) for entry in process_runs],
        "problems": [problem.as_dict() for problem in problems],
        "problem_kinds": dict(sorted(Counter(problem.kind for problem in problems).items())),
        "stages": {name: round(float(seconds), 3) for name, seconds in (stages or {}).items()},
        "files": list(files),
    }


def _component_dict(section: Section) -> dict[str, t.Any]:
    component = section.component
    return {
        "name": component.name,
        "percent": rounded(section.exact()),
        "statements": section.statements,
        "covered": section.covered,
        "withheld": component.withheld,
        "mode": section.mode(),
        "granularity": component.granularity,
        "process_runs": component.process_runs(),
        "text_profiles": section.texts,
        "pods": [
            {"name": pod.name, "covmeta": pod.metas, "covcounters": pod.counters}
            for _name, pod in sorted(component.pods.items())
        ],
        "programs": [
            {
                "main": list(program.meta.main_paths()),
                "hash": program.meta.hash.hex(),
                "mode": program.meta.mode,
                "process_runs": program.process_runs,
            }
            for program in component.programs
        ],
        "packages": [row.as_dict() for row in section.packages],
    }


def history_entry(summary: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the run's line in history.jsonl."""
    kept = (
        "schema",
        "service",
        "run_id",
        "component",
        "percent",
        "statements",
        "covered",
        "withheld",
        "threshold_passed",
    )
    entry = {key: summary[key] for key in kept}
    entry["packages"] = {row["path"]: row["percent"] for row in summary["packages"]}
    entry["components"] = {row["name"]: row["percent"] for row in summary["components"]}
    entry["process_runs"] = sum(row["process_runs"] for row in summary["components"])
    entry["problems"] = len(summary["problems"])
    return entry


def show(percent: t.Optional[float]) -> str:
    """Return a percentage with Go's one decimal."""
    return "-" if percent is None else f"{percent:.1f} %"


def headline(section: Section) -> str:
    """Return one component's total in a sentence."""
    component = section.component
    percent = section.exact()
    if percent is None:
        return f"{component.name}: no percentage, {component.withheld}"
    return (
        f"{component.name}: {percent:.1f} % of statements ({section.covered} of {section.statements}), "
        f"{section.origin()}, mode {section.mode()}"
    )


def short_paths(rows: t.Sequence[PackageRow]) -> list[str]:
    """Return the packages' paths, without their module where all are of one."""
    modules = {row.module for row in rows}
    module = modules.pop() if len(modules) == 1 else ""
    if not module or any(row.path != module and not row.path.startswith(f"{module}/") for row in rows):
        return [row.path for row in rows]
    return ["." + row.path[len(module) :] for row in rows]


def summary_lines(sections: t.Sequence[Section], summary: t.Mapping[str, t.Any], *, page: str) -> list[str]:
    """Return the summary of a run as plain text."""
    lines = []
    for section in sections:
        lines.append(headline(section))
        if section.packages:
            names = short_paths(section.packages)
            width = max(len("package"), *map(len, names))
            module = section.packages[0].module if names[0].startswith(".") else ""
            lines += [f"  module {module}"] if module else []
            lines.append(f"  {'package':<{width}}  percent  covered  statements")
            for name, row in zip(names, section.packages, strict=True):
                lines.append(f"  {name:<{width}}  {show(row.exact()):>7}  {row.covered:>7}  {row.statements:>10}")
    for tier in summary["tiers"]:
        number = show(tier["percent"])
        lines.append(f"Tier {tier['name']}: {number} of statements ({tier['covered']} of {tier['statements']})")
    asked = summary["thresholds"]
    if asked["total"] is not None or asked["packages"]:
        lines.append("Thresholds: " + ("all reached" if summary["threshold_passed"] else "not reached"))
        lines += [f"  {shortfall['sentence']}" for shortfall in summary["shortfalls"]]
    problems = summary["problems"]
    if problems:
        lines.append(f"Problems: {len(problems)}")
        for problem in problems:
            lines.append(f"  {problem['severity']}: {problem['sentence']}")
            if problem["remedy"] and problem["severity"] != NOTE:
                lines.append(f"    {problem['remedy']}")
    if page:
        lines.append(f"HTML: {page}")
    return lines


def summary_markdown(sections: t.Sequence[Section], summary: t.Mapping[str, t.Any]) -> str:
    """Return summary.md."""
    parts = [f"# Coverage of {_cell(summary['service'])}\n"]
    if summary["run_id"]:
        parts.append(f"Run {_cell(summary['run_id'])}.\n")
    if not summary["threshold_passed"]:
        parts.append("**Below the threshold.**\n")
        parts.append("\n".join(f"- {_cell(shortfall['sentence'])}" for shortfall in summary["shortfalls"]) + "\n")
    for section in sections:
        parts.append(f"## {_cell(section.component.name)}\n")
        parts.append(f"{_cell(headline(section))}.\n")
        if section.packages:
            rows = ["| package | percent | covered | statements |", "|---|---:|---:|---:|"]
            rows += [
                f"| {_cell(row.path)} | {show(row.exact())} | {row.covered} | {row.statements} |"
                for row in section.packages
            ]
            parts.append("\n".join(rows) + "\n")
    if summary["tiers"]:
        tiers = summary["tiers"]
        parts.append("## All tiers\n")
        names = " | ".join(_cell(tier["name"]) for tier in tiers)
        rows = [f"| package | {names} |", "|---|" + "---:|" * len(tiers)]
        for path in tiers[0]["packages"]:
            rows.append(f"| {_cell(path)} | " + " | ".join(show(tier["packages"][path]) for tier in tiers) + " |")
        rows.append("| **total** | " + " | ".join(show(tier["percent"]) for tier in tiers) + " |")
        parts.append("\n".join(rows) + "\n")
    if summary["problems"]:
        parts.append("## Problems\n")
        rows = [
            f"- **{problem['severity']}**, {problem['kind']}: {_cell(problem['sentence'])}"
            for problem in summary["problems"]
        ]
        parts.append("\n".join(rows) + "\n")
    if summary["stages"]:
        parts.append("## Seconds by stage\n")
        rows = ["| stage | seconds |", "|---|---:|"]
        rows += [f"| {_cell(name)} | {seconds:.1f} |" for name, seconds in summary["stages"].items()]
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    """Return a text that no mark-up of Markdown changes."""
    for char in "\\`*_|<>":
        text = text.replace(char, f"\\{char}")
    return text
