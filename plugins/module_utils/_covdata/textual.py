# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The three texts of C(go tool covdata): textfmt, func, percent.

Source of truth: internal/coverage/cformat and, for the columns, text/tabwriter.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_COLUMN,
    END_LINE,
    START_COLUMN,
    START_LINE,
    STATEMENTS,
    Profile,
    percentage,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

TAB = 8


def text_profile(profile: Profile) -> str:
    """Return Go's text profile, byte for byte as C(go tool covdata textfmt) writes it.

    Encode it with C(surrogateescape): file names are bytes.
    """
    units = profile.units
    rows = zip(
        [profile.files[index] for index in profile.file.tolist()],
        units[START_LINE].tolist(),
        units[START_COLUMN].tolist(),
        units[END_LINE].tolist(),
        units[END_COLUMN].tolist(),
        units[STATEMENTS].tolist(),
        profile.counts.tolist(),
        strict=True,
    )
    return f"mode: {profile.mode}\n" + "".join(map("%s:%d.%d,%d.%d %d %d\n".__mod__, rows))


def function_text(profile: Profile) -> str:
    """Return what C(go tool covdata func) prints, line for line.

    It is a walk over the sorted units that begins a new line where the function's name changes. So neighbours of one
    name, as two C(init) in a row, share a line; function literals at package level have none, but count in the total.
    """
    rows: list[tuple[str, str, float]] = []
    if len(profile.function):
        names: dict[str, int] = {}
        name_of = np.asarray([names.setdefault(name, len(names)) for name in profile.function_name], dtype=np.int64)
        name, package = name_of[profile.function], profile.package
        starts = np.flatnonzero(np.concatenate([[True], (name[1:] != name[:-1]) | (package[1:] != package[:-1])]))
        statements = profile.units[STATEMENTS].astype(np.int64)
        total = np.add.reduceat(statements, starts)
        covered = np.add.reduceat(np.where(profile.counts != 0, statements, 0), starts)
        lines = profile.units[START_LINE][starts].tolist()
        for function, file, line, part, whole in zip(
            profile.function[starts].tolist(),
            profile.file[starts].tolist(),
            lines,
            covered.tolist(),
            total.tolist(),
            strict=True,
        ):
            if not profile.function_literal[function]:
                where = f"{profile.files[file]}:{line}:"
                rows.append((where, profile.function_name[function], percentage(part, whole)))
    rows.append(("total", "(statements)", percentage(*profile.totals())))
    first = _column(row[0] for row in rows)
    second = _column(row[1] for row in rows)
    return "".join(
        f"{where}{_tabs(where, first)}{name}{_tabs(name, second)}{percent:.1f}%\n" for where, name, percent in rows
    )


def percent_text(profile: Profile) -> str:
    """Return what C(go tool covdata percent) prints, line for line, with one exception.

    For a package without statements Go prints its name and no end of line, so that the next package lands on the
    same one. Here such a line ends with C(coverage: [no statements]), Go's own words for it elsewhere.
    """
    covered, total = profile.by(profile.package, len(profile.packages))
    lines = []
    for package, part, whole in zip(profile.packages, covered.tolist(), total.tolist(), strict=True):
        text = f"{percentage(part, whole):.1f}% of statements" if whole else "[no statements]"
        lines.append(f"\t{package.path}\t\tcoverage: {text}\n")
    return "".join(lines)


def _column(cells: t.Iterable[str]) -> int:
    """Return a column's width: the longest cell and at least one more, up to the next stop of eight."""
    return (max(map(len, cells)) + 1 + TAB - 1) // TAB * TAB


def _tabs(cell: str, width: int) -> str:
    return "\t" * ((width - len(cell) + TAB - 1) // TAB)
