# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Bring dependencies up in a namespace, in their order.

A server: image, objects, a real query through the Service, migrations. Manifests: applied, and waited for.
"""

from __future__ import annotations

import graphlib
import secrets
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import within
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import manifests, runs
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import migrations as sql
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers as wanted
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.conditions import (
    TIMEOUT_SETTING,
    DependencyError,
    Patience,
    job_log,
    wait_for_job,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.entries import Entry, check_entries
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.forward import Forward
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import Manifests
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import SETTING
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.order import Busy, run_in_order
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.sources import Tools, read_sources
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    NOT_FOUND,
    Cluster,
    KubernetesError,
    Object,
    describe,
    same,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.exec import Executed, execute
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import WAYS, obtain
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import Request as ImageRequest
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import LoadRequest, load_on_nodes
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifests import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate

PASSWORD_BYTES = 24
POLL = 0.1
QUERY_TIMEOUT = 5.0
MIGRATION_TIMEOUT = 600.0
COMING_TIMEOUT = 20.0  # for containerd on a node that has just been started
# the gate speaks of the service's own workload; of a dependency these say the same
OF_A_DEPENDENCY = {
    "readiness": TIMEOUT_SETTING,
    **dict.fromkeys(("workload", "coverage", "coverage_mode", "source"), SETTING),
}
NOT_THERE_YET = ("cluster-missing", "node-not-running", "containerd-not-answering")


@dataclass(frozen=True)
class ImageSettings:
    """How the servers' images are had: see the options of the module."""

    recipe: str
    cache_dir: str
    ways: tuple[str, ...] = WAYS
    podman: str = "podman"


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


@dataclass(frozen=True)
class Content:
    """What was read for one dependency before anything was changed.

    :ivar files: migrations in SQL. :ivar items: objects of manifests, or of the Job that migrates.
    """

    files: tuple[sql.Migration, ...] = ()
    items: tuple[Item, ...] = ()


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
    servers: t.Sequence[Server],
    settings: ImageSettings,
    nodes: t.Sequence[str] = (),
    *,
    coming: str = "",
    check: bool = False,
) -> dict[str, str]:
    """Load every server's image on the nodes; return changes as (image: what was done).

    :arg coming: cluster in the place of C(nodes), which may still be coming up: its nodes are loaded as far as they
        are there and answer soon. The others get the images when the servers are brought up.
    """
    changed = {}

    def load(server: Server) -> bool:
        archive = archive_of(server, settings)
        if check and not Path(archive).is_file():
            return True
        request = LoadRequest(archive=archive, reference=server.local_image, nodes=tuple(nodes), podman=settings.podman)
        if not coming:
            return load_on_nodes(request, check=check).changed
        try:
            return load_on_nodes(replace(request, cluster=coming, timeout=COMING_TIMEOUT), check=check).changed
        except CoverageError as error:
            if error.cause not in NOT_THERE_YET:
                raise
            return False

    distinct = {server.local_image: server for server in servers}
    with ThreadPoolExecutor() as pool:
        for image, loaded in zip(distinct, pool.map(load, distinct.values()), strict=True):
            if loaded:
                changed[image] = "loaded"
    return changed


def bring_images(
    entries: t.Sequence[Entry], settings: ImageSettings, cluster: str, *, check: bool = False
) -> list[str]:
    """Have the images of all servers on this host, and on the nodes of a cluster that may still be coming up.

    :arg entries: of one service or of several; what is wrong between them is told where they are brought up.
    :returns: what was changed, one phrase each.
    :raises ImageError: no way gave an image.
    """
    servers = [entry for entry in entries if isinstance(entry, Server)]
    made = have_images(servers, settings, check=check)
    if cluster:
        made.update(load_images(servers, settings, coming=cluster, check=check))
    return [f"image {image} {how}" for image, how in made.items()]


# all of them


def read_contents(entries: t.Sequence[Entry], tools: Tools) -> dict[str, Content]:
    """Check all dependencies and read what they are made of: what is wrong with it is told before anything is changed.

    :raises InputError: what is wrong. :raises SourceError: a URL cannot be fetched.
    """
    check_entries(entries)
    return {entry.name: _read(entry, tools) for entry in entries}


def _read(entry: Entry, tools: Tools) -> Content:
    if isinstance(entry, Manifests):
        return Content(items=tuple(read_sources(entry.name, entry.sources, tools)))
    migrations = entry.migrations
    if migrations is None:
        return Content()
    files = sql.read_migrations(migrations)
    if migrations.init_sql:
        files.insert(0, sql.init_migration(migrations.init_sql))
    if migrations.command:
        runs.check_command(entry.name, migrations)
    items: list[Item] = []
    if migrations.job:
        items = read_sources(entry.name, migrations.job, tools)
        runs.job_of(entry.name, items, migrations.job.setting)
        items = runs.job_items(items, runs.checksum(migrations, items))
    return Content(tuple(files), tuple(items))


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
            if isinstance(entry, Manifests):
                # discovery of its own: its definitions change what the API server has
                own = Cluster(cluster.kubeconfig)
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
    cluster: Cluster, entry: Manifests, content: Content, namespace: str, patience: Patience, *, check: bool
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


# servers


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
        pod = _pod_of(cluster, server, namespace)
        result.applied = _would_migrate(cluster, server, namespace, pod, content) if server.migrations else []
        return result
    report_progress(f"start {server.name}")
    _wait_for_pod(cluster, server, namespace, patience.left)
    pod = _wait_for_answer(cluster, server, namespace, patience)
    result.seconds = round(time.monotonic() - patience.started, 1)
    result.version = _version(cluster, server, namespace, pod)
    if server.migrations is not None:
        # whoever is in the middle of a schema is not cut off by another dependency's failure
        with busy:
            result.applied = _migrate(cluster, server, namespace, pod, content, secret)
    return result


def _wait_for_pod(cluster: Cluster, server: Server, namespace: str, timeout: float) -> None:
    target = gate.Target(kind="Deployment", namespace=namespace, name=server.name, container=server.kind)
    gate.wait_until_ready(cluster, Podman(), target, timeout)


def _wait_for_answer(cluster: Cluster, server: Server, namespace: str, patience: Patience) -> str:
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
        if patience.left <= 0:
            raise DependencyError(
                f"{server.name} runs, and its Service does not answer a query: {said or 'no pod is ready'}",
                remedy="See whether the Service's selector finds the pod, and whether cluster DNS works.",
                setting=patience.setting,
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


def _records(cluster: Cluster, server: Server, namespace: str, pod: str) -> dict[str, str]:
    """Return what the database has had applied; it is made ready to record more.

    :raises MigrationError: that cannot be.
    """
    answer = _psql(cluster, server, namespace, pod, sql.MAKE_RECORDS + sql.LIST_RECORDS, {})
    if answer.returncode:
        raise sql.MigrationError(
            f"The records of migrations of {server.name} cannot be made: {answer.stderr.strip()}",
            setting=sql.SETTING,
            evidence=answer.stderr.splitlines(),
        )
    return sql.parse_records(answer.stdout)


def _would_migrate(cluster: Cluster, server: Server, namespace: str, pod: str, content: Content) -> list[str]:
    """Return what would be applied: what a database that stands does not have, and all where none stands."""
    records = {}
    if pod:
        answer = _psql(cluster, server, namespace, pod, sql.LIST_RECORDS, {})
        # without the table nothing was recorded
        records = sql.parse_records(answer.stdout) if answer.returncode == 0 else {}
    names = [migration.name for migration in _pending(content, records)]
    run = _to_run(server, content)
    return names + [name for name, digest in run.items() if records.get(name) != digest]


def _pending(content: Content, records: t.Mapping[str, str]) -> list[sql.Migration]:
    """Return the files that are to be applied; what comes before all files is no file of the folder's order."""
    first = [migration for migration in content.files if migration.name == sql.INIT]
    rest = [migration for migration in content.files if migration.name != sql.INIT]
    return [*sql.pending(first, records), *sql.pending(rest, records)]


def _to_run(server: Server, content: Content) -> dict[str, str]:
    """Return name and checksum of the command or the Job that migrates, if there is one."""
    migrations = server.migrations
    if migrations and migrations.command:
        return {runs.command_name(migrations): runs.checksum(migrations)}
    if migrations and migrations.job:
        job = runs.job_of(server.name, content.items, migrations.job.setting)
        return {f"job {job.name}": runs.checksum(migrations, content.items)}
    return {}


def _migrate(
    cluster: Cluster, server: Server, namespace: str, pod: str, content: Content, secret: t.Mapping[str, str]
) -> list[str]:
    """Apply what is not applied yet, in order; return its names.

    :raises MigrationError: with file and line; or tables that are expected are not there afterwards.
    """
    files = content.files
    records = _records(cluster, server, namespace, pod)
    waiting = _pending(content, records)
    for number, migration in enumerate(waiting):
        report_progress(f"migration {migration.name} of {server.name} ({number + 1} of {len(waiting)})")
        text, variables = sql.script(migration)
        done = _psql(cluster, server, namespace, pod, text, variables)
        if done.returncode:
            before = len(files) - len(waiting) + number
            raise sql.failure(migration, server.name, done.stderr, before, len(waiting) - number - 1)
    applied = [migration.name for migration in waiting]
    for name, digest in _to_run(server, content).items():
        if records.get(name) == digest:
            continue
        report_progress(f"{name} for {server.name}")
        _run(cluster, server, namespace, content, secret)
        variables = {"kubernaut_name": name, "kubernaut_checksum": digest}
        done = _psql(cluster, server, namespace, pod, runs.RECORD, variables)
        if done.returncode:
            raise sql.MigrationError(
                f"{name} has migrated {server.name}, and that cannot be recorded: {done.stderr.strip()}",
                setting=sql.SETTING,
            )
        applied.append(name)
    _check_tables(cluster, server, namespace, pod, [*(migration.name for migration in files), *applied])
    return applied


def _run(cluster: Cluster, server: Server, namespace: str, content: Content, secret: t.Mapping[str, str]) -> None:
    migrations = t.cast(wanted.Migrations, server.migrations)
    if migrations.command:
        with Forward(cluster, namespace, lambda: _pod_of(cluster, server, namespace), server.port) as forward:
            try:
                runs.run_command(server.name, migrations, secret, forward.port)
            except sql.MigrationError as error:
                error.amend(
                    evidence=[*error.evidence, *[f"the way to the database: {forward.said}"] * bool(forward.said)]
                )
                raise
        return
    patience = Patience(time.monotonic(), migrations.timeout, setting=f"{sql.SETTING}.timeout")
    entry = Manifests(_job_entry(server), t.cast("t.Any", migrations.job))
    manifests.apply_manifests(cluster, entry, content.items, namespace, patience, check=False)
    job = runs.job_of(server.name, content.items, entry.sources.setting)
    try:
        wait_for_job(cluster, job.content, namespace, patience)
    except (gate.NotReady, DependencyError) as error:
        log = job_log(cluster, namespace, job.name)
        # below an error there may be a mere mark
        last = next((line.strip() for line in reversed(log) if any(map(str.isalnum, line))), "")
        raise sql.MigrationError(
            f"The migrations of {server.name} by Job {job.name} failed{f': {last}' if last else f': {error.message}'}",
            remedy="Correct what it says and run again; the database stands as it was left.",
            setting=error.setting if isinstance(error, DependencyError) else f"{sql.SETTING}.job",
            evidence=[error.message, *log, *error.evidence],
        ) from error


def _job_entry(server: Server) -> str:
    return f"{server.name}-migrations"


def _check_tables(cluster: Cluster, server: Server, namespace: str, pod: str, applied: t.Sequence[str]) -> None:
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
                evidence=[f"migration {name}" for name in dict.fromkeys(applied)],
                cause="tables-missing",
            )


# and away


def take_down(
    cluster: Cluster, entries: t.Sequence[Entry], namespace: str, *, check: bool = False
) -> tuple[list[str], list[Pair]]:
    """Delete what was made for the dependencies, data included, the last first; return what was there, and as what."""
    gone: list[str] = []
    pairs: list[Pair] = []
    order = _in_order(entries)
    by_name = {entry.name: entry for entry in entries}
    for entry in [by_name[name] for name in reversed(order)]:
        names = [entry.name] if isinstance(entry, Manifests) else [_job_entry(entry)]
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
