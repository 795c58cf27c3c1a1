#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: e2e_tests
short_description: Run the end-to-end tests of a service
description:
  - Runs any command with a time limit. Its output is written to a log as it comes, its last line is shown as progress.
  - A failing test is an outcome and does not fail the task, because the counters have to come home first. See
    RV(passed).
author:
  - the kubernaut.coverage authors (@kubernaut)
extends_documentation_fragment:
  - kubernaut.coverage.attributes
attributes:
  check_mode:
    support: partial
    details:
      - Only checks that the command can be started.
  diff_mode:
    support: none
options:
  command:
    description: Program and arguments.
    type: list
    elements: str
    required: true
  dir:
    description: Folder to run in.
    type: path
    required: true
  environment:
    description: Environment variables, added to those of the host.
    type: dict
    default: {}
  timeout:
    description: Seconds after which the tests, and all that they started, are ended.
    type: int
    default: 900
  results:
    description: Folder for the log C(e2e-tests.log) and the outcome C(e2e-tests.json).
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Run the tests
  kubernaut.coverage.e2e_tests:
    command: [go, test, -count=1, -v, ./...]
    dir: ~/src/httpbin/test/e2e
    environment:
      E2E_BASE_URL: http://127.0.0.1:38080
    results: ~/coverage-results/httpbin/20261123-154210-123
"""

RETURN = r"""
passed:
  description: Whether the command exited with 0.
  returned: success
  type: bool
returncode:
  description: Exit code, negative where a signal ended it, none where the time limit did.
  returned: success
  type: int
seconds:
  description: How long the tests ran.
  returned: success
  type: float
log:
  description: Where their output lies.
  returned: success
  type: str
last_lines:
  description: The end of their output.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e import check_command, run_tests
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "list", "elements": "str", "required": True},
            "dir": {"type": "path", "required": True},
            "environment": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 900},
            "results": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options = module.params
    environment = {str(key): str(value) for key, value in options["environment"].items()}
    try:
        if module.check_mode:
            check_command(options["command"], options["dir"], environment)
            module.exit_json(changed=False, skipped=True, passed=True)
        outcome = run_tests(
            options["command"],
            options["dir"],
            environment=environment,
            timeout=options["timeout"],
            results=options["results"],
        )
    except CoverageError as error:
        module.fail_json(**error.result())
    # a log for every run is what was asked for; nothing else on this host is changed by us
    module.exit_json(changed=False, **asdict(outcome))


if __name__ == "__main__":
    main()
