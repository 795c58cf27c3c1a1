# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers of messages and logs, over what programs, drivers and Kubernetes write; and what rules do with it."""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe import contacts
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Dependency,
    Observation,
    condition,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine as rules
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import (
    admission,
    configuration,
    dependencies,
    image,
    scheduling,
)
from hypothesis import given
from hypothesis import strategies as st


def fault(name: str) -> Observation:
    """What the gate saw of a fault of the library."""
    return Observation.from_dict(json.loads((situations.FAULTS / f"{name}.json").read_text(encoding="utf-8")))


# what a log says that could not be reached


@pytest.mark.parametrize(
    ("line", "form", "host", "port"),
    [
        ("dial tcp 10.96.1.2:5432: connect: connection refused", "refused", "10.96.1.2", 5432),
        ("dial tcp [::1]:6379: connect: connection refused", "refused", "[::1]", 6379),
        (
            'Get "http://datastorage:8080/health": dial tcp 10.96.1.2:8080: connect: connection refused',
            *("refused", "datastorage", 8080),
        ),
        ('{"level":"error","error":"dial tcp 10.0.0.1:80: i/o timeout"}', "silent", "10.0.0.1", 80),
        ("dial tcp 10.0.0.1:80: connect: no route to host", "silent", "10.0.0.1", 80),
        ("dial tcp: lookup db on 10.96.0.10:53: no such host", "name", "db", 0),
        (
            "lookup db.shop.svc.cluster.local on 10.96.0.10:53: server misbehaving",
            "name",
            "db.shop.svc.cluster.local",
            0,
        ),
        ('could not translate host name "db" to address: Name or service not known', "name", "db", 0),
        ("Error: getaddrinfo ENOTFOUND cache", "name", "cache", 0),
        ("Error: connect ECONNREFUSED 10.96.1.2:6379", "refused", "10.96.1.2", 6379),
        (
            'connection to server at "db" (10.96.1.2), port 5432 failed: Connection refused',
            *("refused", "db", 5432),
        ),
        (
            "\t10.96.1.2:5432 (postgresql): failed SASL auth: FATAL: password authentication failed for user"
            ' "u" (SQLSTATE 28P01)',
            *("auth", "postgresql", 5432),
        ),
        ('pq: password authentication failed for user "u"', "auth", "", 0),
        ("WRONGPASS invalid username-password pair or user is disabled.", "auth", "", 0),
        ("NOAUTH Authentication required.", "auth", "", 0),
        ('ERROR: relation "audit_events" does not exist (SQLSTATE 42P01)', "schema", "", 0),
        ('pq: database "action_history" does not exist', "schema", "", 0),
        (
            'Post "https://hooks:443/x": tls: failed to verify certificate: x509: certificate signed by unknown',
            *("tls", "hooks", 443),
        ),
        (
            'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp'
            ' 10.96.7.7:50051: connect: connection refused"',
            *("refused", "10.96.7.7", 50051),
        ),
        # a password in an address stays out of the name
        (
            "cannot reach postgres://u:p@db:5432/x: dial tcp 10.0.0.9:5432: connect: connection refused",
            "refused",
            "db",
            5432,
        ),
    ],
)
def test_what_could_not_be_reached_is_read_from_a_line(line: str, form: str, host: str, port: int) -> None:
    (found,) = contacts.contacts([line])
    assert (found.form, found.host, found.port) == (form, host, port)
    assert found.line in line


@pytest.mark.parametrize(
    "line",
    [
        "listening on :8080",
        "listen tcp :8080: bind: address already in use",
        "connected to postgresql:5432",
        "probe of 10.0.0.1:80 succeeded",
        "lookup table loaded",
        "authentication enabled",
        "",
    ],
)
def test_an_ordinary_line_is_no_failed_contact(line: str) -> None:
    assert contacts.contacts([line]) == []


def test_the_last_contact_comes_first_and_each_once() -> None:
    refused = "dial tcp 10.0.0.{}:80: connect: connection refused"
    lines = [refused.format(1), refused.format(2), "retry", refused.format(1), "done"]
    assert [item.host for item in contacts.contacts(lines)] == ["10.0.0.1", "10.0.0.2"]


@given(st.lists(st.text()), st.lists(st.text()))
def test_any_log_can_be_read(before: list[str], after: list[str]) -> None:
    found = contacts.contacts([*before, "dial tcp 10.0.0.1:80: connect: connection refused", *after])
    assert ("refused", "10.0.0.1", 80) in [(item.form, item.host, item.port) for item in found]
    assert {item.form for item in found} <= {form for form, _pattern in contacts.FORMS}


# a dependency and what stands behind it


def down(seen: Observation, **changes: t.Any) -> tuple[t.Any, bool]:
    item = copy.deepcopy(seen.dependencies[0])
    for key, value in changes.items():
        setattr(item, key, value)
    rules.diagnose_what_is_behind(dataclasses.replace(seen, dependencies=[item]))
    return dependencies.dependency_verdict(seen, item, "Container x", "2026-11-23T19:00:00Z")


def test_the_cause_of_the_dependency_is_told_and_mentioned() -> None:
    verdict = rules.terminal_verdict(fault("two-dependency-and-its-image"))
    assert verdict is not None
    assert verdict.cause == "dependency-down"
    assert [item.cause for item in verdict.also][:1] == ["image-not-on-node"]
    assert "localhost/database:9" in verdict.sentence


def test_a_dependency_that_only_starts_is_no_cause_yet() -> None:
    seen = fault("two-dependency-and-its-image")
    (behind,) = seen.dependencies[0].workloads
    for pod in behind.pods:
        pod["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": seen.now}}
    verdict, terminal = down(seen, workloads=[behind])
    assert not terminal
    assert "0 of 1 pods ready" in verdict.sentence
    assert rules.terminal_verdict(seen) is None
    assert rules.timeout_verdict(seen, 20).cause == "dependency-down"


def test_a_dependency_that_became_ready_after_the_end_is_found_by_the_next_start() -> None:
    seen = fault("dependency-down")
    assert not down(seen, ready=1, ready_since="2026-11-23T19:00:05Z")[1]
    verdict, terminal = down(seen, ready=1, ready_since="2026-11-23T18:00:00Z")
    assert terminal
    assert "though 1 endpoint of it is ready" in verdict.sentence


def test_a_port_that_the_service_does_not_serve_is_named() -> None:
    verdict, terminal = down(fault("dependency-down"), ready=1, port=5433)
    assert terminal
    assert "port 5433, which it does not serve; it serves 5432" in verdict.sentence


def test_localhost_is_the_pod_itself() -> None:
    verdict, terminal = down(fault("dependency-down"), host="localhost", service=None)
    assert terminal
    assert "inside a pod that is the pod itself" in verdict.sentence


def test_an_address_outside_ends_nothing_at_the_first_end() -> None:
    seen = fault("dependency-down")
    for item in seen.dependencies:
        item.service, item.inside, item.host = None, False, "db.example.com"
    seen.pods[0]["status"]["containerStatuses"][0].update(restartCount=1, state={"running": {"startedAt": seen.now}})
    assert rules.terminal_verdict(seen) is None
    assert rules.timeout_verdict(seen, 20).cause == "dependency-down"


def test_a_name_that_is_there_by_now_is_no_cause() -> None:
    seen = fault("dependency-name-unknown")
    found = rules.terminal_verdict(seen)
    assert found is not None and found.cause == "dependency-name"
    service = {"metadata": {"name": "redis-cahce", "namespace": seen.namespace}, "spec": {}}
    for item in seen.dependencies:
        item.service = service
    assert rules.terminal_verdict(seen) is None


def test_a_dependency_that_is_only_mentioned_is_no_cause_before_the_time_is_over() -> None:
    seen = fault("dependency-not-ready")
    for item in seen.dependencies:
        item.form, item.line = "mentioned", "CACHE=cache:6379"
    assert rules.terminal_verdict(seen) is None
    verdict = rules.timeout_verdict(seen, 20)
    assert verdict.cause == "dependency-down"
    assert "probably needs Service" in verdict.sentence


def test_an_error_that_comes_late_is_the_cause_and_not_its_lateness() -> None:
    """More time for the probe would only bring the 503 to the kubelet."""
    seen = fault("dependency-not-ready")
    for event in seen.events:
        if "statuscode: 503" in event["message"]:
            event["message"] = (
                'Readiness probe failed: Get "http://10.244.1.119:8080/ready": context deadline exceeded'
                " (Client.Timeout exceeded while awaiting headers)"
            )
    for item in seen.answers:
        item.update(seconds=5.2, body="dial tcp 10.96.80.57:6379: i/o timeout")
    verdict = rules.timeout_verdict(seen, 30)
    assert verdict.cause == "dependency-down"
    assert "cache" in verdict.sentence
    for item in seen.answers:
        item.update(status=200, body="ok")
    assert rules.timeout_verdict(seen, 30).cause == "probe-timeout"


def test_every_form_has_a_verdict() -> None:
    seen = fault("dependency-down")
    for form in ("name", "auth", "schema", "tls", "refused", "silent", "mentioned"):
        verdict, _terminal = dependencies.dependency_verdict(seen, Dependency("db", 1, form, "its line"), "Container x")
        assert verdict.cause.startswith("dependency-")
        assert verdict.remedy.endswith(".")


# refusals


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'pods "x-" is forbidden: error looking up service account a/b: serviceaccount "b" not found',
            "service-account-missing",
        ),
        (
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0',
            "quota-exceeded",
        ),
        ('pods "x" is forbidden: failed quota: q: must specify limits.cpu for: program', "quota-exceeded"),
        ('pods "x" is forbidden: maximum memory usage per Container is 64Mi, but limit is 128Mi', "limit-range"),
        ('pods "x" is forbidden: no PriorityClass with name high was found', "priority-class-missing"),
        (
            'pods "x" is forbidden: unable to create new content in namespace shop because it is being terminated',
            "namespace-terminating",
        ),
        ('Pod "x" is invalid: spec.containers[0].name: Required value', "pods-not-created"),
    ],
)
def test_a_refusal_has_its_cause(message: str, cause: str) -> None:
    found, remedy = admission.refusal(message)
    assert found == cause
    assert remedy.endswith(".")
    assert "{" not in remedy


# nodes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500", 500),
        ("250m", 0.25),
        ("64Mi", 64 * 2**20),
        ("1e3", 1000),
        ("1.5Gi", 1.5 * 2**30),
        ("2k", 2000),
        ("x", 0),
        ("1Zi", 0),
    ],
)
def test_quantities(text: str, number: float) -> None:
    assert scheduling.quantity(text) == pytest.approx(number)


def test_what_others_use_may_become_free_and_what_no_node_has_never() -> None:
    seen = fault("cpu-request-too-large")
    found = rules.terminal_verdict(seen)
    assert found is not None and "512 CPUs, the largest node has" in found.sentence
    for node in seen.nodes:
        node["status"]["allocatable"]["cpu"] = "1000"
    assert rules.terminal_verdict(seen) is None
    assert "others use too much" in rules.timeout_verdict(seen, 20).sentence


def test_an_autoscaler_at_work_is_waited_for() -> None:
    seen = fault("cpu-request-too-large")
    (pod,) = seen.pods
    involved = {"uid": pod["metadata"]["uid"], "name": pod["metadata"]["name"]}
    seen.events.append({"reason": "TriggeredScaleUp", "involvedObject": involved, "message": "pod triggered scale-up"})
    assert rules.terminal_verdict(seen) is None


def test_a_port_that_the_older_pod_of_the_workload_holds_needs_another_strategy() -> None:
    seen = fault("host-port-taken")
    found = rules.terminal_verdict(seen)
    assert found is not None and "port-holder" in found.sentence
    (holder,) = seen.port_holders
    seen.pods.append({**holder, "metadata": {**holder["metadata"], "labels": {}}})
    found = rules.terminal_verdict(seen)
    assert found is not None and "Recreate" in found.remedy
    holder["metadata"]["deletionTimestamp"] = seen.now
    assert rules.terminal_verdict(seen) is None


def test_a_taint_is_one_of_the_nodes_that_the_pod_asks_for() -> None:
    seen = fault("node-tainted")
    assert rules.timeout_verdict(seen, 20).cause == "taint"
    for node in seen.nodes:
        node["metadata"]["labels"].pop("node-role.kubernetes.io/control-plane", None)
    assert rules.timeout_verdict(seen, 20).cause == "node-selector"


# images


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("a@sha256:0", "docker.io/library/a@sha256:0"),
    ],
)
def test_an_image_has_the_name_that_containerd_gives_it(name: str, other: str) -> None:
    assert other in image.spellings(name)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("failed to resolve reference: unexpected status from HEAD request: 401 Unauthorized", "image-pull-secret"),
        ("pull access denied, repository does not exist or may require authorization", "image-not-in-registry"),
        ('failed to resolve reference "r/x:2": r/x:2: not found', "image-not-in-registry"),
        ("dial tcp: lookup r on 10.0.0.1:53: no such host", "registry-unreachable"),
        ("no match for platform in manifest: not found", "wrong-architecture"),
        ("something else", "image-not-on-node"),
    ],
)
def test_what_a_registry_answers(message: str, cause: str) -> None:
    seen = fault("image-pull-secret-missing")
    seen.names, seen.images = {}, {}
    seen.events = [event for event in seen.events if "PullSecret" not in event["reason"]]
    for pod in seen.pods:
        pod["spec"].pop("imagePullSecrets", None)
        for status in pod["status"]["containerStatuses"]:
            if "waiting" in status["state"]:
                status["state"]["waiting"] = {"reason": "ImagePullBackOff", "message": message}
    assert rules.timeout_verdict(seen, 20).cause == cause


def test_the_first_failure_to_reach_a_registry_may_be_the_networks() -> None:
    seen = fault("image-pull-secret-missing")
    for pod in seen.pods:
        for status in pod["status"]["containerStatuses"]:
            if "waiting" in status["state"]:
                status["state"]["waiting"] = {"reason": "ErrImagePull", "message": "dial tcp 1.2.3.4:443: i/o timeout"}
    found = rules.terminal_verdict(seen)
    assert found is None or found.cause != "registry-unreachable"


# configuration


def test_what_a_pod_names_is_found_wherever_it_stands() -> None:
    spec = {
        "serviceAccountName": "robot",
        "volumes": [
            {"configMap": {"name": "a", "items": [{"key": "k"}]}},
            {"secret": {"secretName": "b"}},
            {"secret": {"secretName": "c", "optional": True}},
            {"projected": {"sources": [{"configMap": {"name": "d"}}, {"secret": {"name": "e"}}]}},
            {"persistentVolumeClaim": {"claimName": "f"}},
        ],
        "initContainers": [{"name": "first", "envFrom": [{"configMapRef": {"name": "g"}}]}],
        "containers": [
            {"name": "x", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "h", "key": "k"}}}]},
            {
                "name": "y",
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "i", "key": "k", "optional": True}}}],
            },
        ],
    }
    found = {(item.kind, item.name) for item in configuration.references(spec)}
    assert found == {
        ("ServiceAccount", "robot"),
        *(("ConfigMap", name) for name in "adg"),
        *(("Secret", name) for name in "beh"),
        ("PersistentVolumeClaim", "f"),
    }


def test_a_second_fault_of_the_same_container_is_mentioned() -> None:
    seen = fault("image-name-wrong")
    assert seen.workload is not None
    (container,) = seen.workload["spec"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    seen.names["ConfigMap"] = ["setings"]
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None
    assert verdict.cause == "image-not-on-node"
    assert [item.cause for item in verdict.also] == ["config-map-missing"]
    assert "the nearest ConfigMap is setings" in verdict.also[0].sentence


def test_a_configmap_that_went_after_the_start_is_no_fault() -> None:
    seen = fault("healthy-slow")
    assert seen.workload is not None
    (container,) = seen.workload["spec"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    seen.names["ConfigMap"], seen.full = [], True
    assert list(configuration.references_missing(seen)) == []


# ends


def ended(log: str, code: int = 1) -> t.Any:
    """The verdict over a program that ended again and again with that log."""
    seen = fault("config-file-missing")
    seen.logs = {key: log for key in seen.logs}
    for pod in seen.pods:
        for status in pod["status"]["containerStatuses"]:
            for state in (status["state"], status["lastState"]):
                if "terminated" in state:
                    state["terminated"].update(exitCode=code, message="")
    return rules.terminal_verdict(seen)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("open /etc/app/config.yaml: no such file or directory", "config-file-missing"),
        ("flag provided but not defined: -x\nUsage of app:\n  -a\n  -b", "bad-argument"),
        ("Error: unknown flag: --x\nUsage:\n" + "  app [flags]\n" * 40, "bad-argument"),
        ('invalid value "x" for flag -port: parse error\nUsage of app:', "bad-argument"),
        ("yaml: line 3: mapping values are not allowed in this context", "config-error"),
        ("DATABASE_URL is required", "config-error"),
        ("failed to load config: missing key", "config-error"),
        ("listen tcp :8080: bind: address already in use", "port-in-use"),
        ("listen tcp :80: bind: permission denied", "port-not-allowed"),
        ("open /var/lib/app/x.db: permission denied", "file-permission"),
        ("mkdir /data: read-only file system", "file-permission"),
        ('no matches for kind "Notification" in version "kubernaut.ai/v1"', "crd-missing"),
        ("the server could not find the requested resource", "crd-missing"),
        (
            'leases.coordination.k8s.io is forbidden: User "system:serviceaccount:a:b" cannot list resource "leases"',
            "rbac-forbidden",
        ),
        ("exec /app: exec format error", "wrong-architecture"),
        ("panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\nexit status 2", "panic"),
        ("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)]:", "panic"),
        # what a panic is about comes before that it is one
        ("panic: open /etc/app.yaml: no such file or directory\n\ngoroutine 1 [running]:", "config-file-missing"),
        ("good bye", "crash"),
        ("", "crash"),
    ],
)
def test_the_last_words_of_a_program(log: str, cause: str) -> None:
    assert ended(log).cause == cause


def test_of_a_panic_its_line_and_its_goroutine_are_quoted_however_long_the_stack_is() -> None:
    others = "".join(f"\ngoroutine {number} [chan receive]:\nx.y()\n\t/src/x.go:1\n" for number in range(2, 60))
    verdict = ended(
        f"ready\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\n{others}", code=2
    )
    assert verdict.sentence.endswith("panic: boom (main.go:7)")
    assert "goroutine 1 [running]:" in verdict.evidence
    assert "ready" not in verdict.evidence


def test_killed_with_a_limit_and_by_nobody_is_out_of_memory() -> None:
    seen = fault("out-of-memory-at-start")
    for status in seen.pods[0]["status"]["containerStatuses"]:
        for state in (status["state"], status["lastState"]):
            if "terminated" in state:
                state["terminated"].update(reason="Error", exitCode=137)
    seen.events = [event for event in seen.events if event["reason"] != "Killing"]
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "out-of-memory"
    for item in seen.pods[0]["spec"]["containers"]:
        item["resources"] = {}
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "crash"


# the workload


def test_who_asks_for_nothing_will_get_nothing() -> None:
    seen = fault("healthy-slow")
    assert seen.workload is not None
    seen.workload["spec"]["replicas"] = 0
    seen.pods = []
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "scaled-to-zero"


def test_a_rollout_that_is_paused_is_named_as_long_as_it_is_not_complete() -> None:
    seen = fault("healthy-slow")
    assert seen.workload is not None
    seen.workload["spec"]["paused"] = True
    assert rules.terminal_verdict(seen) is None
    seen.workload["metadata"]["generation"] += 1
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "rollout-paused"


def test_a_job_that_is_suspended_starts_nothing() -> None:
    seen = fault("healthy-job")
    assert seen.workload is not None
    seen.workload["spec"]["suspend"] = True
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "workload-suspended"


def test_a_job_that_failed_and_has_no_pod_left_is_named_by_its_condition() -> None:
    seen = fault("job-fails")
    seen.pods = []
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "job-failed"
    assert seen.workload is not None
    for kind in ("Failed", "FailureTarget"):
        if condition(seen.workload, kind):
            condition(seen.workload, kind).update(reason="DeadlineExceeded")
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "job-deadline"


def test_a_daemon_set_that_fits_no_node_is_named() -> None:
    seen = fault("healthy-daemonset")
    assert seen.workload is not None
    seen.workload["status"].update(desiredNumberScheduled=0, numberAvailable=0, updatedNumberScheduled=0)
    seen.pods = []
    verdict = rules.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "node-selector"


# probes


def test_another_port_that_answers_worse_is_the_likeliest_cause_too() -> None:
    seen = fault("probe-port-wrong")
    for item in seen.answers:
        item["status"] = item["status"] and 404
    assert rules.terminal_verdict(seen) is None
    assert rules.timeout_verdict(seen, 20).cause == "probe-port"


def test_a_port_that_answers_by_now_is_only_slow() -> None:
    seen = fault("probe-port-wrong")
    seen.answers.append({**seen.answers[0], "port": 8081, "path": "/ready", "status": 200})
    assert rules.terminal_verdict(seen) is None
    assert rules.timeout_verdict(seen, 20).cause == "slow-start"


def test_a_path_that_is_there_by_now_is_no_cause() -> None:
    seen = fault("probe-path-wrong")
    assert rules.timeout_verdict(seen, 20).cause == "probe-path"
    for item in seen.answers:
        if item["path"] == "/readyz":
            item["status"] = 200
    assert rules.terminal_verdict(seen) is None


def test_a_probe_that_failed_only_now_is_no_cause() -> None:
    seen = fault("probe-path-wrong")
    for event in seen.events:
        if event["reason"] == "Unhealthy":
            event["firstTimestamp"] = seen.now
    assert rules.terminal_verdict(seen) is None
