#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_diagnosis_info
short_description: Diagnose why a workload of any cluster is not ready
version_added: 0.1.0
description:
  - Inspects one workload, or all workloads of a namespace, once, and returns whether each is healthy, and if not why,
    with evidence and remedy. Only a kubeconfig is needed; nothing has to be instrumented.
  - Changes nothing and does not wait. If a probe fails, the module sends the same GET through the API server. Secrets
    are not read, only their names are listed.
  - The user of the kubeconfig must be allowed to get the workload and to list pods and events of its namespace. Other
    objects that it may not read are left out, and listed in C(unseen).
  - A workload that is still starting may look like one that cannot start; the module
    M(kubernaut.coverage.readiness_gate) waits.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - kubernetes (Python library)
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
      - Changes nothing.
  diff_mode:
    support: none
options:
  namespace:
    description: Namespace of the workload, or of all workloads where O(name) is empty.
    type: str
    required: true
  kind:
    description: Kind of the workload; with O(name).
    type: str
    choices: [Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Pod]
  name:
    description: Name of the workload; if empty, all workloads of the namespace.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Diagnose all workloads of a namespace
  kubernaut.coverage.workload_diagnosis_info:
    kubeconfig: ~/.kube/config
    namespace: shop

- name: Diagnose one Deployment
  kubernaut.coverage.workload_diagnosis_info:
    kubeconfig: ~/.kube/config
    namespace: shop
    kind: Deployment
    name: orders
"""

RETURN = r"""
healthy:
  description: Whether all inspected workloads are healthy.
  returned: success
  type: bool
workloads:
  description:
    - One entry for each workload, those that are not healthy first, with C(kind), C(namespace), C(name), C(healthy),
      C(state) in a few words, C(verdict) and C(unseen), what could not be read. C(verdict) is null if it is healthy;
      otherwise it has C(cause), C(sentence), C(evidence), C(remedy), and other findings in C(also).
  returned: success
  type: list
  elements: dict
report:
  description: The same as text lines.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH, WORKLOAD
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.diagnosis import (
    diagnose,
    report,
    targets_of,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            "namespace": WORKLOAD["namespace"],
            "kind": {"type": "str", "choices": WORKLOAD["kind"]["choices"]},
            "name": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        cluster = Cluster(access_of(module))
        found = diagnose(
            cluster, targets_of(cluster, options["namespace"], options["kind"] or "", options["name"] or "")
        )
    except ImportError as error:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(error))
    except CoverageError as error:
        module.fail_json(**error.result("workload_diagnosis_info"))
    module.exit_json(
        changed=False, healthy=all(item["healthy"] for item in found), workloads=found, report=report(found)
    )


if __name__ == "__main__":
    main()
