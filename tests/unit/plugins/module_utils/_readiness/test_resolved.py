# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log or the kubelet names is resolved against the manifest: variables, volumes, ports, members, redirects."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.kinds import kind_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.needed import Needed
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.reader import Reader
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine, wait

Object = dict[str, t.Any]
NOW = "2026-01-01T00:01:00Z"
START = "2026-01-01T00:00:00Z"


def pod(name: str, *, ready: bool = False, spec: t.Optional[Object] = None, **container: t.Any) -> Object:
    own = {"name": "c", "ports": [{"name": "web", "containerPort": 8080}], **container}
    status = "True" if ready else "False"
    return {
        "metadata": {"name": name, "uid": name, "labels": {"app": "orders"}, "creationTimestamp": START},
        "spec": {"nodeName": "worker", "containers": [own], **(spec or {})},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": status}, {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {"name": "c", "ready": ready, "restartCount": 0, "state": {"running": {"startedAt": START}}}
            ],
        },
    }


def ended(one: Object, code: int = 1, reason: str = "Error") -> Object:
    one["status"]["containerStatuses"][0].update(
        restartCount=2,
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": code, "reason": reason, "startedAt": START, "finishedAt": START}},
    )
    return one


def of(*pods: Object, kind: str = "ReplicaSet", spec: t.Optional[Object] = None, **more: t.Any) -> Observation:
    ready = sum(item["status"]["conditions"][0]["status"] == "True" for item in pods)
    workload = {
        "metadata": {"name": "orders", "generation": 1},
        "spec": {"replicas": len(pods), **(spec or {})},
        "status": {
            **{"replicas": len(pods), "availableReplicas": ready, "readyReplicas": ready, "updatedReplicas": len(pods)},
            "observedGeneration": 1,
        },
    }
    return Observation(
        kind, "shop", "orders", workload=workload, pods=list(pods), full=True, now=NOW, waited=60, **more
    )


def service(name: str = "orders", **spec: t.Any) -> Object:
    metadata = {"name": name, "namespace": "shop"}
    return {"metadata": metadata, "spec": {"selector": {"app": "orders"}, "ports": [{"port": 80}], **spec}}


# settings

LINKED = (
    "load settings: envconfig.Process: assigning ORDERS_PORT to Port: converting 'tcp://10.96.0.9:8080' to type int."
    ' details: strconv.ParseInt: parsing "tcp://10.96.0.9:8080": invalid syntax'
)


@pytest.mark.parametrize(
    ("text", "kind", "part", "value"),
    [
        # words that fit many texts come before the one that names something
        (LINKED, "malformed", "given", "tcp://10.96.0.9:8080"),
        ('config is invalid: strconv.Atoi: parsing "http": invalid syntax', "malformed", "value", "http"),
        ("config file: open /etc/orders/a.yml: no such file or directory", "file-missing", "path", "/etc/orders/a.yml"),
        ("missing an environment variable: DATABASE_URL is not set", "variable-missing", "after", "DATABASE_URL"),
    ],
)
def test_what_a_text_names_is_read_wherever_it_is(text: str, kind: str, part: str, value: str) -> None:
    found = kind_of(text)
    assert found is not None and found.name == kind
    assert found.named.get(part) == value


def test_a_variable_of_a_service_that_a_reader_of_settings_takes_is_explained() -> None:
    line = json.dumps({"level": "ERROR", "msg": "unable to initialize application", "err": LINKED})
    one = ended(pod("a"))
    seen = of(one, services=[service(clusterIP="10.96.0.9", ports=[{"port": 8080}])], logs={"a/c": line})
    verdict = engine.terminal_verdict(seen)
    assert verdict is not None and verdict.cause == "config-error"
    assert "ORDERS_PORT" in verdict.sentence
    assert "Service orders" in verdict.sentence
    assert "enableServiceLinks: false" in verdict.remedy


# memory


@pytest.mark.parametrize(
    ("medium", "more"), [("Memory", ("/cache", "emptyDir", "medium Memory")), ("", ())], ids=["memory", "disk"]
)
def test_what_counts_against_a_limit_of_memory_is_named(medium: str, more: tuple[str, ...]) -> None:
    volume = {"name": "t", "emptyDir": {"medium": medium} if medium else {}}
    one = pod("a", spec={"volumes": [volume]}, resources={"limits": {"memory": "32Mi"}})
    one["spec"]["containers"][0].update(resources={"limits": {"memory": "32Mi"}})
    one["spec"]["containers"][0]["volumeMounts"] = [{"name": "t", "mountPath": "/cache"}]
    verdict = engine.terminal_verdict(of(ended(one, 137, "OOMKilled")))
    assert verdict is not None and verdict.cause == "out-of-memory"
    assert "32Mi" in verdict.sentence
    assert [word for word in more if word not in verdict.sentence] == []
    assert ("emptyDir" in verdict.sentence) == bool(medium)


# the way from an address


def by_name(target: str, node_port: int = 30990) -> Observation:
    ports = [{"port": 8080, "targetPort": target, "nodePort": node_port}]
    slices = [{"metadata": {"labels": {"kubernetes.io/service-name": "orders"}}, "ports": [], "endpoints": []}]
    seen = of(pod("a", ready=True), services=[service(ports=ports)], endpoint_slices=slices)
    seen.url, seen.url_answer, seen.url_ports = "http://127.0.0.1:39990/healthz", "refused", {"39990": [30990]}
    return seen


def test_a_target_port_by_a_name_that_no_container_has_is_final() -> None:
    verdict = engine.terminal_verdict(by_name("http"))
    assert verdict is not None and verdict.cause == "service-without-endpoints"
    assert "port name http" in verdict.sentence
    assert "web (8080)" in verdict.sentence
    assert "targetPort" in verdict.remedy


def test_a_name_that_is_there_or_is_not_on_the_way_ends_nothing() -> None:
    assert engine.terminal_verdict(by_name("web")) is None
    # the address leads to another port of the node: another Service may serve it
    assert engine.terminal_verdict(by_name("http", node_port=30991)) is None
    # another port of the same Service leads on
    seen = by_name("http")
    seen.services[0]["spec"]["ports"].append({"port": 80, "targetPort": 8080, "nodePort": 30990})
    assert engine.terminal_verdict(seen) is None


# probes


def asked(message: str, *, status: int = 308, **handler: t.Any) -> Observation:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, **handler}, "periodSeconds": 2}
    event = {
        "type": "Warning",
        "reason": "Unhealthy",
        "message": f"Readiness probe failed: {message}",
        "involvedObject": {"kind": "Pod", "name": "a", "uid": "a", "fieldPath": "spec.containers{c}"},
        "firstTimestamp": START,
        "lastTimestamp": NOW,
        "count": 20,
    }
    answers = [{"pod": "a", "container": "c", "port": 8080, "path": "/healthz", "status": status, "seconds": 0.0}]
    return of(pod("a", readinessProbe=probe), events=[event], answers=answers)


REFUSED = 'Get "https://10.244.1.13/healthz": dial tcp 10.244.1.13:443: connect: connection refused'


def test_a_probe_that_was_redirected_to_https_is_not_called_slow() -> None:
    verdict = engine.timeout_verdict(asked(REFUSED), 20)
    assert verdict.cause == "probe-scheme"
    assert "redirect" in verdict.sentence
    assert "308" in verdict.sentence
    assert "https://10.244.1.13/healthz" in verdict.sentence
    assert "spec.containers[0].readinessProbe" in verdict.remedy


def test_a_probe_that_was_redirected_elsewhere_or_in_a_circle_is_a_matter_of_its_path() -> None:
    for message in (
        'Get "http://10.244.1.13:8080/login": dial tcp 10.244.1.13:8080: connect: connection refused',
        'Get "/healthz/": stopped after 10 redirects',
    ):
        verdict = engine.timeout_verdict(asked(message, status=302), 20)
        assert verdict.cause == "probe-path"
        assert "redirect" in verdict.sentence


def test_an_answer_that_is_a_redirect_is_not_a_good_one_yet() -> None:
    message = 'Get "http://10.244.1.13:8080/healthz": dial tcp 10.244.1.13:8080: connect: connection refused'
    assert engine.timeout_verdict(asked(message, status=200), 20).cause == "slow-start"
    assert "redirect" not in engine.timeout_verdict(asked(message, status=200), 20).sentence
    # the probe itself asks so
    https = asked(REFUSED.replace("10.244.1.13/", "10.244.1.13:8080/"), status=0, scheme="HTTPS")
    assert "redirect" not in engine.timeout_verdict(https, 20).sentence


# members of a headless Service, and what a client does not say

NO_HOST = "resolve member {0}: lookup {0} on 10.96.0.10:53: no such host"


class Cluster:
    """Lists what a test has, whatever the path."""

    def __init__(self, services: list[Object]) -> None:
        self.services = services

    def list(self, path: str, **_query: t.Any) -> list[Object]:
        return self.services if path.endswith("/services") else []


def needs(seen: Observation) -> Observation:
    reader = Reader(t.cast(t.Any, Cluster(seen.services)), seen)
    Needed(reader, {}, (), lambda target: Observation(target.kind, target.namespace, target.name)).find()
    return seen


def members(*, spec: t.Optional[Object] = None, **of_service: t.Any) -> Observation:
    log = NO_HOST.format("orders-1.orders.shop.svc.cluster.local")
    pods = [pod(f"orders-{number}", spec={"subdomain": "orders"}) for number in range(2)]
    return needs(
        of(*pods, kind="StatefulSet", spec=spec or {}, services=[service(**of_service)], logs={"orders-0/c": log})
    )


def test_a_member_without_a_name_before_it_is_ready_is_explained() -> None:
    verdict = engine.timeout_verdict(members(clusterIP="None"), 20)
    assert verdict.cause == "dependency-name"
    assert "orders-1.orders.shop.svc.cluster.local" in verdict.sentence
    assert "pod orders-1 is not ready" in verdict.sentence
    assert "publishNotReadyAddresses" in verdict.sentence
    assert verdict.remedy == "Set publishNotReadyAddresses: true in Service orders."


def test_other_reasons_of_a_member_without_a_name() -> None:
    not_headless = engine.timeout_verdict(members(clusterIP="10.96.0.9"), 20)
    assert "is not headless" in not_headless.sentence
    assert "clusterIP: None" in not_headless.remedy

    seen = members(clusterIP="None", publishNotReadyAddresses=True)
    for one in seen.pods:
        one["spec"]["subdomain"] = "members"
    other = engine.timeout_verdict(seen, 20)
    assert "subdomain members" in other.sentence
    assert "serviceName" in other.remedy

    alone = members(clusterIP="None", publishNotReadyAddresses=True)
    alone.pods = alone.pods[:1]
    assert "no pod orders-1" in engine.timeout_verdict(alone, 20).sentence
    assert "podManagementPolicy" in engine.timeout_verdict(alone, 20).remedy


def test_what_was_asked_is_named_with_its_port_where_only_the_manifest_says_it() -> None:
    one = ended(pod("a", args=["-bus=nats://user:x@nats:4222"]))
    nats = service("nats", selector={"app": "nats"}, ports=[{"port": 4222}])
    seen = needs(of(one, services=[nats], logs={"a/c": "connect: nats: no servers available for connection"}))
    verdict = engine.terminal_verdict(copy.deepcopy(seen))
    assert verdict is not None and verdict.cause == "dependency-down"
    assert "Service shop/nats (nats:4222 in its configuration)" in verdict.sentence


# which file, which variable


def reads(error: str, *, args: t.Sequence[str] = (), **more: t.Any) -> Observation:
    volumes = [{"name": "v", "configMap": {"name": "orders-config"}}]
    one = pod("a", spec={"volumes": volumes}, args=list(args), volumeMounts=[{"name": "v", "mountPath": "/etc/orders"}])
    keys = {"orders-config": ["config.yaml"], "orders-env": ["DATABASE_URL"]}
    one["spec"]["containers"][0].update(more)
    return of(ended(one), keys=keys, logs={"a/c": f'{{"level":"fatal","message":"initialize","error":"{error}"}}'})


YAML = "yaml: unmarshal errors:\\n  line 2: cannot unmarshal !!str `http` into int"


@pytest.mark.parametrize("args", [["-config=/etc/orders/config.yaml"], ["--config", "/etc/orders/config.yaml"], []])
def test_the_file_that_cannot_be_read_is_named_with_its_config_map(args: list[str]) -> None:
    verdict = engine.terminal_verdict(reads(YAML, args=args))
    assert verdict is not None and verdict.cause == "config-error"
    assert "/etc/orders/config.yaml" in verdict.sentence
    assert verdict.remedy == "Correct config.yaml in ConfigMap orders-config."


def test_no_file_is_named_where_several_could_be_meant() -> None:
    seen = reads(YAML)
    seen.keys["orders-config"].append("routes.yaml")
    verdict = engine.terminal_verdict(seen)
    assert verdict is not None
    assert "ConfigMap orders-config" not in verdict.sentence
    assert "the ConfigMap, the variables or the arguments" in verdict.remedy


def test_a_variable_with_the_prefix_of_its_source_is_explained() -> None:
    source = {"prefix": "APP_", "configMapRef": {"name": "orders-env"}}
    verdict = engine.terminal_verdict(reads("required key DATABASE_URL missing value", envFrom=[source]))
    assert verdict is not None and verdict.cause == "config-error"
    assert "APP_DATABASE_URL" in verdict.sentence
    assert "prefix APP_" in verdict.sentence
    assert "prefix" in verdict.remedy


# time


def still(ready_since: str, minimum: int, timeout: float) -> Observation:
    one = pod("a", ready=True)
    one["status"]["conditions"][0]["lastTransitionTime"] = ready_since
    seen = of(one, spec={"minReadySeconds": minimum})
    assert seen.workload is not None
    seen.workload["status"]["availableReplicas"] = 0
    seen.waited, seen.timeout = 10, timeout
    return seen


def test_what_cannot_be_available_before_the_wait_is_over_ends_it() -> None:
    # at 00:01:00, after 10 s of a wait
    verdict = engine.terminal_verdict(still("2026-01-01T00:00:55Z", 600, 120))
    assert verdict is not None and verdict.cause == "min-ready-seconds"
    assert engine.terminal_verdict(still("2026-01-01T00:00:55Z", 600, 660)) is None
    assert engine.terminal_verdict(still("2026-01-01T00:00:55Z", 60, 120)) is None
    # it was ready long before the wait began
    assert engine.terminal_verdict(still("2025-12-31T23:52:00Z", 600, 120)) is None
    # how long the wait may be is not known
    assert engine.terminal_verdict(still("2026-01-01T00:00:55Z", 600, 0)) is None


CALL = 'Internal error occurred: failed calling webhook "inject.example.com": failed to call webhook: {0}'
POST = 'Post "https://injector.shop.svc:443/mutate?timeout=3s": {0}'


@pytest.mark.parametrize(
    ("why", "final"),
    [
        (POST.format("dial tcp 10.96.220.104:443: connect: connection refused"), False),
        (POST.format("context deadline exceeded"), False),
        (POST.format("EOF"), False),
        ('service "injector" not found', True),
        (POST.format("no endpoints available for service injector"), True),
        (POST.format("tls: failed to verify certificate: x509: certificate signed by unknown authority"), True),
    ],
)
def test_a_webhook_that_may_only_be_starting_is_waited_for(why: str, final: bool) -> None:
    replicas = of()
    assert replicas.workload is not None
    replicas.workload["spec"]["replicas"] = 1
    replicas.workload["metadata"]["creationTimestamp"] = "2026-01-01T00:00:50Z"
    failed = {"type": "ReplicaFailure", "status": "True", "message": CALL.format(why)}
    replicas.workload["status"]["conditions"] = [failed]
    assert (engine.terminal_verdict(replicas) is not None) == final
    assert engine.timeout_verdict(replicas, 20).cause == "admission-webhook-unreachable"
    # the controller calls it after more and more time: what it said may be old
    replicas.now = "2026-01-01T00:02:00Z"
    assert (engine.terminal_verdict(replicas) is not None) == final


KIND = (
    '{"level":"error","logger":"controller-runtime.source.Kind","msg":"if kind is a CRD, it should be installed before'
    ' calling Start","kind":"Widget.example.com","error":"no matches for kind \\"Widget\\" in version'
    ' \\"example.com/v1\\""}'
)


INFORMER = (
    '{"level":"error","msg":"failed to get informer from cache","error":"failed to get restmapping: unable to retrieve'
    ' the complete list of server APIs: example.com/v1: no matches for example.com/v1, Resource="}'
)


@pytest.mark.parametrize("line", [KIND, INFORMER])
def test_a_program_that_gave_up_on_a_kind_lacks_its_definition(line: str) -> None:
    last = '{"level":"error","msg":"problem running manager","error":"failed to wait for orders caches to sync"}'
    verdict = engine.terminal_verdict(of(ended(pod("a")), logs={"a/c": f"{line}\n{last}"}))
    assert verdict is not None and verdict.cause == "crd-missing"
    assert "example.com/v1" in verdict.sentence
    assert "CustomResourceDefinition" in verdict.remedy


def test_a_ready_program_whose_kind_is_missing_is_seen() -> None:
    assert wait.is_forbidden(of(pod("a", ready=True), logs={"a/c": KIND}))
    assert wait.is_forbidden(of(pod("a", ready=True), logs={"a/c": INFORMER}))
    # of something else than a watch
    assert not wait.is_forbidden(of(pod("a", ready=True), logs={"a/c": 'no matches for kind "Widget"'}))


@pytest.mark.parametrize(
    ("line", "names"),
    [("exec /app/entrypoint: exec format error", "#!"), ("runtime: bad taggedPointerPack: 0x1", "")],
)
def test_a_file_that_no_kernel_runs_may_be_a_script_without_its_first_line(line: str, names: str) -> None:
    verdict = engine.terminal_verdict(of(ended(pod("a")), logs={"a/c": line}))
    assert verdict is not None and verdict.cause == "wrong-architecture"
    assert names in verdict.remedy


@pytest.mark.parametrize(
    ("restarts", "code", "started", "outlived"),
    [
        (2, 1, "2026-01-01T00:00:50Z", False),
        (2, 1, "2026-01-01T00:00:45Z", True),
        # once may have been a wait for a dependency; an end with 0 is none of those
        (1, 1, "2026-01-01T00:00:50Z", True),
        (2, 0, "2026-01-01T00:00:50Z", True),
    ],
)
def test_what_ends_again_and_again_is_ready_when_it_is_older_than_before(
    restarts: int, code: int, started: str, outlived: bool
) -> None:
    one = pod("a", ready=True)
    before = {"exitCode": code, "startedAt": "2026-01-01T00:00:10Z", "finishedAt": "2026-01-01T00:00:20Z"}
    one["status"]["containerStatuses"][0].update(
        restartCount=restarts, state={"running": {"startedAt": started}}, lastState={"terminated": before}
    )
    assert wait.has_outlived(of(one)) == outlived
    # after 20 s it counts as ready, however long it ran before
    before["finishedAt"] = "2026-01-01T01:00:00Z"
    one["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": "2026-01-01T00:00:30Z"}}
    assert wait.has_outlived(of(one))
