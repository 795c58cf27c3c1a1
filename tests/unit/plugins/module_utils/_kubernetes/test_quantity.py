# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities as the API server writes them, and what is none."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.quantity import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2),
        (2, 2),
        (0.5, 0.5),
        ("64Mi", 64 * 2**20),
        ("1.5Gi", 1.5 * 2**30),
        ("128M", 128e6),
        ("1e3", 1000),
        ("12E3", 12000),
        ("1E", 1e18),
        ("100n", 1e-7),
        ("3u", 3e-6),
        ("", 0),
        ("many", 0),
        ("1x", 0),
        ("1Kx", 0),
    ],
)
def test_quantity(text: str | int | float, number: float) -> None:
    assert quantity(text) == pytest.approx(number)
