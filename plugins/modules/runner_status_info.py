#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runner_status_info
short_description: Show what runs have on a host, and who uses it
version_added: 0.1.0
description:
  - Lists clusters, instrumented images, leases of runs and files of killed runs, with disk and memory of the host.
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
    details: It changes nothing.
  diff_mode:
    support: none
options:
  cache_dir:
    description: Folder of the collection's cache on the host.
    type: path
    default: ~/.cache/kubernaut-coverage
seealso:
  - module: kubernaut.coverage.runner_cleanup
"""

EXAMPLES = r"""
- name: Look at the host
  kubernaut.coverage.runner_status_info:
  register: found

- name: Show it
  ansible.builtin.debug:
    msg: "{{ found.table }}"
"""

RETURN = r"""
status:
  description:
    - C(clusters), C(images), C(leases), C(remains) (files of killed runs), C(disk) and C(memory). Sizes are in bytes,
      ages in seconds.
  returned: success
  type: dict
table:
  description: The same as text.
  returned: success
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep.status import status, table


def main() -> None:
    module = AnsibleModule(
        argument_spec={**PODMAN, "cache_dir": {"type": "path", "default": "~/.cache/kubernaut-coverage"}},
        supports_check_mode=True,
    )
    try:
        facts = status(Path(module.params["cache_dir"]), Podman(module.params["podman"]))
    except CoverageError as error:
        module.fail_json(**error.result("runner_status_info"))
    module.exit_json(changed=False, status=facts, table=table(facts))


if __name__ == "__main__":
    main()
