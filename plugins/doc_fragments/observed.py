# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that observe one workload."""

from __future__ import annotations


class ModuleDocFragment:
    """Where a workload is observed."""

    DOCUMENTATION = r"""
options:
  container:
    description: Name of the instrumented container. If empty, the first container of the pod.
    type: str
    default: ""
  url:
    description: Address that answers with a 2xx status when the service is ready, requested from the managed host.
    type: str
    default: ""
  nodes:
    description: Names of the node containers to search for covmeta. If empty, the module does not wait for it.
    type: list
    elements: str
    default: []
  volume_directory:
    description: Folder on the nodes that contains one folder for each pod.
    type: str
    default: ""
"""
