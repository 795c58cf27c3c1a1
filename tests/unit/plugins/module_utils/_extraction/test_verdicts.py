# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts over recordings of real endings, and over what differs from them in one sign."""

from __future__ import annotations

import ast
import copy
import dataclasses
import datetime
import functools
import json
import re
import typing as t
from pathlib import Path

import endings as known
import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils import _extraction as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import place_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import rule, signs, verdicts
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Disk, File, Process, moment

ROOT = Path(__file__).resolve().parents[5]
RULES = sorted(path for path in (Path(verdicts.__file__).parent / "rules").glob("*.py") if path.stem != "__init__")
SOURCES = [Path(verdicts.__file__), Path(signs.__file__), *RULES]
BAD = sorted(name for name, ending in known.ENDINGS.items() if ending.cause)
LOST = sorted(name for name, ending in known.ENDINGS.items() if ending.lost and not ending.home)


@functools.cache
def _read(name: str) -> str:
    return (known.RECORDED / f"{name}.json").read_text(encoding="utf-8")


def recorded(name: str) -> lib.Ending:
    return lib.Ending.from_dict(json.loads(_read(name)))


def judged(ending: lib.Ending) -> tuple[t.Optional[Diagnosis], list[lib.PodProcessRuns]]:
    source = lib.Source(
        ending.kind, ending.namespace, ending.name, ending.container, ending.component, (), ending.volume_directory
    )
    process_runs = lib.process_runs_of(source, ending.pods, ending.expected)
    lib.count_files(process_runs, [name for name in ending.files if name not in ending.set_aside])
    return lib.verdict_of(ending, process_runs), process_runs


def cause(ending: lib.Ending) -> str:
    verdict, _process_runs = judged(ending)
    return "" if verdict is None else verdict.cause


def last_end(ending: lib.Ending) -> dict[str, t.Any]:
    """How the container of the only pod ended last, to be changed."""
    (pod,) = ending.pods
    (status,) = pod["status"]["containerStatuses"]
    return t.cast("dict[str, t.Any]", status["state"]["terminated"])


# ---- recordings ----


def test_every_ending_was_recorded() -> None:
    assert {path.stem for path in known.RECORDED.glob("*.json")} == set(known.ENDINGS)


@pytest.mark.parametrize("name", sorted(known.ENDINGS))
def test_the_verdict_is_the_right_one(name: str) -> None:
    wanted = known.ENDINGS[name]
    verdict, process_runs = judged(recorded(name))
    assert (verdict.cause if verdict else "") == wanted.cause
    assert [item.cause for item in verdict.also] == list(wanted.also) if verdict else not wanted.also
    assert sum(item.process_runs for item in process_runs) == wanted.process_runs
    assert sum(item.lost for item in process_runs) == wanted.lost
    assert any(item.counters for item in process_runs) == wanted.home


@pytest.mark.parametrize("name", BAD)
def test_the_verdict_says_what_was_seen(name: str) -> None:
    wanted = known.ENDINGS[name]
    verdict, process_runs = judged(recorded(name))
    assert verdict is not None
    for words in wanted.says:
        assert words in verdict.sentence
    for words in wanted.quotes:
        assert any(words in line for line in verdict.evidence), verdict.evidence
    assert verdict.remedy.endswith(".")
    lost = [item for item in process_runs if item.lost]
    assert len(
        [
            line
            for line in verdict.evidence
            if re.match(r"pod \S+: counters of \d+ of \d+ process runs? collected", line)
        ]
    ) == len(lost)
    assert all(item.cause in {verdict.cause, *wanted.also} for item in lost)
    assert all(item.why for item in lost)
    assert not any(item.cause or item.why for item in process_runs if not item.lost)


@pytest.mark.parametrize("name", BAD)
def test_a_verdict_can_be_replayed_from_its_file(name: str) -> None:
    ending = recorded(name)
    again = lib.Ending.from_dict(json.loads(json.dumps(ending.as_dict())))
    assert again.as_dict() == ending.as_dict()
    first, _process_runs = judged(ending)
    second, _process_runs = judged(again)
    assert first == second


def test_settings_are_variables_of_roles() -> None:
    known_options = set[str]()
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry_point in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            known_options |= set(entry_point.get("options") or {})
    found = {verdict.setting for verdict in (judged(recorded(name))[0] for name in BAD) if verdict}
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    found |= set(re.findall(r'setting="([^"]+)"', text))
    assert {place_of(name, "coverage_extraction").variable for name in found - {""}} <= known_options


def test_every_cause_has_its_rank() -> None:
    assert set[str]().union(*rule.RULES.values()) == set(verdicts.ORDER)


def test_every_rule_is_asked() -> None:
    asked = {look.__name__ for look in (*verdicts.WHOLE, *verdicts.NOTHING_WRITTEN, *verdicts.NOT_FINISHED)}
    assert set(rule.RULES) - asked == {"no_covmeta", "replaced", "no_counters", "forgotten"}, "the last resorts"


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_gives_what_it_registered(path: Path) -> None:
    looked_at = 0
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        given = {
            str(node.value.value)
            for node in ast.walk(function)
            if isinstance(node, ast.keyword) and node.arg == "cause" and isinstance(node.value, ast.Constant)
        }
        looked_at += bool(given)
        assert given <= rule.RULES[function.name], function.name
    assert looked_at


def test_a_rule_cannot_be_registered_twice() -> None:
    with pytest.raises(ValueError, match="rule killed is registered twice"):

        @rule.rule()
        def killed() -> None:
            """Not the one that exists."""


# ---- one sign makes another verdict ----


def test_no_pod_at_all() -> None:
    ending = recorded("returns")
    ending.pods, ending.expected = [], []
    assert cause(ending) == "no-pods"


@pytest.mark.parametrize("name", sorted(name for name, ending in known.ENDINGS.items() if not ending.cause))
def test_nothing_is_lost_where_all_came_home_and_all_where_nothing_did(name: str) -> None:
    ending = recorded(name)
    assert cause(ending) == ""
    ending.files = {name: file for name, file in ending.files.items() if "covcounters" not in name}
    verdict, process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause in {"no-counters", "crash", "pod-replaced", "sigterm-not-forwarded"}
    assert all(item.lost == item.process_runs for item in process_runs)


@pytest.mark.parametrize("first_line", ["panic: oh no", "fatal error: all goroutines are asleep - deadlock!"])
def test_exit_2_with_a_panic_in_the_log_is_one(first_line: str) -> None:
    ending = recorded("has-no-handler")
    (pod,) = ending.logs
    assert cause(ending) == "no-sigterm-handler"
    ending.logs[pod] += f"\n{first_line}\n\ngoroutine 1 [running]:"
    assert cause(ending) == "panic"


def test_a_line_that_only_mentions_a_panic_is_none() -> None:
    ending = recorded("has-no-handler")
    (pod,) = ending.logs
    ending.logs[pod] += "\nrecovered from panic: all is well"
    assert cause(ending) == "no-sigterm-handler"


def test_where_the_log_is_gone_the_message_of_the_end_serves() -> None:
    ending = recorded("panics-at-the-end")
    assert "panic: told to end" in last_end(ending)["message"]
    ending.logs = {}
    assert cause(ending) == "panic"


def test_143_is_an_end_without_handler_too() -> None:
    ending = recorded("has-no-handler")
    last_end(ending)["exitCode"] = 143
    assert cause(ending) == "no-sigterm-handler"


def test_sigkill_before_the_grace_period_is_over_is_someone_else() -> None:
    ending = recorded("takes-too-long")
    (pod,) = ending.pods
    asked = moment(pod["metadata"]["deletionTimestamp"]) - 2
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 2
    later = datetime.datetime.fromtimestamp(asked + 30, datetime.UTC).isoformat()
    pod["metadata"].update(deletionGracePeriodSeconds=30, deletionTimestamp=later)
    verdict, _process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause == "killed"
    assert "2 s after SIGTERM" in verdict.sentence


def test_a_pod_that_was_killed_because_of_a_probe() -> None:
    ending = recorded("one-life-was-killed")
    (pod,) = ending.pods
    message = "Container program failed liveness probe, will be restarted"
    ending.events.append({"reason": "Killing", "message": message, "involvedObject": {"name": pod["metadata"]["name"]}})
    verdict, _process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause == "killed"
    assert "probe failed" in verdict.sentence
    assert any(message in line for line in verdict.evidence)


def test_a_program_that_still_runs_has_not_flushed() -> None:
    ending = recorded("has-no-handler")
    (pod,) = ending.pods
    (status,) = pod["status"]["containerStatuses"]
    status["state"] = {"running": {"startedAt": last_end(ending)["startedAt"]}}
    assert cause(ending) == "not-flushed"


def test_a_wrapper_in_go_that_does_not_pass_the_signal_on() -> None:
    ending = recorded("takes-too-long")
    pod = next(iter(ending.processes))
    (program,) = ending.processes[pod]
    ending.processes[pod].append(dataclasses.replace(program, first=False, command="/usr/local/bin/service"))
    verdict, _process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause == "sigterm-not-forwarded"
    assert any("/usr/local/bin/service" in line for line in verdict.evidence)


def test_an_init_that_passes_it_on_to_a_program_without_handler() -> None:
    ending = recorded("a-shell-is-first")
    pod = next(iter(ending.processes))
    ending.processes[pod] = [
        dataclasses.replace(item, name="tini", handles=True) if item.first else item for item in ending.processes[pod]
    ]
    last_end(ending)["exitCode"] = 143
    assert cause(ending) == "no-sigterm-handler"


def test_half_written_counters_on_a_full_disk() -> None:
    ending = recorded("disk-full")
    for pod in list(ending.logs):
        ending.logs[pod] = "nothing about it"
    last_end(ending).pop("message", None)
    assert any("tmp.covcounters" in name for name in ending.files)
    assert cause(ending) == "disk-full"
    ending.disks = {node: Disk(10**9, 10**9, 1000, 1000) for node in ending.disks}
    assert cause(ending) == "no-counters"
    ending.disks = {node: Disk(10**9, 10**9, 0, 1000) for node in ending.disks}
    assert cause(ending) == "disk-full"


def test_a_node_on_which_nobody_looked() -> None:
    ending = recorded("is-not-instrumented")
    (pod,) = ending.pods
    ending.searched = [node for node in ending.searched if node != pod["spec"]["nodeName"]]
    ending.unreachable = {pod["spec"]["nodeName"]: "no such container"}
    verdict, _process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause == "node-unreachable"
    assert "no such container" in verdict.evidence


@pytest.mark.parametrize(
    ("name", "without_processes"),
    [
        ("gocoverdir-unset", "gocoverdir-unset"),
        ("folder-not-writable", "coverage-not-writable"),
        ("mounted-read-only", "coverage-read-only"),
        ("folder-does-not-exist", "coverage-path-mismatch"),
        # nothing else tells
        ("is-not-instrumented", "no-covmeta"),
        ("writes-elsewhere", "no-covmeta"),
    ],
)
def test_the_log_alone_tells_most(name: str, without_processes: str) -> None:
    ending = recorded(name)
    ending.processes = {}
    assert cause(ending) == without_processes


@pytest.mark.parametrize(
    "name", ["gocoverdir-unset", "folder-not-writable", "mounted-read-only", "folder-does-not-exist"]
)
def test_the_processes_alone_tell_too(name: str) -> None:
    ending = recorded(name)
    ending.logs = {}
    assert cause(ending) == known.ENDINGS[name].cause


@pytest.mark.parametrize(
    ("mode", "user", "groups", "may"),
    [
        ("1777 0 0", 1001, [1001], True),
        ("755 0 0", 1001, [1001], False),
        ("755 1001 0", 1001, [1001], True),
        ("2775 0 2000", 1001, [1001, 2000], True),
        ("2755 0 2000", 1001, [1001, 2000], False),
        ("755 5 5", 0, [0], True),
        # the owner's digit counts for the owner, even where others may more
        ("577 1001 0", 1001, [1001], False),
    ],
)
def test_who_may_write(mode: str, user: int, groups: list[int], may: bool) -> None:
    process = Process("p", "p", user=user, groups=groups, mode=mode)
    assert signs.may_write(process) is may


def test_two_programs_are_not_two_builds() -> None:
    ending = recorded("two-builds")
    assert cause(ending) == "two-builds"
    for number, digest in enumerate(ending.builds):
        ending.builds[digest] = [f"example.com/program-{number}"]
    assert cause(ending) == ""


def test_process_runs_of_which_nothing_is_known_any_more() -> None:
    ending = recorded("one-life-was-killed")
    (pod,) = ending.pods
    (status,) = pod["status"]["containerStatuses"]
    status["restartCount"] = 4
    verdict, process_runs = judged(ending)
    assert verdict is not None
    assert process_runs[0].lost == 4
    assert verdict.cause == "killed"
    assert [item.cause for item in verdict.also] == ["processes-lost"]
    assert "3 process runs" in verdict.also[0].sentence
    status["lastState"] = {}
    verdict, _process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause == "processes-lost"
    assert "4 process runs" in verdict.sentence


def test_many_pods_with_one_cause_are_one_verdict() -> None:
    ending = recorded("has-no-handler")
    (pod,) = ending.pods
    name = pod["metadata"]["name"]
    for number in range(40):
        other = copy.deepcopy(pod)
        other["metadata"]["name"] = f"other-{number}"
        other["metadata"]["uid"] = str(number)
        ending.pods.append(other)
        ending.files[f"other-{number}/covmeta.x"] = File(1, 1.0)
    verdict, process_runs = judged(ending)
    assert verdict is not None
    assert verdict.cause == "no-sigterm-handler"
    assert "(and 40 more)" in verdict.sentence
    assert name in verdict.sentence
    assert verdict.also == ()
    assert len(verdict.evidence) <= 2 * verdicts.EVIDENCE_LINES
    assert len(process_runs) == 41


def test_the_first_cause_is_the_one_that_concerns_most() -> None:
    one, other = recorded("has-no-handler"), recorded("folder-not-writable")
    one.pods += other.pods
    one.processes.update(other.processes)
    one.logs.update(other.logs)
    verdict, _process_runs = judged(one)
    assert verdict is not None
    assert verdict.cause == "coverage-not-writable"
    assert [item.cause for item in verdict.also] == ["no-sigterm-handler"]


def test_secrets_do_not_get_into_a_verdict() -> None:
    ending = recorded("panics-at-the-end")
    for pod in ending.logs:
        ending.logs[pod] = "panic: cannot log in with --db-password=hunter2"
    verdict, process_runs = judged(ending)
    assert verdict is not None
    assert "hunter2" not in json.dumps([dataclasses.asdict(verdict), *map(dataclasses.asdict, process_runs)])
    assert "hunter2" not in json.dumps(ending.as_dict())
