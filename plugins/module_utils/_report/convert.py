# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""From coverage data and text profiles, wherever they lie, to files in any format: C(covdata_report)."""

from __future__ import annotations

import itertools
import json
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import (
    Loaded,
    Reading,
    expand,
    load,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import matches, nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import files as place
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.formats import TEXTS, Material, check_formats
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.page import make_page
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import Sources
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.summary import (
    Section,
    package_rows,
    summary_dict,
    summary_lines,
    summary_markdown,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import parse_thresholds

NANOSECONDS = 1_000_000_000
# small enough to be shown as a difference
SHOWN = ("percent", "pkglist", "markdown")
SHOWN_PATHS = 20  # packages named in an error


@dataclass
class Request:
    """What is asked for; see the options of the module. C(outputs): path of the file by the name of its format."""

    inputs: t.Sequence[str]
    outputs: t.Mapping[str, str]
    reading: Reading
    name: str = "coverage"
    include: t.Sequence[str] = ()
    exclude: t.Sequence[str] = ()
    sources: t.Mapping[str, str] = field(default_factory=dict)
    paths: t.Mapping[str, str] = field(default_factory=dict)
    check: bool = False


@dataclass
class Converted:
    """What was made. C(differences): (path, before, after) of the small ones that are texts."""

    changed: bool
    summary: dict[str, t.Any]
    files: dict[str, str]
    lines: list[str]
    differences: list[tuple[str, str, str]]


def convert(request: Request) -> Converted:
    """Read, join, compute and write; in check mode write nothing.

    :raises InputError: an option is unusable; nothing was changed.
    :raises DataError: there is nothing, or nothing to trust, from which a number could be made; nothing was changed.
    """
    check_formats(request.outputs, setting="outputs")
    outputs = _paths(request)
    sources = Sources(request.sources, paths=request.paths, setting="sources", paths_setting="paths")
    report_progress("reading and merging coverage data")
    loaded = load(request.inputs, request.reading, name=request.name)
    loaded.need_counts(request.inputs)
    profile = loaded.profile(strict=request.reading.policy == "fail")
    if profile is None:
        raise DataError(
            f"No percentage can be given: {loaded.component.withheld}.",
            remedy="Report what does not belong together on its own.",
            setting="inputs",
            cause="withheld",
            evidence=[problem.sentence for problem in loaded.problems],
        )
    chosen = choose([package.path for package in profile.packages], request.include, request.exclude)
    section = _section(loaded, profile.select(chosen))

    report_progress("writing the report's files")
    contents, summary = _contents(request, outputs, section, loaded, sources)
    changed = False
    differences = []
    for name, content in contents.items():
        path = outputs[name]
        if name in SHOWN:
            before = (place.read_or_none(path) or b"").decode("utf-8", "replace")
            differences.append((path, before, content.decode("utf-8", "replace")))
        changed |= place.put_file(path, content, check=request.check, setting="outputs")
    lines = summary_lines([section], summary, page=outputs.get("html", ""))
    return Converted(changed, summary, outputs, lines, differences)


def choose(paths: t.Sequence[str], include: t.Sequence[str], exclude: t.Sequence[str]) -> set[str]:
    """Return the paths that one of C(include) matches (or all) and none of C(exclude).

    :raises InputError: unmatched-pattern: a pattern matches nothing, or all together select nothing.
    """
    chosen = set() if include else set(paths)
    for patterns, setting in ((include, "include"), (exclude, "exclude")):
        for pattern in patterns:
            hits = matches(pattern, paths)
            if not hits:
                near = nearest(pattern, paths)
                raise InputError(
                    f"The {setting} pattern {pattern} matches none of the {len(paths)} packages"
                    + (f"; the nearest is {near}." if near else "."),
                    remedy="Correct it.",
                    setting=setting,
                    cause="unmatched-pattern",
                    evidence=paths[:SHOWN_PATHS],
                )
            chosen = chosen.union(hits) if setting == "include" else chosen.difference(hits)
    if paths and not chosen:
        raise InputError(
            f"The package patterns select none of the {len(paths)} packages.",
            remedy="Correct them; these packages are in the data.",
            setting="include, exclude",
            cause="unmatched-pattern",
            evidence=paths[:SHOWN_PATHS],
        )
    return chosen


def _paths(request: Request) -> dict[str, str]:
    """Return where each format is to be written; refuse what would overwrite data or another of them."""
    outputs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name, given in request.outputs.items():
        path = os.path.expanduser(given) if isinstance(given, str) else ""
        if not os.path.isabs(path):
            raise InputError(f"The path of {name} is {given!r}: it has to be an absolute path.", setting="outputs")
        real = os.path.realpath(path)
        if os.path.isdir(real):
            raise InputError(f"The path of {name}, {path}, is a folder.", remedy="Name a file.", setting="outputs")
        if real in taken:
            raise InputError(f"{taken[real]} and {name} are to be written to one file, {path}.", setting="outputs")
        if any(os.path.realpath(source) == real for source in itertools.chain(*expand(request.inputs))):
            raise InputError(f"{path} is an input: it would be overwritten by {name}.", setting="outputs")
        taken[real] = name
        outputs[name] = path
    return outputs


def _section(loaded: Loaded, profile: Profile) -> Section:
    section = Section(loaded.component, of_service=True, profile=profile, texts=len(loaded.texts))
    section.covered, section.statements = profile.totals()
    section.packages = package_rows(profile)
    if not section.statements and not profile.files and loaded.texts and not loaded.component.usable():
        raise DataError(
            f"{loaded.texts[0].path} has no blocks, only a mode: no package that has statements was tested.",
            remedy="Name packages to be covered where the tests are in others (-coverpkg=./...).",
            setting="inputs",
            cause="no-statements",
        )
    if not section.statements:
        raise DataError(
            "The packages that were selected have no statements.",
            remedy="Select others.",
            setting="include, exclude",
            cause="no-statements",
        )
    return section


def _contents(
    request: Request, outputs: t.Mapping[str, str], section: Section, loaded: Loaded, sources: Sources
) -> tuple[dict[str, bytes], dict[str, t.Any]]:
    profile = section.profile
    if profile is None:
        raise ValueError("a section without a profile has nothing to be written")
    written = [entry.nanoseconds for entry in loaded.component.programs] + [text.nanoseconds for text in loaded.texts]
    material = Material(profile, max(written, default=0) // NANOSECONDS, sources)
    contents = {name: make(material) for name, make in TEXTS.items() if name in outputs}
    problems = [*loaded.problems, *material.problems(request.name, outputs)]
    thresholds = parse_thresholds(None)
    if "html" in outputs:
        page, more = make_page(
            [section],
            sources,
            service=request.name,
            run_id="",
            thresholds=thresholds,
            shortfalls=[],
            problems=problems,
            process_runs=[],
            stages=None,
        )
        problems += more
        contents["html"] = page
    summary = summary_dict(
        [section],
        service=request.name,
        run_id="",
        thresholds=thresholds,
        shortfalls=[],
        problems=problems,
        process_runs=[],
        stages=None,
        files=[os.path.basename(outputs[name]) for name in sorted(outputs)],
    )
    if "json" in outputs:
        contents["json"] = (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")
    if "markdown" in outputs:
        contents["markdown"] = summary_markdown([section], summary).encode("utf-8", "replace")
    return contents, summary
