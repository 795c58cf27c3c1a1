# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Coverage of other tests (unit, integration: text profiles) next to the end-to-end tests, and of all together."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import WARNING, FormatError, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile, percentage
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import (
    TextProfile,
    join,
    read_text_profile,
)

SETTING = "coverage_report#text_profiles"
OWN, ALL = "e2e", "all"
DECIMALS = 4


@dataclass
class Tiers:
    """The tiers' names in order, the joined profile, and of each package the covered statements by tier.

    :ivar statements: by package, of the joined profile: what every tier is held against.
    :ivar mode: by tier. C(paths): of the text profiles, by tier.
    """

    joined: Profile
    names: list[str]
    statements: dict[str, int]
    covered: dict[str, dict[str, int]]
    modes: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    def total(self, name: str) -> tuple[int, int]:
        """Return the statements that a tier covers, and all there are."""
        return sum(self.covered[name].values()), sum(self.statements.values())

    def as_list(self) -> list[dict[str, t.Any]]:
        """Return the tiers as plain data."""
        rows = []
        for name in self.names:
            covered, statements = self.total(name)
            rows.append(
                {
                    "name": name,
                    "path": self.paths.get(name, ""),
                    "mode": self.modes[name],
                    "covered": covered,
                    "statements": statements,
                    "percent": _share(covered, statements),
                    "packages": {
                        path: _share(self.covered[name].get(path, 0), whole) for path, whole in self.statements.items()
                    },
                }
            )
        return rows


def _share(covered: int, statements: int) -> t.Optional[float]:
    return round(percentage(covered, statements), DECIMALS) if statements else None


def parse_text_profiles(given: t.Sequence[t.Mapping[str, t.Any]]) -> list[tuple[str, str]]:
    """Check what the user wrote; return names and paths.

    :raises InputError: a key is missing, or a name is there twice or one of ours.
    """
    entries: list[tuple[str, str]] = []
    for entry in given:
        name, path = str(entry.get("name") or ""), str(entry.get("path") or "")
        if not name or not path:
            raise InputError("A text profile needs a name and a path.", setting=SETTING)
        if name in (OWN, ALL) or any(name == other for other, _path in entries):
            raise InputError(
                f"Two tiers would have the name {name}.",
                remedy=f"Name each text profile by its tier, as unit; {OWN} and {ALL} are taken.",
                setting=SETTING,
            )
        entries.append((name, path))
    return entries


def make_tiers(
    base: Profile, given: t.Sequence[t.Mapping[str, t.Any]], *, strict: bool, choose: t.Callable[[Profile], set[str]]
) -> tuple[Tiers, list[Problem]]:
    """Join text profiles with the profile of the end-to-end tests.

    :arg strict: whether a profile that is damaged or of other sources is an error; otherwise it is left out and said.
    :arg choose: returns the packages to be counted.
    :raises InputError: see there.
    """
    problems: list[Problem] = []
    joined, parts, paths = base, {OWN: base}, {}
    for name, path in parse_text_profiles(given):
        text = _read(name, path, problems, strict=strict)
        if text is None:
            continue
        after, found = join(joined, [text], policy="fail" if strict else "quarantine")
        problems += found
        if any(problem.kind == "source-clash" for problem in found):
            continue
        joined, parts[name], paths[name] = after, join(None, [text])[0], path
    keep = choose(joined)
    joined = joined.select(keep)
    parts[ALL] = joined
    sizes = _by_package(joined)
    covered = {
        name: {path: part for path, (part, _whole) in _by_package(profile).items() if path in keep}
        for name, profile in parts.items()
    }
    modes = {name: profile.mode for name, profile in parts.items()}
    statements = {path: whole for path, (_part, whole) in sizes.items()}
    return Tiers(joined, list(parts), statements, covered, modes, paths), problems


def _read(name: str, path: str, problems: list[Problem], *, strict: bool) -> t.Optional[TextProfile]:
    try:
        return read_text_profile(path)
    except FormatError as error:
        if strict or error.kind == "unreadable":
            raise InputError(f"{path}: {error.message}.", setting=SETTING, cause=error.kind) from error
        sentence = f"The text profile of {name} is set aside: {error.message}."
        problems.append(Problem(error.kind, WARNING, sentence, path, remedy="Make the profile again."))
        return None


def _by_package(profile: Profile) -> dict[str, tuple[int, int]]:
    covered, statements = profile.by(profile.package, len(profile.packages))
    paths = [package.path for package in profile.packages]
    return dict(zip(paths, zip(covered.tolist(), statements.tolist(), strict=True), strict=True))
