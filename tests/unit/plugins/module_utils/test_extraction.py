# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lives and what became of them, over pods and files that were recorded when real programs were told to end."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import typing as t
from pathlib import Path

import pytest
import situations
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils import _extraction as lib

ROOT = Path(__file__).resolve().parents[4]
SOURCE = lib.Source("Deployment", "demo", "program", "program", "program", ("node",), "/coverdata/run/program")


@functools.cache
def _read(name: str) -> str:
    return (situations.ENDED / f"{name}.json").read_text(encoding="utf-8")


def recorded(name: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(_read(name)))


def lives(name: str) -> list[lib.PodLives]:
    record = recorded(name)
    found = lib.lives_of(SOURCE, record["ended"], record["expected"])
    lib.count_files(found, record["sizes"])
    return found


def test_every_ending_was_recorded() -> None:
    assert {path.stem for path in situations.ENDED.glob("*.json")} == set(situations.ENDINGS)


@pytest.mark.parametrize("name", sorted(situations.ENDINGS))
def test_lives_are_counted_as_they_were(name: str) -> None:
    wanted, found = situations.ENDINGS[name], lives(name)
    assert sum(item.lives for item in found) == wanted.lives
    assert sum(item.lost for item in found) == wanted.lost
    assert {item.component for item in found} == {"program"}
    assert {item.node for item in found} == {"units-rec-worker"}
    for item in found:
        # how an earlier life ended is forgotten when its container is cleared away
        assert tuple(item.exit_codes) in (wanted.exit_codes, wanted.exit_codes[-1:])
        assert item.counters <= item.lives


@pytest.mark.parametrize("name", sorted(name for name, ending in situations.ENDINGS.items() if ending.cause))
def test_why_no_counters_came_home_is_said(name: str) -> None:
    found = lives(name)
    assert not any(item.counters for item in found)
    problem = lib.no_counters(found)
    assert problem.cause == situations.ENDINGS[name].cause
    assert problem.remedy
    (line,) = problem.evidence
    assert found[0].pod in line
    assert f"{found[0].metas} covmeta, 0 covcounters" in line


@pytest.mark.parametrize("name", sorted(situations.ENDINGS))
def test_a_pod_has_ended_when_its_container_has(name: str) -> None:
    record = recorded(name)
    for pod in record["running"]:
        assert not lib.has_ended(pod, "program")
    for pod in record["ended"]:
        assert lib.has_ended(pod, "program")


def test_a_container_that_ended_in_a_pod_that_stays_will_be_started_again() -> None:
    (pod,) = recorded("returns")["ended"]
    del pod["metadata"]["deletionTimestamp"]
    pod["status"]["phase"] = "Running"
    assert not lib.has_ended(pod, "program")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_has_ended_whatever_its_containers_say(phase: str) -> None:
    assert lib.has_ended({"metadata": {}, "status": {"phase": phase}}, "program")


def test_a_pod_without_a_status_has_not_ended() -> None:
    assert not lib.has_ended({"metadata": {"deletionTimestamp": "x"}}, "program")


def test_a_container_beside_it_may_run_on() -> None:
    (pod,) = recorded("returns")["ended"]
    pod["status"]["phase"] = "Running"
    pod["status"]["containerStatuses"].append({"name": "proxy", "state": {"running": {}}})
    assert lib.has_ended(pod, "program")
    assert not lib.has_ended(pod, "proxy")


# lives


def test_a_container_that_waits_for_its_next_start_has_not_begun_another_life() -> None:
    (pod,) = recorded("returns-after-a-restart")["ended"]
    (status,) = pod["status"]["containerStatuses"]
    assert status["restartCount"] == 1
    status["lastState"], status["state"] = status["state"], {"waiting": {"reason": "CrashLoopBackOff"}}
    (item,) = lib.lives_of(SOURCE, [pod], [])
    assert item.lives == 1
    assert item.exit_codes == [0]


def test_a_container_that_never_started_had_no_life() -> None:
    (pod,) = recorded("returns")["ended"]
    status = {"name": "program", "state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 0}
    pod["status"]["containerStatuses"] = [status]
    (item,) = lib.lives_of(SOURCE, [pod], [])
    assert (item.lives, item.exit_codes, item.reason) == (0, [], "")
    del pod["status"]["containerStatuses"]
    assert lib.lives_of(SOURCE, [pod], []) == [item]


def test_a_running_container_has_a_life_whose_end_was_not_seen() -> None:
    (pod,) = recorded("returns")["running"]
    (item,) = lib.lives_of(SOURCE, [pod], [])
    assert (item.lives, item.exit_codes) == (1, [])


def test_other_containers_have_no_lives_of_ours() -> None:
    (pod,) = recorded("returns")["ended"]
    before = lib.lives_of(SOURCE, [pod], [])
    pod["status"]["containerStatuses"].append({"name": "proxy", "restartCount": 9, "state": {"running": {}}})
    assert lib.lives_of(SOURCE, [pod], []) == before


def test_a_pod_that_the_gate_saw_and_that_is_gone_is_counted_as_lost() -> None:
    record = recorded("returns")
    gone = {"pod": "program-gone", "node": "node-2", "restarts": 2}
    found = lib.lives_of(SOURCE, record["ended"], [*record["expected"], gone])
    lib.count_files(found, record["sizes"])
    assert [item.lost for item in found] == [0, 3]
    assert (found[1].pod, found[1].node) == ("program-gone", "node-2")
    assert "replaced" in found[1].reason


def test_a_pod_that_is_gone_is_not_lost_when_its_files_came_home() -> None:
    found = lib.lives_of(SOURCE, [], [{"pod": "a"}])
    lib.count_files(found, ["a/covmeta.1", "a/covcounters.1.1.1"])
    assert (found[0].metas, found[0].counters, found[0].lost) == (1, 1, 0)


def test_files_are_those_of_their_pod_alone() -> None:
    found = [lib.PodLives("c", name, "n", "c", lives=1) for name in ("web-1", "web-10", "web")]
    names = [
        "web-1/covmeta.a",
        "web-10/covmeta.a",
        "web-10/covcounters.a.1.1",
        "web/tmp.covmeta.a1",
        "web-1/x/covmeta.b",
    ]
    lib.count_files(found, names)
    assert [(item.metas, item.counters) for item in found] == [(2, 0), (1, 1), (0, 0)]


@pytest.mark.parametrize(("lived", "came", "lost"), [(1, 1, 0), (3, 1, 2), (1, 2, 0), (0, 0, 0)])
def test_lost_is_never_less_than_nothing(lived: int, came: int, lost: int) -> None:
    assert lib.PodLives("c", "p", "n", "c", lives=lived, counters=came).lost == lost


# why there are none


def life(*exit_codes: int, metas: int = 1, reason: str = "") -> lib.PodLives:
    return lib.PodLives("c", "p", "n", "c", lives=1, exit_codes=list(exit_codes), metas=metas, reason=reason)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        ([], "no-pods"),
        ([life(0, metas=0)], "no-covmeta"),
        ([life(137, metas=0)], "no-covmeta"),
        ([life(137)], "killed"),
        ([life(0, 137)], "killed"),
        # what counts is how the last life ended
        ([life(137, 0)], "no-counters"),
        ([life(2)], "no-sigterm-handler"),
        ([life(143)], "no-sigterm-handler"),
        ([life(137), life(2)], "killed"),
        ([life(0)], "no-counters"),
        ([life(1)], "no-counters"),
        ([life()], "no-counters"),
        # one that wrote covmeta is enough to know that the image is instrumented
        ([life(0, metas=0), life(143)], "no-sigterm-handler"),
    ],
)
def test_the_table_of_covmeta_counters_and_exit_codes(found: list[lib.PodLives], cause: str) -> None:
    problem = lib.no_counters(found)
    assert problem.cause == cause
    assert len(problem.evidence) == len(found)
    assert problem.message.endswith(".")


def test_the_evidence_says_how_each_pod_ended() -> None:
    (line,) = lib.no_counters([life(137, reason="OOMKilled")]).evidence
    assert line == "pod p: 1 lives, 1 covmeta, 0 covcounters, exit codes [137] (OOMKilled)"
    assert "exit codes not seen" in lib.no_counters([life()]).evidence[0]


def test_every_setting_is_a_variable_of_a_role() -> None:
    known = set[str]()
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry_point in yaml.safe_load(path.read_text())["argument_specs"].values():
            known |= set(entry_point.get("options") or {})
    problems = [lib.no_counters(found) for found in ([], [life(metas=0)], [life(137)], [life(2)], [life(0)])]
    assert {problem.setting for problem in problems if problem.setting} <= known


# the record


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    record = tmp_path / "lives.json"
    assert lib.recorded(str(record)) == []
    found = lives("returns-after-a-restart")
    lib._write_json(record, [dataclasses.asdict(item) for item in found])
    assert lib.recorded(str(record)) == found
    assert [path.name for path in tmp_path.iterdir()] == ["lives.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '[{"pod": "a"}]', '[{"nonsense": 1}]'])
def test_a_record_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    record = tmp_path / "lives.json"
    record.write_text(text)
    with pytest.raises(lib.CoverageError) as caught:
        lib.recorded(str(record))
    assert str(record) in caught.value.message
    assert caught.value.remedy


def test_a_source_is_found_where_the_api_has_it() -> None:
    assert SOURCE.path == "/apis/apps/v1/namespaces/demo/deployments/program"
    stateful = dataclasses.replace(copy.copy(SOURCE), kind="StatefulSet")
    assert stateful.path == "/apis/apps/v1/namespaces/demo/statefulsets/program"
