# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tool that writes what a run of the fault library has measured into docs/faults.md."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import fault_table as lib
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = {"date": "2026-01-02", "cpus": 2, "load": 0.5, "at_once": 5, "seconds": 300.4}
LIBRARY: dict[str, dict[str, t.Any]] = {
    "a": {"description": "A is wrong.", "expect": {"cause": "x"}},
    "b": {"description": "B is wrong.", "expect": {"cause": "y"}},
    "c": {"description": "C takes long.", "expect": {"cause": "z", "why_slow": "only time tells"}},
    "h": {"description": "H is odd.", "expect": {}},
}


def row(name: str, stage: str, cause: str, seconds: t.Optional[float], *problems: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "stage": stage,
        "verdict": {"cause": cause},
        "seconds": seconds,
        "rollout": "300 s (computed)",
        "problems": list(problems),
    }


ROWS = [
    row("a", "gate", "x", 2.0),
    row("b", "gate", "x", 6.0, "cause x instead of y"),
    row("c", "gate", "z", 20.0),
    row("h", "healthy", "", None),
]


def test_nothing_is_rounded_up_and_nothing_left_out() -> None:
    text = lib.page(ROWS, RUN, LIBRARY)
    assert "2 of 3 faults diagnosed correctly; 0 false alarms in 1 healthy workloads" in text
    assert "Of those that are not inherently slow, 1 of 2 within 5 s" in text
    assert "Over 5 s: `b`." in text
    assert "| B is wrong. | `x`; **wrong**: cause x instead of y | 6.0 |" in text
    assert "| `c` | 20.0 | only time tells |" in text
    assert "| H is odd. | none |" in text


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    text = f"before {lib.BEGIN} old {lib.END} after"
    new = lib.put_in(text, "new")
    assert new == f"before {lib.BEGIN}\n\nnew\n\n{lib.END} after"
    assert lib.put_in(new, "new") == new
    with pytest.raises(ValueError, match="has no"):
        lib.put_in("nothing", "new")


def test_a_run_of_some_faults_does_not_become_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.json").write_text(json.dumps(ROWS))
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "page.md").write_text("untouched")
    assert lib.main([f"--results={tmp_path}", f"--page={tmp_path / 'page.md'}"]) == 1
    assert "were not injected" in capsys.readouterr().out
    assert (tmp_path / "page.md").read_text() == "untouched"


def test_the_page_has_every_fault_of_the_library() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    descriptions = [
        re.sub(r"\s+", " ", content["description"])
        for content in (lib.yaml.safe_load(path.read_text()) for path in lib.LIBRARY.glob("*/fault.yml"))
        if not content.get("slow")
    ]
    assert len(descriptions) >= 70
    assert [item for item in descriptions if item not in text] == []
