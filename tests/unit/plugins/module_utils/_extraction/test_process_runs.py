# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process runs and what became of them, over pods and files recorded when real programs were stopped."""

from __future__ import annotations

import json
import typing as t

import endings as known
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils import _extraction as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import (
    ProcessRun,
    known_process_runs,
    written,
)

SOURCE = lib.Source("Deployment", "demo", "program", "program", "program", ("node",), "/coverdata/run/program")
DIGEST = "0123456789abcdef0123456789abcdef"


def recorded(name: str) -> lib.Ending:
    return lib.Ending.from_dict(json.loads((known.RECORDED / f"{name}.json").read_text(encoding="utf-8")))


def only(name: str) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """The only pod of a recording, and its container's status."""
    (pod,) = recorded(name).pods
    (status,) = pod["status"]["containerStatuses"]
    return pod, status


def test_a_container_that_waits_for_its_next_start_has_not_begun_another_process_run() -> None:
    pod, status = only("one-life-panicked")
    assert status["restartCount"] == 1
    status["lastState"], status["state"] = status["state"], {"waiting": {"reason": "CrashLoopBackOff"}}
    (item,) = lib.process_runs_of(SOURCE, [pod], [])
    assert item.process_runs == 1
    assert item.exit_codes == [0]


def test_a_container_that_never_started_had_no_process_run() -> None:
    pod, _status = only("returns")
    status = {"name": "program", "state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 0}
    pod["status"]["containerStatuses"] = [status]
    (item,) = lib.process_runs_of(SOURCE, [pod], [])
    assert (item.process_runs, item.exit_codes, item.reason) == (0, [], "")
    del pod["status"]["containerStatuses"]
    assert lib.process_runs_of(SOURCE, [pod], []) == [item]


def test_a_running_container_has_a_process_run_whose_end_was_not_seen() -> None:
    pod, status = only("returns")
    status["state"] = {"running": {"startedAt": status["state"]["terminated"]["startedAt"]}}
    (item,) = lib.process_runs_of(SOURCE, [pod], [])
    assert (item.process_runs, item.exit_codes) == (1, [])


def test_other_containers_have_no_process_runs_of_ours() -> None:
    pod, _status = only("returns")
    before = lib.process_runs_of(SOURCE, [pod], [])
    pod["status"]["containerStatuses"].append({"name": "proxy", "restartCount": 9, "state": {"running": {}}})
    assert lib.process_runs_of(SOURCE, [pod], []) == before


def test_a_pod_that_the_gate_saw_and_that_is_gone_is_counted() -> None:
    ending = recorded("returns")
    gone = {"pod": "program-gone", "node": "node-2", "restarts": 2}
    found = lib.process_runs_of(SOURCE, ending.pods, [*ending.expected, gone])
    lib.count_files(found, ending.files)
    assert [item.lost for item in found] == [0, 3]
    assert (found[1].pod, found[1].node) == ("program-gone", "node-2")
    assert "replaced" in found[1].reason


def test_a_pod_of_the_same_name_is_another_pod() -> None:
    pod, _status = only("returns")
    name = pod["metadata"]["name"]
    before = {"pod": name, "uid": "another", "node": "n", "restarts": 0}
    found = lib.process_runs_of(SOURCE, [pod], [before])
    assert [item.uid for item in found] == [pod["metadata"]["uid"], "another"]
    files = [f"{name}/covmeta.a", f"{name}/covcounters.a.1.1"]
    lib.count_files(found, files)
    assert [item.lost for item in found] == [0, 1]
    lib.count_files(found, [*files, f"{name}/covcounters.a.1.2"])
    assert [item.lost for item in found] == [0, 0]
    assert len(lib.process_runs_of(SOURCE, [pod], [{**before, "uid": pod["metadata"]["uid"]}])) == 1
    assert len(lib.process_runs_of(SOURCE, [pod], [{"pod": name}])) == 1


def test_a_pod_that_is_gone_is_not_lost_when_its_files_came_home() -> None:
    found = lib.process_runs_of(SOURCE, [], [{"pod": "a"}])
    lib.count_files(found, ["a/covmeta.1", "a/covcounters.1.1.1"])
    assert (found[0].metas, found[0].counters, found[0].lost) == (1, 1, 0)


def test_files_are_those_of_their_pod_alone() -> None:
    found = [lib.PodProcessRuns("c", name, "n", "c", process_runs=1) for name in ("web-1", "web-10", "web")]
    names = [
        "web-1/covmeta.a",
        "web-10/covmeta.a",
        "web-10/covcounters.a.1.1",
        "web/tmp.covmeta.a1",
        # of another container of that pod
        "web-1/proxy/covmeta.b",
        "web-1/proxy/covcounters.b.1.1",
    ]
    lib.count_files(found, names)
    assert [(item.metas, item.counters) for item in found] == [(1, 0), (1, 1), (0, 0)]


@pytest.mark.parametrize(("lived", "came", "lost"), [(1, 1, 0), (3, 1, 2), (1, 2, 0), (0, 0, 0)])
def test_lost_is_never_less_than_nothing(lived: int, came: int, lost: int) -> None:
    assert lib.PodProcessRuns("c", "p", "n", "c", process_runs=lived, counters=came).lost == lost


# ---- single process runs ----


def test_when_counters_were_written_is_in_their_name() -> None:
    assert written(f"pod/covcounters.{DIGEST}.1.1732389000500000000") == 1732389000.5
    assert written(f"covmeta.{DIGEST}") == 0
    assert written(f"tmp.covcounters.{DIGEST}.1.1732389000500000000") == 0
    assert written("covcounters.x") == 0


@pytest.mark.parametrize(("when", "mine"), [(99.0, False), (100.0, True), (109.9, True), (111.9, True), (113.0, False)])
def test_a_file_is_of_the_process_run_in_which_it_was_written(when: float, mine: bool) -> None:
    name = f"covcounters.{DIGEST}.1.{round(when * 1e9)}"
    assert ProcessRun(last=True, started=100, ended=110).wrote([name]) is mine
    assert ProcessRun(last=True, started=100).wrote([name]) is (when >= 100)


def test_both_process_runs_that_kubernetes_remembers() -> None:
    ending = recorded("one-life-panicked")
    (pod,) = ending.pods
    first, last = known_process_runs(ending, pod["metadata"]["name"])
    assert (first.code, first.last, last.code, last.last) == (2, False, 0, True)
    assert "panic: told to panic once" in first.log
    assert "told to end" in last.log
    assert first.ended <= last.started <= last.asked <= last.ended
    # only the last one got SIGTERM
    assert (first.asked, first.grace, last.grace) == (0, 0, 30)


@pytest.mark.parametrize("name", ["takes-too-long", "ignores-sigterm", "takes-three-seconds"])
def test_how_long_the_end_took_is_measured(name: str) -> None:
    ending = recorded(name)
    (pod,) = ending.pods
    (process_run,) = known_process_runs(ending, pod["metadata"]["name"])
    wanted = 3 if name == "takes-three-seconds" else 2
    assert wanted - 1 <= process_run.ended - process_run.asked <= wanted + 1.5
