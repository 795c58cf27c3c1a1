#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: covdata_info
short_description: Say what Go coverage data there are
version_added: 0.1.0
description:
  - Reads the C(covmeta) and C(covcounters) files that instrumented Go programs leave in C(GOCOVERDIR), and text
    profiles, and says what they are; which programs and packages, which counter mode, of how many process runs, and
    what is wrong with them.
  - Holds the contents of each C(covmeta) against its hashes, which finds changed bits that nothing else shows. The
    other modules do so up to 65,536 blocks; it takes about 0.1 s for each megabyte of a C(covmeta).
  - Needs no Go. Changes nothing.
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
    support: N/A
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.covdata
seealso:
  - module: kubernaut.coverage.covdata_merge
  - module: kubernaut.coverage.covdata_report
"""

EXAMPLES = r"""
- name: See what came home
  kubernaut.coverage.covdata_info:
    inputs:
      - ~/coverage-results/httpbin/latest/coverdata
  register: found

- name: Stop where two builds are mixed
  ansible.builtin.assert:
    that: "'two-builds' not in found.problems | map(attribute='kind')"
"""

RETURN = r"""
programs:
  description: The programs, one for each covmeta.
  returned: success
  type: list
  elements: dict
  contains:
    hash:
      description: Hash of the covmeta, in the names of its files.
      type: str
    main:
      description: Import paths of its main packages, where they are instrumented.
      type: list
      elements: str
    modules:
      description: The Go modules that its packages are of.
      type: list
      elements: str
    mode:
      description: Counter mode, V(set), V(count) or V(atomic).
      type: str
    granularity:
      description: V(perblock) or V(perfunc).
      type: str
    packages:
      description: Import paths of the instrumented packages.
      type: list
      elements: str
    files:
      description: How many source files they have.
      type: int
    functions:
      description: How many functions, function literals included.
      type: int
    blocks:
      description: How many blocks, each with a counter of its own.
      type: int
    statements:
      description: How many statements.
      type: int
    covered:
      description: How many statements ran in at least one process run.
      type: int
    percent:
      description: The same as a percentage; null without counters.
      type: float
    process_runs:
      description: Of how many process runs (executions) there are counters.
      type: int
    last_written:
      description: When the last of them were written, in seconds since the epoch.
      type: float
    arguments:
      description:
        - What all process runs have in common of command line (C(argc), C(argv0) and so on), C(GOOS) and C(GOARCH).
      type: dict
    covmeta:
      description: Path of the covmeta.
      type: str
text_profiles:
  description:
    - The text profiles, each with C(path), C(mode), C(files), C(blocks), C(statements), C(covered) and C(percent).
  returned: success
  type: list
  elements: dict
mode:
  description: Counter mode of all programs together.
  returned: success
  type: str
granularity:
  description: Granularity of all programs together.
  returned: success
  type: str
process_runs:
  description: Of how many process runs there are counters, in all.
  returned: success
  type: int
withheld:
  description: Why no percentage can be given of all together; empty if one can.
  returned: success
  type: str
folders:
  description: How many files in good order each folder holds, as C(covmeta) and C(covcounters).
  returned: success
  type: list
  elements: dict
problems:
  description:
    - What was found wrong, each with C(kind), C(severity) (V(error), V(warning) or V(note)), C(sentence), C(file),
      C(component) and C(remedy).
  returned: success
  type: list
  elements: dict
lines:
  description: The same in plain text, line by line.
  returned: success
  type: list
  elements: str
verdict:
  description: Cause, evidence, remedy and setting.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.libraries import missing_libraries
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.arguments import INPUTS, READING
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import (
    Reading,
    describe,
    describe_lines,
    load,
    printable,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={**INPUTS, **READING},
        supports_check_mode=True,
    )
    for name, trace in missing_libraries("numpy").items():
        module.fail_json(msg=missing_required_lib(name), exception=trace)
    inputs = module.params.pop("inputs")
    try:
        described = describe(load(inputs, Reading(**module.params), verify=True))
    except CoverageError as error:
        module.fail_json(**printable(error.result("covdata_info")))
    module.exit_json(**printable({"changed": False, "lines": describe_lines(described), **described}))


if __name__ == "__main__":
    main()
