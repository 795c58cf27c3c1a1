#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_diagnosis_info
short_description: Say why a workload of any cluster is not ready
version_added: 0.1.0
description:
  - Looks once at one workload, or at all workloads of a namespace, and says of each whether it is healthy, and if not
    why - with the evidence and the remedy. It needs a kubeconfig and nothing else; nothing has to be instrumented.
  - Changes nothing and waits for nothing. A pod whose probe fails is asked with GET through the API server, as the
    kubelet asks it. No Secret is read, only the names of those that there are.
  - The user of the kubeconfig has to be allowed to get the workload and to list pods and events of its namespace. What
    else it may not read is left out, and named in C(unseen).
  - A workload that starts at this moment may not be told from one that does not; the module
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
    description: Name of the workload; all of the namespace where it is empty.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Say what is wrong in a namespace
  kubernaut.coverage.workload_diagnosis_info:
    kubeconfig: ~/.kube/config
    namespace: shop

- name: Say why a Deployment is not ready
  kubernaut.coverage.workload_diagnosis_info:
    kubeconfig: ~/.kube/config
    namespace: shop
    kind: Deployment
    name: orders
"""

RETURN = r"""
healthy:
  description: Whether all that was looked at is healthy.
  returned: success
  type: bool
workloads:
  description:
    - One entry for each workload, those that are not healthy first, with C(kind), C(namespace), C(name), C(healthy),
      C(state) in a few words, C(verdict) and C(unseen), what could not be looked at. C(verdict) is null where it is
      healthy; else it has C(cause), C(sentence), C(evidence), C(remedy), and in C(also) what else was seen.
  returned: success
  type: list
  elements: dict
report:
  description: The same as lines for people.
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
