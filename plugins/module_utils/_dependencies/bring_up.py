# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Start dependencies in a namespace, in their order, and remove them again.

A server: image, objects, a real query through the Service, migrations. Manifests: applied, and waited for.
"""

from __future__ import annotations

import graphlib
import secrets
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import within
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import manifests
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers as wanted
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.conditions import (
    TIMEOUT_SETTING,
    DependencyError,
    Patience,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.contents import Content, read_contents
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.entries import Entry
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.images import (
    ImageSettings,
    have_images,
    load_images,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.in_server import pod_of, run_in_server
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import ManifestDependency
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import SETTING
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.order import Busy, run_in_order
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.schema import (
    job_entry,
    migrate,
    would_migrate,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    NOT_FOUND,
    Cluster,
    KubernetesError,
    Object,
    describe,
    same,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import Tools
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate

PASSWORD_BYTES = 24
POLL = 0.1
QUERY_TIMEOUT = 5.0
# the gate speaks of the service's own workload; of a dependency these say the same
OF_A_DEPENDENCY = {
    "readiness": TIMEOUT_SETTING,
    **dict.fromkeys(("workload", "coverage", "coverage_mode", "source"), SETTING),
}


Pair = tuple[t.Optional[Object], t.Optional[Object]]


@dataclass
class Ready:
    """What came of one dependency.

    :ivar seconds: from when it could be started until it was ready, without its migrations; 0 in check mode.
    :ivar applied: migrations. :ivar objects: of manifests, all of them. :ivar pairs: what was changed, before, after.
    """

    entry: Entry
    version: str = ""
    changed: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    seconds: float = 0.0


def bring_up(
    cluster: Cluster,
    entries: t.Sequence[Entry],
    namespace: str,
    *,
    nodes: t.Sequence[str],
    images: ImageSettings,
    timeout: float,
    tools: t.Optional[Tools] = None,
    check: bool = False,
) -> list[Ready]:
    """Bring all dependencies up, each when those that it comes after are ready, others side by side.

    A server is ready when it has answered a query and has its schema, manifests when what they say, or their kinds
    say, holds.

    :raises InputError: before anything is changed.
    :raises NotReady: a pod will not start; the gate's verdict.
    :raises DependencyError: no answer in time. :raises MigrationError: the schema could not be made.
    """
    contents = read_contents(entries, tools or Tools())
    servers = [entry for entry in entries if isinstance(entry, Server)]
    made = have_images(servers, images, check=check)
    if nodes:
        made.update(load_images(servers, images, nodes, check=check))
    changed = [f"image {image} {how}" for image, how in made.items()]
    _apply_namespace(cluster, namespace, changed, check=check)
    by_name, busy = {entry.name: entry for entry in entries}, Busy()

    def start(name: str) -> Ready:
        entry = by_name[name]
        patience = Patience(time.monotonic(), entry.timeout or timeout)
        try:
            if isinstance(entry, ManifestDependency):
                # discovery of its own: its definitions change what the API server has
                own = Cluster(cluster.access)
                return _apply_manifests(own, entry, contents[name], namespace, patience, check=check)
            return _bring_up_one(cluster, entry, namespace, contents[name], patience, busy, check=check)
        except gate.NotReady as error:
            error.amend(
                sentence=f"Dependency {name} is not ready: {error.message}",
                setting=within(error.setting, OF_A_DEPENDENCY),
            )
            raise

    results = list(run_in_order({entry.name: entry.after for entry in entries}, start, busy).values())
    if results:
        results[0].changed[:0] = changed
    return results


def _apply_namespace(cluster: Cluster, namespace: str, changed: list[str], *, check: bool) -> None:
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    if cluster.get(f"/api/v1/namespaces/{namespace}") is None:
        cluster.apply(item, dry_run=check)
        changed.append(describe(item))


def _apply_manifests(
    cluster: Cluster, entry: ManifestDependency, content: Content, namespace: str, patience: Patience, *, check: bool
) -> Ready:
    result = Ready(entry)
    if entry.namespace and entry.namespace != namespace:
        _apply_namespace(cluster, entry.namespace, result.changed, check=check)
    applied = manifests.apply_manifests(cluster, entry, content.items, namespace, patience, check=check)
    result.changed += applied.changed
    result.objects, result.pairs = applied.objects, applied.pairs
    if not check:
        manifests.wait_for_manifests(cluster, entry, content.items, namespace, patience)
        result.seconds = round(time.monotonic() - patience.started, 1)
    return result


def _bring_up_one(
    cluster: Cluster,
    server: Server,
    namespace: str,
    content: Content,
    patience: Patience,
    busy: Busy,
    *,
    check: bool,
) -> Ready:
    result = Ready(server)
    kept = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{server.secret_name}")
    secret = wanted.credentials(server, kept, lambda: secrets.token_urlsafe(PASSWORD_BYTES))
    for item in wanted.objects(server, secret, namespace):
        try:
            after, before = cluster.apply(item, dry_run=check)
        except KubernetesError as error:
            if not check or error.status != NOT_FOUND:
                raise
            after, before = item, None  # its namespace is to be made, too
        if not same(before, after):
            result.changed.append(describe(item))
            result.pairs.append((before, after))
    if check:
        pod = pod_of(cluster, server, namespace)
        result.applied = would_migrate(cluster, server, namespace, pod, content) if server.migrations else []
        return result
    report_progress(f"start {server.name}")
    _wait_for_pod(cluster, server, namespace, patience.left)
    pod = _wait_for_answer(cluster, server, namespace, patience)
    result.seconds = round(time.monotonic() - patience.started, 1)
    result.version = _version(cluster, server, namespace, pod)
    if server.migrations is not None:
        # a migration in progress is not interrupted by another dependency's failure
        with busy:
            result.applied = migrate(cluster, server, namespace, pod, content, secret)
    return result


def _wait_for_pod(cluster: Cluster, server: Server, namespace: str, timeout: float) -> None:
    target = gate.Target(kind="Deployment", namespace=namespace, name=server.name, container=server.kind)
    gate.wait_until_ready(cluster, Podman(), target, timeout)


def _wait_for_answer(cluster: Cluster, server: Server, namespace: str, patience: Patience) -> str:
    """Ask through the Service until it answers; return the pod's name."""
    said = ""
    for _waited in poll(POLL, patience.left):
        pod = pod_of(cluster, server, namespace)
        if pod:
            try:
                done = run_in_server(
                    cluster, server, namespace, pod, wanted.query(server, namespace), timeout=QUERY_TIMEOUT
                )
            except KubernetesError as error:
                said = error.message
            else:
                if done.returncode == 0 and wanted.answered(server, done.stdout):
                    return pod
                said = (done.stderr or done.stdout).strip()
    raise DependencyError(
        f"{server.name} runs, but its Service does not answer a query: {said or 'no pod is ready'}",
        remedy="Check that the Service's selector matches the pod and that cluster DNS works.",
        setting=patience.setting,
        evidence=said.splitlines(),
    )


def _version(cluster: Cluster, server: Server, namespace: str, pod: str) -> str:
    """Return the version that really runs: a built image has that of its packages."""
    command = ["postgres", "--version"] if server.kind == wanted.POSTGRESQL else ["redis-server", "--version"]
    said = run_in_server(cluster, server, namespace, pod, command, timeout=QUERY_TIMEOUT).stdout
    return wanted.version_in(said)


def take_down(
    cluster: Cluster, entries: t.Sequence[Entry], namespace: str, *, check: bool = False
) -> tuple[list[str], list[Pair]]:
    """Delete what was made for the dependencies, data included, the last first; return what was there, and as what."""
    gone: list[str] = []
    pairs: list[Pair] = []
    order = _in_order(entries)
    by_name = {entry.name: entry for entry in entries}
    for entry in [by_name[name] for name in reversed(order)]:
        names = [entry.name] if isinstance(entry, ManifestDependency) else [job_entry(entry)]
        for name in names:
            removed = manifests.remove_manifests(cluster, name, namespace, check=check)
            gone += removed.changed
            pairs += removed.pairs
        if isinstance(entry, Server):
            _take_down_server(cluster, entry, namespace, gone, pairs, check=check)
    return gone, pairs


def _in_order(entries: t.Sequence[Entry]) -> tuple[str, ...]:
    names = {entry.name for entry in entries}
    # what was taken out of the list is not there to come after
    after = {entry.name: [name for name in entry.after if name in names] for entry in entries}
    return tuple(graphlib.TopologicalSorter(after).static_order())


def _take_down_server(
    cluster: Cluster, server: Server, namespace: str, gone: list[str], pairs: list[Pair], *, check: bool
) -> None:
    for item in wanted.objects(server, {"any": ""}, namespace):
        path = cluster.path(item)
        found: t.Optional[Object] = cluster.get(path)
        # what somebody else made under that name is not ours to delete
        if found is None or (found["metadata"].get("labels") or {}).get(wanted.MANAGED_LABEL) != wanted.MANAGER:
            continue
        gone.append(describe(item))
        pairs.append((found, None))
        if not check:
            cluster.delete(path)
