# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that take one workload."""

from __future__ import annotations


class ModuleDocFragment:
    """Which workload."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the workload.
    type: str
    required: true
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Pod]
    default: Deployment
  name:
    description: Name of the workload.
    type: str
    required: true
"""
