# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What dependencies are made of: read and checked before anything is changed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import migrations as sql
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import runs
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.entries import Entry, check_entries
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import ManifestDependency
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.sources import Tools, read_sources
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item


@dataclass(frozen=True)
class Content:
    """What was read for one dependency before anything was changed.

    :ivar files: migrations in SQL. :ivar items: objects of manifests, or of the Job that migrates.
    """

    files: tuple[sql.Migration, ...] = ()
    items: tuple[Item, ...] = ()


def read_contents(entries: t.Sequence[Entry], tools: Tools) -> dict[str, Content]:
    """Check all dependencies and read their files: errors are reported before anything is changed.

    :raises InputError: what is wrong. :raises SourceError: a URL cannot be fetched.
    """
    check_entries(entries)
    return {entry.name: _read(entry, tools) for entry in entries}


def _read(entry: Entry, tools: Tools) -> Content:
    if isinstance(entry, ManifestDependency):
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
