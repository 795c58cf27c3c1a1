# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate, over recorded observations in place of a cluster."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import ENVIRONMENT_VARIABLE
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KubernetesError
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    BLANK,
    Observation,
    condition,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing

TARGET = lib.Target(kind="Deployment", namespace="demo", name="program", container="program")
NOBODY: t.Any = None


def moments(name: str) -> list[Observation]:
    """All that was recorded of a situation, in its order."""
    found = [
        Observation.from_dict(json.loads(path.read_text()))
        for path in situations.RECORDED.glob("*.json")
        if path.name.split(".")[0] == name
    ]
    return sorted(found, key=lambda seen: seen.waited)


def long_ago(name: str) -> list[Observation]:
    """The same, some seconds later."""
    return [situations.later(seen) for seen in moments(name)]


class Replay:
    """Gives the gate one recorded look after the other, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: t.Sequence[Observation]) -> None:
        self.looks, self.asked = list(looks), list[bool]()
        monkeypatch.setattr(lib, "observe", self)
        monkeypatch.setattr(lib, "POLL", 0.001)

    def __call__(self, *_where: t.Any, waited: float, logs: bool = False) -> Observation:
        self.asked.append(logs)
        assert len(self.asked) < 100, "it looks for ever"
        seen = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        seen.waited = max(seen.waited, waited)
        return seen


@pytest.mark.parametrize("name", sorted(situations.FINE))
def test_a_workload_that_becomes_ready_is_waited_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = moments(name)
    replay = Replay(monkeypatch, looks)
    seen = lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert seen is looks[-1]
    assert len(replay.asked) == len(looks)
    assert not any(replay.asked)


# without a word in its log, an end is looked at twice
SILENT = "exits-without-a-word"


@pytest.mark.parametrize("name", sorted({name for name, it in situations.NEVER.items() if it.terminal} - {SILENT}))
def test_a_workload_that_never_will_be_ready_is_told_after_a_second_look(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Replay(monkeypatch, long_ago(name))
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert replay.asked == [False, True]
    assert caught.value.cause == situations.NEVER[name].cause
    assert caught.value.seen.name == situations.NEVER[name].name


def test_what_cures_itself_at_the_second_look_is_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(monkeypatch, [*long_ago("secret-missing"), *moments("at-once")])
    assert lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000).rolled_out
    assert replay.asked[:2] == [False, True]


def dependency_down() -> Observation:
    """A program that runs, and has said that nothing answers where it needs something."""
    return Observation.from_dict(json.loads((situations.FAULTS / "dependency-not-ready.json").read_text()))


def test_a_program_that_runs_and_cannot_reach_what_it_needs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may try again, and may do without: however often it says so, only the end of the time ends the wait."""
    ending = dependency_down()
    Replay(monkeypatch, [*[ending] * 20, *moments("at-once")])
    assert lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000).rolled_out


def test_and_it_is_the_likeliest_cause_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    Replay(monkeypatch, [dependency_down()])
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 0.1)
    assert caught.value.cause == "dependency-down"


def test_an_end_without_a_word_is_told_when_none_came_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "SETTLING", 0.02)
    replay = Replay(monkeypatch, moments(SILENT))
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert caught.value.cause == situations.NEVER[SILENT].cause
    assert replay.asked.count(True) > 1


def test_a_word_that_came_late_names_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    (silent,) = moments(SILENT)
    late = copy.deepcopy(silent)
    late.logs = {f"{pod['metadata']['name']}/program": "exec /start: exec format error" for pod in late.pods}
    Replay(monkeypatch, [silent, silent, late])
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert caught.value.cause == "wrong-architecture"


def test_a_log_that_may_not_be_read_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    (silent,) = moments(SILENT)
    silent.unseen = [f"log of {pod['metadata']['name']}/program: forbidden" for pod in silent.pods]
    replay = Replay(monkeypatch, [silent])
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert "may not read it" in caught.value.remedy
    assert replay.asked == [False, True]


def test_when_the_time_is_over_the_likeliest_cause_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(monkeypatch, moments("probe-port-wrong"))
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 0.1)
    assert caught.value.cause == "probe-fails"
    assert replay.asked == [False, True]


def test_ready_at_the_very_last_look_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    Replay(monkeypatch, [moments("slow")[0], moments("at-once")[-1]])
    assert lib.is_ready(lib.wait_until_ready(NOBODY, NOBODY, TARGET, 0.1))


def test_progress_says_what_is_missing_and_each_thing_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "progress"))
    first, *_others, last = moments("slowly")
    Replay(monkeypatch, [first, first, first, last])
    lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    lines = (tmp_path / "progress").read_text().splitlines()
    assert [line.rpartition("\t")[2] for line in lines] == [missing(first)]


def test_ready_is_rolled_out_and_counting_and_answering() -> None:
    seen = moments("at-once")[-1]
    (pod,) = seen.ready_pods
    assert lib.is_ready(seen)
    seen.coverage = {pod["metadata"]["name"]: ["covcounters.x"], "another": ["covmeta.x"]}
    assert not lib.is_ready(seen)
    seen.coverage_watched = False
    assert lib.is_ready(seen)
    seen.url = "http://127.0.0.1:1"
    assert not lib.is_ready(seen)
    seen.url_ready = True
    assert lib.is_ready(seen)


def test_no_secret_is_in_the_message_or_its_evidence() -> None:
    verdict = Diagnosis("crash", "It ends: bad password=hush", ["postgres://u:hush@db/x refused"], "Mend it.", "x")
    error = lib.NotReady(verdict, moments("slow")[0])
    assert "hush" not in json.dumps(error.result())
    assert error.evidence == [f"postgres://u:{BLANK}@db/x refused"]


def test_evidence_is_written_whole_and_can_be_replayed(tmp_path: Path) -> None:
    seen = moments("secret-missing")[0]
    path = Path(lib.save_evidence(seen, str(tmp_path / "new" / "evidence")))
    assert path.name == lib.EVIDENCE_FILE
    assert Observation.from_dict(json.loads(path.read_text())) == seen
    assert [item.name for item in path.parent.iterdir()] == [lib.EVIDENCE_FILE]


@pytest.mark.parametrize(
    ("name", "restarts"), [("at-once", [0]), ("after-one-restart", [1]), ("three-replicas", [0] * 3)]
)
def test_the_process_runs_of_ready_pods(name: str, restarts: list[int]) -> None:
    seen = moments(name)[-1]
    process_runs = lib.pod_process_runs(seen)
    assert [process_run["restarts"] for process_run in process_runs] == restarts
    assert all(
        process_run["ready"] and process_run["uid"] and process_run["node"] == "units-rec-worker"
        for process_run in process_runs
    )
    assert sorted(process_run["pod"] for process_run in process_runs) == sorted(seen.coverage)


def test_restarts_are_those_of_the_instrumented_container() -> None:
    seen = moments("after-one-restart")[-1]
    seen.container = "another"
    assert [process_run["restarts"] for process_run in lib.pod_process_runs(seen)] == [0]


# what is remembered from one look to the next


def test_a_program_that_no_probe_watches_has_to_live_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = moments("at-once")[-1]
    del ready.pods[0]["spec"]["containers"][0]["readinessProbe"]
    monkeypatch.setattr(lib, "STEADY", 0.05)
    replay = Replay(monkeypatch, [ready])
    assert lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000) is ready
    assert len(replay.asked) > 2


def test_and_one_that_ends_meanwhile_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    ready, crash = moments("at-once")[-1], moments("exits-with-a-word")[0]
    del ready.pods[0]["spec"]["containers"][0]["readinessProbe"]
    Replay(monkeypatch, [ready, ready, crash])
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert caught.value.cause == "config-file-missing"


def test_who_asks_for_no_pod_is_not_ready() -> None:
    seen = moments("at-once")[-1]
    assert seen.workload is not None
    seen.pods, seen.workload["spec"]["replicas"] = [], 0
    seen.workload["status"].update(replicas=0, updatedReplicas=0, availableReplicas=0)
    assert seen.rolled_out
    assert not lib.is_ready(seen)


class Busy(Replay):
    """A cluster that does not answer so many times."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, looks: t.Sequence[Observation], errors: list[Exception]
    ) -> None:
        super().__init__(monkeypatch, looks)
        self.errors = errors

    def __call__(self, *where: t.Any, waited: float, logs: bool = False) -> Observation:
        if self.errors:
            raise self.errors.pop(0)
        return super().__call__(*where, waited=waited, logs=logs)


def test_an_api_server_that_is_busy_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = [
        KubernetesError("etcd", status=500),
        KubernetesError("slow down", status=429),
        KubernetesError("no answer", cause="cluster-unreachable"),
    ]
    Busy(monkeypatch, moments("at-once")[-1:], errors)
    assert lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000).rolled_out


@pytest.mark.parametrize(
    ("error", "patience"),
    [
        (KubernetesError("not yours", status=403), 20.0),
        (KubernetesError("gone", cause="cluster-unreachable"), -1.0),
    ],
)
def test_one_that_refuses_or_stays_away_ends_the_wait(
    error: KubernetesError, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lib, "BUSY", patience)
    Busy(monkeypatch, moments("at-once")[-1:], [error])
    with pytest.raises(KubernetesError):
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)


def test_a_full_look_is_taken_now_and_then_while_a_pod_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    starting, ready = moments("slowly")[-2], moments("slowly")[-1]
    starting.waited = lib.SETTLING
    monkeypatch.setattr(lib, "FULL_LOOK", 0.0)
    replay = Replay(monkeypatch, [starting, starting, ready])
    wait = lib._Wait(NOBODY, NOBODY, TARGET, 60)
    wait.last_full = 0.0
    assert wait.may_be_more(starting)
    assert not wait.may_be_more(ready)
    assert replay.asked == []


def test_what_a_port_answered_once_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = copy.deepcopy(moments("slow")[0]), copy.deepcopy(moments("slow")[0])
    answer = {"pod": "p", "container": "c", "port": 80, "path": "/", "status": 200, "error": "", "seconds": 2.0}
    first.answers, second.answers = [answer], [{**answer, "status": 0}]
    Replay(monkeypatch, [first, second])
    wait = lib._Wait(NOBODY, NOBODY, TARGET, 60)
    wait.look(logs=True)
    again = wait.look(logs=True)
    assert again is not None
    assert answer in again.answers


def test_what_else_was_seen_is_in_the_result() -> None:
    also = Diagnosis("config-map-missing", "There is no ConfigMap password=hush.")
    verdict = Diagnosis("crash", "It ends.", [], "Mend it.", "x", [also])
    result = lib.NotReady(verdict, moments("slow")[0]).result()
    assert [item["cause"] for item in result["verdict"]["also"]] == ["config-map-missing"]
    assert "Also: There is no ConfigMap" in result["msg"]
    assert "hush" not in json.dumps(result)


def test_a_startup_probe_is_proposed_from_the_slowest_start() -> None:
    seen = moments("slowly")[-1]
    (pod,) = seen.pods
    pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = "2026-11-23T17:00:00Z"
    condition(pod, "Ready")["lastTransitionTime"] = "2026-11-23T17:00:50Z"
    assert lib.pod_process_runs(seen)[0]["start_seconds"] == 50.0
    probe = lib.suggested_startup_probe(seen)
    assert probe["failureThreshold"] == 150
    assert probe["httpGet"]["path"] == "/ready"
    del pod["spec"]["containers"][0]["readinessProbe"]
    assert lib.suggested_startup_probe(seen) == {}
