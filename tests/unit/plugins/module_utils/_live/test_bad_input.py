# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be read says so in one sentence, with the remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.elf import read_elf
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import LiveError, ProcessEnded
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.memory import Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.processes import (
    Container,
    pids_of,
    running_containers,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.rtcov import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import Reader
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.take import ENDED, READ, take, take_all
from go_programs import Go
from live_programs import build, running

NOBODY = 65534
FIRST, SECOND = "a" * 64, "b" * 64


def refused(pid: int, folder: Path, proc: str = "/proc") -> CoverageError:
    """The error of a snapshot of that process."""
    with pytest.raises(CoverageError) as caught:
        take(Reader(), pid, str(folder / "output"), proc=proc)
    assert not (folder / "output").exists()
    assert caught.value.remedy
    assert "\n" not in caught.value.message
    return caught.value


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_no_such_process(tmp_path: Path) -> None:
    error = refused(ended_pid(), tmp_path)
    assert error.cause == "no-such-process"
    assert error.message.startswith("No process on this host has the id ")


def test_a_host_without_proc(tmp_path: Path) -> None:
    assert refused(1, tmp_path, proc=str(tmp_path / "nothing")).cause == "no-proc"


def test_a_thread_of_the_kernel(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / "77"
    folder.mkdir(parents=True)
    (tmp_path / "proc" / "self").mkdir()
    (folder / "cmdline").write_bytes(b"")
    (folder / "status").write_text("Name:\tkthreadd\nState:\tS (sleeping)\n", encoding="ascii")
    assert refused(77, tmp_path, proc=str(tmp_path / "proc")).cause == "kernel-thread"


def test_not_a_go_program(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        error = refused(process.pid, tmp_path)
        process.kill()
    assert error.cause == "not-go"
    assert error.message.startswith(f"Process {process.pid} (python")


def test_a_go_program_without_coverage(go: Go, tmp_path: Path) -> None:
    with running(build(go, "plain")) as program:
        error = refused(program.pid, tmp_path)
    assert error.cause == "not-instrumented"
    assert "go build -cover" in error.remedy


def test_a_program_that_was_packed(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "packed"
    data = bytearray(build(go, "stripped").read_bytes())
    # where UPX puts its mark; the padding behind the headers is not used
    data[0xF00:0xF04] = b"UPX!"
    packed.write_bytes(data)
    packed.chmod(0o755)
    monkeypatch.setattr(Program, "build_info", lambda _self: ("", ""))  # its data are compressed
    with running(packed) as program:
        assert refused(program.pid, tmp_path).cause == "packed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_process_of_another_user(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program:
        os.seteuid(NOBODY)
        try:
            with pytest.raises(LiveError) as caught:
                take(Reader(), program.pid, str(tmp_path))
        finally:
            os.seteuid(0)
    error = caught.value
    assert error.cause == "no-permission"
    assert error.setting == "become"
    assert f"this is user {NOBODY}" in error.evidence
    assert "the process is of user 0" in error.evidence


def test_a_program_that_has_not_begun(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PIE that is not relocated yet has no module data, and all that starts as zeros is zeros."""
    monkeypatch.setattr(Program, "find_places", lambda _self: None)
    monkeypatch.setattr(Program, "has_begun", lambda _self: False)
    with running(build(go, "pie")) as program:
        assert refused(program.pid, tmp_path).cause == "starting"


def test_a_program_whose_packages_are_not_all_registered(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Program.read_packages
    monkeypatch.setattr(Program, "read_packages", lambda self, data: (whole(self, data) or [])[:-1])
    with running(build(go, "atomic")) as program:
        assert refused(program.pid, tmp_path).cause == "starting"


def test_a_runtime_whose_layout_is_unknown(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "find_places", lambda _self: None)
    with running(build(go, "atomic")) as program:
        error = refused(program.pid, tmp_path)
    assert error.cause == "unknown-layout"
    assert "go1." in error.message


def test_a_process_that_has_ended_and_is_not_awaited_yet(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program:
        program.say("exit")
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        taken = take(Reader(), program.pid, str(tmp_path))
    assert taken.state == ENDED
    assert taken.sentence


def test_a_folder_that_cannot_be_written_to(go: Go, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with running(build(go, "atomic")) as program, pytest.raises(InputError) as caught:
        take(Reader(), program.pid, str(file))
    assert caught.value.cause == "output-not-writable"


@pytest.mark.parametrize("size", [0, 3, 40, 70])
def test_a_file_that_is_no_program(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes((b"\x7fELF\x02\x01\x01" + bytes(80))[:size])
    descriptor = os.open(file, os.O_RDONLY)
    try:
        with pytest.raises(LiveError) as caught:
            read_elf(descriptor)
    finally:
        os.close(descriptor)
    assert caught.value.cause == "not-elf"


def test_a_program_without_section_headers_is_read(go: Go, tmp_path: Path) -> None:
    copy = tmp_path / "bare"
    shutil.copy2(build(go, "stripped"), copy)
    with copy.open("r+b") as file:
        file.seek(40)
        file.write(bytes(8))  # e_shoff
        file.seek(60)
        file.write(bytes(4))  # e_shnum, e_shstrndx
    with running(copy) as program:
        assert take(Reader(), program.pid, str(tmp_path / "output")).state == READ


def test_the_memory_of_an_ended_process_is_empty(go: Go) -> None:
    with running(build(go, "atomic")) as program, Process(program.pid) as process:
        assert process.read(process.base, 4)
        program.kill()
        with pytest.raises(ProcessEnded):
            process.read(process.base, 4)


# ---- pods ----


class Api:
    """The answers of an API server, by path."""

    def __init__(self, **answers: list[dict[str, t.Any]]) -> None:
        self.answers = answers

    def list(self, path: str, **_selectors: str) -> list[dict[str, t.Any]]:
        return self.answers.get(path.rpartition("/")[2], [])


def pod(name: str, owner: tuple[str, str, str] | None = None, identity: str = FIRST) -> dict[str, t.Any]:
    """A pod that runs; its owner as kind, name and uid."""
    owners = [dict(zip(("kind", "name", "uid"), owner, strict=True))] if owner else []
    return {
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"nodeName": "node"},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "main", "containerID": f"containerd://{identity}", "state": {"running": {}}},
                {"name": "waits", "state": {"waiting": {}}},
            ],
        },
    }


def test_containers_of_a_workload_are_found_by_their_owners() -> None:
    replica_set = {"metadata": {"uid": "7", "ownerReferences": [{"kind": "Deployment", "name": "orders", "uid": "1"}]}}
    api: t.Any = Api(
        pods=[pod("orders-1", ("ReplicaSet", "orders-x", "7")), pod("other", ("StatefulSet", "orders", "2"), SECOND)],
        replicasets=[replica_set],
    )
    assert running_containers(api, "shop", "Deployment", "orders") == [
        Container(FIRST, "shop", "orders-1", "main", "node")
    ]
    assert [found.pod for found in running_containers(api, "shop", "StatefulSet", "orders")] == ["other"]
    assert [found.pod for found in running_containers(api, "shop", "Pod", "other")] == ["other"]
    assert len(running_containers(api, "shop")) == 2


def test_a_workload_without_pods() -> None:
    api: t.Any = Api()
    with pytest.raises(InputError, match="it has no pods") as caught:
        running_containers(api, "shop", "Deployment", "orders")
    assert caught.value.cause == "no-pods"


def cgroup(proc: Path, pid: int, path: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cgroup").write_text(f"0::{path}\n", encoding="ascii")
    (proc / str(pid) / "comm").write_text("orders\n", encoding="ascii")


def test_processes_are_found_by_the_id_in_their_cgroup(tmp_path: Path) -> None:
    nested = "/machine.slice/libpod-{}.scope/kubelet.slice/pod/cri-containerd-{}.scope"
    cgroup(tmp_path, 12, nested.format("c" * 64, FIRST))
    cgroup(tmp_path, 11, nested.format("c" * 64, FIRST))
    cgroup(tmp_path, 13, nested.format("c" * 64, "d" * 64))
    (tmp_path / "14").mkdir()
    cgroup(tmp_path, 15, nested.format("c" * 64, FIRST))
    (tmp_path / "15" / "comm").write_text("runc:[2:INIT]\n", encoding="ascii")
    container = Container(FIRST, "shop", "orders-1", "main", "node")
    assert list(pids_of([container], str(tmp_path)).items()) == [(11, container), (12, container)]


def test_containers_that_are_not_on_this_host(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are not processes of this host") as caught:
        pids_of([Container(FIRST, "shop", "orders-1", "main", "node")], str(tmp_path))
    assert caught.value.cause == "no-processes"
    assert caught.value.evidence == ["shop/orders-1 main"]


def test_what_is_not_instrumented_is_listed_beside_what_is_read(go: Go, tmp_path: Path) -> None:
    orders, sidecar = (
        Container(identity, "shop", "orders-1", name, "node") for identity, name in ((FIRST, "main"), (SECOND, "proxy"))
    )
    with running(build(go, "atomic")) as program, running(build(go, "plain")) as plain:
        found = take_all(Reader(), {program.pid: orders, plain.pid: sidecar}, str(tmp_path))
        with pytest.raises(LiveError) as caught:
            take_all(Reader(), {plain.pid: sidecar}, str(tmp_path))
    assert [taken.state for taken in found] == [READ, "not-instrumented"]
    assert Path(found[0].covmeta).parent == tmp_path / "orders-1" / f"main-{FIRST[:12]}"
    assert caught.value.cause == "nothing-read"
    assert len(caught.value.evidence) == 1
