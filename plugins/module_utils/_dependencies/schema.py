# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Bring the schema of a database up to date: by SQL files, a command or a Job."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import manifests, runs
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import migrations as sql
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers as wanted
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.conditions import (
    DependencyError,
    Patience,
    job_log,
    wait_for_job,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.contents import Content
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.forward import Forward
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.in_server import pod_of, run_in_server
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import ManifestDependency
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.exec import Executed
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate


def _psql(
    cluster: Cluster, server: Server, namespace: str, pod: str, text: str, variables: t.Mapping[str, str]
) -> Executed:
    # this side cannot close the standard input: the last line ends psql
    return run_in_server(cluster, server, namespace, pod, wanted.psql(server, variables), stdin=f"{text}\n\\q\n")


def _records(cluster: Cluster, server: Server, namespace: str, pod: str) -> dict[str, str]:
    """Return what the database has had applied; it is made ready to record more.

    :raises MigrationError: that cannot be.
    """
    answer = _psql(cluster, server, namespace, pod, sql.MAKE_RECORDS + sql.LIST_RECORDS, {})
    if answer.returncode:
        raise sql.MigrationError(
            f"The migration records of {server.name} cannot be created: {answer.stderr.strip()}",
            setting=sql.SETTING,
            evidence=answer.stderr.splitlines(),
        )
    return sql.parse_records(answer.stdout)


def would_migrate(cluster: Cluster, server: Server, namespace: str, pod: str, content: Content) -> list[str]:
    """Return what would be applied: what an existing database does not have, and everything where there is none."""
    records = {}
    if pod:
        answer = _psql(cluster, server, namespace, pod, sql.LIST_RECORDS, {})
        # without the table nothing was recorded
        records = sql.parse_records(answer.stdout) if answer.returncode == 0 else {}
    names = [migration.name for migration in _pending(content, records)]
    run = _to_run(server, content)
    return names + [name for name, digest in run.items() if records.get(name) != digest]


def _pending(content: Content, records: t.Mapping[str, str]) -> list[sql.Migration]:
    """Return the files that are to be applied; what runs before all files is not part of the folder's order."""
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


def migrate(
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
                f"{name} has migrated {server.name}, but that cannot be recorded: {done.stderr.strip()}",
                setting=sql.SETTING,
            )
        applied.append(name)
    _check_tables(cluster, server, namespace, pod, [*(migration.name for migration in files), *applied])
    return applied


def _run(cluster: Cluster, server: Server, namespace: str, content: Content, secret: t.Mapping[str, str]) -> None:
    migrations = t.cast(wanted.Migrations, server.migrations)
    if migrations.command:
        with Forward(cluster, namespace, lambda: pod_of(cluster, server, namespace), server.port) as forward:
            try:
                runs.run_command(server.name, migrations, secret, forward.port)
            except sql.MigrationError as error:
                error.amend(
                    evidence=[*error.evidence, *[f"port-forward to the database: {forward.said}"] * bool(forward.said)]
                )
                raise
        return
    patience = Patience(time.monotonic(), migrations.timeout, setting=f"{sql.SETTING}.timeout")
    entry = ManifestDependency(job_entry(server), t.cast("t.Any", migrations.job))
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
            remedy="Fix the reported error and run again; the database is left as it is.",
            setting=error.setting if isinstance(error, DependencyError) else f"{sql.SETTING}.job",
            evidence=[error.message, *log, *error.evidence],
        ) from error


def job_entry(server: Server) -> str:
    return f"{server.name}-migrations"


def _check_tables(cluster: Cluster, server: Server, namespace: str, pod: str, applied: t.Sequence[str]) -> None:
    tables = server.migrations.tables if server.migrations else ()
    if tables:
        done = _psql(cluster, server, namespace, pod, sql.MISSING_TABLES, {"kubernaut_tables": " ".join(tables)})
        missing = done.stdout.split()
        if missing or done.returncode:
            raise sql.MigrationError(
                f"All migrations of {server.name} are applied, but these tables do not exist: {', '.join(missing)}."
                if missing
                else f"The tables of {server.name} cannot be looked up: {done.stderr.strip()}",
                remedy="Check which migration should create them.",
                setting=sql.SETTING,
                evidence=[f"migration {name}" for name in dict.fromkeys(applied)],
                cause="tables-missing",
            )
