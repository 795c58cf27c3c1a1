# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The context of a C(docker build), as Docker would send it.

Podman does not look into folders that C(.dockerignore) excludes, also where a later C(!) pattern takes files in them
back, as kubebuilder's does (C(**) and then C(!**/*.go)). So the files that Docker would take are linked into a folder
of their own. Source of truth: github.com/moby/patternmatcher (C(MatchesOrParentMatches)) and its ignorefile.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import typing as t
from pathlib import Path


class Pattern(t.NamedTuple):
    """A line of an ignore file. C(back): it takes files back that an earlier line excluded."""

    expression: re.Pattern[str]
    back: bool


def read_patterns(text: str) -> list[Pattern]:
    """Read an ignore file."""
    found = []
    for line in text.lstrip("\ufeff").splitlines():
        # a comment begins in the first column
        pattern = "" if line.startswith("#") else line.strip()
        back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern:
            continue
        pattern = posixpath.normpath(pattern).lstrip("/")
        if pattern and pattern != ".":
            found.append(Pattern(re.compile(expression(pattern)), back))
    return found


def expression(pattern: str) -> str:
    """Return the regular expression of a pattern: C(*) and C(?) stay in a folder, C(**) is any number of folders."""
    found, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*" and pattern[at : at + 1] == "*":
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            found += ".*" if at == len(pattern) else "(.*/)?"
        elif character == "*":
            found += "[^/]*"
        elif character == "?":
            found += "[^/]"
        elif character == "[" and "]" in pattern[at:]:
            end = pattern.index("]", at)
            found += f"[{pattern[at:end]}]"
            at = end + 1
        elif character == "\\" and at < len(pattern):
            found += re.escape(pattern[at])
            at += 1
        else:
            found += re.escape(character)
    return rf"\A{found}\Z"


def is_ignored(path: str, patterns: t.Iterable[Pattern]) -> bool:
    """Whether Docker leaves a file out: the last pattern decides that matches it or a folder that it is in."""
    parts = path.split("/")
    names = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
    ignored = False
    for pattern in patterns:
        if pattern.back == ignored and any(pattern.expression.match(name) for name in names):
            ignored = not pattern.back
    return ignored


def takes_back(patterns: t.Iterable[Pattern]) -> bool:
    """Whether files are excluded with their folder and taken back: where podman differs from Docker."""
    return any(pattern.back for pattern in patterns)


def stage(source: Path, target: Path, patterns: t.Sequence[Pattern]) -> None:
    """Link what Docker would take of C(source) into the new folder C(target)."""
    for folder, names, files in os.walk(source):
        below = Path(folder).relative_to(source)
        for name in [*files, *(item for item in names if Path(folder, item).is_symlink())]:
            path = (below / name).as_posix()
            if is_ignored(path, patterns):
                continue
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(Path(folder, name), place)
        for name in names:
            inside = below / name
            if not is_ignored(inside.as_posix(), patterns) and not Path(folder, name).is_symlink():
                (target / inside).mkdir(parents=True, exist_ok=True)


def _link(source: Path, place: Path) -> None:
    if source.is_symlink():
        place.symlink_to(source.readlink())
        return
    try:
        os.link(source, place)
    except OSError:  # another file system, or not this user's file
        shutil.copy2(source, place)
