#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coverage_report
short_description: Merge Go coverage data and write reports
version_added: 0.1.0
description:
  - Reads the C(covmeta) and C(covcounters) files that instrumented Go programs leave in C(GOCOVERDIR), merges the
    counters of all process runs of each component, and writes the reports of one run into one folder. Needs no Go.
  - The text profile, and the numbers by function and package, are those of C(go tool covdata).
  - Data that are damaged, duplicate, left over or foreign are set aside and listed; valid data are kept. A percentage
    that cannot be trusted is withheld with its reason, and RV(percent) is then null; see RV(problems).
  - A percentage below its threshold does not fail this module; see RV(threshold_passed).
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - numpy
  - Jinja2
extends_documentation_fragment:
  - kubernaut.coverage.attributes
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Of the file C(summary.md) only.
options:
  input:
    description:
      - Folder with the data, in C(<component>/<pod>/). It, or its folder C(coverdata) if there is one, is searched
        recursively. Files directly in it belong to the component O(service).
      - Data of different components are never mixed; each has its own total.
    type: path
    required: true
  output:
    description: Folder for the run's results; created if it does not exist.
    type: path
    required: true
  service:
    description:
      - Name of the service. Totals, thresholds and package patterns apply to the component of that name; if there is
        none, to the first component by name.
    type: str
    required: true
  run_id:
    description: Id of the run, shown in the reports and used as the key of its line in O(history).
    type: str
    default: ""
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
  thresholds:
    description: Minimum percentages.
    type: dict
    suboptions:
      total:
        description: For all statements of the service.
        type: float
      packages:
        description:
          - For packages; keys are Go package patterns, values are percentages. Each package that matches a pattern has
            to reach its percentage; if several match, the most specific one applies.
          - A pattern that matches no package is a shortfall.
        type: dict
        default: {}
  process_runs:
    description:
      - The process runs, shown in the reports. Keys of an entry are V(component), V(pod), V(container), V(process_runs)
        (number of process runs), V(counters) (number whose counters were collected), V(exit_codes) and V(reason).
    type: list
    elements: dict
    default: []
  records:
    description:
      - Files in which M(kubernaut.coverage.coverage_extraction) saved process runs (its option O(ignore:record)); they
        are added to O(process_runs). Missing files are ignored.
    type: list
    elements: path
    default: []
  stages:
    description: Seconds by stage of the run, shown in the reports.
    type: dict
    default: {}
  policy:
    description:
      - What to do with data that are damaged, foreign, old, duplicate or incompatible. They never count, and they never
        prevent valid data from counting.
      - With V(warn) they are listed in RV(problems) and left in place, and a percentage that cannot be trusted is
        withheld. With V(quarantine) files that do not count are also moved to the folder C(quarantine/<component>) of
        O(output), with a record of their origin and the reason. With V(fail) the first problem that affects data or
        trust fails the task, with the others as evidence, and nothing is written.
    type: str
    choices: [fail, quarantine, warn]
    default: warn
  not_before:
    description:
      - Seconds since the epoch; counters written before that time are from an earlier run and do not count.
    type: float
    default: 0.0
  expected:
    description:
      - Go package patterns. A program is foreign if neither a main package nor the module matches one of them, and does
        not count.
    type: list
    elements: str
    default: []
  snapshots:
    description:
      - How to combine several counter files of one process. With V(sum) they are added up. With V(last) only the last
        one counts, because each contains all that was counted so far. V(auto) decides by the files and O(process_runs).
    type: str
    choices: [auto, sum, last]
    default: auto
  text_profiles:
    description:
      - Text profiles of other tests of the same sources, shown next to the end-to-end tests and combined with them; see
        RV(tiers). The total, its thresholds and all other files are still those of the end-to-end tests.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the tier, such as V(unit); V(e2e) and V(all) are reserved.
        type: str
        required: true
      path:
        description: The profile, as written by C(go test -coverprofile).
        type: path
        required: true
  history:
    description: >-
      File to which one line of JSON is appended for each run; a run that is reported again keeps its single line.
    type: path
  latest:
    description: Relative symbolic link to O(output).
    type: path
notes:
  - The same data and options give the same bytes, so a second run changes nothing.
  - Merged data of all packages are written to the folder C(merged), in the format of C(go tool covdata).
"""

EXAMPLES = r"""
- name: Report the coverage of httpbin
  kubernaut.coverage.coverage_report:
    input: ~/coverage-results/httpbin/20261123-154210-123
    output: ~/coverage-results/httpbin/20261123-154210-123
    service: httpbin
    run_id: 20261123-154210-123
    sources:
      github.com/mccutchen/go-httpbin/v2: ~/src/go-httpbin
    exclude:
      - github.com/mccutchen/go-httpbin/v2/cmd/...
    thresholds:
      total: 60
      packages:
        github.com/mccutchen/go-httpbin/v2/httpbin: 70
    history: ~/coverage-results/httpbin/history.jsonl
    latest: ~/coverage-results/httpbin/latest
  register: report

- name: Show the numbers
  ansible.builtin.debug:
    msg: "{{ report.lines }}"
"""

RETURN = r"""
percent:
  description: Percentage of statements of the service's component; null if it is withheld.
  returned: success
  type: float
  sample: 63.2419
statements:
  description: Number of statements of that component.
  returned: success
  type: int
covered:
  description: Number of statements that ran.
  returned: success
  type: int
withheld:
  description: Why the percentage is withheld; empty if it is not.
  returned: success
  type: str
packages:
  description: The packages of that component, with C(path), C(percent), C(statements), C(covered), C(functions).
  returned: success
  type: list
  elements: dict
components:
  description: Each component with its totals, counter mode, pods, programs, process runs and packages.
  returned: success
  type: list
  elements: dict
tiers:
  description:
    - With O(text_profiles), V(e2e), each profile, and V(all) combined, each with C(name), C(path), C(mode), C(covered),
      C(statements), C(percent) and C(packages), the percentage by package. All refer to the same statements, those of
      V(all).
  returned: success
  type: list
  elements: dict
files:
  description: Path of each existing file, by its name in the results folder.
  returned: success
  type: dict
  sample:
    summary.json: /home/me/coverage-results/httpbin/20261123-154210-123/summary.json
problems:
  description:
    - Problems that were found, each with C(kind), C(severity) (V(error), V(warning) or V(note)), C(sentence), C(file),
      C(component) and C(remedy).
  returned: success
  type: list
  elements: dict
threshold_passed:
  description: Whether all thresholds were reached; also false if a threshold is set and the percentage is withheld.
  returned: success
  type: bool
shortfalls:
  description: Each threshold that was missed, with C(scope), C(threshold), C(percent) and C(sentence).
  returned: success
  type: list
  elements: dict
lines:
  description: The report in plain text, line by line.
  returned: success
  type: list
  elements: str
verdict:
  description: Cause, evidence, remedy and setting.
  returned: failure
  type: dict
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.libraries import missing_libraries
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.arguments import READING
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import printable
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import recorded
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.build import Options, make_report

# no error in check mode: the earlier roles only predicted what they would do
NOT_YET = ("input-missing", "no-coverage-data")


def nothing_yet(why: str) -> dict:
    """Return the result of check mode if there are no data yet."""
    lists: dict = {name: [] for name in ("packages", "components", "problems", "shortfalls", "tiers")}
    numbers = {"percent": None, "statements": 0, "covered": 0, "withheld": why, "threshold_passed": True}
    return {**lists, **numbers, "files": {}, "lines": [why]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "input": {"type": "path", "required": True},
            "output": {"type": "path", "required": True},
            "service": {"type": "str", "required": True},
            "run_id": {"type": "str", "default": ""},
            "sources": {"type": "dict", "default": {}},
            "paths": {"type": "dict", "default": {}},
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "thresholds": {
                "type": "dict",
                "options": {"total": {"type": "float"}, "packages": {"type": "dict", "default": {}}},
            },
            "process_runs": {"type": "list", "elements": "dict", "default": []},
            "records": {"type": "list", "elements": "path", "default": []},
            "stages": {"type": "dict", "default": {}},
            **READING,
            "policy": {**READING["policy"], "choices": ["fail", "quarantine", "warn"]},
            "text_profiles": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "path": {"type": "path", "required": True}},
            },
            "history": {"type": "path"},
            "latest": {"type": "path"},
        },
        supports_check_mode=True,
    )
    for name, trace in missing_libraries("numpy", "jinja2").items():
        module.fail_json(msg=missing_required_lib(name), exception=trace)
    records = module.params.pop("records")
    options = Options(check=module.check_mode, **module.params)
    try:
        options.process_runs = [
            *options.process_runs,
            *(asdict(process_run) for record in records for process_run in recorded(record)),
        ]
        report = make_report(options)
    except CoverageError as error:
        if module.check_mode and error.cause in NOT_YET:
            module.exit_json(changed=True, **nothing_yet(error.message))
        module.fail_json(**printable(error.result("coverage_report")))
    kept = ("percent", "statements", "covered", "withheld", "packages", "components", "problems", "tiers")
    result = {key: report.summary[key] for key in (*kept, "threshold_passed", "shortfalls")}
    result.update(changed=report.changed, files=report.files, lines=report.lines)
    if module._diff:
        header = "summary.md"
        result["diff"] = {
            "before": report.before,
            "after": report.after,
            "before_header": header,
            "after_header": header,
        }
    module.exit_json(**printable(result))


if __name__ == "__main__":
    main()
