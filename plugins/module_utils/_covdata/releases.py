# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the places of blocks tell of the release of Go that instrumented a program.

Until Go 1.26 a block begins at a brace or behind one and ends at or behind one. Since Go 1.27 it covers whole lines:
one that is not ended by a statement on the same line ends in column 1 of the line behind it, where no block of an
earlier release can end. Go 1.27.0 also gives each part of a block that a blank line or a remark divides the number of
statements of the whole block (golang/go#80974). Source of truth: cmd/cover of both releases.
"""

from __future__ import annotations

import typing as t

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

START_LINE, START_COLUMN, END_LINE, END_COLUMN, STATEMENTS = range(5)  # rows of units, as in R(Meta)


def blocks_by_line(units: np.ndarray) -> bool:
    """Tell of units (5, U) whether Go 1.27 or later made them; without a block of several lines it does not show."""
    lines = (units[END_COLUMN] == 1) & (units[END_LINE] > units[START_LINE])
    # generated code of any release can have a few such, by //line; before 1.27 many blocks begin where another ends
    touching = (units[END_LINE, :-1] == units[START_LINE, 1:]) & (units[END_COLUMN, :-1] == units[START_COLUMN, 1:])
    return int(lines.sum()) > int(touching.sum())


def repeated_parts(units: np.ndarray, counts: np.ndarray, starts: np.ndarray) -> t.Optional[np.ndarray]:
    """Return which units (U) count statements again that the unit before counts; nothing where that does not show.

    It shows where a part has more statements than lines, and the part behind it has as many. Then each part that
    follows another of the same indentation, number of statements and count is taken for a repetition.

    :arg units: (5, U), those of a function one after the other, in the order of where they begin.
    :arg starts: where each function's units begin.
    """
    if units.shape[1] < 2 or not blocks_by_line(units):
        return None
    lines = units[END_LINE].astype(np.int64) - units[START_LINE]
    before, after = units[:, :-1], units[:, 1:]
    follows = (before[END_COLUMN] == 1) & (after[START_LINE] > before[END_LINE])
    follows &= (after[START_COLUMN] == before[START_COLUMN]) & (after[STATEMENTS] == before[STATEMENTS])
    follows &= counts[1:] == counts[:-1]
    follows[starts[(starts > 0) & (starts < units.shape[1])] - 1] = False
    if not (follows & (before[STATEMENTS] > lines[:-1])).any():
        return None
    return np.concatenate([[False], follows])
