# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Remove what runs left on a host: all of it, what is named, or what nobody needs; never what another run uses."""

from __future__ import annotations

import shutil
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.instrumented import remove_images
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import BuildRequest, ImageSource
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.clusters import KindClusters
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import (
    CLUSTER,
    IMAGE,
    USE,
    LeaseError,
    Leases,
    Resource,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep.made import Made, MadeCluster, MadeImages, find

HOUR = 3600.0
GIB = 1024**3
SCOPES = ("all", "named", "unneeded")


@dataclass(frozen=True)
class CleanupRequest:
    """What to remove.

    :ivar scope: C(all) that runs made; what C(named) clusters and services made; or what is C(unneeded).
    :ivar clusters: names, for C(named). :ivar services: names, for C(named).
    :ivar older_than: hours; for C(unneeded): 0: no age is too great. :ivar budget: GiB that images and their files may
        take; for C(unneeded): 0: as much as they want.
    :ivar wait: seconds to wait for each run that uses something. What is unneeded is never waited for.
    """

    cache_dir: str
    scope: str = "all"
    clusters: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    older_than: float = 0.0
    budget: float = 0.0
    wait: float = 3600.0
    podman: str = "podman"


@dataclass
class CleanupOutcome:
    """C(removed), or in check mode what would be; C(kept) with the reason; C(unknown) names, each in a sentence."""

    removed: list[dict[str, str]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return it as text, one line for each thing."""
        removed = [f"{item['what']}: {item['reason']}" for item in self.removed]
        return removed + [f"kept: {item['what']}: {item['reason']}" for item in self.kept] + self.unknown


def clean_up(request: CleanupRequest, owner: Owner, *, check: bool = False) -> CleanupOutcome:
    """Remove what the request describes, holding the lease of each thing alone while it is removed.

    :raises InputError: the request contradicts itself; nothing was changed.
    :raises LeaseError: a run still uses what is named after C(wait) seconds.
    """
    _require_meaning(request)
    cache, podman = Path(request.cache_dir).expanduser(), Podman(request.podman)
    made = find(cache, podman)
    outcome = CleanupOutcome()
    if request.scope == "unneeded":
        clusters, images = _unneeded(request, made)
    else:
        clusters, images = _named(request, made, outcome)
    leases = Leases(cache)
    for name, reason, remove in _tasks(request, clusters, images, cache, podman):
        resources, what = name
        entry = {"what": what, "reason": reason}
        if request.scope == "unneeded" and _in_use(leases, owner, resources):
            outcome.kept.append({**entry, "reason": _in_use(leases, owner, resources)})
            continue
        if not check:
            try:
                with leases.exclusively(owner, resources, wait=0 if request.scope == "unneeded" else request.wait):
                    remove()
            except LeaseError as error:
                if request.scope != "unneeded":
                    raise
                outcome.kept.append({**entry, "reason": error.message})
                continue
        outcome.removed.append(entry)
    if request.scope != "named":
        for path in made.remains:
            if not check:
                _remove_path(Path(path))
            outcome.removed.append({"what": path, "reason": "left by a run that was killed"})
    return outcome


Removal = tuple[tuple[list[Resource], str], str, t.Callable[[], None]]


def _tasks(
    request: CleanupRequest,
    clusters: t.Sequence[tuple[MadeCluster, str]],
    images: t.Sequence[tuple[MadeImages, str]],
    cache: Path,
    podman: Podman,
) -> t.Iterator[Removal]:
    """Yield for each thing the resources to hold, its name, the reason, and what removes it."""
    kind = KindClusters(podman=podman)
    for cluster, reason in clusters:

        def delete(cluster: MadeCluster = cluster) -> None:
            kind.absent(cluster.name, kubeconfig=cluster.kubeconfig)

        held = [Resource(CLUSTER, cluster.name), Resource(USE, cluster.name)]
        yield (held, f"cluster {cluster.name}"), reason, delete
    for item, reason in images:

        def remove(item: MadeImages = item) -> None:
            remove_images(BuildRequest(item.service, ImageSource(), str(cache), podman=request.podman))

        yield ([Resource(IMAGE, item.service)], f"images of {item.service}"), reason, remove


def _require_meaning(request: CleanupRequest) -> None:
    if request.scope == "named" and not (request.clusters or request.services):
        raise InputError("Nothing is named to be removed.", remedy="Name clusters or services.", setting="clusters")
    for name, value in (("older_than", request.older_than), ("budget", request.budget)):
        if not 0 <= value < float("inf"):
            raise InputError(f"{name} is {value}, not a number of 0 or more.", setting=name)
        if value and request.scope != "unneeded":
            raise InputError(f"{name} has a meaning only for what is unneeded.", setting=name)


def _named(
    request: CleanupRequest, made: Made, outcome: CleanupOutcome
) -> tuple[list[tuple[MadeCluster, str]], list[tuple[MadeImages, str]]]:
    """Return what runs made of the clusters and services that are named, or all of it.

    A cluster that is named takes along the images of the services that ran in it and in no other cluster; a service
    that is named alone takes along the clusters in which only services ran that are named.
    """
    ours = [cluster for cluster in made.clusters if cluster.ours]
    if request.scope == "all":
        return [(cluster, "all") for cluster in ours], [(item, "all") for item in made.images]
    outcome.unknown += _unknown("cluster", request.clusters, ours, made)
    outcome.unknown += _unknown("service", request.services, ours, made)
    if request.clusters:
        clusters = [cluster for cluster in ours if cluster.name in request.clusters]
    else:
        clusters = [cluster for cluster in ours if cluster.services and {*cluster.services} <= {*request.services}]
    if request.services:
        services = {*request.services}
    else:
        others = {service for cluster in ours if cluster not in clusters for service in cluster.services}
        services = {service for cluster in clusters for service in cluster.services} - others
    return (
        [(cluster, "named" if cluster.name in request.clusters else "of a named service") for cluster in clusters],
        [
            (item, "named" if item.service in request.services else "of a named cluster")
            for item in made.images
            if item.service in services
        ],
    )


def _unknown(what: str, names: t.Iterable[str], ours: t.Sequence[MadeCluster], made: Made) -> t.Iterator[str]:
    """Say of each name that means nothing here what there is instead."""
    if what == "cluster":
        known = [cluster.name for cluster in ours]
    else:
        known = sorted({item.service for item in made.images} | {name for item in ours for name in item.services})
    foreign = {cluster.name for cluster in made.clusters if not cluster.ours}
    for name in names:
        if what == "cluster" and name in foreign:
            yield f"Cluster {name} was not created by this collection and is kept."
        elif name not in known:
            near = nearest_few(name, known)
            meant = f" Did you mean {near[0]}?" if near else f" Here are: {', '.join(known) or 'none'}."
            yield f"There is nothing here of a {what} {name}.{meant}"


def _unneeded(
    request: CleanupRequest, made: Made
) -> tuple[list[tuple[MadeCluster, str]], list[tuple[MadeImages, str]]]:
    """Return what was never finished, what is too old, and the oldest images while they take more than the budget."""
    limit = request.older_than * HOUR
    cache = Path(request.cache_dir).expanduser()
    clusters, images = [], []
    for cluster in made.clusters:
        # who uses what belongs to another cache is known only there
        if not cluster.ours or not Path(cluster.kubeconfig).is_relative_to(cache):
            continue
        if cluster.unfinished:
            clusters.append((cluster, "its creation was interrupted"))
        elif limit and cluster.age > limit:
            clusters.append((cluster, f"{cluster.age / HOUR:.1f} h old"))
    of_cache = [item for item in made.images if item.folder]
    taken = sum(item.bytes for item in of_cache)
    for item in sorted(of_cache, key=lambda item: item.age, reverse=True):
        if limit and item.age > limit:
            reason = f"not used for {item.age / HOUR:.1f} h"
        elif request.budget and taken > request.budget * GIB and not item.users:
            reason = f"images take {taken / GIB:.2f} GiB, more than {request.budget:g}"
        else:
            continue
        images.append((item, reason))
        taken -= item.bytes
    return clusters, images


def _in_use(leases: Leases, owner: Owner, resources: t.Sequence[Resource]) -> str:
    """Return who else uses one of these, as a sentence; empty if nobody does."""
    wanted = {(resource.kind, resource.name) for resource in resources}
    users = [lease for lease in leases.held(but_of=owner) if (lease.resource.kind, lease.resource.name) in wanted]
    return f"in use: {users[0].words()}" if users else ""


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
