# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Bring PostgreSQL and Redis up in a namespace: images, objects, a real query through the Service, migrations."""

from __future__ import annotations

import secrets
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import migrations as sql
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers as wanted
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._images import WAYS, obtain
from ansible_collections.kubernaut.coverage.plugins.module_utils._images import Request as ImageRequest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import (
    NOT_FOUND,
    Cluster,
    KubernetesError,
    Object,
    describe,
    same,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes_exec import Executed, execute
from ansible_collections.kubernaut.coverage.plugins.module_utils._node_images import LoadRequest, load_on_nodes
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import gate

PASSWORD_BYTES = 24
POLL = 0.1
QUERY_TIMEOUT = 5.0
MIGRATION_TIMEOUT = 600.0


class DependencyError(CoverageError):
    """A dependency is not what the service needs."""

    cause = "dependency-not-ready"


@dataclass(frozen=True)
class ImageSettings:
    """How the servers' images are had: see the options of the module."""

    recipe: str
    cache_dir: str
    ways: tuple[str, ...] = WAYS
    podman: str = "podman"


@dataclass
class Ready:
    """What came of one server. C(seconds): from the request to the first answer; 0 in check mode."""

    server: Server
    version: str = ""
    changed: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    seconds: float = 0.0


# images


def have_images(servers: t.Sequence[Server], settings: ImageSettings, *, check: bool = False) -> dict[str, str]:
    """See that podman has every server's image, and an archive of it; return changes as (image: what was done).

    :raises ImageError: no way gave it.
    """
    changed = {}
    podman = Podman(settings.podman)
    # one after the other: two builds at once would share the package cache of one
    for server in {server.local_image: server for server in servers}.values():
        outcome = obtain(podman, _image_request(server, settings), check_mode=check)
        if outcome.changed:
            changed[server.local_image] = f"by way of {outcome.way}"
    return changed


def _image_request(server: Server, settings: ImageSettings) -> ImageRequest:
    return ImageRequest(
        name=server.local_image,
        ways=settings.ways,
        source=server.source,
        recipe=settings.recipe,
        work_dir=str(Path(settings.cache_dir) / "work"),
        save_to=archive_of(server, settings),
    )


def archive_of(server: Server, settings: ImageSettings) -> str:
    """Return the path of the archive that the nodes are loaded from."""
    name = server.local_image.rpartition("/")[2].replace(":", "-")
    return str(Path(settings.cache_dir) / f"{name}.tar")


def load_images(
    servers: t.Sequence[Server], settings: ImageSettings, nodes: t.Sequence[str], *, check: bool = False
) -> dict[str, str]:
    """Load every server's image on the nodes; return changes as (image: what was done)."""
    changed = {}

    def load(server: Server) -> bool:
        archive = archive_of(server, settings)
        if check and not Path(archive).is_file():
            return True
        request = LoadRequest(archive=archive, reference=server.local_image, nodes=tuple(nodes), podman=settings.podman)
        return load_on_nodes(request, check=check).changed

    distinct = {server.local_image: server for server in servers}
    with ThreadPoolExecutor() as pool:
        for image, loaded in zip(distinct, pool.map(load, distinct.values()), strict=True):
            if loaded:
                changed[image] = "loaded"
    return changed


# servers


def bring_up(
    cluster: Cluster,
    servers: t.Sequence[Server],
    namespace: str,
    *,
    nodes: t.Sequence[str],
    images: ImageSettings,
    timeout: float,
    check: bool = False,
) -> list[Ready]:
    """Bring all servers up side by side; return when each has answered a query and has its schema.

    :raises InputError: before anything is changed.
    :raises NotReady: a pod will not start; the gate's verdict.
    :raises DependencyError: no answer in time. :raises MigrationError: the schema could not be made.
    """
    wanted.check(servers)
    # read before anything is changed: what is wrong with a file is told now
    files = {server.name: sql.read_migrations(server.migrations) for server in servers if server.migrations}
    made = have_images(servers, images, check=check)
    if nodes:
        made.update(load_images(servers, images, nodes, check=check))
    changed = [f"image {image} {how}" for image, how in made.items()]
    _apply_namespace(cluster, namespace, changed, check=check)
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=max(1, len(servers))) as pool:
        results = list(
            pool.map(
                lambda server: _bring_up_one(
                    cluster, server, namespace, files.get(server.name, []), started, timeout, check=check
                ),
                servers,
            )
        )
    if results:
        results[0].changed[:0] = changed
    return results


def _apply_namespace(cluster: Cluster, namespace: str, changed: list[str], *, check: bool) -> None:
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    if cluster.get(f"/api/v1/namespaces/{namespace}") is None:
        cluster.apply(item, dry_run=check)
        changed.append(describe(item))


def _bring_up_one(
    cluster: Cluster,
    server: Server,
    namespace: str,
    files: t.Sequence[sql.Migration],
    started: float,
    timeout: float,
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
            result.changed.append(describe(item))  # its namespace is to be made, too
            continue
        if not same(before, after):
            result.changed.append(describe(item))
    if check:
        result.applied = [] if kept is not None else [migration.name for migration in files]
        return result
    report_progress(f"start {server.name}")
    _wait_for_pod(cluster, server, namespace, timeout)
    pod = _wait_for_answer(cluster, server, namespace, started + timeout)
    result.seconds = round(time.monotonic() - started, 1)
    result.version = _version(cluster, server, namespace, pod)
    if server.migrations is not None:
        result.applied = _migrate(cluster, server, namespace, pod, files)
    return result


def _wait_for_pod(cluster: Cluster, server: Server, namespace: str, timeout: float) -> None:
    target = gate.Target(kind="Deployment", namespace=namespace, name=server.name, container=server.kind)
    gate.wait_until_ready(cluster, Podman(), target, timeout)


def _wait_for_answer(cluster: Cluster, server: Server, namespace: str, deadline: float) -> str:
    """Ask through the Service until it answers; return the pod's name."""
    said = ""
    while True:
        pod = _pod_of(cluster, server, namespace)
        if pod:
            try:
                done = _execute(cluster, server, namespace, pod, wanted.query(server, namespace), timeout=QUERY_TIMEOUT)
            except KubernetesError as error:
                said = error.message
            else:
                if done.returncode == 0 and wanted.answered(server, done.stdout):
                    return pod
                said = (done.stderr or done.stdout).strip()
        if time.monotonic() > deadline:
            raise DependencyError(
                f"{server.name} runs, and its Service does not answer a query: {said or 'no pod is ready'}",
                remedy="See whether the Service's selector finds the pod, and whether cluster DNS works.",
                setting="service_dependencies_timeout",
                evidence=said.splitlines(),
            )
        time.sleep(POLL)


def _pod_of(cluster: Cluster, server: Server, namespace: str) -> str:
    pods = cluster.list(f"/api/v1/namespaces/{namespace}/pods", label_selector=f"{wanted.NAME_LABEL}={server.name}")
    running = [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("phase") == "Running"
    ]
    return running[0] if running else ""


def _execute(
    cluster: Cluster,
    server: Server,
    namespace: str,
    pod: str,
    argv: t.Sequence[str],
    *,
    stdin: str = "",
    timeout: float = MIGRATION_TIMEOUT,
) -> Executed:
    return execute(cluster, namespace, pod, server.kind, argv, stdin=stdin, timeout=timeout)


def _version(cluster: Cluster, server: Server, namespace: str, pod: str) -> str:
    """Return the version that really runs: a built image has that of its packages."""
    command = ["postgres", "--version"] if server.kind == wanted.POSTGRESQL else ["redis-server", "--version"]
    said = _execute(cluster, server, namespace, pod, command, timeout=QUERY_TIMEOUT).stdout
    return wanted.version_in(said)


# migrations


def _psql(
    cluster: Cluster, server: Server, namespace: str, pod: str, text: str, variables: t.Mapping[str, str]
) -> Executed:
    # this side cannot close the standard input: the last line ends psql
    return _execute(cluster, server, namespace, pod, wanted.psql(server, variables), stdin=f"{text}\n\\q\n")


def _migrate(cluster: Cluster, server: Server, namespace: str, pod: str, files: t.Sequence[sql.Migration]) -> list[str]:
    """Apply what is not applied yet, in order; return the names of those files.

    :raises MigrationError: with file and line; or tables that are expected are not there afterwards.
    """
    answer = _psql(cluster, server, namespace, pod, sql.MAKE_RECORDS + sql.LIST_RECORDS, {})
    if answer.returncode:
        raise sql.MigrationError(
            f"The records of migrations of {server.name} cannot be made: {answer.stderr.strip()}",
            setting=sql.SETTING,
            evidence=answer.stderr.splitlines(),
        )
    waiting = sql.pending(files, sql.parse_records(answer.stdout))
    for number, migration in enumerate(waiting):
        report_progress(f"migration {migration.name} of {server.name} ({number + 1} of {len(waiting)})")
        text, variables = sql.script(migration)
        done = _psql(cluster, server, namespace, pod, text, variables)
        if done.returncode:
            before = len(files) - len(waiting) + number
            raise sql.failure(migration, server.name, done.stderr, before, len(waiting) - number - 1)
    tables = server.migrations.tables if server.migrations else ()
    if tables:
        done = _psql(cluster, server, namespace, pod, sql.MISSING_TABLES, {"kubernaut_tables": " ".join(tables)})
        missing = done.stdout.split()
        if missing or done.returncode:
            raise sql.MigrationError(
                f"All migrations of {server.name} are applied, and these tables are not there: {', '.join(missing)}."
                if missing
                else f"The tables of {server.name} cannot be looked up: {done.stderr.strip()}",
                remedy="See which migration should make them.",
                setting=sql.SETTING,
                evidence=[f"migration {migration.name}" for migration in files],
                cause="tables-missing",
            )
    return [migration.name for migration in waiting]


# and away


def take_down(cluster: Cluster, servers: t.Sequence[Server], namespace: str, *, check: bool = False) -> list[str]:
    """Delete the objects of the servers, with their data; return what was there."""
    gone: list[str] = []
    for server in servers:
        for item in wanted.objects(server, {"any": ""}, namespace):
            path = cluster.path(item)
            found: t.Optional[Object] = cluster.get(path)
            # what somebody else made under that name is not ours to delete
            if found is None or (found["metadata"].get("labels") or {}).get(wanted.MANAGED_LABEL) != wanted.MANAGER:
                continue
            gone.append(describe(item))
            if not check:
                cluster.delete(path)
    return gone
