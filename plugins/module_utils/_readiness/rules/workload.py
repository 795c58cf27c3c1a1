# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in the workload itself: it is not there, asks for nothing, or may not go on."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, condition
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import name_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST, SETTLING, rule


@rule(
    "The workload and its pods",
    Cause(
        "workload-missing",
        title="The workload does not exist",
        why="No object of that kind and name is in the namespace.",
        remedy="Apply its manifest first, or correct its name.",
        settings=("workload.name",),
        terminal="after 2 s",
    ),
)
def workload_missing(seen: Observation) -> t.Iterator[Diagnosis]:
    """There is no such object."""
    if seen.workload is None and seen.waited >= SETTLING:
        yield Diagnosis(
            cause="workload-missing",
            sentence=f"There is no {name_of(seen)}.",
            remedy="Apply its manifest first, or correct its name.",
            setting="workload.name",
        )


@rule(
    "The workload and its pods",
    Cause(
        "workload-suspended",
        title="The workload is suspended",
        why="`spec.suspend` of a Job or CronJob is true, so it starts no pod.",
        remedy="Remove `spec.suspend`, or set it to false.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "scaled-to-zero",
        title="The workload asks for no replicas",
        why=(
            "`spec.replicas` is 0, so nothing will run. An extraction or an autoscaler that was "
            "interrupted may have left it so."
        ),
        remedy="Scale it up.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "rollout-paused",
        title="The rollout is paused",
        why="`spec.paused` is true, so the newest revision is not started.",
        remedy="Run `kubectl rollout resume`, or remove `spec.paused`.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
)
def asks_for_nothing(seen: Observation) -> t.Iterator[Diagnosis]:
    """Zero replicas, a rollout that is held, a Job that is suspended: nothing is wrong, and nothing will ever run."""
    if seen.workload is None or seen.waited < SETTLING:
        return
    spec = seen.workload.get("spec") or {}
    if spec.get("suspend") and not (seen.kind == "CronJob" and seen.jobs):
        yield Diagnosis(
            cause="workload-suspended",
            sentence=f"{name_of(seen)} is suspended: it starts no pod.",
            evidence=["spec.suspend: true"],
            remedy="Remove spec.suspend, or set it to false.",
            setting=MANIFEST,
        )
    elif seen.kind in ("Deployment", "StatefulSet", "ReplicaSet", "Job") and seen.wanted == 0:
        field = "spec.parallelism" if seen.kind == "Job" else "spec.replicas"
        yield Diagnosis(
            cause="scaled-to-zero",
            sentence=f"{name_of(seen)} asks for no {'pods' if seen.kind == 'Job' else 'replicas'}: nothing will run.",
            evidence=[f"{field}: 0"],
            remedy="Scale it up; an extraction or an autoscaler that was interrupted may have left it so.",
            setting=MANIFEST,
        )
    elif spec.get("paused") and not seen.rolled_out:
        yield Diagnosis(
            cause="rollout-paused",
            sentence=f"The rollout of {name_of(seen)} is paused: its newest revision is not started.",
            evidence=["spec.paused: true"],
            remedy="Run kubectl rollout resume, or remove spec.paused.",
            setting=MANIFEST,
        )


@rule("A place to run", gives=("node-selector",))
def no_node_for_it(seen: Observation) -> t.Iterator[Diagnosis]:
    """A DaemonSet that fits no node has no pods that could say so."""
    if seen.kind != "DaemonSet" or seen.workload is None or seen.wanted or seen.waited < SETTLING:
        return
    status = seen.workload.get("status") or {}
    if status.get("observedGeneration", 0) < seen.workload["metadata"].get("generation", 0):
        return
    pod = seen.pod_spec
    yield Diagnosis(
        cause="node-selector",
        sentence=f"{name_of(seen)} wants no pod: no node has the labels and taints that it asks for.",
        evidence=[
            "status.desiredNumberScheduled: 0",
            f"nodeSelector: {pod.get('nodeSelector') or {}}, tolerations: {len(pod.get('tolerations') or [])}",
        ],
        remedy="Change its nodeSelector, affinity or tolerations, or the nodes' labels.",
        setting=MANIFEST,
    )


@rule(
    "The workload and its pods",
    Cause(
        "job-failed",
        title="The Job failed",
        why=(
            "Kubernetes gave the Job up. The cause of its failed pods is given first, as long as one of them is there."
        ),
        remedy="Find the cause in its pods; a Job that failed has to be created again.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "job-deadline",
        title="The Job ran past its deadline",
        why="It took longer than its `activeDeadlineSeconds`.",
        remedy="Raise `activeDeadlineSeconds`, or check what it waits for.",
        settings=("workload.objects",),
        terminal="yes",
    ),
)
def job_failed(seen: Observation) -> t.Iterator[Diagnosis]:
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
        yield Diagnosis(
            cause="job-deadline",
            sentence=f"{name} was stopped after its activeDeadlineSeconds ({limit} s).",
            evidence=evidence,
            remedy="Raise activeDeadlineSeconds, or check what it waits for.",
            setting=MANIFEST,
        )
    else:
        yield Diagnosis(
            cause="job-failed",
            sentence=f"{name} failed: {failed.get('message') or failed.get('reason')}",
            evidence=evidence,
            remedy="Find out why its pods failed; a Job that failed must be deleted and created again.",
            setting=MANIFEST,
        )
