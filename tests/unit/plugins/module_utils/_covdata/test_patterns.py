# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package patterns mean what they mean to Go (the table is that of go help packages)."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.patterns import matches, nearest


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("net/...", "net", True),
        ("net/...", "net/http", True),
        ("net/...", "network", False),
        ("net...", "network", True),
        ("net", "net/http", False),
        ("...", "anything/at.all", True),
        ("example.com/x", "exampleXcom/x", False),
        (".../http", "net/http", True),
        ("net/.../http", "net/a/b/http", True),
        ("net/.../http", "net/http", False),
        ("a/.../b/...", "a/x/b", True),
        ("a+b/...", "a+b/c", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_match(pattern: str, path: str, expected: bool) -> None:
    assert bool(matches(pattern, [path])) is expected


def test_nearest_names_a_likely_one() -> None:
    assert nearest("example.com/app/htpp/...", ["example.com/app/http", "example.com/app/store"]) == (
        "example.com/app/http"
    )
    assert nearest("x", []) == ""
