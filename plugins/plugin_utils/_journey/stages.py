# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages of a playbook: the roles of its plays, and their seconds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

BAR_WIDTH = 30
# words of role names with a special spelling
SPELLING = {"e2e": "E2E", "api": "API", "crd": "CRD", "crds": "CRDs", "html": "HTML"}


@dataclass
class Stage:
    """A role, or the tasks of a play without a role; it may be entered more than once."""

    name: str
    role: str
    seconds: float = 0.0
    tasks: int = 0
    changed: int = 0
    failed: int = 0
    # of the current entry: its start, and what was shown and done in it
    entered: float = 0.0
    header_shown: bool = False
    ever_shown: bool = False
    worked: bool = False
    changed_here: int = 0
    failed_here: int = 0
    subtitle: str = ""

    def as_data(self) -> dict[str, t.Any]:
        """Its entry in the stages file."""
        return {
            "name": self.name,
            "role": self.role,
            "seconds": round(self.seconds, 3),
            "tasks": self.tasks,
            "changed": self.changed,
            "failed": self.failed,
        }


def readable(role: str) -> str:
    """Turn a role's name into a title: C(ns.col.kind_cluster) is C(Kind cluster)."""
    words = role.rpartition(".")[2].replace("-", "_").split("_")
    words = [SPELLING.get(word.lower(), word) for word in words if word]
    title = " ".join(words)
    return title[:1].upper() + title[1:]


def stage_table(stages: t.Sequence[Stage], total: float, *, utf8: bool) -> list[str]:
    """The seconds by stage as lines with bars, the slowest marked; empty if there was only one stage."""
    stages = [stage for stage in stages if stage.seconds >= 0.05]
    if len(stages) < 2:
        return []
    slowest = max(stages, key=lambda stage: stage.seconds)
    width = max(len("Seconds by stage"), *(len(stage.name) for stage in stages))
    lines = ["", "Seconds by stage"]
    for stage in stages:
        blocks = ("█" if utf8 else "#") * max(1, round(BAR_WIDTH * stage.seconds / slowest.seconds))
        mark = "  slowest" if stage is slowest else ""
        lines.append(f"  {stage.name:<{width}}  {stage.seconds:>7.1f}  {blocks}{mark}")
    return [*lines, f"  {'in all':<{width}}  {total:>7.1f}"]
