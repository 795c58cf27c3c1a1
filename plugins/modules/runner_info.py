#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runner_info
short_description: Check whether a host can do coverage runs
version_added: 0.1.0
description:
  - Inspects a host and returns the facts that decide whether it can build images and run a kind cluster with podman.
  - Works on a host where nothing is installed yet.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  packages:
    description: Debian packages to look for.
    type: list
    elements: str
    default: []
  bin_dir:
    description: Folder to search for kind and Go, in addition to E(PATH).
    type: path
    default: /usr/local/bin
  kind_version:
    description: Required version of kind, for example V(v0.30.0). Not checked if empty.
    type: str
    default: ""
  go_minimum:
    description: Minimum version of Go, for example V(1.26). Not checked if empty.
    type: str
    default: ""
  node_image:
    description: Image of the kind nodes. Not checked if empty.
    type: str
    default: ""
  recipe:
    description:
      - Folder on the managed host with the recipe of O(node_image). If the image names a recipe, it must be this one.
    type: path
  disk:
    description: Minimum free bytes where podman stores images. Not checked if V(0).
    type: int
    default: 0
  memory:
    description: Recommended memory in bytes. Not checked if V(0).
    type: int
    default: 0
  sysctls:
    description: Kernel settings and their minimum values.
    type: dict
    default: {}
  prove:
    description: Run one short-lived container of O(node_image), if it exists. Not done in check mode.
    type: bool
    default: false
  executable:
    description: Name or path of podman.
    type: str
    default: podman
requirements:
  - python >= 3.11
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.attributes.idempotent
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Changes nothing in any mode.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Inspect this host
  kubernaut.coverage.runner_info:
    kind_version: v0.30.0
    go_minimum: "1.26"
    node_image: localhost/kindest/node:v1.34.4
    sysctls:
      fs.inotify.max_user_instances: 512
  register: host

- name: Fail with one sentence if it cannot run a cluster
  ansible.builtin.assert:
    that: host.runner.ready
    fail_msg: "{{ host.verdict }}"
"""

RETURN = r"""
runner:
  description: Facts of the host.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether all required checks pass.
      type: bool
      sample: true
    root:
      description: Whether the module ran as root.
      type: bool
      sample: true
    rootless:
      description: Facts for rootless podman (C(subuid) and C(subgid) in ids, C(newuidmap)).
      type: dict
      sample: {subuid: 65536, subgid: 65536, newuidmap: true}
    os:
      description: The distribution (C(id), C(version), C(codename)).
      type: dict
      sample: {id: debian, version: "12", codename: bookworm}
    init:
      description: Name of process 1.
      type: str
      sample: systemd
    cgroup:
      description: Control groups, C(unified) (version 2 alone), C(hybrid), C(legacy) or C(none).
      type: str
      sample: unified
    capabilities:
      description: Effective capabilities.
      type: list
      elements: str
      sample: [chown, net_admin]
    limits:
      description: Hard limits of open files and processes, V(-1) without a limit.
      type: dict
      sample: {nofile: 1048576, nproc: -1}
    modules_folder:
      description: Whether C(/lib/modules) exists, which kind mounts.
      type: bool
      sample: true
    packages_missing:
      description: The O(packages) that are not installed.
      type: list
      elements: str
      sample: [podman]
    containers_conf:
      description: The drop-in that podman needs here. C(text) is the required content, C(current) the actual one.
      type: dict
      sample: {path: /etc/containers/containers.conf.d/50-kubernaut-coverage.conf, text: "", current: "", unheeded: []}
    podman:
      description: Output of C(podman info). C(error) is empty if it works.
      type: dict
      sample: {version: 4.3.1, runtime: runc, cgroup_manager: cgroupfs, error: ""}
    tools:
      description: Paths and versions of Go and kind.
      type: dict
      sample: {kind: {path: /usr/local/bin/kind, version: v0.30.0, on_path: true}}
    sysctls:
      description: Current values of those O(sysctls) that this kernel has.
      type: dict
      sample: {fs.inotify.max_user_instances: 128}
    sysctl_file:
      description: >-
        The file of kernel settings that the host needs, as C(containers_conf). C(low) lists the settings that are too
        low.
      type: dict
      sample: {path: /etc/sysctl.d/60-kubernaut-coverage.conf, text: "", current: "", low: []}
    disk:
      description: Total and free bytes where podman stores images.
      type: dict
      sample: {path: /var/lib/containers/storage, total: 270553174016, free: 250913049600}
    memory:
      description: Total and available memory in bytes.
      type: dict
      sample: {total: 25276502016, available: 24602140672}
    node_image:
      description: The node image. C(current) is true if it exists and matches the recipe.
      type: dict
      sample: {name: localhost/kindest/node:v1.34.4, id: 9b8f0f2a, current: true}
    checks:
      description: The checks, the most basic first. A check that is not C(needed) is advice.
      type: list
      elements: dict
      sample: [{name: user, ok: true, result: root, remedy: "", needed: true}]
table:
  description: The checks as text lines.
  returned: success
  type: list
  elements: str
  sample: ["ok   user  root"]
verdict:
  description: A sentence that names the first failed check. Empty if the host is ready.
  returned: success
  type: str
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.facts import Wanted, gather, table, verdict


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "bin_dir": {"type": "path", "default": "/usr/local/bin"},
            "kind_version": {"type": "str", "default": ""},
            "go_minimum": {"type": "str", "default": ""},
            "node_image": {"type": "str", "default": ""},
            "recipe": {"type": "path"},
            "disk": {"type": "int", "default": 0},
            "memory": {"type": "int", "default": 0},
            "sysctls": {"type": "dict", "default": {}},
            "prove": {"type": "bool", "default": False},
            "executable": {"type": "str", "default": "podman"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        facts = gather(
            Wanted(
                packages=given["packages"],
                kind_version=given["kind_version"],
                go_minimum=given["go_minimum"],
                node_image=given["node_image"],
                recipe=given["recipe"] or "",
                disk=given["disk"],
                memory=given["memory"],
                sysctls={name: int(value) for name, value in given["sysctls"].items()},
            ),
            bin_dir=given["bin_dir"],
            executable=given["executable"],
            prove=given["prove"] and not module.check_mode,
        )
    except CoverageError as error:
        module.fail_json(**error.result("runner_info"))
    module.exit_json(changed=False, runner=facts, table=table(facts["checks"]), verdict=verdict(facts["checks"]))


if __name__ == "__main__":
    main()
