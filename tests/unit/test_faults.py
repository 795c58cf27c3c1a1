# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault library without a cluster: its faults are well-formed, and no wrong verdict passes for a right one."""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import fault_library as library
import jmespath
import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import kind_of
from fault_library import BadFault, Expected, Fault, Result, Verdict
from run_faults import Timeline

ROOT = Path(__file__).resolve().parents[2]
# what the library has to have at least, in the words of its folders
WANTED = """
image-name-wrong image-localhost-stripped image-on-another-node wrong-architecture not-instrumented go-install-cover
configmap-missing configmap-key-missing secret-missing service-account-missing quota-exhausted pod-security-rejects
node-selector-without-node node-tainted host-port-taken cpu-request-too-large out-of-memory-at-start
out-of-memory-later command-wrong config-file-missing panic-at-start exec-format-error probe-port-wrong
probe-path-wrong probe-timeout-too-short killed-by-liveness slow-start-timed-out dependency-down
dependency-refuses-password dependency-name-unknown claim-pending host-path-type-wrong folder-not-writable
path-mismatch gocoverdir-unset mount-read-only node-folder-on-the-wrong-node no-sigterm-handler shell-as-process-1
grace-period-too-short killed-in-the-tests disk-full two-builds-in-one-folder stale-counters init-container-stuck
image-pull-secret-missing webhook-rejects crd-missing
"""

FAULT: dict[str, t.Any] = {
    "description": "A ConfigMap is missing.",
    "stage": "gate",
    "sign": {"pods": "status.phase=='Pending'"},
    "expect": {"cause": "config-map-missing", "says": ["settings"], "quotes": ["not found"], "also": ["proxy"]},
}
RIGHT = Verdict(
    cause="config-map-missing",
    sentence="ConfigMap settings is missing.",
    evidence=["CreateContainerConfigError: not found"],
    remedy="Create it.",
    also=["secret-missing: container proxy"],
)


def fault(**changes: t.Any) -> Fault:
    return library.parse("one", {**FAULT, **changes})


def expecting(**changes: t.Any) -> Fault:
    return dataclasses.replace(fault(), expect=dataclasses.replace(fault().expect, **changes))


# the library itself


def test_every_fault_can_be_read() -> None:
    names = {item.name for item in library.load()}

    assert set(WANTED.split()) <= names
    assert sum(item.stage == "healthy" for item in library.load()) >= 10
    assert sum(bool(item.expect.also) for item in library.load()) >= 2


def test_every_folder_is_a_fault() -> None:
    folders = {path.name for path in library.HERE.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert folders - {"program"} == {item.name for item in library.load()}


@pytest.mark.parametrize("item", library.load(), ids=lambda item: item.name)
def test_a_fault_makes_sense(item: Fault) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,50}", item.name)  # the namespace is named after it
    for expression in item.sign.values():
        jmespath.compile(expression)
    for container in item.pod.get("containers", []):
        assert container["name"] != "faulty", "the instrumented container is changed under container"


@pytest.mark.parametrize("item", [item for item in library.load() if item.expect.cause], ids=lambda item: item.name)
def test_the_causes_are_documented(item: Fault) -> None:
    assert f"`{item.expect.cause}`" in (ROOT / "docs" / "verdicts.md").read_text()


def test_the_program_has_every_flag_that_is_used() -> None:
    flags = set(re.findall(r'flag\.\w+\("([\w-]+)"', (library.HERE / "program" / "main.go").read_text()))
    used = {
        match[1]
        for path in library.HERE.glob("*/fault.yml")
        for match in re.finditer(r"[\[\s\"]-([a-z][\w-]+)(?:=|[,\]])", path.read_text())
    }

    assert used
    # of the programs that are called on the nodes and in shells
    assert used - {"c", "p", "m", "t", "o", "l"} <= flags


# reading


def test_a_fault_is_read() -> None:
    item = fault(arguments=["-panic"], images=["plain"])

    assert item.namespace == "faults-one"
    assert item.arguments == ("-panic",)
    assert item.all_images == {"instrumented", "plain"}
    assert item.expect.says == ("settings",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stages": "gate"}, "unknown key stages"),
        ({"stage": "gates"}, "stage 'gates' is none of"),
        ({"description": ""}, "no description"),
        ({"sign": {}}, "one sign is needed"),
        ({"sign": {"pods": "a", "events": "b"}}, "one sign is needed"),
        ({"sign": {"nodes": "a"}}, "one sign is needed"),
        ({"expect": {"cause": "crash"}}, "words of its sentence"),
        ({"expect": {"says": ["x"]}}, "a cause"),
        ({"expect": {"cause": "crash", "say": ["x"]}}, "unknown key say"),
        ({"expect": {"cause": "crash", "says": ["x"], "within": 20}}, "why_slow"),
        ({"expect": {"cause": "crash", "says": ["x"], "why_slow": "it is"}}, "why_slow"),
        ({"stage": "healthy"}, "what is healthy has no cause"),
    ],
)
def test_a_fault_that_cannot_be_judged_is_refused(changes: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadFault, match=re.escape(says)):
        fault(**changes)


def test_only_the_named_ones(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "fault.yml").write_text("{description: It is odd., stage: healthy}")

    assert [item.name for item in library.load(tmp_path, ["two"])] == ["two"]
    with pytest.raises(BadFault, match=r"no fault is named three; there are: one, two"):
        library.load(tmp_path, ["three"])


# the workload


def test_lists_are_merged_by_name() -> None:
    base = {"env": [{"name": "A", "value": "1"}], "mounts": [{"mountPath": "/a"}], "probe": {"port": 1}, "args": ["x"]}
    change = {
        "env": [{"name": "A", "value": "2"}, {"name": "B"}],
        "mounts": [{"mountPath": "/a", "readOnly": True}],
        "probe": None,
        "args": ["y"],
    }

    assert library.merged(base, change) == {
        "env": [{"name": "A", "value": "2"}, {"name": "B"}],
        "mounts": [{"mountPath": "/a", "readOnly": True}],
        "args": ["x", "y"],
    }
    assert base["env"] == [{"name": "A", "value": "1"}]


def test_words_are_put_in_and_other_braces_stay() -> None:
    value = {"run": ["{folder}/x", 3], "data": '{"json": {namespace}}'}

    assert library.filled(value, {"folder": "/c", "namespace": "n"}) == {"run": ["/c/x", 3], "data": '{"json": n}'}


KINDS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Pod": "v1"} | {
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


@pytest.mark.parametrize(("kind", "version"), KINDS.items())
def test_the_workload_can_be_of_any_kind(kind: str, version: str) -> None:
    deployment = yaml.safe_load((library.HERE / "workload.yml").read_text())

    workload = library.as_kind(deployment, kind, {"more": 1})

    template = kind_of(kind).pod_template(workload)
    assert (workload["apiVersion"], workload["kind"]) == (version, kind)
    assert workload["spec"]["more"] == 1
    assert template["metadata"]["labels"] == {"app": "faulty"}
    assert template["spec"]["containers"][0]["name"] == "faulty"
    assert ("selector" in workload["spec"]) == (version == "apps/v1")


# the sign


def test_the_first_sign_since_the_start_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    timeline = Timeline("")
    clock = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    for kind, namespace, phase in [
        ("pods", "faults-one", "Failed"),
        ("pods", "faults-one", "Pending"),
        ("events", "faults-one", "Failed"),
        ("pods", "faults-one", "Failed"),
        ("pods", "faults-two", "Failed"),
    ]:
        timeline.note(kind, {"metadata": {"namespace": namespace}, "status": {"phase": phase}})

    sign = {"pods": "status.phase=='Failed'"}
    assert timeline.first("faults-one", sign, since=0) == 1.0
    assert timeline.first("faults-one", sign, since=1.5) == 4.0
    assert timeline.first("faults-one", {"pods": "status.phase=='Running'"}, since=0) is None
    assert timeline.first("faults-three", sign, since=0) is None


def test_only_the_librarys_namespaces_are_kept() -> None:
    timeline = Timeline("")

    timeline.note("pods", {"metadata": {"namespace": "kube-system"}})
    timeline.note("pods", {"metadata": {"name": "without-one"}})

    assert timeline.seen == {}


# judging


def test_the_right_verdict_is_right() -> None:
    assert library.judge(fault(), RIGHT, 1.0) == []


@pytest.mark.parametrize(
    ("verdict", "seconds", "says"),
    [
        (Verdict(), None, "no verdict; config-map-missing was expected"),
        (dataclasses.replace(RIGHT, cause="crash"), 1.0, "cause crash instead of config-map-missing"),
        (dataclasses.replace(RIGHT, sentence="A ConfigMap is missing."), 1.0, "the sentence does not say 'settings'"),
        (dataclasses.replace(RIGHT, evidence=[]), 1.0, "the evidence does not quote 'not found'"),
        (dataclasses.replace(RIGHT, also=[]), 1.0, "the second cause is not mentioned: 'proxy'"),
        (dataclasses.replace(RIGHT, remedy=""), 1.0, "no remedy"),
        (RIGHT, None, "the sign was never seen"),
    ],
)
def test_a_wrong_verdict_is_wrong(verdict: Verdict, seconds: float | None, says: str) -> None:
    assert library.judge(fault(), verdict, seconds) == [says]


def test_the_target_counts_where_one_insists() -> None:
    assert library.judge(fault(), RIGHT, 5.2) == library.judge(fault(), RIGHT, 600.0) == []
    assert library.judge(fault(), RIGHT, 5.2, strict=True) == ["5.2 s after its sign, 5 s are allowed"]
    assert library.judge(expecting(within=20), RIGHT, 5.2, strict=True) == []


def test_the_setting_counts_where_it_is_asked_for() -> None:
    item = expecting(setting="coverage_mode_image")

    assert library.judge(item, RIGHT, 1.0) == ["setting (none) instead of coverage_mode_image"]
    assert library.judge(item, dataclasses.replace(RIGHT, setting="coverage_mode_image"), 1.0) == []


def test_a_verdict_on_what_is_healthy_is_a_false_alarm() -> None:
    healthy = Fault("odd", "It is odd.", "healthy", Expected())

    assert library.judge(healthy, Verdict(), None) == []
    assert library.judge(healthy, RIGHT, None) == ["false alarm: config-map-missing: ConfigMap settings is missing."]


def test_another_cause_may_be_as_right() -> None:
    other = dataclasses.replace(RIGHT, cause="secret-missing")

    assert library.judge(expecting(or_cause="secret-missing"), other, 1.0) == []
    assert library.judge(expecting(or_cause="crash"), other, 1.0)


def test_what_was_not_odd_proves_nothing() -> None:
    healthy = Fault("odd", "It restarts.", "healthy", Expected(), sign={"pods": "status.restarts"})

    assert library.judge(healthy, Verdict(), None) == ["it was not odd: its sign was never seen"]
    assert library.judge(healthy, Verdict(), 0.0) == []


# what is shown


def result(name: str, stage: str = "gate", problems: t.Sequence[str] = (), seconds: float | None = 1.0) -> Result:
    return Result(name, stage, RIGHT, seconds, 3.0, "300 s (computed)", list(problems))


def test_the_table_has_a_row_for_each_and_the_totals() -> None:
    well = dataclasses.replace(result("c", "healthy", seconds=None), verdict=Verdict())
    rows = [result("a"), result("b", problems=["cause x | y"], seconds=7.0), well]

    text = library.table(rows)

    assert "| a | `config-map-missing` | right | 1.0 | 300 s (computed) |" in text
    assert "| b | `config-map-missing` | **wrong**: cause x \\| y | 7.0 |" in text
    assert "1 of 2 faults named right; 0 false alarms in 1 healthy workloads." in text
    assert "longest 7.0; over 5: b." in text
    assert "1 false alarms in 1 healthy workloads." in library.table([dataclasses.replace(well, verdict=RIGHT)])


def test_the_report_for_machines_has_a_case_for_each() -> None:
    report = ElementTree.fromstring(library.junit([result("a"), result("b", problems=["wrong"])]))  # noqa: S314

    assert [case.get("name") for case in report.iter("testcase")] == ["a", "b"]
    assert [failure.get("message") for failure in report.iter("failure")] == ["wrong"]
