# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in the workload itself: it is not there, asks for nothing, or may not go on."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, condition
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.verdict import (
    MANIFEST,
    SETTLING,
    Verdict,
    name_of,
)


def workload_missing(seen: Observation) -> t.Iterator[Verdict]:
    """There is no such object."""
    if seen.workload is None and seen.waited >= SETTLING:
        yield Verdict(
            cause="workload-missing",
            sentence=f"There is no {name_of(seen)}.",
            remedy="Apply its manifest first, or correct its name.",
            setting="readiness_gate_name",
        )


def asks_for_nothing(seen: Observation) -> t.Iterator[Verdict]:
    """Zero replicas, a rollout that is held, a Job that is suspended: nothing is wrong, and nothing will ever run."""
    if seen.workload is None or seen.waited < SETTLING:
        return
    spec = seen.workload.get("spec") or {}
    if spec.get("suspend") and not (seen.kind == "CronJob" and seen.jobs):
        yield Verdict(
            cause="workload-suspended",
            sentence=f"{name_of(seen)} is suspended: it starts no pod.",
            evidence=["spec.suspend: true"],
            remedy="Take spec.suspend out, or set it to false.",
            setting=MANIFEST,
        )
    elif seen.kind in ("Deployment", "StatefulSet", "ReplicaSet") and seen.wanted == 0:
        yield Verdict(
            cause="scaled-to-zero",
            sentence=f"{name_of(seen)} asks for no replicas: nothing will run.",
            evidence=["spec.replicas: 0"],
            remedy="Scale it up; an extraction or an autoscaler that was interrupted may have left it so.",
            setting=MANIFEST,
        )
    elif spec.get("paused") and not seen.rolled_out:
        yield Verdict(
            cause="rollout-paused",
            sentence=f"The rollout of {name_of(seen)} is paused: its newest revision is not started.",
            evidence=["spec.paused: true"],
            remedy="kubectl rollout resume, or take spec.paused out.",
            setting=MANIFEST,
        )


def no_node_for_it(seen: Observation) -> t.Iterator[Verdict]:
    """A DaemonSet that fits no node has no pods that could say so."""
    if seen.kind != "DaemonSet" or seen.workload is None or seen.wanted or seen.waited < SETTLING:
        return
    status = seen.workload.get("status") or {}
    if status.get("observedGeneration", 0) < seen.workload["metadata"].get("generation", 0):
        return
    pod = seen.pod_spec
    yield Verdict(
        cause="node-selector",
        sentence=f"{name_of(seen)} wants no pod: no node has the labels and taints that it asks for.",
        evidence=[
            "status.desiredNumberScheduled: 0",
            f"nodeSelector: {pod.get('nodeSelector') or {}}, tolerations: {len(pod.get('tolerations') or [])}",
        ],
        remedy="Change its nodeSelector, affinity or tolerations, or the nodes' labels.",
        setting=MANIFEST,
    )


def job_failed(seen: Observation) -> t.Iterator[Verdict]:
    """Kubernetes gave the Job up. Why its pods failed is said by other rules, as long as there are pods."""
    if seen.kind not in ("Job", "CronJob") or seen.newest_job is None:
        return
    failed = condition(seen.newest_job, "Failed")
    if failed.get("status") != "True":
        failed = condition(seen.newest_job, "FailureTarget")
    if failed.get("status") != "True":
        return
    name = f"Job {seen.namespace}/{seen.newest_job['metadata']['name']}"
    evidence = [f"{failed.get('reason')}: {failed.get('message')}"]
    if failed.get("reason") == "DeadlineExceeded":
        limit = (seen.newest_job.get("spec") or {}).get("activeDeadlineSeconds")
        yield Verdict(
            cause="job-deadline",
            sentence=f"{name} was stopped after its activeDeadlineSeconds ({limit} s).",
            evidence=evidence,
            remedy="Raise activeDeadlineSeconds, or see what it waits for.",
            setting=MANIFEST,
        )
    else:
        yield Verdict(
            cause="job-failed",
            sentence=f"{name} failed: {failed.get('message') or failed.get('reason')}",
            evidence=evidence,
            remedy="See why its pods failed; a Job that failed has to be created anew.",
            setting=MANIFEST,
        )
