#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Collect diagnostics of a failure before they are lost
version_added: 0.1.0
description:
  - Collects in parallel the objects, events and logs of a namespace, and the images, mounts, free space, coverage
    folders and the end of the kubelet's log of each node, in one folder with an index.
  - Contents of Secrets are never read. Other values whose names look like secrets are redacted.
  - Data that cannot be collected are listed in the index and in RV(missing). If there is no cluster yet, the failure is
    saved.
  - Each file contains at most the last MiB and each log at most the last 2000 lines; logs of at most 50 pods are kept.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - kubernetes (Python library)
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernetes.core.k8s_auth_options
  - kubernaut.coverage.observed
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
  directory:
    description:
      - Folder for the diagnostics. It is created if it does not exist.
      - Diagnostics of an earlier failure in it are replaced; files that the failed stage has just written there are
        kept.
    type: path
    required: true
  failure:
    description: The failure; saved as C(verdict.json) and returned unchanged.
    type: dict
    default: {}
    suboptions:
      task:
        description: Name of the task.
        type: str
        default: ""
      msg:
        description: Message of the task.
        type: str
        default: ""
      verdict:
        description: The verdict that it returned.
        type: dict
        default: {}
  namespace:
    description: Namespace of the workload.
    type: str
    default: ""
  kind:
    description: Kind of the workload.
    type: str
    default: Deployment
  name:
    description: Name of the workload; if empty, the rules of the readiness gate are not evaluated.
    type: str
    default: ""
  beside:
    description: Further files and folders of the run to list in the index, if they exist.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Collect diagnostics of httpbin, which is not ready
  kubernaut.coverage.evidence:
    directory: ~/evidence
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig
    namespace: httpbin-e2e
    name: httpbin
    container: httpbin
    nodes: [httpbin-e2e-control-plane]
"""

RETURN = r"""
msg:
  description: The message of the given failure; without one, the path of the diagnostics.
  returned: success
  type: str
verdict:
  description: The verdict of the failure that was given.
  returned: where one was given
  type: dict
directory:
  description: The folder.
  returned: success
  type: str
files:
  description: Names of the files in it.
  returned: success
  type: list
  elements: str
missing:
  description: What could not be collected, and why.
  returned: success
  type: dict
bytes:
  description: Size of all files together.
  returned: success
  type: int
seconds:
  description: How long it took.
  returned: success
  type: float
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH, OBSERVED, PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._diagnostics.bundle import Collected, Request, collect
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            **OBSERVED,
            **PODMAN,
            "directory": {"type": "path", "required": True},
            "failure": {
                "type": "dict",
                "default": {},
                "options": {
                    "task": {"type": "str", "default": ""},
                    "msg": {"type": "str", "default": ""},
                    "verdict": {"type": "dict", "default": {}},
                },
            },
            "namespace": {"type": "str", "default": ""},
            "kind": {"type": "str", "default": "Deployment"},
            "name": {"type": "str", "default": ""},
            "beside": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    options = module.params
    failure = {key: value for key, value in options["failure"].items() if value}
    request = Request(
        directory=options["directory"],
        failure=failure,
        access=access_of(module),
        namespace=options["namespace"],
        kind=options["kind"],
        name=options["name"],
        container=options["container"],
        url=options["url"],
        nodes=tuple(options["nodes"]),
        volume_directory=options["volume_directory"],
        beside=tuple(options["beside"]),
    )
    try:
        collected = Collected(request.directory) if module.check_mode else collect(request, Podman(options["podman"]))
    except ImportError as error:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(error))
    except CoverageError as error:
        module.fail_json(**error.result("evidence"))
    result: dict[str, t.Any] = {
        "msg": failure.get("msg") or f"The diagnostics are in {collected.directory}.",
        "directory": collected.directory,
        "files": sorted(collected.files),
        "missing": collected.missing,
        "bytes": collected.bytes,
        "seconds": collected.seconds,
    }
    if failure.get("verdict"):
        result["verdict"] = failure["verdict"]
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
