#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster_info
short_description: List the kind clusters of a host and their configuration
version_added: 0.1.0
description:
  - Lists every kind cluster on podman, running or not, created by this collection or not.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - podman 4.3
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
options:
  name:
    description: List only the cluster of that name.
    type: str
    default: ""
seealso:
  - module: kubernaut.coverage.kind_cluster
"""

EXAMPLES = r"""
- name: List the clusters
  kubernaut.coverage.kind_cluster_info:
  register: found

- name: Delete the clusters that this collection created
  kubernaut.coverage.kind_cluster:
    name: "{{ item.name }}"
    kubeconfig: "{{ item.kubeconfig }}"
    state: absent
  loop: "{{ found.clusters | selectattr('ours') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
clusters:
  description: The clusters, ordered by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    ours:
      description: Whether M(kubernaut.coverage.kind_cluster) created it.
      type: bool
    state:
      description:
        - V(running), V(stopped) (a node is not running), or V(incomplete) (a node is missing, or its creation was
          interrupted).
      type: str
      sample: running
    nodes:
      description: Its nodes, the control plane first.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the node and of its container.
          type: str
        role:
          description: C(control-plane) or C(worker).
          type: str
        running:
          description: Whether the container runs.
          type: bool
    node_image:
      description: Image of its nodes.
      type: str
    config:
      description:
        - Its configuration, in the form of the options of M(kubernaut.coverage.kind_cluster); empty if foreign.
      type: dict
    config_hash:
      description: Hash of RV(clusters[].config); empty if foreign.
      type: str
    kubeconfig:
      description: Its kubeconfig file; empty if foreign.
      type: str
    created_seconds:
      description: How long its creation took, in seconds.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.clusters import KindClusters
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def main() -> None:
    module = AnsibleModule(
        argument_spec={**PODMAN, "name": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    try:
        found = KindClusters(podman=Podman(module.params["podman"])).clusters(module.params["name"])
    except CoverageError as error:
        module.fail_json(**error.result("kind_cluster_info"))
    module.exit_json(changed=False, clusters=[cluster.result() for cluster in found])


if __name__ == "__main__":
    main()
