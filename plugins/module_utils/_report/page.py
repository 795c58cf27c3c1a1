# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The HTML page: one file, everything in it, sources compressed and unpacked by the browser when they are opened."""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import itertools
import json
import os
import typing as t
import zlib
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_LINE,
    LARGEST,
    START_LINE,
    STATEMENTS,
    Profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import (
    Blocks,
    Sources,
    decode_source,
    file_blocks,
    mark_files,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.summary import Section, headline, short_paths
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import Shortfall, Thresholds
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.tiers import Tiers

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

# zlib's levels: the best where it costs nothing, a fast one where there is much to pack
BEST, FAST = 6, 4
MUCH = 8 << 20  # bytes of source from which on time counts more than size
BATCH = 2 << 20  # bytes of source looked at together
SHOWN_MISSING = 3  # files named in one problem
PLACE = b"<!--data-->"  # where the template wants the packed sources; nothing from data can write this


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
    tiers: t.Optional[Tiers] = None,
) -> tuple[bytes, list[Problem]]:
    """Return the page, and problems with sources that came up on the way (they are on the page too)."""
    found: list[Problem] = []
    shown = []
    data: list[bytes] = []
    # zlib works beside the rest: it holds no lock of the interpreter
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        packed: list[tuple[str, concurrent.futures.Future[bytes]]] = []
        for number, section in enumerate(sections):
            rows: list[dict[str, t.Any]] = []
            if section.profile is not None:
                contents = _package_contents(section, section.profile, sources, found)
                for index, (content, much) in enumerate(contents):
                    task = workers.submit(_pack, content, FAST if much else BEST)
                    packed.append((f"{number}.{index}", task))
                for index, (row, short) in enumerate(zip(section.packages, short_paths(section.packages), strict=True)):
                    # a path is shown as its folder, dimmed, and its last element
                    folder, slash, last = short.rpartition("/")
                    name = {"key": f"{number}.{index}", "folder": folder + slash, "last": last}
                    rows.append({**name, "row": row, "percent": row.exact()})
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
        page = _render(
            service=service,
            run_id=run_id,
            shown=shown,
            thresholds=thresholds,
            shortfalls=shortfalls,
            problems=[*problems, *found],
            lives=lives,
            stages=stages or {},
            tiers=tiers.as_list() if tiers else [],
        )
        for key, task in packed:
            data += [b'<script type="text/plain" id="d', key.encode(), b'">', task.result(), b"</script>\n"]
    before, _place, after = page.encode("utf-8", "replace").partition(PLACE)
    return b"".join([before, *data, after]), found


def _render(**names: t.Any) -> str:
    import jinja2
    from ansible_collections.kubernaut.coverage.plugins.module_utils._report.template import PAGE

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(PAGE).render(**names)


def _pack(content: bytes, level: int) -> bytes:
    return base64.b64encode(zlib.compress(content, level))


@dataclass
class _Files:
    """The files of a profile in the order of their packages, and their blocks.

    :ivar order: index of each in the profile. C(package): of each. C(first): (packages + 1) where each's files begin.
    :ivar blocks, bounds: as R(file_blocks) returns them. C(missed): by file, [first, last] line of what did not run.
    """

    order: list[int]
    first: list[int]
    blocks: Blocks
    bounds: np.ndarray
    missed: t.Callable[[int], list[list[int]]]


def _order_files(profile: Profile) -> _Files:
    package_of = np.full(len(profile.files), -1, dtype=np.int64)
    # a file of two packages is shown in the first
    package_of[profile.function_file[::-1]] = profile.function_package[::-1]
    order = np.argsort(package_of, kind="stable")
    order = order[np.searchsorted(package_of[order], 0) :]
    rank = np.empty(len(profile.files), dtype=np.int64)
    rank[order] = np.arange(len(order))
    file = rank[profile.file]
    blocks, bounds = file_blocks(file, len(order), profile.units, profile.counts, profile.mode)
    first = np.searchsorted(package_of[order], np.arange(len(profile.packages) + 1))

    missed: t.Optional[tuple[np.ndarray, np.ndarray]] = None

    def lines(number: int) -> list[list[int]]:
        nonlocal missed
        if missed is None:
            missed = _missed_lines(file, profile, len(order))
        return missed[0][missed[1][number] : missed[1][number + 1]].tolist()

    return _Files(order.tolist(), first.tolist(), blocks, bounds, lines)


def _missed_lines(file: np.ndarray, profile: Profile, files: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stretches of lines (N, 2) that have a block that did not run, and where each file's begin."""
    chosen = np.flatnonzero((profile.units[STATEMENTS] > 0) & (profile.counts == 0))
    file = file[chosen]
    begin = profile.units[START_LINE][chosen].astype(np.int64)
    end = np.maximum(profile.units[END_LINE][chosen], begin)
    order = np.lexsort((end, begin, file))
    file, begin, end = file[order], begin[order], end[order]
    # the furthest end so far within each file: files are told apart by what is above 32 bits
    reach = np.maximum.accumulate(end + (file << 32)) if len(file) else end
    new = np.ones(len(file), dtype=bool)
    new[1:] = begin[1:] + (file[1:] << 32) > reach[:-1] + 1
    starts = np.flatnonzero(new)
    stops = np.append(starts[1:], len(file)) - 1 if len(starts) else starts
    stretches = np.stack([begin[starts], reach[stops] & 0xFFFFFFFF], axis=1)
    return stretches, np.searchsorted(file[starts], np.arange(files + 1))


def _package_contents(
    section: Section, profile: Profile, sources: Sources, found: list[Problem]
) -> t.Iterator[tuple[bytes, bool]]:
    """Yield of each package what the page unpacks, and whether there is much to pack.

    A line of JSON, behind it the sources (UTF-8) one after the other, behind them their ranges as ULEB128 numbers: gap,
    length, count and so on, in UTF-16 units. Keys: C(f) files {n name, c covered, s statements, t bytes of the source,
    r bytes of its ranges, or else m missed lines as [first, last]* and x whether another source is at hand};
    C(u) functions [name, line, covered, statements, file]*.
    """
    files = _order_files(profile)
    functions = _function_rows(profile, files)
    covered, statements = (column.tolist() for column in profile.by(profile.file, len(profile.files)))
    missing: list[str] = []
    other: list[str] = []
    read = 0
    package, packages = 0, len(profile.packages)
    while package < packages:
        start, begin, size = package, files.first[package], 0
        contents: list[t.Optional[bytes]] = []
        while package < packages and size < BATCH:
            for number in range(begin + len(contents), files.first[package + 1]):
                contents.append(sources.read(profile.files[files.order[number]]))
                size += len(contents[-1] or b"")
            package += 1
        read += size
        entries = list(_source_entries(contents, files, begin))
        for index in range(start, package):
            rows, texts, marks = [], [], []
            for number in range(files.first[index], files.first[index + 1]):
                file = files.order[number]
                row: dict[str, t.Any] = {"n": profile.files[file], "c": covered[file], "s": statements[file]}
                entry = entries[number - begin]
                if isinstance(entry, tuple):
                    row.update(t=len(entry[0]), r=len(entry[1]))
                    texts.append(entry[0])
                    marks.append(entry[1])
                else:
                    (other if entry else missing).append(profile.files[file])
                    row.update(m=files.missed(number), x=entry)
                rows.append(row)
            head = json.dumps({"f": rows, "u": functions[index]}, ensure_ascii=False, separators=(",", ":"))
            yield b"".join([head.encode("utf-8", "replace"), b"\n", *texts, *marks]), read >= MUCH
    found += _source_problems(section.component.name, missing, other)


def _source_entries(
    contents: t.Sequence[t.Optional[bytes]], files: _Files, begin: int
) -> t.Iterator[tuple[bytes, bytes] | bool]:
    """Yield of each file its source and ranges; else whether there is a source, of another version."""
    bounds = files.bounds[begin : begin + len(contents) + 1]
    stretch = slice(int(bounds[0]), int(bounds[-1]))
    blocks = Blocks(*(getattr(files.blocks, field.name)[stretch] for field in dataclasses.fields(Blocks)))
    marks = mark_files([content or b"" for content in contents], blocks, bounds - bounds[0])
    decoded: list[bytes] = []
    starts, stops = marks.begin, marks.end
    edges, fits = marks.bounds.tolist(), marks.fits.tolist()
    for number, content in enumerate(contents):
        text = content or b""
        if not text.isascii():
            characters, index = decode_source(text)
            text = characters.encode("utf-8")
            if index is not None:
                part = slice(edges[number], edges[number + 1])
                starts[part], stops[part] = index[starts[part]], index[stops[part]]
        decoded.append(text)
    gaps = starts.copy()
    gaps[1:] -= stops[:-1]
    # a file's first gap is from its beginning
    first = marks.bounds[:-1][np.diff(marks.bounds) > 0]
    gaps[first] = starts[first]
    numbers = np.stack([gaps, stops - starts, np.minimum(marks.count, LARGEST).astype(np.int64)], axis=1).reshape(-1)
    numbers = numbers.astype(np.uint32)
    encoded = uleb128.encode(numbers)
    ends = np.concatenate([[0], np.cumsum(uleb128.lengths(numbers), dtype=np.int64)])[3 * marks.bounds].tolist()
    for number, (content, text) in enumerate(zip(contents, decoded, strict=True)):
        if content is None or not fits[number]:
            yield content is not None
        else:
            yield text, encoded[ends[number] : ends[number + 1]]


def _function_rows(profile: Profile, files: _Files) -> list[list[list[t.Any]]]:
    """Return for each package its functions, by file and line."""
    size = len(profile.function_name)
    covered, statements = profile.by(profile.function, size)
    line = np.zeros(size, dtype=np.int64)
    # the units are sorted: written backwards, the first line of each function stays
    line[profile.function[::-1]] = profile.units[START_LINE][::-1]
    rank = np.full(len(profile.files), -1, dtype=np.int64)
    rank[files.order] = np.arange(len(files.order))
    file, package = rank[profile.function_file], profile.function_package
    first = np.asarray(files.first)
    inside = (file >= first[package]) & (file < first[package + 1])
    order = np.lexsort((line, file, package))
    order = order[inside[order]]
    names = profile.function_name
    columns = (line[order], covered[order], statements[order], (file - first[package])[order])
    rows = [
        [names[function], *numbers]
        for function, *numbers in zip(order.tolist(), *(column.tolist() for column in columns), strict=True)
    ]
    edges = np.searchsorted(package[order], np.arange(len(profile.packages) + 1)).tolist()
    # a text profile tells no functions: its blocks are in nameless ones
    return [[row for row in rows[begin:end] if row[0]] for begin, end in itertools.pairwise(edges)]


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
