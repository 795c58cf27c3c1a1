# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the runs of this collection have left on a host: clusters, images with their folders, files of killed runs."""

from __future__ import annotations

import tempfile
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import TEMPORARY, maker_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import LABEL
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.clusters import SAVED_RUNS, KindClusters
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.lock import CreationLock
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import (
    CLUSTER,
    IMAGE,
    USE,
    Lease,
    Leases,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import start_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import KIND_CLUSTER_LABEL, Podman

JOBS = "jobs"  # folder of the cache for the results of background jobs
JOB_LIMIT = 2 * 3600.0  # seconds; a job of the role kind_cluster is given 2400
EARLIEST = 1e9  # seconds since 1970; images that are built the same everywhere have an earlier date, which says nothing


@dataclass
class MadeCluster:
    """A cluster. C(services) ran in it, C(unfinished) tells of a creation that was killed, C(age) is in seconds."""

    name: str
    ours: bool
    unfinished: bool
    state: str
    kubeconfig: str
    ports: list[int]
    services: list[str]
    age: float
    users: list[Lease] = field(default_factory=list)


@dataclass
class MadeImages:
    """What was built for a service: image names, files in the cache; C(bytes) is the size of both."""

    service: str
    names: list[str]
    folder: str
    bytes: int
    age: float
    users: list[Lease] = field(default_factory=list)


@dataclass
class Made:
    """All of it, and the files that killed runs left."""

    clusters: list[MadeCluster]
    images: list[MadeImages]
    remains: list[str]
    leases: list[Lease]


def find(cache: Path, podman: Podman, *, now: t.Optional[float] = None) -> Made:
    """Look at the host; nothing is changed.

    :arg cache: folder of the collection's cache.
    :raises CoverageError: podman does not answer, or the leases cannot be read.
    """
    moment = time.time() if now is None else now
    leases = Leases(cache).all()
    clusters = _clusters(cache, podman, leases, moment)
    known = {cluster.name for cluster in clusters} | {lease.resource.name for lease in leases}
    return Made(clusters, _images(cache, podman, leases, moment), _remains(cache, known), leases)


def _clusters(cache: Path, podman: Podman, leases: t.Sequence[Lease], now: float) -> list[MadeCluster]:
    created: dict[str, float] = {}
    for container in podman.containers(f"label={KIND_CLUSTER_LABEL}"):
        name = container["Labels"][KIND_CLUSTER_LABEL]
        created[name] = max(created.get(name, 0.0), float(container.get("Created") or 0))
    found = []
    for cluster in KindClusters(podman=podman).clusters():
        facts = cluster.result()
        folder = cache / "clusters" / cluster.name
        kubeconfig = facts["kubeconfig"] or str(folder / "kubeconfig")
        lock = CreationLock(Path(kubeconfig))
        services = {path.stem.removeprefix("run-") for path in Path(kubeconfig).parent.glob(SAVED_RUNS)}
        record = cluster.record or {}
        found.append(
            MadeCluster(
                name=cluster.name,
                ours=cluster.ours or lock.path.exists(),
                unfinished=(lock.left_behind() or not record.get("complete", True)) and not lock.held_elsewhere(),
                state=facts["state"],
                kubeconfig=kubeconfig,
                ports=[mapping["host_port"] for mapping in facts["config"].get("port_mappings", [])],
                services=sorted(services),
                age=now - created.get(cluster.name, now),
                users=_users(leases, (CLUSTER, USE), cluster.name),
            )
        )
    return found


def _images(cache: Path, podman: Podman, leases: t.Sequence[Lease], now: float) -> list[MadeImages]:
    by_service: dict[str, list[dict[str, t.Any]]] = {}
    for record in podman.images_with_label(f"{LABEL}/service"):
        by_service.setdefault(record["Labels"][f"{LABEL}/service"], []).append(record)
    base = cache / "instrumented_image"
    folders = {path.name: path for path in base.iterdir() if path.is_dir()} if base.is_dir() else {}
    found = []
    for service in sorted({*by_service, *folders}):
        records = by_service.get(service, [])
        files = [_size_and_time(path) for path in folders[service].rglob("*")] if service in folders else []
        dates = [float(record.get("Created") or 0) for record in records] + [moment for _size, moment in files]
        changed = [date for date in dates if date > EARLIEST]
        found.append(
            MadeImages(
                service=service,
                names=sorted(name for record in records for name in record.get("Names") or []),
                folder=str(folders.get(service, "")),
                bytes=sum(int(record.get("Size") or 0) for record in records) + sum(size for size, _moment in files),
                age=now - max(changed, default=now),
                users=_users(leases, (IMAGE,), service),
            )
        )
    return found


def _users(leases: t.Iterable[Lease], kinds: t.Container[str], name: str) -> list[Lease]:
    return [lease for lease in leases if lease.resource.kind in kinds and lease.resource.name == name]


def _size_and_time(path: Path) -> tuple[int, float]:
    try:
        facts = path.lstat()
    except FileNotFoundError:  # written and replaced meanwhile
        return 0, 0.0
    return facts.st_size, facts.st_mtime


def _remains(cache: Path, known: t.Container[str]) -> list[str]:
    """Return the files and folders that killed runs left: temporary ones, half-written ones, results of jobs.

    :arg known: names of clusters that exist or are being made.
    """
    found = [path for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*") if _is_left(maker_of(path))]
    for place in ("clusters", "instrumented_image"):
        found += [path for path in (cache / place).rglob(".*.part") if _is_left(maker_of(path))]
    # a job that has ended may still have to be read by its run
    found += [path for path in (cache / JOBS).glob("j*") if time.time() - _size_and_time(path)[1] > JOB_LIMIT]
    found += [path for path in (cache / "clusters").glob("*") if path.name not in known and _is_empty(path)]
    return sorted(map(str, found))


def _is_left(process: int) -> bool:
    """Whether a process that is named does not exist."""
    return bool(process) and start_of(process) is None


def _is_empty(path: Path) -> bool:
    return path.is_dir() and next(path.iterdir(), None) is None
