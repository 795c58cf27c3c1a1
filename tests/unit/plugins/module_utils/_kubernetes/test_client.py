# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a cluster: the official client against a small HTTP server that answers as an API server does."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import threading
import typing as t
import urllib.parse
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import client as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access

POD: dict[str, t.Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "demo"}}
NEVER_THERE = "/api/v1/namespaces/demo/pods/none"
RESOURCES = {
    "/api/v1": [("pods", "Pod", True), ("nodes", "Node", False), ("namespaces", "Namespace", False)],
    "/apis/apps/v1": [("deployments", "Deployment", True)],
}


class ApiServer(http.server.BaseHTTPRequestHandler):
    """A very small API server. C(server.asked) has every request but those of the discovery."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        path, _question, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        discovery = self._discovery(path)
        if discovery is not None:
            self._send(200, discovery)
            return
        asked = dict(urllib.parse.parse_qsl(query))
        t.cast("Server", self.server).asked.append((self.command, path, asked, self.headers, body))
        name = path.removesuffix("/log").rpartition("/")[2]
        refusals = {
            "none": (404, 'pods "none" not found'),
            "forbidden": (403, "pods is forbidden: exceeded quota"),
            "stranger": (401, "Unauthorized"),
            "waiting": (400, "container is waiting to start: ContainerCreating"),
        }
        if name in refusals:
            code, message = refusals[name]
            self._send(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})
        elif name == "refused":
            self._send(403, {"kind": "Status", "code": 403, **t.cast("Server", self.server).refusal})
        elif name == "broken":
            self._send(500, b"upstream connect error", "text/plain")
        elif path.endswith("/log") and self.headers["Accept"] == "application/json":
            self._send(406, b"only text/plain", "text/plain")
        elif name == "timed":
            lines = b"2026-11-24T12:00:01.000000001Z one word\n2026-11-24T12:00:02.000000000Z \n"
            self._send(200, lines, "text/plain")
        elif path.endswith("/log"):
            gone = b"unable to retrieve container logs for containerd://x"
            self._send(200, gone if name == "gone" else b"line 1\nline \xff\n", "text/plain")
        elif asked.get("watch"):
            self._watch(asked)
        elif path.endswith("/pods"):
            self._send(200, {"items": [POD], "metadata": {"resourceVersion": "7"}})
        else:
            self._send(200, {**POD, "metadata": {**POD["metadata"], "resourceVersion": "8"}})

    do_GET = do_PATCH = do_DELETE = do_POST = do_PUT = _answer

    def _discovery(self, path: str) -> t.Optional[dict[str, t.Any]]:
        groups = [{"groupVersion": "apps/v1", "version": "v1"}]
        known = {
            "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {
                "kind": "APIGroupList",
                "groups": [{"name": "apps", "versions": groups, "preferredVersion": groups[0]}],
            },
        }
        if path in RESOURCES:
            resources = [
                {"name": name, "kind": kind, "namespaced": namespaced, "singularName": "", "verbs": ["get", "patch"]}
                for name, kind, namespaced in RESOURCES[path]
            ]
            group = path.removeprefix("/apis/").removeprefix("/api/")
            return {"kind": "APIResourceList", "groupVersion": group, "resources": resources}
        return known.get(path)

    def _watch(self, asked: dict[str, str]) -> None:
        events = [{"type": kind, "object": POD} for kind in ("ADDED", "MODIFIED", "DELETED")]
        data = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        # cut where it hurts: in the middle of events, and of more than one in one piece
        for piece in (data[:10], data[10:-30], data[-30:]):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if asked.get("labelSelector") == "cut":
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, code: int, body: t.Any, kind: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ApiServer)
        self.asked: list[tuple[str, str, dict[str, str], t.Any, bytes]] = []
        self.refusal: dict[str, t.Any] = {}


def kubeconfig(folder: Path, port: int) -> str:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture(scope="module")
def server() -> t.Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cluster(server: Server, tmp_path_factory: pytest.TempPathFactory) -> lib.Cluster:
    return lib.Cluster(kubeconfig(tmp_path_factory.mktemp("cluster"), server.server_port))


@pytest.fixture(autouse=True)
def forget(server: Server) -> None:
    server.asked.clear()


# reading


def test_an_object_is_read(cluster: lib.Cluster) -> None:
    found = cluster.get("/api/v1/namespaces/demo/pods/a")
    assert found is not None
    assert found["metadata"]["name"] == "a"


def test_an_object_that_is_not_there_is_none(cluster: lib.Cluster) -> None:
    assert cluster.get(NEVER_THERE) is None


def test_a_refusal_has_the_servers_own_words(cluster: lib.Cluster) -> None:
    with pytest.raises(lib.KubernetesError) as caught:
        cluster.get("/api/v1/namespaces/demo/pods/forbidden")
    assert caught.value.status == 403
    assert caught.value.cause == "kubernetes-refused"
    assert caught.value.message == (
        "The API server refused to GET /api/v1/namespaces/demo/pods/forbidden: pods is forbidden: exceeded quota"
    )


def test_an_answer_that_is_no_status_is_quoted(cluster: lib.Cluster) -> None:
    with pytest.raises(lib.KubernetesError, match="upstream connect error") as caught:
        cluster.get("/api/v1/namespaces/demo/pods/broken")
    assert caught.value.status == 500


def test_a_list_has_its_items_and_its_version(cluster: lib.Cluster, server: Server) -> None:
    path = "/api/v1/namespaces/demo/pods"
    assert cluster.list_with_version(path, label_selector="app=x") == ([POD], "7")
    assert cluster.list(path, label_selector="", field_selector="") == [POD]
    assert [asked for _method, _path, asked, _headers, _body in server.asked] == [{"labelSelector": "app=x"}, {}]


def test_a_log_is_read_from_its_end(cluster: lib.Cluster, server: Server) -> None:
    assert cluster.logs("demo", "a", "main", lines=5) == "line 1\nline \ufffd\n"
    cluster.logs("demo", "a", "main", previous=True)
    first, second = (asked for _method, _path, asked, _headers, _body in server.asked)
    assert first == {"container": "main", "tailLines": "5"}
    assert second == {"container": "main", "tailLines": "50", "previous": "true"}


def test_a_log_with_its_times_is_read_from_a_moment_on(cluster: lib.Cluster, server: Server) -> None:
    assert cluster.timed_log("demo", "timed", "main", since="2026-11-24T13:00:01+01:00") == [
        ("2026-11-24T12:00:01.000000001Z", "one word"),
        ("2026-11-24T12:00:02.000000000Z", ""),
    ]
    (asked,) = (asked for _method, _path, asked, _headers, _body in server.asked)
    assert asked == {"container": "main", "timestamps": "true", "sinceTime": "2026-11-24T13:00:01+01:00"}


@pytest.mark.parametrize("pod", ["waiting", "none", "gone"])
def test_a_timed_log_that_there_is_not_is_empty(cluster: lib.Cluster, pod: str) -> None:
    assert cluster.timed_log("demo", pod, "main") == []


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (lib.KubernetesError("gone", cause="cluster-unreachable"), True),
        (lib.KubernetesError("slow down", status=429), True),
        (lib.KubernetesError("etcd", status=500), True),
        (lib.KubernetesError("not yours", status=403), False),
    ],
)
def test_what_may_be_gone_a_moment_later(error: lib.KubernetesError, passes: bool) -> None:
    assert error.may_pass is passes


@pytest.mark.parametrize("pod", ["waiting", "none", "gone"])
def test_a_log_that_there_is_not_is_empty(cluster: lib.Cluster, pod: str) -> None:
    assert cluster.logs("demo", pod, "main") == ""


def test_a_log_that_may_not_be_read_is_refused(cluster: lib.Cluster) -> None:
    with pytest.raises(lib.KubernetesError, match="exceeded quota"):
        cluster.logs("demo", "forbidden", "main")


def test_a_watch_puts_together_what_was_cut(cluster: lib.Cluster, server: Server) -> None:
    path = "/api/v1/namespaces/demo/pods"
    found = list(cluster.watch(path, seconds=0.2, resource_version="7", label_selector="app=x"))
    assert found == [("ADDED", POD), ("MODIFIED", POD), ("DELETED", POD)]
    _method, _path, asked, _headers, _body = server.asked[0]
    assert asked == {"watch": "true", "timeoutSeconds": "1", "resourceVersion": "7", "labelSelector": "app=x"}


def test_a_watch_that_breaks_off_is_an_error_of_ours(cluster: lib.Cluster) -> None:
    seen = []
    with pytest.raises(lib.KubernetesError, match="does not answer"):
        for event in cluster.watch("/api/v1/namespaces/demo/pods", seconds=1, label_selector="cut"):
            seen.append(event[0])
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_can_be_left_early(cluster: lib.Cluster) -> None:
    for kind, _pod in cluster.watch("/api/v1/namespaces/demo/pods", seconds=1):
        assert kind == "ADDED"
        break
    assert cluster.get(NEVER_THERE) is None


# changing


def test_an_object_is_applied_by_our_field_manager(cluster: lib.Cluster, server: Server) -> None:
    after, before = cluster.apply(POD)
    assert before is not None
    assert after["metadata"]["resourceVersion"] == "8"
    method, path, asked, headers, body = server.asked[-1]
    assert (method, path) == ("PATCH", "/api/v1/namespaces/demo/pods/a")
    assert asked == {"fieldManager": lib.FIELD_MANAGER, "force": "true"}
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert json.loads(body) == POD


def test_a_dry_run_says_so(cluster: lib.Cluster, server: Server) -> None:
    cluster.apply(POD, dry_run=True)
    assert server.asked[-1][2]["dryRun"] == "All"


def test_an_object_is_created_in_its_collection(cluster: lib.Cluster, server: Server) -> None:
    unnamed = {**POD, "metadata": {"generateName": "a-", "namespace": "demo"}}
    cluster.create(unnamed, dry_run=True)
    method, path, asked, _headers, body = server.asked[-1]
    assert (method, path) == ("POST", "/api/v1/namespaces/demo/pods")
    assert asked == {"dryRun": "All", "fieldManager": lib.FIELD_MANAGER}
    assert json.loads(body) == unnamed


def test_an_object_takes_the_place_of_what_it_was_read_as(cluster: lib.Cluster, server: Server) -> None:
    cluster.replace(POD, field_manager="me")
    method, path, asked, _headers, body = server.asked[-1]
    assert (method, path, asked) == ("PUT", "/api/v1/namespaces/demo/pods/a", {"fieldManager": "me"})
    assert json.loads(body) == POD


@pytest.mark.parametrize(
    ("message", "cause", "who"),
    [
        ('admission webhook "a.b.c" denied the request: no', "admission-webhook-refused", "a.b.c"),
        ('Internal error occurred: failed calling webhook "a.b.c": Post', "admission-webhook-unreachable", "a.b.c"),
        (
            "deployments \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            "admission-policy-refused",
            "p",
        ),
        ('pods "x" is forbidden: exceeded quota: small, requested: pods=1', "quota-exceeded", "small"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": no', "pod-security-refused", "restricted"),
        ('pods is forbidden: User "eve" cannot list resource "pods"', "rbac-forbidden", "eve"),
    ],
)
def test_who_refused_is_known(cluster: lib.Cluster, server: Server, message: str, cause: str, who: str) -> None:
    server.refusal = {"message": message}
    with pytest.raises(lib.KubernetesError) as caught:
        cluster.get("/api/v1/namespaces/demo/pods/refused")
    assert (caught.value.cause, caught.value.reason) == (cause, message)
    assert who in caught.value.remedy


def test_a_namespace_that_ends_is_known_by_its_cause(cluster: lib.Cluster, server: Server) -> None:
    server.refusal = {"message": "unable", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
    with pytest.raises(lib.KubernetesError) as caught:
        cluster.get("/api/v1/namespaces/demo/pods/refused")
    assert caught.value.cause == "namespace-terminating"


def test_what_is_gone_already_is_deleted(cluster: lib.Cluster, server: Server) -> None:
    cluster.delete(NEVER_THERE)
    cluster.delete("/api/v1/namespaces/demo/pods/a", grace_seconds=0)
    assert [method for method, *_rest in server.asked] == ["DELETE", "DELETE"]
    # an API server that gets a body reads nothing else
    assert server.asked[-1][2] == {}
    assert json.loads(server.asked[-1][4]) == {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
    cluster.delete("/api/v1/namespaces/demo/pods/a", propagation="Foreground", uid="7")
    options = json.loads(server.asked[-1][4])
    assert (options["propagationPolicy"], options["preconditions"]) == ("Foreground", {"uid": "7"})
    with pytest.raises(lib.KubernetesError):
        cluster.delete("/api/v1/namespaces/demo/pods/forbidden")


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (POD, "/api/v1/namespaces/demo/pods/a"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "/api/v1/namespaces/default/pods/a"),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "namespace": "demo"}}, "/api/v1/nodes/n"),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "x"}},
            "/apis/apps/v1/namespaces/x/deployments/d",
        ),
    ],
)
def test_where_the_api_has_an_object(cluster: lib.Cluster, item: lib.Object, path: str) -> None:
    assert cluster.path(item) == path


def test_a_kind_that_the_cluster_does_not_know_is_named(cluster: lib.Cluster) -> None:
    item = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}}
    with pytest.raises(lib.KubernetesError) as caught:
        cluster.path(item)
    assert caught.value.message == "The cluster does not know the kind Widget of example.org/v1."
    assert caught.value.cause == "crd-missing"


# no cluster


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="There is no kubeconfig /no/such/file") as caught:
        lib.Cluster("/no/such/file")
    assert caught.value.cause == "no-kubeconfig"


@pytest.mark.parametrize("text", ["", "- list", "{", "text", "{}", "apiVersion: v1\nkind: Config", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        lib.Cluster(str(path))
    assert caught.value.cause == "bad-kubeconfig"
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere") as caught:
        lib.Cluster(Access.of({"kubeconfig": kubeconfig(tmp_path, 1), "context": "nowhere"}))
    assert caught.value.cause == "bad-kubeconfig"


def test_a_cluster_that_does_not_answer_is_named_at_once(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        cluster = lib.Cluster(kubeconfig(tmp_path, probe.getsockname()[1]))
        with pytest.raises(lib.KubernetesError) as caught:
            cluster.get(NEVER_THERE)
    assert caught.value.cause == "cluster-unreachable"
    assert caught.value.status == 0


# who asks


def test_a_token_and_whom_to_impersonate_go_with_each_request(server: Server) -> None:
    cluster = lib.Cluster(
        Access.of(
            {
                "host": f"http://127.0.0.1:{server.server_port}",
                "api_key": "a-token",
                "impersonate_user": "alice",
                "impersonate_groups": ["system:authenticated", "developers"],
            },
            {},
        )
    )
    cluster.get("/api/v1/namespaces/demo/pods/a")
    cluster.apply(POD)
    assert len(server.asked) == 3
    for _method, _path, _query, headers, _body in server.asked:
        assert headers["Authorization"] == "Bearer a-token"
        assert headers.get_all("Impersonate-User") == ["alice"]
        assert headers.get_all("Impersonate-Group") == ["system:authenticated", "developers"]


def test_who_may_not_come_in_is_told_what_to_check(cluster: lib.Cluster) -> None:
    with pytest.raises(lib.KubernetesError) as caught:
        cluster.get("/api/v1/namespaces/demo/pods/stranger")
    assert (caught.value.cause, caught.value.status) == ("unauthorized", 401)
    assert "token" in caught.value.remedy


def test_a_server_that_is_not_trusted_is_no_server_that_is_down(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=elsewhere"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"), "-days", "2"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    untrusted = Server()
    untrusted.socket = context.wrap_socket(untrusted.socket, server_side=True)
    threading.Thread(target=untrusted.serve_forever, daemon=True).start()
    options = {"host": f"https://127.0.0.1:{untrusted.server_port}", "api_key": "x"}
    try:
        with pytest.raises(lib.KubernetesError) as caught:
            lib.Cluster(Access.of(options, {})).get(NEVER_THERE)
        assert caught.value.cause == "certificate-refused"
        trusted = {**options, "ca_cert": str(tmp_path / "cert")}
        assert lib.Cluster(Access.of(trusted, {})).get(NEVER_THERE) is None
    finally:
        untrusted.shutdown()
        untrusted.server_close()


# objects


def test_objects_are_named_for_people() -> None:
    assert lib.describe(POD) == "Pod demo/a"
    assert lib.describe({"kind": "Node", "metadata": {"name": "n"}}) == "Node n"
    assert lib.describe({}) == "object ?"


def test_only_the_servers_bookkeeping_is_no_difference() -> None:
    before = {**POD, "status": {"phase": "Running"}, "spec": {"a": 1}}
    kept = {**before, "status": {}, "metadata": {**POD["metadata"], "resourceVersion": "9", "managedFields": [1]}}
    assert lib.same(before, kept)
    assert not lib.same(None, before)
    assert not lib.same(before, {**before, "spec": {"a": 2}})
    assert not lib.same(before, {**before, "metadata": {**POD["metadata"], "labels": {"a": "b"}}})
