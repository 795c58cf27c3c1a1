# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Small pure helpers for sentences: the nearest name, a number with its noun, one short line, the end of a log."""

from __future__ import annotations

import difflib
import typing as t

SHORT = 200  # characters of a quoted message


def nearest(name: str, known: t.Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known name that is most like C(name), empty where none is.

    :arg cutoff: similarity from 0 (the nearest of all, whatever it is) to 1, as in L(difflib.get_close_matches).
    """
    return next(iter(nearest_few(name, known, most=1, cutoff=cutoff)), "")


def nearest_few(name: str, known: t.Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the known names that are most like C(name), the nearest first, C(most) of them at the most."""
    return difflib.get_close_matches(name, list(known), n=most, cutoff=cutoff)


def likeness(name: str, other: str) -> float:
    """Return how much two names are alike, from 0 to 1; the measure of L(nearest)."""
    return difflib.SequenceMatcher(None, name, other).ratio()


def did_you_mean(name: str, known: t.Iterable[str], cutoff: float = 0.6) -> str:
    """Return C( Did you mean 'x'?) with a space before it, to end a sentence with; empty where no name is near."""
    near = nearest(name, known, cutoff)
    return f" Did you mean {near!r}?" if near else ""


def count(number: int, one: str, many: str = "") -> str:
    """Return C(1 pod), C(2 pods); C(many) is the plural where an C(s) at the end does not make it."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def short(text: str, most: int = SHORT) -> str:
    """Return a text in one line; of a long one the begin and the end, since wrapped errors say most at their end."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    head = most // 2 - 1
    return f"{text[:head]} … {text[head + 3 - most :]}"


def last_lines(text: str, most: int) -> list[str]:
    """Return the last lines of a text that are not blank, in their order."""
    return [line for line in text.splitlines() if line.strip()][-most:] if most else []


def short_id(container: str) -> str:
    """Return as much of a container's id as podman and crictl show."""
    return container[:12]
