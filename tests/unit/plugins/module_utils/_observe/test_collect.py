# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look asks of an address, of a node and of a log; the requests to a cluster are made by the faults on one."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
import typing as t
from pathlib import Path

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KubernetesError
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe import answers, collect, needed, on_nodes
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    HASH,
    Dependency,
    Observation,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import (
    Target,
    named_after,
    pod_selector,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import diagnosis

NOBODY: t.Any = None
TARGET = Target(kind="Deployment", namespace="demo", name="program", container="program")


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ({"matchLabels": {"app": "x"}}, "app=x"),
        ({"matchLabels": {"a": "1", "b/c": "2"}}, "a=1,b/c=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
        (
            {
                "matchLabels": {"app": "x"},
                "matchExpressions": [{"key": "a", "operator": "DoesNotExist", "values": None}],
            },
            "app=x,!a",
        ),
    ],
)
def test_selectors_as_queries_take_them(selector: dict[str, t.Any], wanted: str) -> None:
    assert pod_selector({"spec": {"selector": selector}}) == wanted


def test_the_path_of_a_workload() -> None:
    assert TARGET.path == "/apis/apps/v1/namespaces/demo/deployments/program"
    assert Target("StatefulSet", "a", "b").path == "/apis/apps/v1/namespaces/a/statefulsets/b"


# addresses


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status in the path; C(/slow) too late, C(/noise) with what is not HTTP."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.held.wait(60)  # type: ignore[attr-defined]
        if self.path == "/noise":
            self.wfile.write(b"SSH-2.0-noise\r\n")
            return
        self.send_response(int(self.path.strip("/")) if self.path.strip("/").isdigit() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.held = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.held.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "ready", "says"),
    [
        ("/200", True, "200"),
        ("/204", True, "204"),
        ("/404", False, "status 404"),
        ("/503", False, "status 503"),
        ("/noise", False, "SSH-2.0-noise"),
        ("/slow", False, "timed out"),
    ],
)
def test_an_address_is_ready_when_it_answers_well(
    address: str, path: str, ready: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "URL_TIMEOUT", 0.3 if path == "/slow" else 60.0)
    # the service is on this host: no proxy is for it
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    answered, answer = answers.ask(f"{address}{path}")
    assert answered is ready
    assert says in answer


def test_an_address_where_nobody_listens_says_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ready, answer = answers.ask(f"http://127.0.0.1:{probe.getsockname()[1]}/")
    assert not ready
    assert "refused" in answer


# nodes


def fake_podman(folder: Path, script: str) -> Podman:
    """A podman that does on this host what it is to do on a node."""
    path = folder / "podman"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Podman(str(path))


def test_the_files_of_every_pod_on_every_node_are_listed(tmp_path: Path) -> None:
    for name in ("one/pod-a/covmeta.1", "one/pod-a/covcounters.1.1.1", "two/pod-b/covmeta.1", "two/stray", "two/x/y/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    # podman exec NODE find FOLDER ...: each node has its own folder
    podman = fake_podman(tmp_path, f'shift; cd {tmp_path}/"$1" || exit 125; shift; exec "$@"')
    found = on_nodes.list_coverage(podman, ["one", "two"], ".")
    assert found == {"pod-a": ["covcounters.1.1.1", "covmeta.1"], "pod-b": ["covmeta.1"]}
    # a folder that is not there yet has no files
    assert on_nodes.list_coverage(podman, ["one"], "not-yet") == {}
    with pytest.raises(CommandError, match=re.escape("list . on node three")):
        on_nodes.list_coverage(podman, ["three"], ".")


PROCESS = 41


@pytest.mark.parametrize(
    ("programs", "instrumented", "cover"),
    [
        ({41: b"x runtime/coverage.initHook y"}, True, True),
        ({41: b"build\t-cover=true"}, False, True),
        ({41: b"nothing"}, False, False),
        # a shell that started the program
        ({41: b"shell", 42: b"runtime/coverage.initHook"}, True, True),
    ],
)
def test_whether_a_running_program_is_instrumented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[int, bytes], instrumented: bool, cover: bool
) -> None:
    for number, content in {**programs, 7: b"runtime/coverage.initHook of another container"}.items():
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "exe").write_bytes(content)
        (tmp_path / str(number) / "cgroup").write_text(f"0::/kubepods/{'abc' if number != 7 else 'def'}\n")
    # podman exec NODE COMMAND: the command runs here, over folders like those of /proc
    monkeypatch.setattr(on_nodes, "PROC", str(tmp_path))
    podman = fake_podman(tmp_path, 'shift 2; exec "$@"')
    found = on_nodes.program(podman, "node", "abc")
    assert (found["instrumented"], found["cover"], found["node"]) == (instrumented, cover, "node")
    with pytest.raises(ValueError, match="does not run"):
        on_nodes.program(podman, "node", "another")


def service(name: str, namespace: str = "shop", address: str = "10.96.0.7") -> dict[str, t.Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address, "clusterIPs": [address]}}


@pytest.mark.parametrize(
    ("host", "form", "found", "inside", "near"),
    [
        ("db", "refused", "db", True, []),
        ("db.shop", "refused", "db", True, []),
        ("db.shop.svc.cluster.local", "refused", "db", True, []),
        ("db.shop.svc.cluster.local.", "name", "db", True, []),
        ("10.96.0.7", "refused", "db", True, []),
        ("10.1.2.3", "refused", None, False, []),
        ("db.example.com", "refused", None, False, []),
        ("cahce", "name", None, True, ["cache.other"]),
        ("cache", "name", None, True, ["cache.other"]),
        ("dbb", "name", None, True, ["db"]),
    ],
)
def test_a_host_is_found_among_the_services(
    host: str, form: str, found: t.Optional[str], inside: bool, near: list[str]
) -> None:
    item = Dependency(host=host, port=1, form=form, line="")
    services = [service("db"), service("cache", "other", "10.96.0.8")]
    needed._service_of(item, services, "shop", "")
    assert (item.service["metadata"]["name"] if item.service else None) == found
    assert item.near[: len(near)] == near
    if found or not item.host.startswith("10."):
        assert item.inside is inside


def test_who_does_not_say_whom_he_asked_is_told_of_a_service() -> None:
    item = Dependency(host="", port=0, form="auth", line="")
    needed._service_of(item, [service("db"), service("cache")], "shop", "--dsn=postgres://u@db:5432/x")
    assert item.host == "db"
    other = Dependency(host="", port=0, form="auth", line="")
    needed._service_of(other, [service("db")], "shop", "--dsn=postgres://u@mydb:5432/x")
    assert other.service is None


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("DaemonSet", "/apis/apps/v1/namespaces/a/daemonsets/b"),
        ("Job", "/apis/batch/v1/namespaces/a/jobs/b"),
        ("CronJob", "/apis/batch/v1/namespaces/a/cronjobs/b"),
        ("Pod", "/api/v1/namespaces/a/pods/b"),
    ],
)
def test_the_path_of_each_kind(kind: str, path: str) -> None:
    assert Target(kind, "a", "b").path == path


# what a user may not see


def recorded_with_owners(fault: str) -> Observation:
    """A recording, with what is not kept of the pods: the ReplicaSet that made each."""
    seen = Observation.from_dict(json.loads((situations.FAULTS / f"{fault}.json").read_text(encoding="utf-8")))
    for pod in seen.pods:
        name = f"{seen.name}-{pod['metadata']['labels'][HASH]}"
        owner = {"kind": "ReplicaSet", "name": name, "uid": f"uid of {name}", "controller": True}
        pod["metadata"]["ownerReferences"] = [owner]
    return seen


class Narrow:
    """A cluster as a user sees it who may read pods, events and the workload of one namespace, and nothing else."""

    def __init__(self, seen: Observation) -> None:
        self.seen = seen

    def get(self, path: str) -> t.Any:
        return self.seen.workload if path.endswith(f"/deployments/{self.seen.name}") else self.refuse(path)

    def list(self, path: str, **_options: t.Any) -> list[t.Any]:
        what = path.rpartition("/")[2]
        if what in ("pods", "events"):
            return t.cast("list[t.Any]", getattr(self.seen, what))
        return t.cast("list[t.Any]", self.refuse(path))

    def logs(self, _namespace: str, pod: str, *_arguments: t.Any, **_options: t.Any) -> str:
        return str(self.refuse(f"pods/{pod}/log"))

    def refuse(self, path: str) -> t.Any:
        raise KubernetesError(f"The API server refused to GET {path}", status=403)


@pytest.mark.parametrize(
    ("fault", "cause", "says"),
    [
        ("image-name-wrong", "image-not-on-node", "is not on node"),
        ("configmap-missing", "config-map-missing", "service-settings"),
        ("node-selector-without-node", "node-selector", "it asks for a node with"),
        ("cpu-request-too-large", "cpu-request", "it asks for"),
        ("panic-at-start", "panic", "panics"),
        ("panic-at-start", "crash", "exit code 2"),
    ],
)
def test_a_verdict_from_what_one_may_see_names_what_one_may_not(fault: str, cause: str, says: str) -> None:
    recorded = recorded_with_owners(fault)
    if cause == "crash":
        # where the kubelet has kept no words either (terminationMessagePolicy: File)
        for status in recorded.pods[0]["status"]["containerStatuses"]:
            for state in (status["state"], status["lastState"]):
                state.get("terminated", {}).pop("message", None)
    target = Target("Deployment", recorded.namespace, recorded.name)
    seen = collect.observe_once(t.cast("t.Any", Narrow(recorded)), NOBODY, target)
    verdict = diagnosis.described(seen)["verdict"]
    assert verdict["cause"] == cause, verdict
    assert says in verdict["sentence"]
    for unknown in ("none has", "0 CPUs", "largest node"):
        assert unknown not in verdict["sentence"]
    unseen = "\n".join(seen.unseen)
    assert "ReplicaSets: " in unseen
    assert "nodes: " in unseen
    if cause == "crash":
        assert "pods/log" in verdict["remedy"]


def test_pods_of_another_workload_with_the_same_labels_are_not_taken_for_ones_own() -> None:
    pod = {
        "metadata": {
            "labels": {"pod-template-hash": "6d4f"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "x-6d4f"}],
        }
    }
    assert named_after([pod], {"metadata": {"name": "x"}}) == [pod]
    assert named_after([pod], {"metadata": {"name": "y"}}) == []


@pytest.mark.parametrize("name", ["image-name-wrong", "node-selector-without-node"])
def test_of_a_namespace_what_may_be_listed_is_told(name: str) -> None:
    recorded = recorded_with_owners(name)

    class Lists(Narrow):
        def list(self, path: str, **options: t.Any) -> list[t.Any]:
            return [self.seen.workload] if path.endswith("/deployments") else super().list(path, **options)

    found = diagnosis.targets_of(t.cast("t.Any", Lists(recorded)), recorded.namespace, "", "")
    assert [target.name for target in found] == [recorded.name]
    assert [item.partition(":")[0] for item in found[0].unseen] == [
        *("CronJobs", "DaemonSets", "Jobs", "ReplicaSets", "StatefulSets")
    ]
    with pytest.raises(KubernetesError):
        # only pods, and each of them belongs to something that may not be listed
        diagnosis.targets_of(t.cast("t.Any", Narrow(recorded)), recorded.namespace, "", "")
