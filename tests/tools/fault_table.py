# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what a run of the fault library has measured into docs/faults.md.

``make faults`` writes ``results.json`` and ``run.json`` to .cache/faults; ``python tests/tools/fault_table.py`` puts
them between the markers of the page. Text outside the markers is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "tests" / "faults"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TARGET = 5.0
STAGES = {
    "apply": "The objects are refused",
    "gate": "The workload never becomes ready, or writes no counters",
    "extraction": "Counters are missing when they are collected",
    "report": "All counters are collected, but not what they seem",
}

Row = dict[str, t.Any]


def page(results: t.Sequence[Row], run: t.Mapping[str, t.Any], library: t.Mapping[str, Row]) -> str:
    """Return the text between the markers: how it was measured, the totals, a table for each stage.

    :arg results: the rows of results.json. :arg run: run.json. :arg library: by name, the contents of each fault.yml.
    """
    known = [row for row in results if row["name"] in library]
    ill = [row for row in known if row["stage"] != "healthy"]
    healthy = [row for row in known if row["stage"] == "healthy"]
    by_nature = [row for row in ill if library[row["name"]]["expect"].get("why_slow")]
    rest = sorted(row["seconds"] for row in ill if row["seconds"] is not None and row not in by_nature)
    late = [f"`{row['name']}`" for row in ill if row not in by_nature and (row["seconds"] or 0) > TARGET]
    load = f", load {run['load']:.1f} before the run" if "load" in run else ", under an unknown load"
    alarms = sum(bool(row["verdict"]["cause"]) for row in healthy)
    lines = [
        f"Measured on {run['date']}: {run['cpus']} processors{load},"
        f" {run['at_once']} faults at a time, {run['seconds']:.0f} s in total.",
        "",
        f"- {sum(not row['problems'] for row in ill)} of {len(ill)} faults diagnosed correctly; {alarms} false alarms"
        f" in {len(healthy)} healthy workloads.",
    ]
    if rest:
        lines.append(
            f"- Of those that are not inherently slow, {sum(item <= TARGET for item in rest)} of {len(rest)} within"
            f" {TARGET:g} s of the sign; median {rest[len(rest) // 2]:.1f} s, longest {rest[-1]:.1f} s."
            f" Over {TARGET:g} s: {', '.join(late) or 'none'}."
        )
    for stage, title in STAGES.items():
        rows = [row for row in ill if row["stage"] == stage]
        if rows:
            lines += ["", f"### {title}", ""]
            lines += ["| What is wrong | Verdict | Seconds | `kubectl rollout status` |", "| --- | --- | --- | --- |"]
            lines += [_line(row, library[row["name"]]) for row in rows]
    lines += ["", "### Healthy, but unusual", "", "| What is unusual | Verdict |", "| --- | --- |"]
    lines += [f"| {library[row['name']]['description']} | {_cause(row)} |" for row in healthy]
    lines += ["", "### Inherently slow", "", "| Fault | Seconds | Why |", "| --- | --- | --- |"]
    lines += [
        f"| `{row['name']}` | {_seconds(row)} | {library[row['name']]['expect']['why_slow']} |" for row in by_nature
    ]
    return "\n".join(line.rstrip() for line in lines)


def _line(row: Row, fault: Row) -> str:
    wrong = "" if not row["problems"] else "; **wrong**: " + "; ".join(row["problems"]).replace("|", "\\|")
    return f"| {fault['description']} | {_cause(row)}{wrong} | {_seconds(row)} | {row['rollout']} |"


def _cause(row: Row) -> str:
    return f"`{row['verdict']['cause']}`" if row["verdict"]["cause"] else "none"


def _seconds(row: Row) -> str:
    return "-" if row["seconds"] is None else f"{row['seconds']:.1f}"


def put_in(text: str, measured: str) -> str:
    """Return a page with what is between its markers replaced.

    :raises ValueError: it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}"


def main(arguments: t.Optional[t.Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / ".cache" / "faults")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "faults.md")
    options = parser.parse_args(arguments)
    results = json.loads((options.results / "results.json").read_text(encoding="utf-8"))
    run = json.loads((options.results / "run.json").read_text(encoding="utf-8"))
    library = {path.parent.name: yaml.safe_load(path.read_text()) for path in sorted(LIBRARY.glob("*/fault.yml"))}
    library = {name: content for name, content in library.items() if not content.get("slow")}
    missing = sorted(set(library) - {row["name"] for row in results})
    if missing:
        print(f"The results are incomplete: {', '.join(missing)} were not injected.")
        return 1
    options.page.write_text(
        put_in(options.page.read_text(encoding="utf-8"), page(results, run, library)), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
