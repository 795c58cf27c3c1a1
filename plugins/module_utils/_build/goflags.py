# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Read the value of GOFLAGS."""

from __future__ import annotations

DEFAULT_GOFLAGS = "-cover -covermode=atomic"


def flag_value(goflags: str, flag: str) -> str:
    """Return the value of C(-flag=value) in a GOFLAGS value; C(true) for a bare C(-flag), empty where it is missing."""
    value = ""
    for word in goflags.split():
        name, equals, given = word.lstrip("-").partition("=")
        if name == flag:
            value = given if equals else "true"
    return value


def coverpkg_of(goflags: str) -> list[str]:
    """Return the package patterns that a GOFLAGS value instruments; none: Go's choice, the main module's packages."""
    return [item for item in flag_value(goflags, "coverpkg").split(",") if item]
