# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same digits as Go's own tools: on real programs, both run side by side."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import Component, read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import matches
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.textual import (
    function_text,
    percent_text,
    text_profile,
)
from go_programs import MODES, Go, live, live_until

LIVES = (["area"], ["largest", "text"], ["many", "many"], ["generated"], ["text"])
REQUESTS = (("/get", "/status/418", "/uuid"), ("/headers", "/base64/aGVsbG8=", "/gzip"), ("/html", "/delay/0", "/get"))


def read(root: Path) -> Component:
    (component,) = read_collection(str(root), "program")
    return component


def ends_lines(percent: bytes) -> str:
    """What Go's percent means: it does not end the line of a package without statements."""
    lines: list[str] = []
    for line in percent.decode().splitlines():
        fields = line.split("\t")
        while len(fields) > 4:
            lines.append(f"\t{fields[1]}\t\tcoverage: [no statements]")
            fields = fields[3:]
        lines.append("\t".join(fields) if fields[3] else f"\t{fields[1]}\t\tcoverage: [no statements]")
    return "".join(f"{line}\n" for line in lines)


def compare(go: Go, folders: t.Sequence[Path], component: Component, tmp_path: Path, pattern: str = "") -> None:
    """Hold the three texts against Go's."""
    more = (f"-pkg={pattern}",) if pattern else ()
    profile = make_profile(component.programs, component.mode)
    if pattern:
        profile = profile.select(matches(pattern, [package.path for package in profile.packages]))
    assert text_profile(profile).encode() == go.textfmt(folders, tmp_path / "go.txt", *more)
    assert function_text(profile) == go.covdata("func", folders, *more).decode()
    assert percent_text(profile) == ends_lines(go.covdata("percent", folders, *more))
    assert "total:\t" not in function_text(profile)


@pytest.fixture(scope="module", params=MODES)
def program_data(request: pytest.FixtureRequest, go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five lives of the fixture program in three pods."""
    root = tmp_path_factory.mktemp(f"lives-{request.param}")
    for number, arguments in enumerate(LIVES):
        live(go.program(request.param), root / "program" / f"pod-{number % 3}", *arguments)
    return root


def test_the_program(go: Go, program_data: Path, tmp_path: Path) -> None:
    folders = sorted((program_data / "program").iterdir())
    component = read(program_data)
    assert component.lives() == len(LIVES)
    assert component.problems == []
    compare(go, folders, component, tmp_path)


@pytest.mark.parametrize(
    "pattern", ["example.com/program/internal/...", "example.com/program/internal/shapes", ".../text", "none/..."]
)
def test_a_package_pattern(go: Go, program_data: Path, tmp_path: Path, pattern: str) -> None:
    folders = sorted((program_data / "program").iterdir())
    component = read(program_data)
    profile = make_profile(component.programs, component.mode)
    profile = profile.select(matches(pattern, [package.path for package in profile.packages]))
    assert text_profile(profile).encode() == go.textfmt(folders, tmp_path / "go.txt", f"-pkg={pattern}")
    assert percent_text(profile) == ends_lines(go.covdata("percent", folders, f"-pkg={pattern}"))
    assert function_text(profile) == go.covdata("func", folders, f"-pkg={pattern}").decode()


def test_go_reads_what_was_merged(go: Go, program_data: Path, tmp_path: Path) -> None:
    folders = sorted((program_data / "program").iterdir())
    merged = tmp_path / "merged"
    merged.mkdir()
    for name, content in merged_files(read(program_data).programs).items():
        (merged / name).write_bytes(content)
    assert len(list(merged.iterdir())) == 2
    assert go.textfmt([merged], tmp_path / "merged.txt") == go.textfmt(folders, tmp_path / "all.txt")
    assert go.covdata("percent", [merged]) == go.covdata("percent", folders)


def test_what_go_merged_is_read(go: Go, program_data: Path, tmp_path: Path) -> None:
    folders = sorted((program_data / "program").iterdir())
    merged = tmp_path / "merged"
    merged.mkdir()
    go.covdata("merge", folders, f"-o={merged}")
    compare(go, folders, read(merged), tmp_path)


def test_two_programs_of_one_component(go: Go, program_data: Path, tmp_path: Path) -> None:
    """A second program from the same sources with fewer packages: Go combines them by package, and so does this."""
    mode = read(program_data).mode
    other = go.once(
        f"program-{mode}-few",
        lambda path: go.build(
            path,
            "-cover",
            f"-covermode={mode}",
            "-coverpkg=./cmd/...,./internal/shapes",
            "./cmd/program",
            cwd=Path(__file__).resolve().parents[4] / "fixtures" / "covdata" / "program",
        ),
    )
    root = tmp_path / "data"
    shutil.copytree(program_data, root)
    live(other, root / "program" / "pod-x", "area", "text")
    component = read(root)
    assert len(component.programs) == 2
    compare(go, sorted((root / "program").iterdir()), component, tmp_path)


def test_ends_that_write_counters_and_ends_that_do_not(go: Go, tmp_path: Path) -> None:
    """SIGTERM with a handler and os.Exit write counters; a panic and SIGKILL leave only the covmeta."""
    program = go.program("atomic")
    folder = tmp_path / "program"
    assert live_until(program, folder / "term", "waiting", signal.SIGTERM) == 0
    assert live_until(program, folder / "kill", "waiting", signal.SIGKILL) == -signal.SIGKILL
    live(program, folder / "panic", "panic", status=2)
    live(program, folder / "exit", "no such name", status=2)
    component = read(tmp_path)
    assert component.lives() == 2
    assert {name for name, pod in component.pods.items() if not pod.counters} == {"kill", "panic"}
    assert [problem.kind for problem in component.problems] == ["meta-without-counters"] * 2
    compare(go, sorted(folder.iterdir()), component, tmp_path)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def serve(program: Path, folder: Path, paths: t.Sequence[str]) -> None:
    """Start go-httpbin, ask it for some paths, and end it by SIGTERM."""
    folder.mkdir(parents=True)
    port = free_port()
    process = subprocess.Popen(
        [program, "-host", "127.0.0.1", "-port", str(port)],
        env={**os.environ, "GOCOVERDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for path in paths:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                    answer.read()
            except urllib.error.HTTPError as error:
                error.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def test_go_httpbin(go: Go, tmp_path: Path) -> None:
    program = go.httpbin()
    root = tmp_path / "data"
    for number, paths in enumerate(REQUESTS):
        serve(program, root / "go-httpbin" / f"pod-{number}", paths)
    component = read(root)
    assert component.lives() == len(REQUESTS)
    assert component.problems == []
    folders = sorted((root / "go-httpbin").iterdir())
    compare(go, folders, component, tmp_path)
    compare(go, folders, component, tmp_path, "github.com/mccutchen/go-httpbin/v2/httpbin/...")
    covered, statements = make_profile(component.programs, component.mode).totals()
    assert 0 < covered < statements
