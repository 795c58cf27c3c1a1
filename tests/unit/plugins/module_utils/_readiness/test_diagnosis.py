# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis, over what was seen on a real cluster; and the tool that replays what was seen."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import replay_verdict
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import BLANK, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import diagnosis as lib
from run_module import run_module

NOBODY: t.Any = None


def fault(name: str) -> Observation:
    """What the gate saw of a fault of the library."""
    return Observation.from_dict(json.loads((situations.FAULTS / f"{name}.json").read_text(encoding="utf-8")))


def test_what_is_not_healthy_has_a_whole_verdict() -> None:
    found = lib.described(fault("two-image-and-config"))
    assert not found["healthy"]
    assert found["verdict"]["cause"] == "image-not-on-node"
    assert set(found["verdict"]) == {"cause", "sentence", "evidence", "remedy", "also", "documentation"}
    assert found["verdict"]["also"]
    assert found["state"].startswith("container faulty waits")


def test_what_is_healthy_has_none() -> None:
    assert lib.described(fault("healthy-statefulset")) == {
        "kind": "StatefulSet",
        "namespace": "rules-healthy-statefulset",
        "name": "faulty",
        "healthy": True,
        "state": "2 of 2 ready",
        "verdict": None,
        "unseen": [],
    }
    assert lib.described(fault("healthy-job"))["state"] in ("complete", "1 of 1 ready")


def test_what_asks_for_nothing_is_healthy() -> None:
    seen = fault("healthy-slow")
    assert seen.workload is not None
    seen.workload["spec"]["replicas"], seen.pods = 0, []
    assert lib.described(seen)["healthy"]
    assert (
        lib.described(Observation("CronJob", "a", "b", workload={"metadata": {}, "spec": {}}))["state"]
        == "has not run yet"
    )


def test_what_is_not_there_is_not_healthy() -> None:
    found = lib.described(Observation("Deployment", "a", "b", waited=1e6))
    assert found["verdict"]["cause"] == "workload-missing"
    assert found["state"] == "missing"


def test_a_container_that_is_down_is_not_hidden_by_numbers() -> None:
    seen = fault("healthy-without-probes")
    assert lib.is_healthy(seen)
    status = seen.pods[0]["status"]["containerStatuses"][0]
    status.update(ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=4)
    status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    assert not lib.is_healthy(seen)
    assert lib.described(seen)["verdict"]["cause"] == "crash"


def test_no_secret_is_told() -> None:
    seen = fault("config-file-missing")
    seen.logs = {key: "cannot start: password=hush" for key in seen.logs}
    found = lib.described(seen)
    assert "hush" not in json.dumps(found)
    assert BLANK in found["verdict"]["sentence"]


def test_the_report_has_all_parts_and_a_line_for_what_is_healthy() -> None:
    seen = fault("two-dependency-and-its-image")
    seen.unseen = ["secrets: forbidden"]
    lines = lib.report([lib.described(seen), lib.described(fault("healthy-slow"))])
    assert lines[0] == "Deployment rules-two-dependency-and-its-image/faulty: dependency-down"
    for start in ("  Container faulty", "  Evidence: ", "  Remedy: ", "  Also: ", "  Not readable: secrets: forbidden"):
        assert any(line.startswith(start) for line in lines)
    assert lines[-1] == "Deployment rules-healthy-slow/faulty: healthy (1 of 1 ready)"
    assert lib.report([]) == ["There are no workloads."]


@pytest.mark.parametrize(("kind", "name"), [("Deployment", ""), ("", "x")])
def test_kind_and_name_go_together(kind: str, name: str) -> None:
    with pytest.raises(InputError, match="go together"):
        lib.targets_of(NOBODY, "a", kind, name)


def test_one_workload_is_looked_at_without_asking_for_others() -> None:
    (target,) = lib.targets_of(NOBODY, "a", "Job", "x")
    assert (target.kind, target.namespace, target.name) == ("Job", "a", "x")


def test_the_module_says_what_is_wrong_with_its_kubeconfig(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_module(capsys, "workload_diagnosis_info", kubeconfig=str(tmp_path / "none"), namespace="shop")
    assert result["verdict"]["cause"] == "no-kubeconfig"


# the tool


def test_a_verdict_can_be_replayed_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    path = situations.FAULTS / "two-image-and-config.json"
    assert replay_verdict.main([str(path)]) == 0
    said = capsys.readouterr().out
    assert "image-not-on-node (at once)" in said
    assert "Also: " in said


def test_what_is_no_observation_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "y.json").write_text("no JSON")
    assert replay_verdict.main([str(tmp_path / "x.json"), str(tmp_path / "y.json"), str(tmp_path / "z.json")]) == 1
    assert "is not an observation" in capsys.readouterr().out
