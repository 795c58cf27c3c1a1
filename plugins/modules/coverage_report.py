#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coverage_report
short_description: Merge Go coverage data and report them
version_added: 0.1.0
description:
  - Reads the C(covmeta) and C(covcounters) files that instrumented Go programs leave in C(GOCOVERDIR), merges the
    counters of all process runs of each component, and writes the reports of one run into one folder. Needs no Go.
  - The text profile, and the numbers by function and package, are those of C(go tool covdata).
  - What is damaged, doubled, left over or foreign is set aside and said, the good data survive. A percentage that could
    not be trusted is withheld with its reason, RV(percent) is then null; see RV(problems).
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
      - Folder with the data, C(<component>/<pod>/) below it; it, or its folder C(coverdata) where there is one, is
        searched recursively. Files that lie in it directly belong to the component O(service).
      - Data of different components are never mixed; each has a total of its own.
    type: path
    required: true
  output:
    description: Folder of the run's results; made where it is not there.
    type: path
    required: true
  service:
    description:
      - Name of the service. The component of that name is what the totals, thresholds and package patterns are about;
        without one, the first component by name is.
    type: str
    required: true
  run_id:
    description: Id of the run, shown in the reports and the key of its line in O(history).
    type: str
    default: ""
  sources:
    description:
      - Where sources lie, to be shown on the page. Keys are prefixes of import paths, mostly modules, values are
        folders; the longest prefix wins. A source that is not at hand is said on the page and is no error.
    type: dict
    default: {}
  paths:
    description:
      - Names of files in Cobertura, LCOV and on the page, where the checkout does not tell them. Keys are prefixes of
        the names in the data (a module, an import path, the folder of the build), values folders in the repository,
        relative to its root (V(services/app)); a dot is the root itself. The longest prefix wins.
      - Without it, names are those in the repository of O(sources). Its root is the nearest folder above that has
        C(.git), or else C(go.work), or else the folder of the module. Modules of a workspace, replaced and vendored
        ones and main packages that were built as files are found there. Without any source folder the names are
        relative to the module of the main package.
    type: dict
    default: {}
  include:
    description: Package patterns with Go's meaning (C(example.com/app/...)); only packages that match one are reported.
    type: list
    elements: str
    default: []
  exclude:
    description: Package patterns with Go's meaning; packages that match one are not reported.
    type: list
    elements: str
    default: []
  thresholds:
    description: Percentages to hold the exact numbers against.
    type: dict
    suboptions:
      total:
        description: For the total of the service.
        type: float
      packages:
        description:
          - For packages, keys are package patterns with Go's meaning, values percentages. Each package that a pattern
            matches has to reach it; where several match, the most exact holds.
          - A pattern that matches no package is a shortfall.
        type: dict
        default: {}
  process_runs:
    description:
      - What is known of the process runs there were, shown in the reports. Known keys of an entry are V(component),
        V(pod), V(container), V(process_runs) (how many there were), V(counters) (of how many they came home),
        V(exit_codes) and V(reason).
    type: list
    elements: dict
    default: []
  records:
    description:
      - Files that M(kubernaut.coverage.coverage_extraction) kept of process runs, as its option O(ignore:record); they
        add to O(process_runs). One that is not there adds none.
    type: list
    elements: path
    default: []
  stages:
    description: Seconds by stage of the run, shown in the reports.
    type: dict
    default: {}
  policy:
    description:
      - What follows where data are bad, foreign, old, doubled or do not go together. In no case do they count, and in
        no case do they keep good data from counting.
      - With V(warn) they are said in RV(problems) and left where they are, and a percentage that could not be trusted
        is withheld. With V(quarantine) files that do not count are also moved to the folder C(quarantine/<component>)
        of O(output), with a record of where they came from and why. With V(fail) the first that costs data or trust
        fails the task, with the others as evidence, and nothing is written.
    type: str
    choices: [fail, quarantine, warn]
    default: warn
  not_before:
    description:
      - Seconds since the epoch; counters that were written before are those of an earlier run and do not count.
    type: float
    default: 0.0
  expected:
    description:
      - Package patterns with Go's meaning. A program of which neither a main package nor the module matches one of them
        is a foreign one and does not count.
    type: list
    elements: str
    default: []
  snapshots:
    description:
      - What several counter files of one process are. With V(sum) they are added up, with V(last) only the last one
        counts, because each holds all that was counted so far. With V(auto) the files and O(process_runs) tell.
    type: str
    choices: [auto, sum, last]
    default: auto
  text_profiles:
    description:
      - Text profiles of other tests of the same sources, shown beside the end-to-end tests and joined with them; see
        RV(tiers). The total, its thresholds and all other files stay those of the end-to-end tests.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the tier, as V(unit); V(e2e) and V(all) are taken.
        type: str
        required: true
      path:
        description: The profile, as C(go test -coverprofile) writes it.
        type: path
        required: true
  history:
    description: File that gets one line of JSON for each run; a run that is reported again keeps its one line.
    type: path
  latest:
    description: Symbolic link that is made to point at O(output), relatively.
    type: path
notes:
  - The same data and options give the same bytes, so a second run changes nothing.
  - Merged data are written to the folder C(merged) as C(go tool covdata) reads them, all packages included.
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
  description: How many statements that component has.
  returned: success
  type: int
covered:
  description: How many of them ran.
  returned: success
  type: int
withheld:
  description: Why no percentage is given; empty if one is.
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
    - Where there are O(text_profiles), V(e2e), each of them and V(all) together, each with C(name), C(path), C(mode),
      C(covered), C(statements), C(percent) and C(packages), the percentage by package. All are held against the same
      statements, those of V(all).
  returned: success
  type: list
  elements: dict
files:
  description: Path of each file that is there now, by its name in the results folder.
  returned: success
  type: dict
  sample:
    summary.json: /home/me/coverage-results/httpbin/20261123-154210-123/summary.json
problems:
  description:
    - What was found wrong, each with C(kind), C(severity) (V(error), V(warning) or V(note)), C(sentence), C(file),
      C(component) and C(remedy).
  returned: success
  type: list
  elements: dict
threshold_passed:
  description: Whether no threshold was missed; also false if a threshold is set and the percentage is withheld.
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

# what is no error in check mode: the roles before this one only said what they would do
NOT_YET = ("input-missing", "no-coverage-data")


def nothing_yet(why: str) -> dict:
    """Return the result of check mode where there are no data yet."""
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
