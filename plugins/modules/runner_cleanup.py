#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runner_cleanup
short_description: Remove what runs left on a host
version_added: 0.1.0
description:
  - Removes clusters, instrumented images and their archives, and files of killed runs. Results are kept.
  - Each thing is removed while the module holds its lease alone. What another run uses is waited for, or kept.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - podman
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details: RV(removed) is what would be removed. Nothing is waited for.
  diff_mode:
    support: none
options:
  scope:
    description:
      - V(all) removes everything that runs created. V(named) removes what O(clusters) and O(services) created.
      - V(unneeded) removes clusters whose creation was interrupted, files of killed runs, and what is too old or too
        large according to O(older_than) and O(budget).
    type: str
    choices: [all, named, unneeded]
    default: all
  clusters:
    description:
      - Names of clusters, for O(scope=named). Without O(services), the images of the services that ran in them and in
        no other cluster are removed too.
    type: list
    elements: str
    default: []
  services:
    description:
      - Names of services, for O(scope=named). Without O(clusters), clusters in which only these services ran are
        deleted too.
    type: list
    elements: str
    default: []
  older_than:
    description:
      - Hours, for O(scope=unneeded). Older clusters and images are removed. V(0) means that age does not matter.
    type: float
    default: 0
  budget:
    description:
      - GiB, for O(scope=unneeded). While images and their files take more, the oldest are removed. V(0) means that size
        does not matter.
    type: float
    default: 0
  wait:
    description:
      - Seconds to wait for each run that uses what is to be removed. With O(scope=unneeded), nothing is waited for.
    type: float
    default: 3600
  cache_dir:
    description: Folder of the collection's cache on the host.
    type: path
    default: ~/.cache/kubernaut-coverage
seealso:
  - module: kubernaut.coverage.runner_status_info
"""

EXAMPLES = r"""
- name: Delete a cluster, and the images of the services that ran in it
  kubernaut.coverage.runner_cleanup:
    scope: named
    clusters: [httpbin-e2e]

- name: Remove what has not been used for two days, and whatever is above 20 GiB
  kubernaut.coverage.runner_cleanup:
    scope: unneeded
    older_than: 48
    budget: 20
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: Name of it.
      type: str
      sample: cluster httpbin-e2e
    reason:
      description: Why.
      type: str
      sample: its creation was interrupted
kept:
  description: What should be removed and was kept, with the run that uses it.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: Name of it.
      type: str
    reason:
      description: Who uses it.
      type: str
lines:
  description: The same as text, one line each.
  returned: success
  type: list
  elements: str
unknown:
  description: For each name that refers to nothing here, a sentence with the nearest name.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import this_run
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep.cleanup import SCOPES, CleanupRequest, clean_up


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PODMAN,
            "scope": {"type": "str", "choices": list(SCOPES), "default": "all"},
            "clusters": {"type": "list", "elements": "str", "default": []},
            "services": {"type": "list", "elements": "str", "default": []},
            "older_than": {"type": "float", "default": 0},
            "budget": {"type": "float", "default": 0},
            "wait": {"type": "float", "default": 3600},
            "cache_dir": {"type": "path", "default": "~/.cache/kubernaut-coverage"},
        },
        supports_check_mode=True,
    )
    lists = {name: tuple(module.params[name]) for name in ("clusters", "services")}
    try:
        outcome = clean_up(CleanupRequest(**{**module.params, **lists}), this_run(), check=module.check_mode)
    except CoverageError as error:
        module.fail_json(**error.result("runner_cleanup"))
    for sentence in outcome.unknown:
        module.warn(sentence)
    module.exit_json(changed=bool(outcome.removed), lines=outcome.lines(), **asdict(outcome))


if __name__ == "__main__":
    main()
