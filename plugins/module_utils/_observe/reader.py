# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Lists of objects as far as the user may read them, several requests at once."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation

LOG_PODS = 5  # of many replicas, so many are enough
FORBIDDEN = (401, 403, 404)
# names without contents: no Secret is ever read
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Reader:
    """Reads for one observation; C(unseen) of the observation names what the user may not read."""

    def __init__(self, cluster: Cluster, seen: Observation) -> None:
        self.cluster, self.seen = cluster, seen

    def allowed(self, what: str, path: str, **options: t.Any) -> list[Object]:
        """List what the user may list; what he may not is named."""
        try:
            return self.cluster.list(path, **options)
        except KubernetesError as error:
            if error.status not in FORBIDDEN:
                raise
            self.seen.unseen.append(f"{what}: {error.message}")
            return []

    def listed(self, kind: str, path: str, *, names_only: bool = False) -> t.Optional[list[Object]]:
        options: dict[str, t.Any] = {"header_params": {"Accept": NAMES_ONLY}} if names_only else {}
        before = len(self.seen.unseen)
        found = self.allowed(f"{kind}s", path, **options)
        if len(self.seen.unseen) > before:
            return None
        self.seen.names[kind] = sorted(item["metadata"]["name"] for item in found)
        return found


def call(function: t.Callable[..., t.Any], *arguments: t.Any, **options: t.Any) -> t.Callable[[], t.Any]:
    return lambda: function(*arguments, **options)


def together(tasks: t.Sequence[t.Callable[[], t.Any]]) -> None:
    """Do all side by side; the first error is raised when all are done."""
    if len(tasks) < 2:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(max_workers=min(8, len(tasks))) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()
