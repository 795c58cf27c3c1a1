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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.run_record import read_record, save_record


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "record": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    service, record = module.params["service"], module.params["record"]
    path = Path(module.params["path"]).absolute()
    changed = False
    try:
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
