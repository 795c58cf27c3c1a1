# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The pods of a cluster as process runs: which workload they are of, which containers ran, how each ended. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

GROUPS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
HASH = "pod-template-hash"
OF_A_CRON_JOB = re.compile(r"-\d{6,}$")
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Seen:
    """One container run as a pod's status has it.

    :ivar id: the runtime's. :ivar running: whether it runs. :ivar exit_code, reason: of its end, if it has ended.
    """

    namespace: str
    pod: str
    uid: str
    node: str
    workload: str
    container: str
    main: bool
    image: str
    id: str
    running: bool
    exit_code: t.Optional[int] = None
    reason: str = ""

    @property
    def component(self) -> str:
        """The component that its counters belong to: its workload, and its container where that is not the main one."""
        return self.workload if self.main else f"{self.workload}-{self.container}"


def workload_of(pod: Object) -> str:
    """Return the name of the workload that a pod is of, without what is different in each of its pods."""
    metadata = pod["metadata"]
    owner = next((item for item in metadata.get("ownerReferences") or [] if item.get("controller")), None)
    if owner is None:
        made = (metadata.get("generateName") or "").rstrip("-")
        name = made or metadata["name"]
    else:
        name = owner["name"]
        if owner["kind"] == "ReplicaSet":
            name = name.removesuffix(f"-{(metadata.get('labels') or {}).get(HASH, '')}")
        elif owner["kind"] == "Job":
            name = OF_A_CRON_JOB.sub("", name)
        elif owner["kind"] == "Node":  # a static pod has the node's name behind its own
            name = metadata["name"].removesuffix(f"-{owner['name']}")
    return NOT_IN_A_NAME.sub("-", name)


def container_runs(pods: t.Iterable[Object]) -> t.Iterator[Seen]:
    """Yield all container runs that the status of pods still tells of; those before the last one first."""
    for pod in pods:
        status, spec, metadata = pod.get("status") or {}, pod["spec"], pod["metadata"]
        main = (spec.get("containers") or [{}])[0].get("name", "")
        workload = workload_of(pod)
        for group in GROUPS:
            for item in status.get(group) or []:
                common: dict[str, t.Any] = {
                    **{"namespace": metadata["namespace"], "pod": metadata["name"], "uid": metadata["uid"]},
                    **{"node": spec.get("nodeName", ""), "workload": workload, "container": item["name"]},
                    **{"main": group == "containerStatuses" and item["name"] == main, "image": item.get("image", "")},
                }
                before = (item.get("lastState") or {}).get("terminated")
                if before and before.get("containerID"):
                    yield _ended(before, common)
                state = item.get("state") or {}
                if state.get("terminated") and state["terminated"].get("containerID"):
                    yield _ended(state["terminated"], common)
                elif "running" in state and item.get("containerID"):
                    yield Seen(**common, id=_id(item["containerID"]), running=True)


def _ended(state: Object, common: t.Mapping[str, t.Any]) -> Seen:
    return Seen(
        **common,
        id=_id(state["containerID"]),
        running=False,
        exit_code=state.get("exitCode"),
        reason=state.get("reason") or "",
    )


def _id(text: str) -> str:
    return text.partition("://")[2] or text
