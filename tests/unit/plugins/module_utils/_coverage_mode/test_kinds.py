# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of workload: where their pods are, and what of them is somebody else's word."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import kinds as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "name": "migrate",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "7",
        "generation": 2,
        "managedFields": [{}],
        "labels": {"app": "x"},
        "creationTimestamp": "now",
    },
    "spec": {
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "1"}},
        "template": {
            "metadata": {
                "creationTimestamp": None,
                "labels": {"controller-uid": "1", "job-name": "migrate", "mine": "yes"},
            },
            "spec": {},
        },
    },
    "status": {"succeeded": 1},
}


def test_what_the_server_writes_is_left_out() -> None:
    before = copy.deepcopy(JOB)
    assert lib.as_defined(JOB) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": "shop", "labels": {"app": "x"}},
        "spec": {"template": {"metadata": {"labels": {"mine": "yes"}}, "spec": {}}},
    }
    assert before == JOB


def test_a_selector_that_was_chosen_stays() -> None:
    chosen = copy.deepcopy(JOB)
    chosen["spec"]["manualSelector"] = True
    defined = lib.as_defined(chosen)
    assert defined["spec"]["selector"] == chosen["spec"]["selector"]
    assert "job-name" in defined["spec"]["template"]["metadata"]["labels"]


def test_a_controllers_own_annotations_are_left_out_and_others_are_not() -> None:
    deployment: Object = {"kind": "Deployment", "metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}
    assert lib.as_defined(deployment)["metadata"] == {}
    deployment["metadata"]["annotations"]["mine"] = "1"
    assert lib.as_defined(deployment)["metadata"] == {"annotations": {"mine": "1"}}


@pytest.mark.parametrize("kind", lib.KINDS.values())
def test_the_pods_template_is_where_the_api_has_it(kind: lib.WorkloadKind) -> None:
    inner: Object = {"metadata": {}, "spec": {"containers": []}}
    workload: Object = inner
    for key in reversed(kind.template):
        workload = {key: workload}
    assert kind.pod_template(workload) is inner
    assert kind.reference("shop", "x")["metadata"] == {"name": "x", "namespace": "shop"}


@pytest.mark.parametrize(
    ("name", "says"),
    [("ReplicaSet", "A ReplicaSet cannot"), ("Deploymnt", "Did you mean Deployment?"), ("Service", "A Service")],
)
def test_other_kinds_are_refused(name: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        lib.kind_of(name)
    assert says in caught.value.message
    assert (caught.value.cause, caught.value.setting) == ("workload-kind-unsupported", "workload.kind")


def test_containers_are_those_that_run_first() -> None:
    pod = {"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}
    assert [item["name"] for item in lib.containers_of(pod)] == ["a", "b"]
    assert list(lib.containers_of({"containers": None})) == []
