# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a workload that is not ready still lacks, in a few words: the progress line of a wait."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import name_of, pods_without_covmeta


def missing(seen: Observation) -> str:
    """Return what is still missing."""
    if seen.workload is None:
        return f"{name_of(seen)} does not exist yet"
    if not seen.current_pods:
        return "no pod yet"
    for pod in seen.current_pods:
        for status in containers(pod):
            waiting = (status.get("state") or {}).get("waiting")
            if waiting:
                return f"container {status['name']} waits: {waiting.get('reason', 'not started')}"
    if len(seen.ready_pods) < seen.wanted:
        return f"{len(seen.ready_pods)} of {seen.wanted} pods ready"
    if len(seen.pods) > seen.wanted:
        return "an older pod still ends"
    if seen.coverage_watched and pods_without_covmeta(seen):
        return "no covmeta yet"
    if seen.url and not seen.url_ready:
        return f"{seen.url} says: {seen.url_answer or 'nothing yet'}"
    return "the rollout is not complete"
