# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Hold the numbers against what was asked for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import compile_pattern, nearest


@dataclass(frozen=True, init=False)
class Shortfall(Diagnosis):
    """A number that is below its threshold; C(subject) is what it is of (C(total), a package, a pattern).

    :ivar percent: nothing where there is no number to trust.
    """

    threshold: float = 0.0
    percent: t.Optional[float] = None

    def __init__(self, scope: str, threshold: float, percent: t.Optional[float], sentence: str) -> None:
        super().__init__("below-threshold", sentence, setting="report.thresholds", subject=scope)
        object.__setattr__(self, "threshold", threshold)
        object.__setattr__(self, "percent", percent)

    @property
    def scope(self) -> str:
        """What the number is of."""
        return self.subject

    def as_dict(self) -> dict[str, t.Any]:
        """Return the record as results and summary.json have it."""
        return {name: getattr(self, name) for name in ("scope", "threshold", "percent", "sentence")}


@dataclass(frozen=True)
class Thresholds:
    """Percentages asked for: of the total, and of each package that a pattern matches (the most exact one wins)."""

    total: t.Optional[float]
    packages: t.Mapping[str, float]

    def any(self) -> bool:
        """Tell whether anything was asked for."""
        return self.total is not None or bool(self.packages)


def parse_thresholds(given: t.Optional[t.Mapping[str, t.Any]]) -> Thresholds:
    """Check what the user wrote.

    :raises InputError: unknown key, or not a number from 0 to 100.
    """
    given = given or {}
    unknown = sorted(set(given) - {"total", "packages"})
    if unknown:
        raise InputError(
            f"Unknown threshold {unknown[0]!r}: there are total and packages.", setting="report.thresholds"
        )
    total = given.get("total")
    return Thresholds(
        None if total is None else _number("total", total),
        {pattern: _number(pattern, value) for pattern, value in (given.get("packages") or {}).items()},
    )


def _number(name: str, value: t.Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 100:
        raise InputError(
            f"The threshold of {name} is {value!r}: it has to be a number from 0 to 100.",
            setting="report.thresholds",
        )
    return number


def digits(percent: float, threshold: float) -> str:
    """Return a percentage with enough decimals to show that it is below the threshold."""
    for decimals in range(1, 8):
        text = f"{percent:.{decimals}f}"
        if float(text) < threshold:
            return text
    return repr(percent)


def _how_exact(pattern: str) -> tuple[bool, int, str]:
    """Order patterns from vague to exact: one without a wildcard last, before it the one with most letters."""
    return "..." not in pattern, len(pattern.replace("...", "")), pattern


def find_shortfalls(
    thresholds: Thresholds,
    percent: t.Optional[float],
    packages: t.Mapping[str, t.Optional[float]],
    withheld: str,
) -> list[Shortfall]:
    """Compare exact percentages with the thresholds.

    :arg percent: of the total; nothing if it is withheld.
    :arg packages: percentage by path; nothing for a package without statements, which no threshold concerns.
    """
    found = []
    if percent is None:
        if thresholds.any():
            asked = thresholds.total if thresholds.total is not None else max(thresholds.packages.values())
            found.append(
                Shortfall("total", asked, None, f"There is no percentage to hold against a threshold: {withheld}.")
            )
        return found
    if thresholds.total is not None and percent < thresholds.total:
        short = digits(percent, thresholds.total)
        sentence = f"The total of {short} % is below its threshold of {thresholds.total:g} %."
        found.append(Shortfall("total", thresholds.total, percent, sentence))
    chosen: dict[str, str] = {}
    for pattern in sorted(thresholds.packages, key=_how_exact):
        expression = compile_pattern(pattern)
        hits = [path for path in packages if expression.fullmatch(path)]
        if not hits:
            near = nearest(pattern, packages)
            sentence = f"No package matches the threshold's pattern {pattern}"
            sentence += f"; the nearest is {near}." if near else "."
            found.append(Shortfall(pattern, thresholds.packages[pattern], None, sentence))
        chosen.update(dict.fromkeys(hits, pattern))
    for path in sorted(chosen):
        value, asked = packages[path], thresholds.packages[chosen[path]]
        if value is not None and value < asked:
            sentence = f"Package {path} has {digits(value, asked)} %, below its threshold of {asked:g} %."
            found.append(Shortfall(path, asked, value, sentence))
    return found
