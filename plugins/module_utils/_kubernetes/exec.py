# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Run a program in a container of a pod, through the API server."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, KubernetesError

CHUNK = 32 * 1024  # bytes of standard input in one message
ERROR_CHANNEL = 3  # its one message is how the program ended


@dataclass(frozen=True)
class Executed:
    """What a program said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def execute(
    cluster: Cluster,
    namespace: str,
    pod: str,
    container: str,
    argv: t.Sequence[str],
    *,
    stdin: str = "",
    timeout: float = 60.0,
) -> Executed:
    """Run a program to its end.

    :arg stdin: what it reads; it must know by itself where that ends, because this side cannot close it
        (version 4 of Kubernetes' remote command protocol).
    :arg timeout: seconds; the program itself is not ended by it.
    :raises KubernetesError: the API server refused, the container does not run, or the time was over.
    """
    import kubernetes.client
    import kubernetes.stream
    import websocket
    from kubernetes.client.exceptions import ApiException

    what = f"run {argv[0]} in pod {namespace}/{pod}"
    client = cluster.stream_client()
    output: dict[str, list[str]] = {"stdout": [], "stderr": []}
    deadline = time.monotonic() + timeout
    try:
        stream = kubernetes.stream.stream(
            kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=list(argv),
            stdin=bool(stdin),
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
        try:
            for start in range(0, len(stdin), CHUNK):
                stream.write_stdin(stdin[start : start + CHUNK])
                _collect(stream, output, 0)
            while stream.is_open():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise KubernetesError(f"Could not {what}: no end after {timeout:g} s.", cause="command-timeout")
                _collect(stream, output, min(left, 1))
            _collect(stream, output, 0)
            ended = stream.read_channel(ERROR_CHANNEL)
        finally:
            stream.close()
            # the library leaves the socket open where the other side said goodbye first
            stream.sock.shutdown()
    except ApiException as error:
        # the library puts a refused handshake into the reason, with status 0
        raise KubernetesError(f"Could not {what}: {error.reason}.", status=int(error.status or 0)) from error
    except (OSError, websocket.WebSocketException) as error:
        raise KubernetesError(f"Could not {what}: {error}.") from error
    return Executed(_returncode(ended, what), "".join(output["stdout"]), "".join(output["stderr"]))


def _returncode(message: str, what: str) -> int:
    """Return the exit code from the status object that ends a remote command (k8s.io/apimachinery, metav1.Status)."""
    if not message:
        raise KubernetesError(f"Could not {what}: the connection ended before the program did.")
    status = json.loads(message)
    if status.get("status") == "Success":
        return 0
    if status.get("reason") == "NonZeroExitCode":
        return int(status["details"]["causes"][0]["message"])
    raise KubernetesError(f"Could not {what}: {status.get('message')}.")


def _collect(stream: t.Any, output: dict[str, list[str]], seconds: float) -> None:
    stream.update(timeout=seconds)
    if stream.peek_stdout():
        output["stdout"].append(stream.read_stdout())
    if stream.peek_stderr():
        output["stderr"].append(stream.read_stderr())
