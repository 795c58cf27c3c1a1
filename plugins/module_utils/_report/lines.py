# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Coverage by line, and the two formats that have it: Cobertura XML and LCOV.

A line ran as often as the most often run block that touches it, and blocks without statements (an empty function)
count, too: the lines, and which of them ran, are those of C(gocover-cobertura) and C(gcov2lcov).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import WARNING, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_LINE,
    START_LINE,
    STATEMENTS,
    Profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import Names, Sources

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

# what is far beyond the lines that statements take comes from damaged positions, and must not make files of any size
USUAL, OF_STATEMENT = 100, 4  # lines of a block, and how many more for each of its statements
SPARE = 1 << 20  # lines beyond these that all blocks may have together
MOST = 1 << 24  # lines of all blocks together
SHOWN = 3  # blocks that are named in a problem


@dataclass(frozen=True)
class Lines:
    """Lines with blocks, sorted by file and line. C(bounds): (N+1) where each file's lines begin.

    :ivar cut: blocks of which only the first line is there, as the profile has them.
    """

    bounds: np.ndarray
    line: np.ndarray
    hits: np.ndarray
    cut: list[str] = field(default_factory=list)

    def problems(self, component: str) -> list[Problem]:
        """Return what is to be said of blocks whose lines were left out."""
        if not self.cut:
            return []
        some = ", ".join(self.cut[:SHOWN]) + (f" and {len(self.cut) - SHOWN} more" if len(self.cut) > SHOWN else "")
        number = "1 block spans" if len(self.cut) == 1 else f"{len(self.cut)} blocks span"
        return [
            Problem(
                "lines-left-out",
                WARNING,
                f"{component}: {number} more lines than their statements can take: Cobertura and LCOV have only the "
                f"first line of each ({some}).",
                component=component,
                remedy="Copy the data again if they may be damaged; //line directives can also have this effect.",
            )
        ]


def count_lines(profile: Profile) -> Lines:
    """Return how often each line ran."""
    first = profile.units[START_LINE].astype(np.int64)
    length = np.maximum(profile.units[END_LINE].astype(np.int64) - first + 1, 1)
    expected = USUAL + OF_STATEMENT * profile.units[STATEMENTS].astype(np.int64)
    cut = _largest(np.maximum(length - expected, 0), SPARE) | _largest(length, MOST)
    kept = np.where(cut, 1, length)
    before = np.cumsum(kept) - kept
    line = np.repeat(first - before, kept) + np.arange(int(kept.sum()))
    key = (np.repeat(profile.file, kept) << 32) | line
    hits = np.repeat(profile.counts, kept)
    order = np.argsort(key, kind="stable")
    key, hits = key[order], hits[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, dtype=np.int64)
    hits = np.maximum.reduceat(hits, starts) if len(key) else hits
    key = key[starts]
    bounds = np.searchsorted(key >> 32, np.arange(len(profile.files) + 1))
    named = [
        f"{profile.files[int(profile.file[number])]}:{int(first[number])}-{int(profile.units[END_LINE][number])}"
        for number in np.flatnonzero(cut).tolist()
    ]
    return Lines(bounds, key & 0xFFFFFFFF, hits, named)


def _largest(values: np.ndarray, allowed: int) -> np.ndarray:
    """Return which of some values are to be left out, the largest first, so that the rest comes to C(allowed)."""
    chosen = np.zeros(len(values), dtype=bool)
    if int(values.sum()) > allowed:
        order = np.argsort(values, kind="stable")
        chosen[order[np.cumsum(values[order]) > allowed]] = True
    return chosen


@dataclass(frozen=True)
class Functions:
    """Named functions by file: (line, name, hits of the block that it begins with)."""

    by_file: list[list[tuple[int, str, int]]]


def find_functions(profile: Profile) -> Functions:
    """Return the functions that have a name, function literals left out, with a name that is unique in its file."""
    by_file: list[list[tuple[int, str, int]]] = [[] for _file in profile.files]
    first = np.flatnonzero(profile.entry & ~profile.function_literal[profile.function])
    functions = profile.function[first].tolist()
    lines = profile.units[START_LINE][first].tolist()
    counts = profile.counts[first].tolist()
    for function, line, hits in zip(functions, lines, counts, strict=True):
        by_file[int(profile.function_file[function])].append((line, profile.function_name[function], hits))
    for rows in by_file:
        rows.sort()
        seen: set[str] = set()
        for index, (line, name, hits) in enumerate(rows):
            if name in seen:
                rows[index] = (line, f"{name}:{line}", hits)
            seen.add(name)
    return Functions(by_file)


def _names(profile: Profile, names: t.Optional[Names]) -> Names:
    return Sources({}).names(profile) if names is None else names


def lcov(profile: Profile, lines: Lines, functions: Functions, names: t.Optional[Names] = None) -> str:
    """Return the LCOV tracefile.

    :arg names: of the files; without any, those that can be known without the sources.
    """
    parts = []
    for file, name in enumerate(_names(profile, names).names):
        begin, end = int(lines.bounds[file]), int(lines.bounds[file + 1])
        rows = functions.by_file[file]
        if begin == end and not rows:
            continue
        parts.append(f"TN:\nSF:{name}\n")
        parts += [f"FN:{line},{function}\n" for line, function, _hits in rows]
        parts += [f"FNDA:{hits},{function}\n" for _line, function, hits in rows]
        parts.append(f"FNF:{len(rows)}\nFNH:{sum(1 for row in rows if row[2])}\n")
        hits = lines.hits[begin:end]
        parts += map("DA:%d,%d\n".__mod__, zip(lines.line[begin:end].tolist(), hits.tolist(), strict=True))
        parts.append(f"LF:{end - begin}\nLH:{int((hits != 0).sum())}\nend_of_record\n")
    return "".join(parts)


def _rate(hits: np.ndarray) -> str:
    return f"{float((hits != 0).sum()) / len(hits):.4f}" if len(hits) else "1.0"


def cobertura(
    profile: Profile, lines: Lines, functions: Functions, seconds: int, names: t.Optional[Names] = None
) -> str:
    """Return the Cobertura report (coverage-04.dtd). Go has no branch counters: their rates are 0 of 0.

    C(source) is the root of the repository where that is known: names of files are relative to it.

    :arg seconds: since the epoch, when the last counters were written; the time a report is made is not data.
    :arg names: of the files; without any, those that can be known without the sources.
    """
    known = _names(profile, names)
    covered = int((lines.hits != 0).sum())
    rates = (
        f'line-rate="{_rate(lines.hits)}" branch-rate="0" lines-covered="{covered}" lines-valid="{len(lines.hits)}" '
        'branches-covered="0" branches-valid="0" complexity="0"'
    )
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">\n'
        f'<coverage {rates} version="1" timestamp="{seconds}">\n'
        f"<sources><source>{escape(_clean(known.root or '.'))}</source></sources>\n<packages>\n"
    ]
    package_of = np.full(len(profile.files), -1, dtype=np.int64)
    package_of[profile.function_file] = profile.function_package
    for number, package in enumerate(profile.packages):
        files = np.flatnonzero(package_of == number).tolist()
        parts_hits = [lines.hits[lines.bounds[file] : lines.bounds[file + 1]] for file in files]
        hits = np.concatenate([lines.hits[:0], *parts_hits])
        parts.append(
            f'<package name={_attribute(package.path)} line-rate="{_rate(hits)}" branch-rate="0" complexity="0">\n'
            "<classes>\n"
        )
        for file in files:
            begin, end = int(lines.bounds[file]), int(lines.bounds[file + 1])
            parts += _class(known.names[file], lines, functions.by_file[file], begin, end)
        parts.append("</classes>\n</package>\n")
    parts.append("</packages>\n</coverage>\n")
    return "".join(parts)


def _class(name: str, lines: Lines, functions: list[tuple[int, str, int]], begin: int, end: int) -> list[str]:
    hits = lines.hits[begin:end]
    short = _attribute(name.rpartition("/")[2])
    parts = [
        f'<class name={short} filename={_attribute(name)} line-rate="{_rate(hits)}" branch-rate="0" '
        'complexity="0">\n<methods>\n'
    ]
    parts += [
        f'<method name={_attribute(function)} signature="" line-rate="{int(count > 0)}.0" branch-rate="0" '
        f'complexity="0"><lines><line number="{line}" hits="{count}"/></lines></method>\n'
        for line, function, count in functions
    ]
    parts.append("</methods>\n<lines>\n")
    rows = zip(lines.line[begin:end].tolist(), hits.tolist(), strict=True)
    parts += map('<line number="%d" hits="%d"/>\n'.__mod__, rows)
    parts.append("</lines>\n</class>\n")
    return parts


def _attribute(text: str) -> str:
    """Return a text as the value of an attribute, in its quotes."""
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    """Return a text in which bytes and characters that XML does not know are replaced."""
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(
        char if char >= " " and char not in "\ufffe\uffff" else "\N{REPLACEMENT CHARACTER}" for char in clean
    )
