# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers to probes and URLs say, which pods stand by, and which ready ones will end."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine, wait
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import probe_answers, said, url


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("ok", ""),
        ("", ""),
        ("not ready", ""),
        ('{"status":"DOWN"}', ""),
        ('{"status":"DOWN","database":"migration 0007 is pending"}', "database: migration 0007 is pending"),
        ('{"checks":[{"name":"db","error":"dial tcp 10.0.0.1:5432: i/o timeout"}]}', "dial tcp 10.0.0.1:5432"),
        ("<html><body><h1>503</h1>index is being built</body></html>", "index is being built"),
        ("[+]ping ok\n[-]database failed: connection refused\nhealthz check failed", "database: connection refused"),
        ("[-]leader failed: reason withheld\nhealthz check failed", "check leader failed"),
    ],
)
def test_what_an_answer_says_beyond_its_status(body: str, reason: str) -> None:
    found = probe_answers.reason_in(body)
    assert reason in found
    assert bool(reason) == bool(found)


def test_an_address_that_a_program_logs_is_named_as_its_service() -> None:
    services = [
        {"metadata": {"name": "headless"}, "spec": {"clusterIPs": ["None"]}},
        {"metadata": {"name": "cache"}, "spec": {"clusterIPs": ["10.96.80.57"]}},
    ]
    seen = Observation("Deployment", "shop", "orders", services=services)
    assert probe_answers.named(seen, "10.96.80.57") == "Service cache"
    assert probe_answers.named(seen, "10.0.0.9") == "10.0.0.9"


def pod(name: str, *, ready: bool, labels: t.Optional[dict[str, str]] = None) -> dict[str, t.Any]:
    status = "True" if ready else "False"
    return {
        "metadata": {"name": name, "uid": name, "labels": labels or {"app": "orders"}},
        "spec": {"nodeName": "worker", "containers": [{"name": "c", "ports": [{"containerPort": 8080}]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": status}, {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "c", "ready": ready, "restartCount": 0, "state": {"running": {}}}],
        },
    }


def replicas(*pods: dict[str, t.Any], **more: t.Any) -> Observation:
    workload = {
        "metadata": {"name": "orders", "generation": 1},
        "spec": {"replicas": len(pods)},
        "status": {"replicas": len(pods), "availableReplicas": len(pods), "observedGeneration": 1},
    }
    return Observation("ReplicaSet", "shop", "orders", workload=workload, pods=list(pods), full=True, **more)


def test_a_pod_that_says_that_another_leads_is_ready_by_design() -> None:
    answer = {"pod": "b", "status": 503, "body": "not the leader"}
    seen = replicas(pod("a", ready=True), pod("b", ready=False), answers=[answer], leases={"orders": "a_1"})
    assert wait.stands_by(seen)
    # nobody leads, it says nothing, or none is ready: then something is wrong
    assert not wait.stands_by(replicas(*seen.pods, answers=[answer], leases={"orders": "gone_1"}))
    assert not wait.stands_by(replicas(*seen.pods, answers=[], leases={"orders": "a_1"}))
    assert not wait.stands_by(replicas(pod("a", ready=False), pod("b", ready=False), answers=[answer]))


FORBIDDEN = (
    'E0101 00:00:00.000000       1 reflector.go:200] "Failed to watch" err="failed to list *v1.ConfigMap: configmaps is'
    ' forbidden: User \\"system:serviceaccount:shop:orders\\" cannot list resource \\"configmaps\\" in API group \\"\\"'
    ' in the namespace \\"shop\\"" logger="UnhandledError"'
)


def test_a_ready_program_that_may_not_watch_is_seen() -> None:
    assert wait.is_forbidden(replicas(pod("a", ready=True), logs={"a/c": FORBIDDEN}))
    # of the process run before, or of something else than a watch
    assert not wait.is_forbidden(replicas(pod("a", ready=True), logs={"a/c/previous": FORBIDDEN}))
    assert not wait.is_forbidden(replicas(pod("a", ready=True), logs={"a/c": "cannot list: nodes is forbidden"}))


def test_what_is_forbidden_names_account_verb_and_resource() -> None:
    told = said.telling([FORBIDDEN, 'I0101 00:00:10.000000 1 main.go:7] "Shutting down"'], ended=True)
    assert told is not None and told.kind is not None
    known = said.known(replicas(pod("a", ready=True)), pod("a", ready=True), "c", told.kind, told.said.text)
    assert known.cause == "rbac-forbidden"
    assert known.more == "ServiceAccount orders of shop may not list configmaps"


def test_an_error_before_an_unknown_last_one_is_not_taken_for_the_cause() -> None:
    lines = ["ERROR traces export: dial tcp: lookup otel on 10.0.0.1:53: no such host", "ERROR the license has expired"]
    told = said.telling(lines, ended=True)
    assert told is not None and told.contact is None and told.said.text == "the license has expired"
    told = said.telling([*lines[:1], "ERROR gave up after 3 attempts"], ended=True)
    assert told is not None and told.contact is not None and told.contact.host == "otel"


def service(**spec: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": "orders"}, "spec": {"selector": {"app": "orders"}, "ports": [{"port": 80}], **spec}}


@pytest.mark.parametrize(
    ("spec", "ports", "cause", "words"),
    [
        ({"selector": {"app": "orders-api"}}, {}, "service-without-endpoints", ("app=orders-api", "app=orders")),
        ({"ports": [{"port": 80, "targetPort": 8081}]}, {}, "service-without-endpoints", ("8081", "8080")),
        ({"ports": [{"port": 80, "targetPort": 8080, "nodePort": 30999}]}, {"39990": [30990]}, "url-unreachable",
         ("30990", "30999")),
        ({"ports": [{"port": 80, "targetPort": 8080}]}, {"39990": [30990]}, "url-unreachable", ("30990", "ClusterIP")),
        ({"ports": [{"port": 80, "targetPort": 8080, "nodePort": 30990}], "externalTrafficPolicy": "Local"},
         {"39990": [30990]}, "url-unreachable", ("externalTrafficPolicy", "worker")),
    ],
)  # fmt: skip
def test_each_step_from_a_url_to_the_pods_is_resolved(
    spec: dict[str, t.Any], ports: dict[str, list[int]], cause: str, words: tuple[str, ...]
) -> None:
    seen = replicas(pod("a", ready=True), services=[service(**spec)], url_ports=ports)
    seen.url, seen.url_answer = "http://127.0.0.1:39990/healthz", "Connection refused"
    assert engine.terminal_verdict(seen) is None
    verdict = engine.timeout_verdict(seen, 20)
    assert verdict.cause == cause
    assert [word for word in words if word not in verdict.sentence] == []


def test_what_the_runtime_writes_into_the_log_is_not_the_programs() -> None:
    """A program that is linked dynamically, in an image without its loader: the file is there, execve says ENOENT."""
    ended = {"terminated": {"exitCode": 255, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}}
    one = pod("a", ready=False)
    one["status"]["containerStatuses"][0].update(
        restartCount=2, lastState=ended, state={"waiting": {"reason": "CrashLoopBackOff"}}
    )
    seen = replicas(one, logs={"a/c": "exec /app/orders: no such file or directory"}, now="2026-01-01T00:01:00Z")
    verdict = engine.terminal_verdict(seen)
    assert verdict is not None
    assert verdict.cause == "command-missing"
    assert "linked dynamically" in verdict.sentence


def test_the_service_that_is_meant_is_named_whole() -> None:
    services = [
        {"metadata": {"name": "payments"}, "spec": {"selector": {"app": "payments"}}},
        {"metadata": {"name": "orders-api"}, "spec": {"selector": {"app": "order"}}},
    ]
    seen = replicas(pod("a", ready=True), services=services, url="http://127.0.0.1:1/", url_answer="refused")
    found = url._unselected(seen)
    assert "Service shop/orders-api selects app=order" in found.sentence
    assert "Service orders-api" in found.remedy
