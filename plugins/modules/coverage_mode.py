#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coverage_mode
short_description: Run a workload in coverage mode, or restore it
version_added: 0.1.0
description:
  - Changes the instrumented container of a workload, and its pod as needed. The normal workload is read from its
    manifests, which are all applied, or from the cluster.
  - It changes the image, E(GOCOVERDIR), a mount with a folder for each pod, and the pod's grace period; anything else
    only on request. The program's user and security context are kept, unless O(permission) requires a change.
  - The changes are recorded in an annotation, from which O(state=absent) restores the workload exactly. Changes that
    others made in the meantime are kept, and returned as RV(kept).
  - The template of a Job, and a bare Pod, cannot be changed. They are deleted and created again, after a dry run has
    confirmed that the API server accepts the new object.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - kubernetes (Python library)
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernetes.core.k8s_auth_options
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Asks the API server for a dry run. If there is no cluster yet, all objects are reported as changed.
  diff_mode:
    support: full
    details:
      - Shows the workload before and after. Values that look like secrets are left out.
options:
  state:
    description: Whether the workload runs in coverage mode.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description:
      - Namespace of the workload, and of all objects without a namespace.
      - It is created if it does not exist and O(objects) or O(manifests) are set.
    type: str
    required: true
  kind:
    description:
      - Kind of the workload. One of C(Deployment), C(StatefulSet), C(DaemonSet), C(Job), C(CronJob), C(Pod).
      - Objects that another workload manages are refused; the error names that workload.
    type: str
    default: Deployment
  name:
    description: Name of the workload.
    type: str
    required: true
  container:
    description: Name of the instrumented container, which can be an init container. Required for O(state=present).
    type: str
  image:
    description: Reference of the instrumented image, which every node must have. Required for O(state=present).
    type: str
  other_containers:
    description: >-
      Further instrumented containers of the pod. Their counters are in a folder of the container's name in the pod's
      folder.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the container.
        type: str
        required: true
      image:
        description: Reference of its instrumented image.
        type: str
        required: true
  objects:
    description: >-
      The normal objects, inline. Without these, O(manifests) and O(urls), the workload is read from the cluster.
    type: list
    elements: dict
    default: []
  manifests:
    description:
      - Files with the normal objects, folders (their C(.yaml), C(.yml) and C(.json)) and kustomize folders, which
        O(kubectl) builds, relative to O(source_dir).
      - URLs (C(https://...)) are downloaded each time; see O(urls).
    type: list
    elements: str
    default: []
  urls:
    description: More manifests in the network.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: C(https://...).
        type: str
        required: true
      checksum:
        description: >-
          Its checksum, C(sha256:...). With a checksum it is downloaded once and kept in O(cache_dir), otherwise
          each time.
        type: str
        default: ""
  source_dir:
    description: Folder that O(manifests) are relative to.
    type: path
    default: /
  kubectl:
    description: Name or path of kubectl, which builds kustomize folders.
    type: str
    default: kubectl
  cache_dir:
    description: Folder that keeps downloads with a checksum.
    type: path
    default: ~/.cache/kubernaut-coverage
  run_id:
    description: Id of the run, used as a folder name on the nodes. Required for O(state=present).
    type: str
  component:
    description: Name of the component, used as a folder name in the run's folder. Required for O(state=present).
    type: str
  directory:
    description: Where the container writes its counters.
    type: str
    default: /coverdata
  grace_period:
    description: Minimum grace period of the pod, in seconds.
    type: int
    default: 30
  startup_seconds:
    description:
      - Minimum number of seconds that the container has to start before a probe kills it. C(0) leaves the probes
        unchanged.
      - An existing startup probe gets a higher failure threshold. Otherwise one is derived from the liveness probe;
        without a liveness probe nothing kills a slow start, and nothing is changed.
    type: int
    default: 0
  environment:
    description: Additional environment variables for the container; existing ones of the same name are replaced.
    type: dict
    default: {}
  resources:
    description: Requests and limits, merged over the container's own.
    type: dict
    default: {}
  replicas:
    description: Number of replicas of a Deployment or StatefulSet. Unchanged if not set.
    type: int
  volume:
    description:
      - How the folder for the counters is mounted into the pod. It is the same folder of the node in both cases.
      - V(auto) is V(host_path), unless the namespace does not allow it (Pod Security, a policy).
    type: str
    choices: [auto, host_path, persistent_volume_claim]
    default: auto
  permission:
    description:
      - How the folder is made writable for the program. V(auto) is the least invasive way that works.
      - V(writable) requires that it is writable already. V(node) prepares it on the nodes with mode 1777.
      - V(fs_group) gives it to the pod's group, which needs O(volume=persistent_volume_claim).
      - V(init_container) runs C(chmod) of O(init_image) as root. V(root) runs the program as root, and needs
        O(allow_root).
    type: str
    choices: [auto, writable, node, fs_group, init_container, root]
    default: auto
  init_image:
    description: Image on the nodes that has C(chmod).
    type: str
    default: ""
  allow_root:
    description: Whether the program may run as root if there is no other way.
    type: bool
    default: false
  nodes:
    description: Names of the node containers on which the folder for the counters is created or removed.
    type: list
    elements: str
    default: []
  discard_counters:
    description: Whether O(state=absent) removes a folder on the nodes whose counters have not been collected.
    type: bool
    default: false
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

- name: Run an existing DaemonSet in coverage mode
  kubernaut.coverage.coverage_mode:
    kubeconfig: ~/.kube/config
    namespace: agents
    kind: DaemonSet
    name: agent
    container: agent
    image: localhost/agent:3f2a9c0b1d2e
    run_id: 20261123-154210-123
    component: agent
    nodes: [dev-control-plane, dev-worker]
    startup_seconds: 60
    resources: {limits: {memory: 512Mi}}

- name: Restore httpbin
  kubernaut.coverage.coverage_mode:
    state: absent
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/httpbin-e2e/kubeconfig
    namespace: httpbin-e2e
    name: httpbin
    nodes: [httpbin-e2e-control-plane]
"""

RETURN = r"""
objects:
  description: Names of the objects that were changed.
  returned: success
  type: list
  elements: str
  sample: [Deployment httpbin-e2e/httpbin]
volume_directory:
  description: Folder on the nodes that contains one folder for each pod.
  returned: when O(state=present)
  type: str
  sample: /coverdata/20261123-154210-123/httpbin
volume:
  description: How that folder is mounted into the pod.
  returned: when O(state=present)
  type: str
  sample: host_path
permission:
  description: How the folder is made writable for the program, as in O(permission).
  returned: when O(state=present)
  type: str
  sample: node
permission_reason:
  description: Why that permission was chosen.
  returned: when O(state=present)
  type: str
  sample: /coverdata/20261123-154210-123/httpbin is made on every node with the mode 1777
changes:
  description:
    - The fields of the workload that coverage mode changes, or that are restored.
    - A field that did not exist has no key V(before), one that does not exist any more no key V(after). Values that
      look like secrets are left out.
  returned: success
  type: list
  elements: dict
  sample:
    - field: spec.template.spec.containers[httpbin].image
      before: httpbin:1
      after: localhost/httpbin:3f2a9c0b1d2e
kept:
  description: Fields that coverage mode had changed and somebody else changed afterwards. The later value is kept.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: Path of the field.
      type: str
    coverage:
      description: Value that coverage mode had set; no key if it had removed the field.
      type: raw
    now:
      description: Current value; no key if the field does not exist.
      type: raw
notes:
  description: Notes for the user, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Deployment shop/cart is paused: its pods stay as they are until it is resumed."]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH, PODMAN, WORKLOAD
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import (
    CoverageOutcome,
    CoverageRequest,
    Settings,
    kind_of,
    outcome_as_result,
    read_manifests,
    refuse_unsupported,
    turn_off,
    turn_on,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access, access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.fetch import Url
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import ManifestSources, Tools
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


def on(parameters: dict[str, t.Any], cluster: t.Optional[Cluster], *, check: bool) -> CoverageOutcome:
    settings = Settings(
        container=parameters["container"],
        image=parameters["image"],
        run=parameters["run_id"],
        component=parameters["component"],
        directory=parameters["directory"],
        grace_period=parameters["grace_period"],
        other_containers=tuple((item["name"], item["image"]) for item in parameters["other_containers"]),
        environment=parameters["environment"],
        resources=parameters["resources"],
        startup_seconds=parameters["startup_seconds"],
        replicas=parameters["replicas"],
        init_image=parameters["init_image"],
    )
    sources = ManifestSources(
        paths=tuple(parameters["manifests"]),
        urls=tuple(Url(item["url"], item["checksum"]) for item in parameters["urls"]),
        folder=parameters["source_dir"],
    )
    tools = Tools(parameters["kubectl"], parameters["cache_dir"], keep=not check, setting="coverage_mode#kubectl")
    wanted = CoverageRequest(
        kind=parameters["kind"],
        namespace=parameters["namespace"],
        name=parameters["name"],
        settings=settings,
        objects=[*parameters["objects"], *read_manifests(sources, tools)],
        nodes=parameters["nodes"],
        volume=parameters["volume"],
        permission=parameters["permission"],
        allow_root=parameters["allow_root"],
    )
    return turn_on(cluster, Podman(parameters["podman"]), wanted, dry_run=check)


def off(parameters: dict[str, t.Any], cluster: t.Optional[Cluster], *, check: bool) -> CoverageOutcome:
    if cluster is None:
        return CoverageOutcome()
    return turn_off(
        cluster,
        Podman(parameters["podman"]),
        kind_of(parameters["kind"]).reference(parameters["namespace"], parameters["name"]),
        nodes=parameters["nodes"],
        discard=parameters["discard_counters"],
        dry_run=check,
    )


def switch(access: Access, parameters: dict[str, t.Any], *, check: bool) -> dict[str, t.Any]:
    cluster = None if check and access.absent else Cluster(access)
    refuse_unsupported(cluster, parameters["kind"], parameters["namespace"], parameters["name"])
    outcome = (on if parameters["state"] == "present" else off)(parameters, cluster, check=check)
    return outcome_as_result(outcome)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            **WORKLOAD,
            **PODMAN,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kind": {"type": "str", "default": "Deployment"},
            "container": {"type": "str"},
            "image": {"type": "str"},
            "other_containers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "image": {"type": "str", "required": True}},
            },
            "objects": {"type": "list", "elements": "dict", "default": []},
            "manifests": {"type": "list", "elements": "str", "default": []},
            "urls": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"url": {"type": "str", "required": True}, "checksum": {"type": "str", "default": ""}},
            },
            "kubectl": {"type": "str", "default": "kubectl"},
            "cache_dir": {"type": "path", "default": "~/.cache/kubernaut-coverage"},
            "source_dir": {"type": "path", "default": "/"},
            "run_id": {"type": "str"},
            "component": {"type": "str"},
            "directory": {"type": "str", "default": "/coverdata"},
            "grace_period": {"type": "int", "default": 30},
            "startup_seconds": {"type": "int", "default": 0},
            "environment": {"type": "dict", "default": {}},
            "resources": {"type": "dict", "default": {}},
            "replicas": {"type": "int"},
            "volume": {
                "type": "str",
                "choices": ["auto", "host_path", "persistent_volume_claim"],
                "default": "auto",
            },
            "permission": {
                "type": "str",
                "choices": ["auto", "writable", "node", "fs_group", "init_container", "root"],
                "default": "auto",
            },
            "init_image": {"type": "str", "default": ""},
            "allow_root": {"type": "bool", "default": False},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "discard_counters": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ("container", "image", "run_id", "component"))],
        supports_check_mode=True,
    )
    try:
        result = switch(access_of(module), module.params, check=module.check_mode)
    except ImportError as error:
        module.fail_json(msg=missing_required_lib("kubernetes or PyYAML"), exception=str(error))
    except CoverageError as error:
        module.fail_json(**error.result("coverage_mode"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
