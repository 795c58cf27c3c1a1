# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a preflight on the screen: whole or only problems, never wider than it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


def lines(home: Path, *, show: str = "all", program: str = "sh", columns: int = 100) -> list[str]:
    """What the playbook prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KUBERNAUT_"))}
    done = subprocess.run(
        [
            *[PLAYBOOK, "-i", "localhost,", "-c", "local", "-e", f"show={show} program={program}"],
            ROOT / "tests" / "fixtures" / "journey" / "findings.yml",
        ],
        env={
            **clean,
            "COLUMNS": str(columns),
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(home),
            "ANSIBLE_HOME": str(home / "ansible"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (0 if program == "sh" else 2), done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_table_fits_the_screen(tmp_path: Path, columns: int) -> None:
    printed = lines(tmp_path, columns=columns)
    table = printed[printed.index(next(line for line in printed if line.startswith("  Preflight: 1 warning"))) :]
    table = table[: table.index("")]
    assert max(map(len, table)) <= columns
    assert any(line.split()[:2] == ["tests", "ok"] for line in table)
    # longer than a line of the narrow screen
    assert len(table) > (14 if columns == 80 else 12)


def test_a_journey_shows_the_problems_and_the_counts_of_all(tmp_path: Path) -> None:
    printed = "\n".join(lines(tmp_path, show="problems"))
    assert "Preflight: 1 warning, " in printed
    assert "service-account  warning  workload.objects[0]: Deployment a needs ServiceAccount" in printed
    assert "tests" not in printed.partition("service-account")[0].partition("Preflight:")[2]


def test_after_an_error_everything_is_shown_and_nothing_twice(tmp_path: Path) -> None:
    printed = "\n".join(lines(tmp_path, show="problems", program="ginkgo-of-nobody"))
    assert "Preflight: 1 error, 1 warning, " in printed
    assert "workload         ok       Deployment a, container a" in printed
    assert "also: " not in printed
    assert "Cause: tests-command-missing" in printed
