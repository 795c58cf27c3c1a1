#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: e2e_suite
short_description: Run a test suite that creates its own kind cluster, and collect its coverage
version_added: 0.1.0
description:
  - Runs a command that creates a kind cluster, builds images, deploys, tests and deletes the cluster, such as
    C(make test-e2e) of a kubebuilder project. The command, its Containerfiles and its manifests are not changed.
  - Programs in front of E(PATH) see what the command does, for its processes only. C(podman build), C(docker build) and
    C(go build) instrument what they build. C(kind create cluster) uses a node image that is present.
    C(kind load docker-image) works with podman. C(kind delete cluster) collects counters and diagnostics first and is
    refused for clusters that the suite did not create. C(docker) is podman.
  - Counters are read from the memory of the running processes, and a program in front of the nodes' container runtime
    lets each container write them to a folder of its node when it ends. No object of the cluster is changed.
  - Workloads in all namespaces are checked by the rules of the readiness gate from the first second. What will never
    become ready is reported at once.
  - When the command ends, however it ends, clusters that it left are deleted, and so are its processes.
  - A failing suite does not fail the task. Call M(kubernaut.coverage.e2e_suite_outcome) after the report.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - numpy
  - kubernetes (Python library)
  - podman, kind
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
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
    description: Working directory of the command.
    type: path
    required: true
  results:
    description: Folder for the results of this suite; each run has a folder in it.
    type: path
    required: true
  run_id:
    description: Id of the run and name of its folder. If empty, the time.
    type: str
    default: ""
  environment:
    description:
      - Environment variables, added to those of the host.
      - E(KUBECONFIG) is a file of the run, and E(GOCOVERDIR) a folder of the run for programs on this host, unless they
        are set here.
    type: dict
    default: {}
  timeout:
    description: Seconds after which the suite is interrupted.
    type: int
    default: 3600
  grace:
    description: >-
      Seconds that an interrupted suite has to clean up before it gets V(SIGTERM), and then again before V(SIGKILL).
    type: int
    default: 60
  junit:
    description: JUnit files that the command writes, relative to O(dir); as for M(kubernaut.coverage.e2e_tests).
    type: str
    default: ""
  node_image:
    description:
      - Image of the nodes if the suite names none, or one that is not in podman's store.
      - If it is not in podman's store either, C(kind) is left to find one.
    type: str
    default: ""
  images:
    description:
      - "Images of third parties: the name that the suite uses, and the image in podman's store that it gets for it."
      - They are loaded onto the nodes of each new cluster, and can be pulled there.
      - Images that podman's store has under the name that the suite uses can be pulled without being listed.
    type: dict
    default: {}
  on_hopeless:
    description:
      - What to do when a workload will never become ready.
      - V(report) shows the cause and lets the suite wait.
      - V(stop) also interrupts the suite, and the run ends with that cause.
    type: str
    choices: [report, stop]
    default: report
  keep_clusters:
    description: Whether clusters that the suite leaves are kept.
    type: bool
    default: false
  instrument:
    description: Whether builds are instrumented. If the suite has a switch of its own for that, use V(false).
    type: bool
    default: true
  state:
    description: File in which clusters that were left are remembered, so that a later run may delete them.
    type: path
    required: true
seealso:
  - module: kubernaut.coverage.e2e_suite_outcome
  - module: kubernaut.coverage.coverage_snapshot
"""

EXAMPLES = r"""
- name: Run the end-to-end tests of an operator
  kubernaut.coverage.e2e_suite:
    command: [make, test-e2e]
    dir: ~/src/my-operator
    results: ~/coverage-results/my-operator
    node_image: localhost/kindest/node:v1.34.4
    images:
      quay.io/example/redis:7-alpine: localhost/kubernaut-coverage/redis:7
    state: ~/.cache/kubernaut-coverage/suites/my-operator.json
"""

RETURN = r"""
run:
  description: C(id), C(dir) and C(base) of the run.
  returned: always
  type: dict
passed:
  description: Whether the suite passed.
  returned: success
  type: bool
returncode:
  description: Its exit code; null if it did not end by itself.
  returned: success
  type: int
sentence:
  description: Why it did not pass; empty if it did.
  returned: success
  type: str
seconds:
  description: How long it took.
  returned: success
  type: float
log:
  description: File with its output.
  returned: success
  type: str
counts:
  description: Number of tests by result, if the command reports them.
  returned: success
  type: dict
components:
  description:
    - Names of the components that left counters, the largest program first. A component is a workload, for example a
      Deployment, or one of its containers other than the first. V(host) has programs that ran on this host.
  returned: success
  type: list
  elements: str
clusters:
  description: The clusters that the suite created, each with C(name), C(node_image) and C(ended).
  returned: success
  type: list
  elements: dict
images:
  description: >-
    The images that it built or loaded, each with C(reference), C(id), C(instrumented), C(go_version), and C(why) if it
    is not instrumented.
  returned: success
  type: list
  elements: dict
process_runs:
  description: >-
    The process runs of instrumented programs, each with C(component), C(cluster), C(namespace), C(pod), C(uid),
    C(container), C(node), C(exit_code), C(reason) and C(snapshots).
  returned: success
  type: list
  elements: dict
verdicts:
  description: What was found that would never become ready, in the order of time.
  returned: success
  type: list
  elements: dict
notes:
  description: Other remarks.
  returned: success
  type: list
  elements: str
records:
  description: Files with process runs for M(kubernaut.coverage.coverage_report).
  returned: success
  type: list
  elements: str
sources:
  description: Folder of each Go module below O(dir), for M(kubernaut.coverage.coverage_report).
  returned: success
  type: dict
verdict:
  description: Cause, sentence, evidence, remedy and setting.
  returned: failure
  type: dict
"""

import datetime
import signal
import threading
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import make_private_folder
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.libraries import missing_libraries
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.checkout import go_modules_below
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.contract import new_run_id
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import check_command
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import ancestors
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.builds import check_given
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import Request
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.result import PROCESS_RUNS, components, save
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.session import COVERDATA, Session, run_suite

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = "the run was interrupted ({})"
LOOK_FOR_PARENT = 1.0  # seconds


SPECIFICATION: dict[str, t.Any] = {
    "command": {"type": "list", "elements": "str", "required": True},
    "dir": {"type": "path", "required": True},
    "results": {"type": "path", "required": True},
    "run_id": {"type": "str", "default": ""},
    "environment": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 3600},
    "grace": {"type": "int", "default": 60},
    "junit": {"type": "str", "default": ""},
    "node_image": {"type": "str", "default": ""},
    "images": {"type": "dict", "default": {}},
    "on_hopeless": {"type": "str", "choices": ["report", "stop"], "default": "report"},
    "keep_clusters": {"type": "bool", "default": False},
    "instrument": {"type": "bool", "default": True},
    "state": {"type": "path", "required": True},
    "podman": {"type": "str", "default": "podman"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=SPECIFICATION, supports_check_mode=True)
    for name, trace in missing_libraries("numpy", "kubernetes").items():
        module.fail_json(msg=missing_required_lib(name), exception=trace)
    options = module.params
    identity = options["run_id"] or new_run_id(datetime.datetime.now(datetime.UTC))
    base = Path(options["results"]).absolute()
    folder = base / identity
    run = {"id": identity, "dir": str(folder), "base": str(base)}
    request = request_of(options, run["dir"])
    try:
        check_command(request.command, request.directory, request.environment)
        check_given(Podman(request.podman), request.images)
        if module.check_mode:
            module.exit_json(changed=False, skipped=True, passed=True, run=run, components=[])
        make_private_folder(folder)
        outcome = run_suite(request, junit=options["junit"], watch=interrupt_on_signals)
        save(run["dir"], outcome.record, outcome.verdict)
    except CoverageError as error:
        module.fail_json(**error.result("e2e_suite"), run=run)
    module.exit_json(
        changed=True,
        run=run,
        **{**asdict(outcome.tests), **outcome.record.result()},
        components=components(folder / COVERDATA),
        records=[str(folder / PROCESS_RUNS)],
        sources=go_modules_below(Path(options["dir"])),
    )


def request_of(options: t.Mapping[str, t.Any], results: str) -> Request:
    """Return what the suite is run with; C(results): folder of this run."""
    same = ("state", "node_image", "timeout", "grace", "on_hopeless", "keep_clusters", "instrument", "podman")
    return Request(
        command=tuple(options["command"]),
        directory=options["dir"],
        results=results,
        environment={str(key): str(value) for key, value in options["environment"].items()},
        images={str(key): str(value) for key, value in options["images"].items()},
        **{name: options[name] for name in same},
    )


def interrupt_on_signals(session: Session) -> None:
    """Let signals, and the end of the process that waits for this one, interrupt the suite."""

    def interrupted(number: int, _frame: t.Any) -> None:
        session.interrupt(INTERRUPTED.format(signal.Signals(number).name))

    for number in SIGNALS:
        signal.signal(number, interrupted)
    parents = ansible_above()

    def look() -> None:
        over = threading.Event()
        while ansible_above() == parents:
            over.wait(LOOK_FOR_PARENT)
        session.interrupt(INTERRUPTED.format("Ansible has ended"))

    threading.Thread(target=look, daemon=True).start()


def ansible_above() -> list[int]:
    """Return the ids of the processes above this one up to Ansible's first: a worker outlives a killed playbook.

    Where none of them is Ansible's (it runs on another host), only this one's parent.
    """
    found, until = [], 1
    for pid, command in ancestors():
        found.append(pid)
        if b"ansible" in command:
            until = len(found)
    return found[:until]


if __name__ == "__main__":
    main()
