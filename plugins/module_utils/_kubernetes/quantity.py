# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Quantities of Kubernetes as numbers (apimachinery, pkg/api/resource/quantity.go)."""

from __future__ import annotations

import typing as t


def quantity(text: t.Union[str, int, float]) -> float:
    """Return the number that a quantity (C(250m), C(64Mi), C(1e3)) means; 0 where it is not one."""
    from kubernetes.utils.quantity import parse_quantity

    try:
        return float(parse_quantity(text))
    except ValueError:
        return 0.0
