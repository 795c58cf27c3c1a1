#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: e2e_suite_outcome
short_description: Fail if a test suite did not pass or left no coverage
version_added: 0.1.0
description:
  - Reads the result that M(kubernaut.coverage.e2e_suite) saved in the folder of the run. If the tests did not pass, it
    fails with the cause, the sentence and the last lines of their output. Call it after the coverage has been
    collected.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
extends_documentation_fragment:
  - kubernaut.coverage.attributes
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: none
    details:
      - In check mode no tests were run; the task is skipped.
  diff_mode:
    support: none
options:
  results:
    description: Folder of the run, with C(suite.json).
    type: path
    required: true
seealso:
  - module: kubernaut.coverage.e2e_suite
"""

EXAMPLES = r"""
- name: Fail if the tests failed
  kubernaut.coverage.e2e_suite_outcome:
    results: ~/coverage-results/httpbin/20261123-154210-123
"""

RETURN = r"""
verdict:
  description: Why the tests did not pass.
  returned: failure
  type: dict
  contains:
    cause:
      description: >-
        V(tests-failed), V(tests-timeout), V(tests-lost), V(no-tests-run), V(tests-report-missing) or
        V(tests-report-unreadable); V(tests-outcome-missing) if no tests were run.
      type: str
      returned: always
    sentence:
      description: One sentence, with the names of tests that failed.
      type: str
      returned: always
    evidence:
      description: The last lines of their output.
      type: list
      elements: str
      returned: always
    remedy:
      description: Where the whole output is.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.result import judge_suite


def main() -> None:
    module = AnsibleModule(argument_spec={"results": {"type": "path", "required": True}})
    try:
        judge_suite(module.params["results"])
    except CoverageError as error:
        module.fail_json(**error.result("e2e_suite_outcome"))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
