# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the parts of the test suite took: the last time of each in last.json, every run in history.jsonl."""

from __future__ import annotations

import datetime
import json
import os
import typing as t
from pathlib import Path

LAST, HISTORY = "last.json", "history.jsonl"


class Part(t.NamedTuple):
    """One part of a run: how long it took, and its checks."""

    seconds: float
    passed: int
    failed: int


def read(folder: Path) -> dict[str, float]:
    """Seconds by part of the run before; none where there was none, or where it cannot be read."""
    try:
        return {name: float(part["seconds"]) for name, part in json.loads((folder / LAST).read_text())["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep(folder: Path, parts: t.Mapping[str, Part], total: float, load: float, *, everything: bool) -> None:
    """Write down how long each part took: the last time of each in LAST, every run in HISTORY."""
    measured = {name: {**part._asdict(), "seconds": round(part.seconds, 1)} for name, part in parts.items()}
    now = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "load_before": round(load, 1),
        "everything": everything,
        "seconds": round(total, 1),
        "parts": measured,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / HISTORY).open("a", encoding="utf-8") as history:
        history.write(f"{json.dumps(now)}\n")
    last = folder / LAST
    try:
        before = json.loads(last.read_text())["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        before = {}
    # parts that were not run this time keep their last time
    last.write_text(json.dumps({**now, "parts": {**before, **measured}}, indent=1))
