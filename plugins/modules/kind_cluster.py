#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: Create and delete kind clusters on podman, identified by their configuration
version_added: 0.1.0
description:
  - Ensures that a kind cluster of that name and configuration runs, with podman as its provider.
  - A cluster's configuration is stored inside its control-plane container. An equal cluster is left unchanged; a
    different configuration is an error that names the difference, or, with O(recreate=true), the cluster is replaced.
  - Nodes that are stopped are started again, and their addresses corrected. A cluster that does not come back, or whose
    creation was interrupted, is replaced.
  - Before anything is created, the node image, the sources of mounts and the host ports are checked. The error names
    who uses a port.
  - The cluster has its own kubeconfig file. The user's is neither read nor written.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - kind 0.30
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
    details: All inputs, the node image, mounts and ports are checked for real.
  diff_mode:
    support: full
options:
  name:
    description:
      - Name of the cluster. Its containers are called C(<name>-control-plane), C(<name>-worker), C(<name>-worker2).
    type: str
    required: true
  state:
    description:
      - V(present) ensures that the cluster exists and runs.
      - V(absent) deletes the cluster, its volumes and its kubeconfig.
    type: str
    choices: [present, absent]
    default: present
  workers:
    description: Number of worker nodes in addition to the control plane. With V(0), pods run on the control plane.
    type: int
    default: 0
  node_image:
    description: Image of the nodes. It must be in podman's store; it is not pulled.
    type: str
    default: localhost/kindest/node:v1.34.4
  port_mappings:
    description:
      - Ports of the control-plane node that are published on the host. The node port of a Service answers on each node.
    type: list
    elements: dict
    default: []
    suboptions:
      container_port:
        description: Port of the node, usually the node port of a Service.
        type: int
        required: true
      host_port:
        description: Port of the host.
        type: int
        required: true
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      listen_address:
        description: Address of the host to listen on.
        type: str
        default: 127.0.0.1
  extra_mounts:
    description: Folders or files of the host that are mounted into every node.
    type: list
    elements: dict
    default: []
    suboptions:
      host_path:
        description: Absolute path on the host, which must exist.
        type: path
        required: true
      container_path:
        description: Absolute path on the nodes.
        type: str
        required: true
      read_only:
        description: Whether the mount is read-only.
        type: bool
        default: false
  kubeadm_patches:
    description: Merge patches for kubeadm's objects, each a YAML text with the C(kind) of the object that it changes.
    type: list
    elements: str
    default: []
  kubeconfig:
    description:
      - Kubeconfig file to write, mode C(0600). It must not contain other clusters.
      - The default is C(clusters/<name>/kubeconfig) in O(cache_dir).
    type: path
  recreate:
    description:
      - Replace a cluster of that name, whatever its configuration and state, and even if something else created it.
      - The old cluster is deleted only after all prerequisites of the new one have been checked, and when no other run
        uses it any longer.
      - A cluster of this collection whose creation was interrupted is replaced without this option.
    type: bool
    default: false
  force:
    description: With O(state=absent), delete the cluster even if this collection did not create it.
    type: bool
    default: false
  cache_dir:
    description: Folder of the collection's cache on the host. The leases of runs are there.
    type: path
    default: ~/.cache/kubernaut-coverage
  owner:
    description:
      - The run that the cluster is created, replaced or deleted for, as the result C(owner) of
        M(kubernaut.coverage.service_contract_info). What other runs use is waited for.
      - If empty, it is this task.
    type: dict
    default: {}
  wait:
    description:
      - Seconds to wait until all nodes are ready.
      - With V(0), the task returns as soon as the API server answers and the kubeconfig is written.
    type: int
    default: 0
  executable:
    description: Name or path of kind.
    type: str
    default: kind
seealso:
  - module: kubernaut.coverage.kind_cluster_info
"""

EXAMPLES = r"""
- name: Create a cluster whose node port 30080 is published on this host
  kubernaut.coverage.kind_cluster:
    name: notification
    port_mappings:
      - container_port: 30080
        host_port: 8086
  register: created

- name: Replace it with one that has a worker, and wait until both nodes are ready
  kubernaut.coverage.kind_cluster:
    name: notification
    workers: 1
    recreate: true
    wait: 120

- name: Delete it
  kubernaut.coverage.kind_cluster:
    name: notification
    state: absent
"""

RETURN = r"""
cluster:
  description: The cluster as it is; in check mode, as it would be.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: notification
    context:
      description: Name of its context in the kubeconfig.
      type: str
      sample: kind-notification
    kubeconfig:
      description: Its kubeconfig file.
      type: str
      sample: /root/.cache/kubernaut-coverage/clusters/notification/kubeconfig
    nodes:
      description: Its nodes, the control plane first; empty with O(state=absent).
      type: list
      elements: dict
      contains:
        name:
          description: Name of the node and of its container.
          type: str
          sample: notification-control-plane
        role:
          description: C(control-plane) or C(worker).
          type: str
          sample: control-plane
        running:
          description: Whether the container runs.
          type: bool
    config_hash:
      description: Hash of the configuration; the same for the same configuration.
      type: str
    node_image:
      description: Image of its nodes.
      type: str
      sample: localhost/kindest/node:v1.34.4
    created_seconds:
      description: How long its creation took, in seconds.
      type: float
      sample: 12.9
action:
  description:
    - What was done, or would be done in check mode. V(export) writes a kubeconfig that is missing or was changed.
      V(restart) starts nodes that were stopped.
  returned: success
  type: str
  choices: [none, create, replace, restart, export, delete]
  sample: create
difference:
  description: In words, how the configuration of a replaced cluster differs.
  returned: success
  type: list
  elements: str
  sample: ["workers is 0 there, wanted is 1"]
verdict:
  description: The error in parts.
  returned: failure
  type: dict
  contains:
    cause:
      description:
        - Short identifier, for example C(cluster-different), C(cluster-foreign), C(cluster-stopped), C(port-taken),
          C(node-image-missing), C(mount-source-missing).
      type: str
      sample: cluster-different
    sentence:
      description: What failed, where and why.
      type: str
    evidence:
      description: Observed facts, quoted.
      type: list
      elements: str
    remedy:
      description: What to do about it.
      type: str
    setting:
      description: The variable to change.
      type: str
"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import CLUSTER, PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.clusters import KindClusters
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import Leases
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner, this_run
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLUSTER,
            **PODMAN,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "port_mappings": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "container_port": {"type": "int", "required": True},
                    "host_port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                    "listen_address": {"type": "str", "default": "127.0.0.1"},
                },
            },
            "extra_mounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "host_path": {"type": "path", "required": True},
                    "container_path": {"type": "str", "required": True},
                    "read_only": {"type": "bool", "default": False},
                },
            },
            "kubeconfig": {"type": "path"},
            "recreate": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "cache_dir": {"type": "path", "default": "~/.cache/kubernaut-coverage"},
            "owner": {"type": "dict", "default": {}},
            "wait": {"type": "int", "default": 0},
            "executable": {"type": "str", "default": "kind"},
        },
        supports_check_mode=True,
    )
    given = module.params
    name = given["name"]
    kubeconfig = given["kubeconfig"] or str(Path(given["cache_dir"], "clusters", name, "kubeconfig"))
    try:
        owner = Owner.of(given["owner"]) if given["owner"] else this_run()
        kind = KindClusters(given["executable"], Podman(given["podman"]), Leases(given["cache_dir"]), owner)
        if given["state"] == "absent":
            outcome = kind.absent(name, kubeconfig=kubeconfig, force=given["force"], check_mode=module.check_mode)
        else:
            shape = ("node_image", "workers", "port_mappings", "extra_mounts", "kubeadm_patches")
            outcome = kind.present(
                ClusterConfig.from_options(name=name, **{key: given[key] for key in shape}),
                kubeconfig=kubeconfig,
                recreate=given["recreate"],
                wait=given["wait"],
                check_mode=module.check_mode,
            )
    except CoverageError as error:
        module.fail_json(**error.result("kind_cluster"))
    for warning in outcome.warnings:
        module.warn(warning)
    result = {
        "changed": outcome.changed,
        "action": outcome.action,
        "cluster": outcome.cluster,
        "difference": outcome.difference,
    }
    if module._diff:
        result["diff"] = {
            "before": json.dumps(outcome.before, indent=2, sort_keys=True) + "\n" if outcome.before else "",
            "after": json.dumps(outcome.after, indent=2, sort_keys=True) + "\n" if outcome.after else "",
            "before_header": f"kind cluster {name}",
            "after_header": f"kind cluster {name}",
        }
    module.exit_json(**result)


if __name__ == "__main__":
    main()
