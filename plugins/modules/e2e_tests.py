#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: e2e_tests
short_description: Run the end-to-end tests of a service
version_added: 0.1.0
description:
  - Runs any command with a time limit. Its output is written to a log as it arrives, and its last line is shown as
    progress.
  - C(--junit-report) is added to a Ginkgo command and C(-json) to C(go test), unless already set, so that tests are
    counted and named. For other commands, O(junit) names the JUnit files that they write.
  - If tests are counted and none was run, that is a failure too.
  - With O(job) the command runs as a Job in the cluster. Its log is followed, its files are collected, and the Job is
    deleted. If it cannot be started, the task fails with the cause, and the Job is kept until the next run.
  - A failing test does not fail the task, because the counters have to be collected first. See RV(passed).
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernetes.core.k8s_auth_options
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: partial
    details:
      - Only checks that the command can be started. With O(job) nothing is checked, because the service may not exist
        yet.
  diff_mode:
    support: none
options:
  command:
    description: Program and arguments.
    type: list
    elements: str
    required: true
  dir:
    description: Working directory; with O(job), a folder in the image, by default the image's own.
    type: path
    default: ""
  environment:
    description:
      - Environment variables, added to those of the host, or with O(job) to those of the image.
      - If O(kubeconfig) is a path, E(KUBECONFIG) is set to it. Its current context is used, regardless of O(context).
    type: dict
    default: {}
  timeout:
    description: Seconds after which the tests, and all processes that they started, are killed.
    type: int
    default: 900
  junit:
    description:
      - JUnit files that the command writes, relative to O(dir); glob patterns such as V(reports/*.xml) are allowed.
      - With O(job) they are relative to the folder in E(E2E_RESULTS). In the command, that variable is written as
        C($(E2E_RESULTS)).
      - Files that existed before and are not written again do not count.
    type: str
    default: ""
  job:
    description: Run the command as a Job in O(namespace).
    type: dict
    suboptions:
      image:
        description: Reference of the image on the nodes.
        type: str
        required: true
      service_account:
        description: ServiceAccount of the pod; by default that of the namespace.
        type: str
        default: ""
      nodes:
        description: Names of the node containers from which results are fetched. Required for O(junit).
        type: list
        elements: str
        default: []
      podman:
        description: Name or path of podman.
        type: str
        default: podman
  namespace:
    description: Namespace of the O(job), and of the targets of O(port_forward) that have no namespace of their own.
    type: str
    default: ""
  port_forward:
    description:
      - Ports of this host that are forwarded to Services or pods of the cluster while the tests run.
      - They continue to work when pods are replaced, because each connection goes to a pod that is ready at that time.
    type: list
    elements: dict
    default: []
    suboptions:
      target:
        description: V(service/NAME) or V(pod/NAME).
        type: str
        required: true
      port:
        description: Number or name of the port.
        type: str
        required: true
      variable:
        description: Environment variable with the address, for the tests; it replaces one in O(environment).
        type: str
        required: true
      namespace:
        description: Namespace of the target.
        type: str
        default: ""
      local_port:
        description: Port on this host; V(0) selects a free one.
        type: int
        default: 0
      scheme:
        description: URL scheme of the address, for example V(http). If empty, the address is V(127.0.0.1:PORT).
        type: str
        default: http
      path:
        description: Text after the address, for example V(/metrics).
        type: str
        default: ""
  results:
    description: >-
      Folder for the log C(e2e-tests.log), the outcome C(e2e-tests.json), the report C(e2e-tests-junit.xml), and
      C(e2e-results) with all files that a O(job) wrote.
    type: path
    required: true
seealso:
  - module: kubernaut.coverage.e2e_tests_outcome
"""

EXAMPLES = r"""
- name: Run the tests
  kubernaut.coverage.e2e_tests:
    command: [go, test, -count=1, -v, ./...]
    dir: ~/src/httpbin/test/e2e
    environment:
      E2E_BASE_URL: http://127.0.0.1:38080
    results: ~/coverage-results/httpbin/20261123-154210-123

- name: Run a Ginkgo suite against a Service that has no port on this host
  kubernaut.coverage.e2e_tests:
    command: [go, tool, ginkgo, --procs=4, --label-filter=e2e, ./test/e2e/datastorage]
    dir: ~/src/kubernaut
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/datastorage-e2e/kubeconfig
    namespace: datastorage-e2e
    port_forward:
      - target: service/datastorage
        port: http
        variable: E2E_BASE_URL
    results: ~/coverage-results/datastorage/20261123-154210-123

- name: Run a compiled Ginkgo suite as a Job
  kubernaut.coverage.e2e_tests:
    command: [/e2e.test, -ginkgo.v, "-ginkgo.junit-report=$(E2E_RESULTS)/junit.xml"]
    junit: junit.xml
    environment:
      E2E_BASE_URL: http://datastorage:8080
    job:
      image: localhost/datastorage-e2e:dev
      nodes: [datastorage-e2e-control-plane, datastorage-e2e-worker]
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/datastorage-e2e/kubeconfig
    namespace: datastorage-e2e
    results: ~/coverage-results/datastorage/20261123-154210-123
"""

RETURN = r"""
passed:
  description: Whether the command exited with 0 and, if tests are counted, some were run and none failed.
  returned: success
  type: bool
returncode:
  description: Exit code; negative if a signal ended the command, none if the time limit did or the Job's pod was lost.
  returned: success
  type: int
seconds:
  description: How long the tests ran.
  returned: success
  type: float
log:
  description: Path of the log.
  returned: success
  type: str
counts:
  description: Numbers of tests. None if the command does not report them.
  returned: success
  type: dict
  contains:
    total:
      description: All known tests.
      type: int
    passed:
      description: Tests that passed.
      type: int
    failed:
      description: Tests that failed.
      type: int
    skipped:
      description: Tests that were skipped.
      type: int
failed_tests:
  description: Names of tests that failed.
  returned: success
  type: list
  elements: str
skipped_tests:
  description: Names of tests that were skipped.
  returned: success
  type: list
  elements: str
junit:
  description: JUnit files of this run.
  returned: success
  type: list
  elements: str
cause:
  description: >-
    V(tests-failed), V(tests-timeout), V(tests-lost), V(no-tests-run), V(tests-report-missing) or
    V(tests-report-unreadable); empty if the tests passed.
  returned: success
  type: str
sentence:
  description: One sentence, with the names of tests that failed.
  returned: success
  type: str
last_lines:
  description: The last lines of their output.
  returned: success
  type: list
  elements: str
"""

import contextlib
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.job import InJob
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import OnHost, Place, run_tests
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access, access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.port_forward import (
    PortForward,
    parse_target,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            "command": {"type": "list", "elements": "str", "required": True},
            "dir": {"type": "path", "default": ""},
            "environment": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 900},
            "junit": {"type": "str", "default": ""},
            "job": {
                "type": "dict",
                "options": {
                    "image": {"type": "str", "required": True},
                    "service_account": {"type": "str", "default": ""},
                    "nodes": {"type": "list", "elements": "str", "default": []},
                    "podman": {"type": "str", "default": "podman"},
                },
            },
            "namespace": {"type": "str", "default": ""},
            "port_forward": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "target": {"type": "str", "required": True},
                    "port": {"type": "str", "required": True},
                    "variable": {"type": "str", "required": True},
                    "namespace": {"type": "str", "default": ""},
                    "local_port": {"type": "int", "default": 0},
                    "scheme": {"type": "str", "default": "http"},
                    "path": {"type": "str", "default": ""},
                },
            },
            "results": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options, access = module.params, access_of(module)
    environment = {str(key): str(value) for key, value in options["environment"].items()}
    try:
        if options["job"] and options["port_forward"]:
            raise InputError(
                "port_forward opens ports on this host, which a Job in the cluster cannot reach.",
                remedy="Pass the Job the address of the Service, http://NAME:PORT.",
                setting="e2e_tests_port_forward",
            )
        targets = [parse_target(entry, options["namespace"]) for entry in options["port_forward"]]
        if module.check_mode:
            if not options["job"]:
                _on_host(options, access, environment).check(options["command"])
            module.exit_json(changed=False, skipped=True, passed=True)
        make_place = _in_job if options["job"] else _on_host
        place: Place = make_place(options, access, environment)
        place.check(options["command"])
        with contextlib.ExitStack() as open_ones:
            addresses = {}
            for target in targets:
                forward = PortForward(access, target)
                open_ones.callback(forward.close)
                addresses[target.variable] = forward.address
            if addresses:
                place = _on_host(options, access, {**environment, **addresses})
            outcome = run_tests(
                options["command"],
                place,
                timeout=options["timeout"],
                results=options["results"],
                junit=options["junit"],
            )
    except CoverageError as error:
        module.fail_json(**error.result("e2e_tests"))
    # the log is expected of every run; nothing else on this host is changed
    module.exit_json(changed=False, **asdict(outcome))


def _on_host(options: dict[str, t.Any], access: Access, environment: dict[str, str]) -> OnHost:
    cluster = {"KUBECONFIG": access.kubeconfig} if access.kubeconfig else {}
    return OnHost(options["dir"], {**cluster, **environment})


def _in_job(options: dict[str, t.Any], access: Access, environment: dict[str, str]) -> InJob:
    return InJob(
        Cluster(access),
        Podman(options["job"]["podman"]),
        namespace=options["namespace"],
        image=options["job"]["image"],
        environment=environment,
        results=options["results"],
        directory=options["dir"],
        service_account=options["job"]["service_account"],
        nodes=tuple(options["job"]["nodes"]),
    )


if __name__ == "__main__":
    main()
