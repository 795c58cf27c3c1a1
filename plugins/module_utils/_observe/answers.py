# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the workload's addresses answer: its URL on this host, and the ports of pods whose probes fail."""

from __future__ import annotations

import functools
import http.client
import re
import time
import urllib.error
import urllib.request

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.reader import call, together
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    PROBES,
    declared_ports,
    failing,
    log_lines,
    path_of,
    port_of,
    probe_of,
    specification,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import CORE

URL_TIMEOUT = 2.0
USUAL_PORTS = (8080, 8081, 80, 8000, 3000, 5000, 8443, 9090)
USUAL_PATHS = (
    *("/healthz", "/readyz", "/livez", "/health", "/ready", "/live", "/health/ready", "/-/ready", "/-/healthy"),
    *("/status", "/ping", "/"),
)
MOST_PORTS = 16
SAID_PORT = re.compile(r"(?::|\bport[ =:]+)(\d{2,5})\b", re.IGNORECASE)
# of the API server's proxy itself, not of the pod behind it (apimachinery/pkg/util/proxy)
NOT_REACHED = "error trying to reach service"
ASK_TIMEOUT = 6.0
BODY = 400  # characters of an answer that are kept


class Answers:
    """Asks the ports of a workload's pods through the API server."""

    def __init__(self, cluster: Cluster, seen: Observation) -> None:
        self.cluster, self.seen = cluster, seen

    def ask(self) -> None:
        """Ask where a probe fails: its own port and path, and others that a program might have used instead."""
        seen = self.seen
        for pod, status, kind, event in list(failing(seen))[:2]:
            name, container = pod["metadata"]["name"], status["name"]
            probe = probe_of(pod, container, kind)
            port, path = port_of(pod, container, probe), path_of(probe)
            scheme = str((probe.get("httpGet") or {}).get("scheme") or "HTTP").lower()
            if not port or not path:
                continue
            asked: list[Object] = []

            one = functools.partial(self.ask_into, asked, name, container, scheme)
            ports = [port]
            if "connection refused" in event.get("message", ""):
                # only then may it be another one that answers
                ports = [port, *(other for other in _ports(seen, pod, container) if other != port)][:MOST_PORTS]
            together([call(one, number, path) for number in ports])
            own = next(item for item in asked if item["port"] == port)
            if own["status"] in (404, 405, 410, 501):
                paths = dict.fromkeys([*_paths(pod, container), *USUAL_PATHS])
                together([call(one, port, other) for other in paths if other != path])
            order = {item: number for number, item in enumerate((*_paths(pod, container), *USUAL_PATHS))}
            seen.answers += sorted(asked, key=lambda item: (item["port"] != port, order.get(item["path"], -1)))

    def ask_into(self, answers: list[Object], pod: str, container: str, scheme: str, port: int, path: str) -> None:
        answer = self.ask_pod(pod, port, path, scheme)
        answers.append({"pod": pod, "container": container, "port": port, "path": path, **answer})

    def ask_pod(self, pod: str, port: int, path: str, scheme: str) -> Object:
        """Ask a port of a pod through the API server, as the kubelet asks it; nothing but GET."""
        import urllib3.exceptions
        from kubernetes.client.exceptions import ApiException

        prefix = "https:" if scheme == "https" else ""
        url = f"{CORE}/namespaces/{self.seen.namespace}/pods/{prefix}{pod}:{port}/proxy{path}"
        started = time.monotonic()
        status, error, body = 0, "", ""
        try:
            response = self.cluster.dynamic.request(
                "GET", url, serialize=False, _request_timeout=ASK_TIMEOUT, header_params={"Accept": "*/*"}
            )
            status, body = 200, _text(getattr(response, "data", b""))
        except ApiException as refused:
            body = _text(refused.body)
            if NOT_REACHED in body or not refused.status:
                error, body = body[-200:], ""
            else:
                status = int(refused.status)
        except urllib3.exceptions.HTTPError as failed:
            error = type(failed).__name__
        seconds = round(time.monotonic() - started, 3)
        return {"status": status, "error": error, "seconds": seconds, "scheme": scheme, "body": body[:BODY]}


def _text(body: object) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")


def _ports(seen: Observation, pod: Object, container: str) -> list[int]:
    """The ports where the program may listen, the likeliest first."""
    found = declared_ports(pod, container)
    found += [port_of(pod, container, probe_of(pod, container, kind)) for kind in PROBES]
    labels = pod["metadata"].get("labels") or {}
    for service in seen.services:
        selector = (service.get("spec") or {}).get("selector") or {}
        if selector and selector.items() <= labels.items():
            for port in service["spec"].get("ports") or []:
                found += [port["targetPort"]] if isinstance(port.get("targetPort"), int) else []
    item = specification(pod, container)
    words = [*(item.get("command") or []), *(item.get("args") or [])]
    words += [str(variable.get("value") or "") for variable in item.get("env") or []]
    words += log_lines(seen, pod["metadata"]["name"], container)[-20:]
    found += [int(number) for word in words for number in SAID_PORT.findall(word)]
    return [port for port in dict.fromkeys([*found, *USUAL_PORTS]) if 0 < port < 65536]


def _paths(pod: Object, container: str) -> list[str]:
    paths = [path_of(probe_of(pod, container, kind)) for kind in PROBES]
    return [path for path in dict.fromkeys(paths) if path]


def ask(url: str) -> tuple[bool, str]:
    """Ask an address once; return whether it answered with a 2xx status, and what it said."""
    # the service is on this host: a proxy set in the environment is not for it
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=URL_TIMEOUT) as response:
            return True, str(response.status)
    except urllib.error.HTTPError as error:
        return False, f"status {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return False, str(getattr(error, "reason", "") or error or type(error).__name__)
