# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at nodes: the very scripts that run there, run here; and what they print, read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import copy, processes

PRINTED = """\
container abc
Name:\tsh
Pid:\t100
PPid:\t90
Uid:\t65532\t65532\t65532\t65532
Gid:\t65532\t65532\t65532\t65532
Groups:\t2000 3000
SigIgn:\t0000000000000000
SigCgt:\t0000000000000002
executable /bin/busybox
command sh -c /program --token=hunter2
instrumented no
folder /coverdata
mode 1777 0 0
mount rw,relatime /coverdata /coverdata/run/program/pod
container abc
Name:\tprogram
Pid:\t101
PPid:\t100
Uid:\t0\t0\t0\t0
Gid:\t0\t0\t0\t0
Groups:\t
SigIgn:\t0000000000004000
SigCgt:\tfffffffd7fc1beff
executable /program
command /program
instrumented yes
folder /cover data
mode
mount ro,relatime / /
file covmeta.1
file covcounters.1.1.1
container def
executable
command
instrumented no
folder
"""


def test_what_the_node_says_of_processes() -> None:
    found = processes.parsed(PRINTED)
    assert list(found) == ["abc"], "a process that was gone already is left out"
    shell, program = found["abc"]
    assert (shell.first, program.first) == (True, False)
    assert (shell.user, shell.groups) == (65532, [2000, 3000, 65532])
    assert (shell.handles, shell.ignores, program.handles, program.ignores) == (False, False, False, True)
    assert (shell.instrumented, program.instrumented) == (False, True)
    assert "hunter2" not in shell.command
    assert (program.folder, program.mode, program.mount) == ("/cover data", "", "ro,relatime / /")
    assert program.files == ["covcounters.1.1.1", "covmeta.1"]


def test_the_look_at_processes_finds_this_one(tmp_path: Path) -> None:
    (tmp_path / "covmeta.1").touch()
    (tmp_path / "other").touch()
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)", "a line\nand another"],
        env={**os.environ, "GOCOVERDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        # an id that is in the path of no cgroup here: the script is given the child's own instead
        script = processes.LOOK.replace("/proc/[0-9]*/cgroup", f"/proc/{child.pid}/cgroup").replace(
            'grep -lF -e "$id"', 'grep -l -e "."'
        )
        answer = subprocess.run(
            ["sh", "-c", script, "look", "sys.executable", "abc"], capture_output=True, text=True, check=True
        )
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    (found,) = processes.parsed(answer.stdout)["abc"]
    assert found.first
    assert found.user == os.getuid()
    assert found.command.endswith("a line and another")
    assert (found.handles, found.ignores) == (False, False)
    assert found.folder == str(tmp_path)
    assert found.files == ["covmeta.1"]
    mode, owner, group = found.mode.split()
    assert (int(mode, 8), int(owner), int(group)) == (
        tmp_path.stat().st_mode & 0o7777,
        tmp_path.stat().st_uid,
        tmp_path.stat().st_gid,
    )
    options, point, _source = found.mount.split()
    assert options.split(",")[0] in ("rw", "ro")
    assert str(tmp_path).startswith(point)


def test_the_survey_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pod a").mkdir()
    (tmp_path / "pod a" / "covmeta.1").write_bytes(b"12345")
    (tmp_path / "in-no-pod").touch()
    answer = subprocess.run(
        ["sh", "-c", copy.SURVEY, "survey", str(tmp_path)], capture_output=True, text=True, check=True
    )
    seen = copy.parsed(answer.stdout)
    (name,) = seen.files
    assert (name, seen.files[name].size) == ("pod a/covmeta.1", 5)
    assert abs(seen.files[name].changed - (tmp_path / "pod a" / "covmeta.1").stat().st_mtime) < 0.001
    there = os.statvfs(tmp_path)
    assert seen.disk is not None
    assert seen.disk.size == there.f_blocks * there.f_frsize
    assert (seen.disk.files, seen.disk.free_files <= seen.disk.files) == (there.f_files, True)


def test_the_survey_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    answer = subprocess.run(
        ["sh", "-c", copy.SURVEY, "survey", str(tmp_path / "nowhere")], capture_output=True, text=True, check=True
    )
    assert copy.parsed(answer.stdout) == copy.Survey({}, None)
