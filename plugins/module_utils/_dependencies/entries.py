# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Dependencies as a user writes them, all kinds together: what each kind takes, and what is refused before anything
starts.

A further kind is one more in R(options), a class with C(name), C(kind), C(after) and C(timeout), and a line in
bring_up's C(start).
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import (
    ManifestDependency,
    check_manifests,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import (
    MANIFESTS,
    POSTGRESQL,
    SETTING,
    TAKEN_BY,
    check_options,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.order import check_order
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Migrations, Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.until import Until
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.fetch import Url
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import ManifestSources

Entry = t.Union[Server, ManifestDependency]


def entry_of(given: t.Mapping[str, t.Any]) -> Entry:
    """Return an entry of the options of the module service_dependencies, defaults filled in.

    :raises InputError: of a kind that is not known, or with an option that its kind does not take.
    """
    check_options(given)
    name, setting = given["name"], f"{SETTING} ({given['name']})"
    owner = f"dependency {name}"
    if given["kind"] == MANIFESTS:
        return ManifestDependency(
            name=name,
            sources=_sources(given, owner, setting),
            after=tuple(given["after"]),
            until=tuple(Until(**item) for item in given["until"]),
            namespace=given["namespace"],
            timeout=given["timeout"],
        )
    options = {key: value for key, value in given.items() if POSTGRESQL in TAKEN_BY.get(key, (POSTGRESQL,))}
    return Server(
        **{
            **options,
            "after": tuple(given["after"]),
            "migrations": _migrations(given["migrations"], owner, setting),
        }
    )


def _sources(given: t.Mapping[str, t.Any], owner: str, setting: str) -> ManifestSources:
    return ManifestSources(
        paths=tuple(given["manifests"]),
        urls=tuple(Url(item["url"], item["checksum"]) for item in given.get("urls") or ()),
        objects=tuple(given["objects"]),
        owner=owner,
        setting=setting,
    )


def _migrations(given: t.Optional[t.Mapping[str, t.Any]], owner: str, setting: str) -> t.Optional[Migrations]:
    if not given:
        return None
    job = _sources(given["job"], owner, f"{setting}.migrations.job") if given.get("job") else None
    return Migrations(
        **{
            **given,
            "tables": tuple(given["tables"]),
            "command": tuple(given["command"]),
            "environment": dict(given["environment"]),
            "job": job,
        }
    )


def check_entries(entries: t.Sequence[Entry]) -> None:
    """Refuse what cannot be meant so, before anything is changed.

    :raises InputError: the first thing that is wrong.
    """
    names: set[str] = set()
    for entry in entries:
        if entry.name in names:
            raise InputError(f"Two dependencies are named {entry.name}.", setting=f"{SETTING} ({entry.name})")
        names.add(entry.name)
    check_order({entry.name: entry.after for entry in entries}, SETTING)
    servers.check([entry for entry in entries if isinstance(entry, Server)])
    for entry in entries:
        if isinstance(entry, ManifestDependency):
            check_manifests(entry)


def describe_entry(entry: Entry, namespace: str) -> dict[str, t.Any]:
    """Return what a service has to know of a dependency; the keys are the same for all kinds."""
    if isinstance(entry, Server):
        return servers.describe(entry, namespace)
    return {
        "name": entry.name,
        "kind": entry.kind,
        "host": "",
        "port": 0,
        "node_port": 0,
        "database": "",
        "secret": "",
    }
