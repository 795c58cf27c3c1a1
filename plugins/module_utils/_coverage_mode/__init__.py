# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Coverage mode: what is changed in a normal workload so that its program writes its counters, and back again.

C(manifests) reads the normal objects, C(patch) changes one, C(changes) and C(record) are the way back, C(permission)
makes the folder writable; only C(permission) and C(apply) talk to nodes and a cluster.
"""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.apply import (
    CoverageRequest,
    switch_on,
    turn_off,
    turn_on,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import (
    KINDS,
    WORKLOADS,
    as_defined,
    kind_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.manifests import (
    as_yaml,
    find_workload,
    read_manifests,
    with_namespace,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.outcome import (
    CoverageOutcome,
    outcome_as_result,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import (
    DEFAULT_GRACE_PERIOD,
    Settings,
    in_coverage_mode,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.record import (
    COMPONENT,
    ORIGINAL,
    POD_NAME,
    PREFIX,
    RUN,
    VOLUME,
    in_normal_mode,
    is_in_coverage_mode,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.refusals import refuse_unsupported

__all__ = [
    "COMPONENT",
    "DEFAULT_GRACE_PERIOD",
    "KINDS",
    "ORIGINAL",
    "POD_NAME",
    "PREFIX",
    "RUN",
    "VOLUME",
    "WORKLOADS",
    "CoverageOutcome",
    "CoverageRequest",
    "Settings",
    "as_defined",
    "as_yaml",
    "find_workload",
    "in_coverage_mode",
    "in_normal_mode",
    "is_in_coverage_mode",
    "kind_of",
    "outcome_as_result",
    "read_manifests",
    "refuse_unsupported",
    "switch_on",
    "turn_off",
    "turn_on",
    "with_namespace",
]
