#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image
short_description: Load an image archive onto every node of a kind cluster
version_added: 0.1.0
description:
  - Loads an image onto each node that does not have it under that name and id, on all nodes in parallel.
  - Then verifies the image on each node by name and id. If the name is missing, the error lists the closest names.
  - Needs containerd on the nodes but not the cluster's API. It can run while the cluster starts.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - podman
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - A missing cluster is assumed to be created later.
  diff_mode:
    support: none
options:
  archive:
    description: The image as a docker archive.
    type: path
    required: true
  reference:
    description: Name of the image, in the archive and on the nodes.
    type: str
    required: true
  image_id:
    description: Id that the image must have; that of the archive if empty.
    type: str
    default: ""
  cluster:
    description: Name of a kind cluster, for all of its nodes. Exactly one of this and O(nodes) is needed.
    type: str
  nodes:
    description: Names of the node containers.
    type: list
    elements: str
  node_count:
    description: Number of nodes that O(cluster) will have. V(0) means those that exist now.
    type: int
    default: 0
  timeout:
    description: Seconds to wait for the nodes and for containerd on them.
    type: float
    default: 120
seealso:
  - module: kubernaut.coverage.instrumented_image
"""

EXAMPLES = r"""
- name: Load an instrumented image onto every node
  kubernaut.coverage.node_image:
    cluster: httpbin-e2e
    archive: "{{ instrumented_image_result.archive }}"
    reference: "{{ instrumented_image_result.reference }}"
    image_id: "{{ instrumented_image_result.id }}"
"""

RETURN = r"""
reference:
  description: Name of the image.
  returned: success
  type: str
  sample: localhost/httpbin:0b6d2c1f4e5a
image_id:
  description: Id of the image.
  returned: success
  type: str
  sample: 5f0c1a6be1f79d6e4d0d3d0d93d0f1a4e9a7f5fb0f4b6e5bd1c8a0a7a1d2c3b4
nodes:
  description: One element for each node.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      returned: always
    present_before:
      description: Whether it had the image under that name and id.
      type: bool
      returned: always
    loaded:
      description: Whether the image was loaded, or would be in check mode.
      type: bool
      returned: always
    id:
      description: Id of the image that the name refers to on the node; empty in check mode if the name is missing.
      type: str
      returned: always
  sample:
    - id: 5f0c1a6be1f79d6e4d0d3d0d93d0f1a4e9a7f5fb0f4b6e5bd1c8a0a7a1d2c3b4
      loaded: true
      name: httpbin-e2e-control-plane
      present_before: false
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import LoadRequest, load_on_nodes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PODMAN,
            "archive": {"type": "path", "required": True},
            "reference": {"type": "str", "required": True},
            "image_id": {"type": "str", "default": ""},
            "cluster": {"type": "str"},
            "nodes": {"type": "list", "elements": "str"},
            "node_count": {"type": "int", "default": 0},
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    options = module.params
    request = LoadRequest(
        archive=options["archive"],
        reference=options["reference"],
        image_id=options["image_id"],
        cluster=options["cluster"] or "",
        nodes=tuple(options["nodes"] or ()),
        node_count=options["node_count"],
        timeout=options["timeout"],
        podman=options["podman"],
    )
    try:
        outcome = load_on_nodes(request, check=module.check_mode)
    except CoverageError as error:
        module.fail_json(**error.result("node_image"))
    module.exit_json(**asdict(outcome))


if __name__ == "__main__":
    main()
