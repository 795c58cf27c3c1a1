#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_contract_info
short_description: Read and validate the contract of a service
version_added: 0.1.0
description:
  - Merges the inventory's settings over the shipped contract of a service, leaf by leaf, and validates the result
    before anything is started.
  - An unknown or misspelt key is an error that names the key, its path and the closest valid one.
  - Also determines the id and the folder of a run.
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
    description: Name of the service.
    type: str
    required: true
  shipped:
    description: Folder with the shipped contracts, one file C(<service>.yml) each.
    type: path
    required: true
  overrides:
    description: The inventory's dictionary of services; the entries of O(service) and of its components are used.
    type: dict
    default: {}
  sources:
    description: Folder on the managed host for checkouts of repositories.
    type: str
    default: ~/.cache/kubernaut-coverage/sources
  results:
    description: Folder for the results, with one folder for each run of each service.
    type: path
    required: true
  cluster:
    description: Name of the cluster, if it is another one than in the contract.
    type: str
    default: ""
  run_id:
    description: Id of an earlier run to continue; if empty, a new one is generated.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Read and validate the contract of httpbin
  kubernaut.coverage.service_contract_info:
    service: httpbin
    shipped: "{{ playbook_dir }}/vars"
    overrides: "{{ coverage_services | default({}) }}"
    results: ~/coverage-results
  register: contract
"""

RETURN = r"""
contract:
  description:
    - The contract of the service, merged, validated and with all defaults. Paths of its tests are absolute.
  returned: success
  type: dict
components:
  description:
    - The instrumented workloads of the run in the order of their start; the service itself is the last one.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the component, of its folder and of its row in the reports.
      type: str
    service:
      description: The service whose contract it has.
      type: str
    under_test:
      description: Whether it is the measured service.
      type: bool
    contract:
      description: Its contract.
      type: dict
    dependencies:
      description:
        - Its dependencies, in the form of M(kubernaut.coverage.service_dependencies), without those that an earlier
          component starts in the same namespace.
      type: list
      elements: dict
checkouts:
  description: The repositories to be checked out, each with C(repository), C(version) and C(dir).
  returned: success
  type: list
  elements: dict
owner:
  description: The run and the process that carries it out, as it is in the leases of a host.
  returned: success
  type: dict
leases:
  description:
    - What the run leases, each with C(kind), C(name) and C(shared). C(run) is for its whole duration, C(hold) from the
      start of the first component to the extraction of the last.
  returned: success
  type: dict
run:
  description: The run's C(id), its folder C(dir), the folder C(base) of all runs of the service.
  returned: success
  type: dict
  sample:
    id: 20261123-154210-123
    dir: /home/me/coverage-results/httpbin/20261123-154210-123
    base: /home/me/coverage-results/httpbin
"""

import dataclasses
import datetime
import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.components import Contracts, resolve
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.contract import new_run_id
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.run_leases import resources_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import this_run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "shipped": {"type": "path", "required": True},
            "overrides": {"type": "dict", "default": {}},
            "sources": {"type": "str", "default": "~/.cache/kubernaut-coverage/sources"},
            "results": {"type": "path", "required": True},
            "run_id": {"type": "str", "default": ""},
            "cluster": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    service = module.params["service"]
    contracts = Contracts(module.params["shipped"], module.params["overrides"], module.params["sources"])
    try:
        contract, components = resolve(service, contracts)
        run_id = module.params["run_id"] or new_run_id(datetime.datetime.now(datetime.UTC))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", run_id):
            raise InputError(f"The run id {run_id!r} cannot be the name of a folder.", setting="coverage_run_id")
    except CoverageError as error:
        module.fail_json(**error.result("service_contract_info"))
    base = Path(module.params["results"]).absolute() / service
    listed = [dataclasses.asdict(component) for component in components]
    cluster = module.params["cluster"] or contract["cluster"]["name"]
    module.exit_json(
        changed=False,
        contract=contract,
        components=listed,
        checkouts=contracts.checkouts,
        owner=this_run(run_id, service).fields(),
        leases=resources_of(cluster, str(base / run_id), listed),
        run={"id": run_id, "base": str(base), "dir": str(base / run_id)},
    )


if __name__ == "__main__":
    main()
