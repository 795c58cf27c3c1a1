# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for the terminal."""

from __future__ import annotations

import json
import os
import re
import sys
import typing as t

EVIDENCE_LINES = 20
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f]")


def plain(text: str) -> str:
    """Remove terminal control sequences from text of others."""
    return CONTROL.sub("", text)


def duration(seconds: float) -> str:
    """Format a duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def as_lines(value: t.Any) -> list[str]:
    """Turn the message of a task (text, lines, or data) into lines without JSON quoting."""
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return [line for item in value for line in as_lines(str(item))]
    return json.dumps(value, indent=2, ensure_ascii=False, default=str, sort_keys=True).splitlines()


def quoted(lines: t.Any) -> list[str]:
    """The last quoted lines, indented to set them off from our own text."""
    kept = [plain(str(line).rstrip()) for line in ([lines] if isinstance(lines, str) else lines)]
    return [f"      | {line}" for line in kept[-EVIDENCE_LINES:]]


def named_lines(name: str, value: t.Any) -> list[str]:
    """C(name: value), the value below its name where it takes several lines."""
    lines = as_lines(value)
    return [f"{name}: {lines[0]}"] if len(lines) == 1 else [f"{name}:", *(f"  {line}" for line in lines)]


def short_path(path: str) -> str:
    """A C(file:line), relative to the current folder if that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) else path


def is_utf8() -> bool:
    """Return whether the terminal can show block characters."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
