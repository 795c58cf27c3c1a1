# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FNV-1a: the vectorised hash against its definition."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.fnv import BLOCK, SHORT, fnv128a


def by_definition(data: bytes) -> bytes:
    value = 0x6C62272E07BB014262B821756295C58D
    for byte in data:
        value = (value ^ byte) * 0x0000000001000000000000000000013B % (1 << 128)
    return value.to_bytes(16, "big")


def test_known_values() -> None:
    """Those of Go's own hash/fnv tests."""
    assert fnv128a(b"").hex() == "6c62272e07bb014262b821756295c58d"
    assert fnv128a(b"a").hex() == "d228cb696f1a8caf78912b704e4a8964"
    assert fnv128a(b"abc").hex() == "a68d622cec8b5822836dbc7977af7f3b"


@pytest.mark.parametrize("size", [1, SHORT - 1, SHORT, SHORT + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_every_size(size: int) -> None:
    for data in (bytes(index * index % 251 for index in range(size)), bytes(size), b"\xff" * size):
        assert fnv128a(data) == by_definition(data)
