# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Evidence of a failure: all that may explain it, from the cluster and its nodes, into one folder, without secrets.

Pieces are fetched in parallel. One that is not available is noted in the index and does not block the others: a
run must not fail because its failure is diagnosed.
"""

from __future__ import annotations

import datetime
import json
import os
import posixpath
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_bytes
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import redacted, redacted_text
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate

INDEX, VERDICT = "README.txt", "verdict.json"
AT_ONCE = 12  # requests side by side
LOG_LINES = 2000
FILE_BYTES = 1 << 20
PODS = 50  # whose logs are fetched; those of the workload first
LISTED = 5000  # lines of a listing on a node
NODE_TIMEOUT = 20.0
CUT = "[... {} bytes before this are left out]\n"
NAMESPACED = (
    *("/api/v1/pods", "/api/v1/services", "/api/v1/configmaps", "/api/v1/persistentvolumeclaims"),
    *("/api/v1/serviceaccounts", "/api/v1/resourcequotas", "/api/v1/limitranges"),
    *("/apis/apps/v1/deployments", "/apis/apps/v1/replicasets", "/apis/apps/v1/statefulsets"),
    *("/apis/apps/v1/daemonsets", "/apis/apps/v1/controllerrevisions"),
    *("/apis/batch/v1/jobs", "/apis/batch/v1/cronjobs", "/apis/autoscaling/v2/horizontalpodautoscalers"),
    *("/apis/discovery.k8s.io/v1/endpointslices", "/apis/networking.k8s.io/v1/ingresses"),
    *("/apis/networking.k8s.io/v1/networkpolicies", "/apis/policy/v1/poddisruptionbudgets"),
)
OF_THE_CLUSTER = (
    *("/api/v1/nodes", "/api/v1/persistentvolumes", "/apis/storage.k8s.io/v1/storageclasses"),
    *(
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    ),
)
# what is asked of a node, all in one command: starting a process in a container costs more than the question does
ON_A_NODE = {
    "coverage.txt": "coverage folders: type, mode, owner, size, time, name",
    "images.txt": "images, by name",
    "disk.txt": "free space, then free inodes",
    "mounts.txt": "mounts",
    "memory.txt": "memory",
    "pod-logs.txt": "logs of all process runs that the kubelet still keeps, by name",
    "kubelet.log": "end of the kubelet's log",
}
SECTION = "\x1e"
NODE_SCRIPT = r"""
section() { printf '\036%s\n' "$1"; }
section coverage.txt
find "$1" -printf '%y %m %U:%G %10s %TY-%Tm-%TdT%TH:%TM:%.9TS %p\n' 2>&1
section images.txt
ctr -n k8s.io images ls -q 2>&1 | grep -v '@sha256:' | grep -v '^sha256:'
section disk.txt
df -P "$1" /var/lib/containerd 2>&1
df -P -i "$1" /var/lib/containerd 2>&1
section mounts.txt
cat /proc/mounts
section memory.txt
cat /proc/meminfo
section pod-logs.txt
find /var/log/pods -type f -printf '%10s %p\n' 2>&1
section kubelet.log
journalctl --unit=kubelet --lines=300 --no-pager --output=short-iso 2>&1
exit 0
"""


@dataclass(frozen=True)
class Request:
    """What failed, and where to look: see the options of the module evidence.

    :ivar directory: folder for the evidence. :ivar failure: C(task), C(msg), C(verdict) of what failed; may be empty.
    :ivar access: names no cluster, or a kubeconfig that does not exist: only what is at hand is kept.
    """

    directory: str
    failure: t.Mapping[str, t.Any] = field(default_factory=dict)
    access: Access = field(default_factory=lambda: Access({}))
    namespace: str = ""
    kind: str = "Deployment"
    name: str = ""
    container: str = ""
    url: str = ""
    nodes: tuple[str, ...] = ()
    volume_directory: str = ""
    beside: tuple[str, ...] = ()


@dataclass
class Collected:
    """The result: files by name with what they are, and what is missing with why."""

    directory: str
    files: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0


class Folder:
    """The folder that the evidence goes to; a file appears whole or not at all."""

    def __init__(self, directory: str) -> None:
        self.path = Path(directory)
        self.collected = Collected(directory)

    def write(self, name: str, about: str, text: str) -> None:
        """Write one file, its end where it is too long; note it for the index."""
        data = text.encode(errors="replace")
        if len(data) > FILE_BYTES:
            data = CUT.format(len(data) - FILE_BYTES).encode() + data[-FILE_BYTES:]
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
        self.note(name, about)

    def note(self, name: str, about: str) -> None:
        """Note a file that is there."""
        self.collected.files[name] = about

    def miss(self, what: str, why: str) -> None:
        """Note what is missing."""
        self.collected.missing[what] = " ".join(why.split())


def collect(request: Request, podman: Podman) -> Collected:
    """Collect what there is into the folder and return what came of it.

    :raises CoverageError: the folder itself cannot be made; whatever else goes wrong is noted in its index.
    """
    started = time.monotonic()
    folder = Folder(request.directory)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CoverageError(
            f"Cannot write diagnostics to {request.directory}: {error.strerror}.",
            setting="evidence#directory",
            cause="cannot-write",
        ) from error
    report_progress("collect evidence")
    _forget_earlier(folder.path)
    jobs: list[tuple[str, t.Callable[[], None]]] = [("the verdict", lambda: _verdict(folder, request))]
    cluster = _reach(folder, request)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # the longest first
        jobs += _node_jobs(folder, request, podman)
        if cluster is not None:
            jobs += _cluster_jobs(folder, request, cluster, podman)
        running = [(what, pool.submit(job)) for what, job in jobs]
        for what, done in running:
            try:
                done.result()
            except CoverageError as error:
                folder.miss(what, error.message)
            except OSError as error:
                folder.miss(what, f"it cannot be written: {error.strerror}")
    collected = folder.collected
    for path in sorted(folder.path.iterdir()):
        # what the stage that failed has left there itself
        if path.is_file() and path.name not in (INDEX, *collected.files):
            folder.note(path.name, "the observation that gave the verdict")
    collected.seconds = round(time.monotonic() - started, 2)
    try:
        folder.write(INDEX, "this page", _index(request, collected))
        collected.bytes = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    except OSError as error:
        folder.miss("the index", f"it cannot be written: {error.strerror}")
    return collected


def _forget_earlier(directory: Path) -> None:
    """Remove the evidence of an earlier failure of the same run: all that is not newer than its index."""
    index = directory / INDEX
    if not index.is_file():
        return
    until = index.stat().st_mtime
    for path in directory.rglob("*"):
        if path.is_file() and path.stat().st_mtime <= until:
            path.unlink()


def _reach(folder: Folder, request: Request) -> t.Optional[Cluster]:
    """Return the cluster if it answers: otherwise nothing of it is asked for, and that is noted once."""
    if not request.access.given or request.access.absent:
        folder.miss("the cluster", "it did not exist yet")
        return None
    try:
        cluster = Cluster(request.access)
        cluster.get("/version")
    except CoverageError as error:
        folder.miss("the cluster", error.message)
        return None
    return cluster


def _verdict(folder: Folder, request: Request) -> None:
    if request.failure:
        text = json.dumps(redacted(dict(request.failure)), indent=1, ensure_ascii=False, default=str)
        folder.write(VERDICT, "what failed, and the verdict", text + "\n")


Job = tuple[str, t.Callable[[], None]]


def _cluster_jobs(folder: Folder, request: Request, cluster: Cluster, podman: Podman) -> list[Job]:
    namespace = request.namespace
    jobs: list[Job] = []

    def objects(path: str, *, cluster_wide: bool) -> Job:
        kind = path.rpartition("/")[2]
        where = path if cluster_wide else path.replace(f"/{kind}", f"/namespaces/{namespace}/{kind}")
        return kind, lambda: _objects(folder, cluster, kind, where)

    jobs += [objects(path, cluster_wide=True) for path in OF_THE_CLUSTER]
    if namespace:
        jobs += [objects(path, cluster_wide=False) for path in NAMESPACED]
        jobs.append(("secrets", lambda: _secrets(folder, cluster, namespace)))
        jobs.append(("events", lambda: _events(folder, cluster, namespace)))
        try:
            pods = cluster.list(f"/api/v1/namespaces/{namespace}/pods")
        except CoverageError as error:
            folder.miss("logs", error.message)
            pods = []
        jobs += _log_jobs(folder, request, cluster, pods)
    if namespace and request.name and not (folder.path / gate.EVIDENCE_FILE).exists():
        jobs.append(("the observation", lambda: _observation(folder, request, cluster, podman)))
    return jobs


def _objects(folder: Folder, cluster: Cluster, kind: str, path: str) -> None:
    answer = cluster.request("GET", path)
    items = answer.get("items") or []
    if not items:
        return
    version, of = answer.get("apiVersion", "v1"), str(answer.get("kind", "")).removesuffix("List")
    # items of a list do not say what they are
    listed = [{"apiVersion": version, "kind": of, **item} for item in items]
    about = f"{len(items)} {kind}"
    folder.write(
        f"objects/{kind}.yaml", about, as_yaml({"apiVersion": "v1", "kind": "List", "items": redacted(listed)})
    )


def _secrets(folder: Folder, cluster: Cluster, namespace: str) -> None:
    """Keep of the Secrets their names, types and keys: nothing of what is in them, also not in annotations."""
    found = cluster.list(f"/api/v1/namespaces/{namespace}/secrets")
    if found:
        lines = [
            f"{item['metadata']['name']}  {item.get('type', '')}  keys: "
            + (", ".join(sorted(item.get("data") or {})) or "-")
            for item in found
        ]
        folder.write("objects/secrets.txt", f"{len(found)} secrets, by name, type and keys", "\n".join(lines) + "\n")


def _events(folder: Folder, cluster: Cluster, namespace: str) -> None:
    found = cluster.list(f"/api/v1/namespaces/{namespace}/events")
    if found:
        folder.write("events.txt", f"{len(found)} events, oldest first", events_table(found))
        items = {"apiVersion": "v1", "kind": "List", "items": redacted(found)}
        folder.write("objects/events.yaml", f"{len(found)} events", as_yaml(items))


def events_table(events: t.Sequence[Object]) -> str:
    """Return the events as lines: time, type, reason, object, how often, message; oldest first."""
    rows = []
    for event in events:
        when = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
        about = event.get("involvedObject") or {}
        times = (event.get("series") or {}).get("count") or event.get("count") or 1
        rows.append(
            (
                *(when, event.get("type") or "", event.get("reason") or ""),
                *(f"{about.get('kind', '?')}/{about.get('name', '?')}", f"x{times}"),
                redacted_text(" ".join((event.get("message") or "").split())),
            )
        )
    rows.sort(key=lambda row: row[0])
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    lines = [
        "  ".join([*(part.ljust(width) for part, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _log_jobs(folder: Folder, request: Request, cluster: Cluster, pods: list[Object]) -> list[Job]:
    """Fetch the end of the log of every container, and of its process run before; the workload's own pods first."""
    pods = sorted(pods, key=lambda pod: not pod["metadata"]["name"].startswith(request.name or "?"))
    for pod in pods[PODS:]:
        folder.miss(f"logs of pod {pod['metadata']['name']}", f"only those of {PODS} pods are kept")
    jobs: list[Job] = []
    for pod in pods[:PODS]:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        for group in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
            for container in status.get(group) or []:
                jobs.append(_log_job(folder, cluster, request.namespace, name, container["name"], previous=False))
                if container.get("restartCount"):
                    jobs.append(_log_job(folder, cluster, request.namespace, name, container["name"], previous=True))
    return jobs


def _log_job(folder: Folder, cluster: Cluster, namespace: str, pod: str, container: str, *, previous: bool) -> Job:
    name = f"logs/{pod}/{container}{'.previous' if previous else ''}.log"

    def fetch() -> None:
        text = cluster.logs(namespace, pod, container, previous=previous, lines=LOG_LINES)
        if text:
            process_run = "the process run before" if previous else "this process run"
            folder.write(name, f"end of the log of {process_run}", _redacted_lines(text.splitlines()))

    return name, fetch


def _observation(folder: Folder, request: Request, cluster: Cluster, podman: Podman) -> None:
    """Look as the gate does, where it did not fail itself: what it saw then is not overwritten."""
    target = gate.Target(
        kind=request.kind,
        namespace=request.namespace,
        name=request.name,
        container=request.container,
        nodes=request.nodes,
        volume_directory=request.volume_directory,
        url=request.url,
    )
    seen = gate.observe(cluster, podman, target, logs=True)
    text = json.dumps(seen.as_dict(), indent=1, sort_keys=True)
    folder.write("observation-after.json", "the observation of the workload, collected after the failure", text + "\n")


def _node_jobs(folder: Folder, request: Request, podman: Podman) -> list[Job]:
    coverage = posixpath.dirname(posixpath.dirname(request.volume_directory.rstrip("/"))) or "/coverdata"
    return [(f"node {node}", _node_job(folder, podman, node, coverage)) for node in request.nodes]


def _node_job(folder: Folder, podman: Podman, node: str, coverage: str) -> t.Callable[[], None]:
    def fetch() -> None:
        answer = podman.exec(
            node, "sh", "-c", NODE_SCRIPT, "look", coverage, purpose=f"look at node {node}", timeout=NODE_TIMEOUT
        )
        for section in answer.stdout.split(SECTION)[1:]:
            name, _newline, text = section.partition("\n")
            lines = text.splitlines()
            if len(lines) > LISTED:
                lines = [*lines[:LISTED], f"[... {len(lines) - LISTED} more lines]"]
            folder.write(f"nodes/{node}/{name}", ON_A_NODE[name], _redacted_lines(lines))

    return fetch


def _redacted_lines(lines: t.Iterable[str]) -> str:
    return "".join(f"{redacted_text(line)}\n" for line in lines)


def _index(request: Request, collected: Collected) -> str:
    verdict = request.failure.get("verdict") or {}
    lines = [
        f"Diagnostics, collected {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC in {collected.seconds} s."
    ]
    lines.append("Secrets are left out: values with a secret's name are shown as (redacted).")
    if request.failure:
        lines += ["", f"Failed: {request.failure.get('task') or '?'}"]
        lines.append(redacted_text(str(verdict.get("sentence") or request.failure.get("msg") or "")))
        if verdict.get("cause"):
            lines.append(f"Cause: {verdict['cause']}")
    lines += ["", "Files"]
    lines += [f"  {name:<58} {about}" for name, about in sorted(collected.files.items())]
    if collected.missing:
        lines += ["", "Missing"]
        lines += [f"  {what}: {redacted_text(why)}" for what, why in sorted(collected.missing.items())]
    beside = [name for name in request.beside if os.path.exists(name)]
    if beside:
        lines += ["", "Next to this folder", *(f"  {os.path.relpath(name, request.directory)}" for name in beside)]
    return "\n".join(lines) + "\n"


def as_yaml(value: t.Any) -> str:
    """Return a value as YAML for people; with libyaml, which is ten times as fast, where it is there."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    form = {"default_flow_style": False, "sort_keys": False, "allow_unicode": True, "width": 120}
    return str(yaml.dump(value, Dumper=dumper, **form))
