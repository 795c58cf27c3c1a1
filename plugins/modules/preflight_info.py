#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_info
short_description: Check all prerequisites of a run before anything is changed
version_added: 0.1.0
description:
  - Checks host, source, Containerfile, tests and manifests in parallel, and the instrumented image and the nodes if
    they already exist.
  - All problems are reported at once. The first error is the verdict; warnings and advice never fail the task.
  - Nothing is changed.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Changes nothing in any mode.
  diff_mode:
    support: none
options:
  image:
    description: The image to be built, as in M(kubernaut.coverage.instrumented_image). Not checked if not set.
    type: dict
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      source:
        description: The source, a Go module or a checkout with a Containerfile.
        type: dict
        required: true
        suboptions:
          module:
            description: Go module path.
            type: str
          version:
            description: Version of the Go module.
            type: str
          package:
            description: Main package inside the module.
            type: str
          dir:
            description: Folder of a checkout.
            type: path
          containerfile:
            description: Containerfile, relative to the checkout.
            type: str
          context:
            description: Build context, relative to the checkout.
            type: str
          target:
            description: Stage of the Containerfile.
            type: str
      base:
        description: Base image of a Go module's image.
        type: str
        default: scratch
      user:
        description: User of a Go module's image.
        type: str
        default: "65532:65532"
      covermode:
        description: Counter mode of a Go module's build.
        type: str
        default: atomic
      coverpkg:
        description: Package patterns that a Go module's build instruments.
        type: list
        elements: str
        default: []
      build_args:
        description: Build arguments of the Containerfile; E(GOFLAGS) is C(-cover -covermode=atomic) unless given.
        type: dict
        default: {}
      go:
        description: Name or path of Go.
        type: str
        default: go
  built:
    description: An existing instrumented image, from the result of the role instrumented_image.
    type: dict
    suboptions:
      reference:
        description: Its name.
        type: str
        required: true
      archive:
        description: Its archive.
        type: path
        default: ""
      id:
        description: Its id, 64 hexadecimal digits.
        type: str
        default: ""
  tests:
    description: The tests to be run. Not checked if not set.
    type: dict
    suboptions:
      command:
        description: Program and arguments.
        type: list
        elements: str
        required: true
      dir:
        description: Working directory; if not set, only the program is checked.
        type: path
      environment:
        description: Environment variables of the tests. If they contain E(PATH), the program is looked up in it.
        type: dict
        default: {}
  workload:
    description: The workload of the service. Not checked if not set.
    type: dict
    suboptions:
      namespace:
        description: Its namespace.
        type: str
        required: true
      kind:
        description: Its kind.
        type: str
        default: Deployment
      name:
        description: Its name.
        type: str
        required: true
      container:
        description: Name of the service's container.
        type: str
        required: true
      objects:
        description: The objects, inline.
        type: list
        elements: dict
        default: []
      manifests:
        description: >-
          Files with the objects, folders (their C(.yaml), C(.yml) and C(.json)), kustomize folders, which O(kubectl)
          builds, and URLs, which are downloaded.
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
            description: Its checksum, C(sha256:...). A download that is in O(cache_dir) already is used.
            type: str
            default: ""
      dir:
        description: Folder that O(workload.manifests) are relative to.
        type: path
        default: /
  dependencies:
    description:
      - Whether something else creates objects in the namespace before the workload. Objects that the manifests refer to
        but do not contain are then only a warning.
    type: bool
    default: false
  cluster:
    description: The kind cluster, as in M(kubernaut.coverage.kind_cluster). Not checked if not set.
    type: dict
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      node_image:
        description: Image of its nodes.
        type: str
        default: localhost/kindest/node:v1.34.4
      workers:
        description: Number of worker nodes in addition to the control plane.
        type: int
        default: 0
      port_mappings:
        description: Ports of the node that are published on the host.
        type: list
        elements: dict
        default: []
      extra_mounts:
        description: Folders of the host that are mounted into the nodes.
        type: list
        elements: dict
        default: []
      kubeadm_patches:
        description: Patches of kubeadm's configuration.
        type: list
        elements: str
        default: []
      kubeconfig:
        description: Path of its kubeconfig.
        type: path
        default: ""
      recreate:
        description: Whether another cluster of that name would be replaced.
        type: bool
        default: false
  nodes:
    description: Nodes to check; if empty, all nodes of the cluster.
    type: list
    elements: str
    default: []
  volume_directory:
    description: Folder for counters on the nodes, which must exist.
    type: str
    default: ""
  user:
    description: Uid, or uid and gid (V(1001:1001)), that the pod runs as; if empty, that of the image.
    type: str
    default: ""
  cache_dir:
    description: The collection's cache folder.
    type: path
    required: true
  disk_gib:
    description:
      - Disk space in GiB for the three copies of an image, a third each in podman's store, in the cache and on each
        node.
      - Copies on the same disk are added up.
    type: float
    default: 3
  memory_gib:
    description:
      - Memory in GiB that must be available.
      - With V(0), less than the cluster needs is only a warning.
    type: float
    default: 0
  groups:
    description: Groups of checks to run.
    type: list
    elements: str
    choices: [host, source, Containerfile, manifests, image, nodes]
    default: [host, source, Containerfile, manifests, image, nodes]
  skip:
    description: Names of checks to skip.
    type: list
    elements: str
    default: []
  show:
    description:
      - What the callback P(kubernaut.coverage.journey#callback) shows; V(problems) means warnings and errors.
      - If there is an error, everything is shown.
    type: str
    choices: [all, problems]
    default: all
  kind:
    description: Name or path of kind.
    type: str
    default: kind
  kubectl:
    description: Name or path of kubectl, which builds kustomize folders.
    type: str
    default: kubectl
"""

EXAMPLES = r"""
- name: Check the prerequisites of a run of httpbin
  kubernaut.coverage.preflight_info:
    image:
      service: httpbin
      source:
        module: github.com/mccutchen/go-httpbin/v2
        version: v2.26.0
        package: cmd/go-httpbin
    tests:
      command: [go, test, ./...]
    cluster:
      name: httpbin-e2e
      port_mappings: [{container_port: 30080, host_port: 38080}]
    cache_dir: ~/.cache/kubernaut-coverage
"""

RETURN = r"""
findings:
  description: The findings, in the order of the table; also returned if the module fails.
  returned: always
  type: list
  elements: dict
  contains:
    group:
      description: One of the choices of O(groups).
      type: str
      sample: Containerfile
    check:
      description: Name of the check, as O(skip) takes it.
      type: str
      sample: goflags
    state:
      description: V(ok), V(advice), V(warning), V(error), V(not applicable) or V(not checked).
      type: str
      sample: error
    text:
      description: The result; a whole sentence if there is a problem.
      type: str
      sample: "The build argument GOFLAGS does not reach this go build: stage builder has no ARG GOFLAGS."
    where:
      description: File and line, if there is one.
      type: str
      sample: docker/gateway.Dockerfile:20
    remedy:
      description: What to do.
      type: str
      sample: Add 'ARG GOFLAGS' after line 2, in the stage that builds.
    setting:
      description: The variable to change.
      type: str
      sample: source.containerfile
    cause:
      description: Short id of an error.
      type: str
      sample: containerfile-goflags
    evidence:
      description: Observed facts, quoted.
      type: list
      elements: str
      sample: []
table:
  description: The same as text lines of at most 100 columns, unless a path or name is longer.
  returned: always
  type: list
  elements: str
  sample: ["Preflight of httpbin: 31 ok, 7 not applicable"]
summary:
  description: The counts in words.
  returned: always
  type: str
  sample: 1 warning, 30 ok, 7 not applicable
checks:
  description: Names of the checks that passed.
  returned: success
  type: list
  elements: str
  sample: [disk, source, tests]
seconds:
  description: What it took.
  returned: always
  type: float
  sample: 0.52
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import BuildRequest as ImageRequest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import ImageSource
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.options import ARGUMENTS
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.run import Request, preflight
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    GROUPS,
    OK,
    summary,
    table,
    verdict,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, started = module.params, time.monotonic()
    image = dict(given["image"]) if given["image"] else None
    if image:
        image["source"] = ImageSource(**{key: value for key, value in image["source"].items() if value})
        image["coverpkg"] = tuple(image["coverpkg"])
        image["build_args"] = {str(name): str(value) for name, value in image["build_args"].items()}
    try:
        found = preflight(
            Request(
                image=ImageRequest(**image, podman=given["podman"], cache_dir=given["cache_dir"]) if image else None,
                built=given["built"] or {},
                others=given["dependencies"],
                cluster=given["cluster"] or {},
                **{
                    name: given[name]
                    for name in (
                        *("cache_dir", "groups", "skip", "tests", "workload", "nodes", "volume_directory", "user"),
                        *("podman", "kind", "kubectl", "disk_gib", "memory_gib"),
                    )
                },
            )
        )
    except CoverageError as error:
        module.fail_json(**error.result("preflight_info"))
    findings = [finding.data() for finding in found]
    title = f"Preflight of {image['service']}" if image else "Preflight"
    result = {
        "findings": findings,
        "table": [line for line, _state in table(findings, title=title)],
        "summary": summary(findings),
        "preflight": {"title": title, "show": given["show"]},
        "seconds": round(time.monotonic() - started, 2),
    }
    wrong = verdict(found)
    if wrong is not None:
        module.fail_json(**wrong.result("preflight_info"), **result)
    passed = {finding.check for finding in found if finding.state == OK}
    checks = [name for names in GROUPS.values() for name in names if name in passed]
    module.exit_json(changed=False, checks=checks, **result)


if __name__ == "__main__":
    main()
