# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Coverage by line, and the two formats that have it: Cobertura XML and LCOV."""

from __future__ import annotations

import html
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_LINE,
    START_LINE,
    STATEMENTS,
    Profile,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

# blocks do not overlap, so their lines are about as many as the sources have: what is far beyond comes from damaged
# positions or //line directives, and must not make files of any size
LONGEST = 100_000  # lines of one block
USUAL, ALLOWED = 100, 1 << 18  # lines of a block on the whole, and how many more there may be


@dataclass(frozen=True)
class Lines:
    """Lines with statements, sorted by file and line. C(bounds): (N+1) where each file's lines begin."""

    bounds: np.ndarray
    line: np.ndarray
    hits: np.ndarray


def count_lines(profile: Profile) -> Lines:
    """Return how often each line ran: the most often run block of those that touch it and have a statement."""
    first = profile.units[START_LINE].astype(np.int64)
    length = np.maximum(profile.units[END_LINE].astype(np.int64) - first + 1, 1)
    length = np.where(length > LONGEST, 1, length)
    if int(length.sum()) > ALLOWED + USUAL * len(length):
        length = np.where(length > USUAL, 1, length)
    length = np.where(profile.units[STATEMENTS] > 0, length, 0)
    before = np.cumsum(length) - length
    line = np.repeat(first - before, length) + np.arange(int(length.sum()))
    key = (np.repeat(profile.file, length) << 32) | line
    hits = np.repeat(profile.counts, length)
    order = np.argsort(key, kind="stable")
    key, hits = key[order], hits[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, dtype=np.int64)
    hits = np.maximum.reduceat(hits, starts) if len(key) else hits
    key = key[starts]
    bounds = np.searchsorted(key >> 32, np.arange(len(profile.files) + 1))
    return Lines(bounds, key & 0xFFFFFFFF, hits)


@dataclass(frozen=True)
class Functions:
    """Named functions by file: (line, name, hits of the first block)."""

    by_file: list[list[tuple[int, str, int]]]


def find_functions(profile: Profile) -> Functions:
    """Return the functions that have a name, function literals left out, with a name that is unique in its file."""
    by_file: list[list[tuple[int, str, int]]] = [[] for _file in profile.files]
    if len(profile.function):
        # units are sorted by line within a file, so a function's first unit is where it begins
        functions, first = np.unique(profile.function, return_index=True)
        lines = profile.units[START_LINE][first].tolist()
        counts = profile.counts[first].tolist()
        for function, line, hits in zip(functions.tolist(), lines, counts, strict=True):
            if not profile.function_literal[function]:
                by_file[int(profile.function_file[function])].append((line, profile.function_name[function], hits))
    for rows in by_file:
        rows.sort()
        seen: set[str] = set()
        for index, (line, name, hits) in enumerate(rows):
            if name in seen:
                rows[index] = (line, f"{name}:{line}", hits)
            seen.add(name)
    return Functions(by_file)


def file_names(profile: Profile) -> list[str]:
    """Return each file's name: within the module if there is only one, else as in the profile."""
    modules = {package.module for package in profile.packages}
    prefix = f"{modules.pop()}/" if len(modules) == 1 else "/"
    return [name[len(prefix) :] if prefix != "/" and name.startswith(prefix) else name for name in profile.files]


def lcov(profile: Profile, lines: Lines, functions: Functions) -> str:
    """Return the LCOV tracefile."""
    parts = []
    names = file_names(profile)
    for file, name in enumerate(names):
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


def cobertura(profile: Profile, lines: Lines, functions: Functions, seconds: int) -> str:
    """Return the Cobertura report (coverage-04.dtd). Go has no branch counters: their rates are 0 of 0.

    :arg seconds: since the epoch, when the last counters were written; the time a report is made is not data.
    """
    names = file_names(profile)
    covered = int((lines.hits != 0).sum())
    rates = (
        f'line-rate="{_rate(lines.hits)}" branch-rate="0" lines-covered="{covered}" lines-valid="{len(lines.hits)}" '
        'branches-covered="0" branches-valid="0" complexity="0"'
    )
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">\n'
        f'<coverage {rates} version="1" timestamp="{seconds}">\n'
        "<sources><source>.</source></sources>\n<packages>\n"
    ]
    package_of = np.full(len(profile.files), -1, dtype=np.int64)
    package_of[profile.function_file] = profile.function_package
    for number, package in enumerate(profile.packages):
        files = np.flatnonzero(package_of == number).tolist()
        parts_hits = [lines.hits[lines.bounds[file] : lines.bounds[file + 1]] for file in files]
        hits = np.concatenate([lines.hits[:0], *parts_hits])
        parts.append(
            f'<package name="{_attribute(package.path)}" line-rate="{_rate(hits)}" branch-rate="0" complexity="0">\n'
            "<classes>\n"
        )
        for file in files:
            begin, end = int(lines.bounds[file]), int(lines.bounds[file + 1])
            parts += _class(names[file], lines, functions.by_file[file], begin, end)
        parts.append("</classes>\n</package>\n")
    parts.append("</packages>\n</coverage>\n")
    return "".join(parts)


def _class(name: str, lines: Lines, functions: list[tuple[int, str, int]], begin: int, end: int) -> list[str]:
    hits = lines.hits[begin:end]
    short = _attribute(name.rpartition("/")[2])
    parts = [
        f'<class name="{short}" filename="{_attribute(name)}" line-rate="{_rate(hits)}" branch-rate="0" '
        'complexity="0">\n<methods>\n'
    ]
    parts += [
        f'<method name="{_attribute(function)}" signature="" line-rate="{int(count > 0)}.0" branch-rate="0" '
        f'complexity="0"><lines><line number="{line}" hits="{count}"/></lines></method>\n'
        for line, function, count in functions
    ]
    parts.append("</methods>\n<lines>\n")
    rows = zip(lines.line[begin:end].tolist(), hits.tolist(), strict=True)
    parts += map('<line number="%d" hits="%d"/>\n'.__mod__, rows)
    parts.append("</lines>\n</class>\n")
    return parts


def _attribute(text: str) -> str:
    """Return a text that is safe in an attribute; bytes and control characters that XML does not know are replaced."""
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return html.escape("".join(char if char >= " " else "\N{REPLACEMENT CHARACTER}" for char in clean))
