# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: a process that reads its arguments and prints its result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from go_programs import Go
from live_programs import build, running

ROOT = Path(__file__).resolve().parents[4]
MODULE = "ansible_collections.kubernaut.coverage.plugins.modules.coverage_snapshot"


def environment(progress: Path | None = None) -> dict[str, str]:
    """The environment of a module."""
    shown = {} if progress is None else {"KUBERNAUT_COVERAGE_PROGRESS": str(progress)}
    return {**os.environ, "PYTHONPATH": str(ROOT / ".ansible" / "collections"), **shown}


def arguments(folder: Path, *, check: bool = False, **options: t.Any) -> str:
    """What Ansible gives to a module."""
    common = {"output": str(folder / "output"), "_ansible_check_mode": check, "_ansible_remote_tmp": str(folder)}
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**common, **options}})


def call(folder: Path, **options: t.Any) -> dict[str, t.Any]:
    """Run the module and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=arguments(folder, **options),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def test_a_process_is_read_and_written(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program:
        program.ask("work hello")
        result = call(tmp_path, pid=program.pid)
    assert result["changed"]
    (process,) = result["processes"]
    assert (process["state"], process["pid"], process["go_version"][:2]) == ("read", program.pid, "go")
    assert (result["percent"], result["mode"]) == (process["percent"], "atomic")
    assert 0 < result["covered"] < result["statements"]
    assert result["build_id"].count("/") == 3
    assert result["seconds"] > 0
    printed = go.covdata("percent", [tmp_path / "output"]).decode()
    assert "example.com/live/work" in printed
    assert result["report"][0] == (
        f"{result['percent']:.1f} % of statements ({result['covered']} of {result['statements']}), 1 process"
    )


def test_check_mode_reads_and_writes_nothing(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program:
        predicted = call(tmp_path, pid=program.pid, check=True)
        assert not (tmp_path / "output").exists()
        real = call(tmp_path, pid=program.pid)
    assert predicted["changed"]
    assert predicted["percent"] == real["percent"]
    assert predicted["processes"][0]["covmeta"] == ""


def test_a_process_that_cannot_be_read_fails_with_a_verdict(tmp_path: Path) -> None:
    result = call(tmp_path, pid=os.getpid())
    assert result["failed"]
    assert result["verdict"]["cause"] == "not-go"
    assert "Traceback" not in json.dumps(result)


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    assert "mutually exclusive" in call(tmp_path, pid=1, namespace="shop", kubeconfig="/nowhere")["msg"]
    assert "one of the following is required" in call(tmp_path)["msg"]
    assert call(tmp_path, namespace="shop", kubeconfig="/nowhere")["verdict"]["cause"] == "no-kubeconfig"


def test_it_watches_until_the_process_ends(go: Go, tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    os.mkfifo(progress)
    with (
        running(build(go, "atomic")) as program,
        subprocess.Popen(
            [sys.executable, "-m", MODULE],
            env=environment(progress),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as module,
    ):
        assert module.stdin is not None
        assert module.stdout is not None
        module.stdin.write(arguments(tmp_path, pid=program.pid, watch=1))
        module.stdin.close()
        # each line is written by an open of its own, which waits for a reader
        first = progress.read_text(encoding="utf-8")
        program.ask("work hello")
        second = progress.read_text(encoding="utf-8")
        while "new:" not in second:
            second = progress.read_text(encoding="utf-8")
        program.kill()
        reader = os.open(progress, os.O_RDWR)  # from here on no open waits
        result = json.loads(module.stdout.read())
        os.close(reader)
    assert "new:" not in first
    assert second.endswith("new: example.com/live/work\n")
    assert result["percent"] > 0
    assert result["processes"][0]["state"] == "ended"
