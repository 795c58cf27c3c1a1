#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coverage_snapshot
short_description: Read the coverage of running Go programs from their memory
version_added: 0.1.0
description:
  - Reads the coverage counters of Go programs while they run, and writes them as the C(covmeta) and C(covcounters)
    files that C(go tool covdata) reads. The programs need no E(GOCOVERDIR), no volume, no signal handler and no change
    to their source. They are not stopped or restarted; reading costs them no more time than the copy of their counters.
  - Works for every Linux program that was built by C(go build -cover) of Go 1.20 or later, in every counter mode, and
    also without a symbol table (C(-ldflags=-s -w)), as a position-independent executable, with cgo and with C(-race).
  - Finds the programs by a process id, or by the workload or namespace of a kind cluster whose nodes run on this host.
  - Needs permission to read another process's memory, like a debugger; usually this means root.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - numpy
  - kubernetes (Python library), with O(namespace)
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernetes.core.k8s_auth_options
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Reads the processes and returns their numbers; nothing is written to O(output).
  diff_mode:
    support: none
options:
  pid:
    description: Id of a process on this host, as shown by C(ps).
    type: int
  namespace:
    description: Namespace of the workload, or of all workloads if O(name) is empty.
    type: str
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Pod]
    default: Deployment
  name:
    description: Name of the workload; if empty, all workloads of the namespace.
    type: str
    default: ""
  output:
    description:
      - Folder for the files; created if it does not exist.
      - With O(namespace), each container run has its own folder in it, C(POD/CONTAINER-ID), so snapshots of containers
        that have since been restarted are kept and count.
      - An earlier snapshot of the same process run is replaced.
    type: path
    required: true
  timeout:
    description: Seconds to wait for programs that are still starting, for all processes of a snapshot together.
    type: int
    default: 10
  watch:
    description:
      - Seconds between snapshots; V(0) takes one snapshot.
      - Otherwise snapshots are taken until the task is stopped or no process is left. Percentage and newly reached
        packages are shown as progress (P(kubernaut.coverage.journey#callback)).
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Read the coverage of a process
  kubernaut.coverage.coverage_snapshot:
    pid: 4711
    output: ~/snapshots/orders
  become: true

- name: Read the coverage of all workloads of a namespace
  kubernaut.coverage.coverage_snapshot:
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/shop/kubeconfig
    namespace: shop
    output: ~/snapshots/shop

- name: Read the coverage of one StatefulSet
  kubernaut.coverage.coverage_snapshot:
    kubeconfig: ~/.kube/config
    namespace: shop
    kind: StatefulSet
    name: orders
    output: ~/snapshots/orders
"""

RETURN = r"""
percent:
  description:
    - Percentage of statements that ran, of all snapshots in RV(output) together, as returned by
      M(kubernaut.coverage.covdata_info). Null if there is none.
  returned: success
  type: float
  sample: 42.6
covered:
  description: Number of statements that ran.
  returned: success
  type: int
statements:
  description: Number of all statements.
  returned: success
  type: int
mode:
  description: Counter mode, V(set), V(count) or V(atomic).
  returned: success
  type: str
build_id:
  description: Go's build id of the program; empty if several programs were read.
  returned: success
  type: str
seconds:
  description: How long it took to read all processes, without writing.
  returned: success
  type: float
processes:
  description:
    - The processes, each with C(pid), C(name), C(namespace), C(pod), C(container), C(state) and C(sentence).
    - C(state) is V(read), V(ended), or why it cannot be read, among others V(not-go),
      V(not-instrumented), V(starting), V(no-permission).
    - Those that were read also have C(percent), C(covered), C(statements), C(mode), C(build_id), C(go_version),
      C(covmeta), C(covcounters), C(taken) (seconds since the epoch), C(seconds), C(copies) and C(packages), the
      packages of which a function ran.
  returned: success
  type: list
  elements: dict
programs:
  description: The programs in RV(output), as M(kubernaut.coverage.covdata_info) describes them.
  returned: success
  type: list
  elements: dict
report:
  description: The same as text lines.
  returned: success
  type: list
  elements: str
  sample:
    - "42.6 % of statements (635 of 1492), 1 process"
    - "httpbin-6d4f httpbin (go-httpbin, process 4711): 42.6 % of 1492 statements, mode atomic"
problems:
  description: Problems of files in RV(output).
  returned: success
  type: list
  elements: dict
withheld:
  description: Why the percentage is withheld; empty if it is not.
  returned: success
  type: str
output:
  description: The folder.
  returned: success
  type: str
verdict:
  description: Cause, sentence, evidence, remedy and setting.
  returned: failure
  type: dict
"""

import tempfile
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.libraries import missing_libraries
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH, KINDS
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access, access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.processes import pids_of, running_containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import Reader
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.take import (
    ENDED,
    ENDED_SENTENCE,
    READ,
    Taken,
    describe_process,
    describe_round,
    sum_up,
    take,
    take_all,
)

# in a later snapshot: the process has ended
GONE = ("no-such-process", "no-pods", "no-processes")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            "pid": {"type": "int"},
            "namespace": {"type": "str"},
            "kind": {"type": "str", "choices": list(KINDS), "default": "Deployment"},
            "name": {"type": "str", "default": ""},
            "output": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 10},
            "watch": {"type": "int", "default": 0},
        },
        mutually_exclusive=[("pid", "namespace")],
        required_one_of=[("pid", "namespace")],
        supports_check_mode=True,
    )
    needed = ["numpy", "kubernetes"] if module.params["namespace"] else ["numpy"]
    for name, trace in missing_libraries(*needed).items():
        module.fail_json(msg=missing_required_lib(name), exception=trace)
    access = access_of(module)
    try:
        if module.check_mode:
            with tempfile.TemporaryDirectory() as scratch:
                processes, summary = snapshots(module.params, access, scratch)
            for taken in processes:
                taken.covmeta = taken.covcounters = ""
        else:
            processes, summary = snapshots(module.params, access, module.params["output"])
    except CoverageError as error:
        module.fail_json(**error.result())
    builds = {taken.build_id for taken in processes if taken.state == READ}
    module.exit_json(
        changed=bool(builds),
        **summary,
        build_id=builds.pop() if len(builds) == 1 else "",
        seconds=round(sum(taken.seconds for taken in processes), 4),
        processes=[taken.result() for taken in processes],
        report=[describe_round(summary, processes, ()), *map(describe_process, processes)],
        output=module.params["output"],
    )


def snapshots(options: t.Mapping[str, t.Any], access: Access, output: str) -> tuple[list[Taken], dict[str, t.Any]]:
    """Take snapshots once, or until no process is left; return the last ones, and what all of them cover."""
    reader = Reader()
    processes = one_round(options, access, reader, output)
    summary = sum_up(output)
    reached: set[str] = set()
    while options["watch"] > 0 and any(taken.state == READ for taken in processes):
        report_progress(describe_round(summary, processes, reached))
        reached.update(package for taken in processes for package in taken.packages)
        time.sleep(options["watch"])
        try:
            processes = one_round(options, access, reader, output)
        except CoverageError as error:
            if error.cause not in GONE:
                raise
            for taken in processes:
                taken.state, taken.sentence = ENDED, ENDED_SENTENCE
        summary = sum_up(output)
    return processes, summary


def one_round(options: t.Mapping[str, t.Any], access: Access, reader: Reader, output: str) -> list[Taken]:
    """Take a snapshot of each process that exists now."""
    deadline = time.monotonic() + options["timeout"]
    if options["pid"] is not None:
        return [take(reader, options["pid"], output, deadline=deadline)]
    cluster = Cluster(access)
    kind = options["kind"] if options["name"] else ""
    containers = running_containers(cluster, options["namespace"], kind, options["name"])
    return take_all(reader, pids_of(containers), output, deadline=deadline)


if __name__ == "__main__":
    main()
