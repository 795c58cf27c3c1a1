#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runner_info
short_description: Tell what a host can do for a coverage run
version_added: 0.1.0
description:
  - Looks at a host and returns what decides whether it can build images and run a kind cluster with podman.
  - Works on a host on which nothing is installed yet.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  packages:
    description: Debian packages to look for.
    type: list
    elements: str
    default: []
  bin_dir:
    description: Folder in which kind and Go may lie besides those of E(PATH).
    type: path
    default: /usr/local/bin
  kind_version:
    description: Version that kind has to have, as V(v0.30.0). Not checked if empty.
    type: str
    default: ""
  go_minimum:
    description: Oldest version of Go that is enough, as V(1.26). Not checked if empty.
    type: str
    default: ""
  node_image:
    description: Image that kind makes nodes of. Not checked if empty.
    type: str
    default: ""
  recipe:
    description:
      - Folder on the managed host with the recipe of O(node_image). The image has to be of that recipe if it names any.
    type: path
  disk:
    description: Bytes that have to be free where podman keeps images. Not checked if V(0).
    type: int
    default: 0
  memory:
    description: Bytes of memory that the host should have. Not checked if V(0).
    type: int
    default: 0
  sysctls:
    description: Kernel settings with the least value that they should have.
    type: dict
    default: {}
  prove:
    description: Run one short-lived container of O(node_image), if it is there. This is left out in check mode.
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
- name: See what this host can do
  kubernaut.coverage.runner_info:
    kind_version: v0.30.0
    go_minimum: "1.26"
    node_image: localhost/kindest/node:v1.34.4
    sysctls:
      fs.inotify.max_user_instances: 512
  register: host

- name: Stop with one sentence if it cannot run a cluster
  ansible.builtin.assert:
    that: host.runner.ready
    fail_msg: "{{ host.verdict }}"
"""

RETURN = r"""
runner:
  description: What the host is.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether every check that is needed is passed.
      type: bool
      sample: true
    root:
      description: Whether the module ran as root.
      type: bool
      sample: true
    rootless:
      description: What a user who is not root has (C(subuid) and C(subgid) in ids, C(newuidmap)).
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
      description: Whether C(/lib/modules) is there, which kind mounts.
      type: bool
      sample: true
    packages_missing:
      description: Those of O(packages) that are not installed.
      type: list
      elements: str
      sample: [podman]
    containers_conf:
      description: The drop-in that podman needs here. C(text) is what it has to be, C(current) what it is.
      type: dict
      sample: {path: /etc/containers/containers.conf.d/50-kubernaut-coverage.conf, text: "", current: "", unheeded: []}
    podman:
      description: What podman says of itself. C(error) is empty if it works.
      type: dict
      sample: {version: 4.3.1, runtime: runc, cgroup_manager: cgroupfs, error: ""}
    tools:
      description: Paths and versions of Go and kind.
      type: dict
      sample: {kind: {path: /usr/local/bin/kind, version: v0.30.0, on_path: true}}
    sysctls:
      description: Values now of those of O(sysctls) that this kernel has.
      type: dict
      sample: {fs.inotify.max_user_instances: 128}
    sysctl_file:
      description: The file of kernel settings that the host needs, as C(containers_conf). C(low) names what is too low.
      type: dict
      sample: {path: /etc/sysctl.d/60-kubernaut-coverage.conf, text: "", current: "", low: []}
    disk:
      description: Bytes in total and free where podman keeps images.
      type: dict
      sample: {path: /var/lib/containers/storage, total: 270553174016, free: 250913049600}
    memory:
      description: Bytes of memory in total and available.
      type: dict
      sample: {total: 25276502016, available: 24602140672}
    node_image:
      description: The node image. C(current) tells whether it is there and of the recipe.
      type: dict
      sample: {name: localhost/kindest/node:v1.34.4, id: 9b8f0f2a, current: true}
    checks:
      description: What the host can do, the most basic first. One that is not C(needed) is advice.
      type: list
      elements: dict
      sample: [{name: user, ok: true, result: root, remedy: "", needed: true}]
table:
  description: The checks as lines for a person.
  returned: success
  type: list
  elements: str
  sample: ["ok   user  root"]
verdict:
  description: A sentence that names the first thing that is impossible. Empty if the host is ready.
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
