# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The options that the modules for coverage data share, as argument specifications; doc fragment C(covdata)."""

from __future__ import annotations

import typing as t

Specification = dict[str, dict[str, t.Any]]

# the fields of R(Reading)
READING: Specification = {
    "policy": {"type": "str", "choices": ["fail", "warn"], "default": "warn"},
    "not_before": {"type": "float", "default": 0.0},
    "expected": {"type": "list", "elements": "str", "default": []},
    "snapshots": {"type": "str", "choices": ["auto", "sum", "last"], "default": "auto"},
}
INPUTS: Specification = {"inputs": {"type": "list", "elements": "path", "required": True}}
