# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dependencies of all kinds together."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import entries as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import ManifestDependency
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server

REST: dict[str, t.Any] = {
    "after": [],
    "timeout": 0,
    "version": "",
    "image": "",
    "database": "coverage",
    "user": None,
    "password": None,
    "secret": "",
    "node_port": 0,
    "storage": "",
    "resources": {},
    "migrations": None,
    "manifests": [],
    "urls": [],
    "objects": [],
    "namespace": "",
    "until": [],
}
MIGRATIONS = {
    "dir": "",
    "format": "auto",
    "tables": ["a"],
    "init_sql": "",
    "command": ["goose", "up"],
    "chdir": "/src",
    "environment": {},
    "job": None,
    "timeout": 60,
}


def test_each_kind_becomes_what_it_is() -> None:
    db = lib.entry_of({**REST, "name": "db", "kind": "postgresql", "migrations": MIGRATIONS, "after": ["crds"]})
    crds = lib.entry_of(
        {**REST, "name": "crds", "kind": "manifests", "urls": [{"url": "https://x.org", "checksum": ""}]}
    )
    assert isinstance(db, Server)
    assert isinstance(crds, ManifestDependency)
    assert db.migrations is not None
    assert (db.after, db.migrations.command, db.migrations.tables) == (("crds",), ("goose", "up"), ("a",))
    assert crds.sources.urls[0].url == "https://x.org"
    lib.check_entries([db, crds])
    assert set(lib.describe_entry(db, "demo")) == set(lib.describe_entry(crds, "demo"))


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="Two dependencies are named db"):
        lib.check_entries([Server("db", "postgresql"), Server("db", "redis")])
