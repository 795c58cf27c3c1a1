# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""When something that was applied is ready: conditions in JMESPath over live objects, or what its kind says of itself.

What cannot become ready any more ends the wait with the readiness gate's verdict.
"""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.order import run_in_order
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.until import (
    Until,
    compile_condition,
    is_true,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    NOT_FOUND,
    Cluster,
    KubernetesError,
    Object,
    describe,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import condition, redacted_text
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.engine import (
    terminal_verdict,
    timeout_verdict,
)

POLL = 0.15  # seconds between two looks
WATCH = 1.0  # seconds between two observations of workloads, next to conditions
SHOWN = 300  # characters of a value in evidence
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job")
TIMEOUT_SETTING = "service_dependencies#timeout"


class DependencyError(CoverageError):
    """A dependency is not what the service needs."""

    cause = "dependency-not-ready"


@dataclass
class Waiting:
    """A condition that is being waited for: where it is read, and the last observation."""

    until: Until
    compiled: t.Any
    path: str = ""
    last: t.Any = None
    said: str = "no observation yet"


@dataclass
class Patience:
    """How long is waited. C(started): moment of the request (C(time.monotonic)); C(seconds): from then on."""

    started: float
    seconds: float
    setting: str = TIMEOUT_SETTING
    podman: Podman = field(default_factory=Podman)

    @property
    def left(self) -> float:
        """Seconds until it is over, never negative."""
        return max(0.0, self.started + self.seconds - time.monotonic())


def wait_until(
    cluster: Cluster,
    conditions: t.Sequence[Until],
    workloads: t.Sequence[Object],
    namespace: str,
    patience: Patience,
) -> None:
    """Return when all conditions hold.

    :arg workloads: what may end the wait early, because a pod of it will never start.
    :raises NotReady: the gate's verdict over a workload. :raises DependencyError: the time is over; each condition
        that does not hold, with the last observation. :raises InputError: a condition that never can be evaluated.
    """
    waiting = [Waiting(item, compile_condition(item.condition, f"until ({item.kind})", "until")) for item in conditions]
    targets = [_target(item, namespace) for item in workloads if item["kind"] in WORKLOADS]
    last_watch, said = time.monotonic(), ""
    for _waited in poll(POLL):
        waiting = [item for item in waiting if not _holds(cluster, item, namespace)]
        if not waiting:
            return
        over = patience.left <= 0
        if over or time.monotonic() - last_watch > max(WATCH, (time.monotonic() - patience.started) / 10):
            for target in targets:
                _refuse_terminal(cluster, target, patience, over=over)
            last_watch = time.monotonic()
        if over:
            more = f" ({len(waiting) - 1} more below)" if len(waiting) > 1 else ""
            raise DependencyError(
                f"This condition was not met within {patience.seconds:g} s: {waiting[0].until}{more}.",
                remedy="Check the object's status, or allow more time.",
                setting=patience.setting,
                evidence=[f"{item.until}: {item.said}" for item in waiting],
            )
        now = f"{waiting[0].until.kind} {waiting[0].until.name or waiting[0].until.selector}: {waiting[0].said}"
        if now != said:
            report_progress(f"until {now}")
            said = now


def _holds(cluster: Cluster, waiting: Waiting, namespace: str) -> bool:
    import jmespath.exceptions

    until = waiting.until
    try:
        live = _live(cluster, waiting, until.namespace or namespace)
    except KubernetesError as error:
        # a kind that is still to be installed, or an API server that is busy: the clock decides
        waiting.said = error.message
        return False
    if live is None:
        waiting.said = "it is not there"
        return False
    try:
        value = waiting.compiled.search(live)
    except (jmespath.exceptions.ArityError, jmespath.exceptions.UnknownFunctionError) as error:
        raise InputError(
            f"The condition {until.condition!r} cannot be evaluated: {' '.join(str(error).split())}.",
            setting="until",
            cause="condition-unreadable",
        ) from error
    except jmespath.exceptions.JMESPathError as error:
        # a status that is not there yet is null, which many functions do not take
        waiting.said = " ".join(str(error).split())
        return False
    text = redacted_text(json.dumps(value, default=str))
    waiting.said = f"it is {text[:SHOWN]}{'...' if len(text) > SHOWN else ''}"
    return is_true(value)


def _live(cluster: Cluster, waiting: Waiting, namespace: str) -> t.Optional[Object]:
    until = waiting.until
    if not waiting.path:
        item = {
            "apiVersion": until.api_version or preferred_version(cluster, until.kind),
            "kind": until.kind,
            "metadata": {"name": until.name},
        }
        waiting.path = cluster.path(item, namespace=namespace).rstrip("/")
    if until.name:
        return cluster.get(waiting.path)
    return {"items": cluster.list(waiting.path, label_selector=until.selector)}


def preferred_version(cluster: Cluster, kind: str) -> str:
    """Return the apiVersion that the cluster prefers for a kind; the core group's first.

    :raises KubernetesError: the cluster knows no such kind.
    """
    found = [item for item in cluster.dynamic.resources.search(kind=kind) if item.preferred or not item.group]
    if not found:
        raise KubernetesError(
            f"The cluster does not know the kind {kind}.",
            remedy="Install its CustomResourceDefinition first.",
            cause="crd-missing",
        )
    return str(min(found, key=lambda item: bool(item.group)).group_version)


def _target(item: Object, namespace: str) -> gate.Target:
    metadata = item["metadata"]
    return gate.Target(kind=item["kind"], namespace=metadata.get("namespace") or namespace, name=metadata["name"])


def _refuse_terminal(cluster: Cluster, target: gate.Target, patience: Patience, *, over: bool = False) -> None:
    """Raise the gate's verdict where a workload will never be ready; with C(over), also where it merely is not."""
    waited = patience.seconds - patience.left
    seen = gate.observe(cluster, patience.podman, target, waited=waited)
    if gate.is_ready(seen):
        return
    # with all logs: what cured itself meanwhile was not terminal
    full = gate.observe(cluster, patience.podman, target, waited=waited, logs=True)
    if gate.is_ready(full):
        return
    verdict = terminal_verdict(full)
    if verdict is None and over:
        verdict = timeout_verdict(full, patience.seconds)
    if verdict is not None:
        raise gate.NotReady(verdict, full)


def wait_by_kind(cluster: Cluster, objects: t.Sequence[Object], namespace: str, patience: Patience) -> None:
    """Return when each object is what its kind calls ready; kinds that say nothing of it are when they are there.

    :raises NotReady: the gate's verdict over a workload. :raises DependencyError: the time is over.
    """
    work: dict[str, t.Callable[[], None]] = {}
    for item in objects:
        name = describe(item)
        if item["kind"] == "Job":
            work[name] = lambda item=item: wait_for_job(cluster, item, namespace, patience)  # type: ignore[misc]
        elif item["kind"] in WORKLOADS:
            work[name] = lambda item=item: _wait_for_pods(cluster, item, namespace, patience)  # type: ignore[misc]
    run_in_order({name: () for name in work}, lambda name: work[name]())


def _wait_for_pods(cluster: Cluster, item: Object, namespace: str, patience: Patience) -> None:
    gate.wait_until_ready(cluster, patience.podman, _target(item, namespace), patience.left)


def wait_for_job(cluster: Cluster, item: Object, namespace: str, patience: Patience) -> None:
    """Return when a Job is complete.

    :raises NotReady: it failed, or its pods will never start. :raises DependencyError: the time is over.
    """
    target, said, last_watch = _target(item, namespace), "", time.monotonic()
    for _waited in poll(POLL):
        live = cluster.get(target.path)
        if live is not None and condition(live, "Complete").get("status") == "True":
            return
        over = patience.left <= 0
        failed = live is not None and condition(live, "Failed").get("status") == "True"
        if failed or over or time.monotonic() - last_watch > WATCH:
            _refuse_terminal(cluster, target, patience, over=over or failed)
            last_watch = time.monotonic()
        if over or failed:
            raise DependencyError(
                f"{describe(item)} is not complete after {patience.seconds:g} s: its pods still run.",
                remedy="Check its log, or allow more time.",
                setting=patience.setting,
                evidence=job_log(cluster, target.namespace, target.name),
            )
        now = f"{describe(item)} is not complete"
        if now != said:
            report_progress(now)
            said = now


def job_log(cluster: Cluster, namespace: str, job: str, lines: int = 12) -> list[str]:
    """Return the end of the log of a Job's newest pod, without what looks like a secret."""
    pods = cluster.list(f"/api/v1/namespaces/{namespace}/pods", label_selector=f"batch.kubernetes.io/job-name={job}")
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True):
        for container in pod["spec"]["containers"]:
            text = cluster.logs(namespace, pod["metadata"]["name"], container["name"], lines=lines)
            if text.strip():
                return [redacted_text(line) for line in text.rstrip().splitlines()[-lines:]]
    return []


def wait_established(cluster: Cluster, definitions: t.Sequence[Object], patience: Patience) -> None:
    """Return when CustomResourceDefinitions are established.

    :raises DependencyError: one of them is not accepted, or the time is over; in the API server's own words.
    """
    for item in definitions:
        path, name = cluster.path(item), item["metadata"]["name"]
        for _waited in poll(POLL):
            live = cluster.get(path) or {}
            if condition(live, "Established").get("status") == "True":
                break
            wrong = [found for kind in ("NamesAccepted", "NonStructuralSchema") for found in [condition(live, kind)]]
            refused = wrong[0].get("status") == "False" or wrong[1].get("status") == "True"
            if refused or patience.left <= 0:
                raise DependencyError(
                    f"The CustomResourceDefinition {name} is not established.",
                    remedy="See its status."
                    if not refused
                    else "Correct it, or remove the definition that already uses its names.",
                    setting=patience.setting if not refused else "",
                    evidence=[f"{found.get('type')}: {found.get('message')}" for found in wrong if found],
                )


def found_or_none(cluster: Cluster, item: Object, namespace: str) -> tuple[str, t.Optional[Object]]:
    """Return an object's API path and the live object; ("", None) where the cluster has no such kind."""
    try:
        path = cluster.path(item, namespace=namespace)
        return path, cluster.get(path)
    except KubernetesError as error:
        if error.cause == "crd-missing" or error.status == NOT_FOUND:
            return "", None
        raise
