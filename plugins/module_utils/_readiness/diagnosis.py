# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Diagnosis: one look at any workload of any cluster, and what the rules say of it. Nothing is waited for."""

from __future__ import annotations

import dataclasses
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.collect import observe_once
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Observation,
    condition,
    containers,
    redacted_text,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.reader import FORBIDDEN
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import terminated
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import APPS, BATCH, CORE, Target
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.engine import (
    asks_for_nothing,
    terminal_verdict,
    timeout_verdict,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing

AT_ONCE = 4
NOTHING_ASKED = ("scaled-to-zero", "workload-suspended")


def workloads(cluster: Cluster, namespace: str) -> list[Target]:
    """Return all workloads of a namespace that no other workload made.

    Kinds that the user may not list are named in C(unseen) of the first one.

    :raises KubernetesError: none of the kinds that the user may list exist there, so an empty namespace cannot be
        assumed.
    """
    lists = [(kind, APPS) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")]
    lists += [("CronJob", BATCH), ("Job", BATCH), ("Pod", CORE)]

    refused: dict[str, KubernetesError] = {}

    def of(kind: str, group: str) -> list[Target]:
        try:
            items = cluster.list(f"{group}/namespaces/{namespace}/{kind.lower()}s")
        except KubernetesError as error:
            if error.status not in FORBIDDEN:
                raise
            refused[kind] = error
            return []
        return [
            Target(kind, namespace, item["metadata"]["name"])
            for item in items
            if not any(owner.get("controller") for owner in item["metadata"].get("ownerReferences") or [])
        ]

    with ThreadPoolExecutor(len(lists)) as pool:
        every = [target for found in pool.map(lambda item: of(*item), lists) for target in found]
    if refused and not every:
        raise next(iter(refused.values()))
    unseen = tuple(f"{kind}s: {error.message}" for kind, error in sorted(refused.items()))
    return [dataclasses.replace(target, unseen=unseen if not at else ()) for at, target in enumerate(every)]


def diagnose(cluster: Cluster, targets: t.Sequence[Target]) -> list[dict[str, t.Any]]:
    """Return for each workload C(kind), C(namespace), C(name), C(healthy), C(state), C(verdict) and
    C(unseen); those that are not healthy first."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [described(seen) for seen in pool.map(lambda target: observe_once(cluster, Podman(), target), targets)]
    return sorted(found, key=lambda item: item["healthy"])


def targets_of(cluster: Cluster, namespace: str, kind: str, name: str) -> list[Target]:
    """Return the one workload that is named, or all of the namespace.

    :raises InputError: there is no such namespace, or only one of kind and name was given.
    """
    if bool(kind) != bool(name):
        raise InputError("Kind and name go together: both, or none for all workloads of the namespace.")
    if name:
        return [Target(kind, namespace, name)]
    try:
        missing_space = cluster.get(f"{CORE}/namespaces/{namespace}") is None
    except KubernetesError as error:
        if error.status not in FORBIDDEN:
            raise
        missing_space = False  # a user without access to namespaces cannot check that it exists
    if missing_space:
        raise InputError(f"There is no namespace {namespace}.", remedy="Correct its name, or the kubeconfig's cluster.")
    return workloads(cluster, namespace)


def described(seen: Observation) -> dict[str, t.Any]:
    """What is said of one workload."""
    verdict = None if is_healthy(seen) else _verdict(seen)
    return {
        "kind": seen.kind,
        "namespace": seen.namespace,
        "name": seen.name,
        "healthy": verdict is None,
        "state": _state(seen),
        "verdict": None if verdict is None else as_result(verdict),
        "unseen": seen.unseen,
    }


def as_result(verdict: Diagnosis) -> dict[str, t.Any]:
    """A verdict as modules return it, without what looks like a secret; any workload has it, also one without roles."""
    found = verdict.rewritten(redacted_text).verdict()
    return {name: value for name, value in found.items() if name not in ("setting", "contract_key", "option")}


def is_healthy(seen: Observation) -> bool:
    """Whether it has what it asks for; what asks for nothing, or has not run yet, is."""
    if seen.workload is None:
        return False
    if seen.kind == "CronJob" and not seen.jobs:
        return True
    nothing = asks_for_nothing(seen)
    return (nothing is not None and nothing.cause in NOTHING_ASKED) or (seen.rolled_out and not _is_failing(seen))


def _is_failing(seen: Observation) -> bool:
    """Whether a container of it is down at this moment, though the numbers say that all is well."""
    return any(
        not status.get("ready") and (terminated(status) or {}).get("exitCode", 0) != 0
        for pod in seen.current_pods
        for status in containers(pod)
        if (pod.get("status") or {}).get("phase") == "Running"
    )


def _verdict(seen: Observation) -> Diagnosis:
    found = terminal_verdict(seen)
    return found or timeout_verdict(seen, seen.waited)


def _state(seen: Observation) -> str:
    if seen.workload is None:
        return "missing"
    if seen.kind == "CronJob" and not seen.jobs:
        return "has not run yet"
    job = seen.newest_job
    if job is not None and condition(job, "Complete").get("status") == "True":
        return "complete"
    if is_healthy(seen):
        return f"{len(seen.ready_pods)} of {seen.wanted} ready"
    return missing(seen)


def report(found: t.Sequence[Object]) -> list[str]:
    """The result as lines for people: what is not healthy with its parts, then one line for each that is."""
    lines = []
    for item in found:
        name = f"{item['kind']} {item['namespace']}/{item['name']}"
        if item["healthy"]:
            lines.append(f"{name}: healthy ({item['state']})")
            continue
        verdict = item["verdict"]
        lines += [f"{name}: {verdict['cause']}", f"  {verdict['sentence']}"]
        lines += [f"  Evidence: {line}" for line in verdict["evidence"]]
        lines += [f"  Remedy: {verdict['remedy']}"] if verdict["remedy"] else []
        lines += [f"  Also: {other['sentence']}" for other in verdict["also"]]
        lines += [f"  Not readable: {line}" for line in item["unseen"]]
    return lines or ["There are no workloads."]
