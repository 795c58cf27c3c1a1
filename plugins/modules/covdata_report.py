#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: covdata_report
short_description: Report Go coverage data and text profiles in any format
version_added: 0.1.0
description:
  - Reads the C(covmeta) and C(covcounters) files that instrumented Go programs leave in C(GOCOVERDIR), and text
    profiles, joins them, and writes them in the requested formats. Needs no Go.
  - The text profile, C(func), C(percent) and C(pkglist) are identical to those of C(go tool covdata). Text profiles are
    joined by file and range, like C(golang.org/x/tools/cover), so unit and integration tests can be combined with
    end-to-end tests.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - numpy
  - Jinja2
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Only for the formats V(percent), V(pkglist) and V(markdown).
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.covdata
options:
  outputs:
    description:
      - The files to write. Keys are formats, values are absolute paths; existing files are replaced.
      - V(profile) is Go's text profile; V(func), V(percent) and V(pkglist) are the output of C(go tool covdata).
      - V(html) is one self-contained page; V(cobertura) and V(lcov) are line formats for CI systems and editors.
      - V(json) is the machine-readable summary, with the keys of C(summary.json); V(markdown) is the readable one.
      - By default nothing is written and the numbers are only returned.
    type: dict
    default: {}
  name:
    description: Title of the page and the summaries.
    type: str
    default: coverage
  include:
    description: Go package patterns (C(example.com/app/...)); only matching packages are reported.
    type: list
    elements: str
    default: []
  exclude:
    description: Go package patterns; matching packages are not reported.
    type: list
    elements: str
    default: []
  sources:
    description:
      - Folders with the sources to show on the page. Keys are prefixes of import paths, usually modules, values are
        folders; the longest prefix wins. A missing source is noted on the page and does not cause an error.
    type: dict
    default: {}
  paths:
    description:
      - Names of files in Cobertura, LCOV and on the page, if the checkout does not determine them. Keys are prefixes of
        the names in the data (a module, an import path, the folder of the build), values folders in the repository,
        relative to its root (V(services/app)); a dot is the root itself. The longest prefix wins.
      - By default, names are relative to the root of the repository of O(sources), which is the nearest parent folder
        with C(.git), or else C(go.work), or else the folder of the module. Workspace, replaced and vendored modules and
        main packages that were built from files are found there. Without any source folder, names are relative to the
        module of the main package.
    type: dict
    default: {}
notes:
  - The same data and options give the same bytes, so a second run changes nothing.
  - A package pattern that matches no package is an error that names the closest match.
  - A text profile contains no functions, so blocks that occur only in it belong to none. A text profile of different
    sources would count statements twice and is set aside; see O(policy).
seealso:
  - module: kubernaut.coverage.covdata_info
  - module: kubernaut.coverage.covdata_merge
  - module: kubernaut.coverage.coverage_report
"""

EXAMPLES = r"""
- name: Join unit and end-to-end coverage
  kubernaut.coverage.covdata_report:
    inputs:
      - ~/coverage-results/httpbin/latest/coverdata
      - ~/src/go-httpbin/unit.txt
    name: httpbin
    outputs:
      html: /tmp/coverage.html
      profile: /tmp/coverage.txt
    sources:
      github.com/mccutchen/go-httpbin/v2: ~/src/go-httpbin
  register: report

- name: Show the numbers
  ansible.builtin.debug:
    msg: "{{ report.lines }}"
"""

RETURN = r"""
percent:
  description: Percentage of statements.
  returned: success
  type: float
  sample: 63.2419
statements:
  description: Number of statements.
  returned: success
  type: int
covered:
  description: Number of statements that ran.
  returned: success
  type: int
mode:
  description: Common counter mode.
  returned: success
  type: str
process_runs:
  description: Number of process runs (executions) with counters.
  returned: success
  type: int
packages:
  description: The packages, with C(path), C(percent), C(statements), C(covered), C(functions), C(functions_covered).
  returned: success
  type: list
  elements: dict
files:
  description: Path of each requested file, by its format.
  returned: success
  type: dict
problems:
  description:
    - Problems that were found, each with C(kind), C(severity) (V(error), V(warning) or V(note)), C(sentence), C(file),
      C(component) and C(remedy).
  returned: success
  type: list
  elements: dict
lines:
  description: The numbers as text lines.
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
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading, printable
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Request, convert


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **INPUTS,
            "outputs": {"type": "dict", "default": {}},
            "name": {"type": "str", "default": "coverage"},
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "sources": {"type": "dict", "default": {}},
            "paths": {"type": "dict", "default": {}},
            **READING,
        },
        supports_check_mode=True,
    )
    for name, trace in missing_libraries("numpy", "jinja2").items():
        module.fail_json(msg=missing_required_lib(name), exception=trace)
    reading = Reading(**{name: module.params.pop(name) for name in READING})
    try:
        made = convert(Request(reading=reading, check=module.check_mode, **module.params))
    except CoverageError as error:
        module.fail_json(**printable(error.result("covdata_report")))
    component = made.summary["components"][0]
    result = {name: made.summary[name] for name in ("percent", "statements", "covered", "packages", "problems")}
    result.update(changed=made.changed, mode=component["mode"], process_runs=component["process_runs"])
    result.update(files=made.files, lines=made.lines)
    if module._diff:
        result["diff"] = [
            {"before": before, "after": after, "before_header": path, "after_header": path}
            for path, before, after in made.differences
        ]
    module.exit_json(**printable(result))


if __name__ == "__main__":
    main()
