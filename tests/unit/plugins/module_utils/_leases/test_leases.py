# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases, taken by real processes that end, are killed and wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases import owner as owners
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import (
    CLUSTER,
    FILE,
    IMAGE,
    USE,
    WORKLOAD,
    LeaseError,
    Leases,
    Resource,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner, this_run

GATEWAY = Resource(WORKLOAD, "e2e/shop/Deployment/gateway")
# a run: takes what it is told, says so, and ends with its input
RUN = """
import json, sys
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import Leases, Resource
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import this_run
import os
from dataclasses import replace
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import start_of
owner = replace(this_run(sys.argv[2], "httpbin"), pid=os.getpid(), started=start_of(os.getpid()))
leases = Leases(sys.argv[1])
leases.take(owner, [Resource(*item) for item in json.loads(sys.argv[3])], wait=120)
print("held", flush=True)
sys.stdin.read()
leases.release(owner)
"""

# other processes find the collection where this one does
PATHS = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
Start = t.Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> t.Iterator[Start]:
    """Start a run that takes resources; all are killed in the end."""
    started: list[subprocess.Popen[str]] = []

    def start_one(run: str, *resources: Resource) -> subprocess.Popen[str]:
        wanted = json.dumps([[item.kind, item.name, item.shared] for item in resources])
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path), run, wanted],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=PATHS,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def held(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "held\n"


def until(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_run_waits_and_is_told_for_whom(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = tmp_path / "progress"
    monkeypatch.setenv("KUBERNAUT_COVERAGE_PROGRESS", str(progress))
    first = start("one", GATEWAY)
    assert held(first)

    def end_first() -> None:
        until(progress.exists)
        assert first.stdin is not None
        first.stdin.close()

    threading.Thread(target=end_first).start()
    Leases(tmp_path).take(this_run("two"), [GATEWAY], wait=120)
    said = progress.read_text()
    assert f"waiting: run one of httpbin (process {first.pid} of " in said
    assert "has held workload e2e/shop/Deployment/gateway since " in said
    assert [lease.owner.run for lease in Leases(tmp_path).all()] == ["two"]


def test_those_who_wait_get_it_in_order(start: Start, tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    first = start("0", GATEWAY)
    assert held(first)
    waiting = []
    for number in range(1, 4):
        waiting.append(start(str(number), GATEWAY))
        until(lambda wanted=number: sum(bool(lease.waiter) for lease in leases.all()) == wanted)  # type: ignore[misc]
    for before, after in zip([first, *waiting[:-1]], waiting, strict=True):
        assert before.stdin is not None
        before.stdin.close()
        assert held(after)
        runs = [lease.owner.run for lease in leases.held()]
        assert runs == [str(waiting.index(after) + 1)]


@pytest.mark.parametrize("waits", [False, True], ids=["held", "waited for"])
def test_a_killed_run_leaves_nothing_in_the_way(start: Start, tmp_path: Path, waits: bool) -> None:
    leases = Leases(tmp_path)
    first = start("one", GATEWAY)
    assert held(first)
    if waits:
        second = start("two", GATEWAY)
        until(lambda: len(leases.all()) == 2)
        second.kill()
        second.wait()
    first.kill()
    first.wait()
    leases.take(this_run("three"), [GATEWAY], wait=0)
    assert [lease.owner.run for lease in leases.all()] == ["three"]


def test_what_is_shared_is_had_by_several_and_by_nobody_alone(start: Start, tmp_path: Path) -> None:
    shared = Resource(CLUSTER, "e2e", shared=True)
    first, second = start("one", shared), start("two", shared)
    assert held(first)
    assert held(second)
    me = this_run("three")
    with pytest.raises(LeaseError) as caught:
        Leases(tmp_path).take(me, [Resource(CLUSTER, "e2e")], wait=0)
    assert caught.value.cause == "leased-elsewhere"
    assert "run one of httpbin" in " ".join(caught.value.evidence)
    assert "run two of httpbin" in " ".join(caught.value.evidence)
    assert Leases(tmp_path).held(but_of=me) == Leases(tmp_path).all()
    Leases(tmp_path).take(me, [Resource(CLUSTER, "another")], wait=0)


def test_all_or_nothing(start: Start, tmp_path: Path) -> None:
    """A run that waits for one of its workloads does not keep another one from others: no two wait for each other."""
    first = start("one", GATEWAY)
    assert held(first)
    database = Resource(WORKLOAD, "e2e/shop/Deployment/database")
    with pytest.raises(LeaseError):
        Leases(tmp_path).take(this_run("two"), [database, GATEWAY], wait=0)
    Leases(tmp_path).take(this_run("three"), [database], wait=0)


def test_an_owner_may_take_again_and_alone_what_it_shares(tmp_path: Path) -> None:
    leases, me, other = Leases(tmp_path), this_run("one", "a"), this_run("two", "b")
    shared = [Resource(CLUSTER, "e2e", shared=True), Resource(IMAGE, "httpbin", shared=True)]
    leases.take(me, shared, wait=0)
    leases.take(me, shared, wait=0)
    assert len(leases.all()) == 2
    with leases.exclusively(me, shared[:1], wait=0), pytest.raises(LeaseError):
        leases.take(other, shared, wait=0)
    leases.take(other, shared, wait=0)
    assert leases.release(me)
    assert not leases.release(me)
    assert {lease.owner.run for lease in leases.all()} == {"two"}


def test_only_some_kinds_are_given_back(tmp_path: Path) -> None:
    leases, me = Leases(tmp_path), this_run("one")
    leases.take(me, [Resource(CLUSTER, "e2e", shared=True), Resource(USE, "e2e", shared=True), GATEWAY], wait=0)
    assert leases.release(me, (USE, WORKLOAD))
    assert [lease.resource.kind for lease in leases.all()] == [CLUSTER]


@pytest.mark.parametrize(
    ("changes", "age", "gone"),
    [
        ({}, 0, False),
        ({"started": 1}, 0, True),  # another process has its number now
        ({"boot": "another"}, 0, True),
        ({"pid": 2**22 + 1}, 0, True),
        ({"host": "elsewhere"}, 0, False),
        ({"host": "elsewhere"}, owners.FOREIGN_LIMIT + 1, True),
    ],
)
def test_when_an_owner_is_gone(changes: dict[str, t.Any], age: float, gone: bool) -> None:
    assert replace(this_run(), **changes).gone(time.time() - age) is gone


def test_an_owner_is_read_back_as_it_was() -> None:
    me = this_run("one", "httpbin")
    assert Owner.of(json.loads(json.dumps(me.fields()))) == me
    with pytest.raises(InputError):
        Owner.of({"host": "x"})


def test_a_damaged_file_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"version": 99}')
    with pytest.raises(CoverageError, match=r"leases\.json cannot be read: version 99"):
        Leases(tmp_path).all()


def test_the_owner_is_the_playbook_and_not_its_worker(tmp_path: Path) -> None:
    """A program called ansible-playbook forks a worker, which starts a module: the program is the owner."""
    playbook = tmp_path / "ansible-playbook"
    playbook.write_text(
        "import os, subprocess, sys\n"
        "print(os.getpid(), flush=True)\n"
        "if os.fork() == 0:\n"
        "    code = 'from ansible_collections.kubernaut.coverage.plugins.module_utils._leases import owner;'"
        " 'print(owner.this_run().pid)'\n"
        "    subprocess.run(['/bin/sh', '-c', f'{sys.executable} -c \"{code}\" && :'])\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    answer = subprocess.run([sys.executable, str(playbook)], capture_output=True, text=True, check=True, env=PATHS)
    program, found = answer.stdout.split()
    assert found == program
