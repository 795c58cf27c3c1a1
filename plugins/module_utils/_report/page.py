# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The HTML page: one file, everything in it, sources compressed and unpacked by the browser when they are opened."""

from __future__ import annotations

import base64
import json
import typing as t
import zlib

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_LINE,
    START_LINE,
    STATEMENTS,
    Profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import (
    Sources,
    decode_source,
    make_blocks,
    ranges,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.summary import Section, headline, short_paths
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import Shortfall, Thresholds

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

COMPRESSION = 6
SHOWN_MISSING = 3  # files named in one problem


def make_page(
    sections: t.Sequence[Section],
    sources: Sources,
    *,
    service: str,
    run_id: str,
    thresholds: Thresholds,
    shortfalls: t.Sequence[Shortfall],
    problems: t.Sequence[Problem],
    lives: t.Sequence[t.Mapping[str, t.Any]],
    stages: t.Optional[t.Mapping[str, float]],
) -> tuple[str, list[Problem]]:
    """Return the page, and problems with sources that came up on the way (they are on the page too)."""
    import jinja2
    from ansible_collections.kubernaut.coverage.plugins.module_utils._report.template import PAGE

    found: list[Problem] = []
    shown = []
    for number, section in enumerate(sections):
        rows: list[dict[str, t.Any]] = []
        if section.profile is not None:
            blobs = _package_blobs(section, section.profile, sources, found)
            for index, (row, short) in enumerate(zip(section.packages, short_paths(section.packages), strict=True)):
                # a path is shown as its folder, dimmed, and its last element
                folder, slash, last = short.rpartition("/")
                rows.append(
                    {
                        "key": f"{number}.{index}",
                        "folder": folder + slash,
                        "last": last,
                        "row": row,
                        "percent": row.exact(),
                        "data": blobs[index],
                    }
                )
        modules = {row.module for row in section.packages}
        shown.append(
            {
                "section": section,
                "headline": headline(section),
                "percent": section.exact(),
                "module": modules.pop() if len(modules) == 1 else "",
                "rows": rows,
            }
        )
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(PAGE).render(
        service=service,
        run_id=run_id,
        shown=shown,
        thresholds=thresholds,
        shortfalls=shortfalls,
        problems=[*problems, *found],
        lives=lives,
        stages=stages or {},
    )
    return page, found


def _package_blobs(section: Section, profile: Profile, sources: Sources, found: list[Problem]) -> list[str]:
    """Return for each package its files and functions: JSON, deflated, base64.

    Keys: C(f) files {n name, c covered, s statements, t text, r ranges as [gap, length, count]*, m missing lines as
    [first, last]* where there is no text}; C(u) functions [name, line, covered, statements, file]*.
    """
    by_file = profile.by(profile.file, len(profile.files))
    by_function = profile.by(profile.function, len(profile.function_name))
    first_line = np.zeros(len(profile.function_name), dtype=np.int64)
    functions, first = np.unique(profile.function, return_index=True)
    first_line[functions] = profile.units[START_LINE][first]
    file_bounds = np.searchsorted(profile.file, np.arange(len(profile.files) + 1)) if _sorted(profile.file) else None
    missing: list[str] = []
    other: list[str] = []

    files_of: list[list[int]] = [[] for _package in profile.packages]
    package_of: dict[int, int] = {}
    for file, package in zip(profile.function_file.tolist(), profile.function_package.tolist(), strict=True):
        package_of.setdefault(file, package)
    for file in sorted(package_of):
        files_of[package_of[file]].append(file)
    functions_of: list[list[int]] = [[] for _package in profile.packages]
    for function, package in enumerate(profile.function_package.tolist()):
        functions_of[package].append(function)

    blobs = []
    for package, files in enumerate(files_of):
        position = {file: index for index, file in enumerate(files)}
        entries = []
        for file in files:
            if file_bounds is None:
                chosen: t.Any = np.flatnonzero(profile.file == file)
            else:
                chosen = slice(int(file_bounds[file]), int(file_bounds[file + 1]))
            entry: dict[str, t.Any] = {
                "n": profile.files[file],
                "c": int(by_file[0][file]),
                "s": int(by_file[1][file]),
            }
            entry.update(_source_entry(profile, file, chosen, sources, missing=missing, other=other))
            entries.append(entry)
        rows = [
            [
                profile.function_name[function],
                int(first_line[function]),
                int(by_function[0][function]),
                int(by_function[1][function]),
                position[int(profile.function_file[function])],
            ]
            for function in functions_of[package]
            if int(profile.function_file[function]) in position
        ]
        rows.sort(key=lambda row: (row[4], row[1]))
        text = json.dumps({"f": entries, "u": rows}, ensure_ascii=False, separators=(",", ":"))
        packed = zlib.compress(text.encode("utf-8", "replace"), COMPRESSION)
        blobs.append(base64.b64encode(packed).decode("ascii"))
    found += _source_problems(section.component.name, missing, other)
    return blobs


def _sorted(values: np.ndarray) -> bool:
    return bool((values[1:] >= values[:-1]).all())


def _source_entry(
    profile: Profile, file: int, chosen: t.Any, sources: Sources, *, missing: list[str], other: list[str]
) -> dict[str, t.Any]:
    name = profile.files[file]
    units, counts = profile.units[:, chosen], profile.counts[chosen]
    path = sources.find(name)
    source = None
    if path:
        try:
            with open(path, "rb") as stream:
                source = stream.read()
        except OSError:
            path = ""
    if source is not None:
        marked, fits = ranges(source, make_blocks(units, counts, profile.mode))
        if fits:
            text, index = decode_source(source)
            flat: list[int] = []
            position = 0
            for begin, end, count in marked:
                start, stop = (begin, end) if index is None else (int(index[begin]), int(index[end]))
                flat += (start - position, stop - start, count)
                position = stop
            return {"t": text, "r": flat}
        other.append(name)
    else:
        missing.append(name)
    not_run = (units[STATEMENTS] > 0) & (counts == 0)
    lines: list[list[int]] = []
    for begin, end in zip(units[START_LINE][not_run].tolist(), units[END_LINE][not_run].tolist(), strict=True):
        if lines and lines[-1][1] >= begin - 1:
            lines[-1][1] = max(lines[-1][1], end)
        else:
            lines.append([begin, end])
    return {"m": lines, "x": bool(source is not None)}


def _source_problems(component: str, missing: t.Sequence[str], other: t.Sequence[str]) -> list[Problem]:
    problems = []
    for names, kind, why, remedy in (
        (
            missing,
            "source-missing",
            "is not at hand: the page shows line numbers in its place",
            "Set coverage_report_sources to a dictionary of import-path prefix and folder.",
        ),
        (
            other,
            "source-differs",
            "does not fit what was built: the page shows line numbers in its place",
            "Check out the revision that the image was built from; generated code with //line directives never fits.",
        ),
    ):
        if names:
            some = ", ".join(names[:SHOWN_MISSING]) + (
                f" and {len(names) - SHOWN_MISSING} more" if len(names) > SHOWN_MISSING else ""
            )
            sentence = (
                f"{component}: the source of {len(names)} {'file' if len(names) == 1 else 'files'} {why} ({some})."
            )
            problems.append(Problem(kind, NOTE, sentence, "", component, remedy))
    return problems
