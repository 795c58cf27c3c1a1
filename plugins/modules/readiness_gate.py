#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: readiness_gate
short_description: Wait until a workload is ready, or fail at once with the cause
version_added: 0.1.0
description:
  - Waits until the rollout is complete, every pod's program has written its covmeta, and the service answers at the
    address that the tests use.
  - Fails at once with a cause, a sentence, evidence, a remedy and the setting to change if waiting cannot help - for
    example if an image is not on the node, a ConfigMap is missing, the program crashes, a pod cannot be scheduled, or a
    program is not instrumented. After the timeout, it names the most likely cause.
  - If the actual problem is a dependency, the error names it, with its own cause.
  - A Job is ready when its pods run, or when it is complete; a CronJob when its newest Job is.
  - If a probe fails, the module sends the same GET through the API server, and also tries other ports and common paths
    of the pod.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - kubernetes (Python library)
  - jmespath (Python library), for O(until)
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernetes.core.k8s_auth_options
  - kubernaut.coverage.workload
  - kubernaut.coverage.observed
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Changes nothing, and does not wait in check mode.
  diff_mode:
    support: none
options:
  timeout:
    description: Seconds after which the module fails with the most likely cause.
    type: int
    default: 120
  until:
    description:
      - Further conditions that must be true after the workload is ready and O(url) answers. O(timeout) covers both.
      - A workload that cannot become ready ends the wait at once, with the cause.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the object.
        type: str
        required: true
      name:
        description: Its name. Either this or O(until[].selector).
        type: str
        default: ""
      selector:
        description: Labels. The condition is then evaluated over all objects that have them, as the list C(items).
        type: str
        default: ""
      api_version:
        description: Its C(apiVersion). If empty, the version that the cluster prefers.
        type: str
        default: ""
      namespace:
        description: Its namespace. If empty, O(namespace).
        type: str
        default: ""
      condition:
        description: JMESPath over the live object. It is true unless the result is null, false or empty.
        type: str
        required: true
  evidence:
    description: Folder for the observation, which is written if the workload does not become ready.
    type: path
"""

EXAMPLES = r"""
- name: Wait for httpbin
  kubernaut.coverage.readiness_gate:
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig
    namespace: httpbin-e2e
    name: httpbin
    container: httpbin
    url: http://127.0.0.1:38080/status/200
    nodes: [httpbin-e2e-control-plane]
    volume_directory: /coverdata/20261123-154210-123/httpbin
    evidence: ~/coverage-results/httpbin/20261123-154210-123/evidence
    until:
      - kind: EndpointSlice
        selector: kubernetes.io/service-name=httpbin
        condition: items[].endpoints[] | [?conditions.ready]
"""

RETURN = r"""
pods:
  description:
    - The pods that are ready, each with C(pod), C(uid), C(node), C(restarts), C(ready) and C(start_seconds), the
      seconds between the container's start and the pod's readiness, null if not known.
  returned: success
  type: list
  elements: dict
seconds:
  description: How long it took.
  returned: success
  type: float
startup_probe:
  description:
    - A startup probe that allows three times the slowest measured start; empty if the container has no readiness probe
      or nothing was measured.
  returned: success
  type: dict
verdict:
  description:
    - The C(cause) id, C(sentence), C(evidence), C(remedy), C(setting), and in C(also) the C(cause) and C(sentence) of
      each other finding.
  returned: failure
  type: dict
evidence_file:
  description: Path of the saved observation.
  returned: failure
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import (
    AUTH,
    OBSERVED,
    PODMAN,
    UNTIL,
    WORKLOAD,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.conditions import (
    DependencyError,
    Patience,
    wait_until,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.until import Until, check_until
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.wait import (
    NotReady,
    Target,
    pod_process_runs,
    save_evidence,
    suggested_startup_probe,
    wait_until_ready,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            **WORKLOAD,
            **OBSERVED,
            **PODMAN,
            **UNTIL,
            "timeout": {"type": "int", "default": 120},
            "evidence": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, pods=[], seconds=0.0, startup_probe={})
    options = module.params
    access = access_of(module)
    target = Target(
        kind=options["kind"],
        namespace=options["namespace"],
        name=options["name"],
        container=options["container"],
        nodes=tuple(options["nodes"]),
        volume_directory=options["volume_directory"],
        url=options["url"],
    )
    try:
        conditions = [Until(**item) for item in options["until"]]
        for condition in conditions:
            check_until(condition, "until", "until")
        cluster, podman = Cluster(access), Podman(options["podman"])
        patience = Patience(time.monotonic(), options["timeout"], setting="readiness.timeout", podman=podman)
        seen = wait_until_ready(cluster, podman, target, options["timeout"])
        if conditions:
            workload = {"kind": target.kind, "metadata": {"name": target.name, "namespace": target.namespace}}
            wait_until(cluster, conditions, [workload], target.namespace, patience)
    except ImportError as error:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(error))
    except NotReady as error:
        extra = {"evidence_file": save_evidence(error.seen, options["evidence"])} if options["evidence"] else {}
        module.fail_json(seconds=round(error.seen.waited, 2), **extra, **error.result("readiness_gate"))
    except DependencyError as error:
        error.amend(cause="condition-not-met")
        module.fail_json(**error.result("readiness_gate"))
    except CoverageError as error:
        module.fail_json(**error.result("readiness_gate"))
    module.exit_json(
        changed=False,
        pods=pod_process_runs(seen),
        seconds=round(seen.waited, 2),
        startup_probe=suggested_startup_probe(seen),
    )


if __name__ == "__main__":
    main()
