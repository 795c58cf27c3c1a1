# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The four texts of C(go tool covdata): textfmt, func, percent, pkglist.

Source of truth: internal/coverage/cformat, cmd/covdata/dump.go and, for the columns, text/tabwriter.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_COLUMN,
    END_LINE,
    START_COLUMN,
    START_LINE,
    STATEMENTS,
    Profile,
    package_totals,
    percentage,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Package
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program

TAB = 8
CHUNK = 1 << 14  # units written at once: few enough to stay in the processor's cache
GROUP, GROUP_DIGITS = 10_000, 4


def text_profile(profile: Profile) -> str:
    """Return Go's text profile as a string. Encode it with C(surrogateescape): file names are bytes."""
    return b"".join(profile_chunks(profile)).decode("utf-8", "surrogateescape")


def profile_chunks(profile: Profile) -> t.Iterator[bytes]:
    """Yield Go's text profile in pieces, byte for byte as C(go tool covdata textfmt) writes it."""
    yield f"mode: {profile.mode}\n".encode()
    size = len(profile.file)
    if not size:
        return
    changes = (profile.file[1:] != profile.file[:-1]) | (profile.package[1:] != profile.package[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [size]])
    bounds = starts.tolist()
    files = profile.file[starts[:-1]].tolist()
    first = 0
    while first < len(files):
        begin = bounds[first]
        last = max(first + 1, int(np.searchsorted(starts, begin + CHUNK, side="right")) - 1)
        rows = _rows(profile.units[:, begin : bounds[last]], profile.counts[begin : bounds[last]])
        parts = []
        for run in range(first, last):
            name = profile.files[files[run]].encode("utf-8", "surrogateescape") + b":"
            lines = rows[bounds[run] - begin : bounds[run + 1] - begin].tobytes().translate(None, b"\0")
            parts += [name, lines[:-1].replace(b"\n", b"\n" + name), b"\n"]
        yield b"".join(parts)
        first = last


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the four bytes of each number below 10,000, filled up with NUL, and filled up with zeros."""
    numbers = np.arange(GROUP, dtype=np.uint32)
    zeros = np.empty((GROUP, GROUP_DIGITS), dtype=np.uint8)
    for place in range(GROUP_DIGITS):
        zeros[:, place] = numbers // 10 ** (GROUP_DIGITS - 1 - place) % 10 + ord("0")
    filled = zeros.copy()
    for place in range(GROUP_DIGITS - 1):
        filled[: 10 ** (GROUP_DIGITS - 1 - place), place] = 0
    return filled.view(np.uint32).reshape(-1), zeros.view(np.uint32).reshape(-1)


def _groups(values: np.ndarray) -> list[np.ndarray]:
    """Return numbers as text, four bytes at a time, filled up with NUL."""
    filled, zeros = _digits()
    if int(values.max(initial=0)) < GROUP:
        return [filled[values]]
    high, low = np.divmod(values, GROUP)
    upper = _groups(high)
    more = high != 0
    for group in upper:
        group[~more] = 0
    return [*upper, np.where(more, zeros[low], filled[low])]


def _rows(units: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return what follows the file's name of each line, as records with NUL where a number is shorter."""
    order = (START_LINE, START_COLUMN, END_LINE, END_COLUMN, STATEMENTS)
    columns = [*(units[column] for column in order), counts]
    cells: list[t.Any] = []
    for values, separator in zip(columns, b".,.  \n", strict=True):
        cells += [*_groups(values), separator]
    kinds = [(f"f{number}", "u1" if isinstance(cell, int) else "u4") for number, cell in enumerate(cells)]
    rows = np.empty(len(counts), dtype=kinds)
    for (name, _kind), cell in zip(kinds, cells, strict=True):
        rows[name] = cell
    return rows


def function_text(profile: Profile) -> str:
    """Return what C(go tool covdata func) prints, line for line.

    It is a walk over the sorted units that begins a new line where the function's name changes. So neighbours of one
    name, as two C(init) in a row, share a line; function literals at package level have none, but count in the total.
    """
    wheres: list[str] = []
    names: list[str] = []
    shares: list[float] = []
    if len(profile.function):
        known: dict[str, int] = {}
        name_of = np.asarray([known.setdefault(name, len(known)) for name in profile.function_name], dtype=np.int64)
        name, package = name_of[profile.function], profile.package
        starts = np.flatnonzero(np.concatenate([[True], (name[1:] != name[:-1]) | (package[1:] != package[:-1])]))
        statements = profile.units[STATEMENTS].astype(np.int64)
        total = np.add.reduceat(statements, starts)
        covered = np.add.reduceat(np.where(profile.counts != 0, statements, 0), starts)
        shown = ~profile.function_literal[profile.function[starts]]
        starts, total, covered = starts[shown], total[shown], covered[shown]
        places = zip(profile.file[starts].tolist(), profile.units[START_LINE][starts].tolist(), strict=True)
        files = profile.files
        wheres = [f"{files[file]}:{line}:" for file, line in places]
        function_name = profile.function_name
        names = [function_name[function] for function in profile.function[starts].tolist()]
        shares = (100.0 * covered / np.maximum(total, 1)).tolist()
    wheres.append("total")
    names.append("(statements)")
    shares.append(percentage(*profile.totals()))
    rows = zip(wheres, _tabs(wheres), names, _tabs(names), shares, strict=True)
    return "".join(map("%s%s%s%s%.1f%%\n".__mod__, rows))


def percent_text(profile: Profile) -> str:
    """Return what C(go tool covdata percent) prints, line for line, with one exception.

    For a package without statements Go prints its name and no end of line, so that the next package lands on the
    same one. Here such a line ends with C(coverage: [no statements]), Go's own words for it elsewhere.
    """
    covered, total = profile.by(profile.package, len(profile.packages))
    return _percent_lines(profile.packages, covered, total)


def percent_of(programs: t.Sequence[Program], mode: str) -> str:
    """Return the same as R(percent_text) of R(make_profile), without putting the units in order."""
    return _percent_lines(*package_totals(programs, mode))


def _percent_lines(packages: t.Sequence[Package], covered: np.ndarray, total: np.ndarray) -> str:
    lines = []
    for package, part, whole in zip(packages, covered.tolist(), total.tolist(), strict=True):
        text = f"{percentage(part, whole):.1f}% of statements" if whole else "[no statements]"
        lines.append(f"\t{package.path}\t\tcoverage: {text}\n")
    return "".join(lines)


def package_text(packages: t.Iterable[str]) -> str:
    """Return what C(go tool covdata pkglist) prints: the import paths, each once, in the order of their bytes."""
    paths = sorted({path.encode("utf-8", "surrogateescape") for path in packages})
    return "".join(f"{path.decode('utf-8', 'surrogateescape')}\n" for path in paths)


def _tabs(cells: t.Sequence[str]) -> list[str]:
    """Return for each cell the tabs behind it: to the stop of eight behind the longest cell and one more character."""
    lengths = list(map(len, cells))
    width = (max(lengths) + 1 + TAB - 1) // TAB * TAB
    tabs = ["\t" * ((width - length + TAB - 1) // TAB) for length in range(width + 1)]
    return [tabs[length] for length in lengths]
