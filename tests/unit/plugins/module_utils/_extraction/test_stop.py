# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping and putting back: the parts that need no cluster; on one, every recording does the rest."""

from __future__ import annotations

import copy
import json
import typing as t

import endings as known
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils import _extraction as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.stop import (
    recreatable,
    with_what_was_known,
)


def pod_of(name: str) -> dict[str, t.Any]:
    (pod,) = json.loads((known.RECORDED / f"{name}.json").read_text(encoding="utf-8"))["pods"]
    return t.cast("dict[str, t.Any]", pod)


@pytest.mark.parametrize("name", sorted(known.ENDINGS))
def test_all_pods_of_a_recording_had_ended(name: str) -> None:
    pods = json.loads((known.RECORDED / f"{name}.json").read_text(encoding="utf-8"))["pods"]
    assert pods
    assert [pod["metadata"]["name"] for pod in pods if not lib.has_ended(pod, "program")] == []


def test_a_container_that_ended_in_a_pod_that_stays_will_be_started_again() -> None:
    pod = pod_of("returns")
    del pod["metadata"]["deletionTimestamp"]
    pod["status"]["phase"] = "Running"
    assert not lib.has_ended(pod, "program")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_has_ended_whatever_its_containers_say(phase: str) -> None:
    assert lib.has_ended({"metadata": {}, "status": {"phase": phase}}, "program")


def test_a_pod_without_a_status_has_not_ended() -> None:
    assert not lib.has_ended({"metadata": {"deletionTimestamp": "x"}}, "program")


def test_a_container_beside_it_may_run_on() -> None:
    pod = pod_of("returns")
    pod["status"]["phase"] = "Running"
    pod["status"]["containerStatuses"].append({"name": "proxy", "state": {"running": {}}})
    assert lib.has_ended(pod, "program")
    assert not lib.has_ended(pod, "proxy")


def test_a_pod_can_be_made_again_from_what_it_was() -> None:
    pod = pod_of("pod-returns")
    token = {"name": "kube-api-access-x7x7x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    pod["spec"]["volumes"].append({"name": token["name"], "projected": {}})
    pod["spec"]["containers"][0]["volumeMounts"].append(token)
    again = recreatable(pod)
    assert set(again) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(again["metadata"]) <= {"name", "namespace", "labels", "annotations"}
    assert "nodeName" not in again["spec"]
    assert "kube-api-access" not in json.dumps(again)
    assert [volume["name"] for volume in again["spec"]["volumes"]] == ["coverage-data"]
    assert again["spec"]["containers"][0]["image"] == pod["spec"]["containers"][0]["image"]
    # what was given is not changed
    assert pod["spec"]["volumes"][-1]["name"] == token["name"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "/apis/apps/v1/namespaces/demo/deployments/program"),
        ("StatefulSet", "/apis/apps/v1/namespaces/demo/statefulsets/program"),
        ("DaemonSet", "/apis/apps/v1/namespaces/demo/daemonsets/program"),
        ("ReplicaSet", "/apis/apps/v1/namespaces/demo/replicasets/program"),
        ("Job", "/apis/batch/v1/namespaces/demo/jobs/program"),
        ("CronJob", "/apis/batch/v1/namespaces/demo/cronjobs/program"),
        ("Pod", "/api/v1/namespaces/demo/pods/program"),
    ],
)
def test_a_source_is_found_where_the_api_has_it(kind: str, path: str) -> None:
    assert lib.Source(kind, "demo", "program", "c", "c", (), "/x").path == path


def test_what_the_kubelet_takes_away_at_the_end_is_kept() -> None:
    before = pod_of("one-life-was-killed")
    (status,) = before["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] == 137
    at_the_end = copy.deepcopy(before)
    at_the_end["metadata"]["deletionGracePeriodSeconds"] = 0
    at_the_end["status"]["containerStatuses"][0]["lastState"] = {}
    kept = with_what_was_known(at_the_end, before)
    assert kept["metadata"]["deletionGracePeriodSeconds"] == before["metadata"]["deletionGracePeriodSeconds"] == 30
    assert kept["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137


@pytest.mark.parametrize("what", ["uid", "restartCount", "nothing"])
def test_what_another_pod_or_process_run_was_is_not_kept(what: str) -> None:
    before = pod_of("one-life-was-killed")
    now = copy.deepcopy(before)
    status = now["status"]["containerStatuses"][0]
    status["lastState"] = {}
    if what == "uid":
        now["metadata"]["uid"] = "another"
    elif what == "restartCount":
        status["restartCount"] += 1
    else:
        before = {}
    assert with_what_was_known(now, before)["status"]["containerStatuses"][0]["lastState"] == {}
