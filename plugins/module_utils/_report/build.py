# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""From a folder of coverage data to the results folder of a run."""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import (
    FAIL,
    QUARANTINE,
    read_collection,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import need_counts
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import matches, nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import (
    ERROR,
    WARNING,
    Problem,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile, make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.quarantine import quarantine
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.scan import QUARANTINE_RECORD
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import files as place
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.formats import TEXTS, Material
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.page import make_page
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import Sources
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.summary import (
    Section,
    history_entry,
    package_rows,
    summary_dict,
    summary_lines,
    summary_markdown,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import (
    Shortfall,
    Thresholds,
    find_shortfalls,
    parse_thresholds,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.tiers import (
    Tiers,
    make_tiers,
    parse_text_profiles,
)

DATA_FOLDER = "coverdata"
PROFILE, FUNCTIONS, PAGE = "e2e-coverage.txt", "e2e-coverage-func.txt", "e2e-coverage.html"
COBERTURA, LCOV = "cobertura.xml", "lcov.info"
SUMMARY, MARKDOWN, MERGED = "summary.json", "summary.md", "merged"
JOINED = "joined-coverage.txt"
COMPONENTS, QUARANTINED = "components", "quarantine"
NANOSECONDS = 1_000_000_000


@dataclass
class Options:
    """What a report is made of; see the options of the module."""

    input: str
    output: str
    service: str
    run_id: str = ""
    sources: t.Mapping[str, str] = field(default_factory=dict)
    paths: t.Mapping[str, str] = field(default_factory=dict)
    include: t.Sequence[str] = ()
    exclude: t.Sequence[str] = ()
    thresholds: t.Optional[t.Mapping[str, t.Any]] = None
    process_runs: t.Sequence[t.Mapping[str, t.Any]] = ()
    stages: t.Optional[t.Mapping[str, float]] = None
    history: str = ""
    latest: str = ""
    policy: str = "warn"
    not_before: float = 0.0
    expected: t.Sequence[str] = ()
    snapshots: str = "auto"
    text_profiles: t.Sequence[t.Mapping[str, t.Any]] = ()
    check: bool = False


@dataclass
class Report:
    """What was made. C(before) is the old summary.md, for a difference."""

    changed: bool
    summary: dict[str, t.Any]
    files: dict[str, str]
    lines: list[str]
    before: str
    after: str


def make_report(options: Options) -> Report:
    """Read, merge, compute and write everything; in check mode write nothing.

    :raises InputError: an option is unusable; nothing was changed.
    :raises DataError: there is nothing from which a number could be made; nothing was changed.
    """
    thresholds = parse_thresholds(options.thresholds)
    sources = Sources(options.sources, paths=options.paths)
    root = _data_root(options)
    report_progress("reading and merging coverage data")
    parse_text_profiles(options.text_profiles)
    components = read_collection(
        root,
        options.service,
        policy=options.policy,
        not_before=int(options.not_before * NANOSECONDS),
        expected=options.expected,
        snapshots=options.snapshots,
        process_runs=_known_process_runs(options.process_runs),
    )
    if options.policy == QUARANTINE:
        _recall(components, options)
    found = [problem for component in components for problem in component.problems]
    need_counts(components, found, root, setting="coverage_report#input")
    primary = next((entry for entry in components if entry.name == options.service), components[0])
    ordered = [primary] + [entry for entry in components if entry is not primary]
    sections = [_section(entry, options, of_service=entry is primary) for entry in ordered]
    problems = [problem for section in sections for problem in section.component.problems]
    problems += _process_runs_problems(options.process_runs)
    tiers = _tiers(sections[0], options, problems)
    shortfalls = _shortfalls(sections[0], thresholds)

    report_progress("writing the report's files")
    contents: dict[str, t.Optional[bytes]] = {}
    for section in sections:
        made, more = _section_files(section, sources)
        contents.update(made)
        problems += more
    contents[JOINED] = TEXTS["profile"](Material(tiers.joined)) if tiers else None
    page, page_problems = make_page(
        sections,
        sources,
        service=options.service,
        run_id=options.run_id,
        thresholds=thresholds,
        shortfalls=shortfalls,
        problems=problems,
        process_runs=options.process_runs,
        stages=options.stages,
        tiers=tiers,
    )
    problems += page_problems
    contents[PAGE] = page
    names = [name for name in sorted(contents) if contents[name] is not None]
    summary = summary_dict(
        sections,
        service=options.service,
        run_id=options.run_id,
        thresholds=thresholds,
        shortfalls=shortfalls,
        problems=problems,
        process_runs=options.process_runs,
        stages=options.stages,
        files=[*names, SUMMARY, MARKDOWN],
        tiers=tiers,
    )
    after = summary_markdown(sections, summary)
    contents[SUMMARY] = (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")
    contents[MARKDOWN] = after.encode("utf-8", "replace")
    before = (place.read_or_none(os.path.join(options.output, MARKDOWN)) or b"").decode("utf-8", "replace")
    changed = _write(options, sections, contents, summary)
    if options.policy == QUARANTINE:
        for component in components:
            folder = _quarantine(options, component)
            changed |= bool(quarantine(component.set_aside, folder, check=options.check))
    files = {name: os.path.join(options.output, name) for name in contents if contents[name] is not None}
    files.update(
        {_inside(section, MERGED): os.path.join(options.output, _inside(section, MERGED)) for section in sections}
    )
    lines = summary_lines(sections, summary, page=os.path.join(options.output, PAGE))
    return Report(changed, summary, files, lines, before, after)


def _known_process_runs(process_runs: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Return how many process runs each pod had, by its name: of all of its containers."""
    known: dict[str, int] = {}
    for entry in process_runs:
        pod, number = entry.get("pod"), entry.get("process_runs")
        if isinstance(pod, str) and isinstance(number, int):
            known[pod] = known.get(pod, 0) + number
    return known


def _quarantine(options: Options, component: Component) -> str:
    return os.path.join(options.output, QUARANTINED, component.name)


def _recall(components: t.Sequence[Component], options: Options) -> None:
    """Report again what an earlier report moved to quarantine, together with what is moved now."""
    for component in components:
        record = place.read_or_none(os.path.join(_quarantine(options, component), QUARANTINE_RECORD)) or b""
        aside = {(problem.file, problem.kind): problem for problem in component.set_aside}
        for line in record.decode("utf-8", "surrogateescape").splitlines():
            problem = Problem.from_dict(json.loads(line))
            aside.setdefault((problem.file, problem.kind), problem)
        rest = [problem for problem in component.problems if problem not in component.set_aside]
        component.problems = [*rest, *(aside[key] for key in sorted(aside))]


def _tiers(section: Section, options: Options, problems: list[Problem]) -> t.Optional[Tiers]:
    """Join the text profiles with what the end-to-end tests covered, where that can be trusted."""
    if not options.text_profiles or section.profile is None:
        return None
    component = section.component
    base = make_profile([program for program in component.programs if program.process_runs], component.mode)

    def choose(profile: Profile) -> set[str]:
        paths = [package.path for package in profile.packages]
        chosen = (
            set(paths) if not options.include else {hit for text in options.include for hit in matches(text, paths)}
        )
        return chosen.difference(hit for text in options.exclude for hit in matches(text, paths))

    tiers, found = make_tiers(base, options.text_profiles, strict=options.policy == FAIL, choose=choose)
    problems += found
    return tiers


def _data_root(options: Options) -> str:
    if not os.path.isdir(options.input):
        raise InputError(
            f"The folder of coverage data does not exist: {options.input}.",
            remedy="Collect the data first (role coverage_extraction), or name the folder with the data.",
            cause="input-missing",
            setting="coverage_report#input",
        )
    below = os.path.join(options.input, DATA_FOLDER)
    root = os.path.realpath(below if os.path.isdir(below) else options.input)
    if os.path.realpath(options.output) == root:
        raise InputError(
            f"There is no folder {DATA_FOLDER} in {options.input}, which is also the results folder.",
            remedy=f"Collect the data into a folder {DATA_FOLDER}, or use another results folder.",
            setting="coverage_report#input",
            cause="input-missing",
        )
    if os.path.join(os.path.realpath(options.output), "").startswith(os.path.join(root, "")):
        raise InputError(
            f"The results folder {options.output} is inside the coverage data {root}: merged data would be read as a "
            "further process run.",
            remedy=f"Put the data into a folder {DATA_FOLDER} next to the results, or use another results folder.",
            setting="coverage_report#output",
        )
    return root


def _section(component: Component, options: Options, *, of_service: bool) -> Section:
    """Compute everything about one component. Patterns concern the service's own; others are reported whole."""
    section = Section(component, of_service)
    if component.withheld or not component.usable():
        return section
    profile = make_profile([program for program in component.programs if program.process_runs], component.mode)
    if of_service:
        profile = profile.select(_selected(component, profile, options))
    section.profile = profile
    section.covered, section.statements = profile.totals()
    section.packages = package_rows(profile)
    if not section.statements:
        component.withheld = "the selected packages have no statements"
        component.say("no-statements", ERROR, f"The percentage of {component.name} is withheld: {component.withheld}.")
    elif not section.covered:
        component.say(
            "zero-coverage",
            WARNING,
            f"No statement of {component.name} ran in the selected packages, although its counters were collected.",
            remedy="Make sure that the tests reach this pod; they probably use another address, port or namespace.",
        )
    return section


def _selected(component: Component, profile: Profile, options: Options) -> set[str]:
    paths = [package.path for package in profile.packages]
    chosen = set() if options.include else set(paths)
    for patterns, setting in ((options.include, "include"), (options.exclude, "exclude")):
        for pattern in patterns:
            hits = matches(pattern, paths)
            if not hits:
                near = nearest(pattern, paths)
                sentence = f"The {setting} pattern {pattern} matches no package"
                component.say(
                    "unmatched-pattern",
                    WARNING,
                    sentence + (f"; the nearest is {near}." if near else "."),
                    remedy=f"Correct coverage_report_{setting}.",
                )
            chosen = chosen.union(hits) if setting == "include" else chosen.difference(hits)
    if not chosen:
        raise InputError(
            f"The package patterns select none of the {len(paths)} packages.",
            remedy="Correct the patterns. The evidence lists packages in the data.",
            setting="report.include, report.exclude",
            evidence=paths[:20],
        )
    return chosen


def _process_runs_problems(process_runs: t.Sequence[t.Mapping[str, t.Any]]) -> list[Problem]:
    """Compare the process runs that the cluster reported with the counters that were collected."""
    found = []
    for entry in process_runs:
        expected, got = entry.get("process_runs"), entry.get("counters")
        if not isinstance(expected, int) or not isinstance(got, int) or got >= expected:
            continue
        codes = ", ".join(map(str, entry.get("exit_codes") or []))
        why = str(entry.get("why") or "")  # what the extraction found out
        found.append(
            Problem(
                "lost-process-runs",
                WARNING,
                f"Pod {entry.get('pod', '?')} had {expected} {'process run' if expected == 1 else 'process runs'}, but "
                f"only the counters of {got} were collected"
                + (f" (exit codes {codes})." if codes else ".")
                + (f" {why}" if why else ""),
                component=str(entry.get("component", "")),
                remedy=""
                if why
                else "A process run that ends with SIGKILL, a panic or an unhandled SIGTERM writes no counters.",
            )
        )
    return found


def _shortfalls(section: Section, thresholds: Thresholds) -> list[Shortfall]:
    percents: dict[str, t.Optional[float]] = {row.path: row.exact() for row in section.packages}
    return find_shortfalls(thresholds, section.exact(), percents, section.component.withheld)


def _inside(section: Section, name: str) -> str:
    """Return the path of a component's file: the service's own next to the summary, others in their own folder."""
    return name if section.of_service else os.path.join(COMPONENTS, section.component.name, name)


def _section_files(section: Section, sources: Sources) -> tuple[dict[str, t.Optional[bytes]], list[Problem]]:
    """Return a component's files, None for those with a number that is withheld, and their problems."""
    names = {PROFILE: "profile", FUNCTIONS: "func", COBERTURA: "cobertura", LCOV: "lcov"}
    profile = section.profile
    if profile is None:
        return {_inside(section, name): None for name in names}, []
    seconds = max(program.nanoseconds for program in section.component.programs) // NANOSECONDS
    material = Material(profile, seconds, sources)
    made: dict[str, t.Optional[bytes]] = {_inside(section, name): TEXTS[kind](material) for name, kind in names.items()}
    return made, material.problems(section.component.name, TEXTS)


def _is_merged_name(name: str) -> bool:
    return name.startswith(("covmeta.", "covcounters."))


def _write(
    options: Options,
    sections: t.Sequence[Section],
    contents: t.Mapping[str, t.Optional[bytes]],
    summary: t.Mapping[str, t.Any],
) -> bool:
    """Write all files; the summary last, so that when it exists, the rest exists too."""
    check = options.check
    changed = False
    for section in sections:
        folder = os.path.join(options.output, _inside(section, MERGED))
        files = merged_files(section.component.programs)
        changed |= place.put_folder(folder, files, ours=_is_merged_name, check=check)
    for name in sorted(contents, key=lambda name: (name in (SUMMARY, MARKDOWN), name)):
        path, content = os.path.join(options.output, name), contents[name]
        if content is None:
            changed |= place.drop_file(path, check=check)
        else:
            changed |= place.put_file(path, content, check=check)
    if options.latest:
        changed |= place.put_link(options.latest, options.output, check=check)
    if options.history:
        changed |= place.put_history(options.history, history_entry(summary), check=check)
    return changed
