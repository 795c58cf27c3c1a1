# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The last words of programs: logs are followed while pods are stopped, because they are deleted with their pods."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import deque

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import containers

LINES = 2000  # kept of each process run: the trace of a panic comes after its first line
BEFORE = 200  # lines from before the end
AT_ONCE = 64  # pods whose logs are followed
LAST_WAIT = 1.5  # seconds for the rest of a log once its pod has ended


class LastWords:
    """Follow the logs of the instrumented containers of these pods, from now until they end.

    :arg seconds: how long a log may be silent at the most.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, container: str, pods: t.Sequence[Object], seconds: float
    ) -> None:
        self._cluster, self._namespace, self._container, self._seconds = cluster, namespace, container, seconds
        self._previous: dict[str, str] = {}
        self._lines: dict[str, deque[str]] = {}
        self._threads: list[threading.Thread] = []
        if pods:
            # the client finds out what the server serves once, and not in every thread
            cluster.get(f"/api/v1/namespaces/{namespace}")
        for pod in list(pods)[:AT_ONCE]:
            name = pod["metadata"]["name"]
            status = next((item for item in containers(pod) if item["name"] == container), {})
            if not status.get("containerID"):
                continue
            self._lines[name] = deque(maxlen=LINES)
            self._start(self._follow, name)
            if status.get("restartCount"):
                self._start(self._before, name)

    def _start(self, what: t.Callable[[str], None], name: str) -> None:
        thread = threading.Thread(target=what, args=(name,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _before(self, name: str) -> None:
        self._previous[name] = read_log(self._cluster, self._namespace, name, self._container, previous=True)

    def _follow(self, name: str) -> None:
        import urllib3.exceptions
        from kubernetes.client.exceptions import ApiException

        query = f"container={self._container}&tailLines={BEFORE}&follow=true"
        path = f"/api/v1/namespaces/{self._namespace}/pods/{name}/log?{query}"
        lines, rest = self._lines[name], b""
        try:
            response = self._cluster.dynamic.request(
                "GET",
                path,
                serialize=False,
                header_params={"Accept": "*/*"},
                _request_timeout=self._seconds,
            )
            try:
                for chunk in response.stream(None, decode_content=False):
                    *whole, rest = (rest + chunk).split(b"\n")
                    lines.extend(line.decode(errors="replace") for line in whole)
            finally:
                response.release_conn()
        except (ApiException, urllib3.exceptions.HTTPError):
            # what came until then is what there is: a log explains, and is not needed for anything else
            pass
        if rest:
            lines.append(rest.decode(errors="replace"))

    def read(self) -> dict[str, str]:
        """Return the end of each log by pod, C(pod/previous) for the process run before; waits a moment for their
        rest.
        """
        until = time.monotonic() + LAST_WAIT
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        logs = {name: "\n".join(list(lines)) for name, lines in self._lines.items() if lines}
        logs.update({f"{name}/previous": text for name, text in self._previous.items() if text})
        return logs


def read_log(cluster: Cluster, namespace: str, pod: str, container: str, *, previous: bool = False) -> str:
    """Return the end of a log, empty where it cannot be read."""
    from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KubernetesError

    try:
        return cluster.logs(namespace, pod, container, previous=previous, lines=BEFORE)
    except KubernetesError:
        return ""
