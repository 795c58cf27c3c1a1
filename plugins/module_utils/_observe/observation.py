# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What was seen of a workload at one moment: everything that the rules may look at, and nothing else.

An observation is plain data. It can be written to a file and read back, so that any verdict can be replayed in a test.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis

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


REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


@dataclass(frozen=True)
class Behind:
    """What the rules found in a workload behind a Service: its name, why it will not be ready (if known), its state."""

    name: str
    verdict: t.Optional[Diagnosis]
    missing: str


@dataclass
class Dependency:
    """Something that a program needs and asked for, as its log or its configuration says.

    :ivar host, port: as they were asked for; port 0 where it is not known.
    :ivar form: what happened: C(refused), C(silent), C(name), C(auth), C(tls), C(schema) and the others of
        C(contacts.FORMS); C(mentioned) where it is only known from variables, arguments or ConfigMaps.
    :ivar line: the line that says so. :ivar pod, container: whose it is.
    :ivar inside: whether the name or address can only be one of this cluster.
    :ivar service: the Service that it is; None where there is none. :ivar ready, unready: its endpoints.
    :ivar ready_since: when the first of them became ready, empty where unknown.
    :ivar workloads: the workload behind the Service, observed like any other; at most one.
    :ivar targets, declared: the ports that the Service sends to, and those that the pods behind it declare.
    :ivar policies: NetworkPolicies that select the pod that asked, or the pods behind the Service.
    :ivar near: names of Services that come near to a name that does not exist.
    :ivar member_of: the Service whose member a name without a Service of its own would be (C(db-0.db)).
    :ivar named: the word of the configuration from which the host is taken, where the client did not say it.
    :ivar behind: what the rules found in C(workloads); the engine sets it, and it is not written to a file.
    """

    host: str
    port: int
    form: str
    line: str
    pod: str = ""
    container: str = ""
    inside: bool = False
    service: t.Optional[Object] = None
    ready: int = 0
    unready: int = 0
    ready_since: str = ""
    workloads: list[Observation] = field(default_factory=list)
    near: list[str] = field(default_factory=list)
    member_of: t.Optional[Object] = None
    named: str = ""
    targets: list[int] = field(default_factory=list)
    declared: list[int] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list, repr=False, compare=False)


@dataclass
class Observation:
    """One look at a workload and all that belongs to it; Kubernetes objects as the API returns them.

    :ivar workload: the object itself; None where there is none. For a CronJob C(jobs) has what it started.
    :ivar replica_sets: the ReplicaSets of a Deployment, of all revisions.
    :ivar pods: the pods that belong to the workload.
    :ivar events: events of the namespace.
    :ivar nodes: all nodes of the cluster.
    :ivar images: names of the images on a node, as its containerd has them now; C(nodes) has them some seconds late.
    :ivar logs: end of the logs by C(pod/container), C(pod/container/previous) for the process run before.
    :ivar coverage: by pod, the names of the files in its coverage folder; a pod without a folder is not in it.
    :ivar coverage_watched: whether the coverage folders could be read at all.
    :ivar container: name of the instrumented container.
    :ivar url: the address to be reached, empty where none. :ivar url_answer: what it said last ("200", or an error).
    :ivar url_ports: by port of this host, the ports of the nodes that it leads to; only after a full look.
    :ivar url_ready: whether that was a 2xx status.
    :ivar waited: seconds since the wait began. :ivar timeout: seconds that it may last; 0 where that is not known.

    Only a full look has these:

    :ivar full: whether it was one.
    :ivar services, endpoint_slices: those of the namespace. :ivar claims: its PersistentVolumeClaims.
    :ivar names: by kind, the names of what a pod may refer to (C(ConfigMap), C(Secret), C(ServiceAccount),
        C(PersistentVolumeClaim), C(StorageClass)); a kind that could not be listed is not in it.
    :ivar keys: by name, the keys of each ConfigMap.
    :ivar answers: what the ports of pods said when they were asked: C(pod), C(container), C(port), C(path), C(status)
        (0: no answer), C(error), C(seconds), C(body) (its beginning), C(scheme).
    :ivar dependencies: what the program needs.
    :ivar programs: by pod, whether the file of the running process is instrumented (C(instrumented)) and whether its
        build information says so (C(cover)).
    :ivar folders: by node, whether the folder for the counters is there.
    :ivar port_holders: pods of the whole cluster that hold host ports; only for a pod that finds no free one.
    :ivar moving: other pods of the namespace that still change by themselves, with what they do.
    :ivar makers: objects of the namespace from which controllers make Secrets and ConfigMaps (C(Certificate x)).
    :ivar account: the ServiceAccount of the pods: C(name), C(automountServiceAccountToken).
    :ivar leases: by name, who holds the leases of the namespace; only where some pods are ready and others are not.
    :ivar listeners: by C(pod/container), the C(address:port) where its programs listen; only where a probe is refused.
    :ivar unseen: what could not be read, and why.
    """

    kind: str
    namespace: str
    name: str
    container: str = ""
    workload: t.Optional[Object] = None
    jobs: list[Object] = field(default_factory=list)
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
    url_ports: dict[str, list[int]] = field(default_factory=dict)
    now: str = ""
    waited: float = 0.0
    timeout: float = 0.0
    full: bool = False
    services: list[Object] = field(default_factory=list)
    endpoint_slices: list[Object] = field(default_factory=list)
    claims: list[Object] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    answers: list[Object] = field(default_factory=list)
    dependencies: list[Dependency] = field(default_factory=list)
    programs: dict[str, Object] = field(default_factory=dict)
    folders: dict[str, bool] = field(default_factory=dict)
    port_holders: list[Object] = field(default_factory=list)
    moving: list[str] = field(default_factory=list)
    makers: list[str] = field(default_factory=list)
    account: Object = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)
    listeners: dict[str, list[str]] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, t.Any]:
        """Return the observation as JSON takes it; plain values of variables that look like secrets are blanked."""
        return t.cast("dict[str, t.Any]", redacted(_plain(self)))

    @classmethod
    def from_dict(cls, value: t.Mapping[str, t.Any]) -> Observation:
        """Return the observation that was written with C(as_dict); what this version does not know is left out.

        :raises TypeError: it is not an observation: C(kind), C(namespace) or C(name) is missing.
        """
        known = _known(cls, value)
        known["dependencies"] = [
            Dependency(
                **{
                    **{name: found for name, found in _known(Dependency, item).items() if name != "behind"},
                    "workloads": [cls.from_dict(behind) for behind in item.get("workloads") or []],
                }
            )
            for item in value.get("dependencies") or []
        ]
        return cls(**known)

    @property
    def spec(self) -> Object:
        """Specification of the workload; for a CronJob that of its newest Job, or of its template."""
        if self.kind == "CronJob":
            newest = self.newest_job
            template = ((self.workload or {}).get("spec") or {}).get("jobTemplate") or {}
            return t.cast(Object, (newest or template).get("spec") or {})
        return (self.workload or {}).get("spec") or {}

    @property
    def pod_spec(self) -> Object:
        """Specification of the pods, as the workload has it now."""
        if self.kind == "Pod":
            return self.spec
        return t.cast(Object, (self.spec.get("template") or {}).get("spec") or {})

    @property
    def wanted(self) -> int:
        """How many pods the workload asks for."""
        if self.kind == "DaemonSet":
            return int(((self.workload or {}).get("status") or {}).get("desiredNumberScheduled", 0))
        if self.kind in ("Job", "CronJob"):
            side_by_side = self.spec.get("parallelism")
            needed = self.spec.get("completions")
            parallel = 1 if side_by_side is None else int(side_by_side)
            return parallel if needed is None else min(parallel, int(needed))
        if self.kind == "Pod":
            return 1
        replicas = self.spec.get("replicas")
        return 1 if replicas is None else int(replicas)

    @property
    def newest_replica_set(self) -> t.Optional[Object]:
        """The ReplicaSet of the newest revision of a Deployment."""
        return max(self.replica_sets, key=_revision, default=None)

    @property
    def newest_job(self) -> t.Optional[Object]:
        """The Job itself, or the one that a CronJob started last."""
        if self.kind == "Job":
            return self.workload
        return max(self.jobs, key=lambda job: str(job["metadata"].get("creationTimestamp")), default=None)

    @property
    def current_pods(self) -> list[Object]:
        """The pods of the workload's newest revision that are not on their way out."""
        return [pod for pod in self.pods if self._is_current(pod) and "deletionTimestamp" not in pod["metadata"]]

    @property
    def ready_pods(self) -> list[Object]:
        """Those of the current pods that are Ready, or that have done their work."""
        return [
            pod
            for pod in self.current_pods
            if condition(pod, "Ready").get("status") == "True" or (pod.get("status") or {}).get("phase") == "Succeeded"
        ]

    @property
    def rolled_out(self) -> bool:
        """Whether all replicas are of the newest revision and available, and the older ones are gone.

        The conditions of C(kubectl rollout status) (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go), and that
        no pod of an older revision still ends: it could still answer, and its counters would be another build's. A Job
        is when its pods run, or when it is complete.
        """
        if self.workload is None:
            return False
        status = self.workload.get("status") or {}
        if self.kind == "Pod":
            return bool(self.ready_pods)
        if self.kind in ("Job", "CronJob"):
            return self._job_runs()
        if status.get("observedGeneration", 0) < self.workload["metadata"].get("generation", 0):
            return False
        if self.kind == "DaemonSet":
            return (
                status.get("updatedNumberScheduled", 0) == self.wanted
                and status.get("numberAvailable", 0) == self.wanted
                and len(self.pods) == self.wanted
            )
        if status.get("replicas", 0) != self.wanted or len(self.pods) != self.wanted:
            return False
        if self.kind == "ReplicaSet":
            return bool(status.get("availableReplicas", 0) == self.wanted)
        if self.kind == "StatefulSet":
            strategy = self.spec.get("updateStrategy") or {}
            kept = (strategy.get("rollingUpdate") or {}).get("partition") or 0
            updated = 0 if strategy.get("type") == "OnDelete" else max(0, self.wanted - int(kept))
            return bool(
                status.get("updatedReplicas", 0) >= updated
                and status.get("availableReplicas", status.get("readyReplicas", 0)) == self.wanted
            )
        return bool(
            status.get("updatedReplicas", 0) == self.wanted and status.get("availableReplicas", 0) == self.wanted
        )

    def _job_runs(self) -> bool:
        job = self.newest_job
        if job is None:
            return False
        if condition(job, "Complete").get("status") == "True":
            return True
        if condition(job, "Failed").get("status") == "True" or not self.wanted:
            return False
        status = job.get("status") or {}
        return int(status.get("ready") or 0) + int(status.get("succeeded") or 0) >= self.wanted

    def _is_current(self, pod: Object) -> bool:
        labels = pod["metadata"].get("labels") or {}
        if self.kind == "StatefulSet":
            strategy = self.spec.get("updateStrategy") or {}
            revision = ((self.workload or {}).get("status") or {}).get("updateRevision")
            held = strategy.get("type") == "OnDelete" or (strategy.get("rollingUpdate") or {}).get("partition")
            return bool(held) or revision is None or labels.get("controller-revision-hash") == revision
        if self.kind == "DaemonSet":
            annotations = (self.workload or {}).get("metadata", {}).get("annotations") or {}
            newest, own = annotations.get(TEMPLATE_GENERATION), labels.get("pod-template-generation")
            return newest is None or own is None or own == newest
        if self.kind == "CronJob":
            job = self.newest_job
            names = (labels.get("batch.kubernetes.io/job-name"), labels.get("job-name"))
            return job is not None and job["metadata"]["name"] in names
        if self.kind != "Deployment":
            return True
        newest_set = self.newest_replica_set
        if newest_set is None:
            # who may not see the ReplicaSets goes by the newest pod
            newest = max(self.pods, key=lambda item: str(item["metadata"].get("creationTimestamp")))
            return labels.get(HASH) == (newest["metadata"].get("labels") or {}).get(HASH)
        return labels.get("pod-template-hash") == (newest_set["metadata"].get("labels") or {}).get("pod-template-hash")

    def events_of(self, *items: t.Optional[Object], reason: str = "") -> list[Object]:
        """Return the events about these objects, oldest first."""
        uids = {item["metadata"].get("uid") for item in items if item}
        found = [
            event
            for event in self.events
            if event.get("involvedObject", {}).get("uid") in uids and (not reason or event.get("reason") == reason)
        ]
        return sorted(found, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")


def _plain(seen: Observation) -> dict[str, t.Any]:
    found = dataclasses.asdict(dataclasses.replace(seen, dependencies=[]))
    found["dependencies"] = [
        {
            name: [_plain(workload) for workload in item.workloads] if name == "workloads" else value
            for name, value in dataclasses.asdict(dataclasses.replace(item, behind=[], workloads=[])).items()
            if name != "behind"
        }
        for item in seen.dependencies
    ]
    return found


def _known(cls: type, value: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    names = {item.name for item in dataclasses.fields(cls)}
    return {key: item for key, item in value.items() if key in names}


def moment(text: str) -> float:
    """Seconds since the epoch of a time as Kubernetes and observations write it; 0 where it is empty."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


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

    What only refers to a secret stays (C(secretName)), and so does everything that is not text
    (C(tokenExpirationSeconds)).
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
    return int(annotations.get(REVISION, 0))
