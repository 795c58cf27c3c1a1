#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coverage_mode
short_description: Run a workload so that it writes its counters, and put it back
description:
  - Takes the normal objects of a service, changes the one container that is instrumented, and applies all of them.
  - Changed are its image, E(GOCOVERDIR), a mount with a folder for each pod, and the pod's grace period. The program's
    user and security context stay as they are.
  - The normal workload is kept in an annotation, with which O(state=normal) puts it back exactly.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - kubernetes (Python library)
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    details:
      - Asks the API server for a dry run. Without a cluster yet, all objects are said to be changed.
  diff_mode:
    support: full
    description: Returns details on what has changed, or needs changing in C(check_mode), when in diff mode.
options:
  state:
    description: Whether the workload is to run in coverage mode.
    type: str
    choices: [coverage, normal]
    default: coverage
  kubeconfig:
    description: Kubeconfig of the cluster.
    type: path
    required: true
  namespace:
    description: Namespace of all objects that name none; it is made where it is missing.
    type: str
    required: true
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet]
    default: Deployment
  name:
    description: Name of the workload.
    type: str
    required: true
  container:
    description: Name of the instrumented container. Required for O(state=coverage).
    type: str
  image:
    description: Reference of the instrumented image, as every node has it. Required for O(state=coverage).
    type: str
  objects:
    description: The normal objects, inline.
    type: list
    elements: dict
    default: []
  manifests:
    description: Files with the normal objects, relative to O(source_dir).
    type: list
    elements: str
    default: []
  source_dir:
    description: Folder that O(manifests) are relative to.
    type: path
    default: /
  run_id:
    description: Id of the run; names a folder on the nodes. Required for O(state=coverage).
    type: str
  component:
    description: Name of the component; names a folder in the run's. Required for O(state=coverage).
    type: str
  directory:
    description: Where the container writes its counters.
    type: str
    default: /coverdata
  grace_period:
    description: Seconds that a pod gets to end, at least.
    type: int
    default: 30
  nodes:
    description: The nodes' containers, on which the folder for the counters is made.
    type: list
    elements: str
    default: []
  podman:
    description: Name or path of podman.
    type: str
    default: podman
"""

EXAMPLES = r"""
- name: Run httpbin in coverage mode
  kubernaut.coverage.coverage_mode:
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig
    namespace: httpbin-e2e
    name: httpbin
    container: httpbin
    image: localhost/httpbin:3f2a9c0b1d2e
    manifests: [deploy/httpbin.yml]
    source_dir: ~/src/httpbin
    run_id: 20261123-154210-123
    component: httpbin
    nodes: [httpbin-e2e-control-plane]

- name: Put it back
  kubernaut.coverage.coverage_mode:
    state: normal
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig
    namespace: httpbin-e2e
    name: httpbin
"""

RETURN = r"""
objects:
  description: Names of the objects that were changed.
  returned: success
  type: list
  elements: str
  sample: [Deployment httpbin-e2e/httpbin]
volume_directory:
  description: Folder on the nodes that holds one folder for each pod.
  returned: when O(state=coverage)
  type: str
  sample: /coverdata/20261123-154210-123/httpbin
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import (
    Settings,
    as_yaml,
    find_workload,
    in_coverage_mode,
    in_normal_mode,
    read_manifests,
    switch_off,
    switch_on,
    with_namespace,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import Cluster, Object, describe
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import Podman


def on(parameters: dict[str, t.Any], *, check: bool) -> dict[str, t.Any]:
    normal = with_namespace(
        parameters["objects"] + read_manifests(parameters["manifests"], parameters["source_dir"]),
        parameters["namespace"],
    )
    workload = find_workload(normal, parameters["kind"], parameters["name"])
    settings = Settings(
        container=parameters["container"],
        image=parameters["image"],
        run=parameters["run_id"],
        component=parameters["component"],
        directory=parameters["directory"],
        grace_period=parameters["grace_period"],
    )
    changed_workload = in_coverage_mode(workload, settings)
    objects = [changed_workload if item is workload else item for item in normal]
    if check and not Path(parameters["kubeconfig"]).exists():
        names = [describe(item) for item in objects]
    else:
        cluster = Cluster(parameters["kubeconfig"])
        names = switch_on(cluster, Podman(parameters["podman"]), parameters["nodes"], objects, dry_run=check)
    return {
        "changed": bool(names),
        "objects": names,
        "volume_directory": settings.volume_directory,
        "diff": diff(workload, changed_workload),
    }


def off(parameters: dict[str, t.Any], *, check: bool) -> dict[str, t.Any]:
    workload: Object = {
        "apiVersion": "apps/v1",
        "kind": parameters["kind"],
        "metadata": {"name": parameters["name"], "namespace": parameters["namespace"]},
    }
    was = switch_off(Cluster(parameters["kubeconfig"]), workload, dry_run=check)
    if was is None:
        return {"changed": False, "objects": []}
    return {"changed": True, "objects": [describe(was)], "diff": diff(was, in_normal_mode(was))}


def diff(before: Object, after: Object) -> dict[str, str]:
    name = describe(after)
    return {
        "before_header": name,
        "after_header": name,
        "before": as_yaml(before["spec"]),
        "after": as_yaml(after["spec"]),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["coverage", "normal"], "default": "coverage"},
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["Deployment", "StatefulSet"], "default": "Deployment"},
            "name": {"type": "str", "required": True},
            "container": {"type": "str"},
            "image": {"type": "str"},
            "objects": {"type": "list", "elements": "dict", "default": []},
            "manifests": {"type": "list", "elements": "str", "default": []},
            "source_dir": {"type": "path", "default": "/"},
            "run_id": {"type": "str"},
            "component": {"type": "str"},
            "directory": {"type": "str", "default": "/coverdata"},
            "grace_period": {"type": "int", "default": 30},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "podman": {"type": "str", "default": "podman"},
        },
        required_if=[("state", "coverage", ("container", "image", "run_id", "component"))],
        supports_check_mode=True,
    )
    switch = on if module.params["state"] == "coverage" else off
    try:
        result = switch(module.params, check=module.check_mode)
    except ImportError as error:
        module.fail_json(msg=missing_required_lib("kubernetes or PyYAML"), exception=str(error))
    except CoverageError as error:
        module.fail_json(**error.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
