# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk over what a YAML document holds, for the tests of playbooks, roles and pages."""

from __future__ import annotations

import typing as t


def nodes(value: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Every mapping in what a YAML document holds."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)
