# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of pods that may not be created: what the API server answers to the controller that wants to."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KNOWN_FAILURES as REFUSALS
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, condition
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import name_of, quoted
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST, SETTLING, rule

# What _kubernetes does not have, because only pods meet it; from Kubernetes' sources: plugin/pkg/admission/
# {serviceaccount,resourcequota,limitranger,priority}
KNOWN_FAILURES: tuple[tuple[str, str, str], ...] = (
    (
        r'serviceaccount "(?P<what>[^"]+)" not found',
        "service-account-missing",
        "Create ServiceAccount {what} in the namespace, or correct serviceAccountName.",
    ),
    (
        r"failed quota: (?P<what>[^:]+): must specify",
        "quota-exceeded",
        "ResourceQuota {what} requires resources for every container: add them to the manifest.",
    ),
    (
        r"(?:maximum|minimum) \S+ usage per|max limit to request ratio per",
        "limit-range",
        "Keep the containers' resources within the namespace's LimitRange, or change it.",
    ),
    (
        r"in namespace (?P<what>\S+) because it is being terminated",
        "namespace-terminating",
        "Wait until namespace {what} is gone (a finalizer may hold it), then deploy again.",
    ),
    (
        r'RuntimeClass "(?P<what>[^"]+)" not found',
        "pods-not-created",
        "Create RuntimeClass {what}, or correct runtimeClassName.",
    ),
    (
        r"no PriorityClass with name (?P<what>\S+) was found",
        "priority-class-missing",
        "Create PriorityClass {what}, or correct priorityClassName.",
    ),
)

# the account of a new namespace is made a moment after it, on a busy host some more
DEFAULT_ACCOUNT, ACCOUNT = 'serviceaccount "default" not found', 10.0  # seconds


@rule(
    "The workload and its pods",
    Cause(
        "service-account-missing",
        title="The ServiceAccount of the pods does not exist",
        why=("The controller (ReplicaSet, Job, StatefulSet) cannot create pods; no pod exists that could say so."),
        remedy="Create the ServiceAccount, or correct `serviceAccountName`.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "limit-range",
        title="A LimitRange rejects the pods",
        why="The resources of the containers are outside the limits of the namespace.",
        remedy="Keep the resources of the containers within the LimitRange, or change it.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "priority-class-missing",
        title="The PriorityClass does not exist",
        why="The pods name a PriorityClass that the cluster does not have.",
        remedy="Create it, or correct `priorityClassName`.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    Cause(
        "pods-not-created",
        title="The pods cannot be created, for another reason",
        why="The API server rejects the pods; its own words are in the message.",
        remedy="Create what is missing, or change what the message names in the manifest.",
        settings=("workload.objects",),
        terminal="after 2 s",
    ),
    gives=(
        "quota-exceeded",
        "namespace-terminating",
        "pod-security-refused",
        "admission-webhook-refused",
        "admission-webhook-unreachable",
        "admission-policy-refused",
        "rbac-forbidden",
    ),
)
def pods_not_created(seen: Observation) -> t.Iterator[Diagnosis]:
    """The controller may not create pods; the error is on the ReplicaSet (or Job, StatefulSet ...), not on a pod."""
    # not the Deployment's own condition: it also covers older revisions
    failure = condition(seen.newest_replica_set or seen.workload or {}, "ReplicaFailure")
    messages = [failure.get("message", "")] if failure.get("status") == "True" else []
    if seen.newest_replica_set is None and not messages:
        owner = seen.newest_job or seen.workload
        messages = [event.get("message", "") for event in seen.events_of(owner, reason="FailedCreate")]
    # some of them may be there
    if not messages or len(seen.current_pods) >= seen.wanted or seen.waited < SETTLING:
        return
    if DEFAULT_ACCOUNT in messages[-1] and seen.waited < ACCOUNT:
        return
    said = messages[-1]
    cause, remedy = refusal(said)
    older = [pod for pod in seen.pods if pod not in seen.current_pods]
    if cause == "quota-exceeded" and older and seen.kind == "Deployment":
        messages.append(f"older pods that the quota counts, too: {', '.join(pod['metadata']['name'] for pod in older)}")
        remedy = (
            "Let the rollout end an older pod first (spec.strategy: Recreate, or maxSurge: 0 and maxUnavailable: 1), or"
            " raise the quota."
        )
    yield Diagnosis(
        cause=cause,
        sentence=f"Kubernetes rejects the pods of {name_of(seen)}: {quoted(said)}",
        evidence=messages[-3:],
        remedy=remedy,
        setting=MANIFEST,
    )


def refusal(message: str) -> tuple[str, str]:
    """Return the cause id and the remedy for what the API server said when it refused an object."""
    for pattern, known, remedy in KNOWN_FAILURES:
        found = re.search(pattern, message)
        if found:
            return known, remedy.format(**found.groupdict())
    for form, known, remedy in REFUSALS:
        found = form.search(message)
        if found:
            return known, remedy.format(who=found["who"])
    cause = "pods-not-created"
    return cause, "Create what is missing, or change what the message names in the manifest."
