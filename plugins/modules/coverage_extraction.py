#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coverage_extraction
short_description: Collect the counters of a workload
version_added: 0.1.0
description:
  - Stops the workload gracefully, waits until its programs have exited, copies the files of every pod from every node,
    compares them with the process runs, and restores the workload.
  - If counters are missing, it says why. It fails only if none were collected at all; if some are missing, it warns and
    returns RV(verdict).
  - A Deployment, StatefulSet or ReplicaSet is scaled to zero temporarily, a DaemonSet gets a node selector that matches
    no node, a Pod is deleted and created again. Jobs, including those of a CronJob, may finish until the timeout and
    are then suspended; for a finished Job, the counters are only copied.
  - Files on the nodes that are older than this run's workload belong to another run. They are moved to C(set-aside) in
    the run's folder and do not count.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - kubernetes (Python library)
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernetes.core.k8s_auth_options
  - kubernaut.coverage.workload
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  container:
    description: Name of the instrumented container.
    type: str
    required: true
  component:
    description: Name of the component.
    type: str
    required: true
  nodes:
    description: Names of the node containers to copy from. Nodes on which pods ran are searched too.
    type: list
    elements: str
    required: true
  volume_directory:
    description: Folder on the nodes that contains one folder for each pod.
    type: str
    required: true
  destination:
    description: Folder to copy the counters to, one folder for each pod.
    type: path
    required: true
  record:
    description: File to save the process runs in, with the counters collected from each.
    type: path
    required: true
  pods:
    description:
      - The pods that M(kubernaut.coverage.readiness_gate) reported as ready.
      - Pods that have been deleted since are counted too. If O(record) already contains all of them, nothing is done.
    type: list
    elements: dict
    default: []
  timeout:
    description: >-
      Seconds that a pod may take to end, in addition to its grace period; also the seconds that a Job may take to
      finish before it is suspended.
    type: int
    default: 15
  evidence:
    description:
      - Folder for C(ending.json), the observation that the rules evaluated, written if counters are missing or were set
        aside.
      - If not set, it is not written.
    type: path
"""

EXAMPLES = r"""
- name: Collect the counters of httpbin
  kubernaut.coverage.coverage_extraction:
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig
    namespace: httpbin-e2e
    name: httpbin
    container: httpbin
    component: httpbin
    nodes: [httpbin-e2e-control-plane]
    volume_directory: /coverdata/20261123-154210-123/httpbin
    destination: ~/coverage-results/httpbin/20261123-154210-123/coverdata/httpbin
    record: ~/coverage-results/httpbin/20261123-154210-123/processes-httpbin.json
"""

RETURN = r"""
process_runs:
  description:
    - For each pod, how often its program was started, how it ended, and the counters that were collected.
    - If process runs are lost, C(cause) and C(why) describe the last of them.
  returned: success
  type: list
  elements: dict
lost:
  description: Number of process runs whose counters are missing.
  returned: success
  type: int
verdict:
  description:
    - Why counters are missing or were set aside. C(also) lists other findings, each with C(cause) and C(sentence).
    - Empty if nothing is missing, if there was nothing to do, and in check mode.
  returned: always
  type: dict
  sample:
    cause: no-sigterm-handler
    sentence: "The program in pod httpbin-6d4f has no handler for SIGTERM: it ended without returning from main."
    evidence: ["exit code 2 (Error), 12 s after its start"]
    remedy: Handle SIGTERM (signal.NotifyContext) and let main return.
    setting: ""
    also: []
set_aside:
  description: Files, as C(POD/NAME), that are older than this run's workload.
  returned: success
  type: list
  elements: str
seconds:
  description: How long each step took.
  returned: success
  type: dict
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import (
    AUTH,
    OBSERVED,
    PODMAN,
    WORKLOAD,
    required,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import (
    Extracted,
    Source,
    extract,
    recorded,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            **WORKLOAD,
            **PODMAN,
            "container": required(OBSERVED["container"]),
            "component": {"type": "str", "required": True},
            "nodes": required(OBSERVED["nodes"]),
            "volume_directory": required(OBSERVED["volume_directory"]),
            "destination": {"type": "path", "required": True},
            "record": {"type": "path", "required": True},
            "pods": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "int", "default": 15},
            "evidence": {"type": "path"},
        },
        supports_check_mode=True,
    )
    options = module.params
    source = Source(
        kind=options["kind"],
        namespace=options["namespace"],
        name=options["name"],
        container=options["container"],
        component=options["component"],
        nodes=tuple(options["nodes"]),
        volume_directory=options["volume_directory"],
    )
    try:
        outcome = Extracted(recorded(options["record"]))
        known = {(item.pod, uid) for item in outcome.process_runs for uid in (item.uid, "")}
        expected = {(pod["pod"], pod.get("uid", "")) for pod in options["pods"]}
        home = bool(expected) and expected <= known
        if not home and not module.check_mode:
            outcome = extract(
                Cluster(access_of(module)),
                Podman(options["podman"]),
                source,
                options["destination"],
                record=options["record"],
                expected=options["pods"],
                timeout=options["timeout"],
                evidence=options["evidence"] or "",
            )
    except ImportError as error:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(error))
    except CoverageError as error:
        module.fail_json(**error.result("coverage_extraction"))
    lost = sum(item.lost for item in outcome.process_runs)
    verdict = {} if outcome.verdict is None else outcome.verdict.verdict("coverage_extraction")
    if verdict:
        of = f"{lost} of {sum(item.process_runs for item in outcome.process_runs)} process runs lost: " if lost else ""
        module.warn(f"{source.component}: {of}{verdict['sentence']} {verdict['remedy']}")
    module.exit_json(
        changed=not home,
        process_runs=[{**asdict(item), "lost": item.lost} for item in outcome.process_runs],
        lost=lost,
        verdict=verdict,
        set_aside=outcome.set_aside,
        seconds=outcome.seconds,
    )


if __name__ == "__main__":
    main()
