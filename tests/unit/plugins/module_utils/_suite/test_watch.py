# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes of a cluster are read: real ones of this host, whose containers are given."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.processes import Container
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite import watch
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.pods import Seen
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import Journal, Record

ID = "a" * 64
PROGRAM = """package main

import "time"

func main() { time.Sleep(time.Minute) }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that counts."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "main.go").write_text(PROGRAM)
    (folder / "go.mod").write_text("module example.com/waits\n")
    subprocess.run(["go", "build", "-cover", "-o", "waits", "."], cwd=folder, check=True)
    return folder / "waits"


def test_a_script_that_becomes_a_program_is_read_from_then_on(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, journal = Record(), Journal(str(tmp_path))
    watcher = watch.Watcher(
        watch.Watched("c", "", str(tmp_path / "data"), record, journal, Podman(), lambda _found, _stands: None)
    )
    seen = Seen("shop", "shop-1", "", "node", "shop", "main", main=True, image="shop:1", id=ID, running=True)
    script = ["sh", "-c", 'read -r word; exec "$0"', str(program)]
    with subprocess.Popen(script, stdin=subprocess.PIPE, text=True) as process:
        found = {process.pid: Container(ID, "shop", "shop-1", "main", "node")}
        # this host has no cgroup of a container for the test
        monkeypatch.setattr(watch, "pids_of", lambda _containers: found)
        watcher._read_processes({ID: seen})
        assert not record.runs
        t.cast("t.IO[str]", process.stdin).write("go on\n")
        t.cast("t.IO[str]", process.stdin).close()
        for _waited in poll(0.1, timeout=30):
            watcher._read_processes({ID: seen})
            if record.runs:
                break
        process.kill()
    assert [(run.component, run.home) for run in record.runs.values()] == [("shop", True)]
