# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A port of this host that leads to a port of a pod, through the API server.

Each connection is a stream of its own, to the pod that runs at that moment: a pod that is replaced ends the connections
to it, and no others.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster

CHUNK = 64 * 1024
BACKLOG = 16


class Forward:
    """Open from C(with) to its end; C(port) is the port on 127.0.0.1.

    :arg pod: returns the name of the pod to connect to; asked for each connection.
    :ivar said: why the last connection did not come about, or "".
    """

    def __init__(self, cluster: Cluster, namespace: str, pod: t.Callable[[], str], target_port: int) -> None:
        self.cluster, self.namespace, self.pod, self.target_port = cluster, namespace, pod, target_port
        self.said = ""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Forward:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        import kubernetes.client
        import kubernetes.stream
        import websocket
        from kubernetes.client.exceptions import ApiException

        with connection:
            try:
                client = self.cluster.stream_client()
                stream = kubernetes.stream.portforward(
                    kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_portforward,
                    self.pod(),
                    self.namespace,
                    ports=str(self.target_port),
                )
            except CoverageError as error:
                self.said = error.message
                return
            except (ApiException, OSError, websocket.WebSocketException) as error:
                self.said = str(getattr(error, "reason", "") or error)
                return
            far = stream.socket(self.target_port)
            back = threading.Thread(target=_pump, args=(far, connection), daemon=True)
            back.start()
            _pump(connection, far)
            back.join()
            far.close()


def _pump(source: t.Any, target: t.Any) -> None:
    """Carry bytes until one side has ended, then tell the other one."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
