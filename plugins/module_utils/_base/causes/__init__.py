# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The causes that no rule finds: what checks before a run and libraries that cannot go on give, by stage.

Rules register their causes themselves. Nothing at run time needs these: a diagnosis has the id of its cause; the
documentation and its tests have the rest from here. The order of the imports does not matter: chapters of the page
have an order of their own.
"""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.causes import (
    cluster,
    contract,
    coverage_mode,
    data,
    dependencies,
    e2e,
    extraction,
    image,
    preflight,
    programs,
    report,
    runner,
    snapshots,
    suite,
)

__all__ = [
    "cluster",
    "contract",
    "coverage_mode",
    "data",
    "dependencies",
    "e2e",
    "extraction",
    "image",
    "preflight",
    "programs",
    "report",
    "runner",
    "snapshots",
    "suite",
]
