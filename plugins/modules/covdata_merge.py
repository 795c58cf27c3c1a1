#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: covdata_merge
short_description: Merge, intersect or subtract Go coverage data
version_added: 0.1.0
description:
  - Reads the C(covmeta) and C(covcounters) files that instrumented Go programs leave in C(GOCOVERDIR), and writes one
    folder of them that C(go tool covdata) reads, with the meaning of its C(merge), C(intersect) and C(subtract).
  - Needs no Go.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - numpy
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Of the names of the files; the names tell the data of the programs, and the time of the last process run.
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.covdata
options:
  output:
    description:
      - Folder for the result; made where it is not there. It has to be new, empty, or one that this module wrote. It is
        written beside and moved into place whole.
      - Beside the data, a file C(covdata.json) has their checksums, by which the folder is known as our own again.
    type: path
    required: true
  operation:
    description:
      - With V(merge) the counters of all inputs are added up.
      - With V(intersect) those counters of the first input stay that ran in all other inputs too.
      - With V(subtract) those counters of the first input stay that ran in no other input.
      - For V(intersect) and V(subtract) each element of O(inputs) is one input, of as many files as it may be.
    type: str
    choices: [merge, intersect, subtract]
    default: merge
  combine:
    description:
      - Make one program of all, as C(-pcombine) does, by import path and function. Otherwise each program stays by
        itself, and only data of the same one are compared.
    type: bool
    default: false
  packages:
    description: Package patterns with Go's meaning; only packages that match one are written. Without any, all are.
    type: list
    elements: str
    default: []
notes:
  - The same data and options give the same bytes, so a second run changes nothing.
  - Text profiles cannot be made into C(covmeta) and C(covcounters); M(kubernaut.coverage.covdata_report) joins them.
seealso:
  - module: kubernaut.coverage.covdata_info
  - module: kubernaut.coverage.covdata_report
"""

EXAMPLES = r"""
- name: Merge what all runs of today covered
  kubernaut.coverage.covdata_merge:
    inputs:
      - ~/coverage-results/httpbin/20261123-*/coverdata
    output: ~/coverage-results/httpbin/today

- name: Find what only the end-to-end tests reach
  kubernaut.coverage.covdata_merge:
    inputs:
      - ~/data/e2e
      - ~/data/integration
    output: ~/data/only-e2e
    operation: subtract
    combine: true
    packages:
      - example.com/app/...
"""

RETURN = r"""
percent:
  description: Percentage of statements that are covered in the result; null if it is withheld.
  returned: success
  type: float
  sample: 63.2419
covered:
  description: How many statements are covered in the result.
  returned: success
  type: int
statements:
  description: How many there are.
  returned: success
  type: int
withheld:
  description: Why no percentage is given; empty if one is.
  returned: success
  type: str
programs:
  description:
    - The programs of the result, each with C(hash), C(main), C(mode), C(packages) (how many) and C(process_runs).
  returned: success
  type: list
  elements: dict
files:
  description: Paths of the files of the result.
  returned: success
  type: list
  elements: str
problems:
  description:
    - What was found wrong, each with C(kind), C(severity) (V(error), V(warning) or V(note)), C(sentence), C(file),
      C(component) and C(remedy).
  returned: success
  type: list
  elements: dict
verdict:
  description: Cause, evidence, remedy and setting.
  returned: failure
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.libraries import missing_libraries
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.arguments import INPUTS, READING
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading, printable
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.merging import OPERATIONS, Request, merge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **INPUTS,
            "output": {"type": "path", "required": True},
            "operation": {"type": "str", "choices": list(OPERATIONS), "default": "merge"},
            "combine": {"type": "bool", "default": False},
            "packages": {"type": "list", "elements": "str", "default": []},
            **READING,
        },
        supports_check_mode=True,
    )
    for name, trace in missing_libraries("numpy").items():
        module.fail_json(msg=missing_required_lib(name), exception=trace)
    reading = Reading(**{name: module.params.pop(name) for name in READING})
    try:
        made = merge(Request(reading=reading, check=module.check_mode, **module.params))
    except CoverageError as error:
        module.fail_json(**printable(error.result("covdata_merge")))
    names = ("changed", "percent", "covered", "statements", "withheld", "programs", "files", "problems")
    result = {name: getattr(made, name) for name in names}
    if module._diff:
        after = sorted([*map(os.path.basename, made.files), "covdata.json"])
        result["diff"] = {
            "before": "".join(f"{name}\n" for name in made.before),
            "after": "".join(f"{name}\n" for name in after),
            "before_header": module.params["output"],
            "after_header": module.params["output"],
        }
    module.exit_json(**printable(result))


if __name__ == "__main__":
    main()
