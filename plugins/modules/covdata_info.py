#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: covdata_info
short_description: Describe Go coverage data
version_added: 0.1.0
description:
  - Reads the C(covmeta) and C(covcounters) files that instrumented Go programs leave in C(GOCOVERDIR), and text
    profiles, and returns their programs and packages, counter mode, number of process runs and problems.
  - Compares the contents of each C(covmeta) with its hashes, which detects corruption that is otherwise invisible. The
    other modules do this up to 65,536 blocks; it takes about 0.1 s for each megabyte of a C(covmeta).
  - Needs no Go and changes nothing.
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
- name: Describe the collected data
  kubernaut.coverage.covdata_info:
    inputs:
      - ~/coverage-results/httpbin/latest/coverdata
  register: found

- name: Fail if two builds are mixed
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
      description: Import paths of its main packages, if they are instrumented.
      type: list
      elements: str
    modules:
      description: The Go modules of its packages.
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
      description: Number of source files.
      type: int
    functions:
      description: Number of functions, including function literals.
      type: int
    blocks:
      description: Number of blocks, each with its own counter.
      type: int
    statements:
      description: Number of statements.
      type: int
    covered:
      description: Number of statements that ran in at least one process run.
      type: int
    percent:
      description: The same as a percentage; null without counters.
      type: float
    process_runs:
      description: Number of process runs (executions) with counters.
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
  description: Common counter mode of all programs.
  returned: success
  type: str
granularity:
  description: Common granularity of all programs.
  returned: success
  type: str
process_runs:
  description: Total number of process runs with counters.
  returned: success
  type: int
withheld:
  description: Why the percentage is withheld; empty if it is not.
  returned: success
  type: str
folders:
  description: Number of valid files in each folder, as C(covmeta) and C(covcounters).
  returned: success
  type: list
  elements: dict
problems:
  description:
    - Problems that were found, each with C(kind), C(severity) (V(error), V(warning) or V(note)), C(sentence), C(file),
      C(component) and C(remedy).
  returned: success
  type: list
  elements: dict
lines:
  description: The same as text lines.
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
