#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check all that a run needs before anything is changed
description:
  - Checks side by side that the source can be built, that the tests can be started and that the disk has room.
  - All that is wrong is told at once; nothing is changed.
author:
  - the kubernaut.coverage authors (@kubernaut)
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    support: none
    description: >-
      Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
options:
  image:
    description: What is going to be built, as in M(kubernaut.coverage.instrumented_image). Not checked where missing.
    type: dict
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      source:
        description: The source, a Go module or a checkout with a Containerfile.
        type: dict
        required: true
        suboptions:
          module:
            description: Go module path.
            type: str
          version:
            description: Version of the Go module.
            type: str
          package:
            description: Main package inside the module.
            type: str
          dir:
            description: A checkout.
            type: path
          containerfile:
            description: Containerfile, relative to the checkout.
            type: str
          context:
            description: Build context, relative to the checkout.
            type: str
          target:
            description: Stage of the Containerfile.
            type: str
      base:
        description: Base image of a Go module's image.
        type: str
        default: scratch
      go:
        description: Name or path of Go.
        type: str
        default: go
      podman:
        description: Name or path of podman.
        type: str
        default: podman
  tests:
    description: The tests to be run. Not checked where missing.
    type: dict
    suboptions:
      command:
        description: Program and arguments.
        type: list
        elements: str
        required: true
      dir:
        description: Folder to run in; only the program is checked where it is missing.
        type: path
  cache_dir:
    description: The collection's cache folder.
    type: path
    required: true
  disk_gib:
    description: Gibibytes that have to be free on its disk.
    type: float
    default: 3
"""

EXAMPLES = r"""
- name: Check what the run of httpbin needs
  kubernaut.coverage.preflight:
    image:
      service: httpbin
      source:
        module: github.com/mccutchen/go-httpbin/v2
        version: v2.26.0
        package: cmd/go-httpbin
    tests:
      command: [go, test, ./...]
    cache_dir: ~/.cache/kubernaut-coverage
"""

RETURN = r"""
checks:
  description: Names of the checks that passed.
  returned: success
  type: list
  elements: str
  sample: [disk, source, tests]
"""

import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e import check_command
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._instrumentation import Request, Source, ensure_image
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import Check, check_all, check_disk


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {
                "type": "dict",
                "options": {
                    "service": {"type": "str", "required": True},
                    "source": {
                        "type": "dict",
                        "required": True,
                        "options": {
                            "module": {"type": "str"},
                            "version": {"type": "str"},
                            "package": {"type": "str"},
                            "dir": {"type": "path"},
                            "containerfile": {"type": "str"},
                            "context": {"type": "str"},
                            "target": {"type": "str"},
                        },
                    },
                    "base": {"type": "str", "default": "scratch"},
                    "go": {"type": "str", "default": "go"},
                    "podman": {"type": "str", "default": "podman"},
                },
            },
            "tests": {
                "type": "dict",
                "options": {
                    "command": {"type": "list", "elements": "str", "required": True},
                    "dir": {"type": "path"},
                },
            },
            "cache_dir": {"type": "path", "required": True},
            "disk_gib": {"type": "float", "default": 3},
        },
        supports_check_mode=True,
    )
    image, tests, cache_dir = module.params["image"], module.params["tests"], module.params["cache_dir"]
    checks: dict[str, Check] = {"disk": lambda: check_disk(cache_dir, module.params["disk_gib"])}
    if image:
        source = {key: value for key, value in image["source"].items() if value}
        request = Request(
            service=image["service"],
            source=Source(**source),
            base=image["base"],
            go=image["go"],
            podman=image["podman"],
            cache_dir=cache_dir,
        )
        checks["source"] = lambda: ensure_image(request, check=True)
    if tests:
        # tests that come with the playbook have no folder on this host yet: any will do to look for the program
        directory = tests["dir"] or tempfile.gettempdir()
        checks["tests"] = lambda: check_command(tests["command"], directory)
    try:
        passed = check_all(checks)
    except CoverageError as error:
        module.fail_json(**error.result())
    module.exit_json(changed=False, checks=passed)


if __name__ == "__main__":
    main()
