# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of real programs, held against the files that the programs write themselves."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import read_counters
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.elf import read_elf
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import LiveError, ProcessEnded
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.files import write_snapshot
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.memory import Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.rtcov import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import (
    Reader,
    Snapshot,
    find_build,
    read_snapshot,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.take import READ, sum_up, take
from go_programs import Go
from live_programs import Running, build, build_tests, running

COUNTED = ("set", "count", "atomic", "stripped", "pie", "no-build-id")
ATOMIC = ("atomic", "stripped", "no-build-id")


def snapshot_of(program: Running, reader: Reader | None = None) -> Snapshot:
    with Process(program.pid) as process:
        return (reader or Reader()).read(process)


def same_counters(snapshot: Snapshot, file: Path) -> bool:
    """Whether a snapshot has the counters and arguments of a file, function by function, in the same order."""
    written = read_counters(file.read_bytes()).segments[0]
    return written.arguments == snapshot.segment.arguments and all(
        np.array_equal(getattr(written, part), getattr(snapshot.segment, part))
        for part in ("package", "function", "lengths", "counters")
    )


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


# ---- equal to what Go writes ----


@pytest.mark.parametrize("kind", COUNTED)
def test_covmeta_and_counters_are_those_that_the_program_writes(go: Go, tmp_path: Path, kind: str) -> None:
    own, ours = tmp_path / "own", tmp_path / "ours"
    with running(build(go, kind), "-a", "word with blanks", coverage=own) as program:
        program.ask("work hello")
        program.ask("work")
        # the last line that it reads counts too, so it is given before the snapshot and acts on nothing
        snapshot = snapshot_of(program)
        program.say("exit")
        program.process.wait()
    meta = only(own, "covmeta.*")
    assert snapshot.build.covmeta == meta.read_bytes()
    assert meta.name == f"covmeta.{snapshot.build.digest.hex()}"
    write_snapshot(snapshot, str(ours))
    # between the snapshot and the end, the program ran the loop's body once more, and the case of the exit
    last = read_counters(only(own, "covcounters.*").read_bytes()).segments[0]
    assert last.arguments == snapshot.segment.arguments
    assert np.array_equal(last.function, snapshot.segment.function)
    difference = last.counters.astype(np.int64) - snapshot.segment.counters
    assert difference.min() == 0
    assert difference.max() == 1
    assert difference.sum() == (1 if snapshot.build.mode == "set" else 2)


@pytest.mark.parametrize("kind", ATOMIC)
def test_counters_are_those_of_write_counters_dir(go: Go, tmp_path: Path, kind: str) -> None:
    with running(build(go, kind), coverage=tmp_path) as program:
        program.ask("work hello")
        # what it counts for the line itself is counted before it writes
        assert program.ask(f"write {tmp_path}") == "<nil>"
        snapshot = snapshot_of(program)
        assert same_counters(snapshot, only(tmp_path, "covcounters.*"))
        assert snapshot.copies == 2


@pytest.mark.parametrize("kind", ATOMIC)
def test_go_prints_the_same_profile_of_both(go: Go, tmp_path: Path, kind: str) -> None:
    own, ours = tmp_path / "own", tmp_path / "ours"
    with running(build(go, kind), coverage=own) as program:
        program.ask(f"write {own}")
        write_snapshot(snapshot_of(program), str(ours))
    assert go.textfmt([ours], tmp_path / "ours.txt") == go.textfmt([own], tmp_path / "own.txt")
    assert go.covdata("percent", [ours]) == go.covdata("percent", [own])


def test_gocoverdir_is_not_needed(go: Go, tmp_path: Path) -> None:
    with running(build(go, "set"), coverage=tmp_path) as program:
        expected = snapshot_of(program)
    with running(build(go, "set")) as program:
        snapshot = snapshot_of(program)
    assert snapshot.build.covmeta == expected.build.covmeta == only(tmp_path, "covmeta.*").read_bytes()


def test_a_program_whose_main_is_not_instrumented_writes_nothing_and_is_read(go: Go, tmp_path: Path) -> None:
    with running(build(go, "without-main"), coverage=tmp_path) as program:
        program.ask("work hello")
        snapshot = snapshot_of(program)
        program.say("exit")
        program.process.wait()
    assert list(tmp_path.iterdir()) == []
    assert snapshot.reached_packages() == ["example.com/live/work"]
    assert 0 < snapshot.covered < snapshot.statements


def test_counters_that_were_cleared_are_left_out_as_go_leaves_them_out(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic"), coverage=tmp_path) as program:
        program.ask("work hello")
        assert program.ask("clear") == "<nil>"
        program.ask(f"write {tmp_path}")
        assert same_counters(snapshot_of(program), only(tmp_path, "covcounters.*"))


def test_a_test_binary_is_read_while_its_tests_run(go: Go, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with running(build_tests(go), f"-test.gocoverdir={own}") as program:
        snapshot = snapshot_of(program)
        program.say("")
        program.process.wait()
    assert snapshot.build.covmeta == only(own, "covmeta.*").read_bytes()
    written = read_counters(only(own, "covcounters.*").read_bytes()).segments[0]
    assert np.array_equal(written.function, snapshot.segment.function)
    assert np.array_equal(written.counters, snapshot.segment.counters)


# ---- again, and of other processes of the build ----


def test_a_later_snapshot_has_what_ran_since(go: Go) -> None:
    reader = Reader()
    with running(build(go, "atomic")) as program:
        first = snapshot_of(program, reader)
        program.ask("work hello")
        second = snapshot_of(program, reader)
    assert second.build is first.build
    assert second.covered > first.covered
    assert "example.com/live/work" not in first.reached_packages()
    assert "example.com/live/work" in second.reached_packages()


@pytest.mark.parametrize("kind", ["atomic", "pie", "no-build-id"])
def test_what_is_known_of_a_build_serves_its_other_processes(go: Go, kind: str) -> None:
    reader = Reader()
    with running(build(go, kind)) as busy, running(build(go, kind)) as idle:
        busy.ask("work hello")
        seen = snapshot_of(busy, reader)
        again = snapshot_of(idle, reader)
        fresh = snapshot_of(idle)
    assert again.build is seen.build
    assert np.array_equal(again.counts, fresh.counts)
    assert again.covered < seen.covered


def test_a_binary_that_was_replaced_on_disk_is_read_as_it_runs(go: Go, tmp_path: Path) -> None:
    copy = tmp_path / "program"
    shutil.copy2(build(go, "atomic"), copy)
    with running(copy) as program:
        copy.unlink()
        copy.write_bytes(b"another file")
        assert snapshot_of(program).covered > 0


# ---- while it ends ----


def test_a_process_that_ended_is_an_outcome(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program, Process(program.pid) as process:
        program.kill()
        with pytest.raises(ProcessEnded):
            Reader().read(process)


def test_a_process_that_ends_within_a_snapshot_is_an_outcome(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(build(go, "atomic")) as program, Process(program.pid) as process:
        monkeypatch.setattr(Program, "read_list", lambda *_arguments: program.kill() or b"")  # type: ignore[func-returns-value]
        with pytest.raises((ProcessEnded, LiveError)) as caught:
            Reader().read(process)
        assert caught.type is ProcessEnded or t.cast(LiveError, caught.value).cause == "starting"


def test_a_program_that_another_takes_the_place_of_has_ended(go: Go) -> None:
    with running(build(go, "atomic")) as program, Process(program.pid) as process:
        assert program.ask("exec") == "replaced"
        with pytest.raises(ProcessEnded):
            Reader().read(process)
        with pytest.raises(LiveError, match="not a Go program"):
            snapshot_of(program)


# ---- torn copies ----


class Changing:
    """The memory of a process, in which each copy of the counters is what C(change) makes of it."""

    def __init__(self, process: Process, change: t.Callable[[int, np.ndarray], None]) -> None:
        self.process, self.change, self.copies = process, change, 0
        self.counters = (0, 0)

    def read(self, address: int, size: int) -> bytes:
        data = self.process.read(address, size)
        if (address, size) != self.counters:
            return data
        self.copies += 1
        words = np.frombuffer(data, dtype=np.uint32).copy()
        self.change(self.copies, words)
        return words.tobytes()


def read_changing(program: Running, change: t.Callable[[int, np.ndarray], None]) -> tuple[Snapshot, Snapshot]:
    """A snapshot whose copies are changed, and an undisturbed one."""
    undisturbed = snapshot_of(program)
    with Process(program.pid) as process:
        memory = Changing(process, change)
        changed = Program(memory, read_elf(process.executable), process.base)
        known = find_build(changed)
        begin, end = known.places.counters
        memory.counters = (begin + changed.bias, end - begin)
        return read_snapshot(changed, known, process.command_line(), process.own_pid()), undisturbed


@pytest.mark.parametrize("missing", [(0,), (0, 1), (0, 1, 2), (1,), (2,), (1, 2)])
def test_a_head_that_was_being_written_is_read_again(go: Go, missing: tuple[int, ...]) -> None:
    """A copy goes from low to high addresses: counters can be in it whose head was not there yet."""

    with running(build(go, "atomic")) as program:
        program.ask("work hello")
        heads = snapshot_of(program).build.heads
        assert len(heads)
        for head in heads.tolist():

            def change(copy: int, words: np.ndarray, head: int = head) -> None:
                if copy == 1:
                    words[head + np.asarray(missing)] = 0

            snapshot, undisturbed = read_changing(program, change)
            assert np.array_equal(snapshot.counts, undisturbed.counts)
            # the number of a package's first function is 0 anyway
            first = missing == (2,) and int(undisturbed.segment.function[heads == head][0]) == 0
            assert snapshot.copies == (2 if first else 4)


def test_a_copy_that_never_fits_is_an_error(go: Go) -> None:
    def change(_copy: int, words: np.ndarray) -> None:
        words[np.flatnonzero(words)[0]] += 1

    with running(build(go, "atomic")) as program, pytest.raises(LiveError, match="counters changed") as caught:
        read_changing(program, change)
    assert caught.value.cause == "unsettled"


# ---- files ----


def test_a_later_snapshot_takes_the_place_of_an_earlier_one(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program:
        first = take(Reader(), program.pid, str(tmp_path))
        program.ask("work hello")
        second = take(Reader(), program.pid, str(tmp_path))
    assert first.state == second.state == READ
    assert only(tmp_path, "covcounters.*") == Path(second.covcounters)
    assert sum_up(str(tmp_path))["percent"] == second.percent


def test_snapshots_of_several_processes_stay(go: Go, tmp_path: Path) -> None:
    reader = Reader()
    for _number in range(2):
        with running(build(go, "atomic")) as program:
            taken = take(reader, program.pid, str(tmp_path))
    assert len(list(tmp_path.glob("covcounters.*"))) == 2
    summary = sum_up(str(tmp_path))
    assert summary["programs"][0]["process_runs"] == 2
    assert summary["covered"] == taken.covered


def test_counters_that_were_cleared_since_stay(go: Go, tmp_path: Path) -> None:
    with running(build(go, "atomic")) as program:
        program.ask("work hello")
        take(Reader(), program.pid, str(tmp_path))
        program.ask("clear")
        take(Reader(), program.pid, str(tmp_path))
    assert len(list(tmp_path.glob("covcounters.*"))) == 2
