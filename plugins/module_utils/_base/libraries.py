# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Which Python libraries are not there, for the modules that say so before anything else is done."""

from __future__ import annotations

import importlib
import traceback


def missing_libraries(*names: str) -> dict[str, str]:
    """Return of each library that cannot be imported its name and the traceback."""
    missing = {}
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            missing[name] = traceback.format_exc()
    return missing
