# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether SIGTERM reaches a program; the shells of this host are asked whether the library knows them."""

from __future__ import annotations

import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build import process as lib

EXEC = '#!/bin/sh\nset -e\nmkdir -p /data\nexec /svc "$@"\n'
NO_EXEC = '#!/usr/bin/env bash\nset -e\n/svc "$@"\n'
TRAP = "#!/bin/bash\ntrap 'kill -TERM $child' TERM INT\n/svc & child=$!\nwait $child\n"
FILES = {
    "/exec.sh": EXEC,
    "/no-exec.sh": NO_EXEC,
    "/trap.sh": TRAP,
    "/only-redirects.sh": "#!/bin/sh\nexec 2>&1\n/svc\n",
}


def look(*words: str, sh: str = "") -> t.Optional[lib.Start]:
    return lib.lost_sigterm(words, FILES.get, sh)


@pytest.mark.parametrize(
    "words",
    [
        ["/svc", "--flag"],
        ["/sbin/tini", "--", "/svc"],
        ["dumb-init", "/svc"],
        ["/exec.sh"],
        ["tini", "-s", "--", "/exec.sh", "serve"],
        ["/bin/sh", "-c", "exec /svc --flag"],
        ["/bin/bash", "-ec", 'mkdir -p /x && exec /svc "$0"'],
        ["sh", "/exec.sh"],
        ["/unknown-file"],
        ["python3", "-m", "svc"],
        [],
    ],
)
def test_sigterm_arrives_or_nothing_is_known(words: list[str]) -> None:
    assert look(*words) is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["/bin/sh", "-c", "/svc --flag"], "'/svc --flag'"),
        (["sh", "-c", "mkdir /x && /svc"], "it does not forward SIGTERM"),
        (["/no-exec.sh"], "/no-exec.sh"),
        (["/only-redirects.sh"], "/only-redirects.sh"),
        (["bash", "/no-exec.sh"], "without 'exec'"),
        (["tini", "--", "sh", "-c", "/svc; true"], "it does not forward SIGTERM"),
        (["busybox", "sh", "-c", "/svc & wait"], "it does not forward SIGTERM"),
    ],
)
def test_sigterm_is_lost(words: list[str], says: str) -> None:
    found = look(*words)
    assert found is not None and found.certain
    assert says in found.text
    assert "exec" in found.remedy


def test_what_depends_on_the_shell_is_not_certain() -> None:
    assert look("/bin/sh", "-c", "/svc", sh="bash") == look("/bin/bash", "-c", "/svc")
    for sh, certain in (("bash", False), ("busybox", False), ("dash", True), ("", True)):
        found = look("/bin/sh", "-c", "/svc", sh=sh)
        assert found is not None and found.certain == certain, sh


def test_a_trap_may_pass_it_on() -> None:
    found = look("/trap.sh")
    assert found is not None and not found.certain
    assert "trap" in found.text


def children_of(pid: int) -> list[str]:
    """The processes that a process has started, and that still run."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("script", ["sleep 30", "exec sleep 30", "true && exec sleep 30"])
def test_shells_do_what_is_believed_of_them(shell: str, script: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    process = subprocess.Popen([shell, "-c", script])
    try:
        name, children, deadline = "", [], time.monotonic() + 120
        believed = lib.lost_sigterm([shell, "-c", script], FILES.get)
        wanted = "sleep" if believed is None or not believed.certain else shell
        # a shell that stays has a child; one that gave its place away has the other's name
        while not (children or name == "sleep") and time.monotonic() < deadline:
            name = Path(f"/proc/{process.pid}/comm").read_text(encoding="ascii").strip()
            children = children_of(process.pid)
            time.sleep(0.02)
        assert name == wanted
    finally:
        children = children_of(process.pid)
        process.kill()
        process.wait()
        subprocess.run(["kill", *children], check=False) if children else None
