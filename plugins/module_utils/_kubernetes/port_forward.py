# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A local port that leads to a port of a Service or pod, through the API server, as long as this process process runs.

Each connection is carried to a pod that is ready at that moment; one that comes while there is none waits. So the
address outlives the pods behind it. It is all in this process: nothing is left behind however that ends.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)

HOST = "127.0.0.1"
WAIT = 30.0  # seconds that a connection waits for a ready pod
INTERVAL = 0.25


@dataclass(frozen=True)
class ForwardTarget:
    """What to reach: C(kind) is service or pod, C(port) a number or the name of a port.

    :ivar local_port: 0 for one that is free. :ivar variable: environment variable that tells the tests the address.
    :ivar scheme: put before the address (C(http)); none where empty. :ivar path: put behind it (C(/metrics)).
    """

    kind: str
    name: str
    port: str
    namespace: str
    local_port: int = 0
    variable: str = ""
    scheme: str = "http"
    path: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}, port {self.port}"


def parse_target(entry: t.Mapping[str, t.Any], namespace: str) -> ForwardTarget:
    """Return an entry of the option C(port_forward) as a target.

    :raises InputError: cause C(port-forward-invalid).
    """
    kind, _slash, name = str(entry["target"]).partition("/")
    kind = {"svc": "service", "po": "pod"}.get(kind, kind)
    wrong = ""
    if kind not in ("service", "pod") or not name:
        wrong = f"its target {entry['target']!r} is not of the form service/NAME or pod/NAME"
    elif not (entry.get("namespace") or namespace):
        wrong = f"no namespace is given for {entry['target']}"
    elif not 0 <= int(entry.get("local_port") or 0) < 65536:
        wrong = f"{entry['local_port']} is not a port"
    elif not str(entry.get("variable") or ""):
        wrong = "the variable with the address for the tests is not given"
    if wrong:
        raise InputError(
            f"A port-forward is not valid: {wrong}.", setting="tests.port_forward", cause="port-forward-invalid"
        )
    return ForwardTarget(
        kind=kind,
        name=name,
        port=str(entry["port"]),
        namespace=entry.get("namespace") or namespace,
        local_port=int(entry.get("local_port") or 0),
        variable=str(entry["variable"]),
        scheme=str(entry.get("scheme") or ""),
        path=str(entry.get("path") or ""),
    )


def endpoint_of_slices(slices: t.Sequence[Object], port_name: str) -> t.Optional[tuple[str, int]]:
    """Return pod and port number of a ready endpoint (discovery.k8s.io/v1 EndpointSlice), None where there is none."""
    for item in slices:
        ports = [port for port in item.get("ports") or [] if (port.get("name") or "") == port_name]
        for endpoint in item.get("endpoints") or []:
            reference = endpoint.get("targetRef") or {}
            # absent means ready, as the API says
            ready = (endpoint.get("conditions") or {}).get("ready", True)
            if ports and ready and reference.get("kind") == "Pod":
                return reference["name"], int(ports[0]["port"])
    return None


def resolve(cluster: Cluster, target: ForwardTarget) -> t.Optional[tuple[str, int]]:
    """Return the pod and its port to connect to now; None while none is ready.

    :raises InputError: cause C(port-forward-target-missing): no such Service, or it has no such port.
    """
    base = f"/api/v1/namespaces/{target.namespace}"
    if target.kind == "pod":
        pod = cluster.get(f"{base}/pods/{target.name}")
        conditions = ((pod or {}).get("status") or {}).get("conditions") or []
        if not any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
            return None
        named = [
            port
            for container in t.cast(Object, pod)["spec"]["containers"]
            for port in container.get("ports") or []
            if port.get("name") == target.port
        ]
        if not named and not target.port.isdigit():
            raise _missing(target, f"the pod has no port named {target.port!r}")
        return target.name, int(named[0]["containerPort"] if named else target.port)
    service = cluster.get(f"{base}/services/{target.name}")
    if service is None:
        names = [item["metadata"]["name"] for item in cluster.list(f"{base}/services")]
        raise _missing(target, f"there is no such Service (there are: {', '.join(sorted(names)) or 'none'})")
    ports = service["spec"].get("ports") or []
    wanted = [port for port in ports if target.port in (str(port["port"]), port.get("name"))]
    if not wanted:
        has = ", ".join(f"{port['port']} {port.get('name', '')}".strip() for port in ports)
        raise _missing(target, f"the Service has the ports {has}")
    slices = cluster.list(
        f"/apis/discovery.k8s.io/v1/namespaces/{target.namespace}/endpointslices",
        label_selector=f"kubernetes.io/service-name={target.name}",
    )
    return endpoint_of_slices(slices, wanted[0].get("name") or "")


def _missing(target: ForwardTarget, why: str) -> InputError:
    return InputError(
        f"The port-forward to {target} cannot be set up: {why}.",
        setting="tests.port_forward",
        cause="port-forward-target-missing",
    )


class PortForward:
    """A listening port, served by threads of this process until C(close).

    :raises InputError: the target is missing, has no ready pod, or the local port is taken.
    """

    def __init__(self, access: Access, target: ForwardTarget, *, wait: float = WAIT) -> None:
        self.target = target
        # plain requests are safe from several threads
        self._cluster = Cluster(access)
        self._cluster.stream_client()  # refused at once rather than with the first connection
        self._wait = wait
        self._closed = threading.Event()
        if self._ready_endpoint() is None:
            raise InputError(
                f"The port-forward to {target} cannot be set up: no pod behind it was ready within {wait:g} s.",
                setting="tests.port_forward",
                cause="port-forward-no-pod",
            )
        try:
            self._listener = socket.create_server((HOST, target.local_port), backlog=128)
        except OSError as error:
            raise InputError(
                f"The port-forward to {target} cannot be set up: {HOST}:{target.local_port} is in use"
                f" ({error.strerror}).",
                remedy="Omit local_port, or use another.",
                setting="tests.port_forward",
                cause="port-forward-port-taken",
            ) from error
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """What is passed to the tests."""
        before = f"{self.target.scheme}://" if self.target.scheme else ""
        return f"{before}{HOST}:{self.port}{self.target.path}"

    def close(self) -> None:
        """Take no more connections; those that there are end with the process, or by themselves."""
        self._closed.set()
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _ready_endpoint(self) -> t.Optional[tuple[str, int]]:
        deadline = time.monotonic() + self._wait
        while not self._closed.is_set():
            endpoint = resolve(self._cluster, self.target)
            if endpoint is not None or time.monotonic() >= deadline:
                return endpoint
            self._closed.wait(INTERVAL)
        return None

    def _serve(self, connection: socket.socket) -> None:
        """Carry one connection. One that cannot be carried is closed, which is what a client of a dead pod sees."""
        with connection:
            deadline = time.monotonic() + self._wait
            while time.monotonic() < deadline:
                try:
                    endpoint = self._ready_endpoint()
                    remote = self._connect(*endpoint) if endpoint else None
                except (KubernetesError, InputError):
                    remote = None
                if remote is not None:
                    with remote:
                        _carry(connection, remote)
                    return
                if self._closed.wait(INTERVAL):
                    return

    def _connect(self, pod: str, port: int) -> t.Optional[socket.socket]:
        """Return a socket to a port of a pod; None where the pod went in between."""
        import kubernetes.client
        import kubernetes.stream
        from kubernetes.client.exceptions import ApiException

        client = self._cluster.stream_client()
        try:
            forward = kubernetes.stream.portforward(
                kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_portforward,
                pod,
                self.target.namespace,
                ports=str(port),
            )
        except ApiException:
            return None
        return t.cast(socket.socket, forward.socket(port)._socket)


def _carry(here: socket.socket, there: socket.socket) -> None:
    """Copy both ways until one side ends."""

    def back() -> None:
        with contextlib.suppress(OSError):
            shutil.copyfileobj(there.makefile("rb", 0), here.makefile("wb", 0), 65536)
        with contextlib.suppress(OSError):  # ends the other direction
            here.shutdown(socket.SHUT_RDWR)

    answering = threading.Thread(target=back, daemon=True)
    answering.start()
    with contextlib.suppress(OSError):
        shutil.copyfileobj(here.makefile("rb", 0), there.makefile("wb", 0), 65536)
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_WR)
    answering.join()
