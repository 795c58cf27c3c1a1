# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The HTML page: one file, everything in it, sources compressed and unpacked by the browser when they are opened."""

from __future__ import annotations

import base64
import dataclasses
import functools
import itertools
import json
import typing as t
import zlib
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import uleb128
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_LINE,
    LARGEST,
    START_LINE,
    STATEMENTS,
    Profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.workers import cores, share
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.blocks import (
    Blocks,
    decode_source,
    file_blocks,
    mark_files,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import Sources
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.summary import Section, headline, short_paths
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.thresholds import Shortfall, Thresholds
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.tiers import Tiers

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

try:
    import deflate
except ImportError:  # zlib's module packs the same, in almost twice the time
    deflate = None  # type: ignore[assignment]

# levels of packing: the best where it costs nothing, a fast one where there is much to pack
BEST, FAST = 6, 3 if deflate is None else 1
MUCH = 1 << 16  # blocks from which on time counts more than size, and a second process pays; some 8 MB of source
BATCH = 1 << 13  # blocks whose sources are read together; some MB of source
SHOWN_MISSING = 3  # files named in one problem
# where the template wants the packed sources, and the problems; nothing from data can write these
PLACE, PROBLEMS_PLACE = b"<!--data-->", "<!--problems-->"


def make_page(
    sections: t.Sequence[Section],
    sources: Sources,
    *,
    service: str,
    run_id: str,
    thresholds: Thresholds,
    shortfalls: t.Sequence[Shortfall],
    problems: t.Sequence[Problem],
    process_runs: t.Sequence[t.Mapping[str, t.Any]],
    stages: t.Optional[t.Mapping[str, float]],
    tiers: t.Optional[Tiers] = None,
) -> tuple[bytes, list[Problem]]:
    """Return the page, and problems with sources that came up on the way (they are on the page too)."""
    contents = {
        number: _Contents(section.profile, sources)
        for number, section in enumerate(sections)
        if section.profile is not None
    }
    much = sum(entry.size() for entry in contents.values()) >= MUCH
    jobs = [(number, *batch) for number, entry in contents.items() for batch in entry.batches()]

    def work(chosen: t.Iterable[int]) -> list[tuple[int, _Made]]:
        return [(job, _make(contents, *jobs[job], FAST if much else BEST)) for job in chosen]

    rendered: list[str] = []

    def render() -> None:
        page = _template("PAGE").render(
            service=service,
            run_id=run_id,
            shown=[_shown(number, section) for number, section in enumerate(sections)],
            thresholds=thresholds,
            shortfalls=shortfalls,
            process_runs=process_runs,
            stages=stages or {},
            tiers=tiers.as_list() if tiers else [],
        )
        rendered.append(page)
        _template("PROBLEMS")

    # all but the sources is made ready while others are at work on them already
    results = itertools.chain(*share(len(jobs), work, cores() if much else 1, render))
    made = [entry for _job, entry in sorted(results, key=lambda result: result[0])]
    found: list[Problem] = []
    for number, section in enumerate(sections):
        here = [entry for entry in made if entry.section == number]
        missing = [name for entry in here for name in entry.missing]
        other = [name for entry in here for name in entry.other]
        found += _source_problems(section.component.name, missing, other)
    page = rendered[0].replace(PROBLEMS_PLACE, _template("PROBLEMS").render(problems=[*problems, *found]), 1)
    before, _place, after = page.encode("utf-8", "replace").partition(PLACE)
    data = []
    for entry in made:
        tag = f'<script type="text/plain" id="d{entry.section}.{entry.first}" data-packages="{entry.packages}">'
        data += [tag.encode(), entry.packed, b"</script>\n"]
    return b"".join([before, *data, after]), found


def _shown(number: int, section: Section) -> dict[str, t.Any]:
    """Return what the template shows of a section."""
    rows: list[dict[str, t.Any]] = []
    if section.profile is not None:
        for index, (row, short) in enumerate(zip(section.packages, short_paths(section.packages), strict=True)):
            # a path is shown as its folder, dimmed, and its last element
            folder, slash, last = short.rpartition("/")
            name = {"key": f"{number}.{index}", "folder": folder + slash, "last": last}
            rows.append({**name, "row": row, "percent": row.exact()})
    modules = {row.module for row in section.packages}
    return {
        "section": section,
        "headline": headline(section),
        "percent": section.exact(),
        "module": modules.pop() if len(modules) == 1 else "",
        "rows": rows,
    }


@functools.cache
def _template(name: str) -> t.Any:
    import jinja2
    from ansible_collections.kubernaut.coverage.plugins.module_utils._report import template

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(getattr(template, name))


@dataclass
class _Made:
    """What the page has of C(packages) packages of a section, from number C(first) on: packed, in the page's letters.

    :ivar missing: files whose source is not at hand. C(other): those whose source is of another version.
    """

    section: int
    first: int
    packages: int
    packed: bytes = b""
    missing: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def _make(contents: t.Mapping[int, _Contents], section: int, begin: int, end: int, level: int) -> _Made:
    made = _Made(section, begin, end - begin)
    made.packed = base64.b64encode(_pack(contents[section].make(begin, end, made), level))
    return made


def _pack(content: bytes, level: int) -> t.Union[bytes, bytearray]:
    """Compress in zlib's format, RFC 1950."""
    return zlib.compress(content, level) if deflate is None else deflate.zlib_compress(content, level)


class _Contents:
    """What the page unpacks of the packages of a profile, made some packages at a time."""

    def __init__(self, profile: Profile, sources: Sources) -> None:
        self.profile = profile
        self.sources = sources
        self.names = sources.names(profile).names
        package_of = np.full(len(profile.files), -1, dtype=np.int64)
        # a file of two packages is shown in the first
        package_of[profile.function_file[::-1]] = profile.function_package[::-1]
        order = np.argsort(package_of, kind="stable")
        order = order[np.searchsorted(package_of[order], 0) :]
        rank = np.full(len(profile.files), -1, dtype=np.int64)
        rank[order] = np.arange(len(order))
        #: index in the profile of each file, in the order of their packages; what is said of files is in this order
        self.order: list[int] = order.tolist()
        #: (packages + 1) where each package's files begin
        self.first = np.searchsorted(package_of[order], np.arange(len(profile.packages) + 1))
        #: (U) the file of each unit; and the blocks as R(file_blocks) returns them
        self.file = rank[profile.file]
        self.blocks, self.bounds = file_blocks(self.file, len(order), profile.units, profile.counts, profile.mode)
        covered, statements = profile.by(profile.file, len(profile.files))
        #: (2, files) statements covered and all statements, in the same order
        self.statements = np.stack([covered[order], statements[order]])
        self._order_functions(rank)

    def _order_functions(self, rank: np.ndarray) -> None:
        """Put the functions in order: by package, file and line."""
        profile = self.profile
        size = len(profile.function_name)
        line = np.zeros(size, dtype=np.int64)
        # the units are sorted: written backwards, the first line of each function stays
        line[profile.function[::-1]] = profile.units[START_LINE][::-1]
        file, package = rank[profile.function_file], profile.function_package
        inside = (file >= self.first[package]) & (file < self.first[package + 1])
        # a text profile tells no functions: its blocks are in nameless ones
        inside &= np.fromiter(map(bool, profile.function_name), dtype=bool, count=size)
        order = np.lexsort((line, file, package))
        order = order[inside[order]]
        covered, statements = profile.by(profile.function, size)
        self.functions = order
        line, file, package = line[order], (file - self.first[package])[order], package[order]
        # how much they grow is little and packs better: lines within a file, files within a package
        lines, files = line.copy(), file.copy()
        inner = np.flatnonzero(package[1:] == package[:-1]) + 1
        files[inner] -= file[inner - 1]
        inner = inner[files[inner] == 0]
        lines[inner] -= line[inner - 1]
        self.columns = np.stack([files, lines, covered[order], statements[order]])
        self.function_bounds = np.searchsorted(package, np.arange(len(profile.packages) + 1))

    def size(self) -> int:
        """Return how many blocks there are."""
        return int(self.bounds[-1])

    def batches(self) -> list[tuple[int, int]]:
        """Return the first package, and the one behind the last, of what is worth being made together."""
        if not self.profile.packages:
            return []
        begins = self.bounds[self.first]  # of each package's blocks
        edges = np.flatnonzero(np.diff(begins[:-1] // BATCH)) + 1
        return list(itertools.pairwise([0, *edges.tolist(), len(self.profile.packages)]))

    def make(self, begin: int, end: int, made: _Made) -> bytes:
        """Return what the page unpacks of some packages; add to C(made) the files that are shown without their source.

        A line of JSON; behind it numbers as ULEB128, column by column; behind them the sources (UTF-8), one after the
        other. Keys of the JSON: C(p) how many packages; C(n) how many bytes of numbers; C(f) names of the files, C(u)
        of the functions, both package by package; C(m) by the number of a file that has no source here, its missed
        lines as [first, last]*; C(x) those of them of which a source of another version is at hand. Columns:

        - of packages: how many files, how many functions;
        - of files: statements covered, all statements, bytes of the source, how many ranges;
        - of functions: file and line, both less those of the function before (of the same package, of the same file),
          statements covered, all statements;
        - of ranges: the gap before, the length, both in UTF-16 units, and the count.
        """
        edges = self.first[begin : end + 1]
        start, stop = int(edges[0]), int(edges[-1])
        bounds = self.function_bounds[begin : end + 1]
        functions = slice(int(bounds[0]), int(bounds[-1]))
        files = [self.profile.files[number] for number in self.order[start:stop]]
        names = [self.names[number] for number in self.order[start:stop]]
        shown = self._shown_sources([self.sources.read(name) for name in files], start)
        lacking = np.zeros(len(self.order), dtype=bool)
        lacking[start:stop] = ~shown.fits
        missed = self._missed_lines(lacking) if lacking.any() else {}
        hidden = np.flatnonzero(~shown.fits).tolist()
        for number in hidden:
            (made.other if shown.other[number] else made.missing).append(names[number])
        columns = [
            *(np.diff(edges), np.diff(bounds)),
            *self.statements[:, start:stop],
            *([len(text) for text in shown.texts], shown.ranges),
            *self.columns[:, functions],
            *shown.columns,
        ]
        numbers = uleb128.encode(np.minimum(np.concatenate(columns), LARGEST).astype(np.uint32))
        function_name = self.profile.function_name
        head = {
            "p": end - begin,
            "n": len(numbers),
            "f": names,
            "u": [function_name[number] for number in self.functions[functions].tolist()],
            "m": {number: missed.get(start + number, []) for number in hidden},
            "x": [number for number in hidden if shown.other[number]],
        }
        text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode(head)
        return b"".join([text.encode("utf-8", "replace"), b"\n", numbers, *shown.texts])

    def _missed_lines(self, wanted: np.ndarray) -> dict[int, list[list[int]]]:
        """Return of each wanted file the stretches of lines, [first, last], that have a block that did not run."""
        units = self.profile.units
        chosen = np.flatnonzero(wanted[self.file] & (units[STATEMENTS] > 0) & (self.profile.counts == 0))
        file = self.file[chosen]
        begin = units[START_LINE][chosen].astype(np.int64)
        end = np.maximum(units[END_LINE][chosen], begin)
        order = np.lexsort((end, begin, file))
        file, begin, end = file[order], begin[order], end[order]
        # the furthest end so far within each file: the bits above 32 distinguish files
        reach = np.maximum.accumulate(end + (file << 32)) if len(file) else end
        new = np.ones(len(file), dtype=bool)
        new[1:] = begin[1:] + (file[1:] << 32) > reach[:-1] + 1
        starts = np.flatnonzero(new)
        stops = np.append(starts[1:], len(file)) - 1 if len(starts) else starts
        stretches: dict[int, list[list[int]]] = {}
        columns = (file[starts], begin[starts], reach[stops] & 0xFFFFFFFF)
        for number, first, last in zip(*(column.tolist() for column in columns), strict=True):
            stretches.setdefault(number, []).append([first, last])
        return stretches

    def _shown_sources(self, contents: t.Sequence[t.Optional[bytes]], begin: int) -> _Shown:
        """Return the sources of the files from number C(begin) on, those that fit, and their ranges."""
        bounds = self.bounds[begin : begin + len(contents) + 1]
        stretch = slice(int(bounds[0]), int(bounds[-1]))
        blocks = Blocks(*(getattr(self.blocks, entry.name)[stretch] for entry in dataclasses.fields(Blocks)))
        given = [content or b"" for content in contents]
        marks = mark_files(given, blocks, bounds - bounds[0])
        there = np.fromiter((content is not None for content in contents), dtype=bool, count=len(contents))
        fits = marks.fits & there
        edges, good = marks.bounds.tolist(), fits.tolist()
        starts, stops = marks.begin, marks.end
        texts: list[bytes] = []
        for number, content in enumerate(given):
            text = content if good[number] else b""
            if not text.isascii():
                characters, index = decode_source(text)
                text = characters.encode("utf-8")
                if index is not None:
                    part = slice(edges[number], edges[number + 1])
                    starts[part], stops[part] = index[starts[part]], index[stops[part]]
            texts.append(text)
        gaps = starts.copy()
        gaps[1:] -= stops[:-1]
        # a file's first gap is from its beginning
        sizes = np.diff(marks.bounds)
        first = marks.bounds[:-1][sizes > 0]
        gaps[first] = starts[first]
        columns = np.stack([gaps, stops - starts, marks.count.astype(np.int64)])
        if not fits.all():
            columns, sizes = columns[:, np.repeat(fits, sizes)], np.where(fits, sizes, 0)
        return _Shown(texts, fits, there & ~fits, sizes, columns)


@dataclass
class _Shown:
    """Of some files: the source, empty where it is not shown; whether it is, or else one of another version is there.

    :ivar ranges: how many each has. C(columns): (3, ranges) gap, length, count.
    """

    texts: list[bytes]
    fits: np.ndarray
    other: np.ndarray
    ranges: np.ndarray
    columns: np.ndarray


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
