# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which options each kind takes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import options as lib


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "postgres"}, "did you mean 'postgresql'"),
        ({"kind": "mongodb"}, "there are postgresql, redis and manifests"),
        ({"kind": "manifests"}, "of kind manifests and has none"),
        (
            {"kind": "manifests", "objects": [{}], "storage": "1Gi"},
            "has 'storage', which only postgresql and redis supports",
        ),
        ({"kind": "redis", "until": [{}]}, "has 'until', which only manifests supports"),
        ({"kind": "redis", "migrations": {"dir": "/m"}}, "has 'migrations', which only postgresql supports"),
        ({"kind": "redis", "user": "me"}, "has 'user', which only postgresql supports"),
    ],
)
def test_what_a_kind_does_not_take_is_refused(given: dict[str, t.Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        lib.check_options({"name": "db", **given})


def test_a_default_is_nothing_that_was_given() -> None:
    given = {"name": "cache", "kind": "redis", "node_port": 0, "until": []}
    lib.check_options({**given, "database": "coverage"})
    with pytest.raises(InputError, match="has 'database'"):
        lib.check_options({**given, "database": "other"})
