# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of pods that may not be created: what the API server answers to the controller that wants to."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KNOWN_FAILURES as REFUSALS
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, condition
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.verdict import (
    MANIFEST,
    SETTLING,
    Verdict,
    name_of,
    short,
)

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
        "ResourceQuota {what} wants every container to say what it needs: add resources to the manifest.",
    ),
    (
        r"(?:maximum|minimum) \S+ usage per|max limit to request ratio per",
        "limit-range",
        "Keep to the namespace's LimitRange in the containers' resources, or change it.",
    ),
    (
        r"in namespace (?P<what>\S+) because it is being terminated",
        "namespace-terminating",
        "Wait until namespace {what} is gone (a finalizer may hold it), then deploy anew.",
    ),
    (
        r"no PriorityClass with name (?P<what>\S+) was found",
        "priority-class-missing",
        "Create PriorityClass {what}, or correct priorityClassName.",
    ),
)

# the account of a new namespace is made a moment after it, on a busy host some more
DEFAULT_ACCOUNT, ACCOUNT = 'serviceaccount "default" not found', 10.0  # seconds


def pods_not_created(seen: Observation) -> t.Iterator[Verdict]:
    """The controller may not make pods; that hangs at the ReplicaSet (or Job, StatefulSet ...), not at a pod."""
    # not the Deployment's own condition: it also tells of older revisions
    failure = condition(seen.newest_replica_set or seen.workload or {}, "ReplicaFailure")
    messages = [failure.get("message", "")] if failure.get("status") == "True" else []
    if seen.newest_replica_set is None and not messages:
        owner = seen.newest_job or seen.workload
        messages = [event.get("message", "") for event in seen.events_of(owner, reason="FailedCreate")]
    if not messages or seen.current_pods or seen.waited < SETTLING:
        return
    if DEFAULT_ACCOUNT in messages[-1] and seen.waited < ACCOUNT:
        return
    cause, remedy = refusal(messages[-1])
    yield Verdict(
        cause=cause,
        sentence=f"Kubernetes refuses to create the pods of {name_of(seen)}: {short(messages[-1])}",
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
