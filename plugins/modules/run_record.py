#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_record
short_description: Read or save the state of a run
description:
  - The record contains what later stages need of earlier ones - the id and folder of the run, the cluster, the images,
    the folders for counters. It lets C(ansible-playbook --tags) continue a run.
  - With O(record) the module saves it as C(run.json) in the run's folder and as O(path), each file atomically.
    Otherwise it reads O(path).
version_added: 0.1.0
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
extends_documentation_fragment:
  - kubernaut.coverage.attributes
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  service:
    description: Name of the service that the run measures. A record of another service is refused.
    type: str
    required: true
  path:
    description: File that the next run of the service reads, in the folder of the cluster.
    type: path
    required: true
  record:
    description:
      - The state to save, with C(service), C(id), C(dir), C(base), C(cluster), C(images) and C(volumes). Other keys are
        not saved.
    type: dict
  folders:
    description: Folders that the run writes to, by the variable that sets them. Each must exist or be creatable.
    type: dict
    default: {}
  cache_dir:
    description: Folder of the collection's cache on the host. The leases of runs are there.
    type: path
    default: ~/.cache/kubernaut-coverage
  owner:
    description: The run, as the result C(owner) of M(kubernaut.coverage.service_contract_info).
    type: dict
  lease:
    description:
      - What to lease for the run, all of it at once. While another run has something of it, the module waits. A lease
        ends when it is released, or when the process of its owner ends. In check mode nothing is leased.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: What it is, for example C(workload).
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
      shared:
        description: Whether other runs that share it may have it too.
        type: bool
        default: false
  release:
    description: Give back everything that the run has leased.
    type: bool
    default: false
  wait:
    description: Seconds to wait for what others have leased.
    type: float
    default: 3600
seealso:
  - module: kubernaut.coverage.service_contract
"""

EXAMPLES = r"""
- name: Load the saved state of the last run of httpbin
  kubernaut.coverage.run_record:
    service: httpbin
    path: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/run-httpbin.json
  register: saved
"""

RETURN = r"""
record:
  description: The record that was read or saved; empty if there is none.
  returned: success
  type: dict
  sample:
    service: httpbin
    id: 20261123-154210-123
    dir: /home/me/coverage-results/httpbin/20261123-154210-123
    base: /home/me/coverage-results/httpbin
    cluster: {name: httpbin-e2e, kubeconfig: /home/me/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig}
    images: {httpbin: {reference: "localhost/httpbin:0447df673119"}}
    volumes: {httpbin: /var/lib/kubernaut-coverage/20261123-154210-123/httpbin}
path:
  description: The file that the next run of the service reads, as an absolute path.
  returned: success
  type: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.run_leases import require_folders
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.run_record import read_record, save_record
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import Leases, Resource
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner


def _lease(options: dict[str, Any]) -> None:
    """Take or give back the leases of the run."""
    if not (options["lease"] or options["release"]):
        return
    if options["owner"] is None:
        raise InputError("A lease needs an owner.", remedy="Set owner.", setting="run_record#owner")
    owner, leases = Owner.of(options["owner"]), Leases(options["cache_dir"])
    if options["release"]:
        leases.release(owner)
    if options["lease"]:
        wanted = [Resource(**item) for item in options["lease"]]
        leases.take(owner, wanted, wait=options["wait"], setting="coverage_lease_wait")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "record": {"type": "dict"},
            "folders": {"type": "dict", "default": {}},
            "cache_dir": {"type": "path", "default": "~/.cache/kubernaut-coverage"},
            "owner": {"type": "dict"},
            "lease": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "kind": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "shared": {"type": "bool", "default": False},
                },
            },
            "release": {"type": "bool", "default": False},
            "wait": {"type": "float", "default": 3600},
        },
        supports_check_mode=True,
    )
    service, record = module.params["service"], module.params["record"]
    path = Path(module.params["path"]).absolute()
    changed = False
    try:
        require_folders(module.params["folders"])
        if not module.check_mode:
            _lease(module.params)
        if record is None:
            record = read_record(path, service)
        elif record.get("service") != service:
            raise InputError(f"The record is one of the service {record.get('service')}, not of {service}.")
        else:
            changed = save_record(record, path, check_mode=module.check_mode)
    except CoverageError as error:
        module.fail_json(**error.result())
    except OSError as error:
        module.fail_json(msg=f"The state of the run cannot be saved: {error}")
    module.exit_json(changed=changed, record=record, path=str(path))


if __name__ == "__main__":
    main()
