# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The gate: look, ask the rules, look again, until the workload is ready or something says that it never will be."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import time
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._node_images import Node
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.observation import (
    Observation,
    condition,
    containers,
    redacted_text,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import (
    Verdict,
    missing,
    pods_without_covmeta,
    terminal_verdict,
    timeout_verdict,
)

POLL = 0.15  # seconds between two looks; a look is four requests of some milliseconds
URL_TIMEOUT = 2.0
EVIDENCE_FILE = "observation.json"


class NotReady(CoverageError):
    """The workload is not ready; the message is the verdict."""

    def __init__(self, verdict: Verdict, seen: Observation) -> None:
        super().__init__(
            redacted_text(verdict.sentence),
            remedy=verdict.remedy,
            setting=verdict.setting,
            evidence=[redacted_text(line) for line in verdict.evidence],
            cause=verdict.cause,
        )
        self.seen = seen


@dataclass(frozen=True)
class Target:
    """What is waited for.

    :ivar nodes: containers of the nodes, to look at the coverage folders; empty: covmeta is not waited for.
    :ivar volume_directory: folder on the nodes that holds one folder for each pod.
    :ivar url: address that must answer with a 2xx status; empty: none.
    """

    kind: str
    namespace: str
    name: str
    container: str = ""
    nodes: tuple[str, ...] = ()
    volume_directory: str = ""
    url: str = ""

    @property
    def path(self) -> str:
        """API path of the workload."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"


def wait_until_ready(cluster: Cluster, podman: Podman, target: Target, timeout: float) -> Observation:
    """Return what was seen when all was ready.

    :raises NotReady: a cause that waiting cannot cure, at once; or the likeliest one when the time is over.
    """
    started = time.monotonic()
    said = ""
    while True:
        seen = observe(cluster, podman, target, waited=time.monotonic() - started)
        if is_ready(seen):
            return seen
        verdict = terminal_verdict(seen)
        if verdict is not None:
            # look once more, with all logs; what cured itself meanwhile was not terminal
            seen = observe(cluster, podman, target, waited=seen.waited, logs=True)
            verdict = terminal_verdict(seen)
            if verdict is not None:
                raise NotReady(verdict, seen)
            if is_ready(seen):
                return seen
        if seen.waited > timeout:
            seen = observe(cluster, podman, target, waited=seen.waited, logs=True)
            if is_ready(seen):
                return seen
            raise NotReady(timeout_verdict(seen, timeout), seen)
        now_missing = missing(seen)
        if now_missing != said:
            report_progress(now_missing)
            said = now_missing
        time.sleep(POLL)


def is_ready(seen: Observation) -> bool:
    """Whether the rollout is complete, every pod wrote covmeta, and the address answers."""
    return (
        seen.rolled_out
        and (not seen.coverage_watched or not pods_without_covmeta(seen))
        and (not seen.url or seen.url_ready)
    )


def observe(
    cluster: Cluster, podman: Podman, target: Target, *, waited: float = 0.0, logs: bool = False
) -> Observation:
    """Look once. With C(logs), as for a verdict: all logs, and the images that are on the nodes."""
    seen = Observation(
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        container=target.container,
        url=target.url,
        waited=waited,
        now=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        workload=cluster.get(target.path),
    )
    if seen.workload is None:
        return seen
    base = f"/api/v1/namespaces/{target.namespace}"
    selector = pod_selector(seen.workload)
    seen.pods = cluster.list(f"{base}/pods", label_selector=selector)
    if target.kind == "Deployment":
        seen.replica_sets = cluster.list(
            f"/apis/apps/v1/namespaces/{target.namespace}/replicasets", label_selector=selector
        )
    if not seen.rolled_out:
        # only who waits needs to know why
        seen.events = cluster.list(f"{base}/events")
        seen.nodes = cluster.list("/api/v1/nodes")
    if target.nodes and target.volume_directory and seen.ready_pods:
        seen.coverage = list_coverage(podman, target.nodes, target.volume_directory)
        seen.coverage_watched = True
    if logs and target.nodes:
        for node in target.nodes:
            # what was loaded a moment ago is not in the nodes' status yet; that has to do where a node does not answer
            with contextlib.suppress(CommandError):
                seen.images[node] = sorted(Node(podman, node).images())
    if target.url and seen.rolled_out:
        seen.url_ready, seen.url_answer = ask(target.url)
    for pod in seen.current_pods:
        for status in containers(pod):
            name = pod["metadata"]["name"]
            if logs or status.get("restartCount"):
                key = f"{name}/{status['name']}"
                seen.logs[key] = cluster.logs(target.namespace, name, status["name"])
                if status.get("restartCount"):
                    seen.logs[f"{key}/previous"] = cluster.logs(target.namespace, name, status["name"], previous=True)
    return seen


def list_coverage(podman: Podman, nodes: t.Sequence[str], directory: str) -> dict[str, list[str]]:
    """Return the names of the files in each pod's folder, over all nodes."""

    def on_node(node: str) -> str:
        # 1: find says so where the folder is not there (yet)
        listing = podman.exec(
            node,
            *("find", directory, "-mindepth", "2", "-maxdepth", "2", "-type", "f", "-printf", "%P\\n"),
            purpose=f"list {directory} on node {node}",
            accept=(0, 1),
        )
        return listing.stdout

    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor() as pool:
        for listing in pool.map(on_node, nodes):
            for line in listing.splitlines():
                pod, _slash, name = line.partition("/")
                found.setdefault(pod, []).append(name)
    return {pod: sorted(names) for pod, names in found.items()}


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


def save_evidence(seen: Observation, directory: str) -> str:
    """Write the observation, without secrets, into the evidence folder; return the file's path."""
    path = Path(directory) / EVIDENCE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(seen.as_dict(), indent=1, sort_keys=True), encoding="utf-8")
    beside.replace(path)
    return str(path)


def pod_lives(seen: Observation) -> list[dict[str, t.Any]]:
    """Return for each current pod its name, uid, node and how often its instrumented container was started again."""
    return [
        {
            "pod": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
            "node": pod["spec"].get("nodeName", ""),
            "restarts": _restarts(pod, seen.container),
            "ready": condition(pod, "Ready").get("status") == "True",
        }
        for pod in seen.current_pods
    ]


def _restarts(pod: Object, container: str) -> int:
    return max((status.get("restartCount", 0) for status in containers(pod) if status["name"] == container), default=0)


def pod_selector(workload: Object) -> str:
    """Return the label selector of a workload's pods, as a query takes it."""
    selector = workload["spec"]["selector"]
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or []:
        key, operator, values = rule["key"], rule["operator"], ",".join(rule.get("values") or [])
        by_operator = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        terms.append(by_operator[operator])
    return ",".join(terms)
