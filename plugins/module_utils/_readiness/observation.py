# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What was seen of a workload at one moment: everything that the rules may look at, and nothing else.

An observation is plain data. It can be written to a file and read back, so that any verdict can be replayed in a test.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
from dataclasses import dataclass, field

Object = dict[str, t.Any]

NAMED = r"passw|secret|token|credential|api[-_]?key|private|authorization"
SECRET_NAME = re.compile(NAMED, re.IGNORECASE)
# in running text: --db-password=x, TOKEN="x", {"password": "x"}
SECRET_IN_TEXT = re.compile(
    rf"""([\w-]*(?:{NAMED})[\w-]*["']?=["']?|["'][\w-]*(?:{NAMED})[\w-]*["']:\s*["'])([^\s"'&,;]+)""", re.IGNORECASE
)
# scheme://user:x@host
PASSWORD_IN_URL = re.compile(r"(://[^\s/:@]*:)([^\s/@]+)(?=@)")
OPTION = re.compile(rf"--?[\w-]*(?:{NAMED})[\w-]*", re.IGNORECASE)
BLANK = "(redacted)"


@dataclass
class Observation:
    """One look at a workload and all that belongs to it; Kubernetes objects as the API returns them.

    :ivar workload: the Deployment or StatefulSet; None where there is none.
    :ivar replica_sets: the ReplicaSets of a Deployment, of all revisions.
    :ivar pods: the pods that the workload's selector matches.
    :ivar events: events of the namespace.
    :ivar nodes: all nodes of the cluster.
    :ivar images: names of the images on a node, as its containerd has them now; C(nodes) has them some seconds late.
    :ivar logs: end of the logs by C(pod/container), C(pod/container/previous) for the life before.
    :ivar coverage: by pod, the names of the files in its coverage folder; a pod without a folder is not in it.
    :ivar coverage_watched: whether the coverage folders could be looked at at all.
    :ivar container: name of the instrumented container.
    :ivar url: the address to be reached, empty where none. :ivar url_answer: what it said last ("200", or an error).
    :ivar url_ready: whether that was a 2xx status.
    :ivar waited: seconds since the wait began.
    """

    kind: str
    namespace: str
    name: str
    container: str = ""
    workload: t.Optional[Object] = None
    replica_sets: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    nodes: list[Object] = field(default_factory=list)
    images: dict[str, list[str]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    coverage: dict[str, list[str]] = field(default_factory=dict)
    coverage_watched: bool = False
    url: str = ""
    url_answer: str = ""
    url_ready: bool = False
    now: str = ""
    waited: float = 0.0

    def as_dict(self) -> dict[str, t.Any]:
        """Return the observation as JSON takes it; plain values of variables that look like secrets are blanked."""
        return t.cast("dict[str, t.Any]", redacted(dataclasses.asdict(self)))

    @property
    def wanted(self) -> int:
        """Replicas that the workload asks for."""
        return int(((self.workload or {}).get("spec") or {}).get("replicas", 1))

    @property
    def newest_replica_set(self) -> t.Optional[Object]:
        """The ReplicaSet of the newest revision of a Deployment."""
        return max(self.replica_sets, key=_revision, default=None)

    @property
    def current_pods(self) -> list[Object]:
        """The pods of the workload's newest revision that are not on their way out."""
        return [pod for pod in self.pods if self._is_current(pod) and "deletionTimestamp" not in pod["metadata"]]

    @property
    def ready_pods(self) -> list[Object]:
        """Those of the current pods that are Ready."""
        return [pod for pod in self.current_pods if condition(pod, "Ready").get("status") == "True"]

    @property
    def rolled_out(self) -> bool:
        """Whether all replicas are of the newest revision and available, and the older ones are gone.

        The conditions of C(kubectl rollout status) (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go), and that
        no pod of an older revision still ends: it could still answer, and its counters would be another build's.
        """
        if self.workload is None:
            return False
        status = self.workload.get("status") or {}
        if status.get("observedGeneration", 0) < self.workload["metadata"].get("generation", 0):
            return False
        ready = status.get("availableReplicas" if self.kind == "Deployment" else "readyReplicas", 0)
        return (
            status.get("updatedReplicas", 0) == self.wanted
            and status.get("replicas", 0) == self.wanted
            and ready == self.wanted
            and len(self.pods) == self.wanted
        )

    def _is_current(self, pod: Object) -> bool:
        labels = pod["metadata"].get("labels") or {}
        if self.kind == "StatefulSet":
            revision = ((self.workload or {}).get("status") or {}).get("updateRevision")
            return revision is None or labels.get("controller-revision-hash") == revision
        newest = self.newest_replica_set
        if newest is None:
            return False
        return labels.get("pod-template-hash") == (newest["metadata"].get("labels") or {}).get("pod-template-hash")

    def events_of(self, *items: t.Optional[Object], reason: str = "") -> list[Object]:
        """Return the events about these objects, oldest first."""
        uids = {item["metadata"].get("uid") for item in items if item}
        found = [
            event
            for event in self.events
            if event.get("involvedObject", {}).get("uid") in uids and (not reason or event.get("reason") == reason)
        ]
        return sorted(found, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")


def condition(item: Object, kind: str) -> Object:
    """Return the condition of that type, empty where there is none."""
    for found in (item.get("status") or {}).get("conditions") or []:
        if found["type"] == kind:
            return t.cast(Object, found)
    return {}


def containers(pod: Object) -> t.Iterator[Object]:
    """Yield the status of each container of a pod, init containers first."""
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def redacted(value: t.Any) -> t.Any:
    """Return a copy without secrets: values of what is named like one, in objects, argument lists and text.

    What only refers to a secret stays (C(secretName)), and so does all that is no text (C(tokenExpirationSeconds)).
    """
    if isinstance(value, dict):
        named_secret = SECRET_NAME.search(str(value.get("name", ""))) is not None
        return {
            key: BLANK
            if isinstance(item, str) and item and ((key == "value" and named_secret) or _holds_secret(str(key)))
            else redacted(item)
            for key, item in value.items()
            if key != "managedFields"
        }
    if isinstance(value, list):
        # the value of an option may be the next element
        options = [False, *(isinstance(item, str) and OPTION.fullmatch(item) is not None for item in value)]
        return [
            BLANK if after_option and isinstance(item, str) and not item.startswith("-") else redacted(item)
            for item, after_option in zip(value, options, strict=False)
        ]
    return redacted_text(value) if isinstance(value, str) else value


def redacted_text(text: str) -> str:
    """Return the text without what looks like the value of a secret; JSON in it, as in annotations, stays JSON."""
    if text.startswith("{"):
        try:
            return json.dumps(redacted(json.loads(text)), sort_keys=True, separators=(",", ":"))
        except ValueError:
            pass
    return PASSWORD_IN_URL.sub(rf"\1{BLANK}", SECRET_IN_TEXT.sub(rf"\1{BLANK}", text))


def _holds_secret(key: str) -> bool:
    return SECRET_NAME.search(key) is not None and not key.endswith("Name")


def _revision(replica_set: Object) -> int:
    annotations = replica_set["metadata"].get("annotations") or {}
    return int(annotations.get("deployment.kubernetes.io/revision", 0))
