# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entrypoint of our Redis image does what the registry's image documents; behind is a server that records."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).resolve().parents[3] / "roles" / "service_dependencies" / "files" / "database_servers"
OPEN = ["--protected-mode", "no"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\nfor word in "$0" "$@"; do echo "${word##*/}"; done\n')
    server.chmod(0o755)
    (tmp_path / "closed.conf").write_text("port 1\n  Protected-Mode yes\n")
    (tmp_path / "plain.conf").write_text("# protected-mode yes\nport 1\n")
    return tmp_path


def started(folder: Path, *argv: str) -> list[str]:
    """What the entrypoint becomes."""
    return subprocess.run(
        ["sh", str(RECIPE / "redis-entrypoint"), *argv],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
    ).stdout.splitlines()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["redis-server"], ["redis-server", *OPEN]),
        (["redis-server", "--save", ""], ["redis-server", *OPEN, "--save", ""]),
        (["--requirepass", "a b"], ["redis-server", *OPEN, "--requirepass", "a b"]),
        # of two the server takes the last
        (["--protected-mode", "yes"], ["redis-server", *OPEN, "--protected-mode", "yes"]),
        (["plain.conf"], ["redis-server", "plain.conf", *OPEN]),
        (["redis-server", "plain.conf", "--port", "2"], ["redis-server", "plain.conf", *OPEN, "--port", "2"]),
        (["closed.conf", "--port", "2"], ["redis-server", "closed.conf", "--port", "2"]),
        (["echo", "redis-server"], ["redis-server"]),
    ],
)
def test_what_the_entrypoint_starts(folder: Path, given: list[str], expected: list[str]) -> None:
    assert started(folder, *given) == expected
