#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Get a container image by the first of several ways
version_added: 0.1.0
description:
  - Makes sure that podman has an image under a name, by an ordered list of ways. The image may be already present, lie
    in an archive, be in a registry, or be built on this host from a recipe.
  - The first way that serves ends the search. If none does, the error has one reason for each.
  - An image that is built here carries the hash of its recipe in the label C(coverage.kubernaut.io/recipe). Once the
    recipe changes, it no longer serves as present. An image without that label came from elsewhere and is taken as it
    is.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  name:
    description: The reference under which the image is to be found afterwards, with its tag.
    type: str
    required: true
  state:
    description:
      - V(present) gets the image.
      - V(absent) takes the name from it. An image that has no other name is removed.
    type: str
    choices: [present, absent]
    default: present
  ways:
    description:
      - The ways to try, in this order.
      - V(present) serves if podman has an image of that name which no other recipe made.
      - V(archive) serves if O(archive) exists and holds the image.
      - V(registry) serves if O(source), or else O(name), can be pulled. It gives up soon if there is no answer.
      - V(build) serves if O(recipe) or O(containerfile) is given. A build that fails ends the search.
    type: list
    elements: str
    choices: [present, archive, registry, build]
    default: [present, archive, registry, build]
  archive:
    description: File that C(podman save) wrote, in Docker's or OCI's layout, compressed or not.
    type: path
  source:
    description:
      - Reference to pull from a registry. What is pulled gets O(name) as well.
      - Without it O(name) is pulled, unless that begins with C(localhost/).
      - Credentials are those of podman's own C(auth.json). They are never read by this module.
    type: str
  recipe:
    description:
      - Folder on the managed host that has either a C(Containerfile) or an executable C(build).
      - The program is called with O(work_dir), O(name) and the recipe's hash. It prints its progress line by line,
        and leaves the image under that name with the label.
    type: path
  containerfile:
    description:
      - File to build O(context) by, in the place of a O(recipe). It is built each time, from podman's cached layers, so
        the way V(present) does not serve; it is a change where another image comes of it.
    type: path
  context:
    description: Folder to build from; that of O(containerfile) where it is not given.
    type: path
  build_args:
    description: Build arguments for O(containerfile).
    type: dict
    default: {}
  work_dir:
    description: Folder for intermediate results of a recipe that is a program. Required for those.
    type: path
  save_to:
    description: File to keep the image in as an archive, so that another host can take the way V(archive).
    type: path
  pull_timeout:
    description: Seconds that the pull may take once the registry has answered.
    type: int
    default: 1800
  executable:
    description: Name or path of podman.
    type: str
    default: podman
requirements:
  - python >= 3.11
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.attributes.idempotent
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Says which way would be tried first. That a registry answers and a build succeeds can only be known by doing it.
      - Whether a build by a O(containerfile) makes another image is not known before either; it is told as a change.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: containers.podman.podman_image
  - module: containers.podman.podman_load
"""

EXAMPLES = r"""
- name: Get the node image for kind from an archive, or build it
  kubernaut.coverage.image:
    name: localhost/kindest/node:v1.34.4
    ways: [present, archive, build]
    archive: /srv/images/kind-node.tar
    recipe: /srv/recipes/kind_node
    work_dir: /var/tmp/kind-node
    save_to: /srv/images/kind-node.tar

- name: Build the image of the end-to-end tests from a checkout
  kubernaut.coverage.image:
    name: localhost/datastorage-e2e:dev
    ways: [build]
    containerfile: /srv/kubernaut/test/e2e/Containerfile
    context: /srv/kubernaut
    save_to: /srv/images/datastorage-e2e.tar

- name: Pull an image and use it under a name of this host
  kubernaut.coverage.image:
    name: localhost/postgres:16
    source: registry.example.org/library/postgres:16-alpine
    ways: [present, registry]

- name: Remove an image
  kubernaut.coverage.image:
    name: localhost/kindest/node:v1.34.4
    state: absent
"""

RETURN = r"""
image:
  description: The image as it is found afterwards.
  returned: success
  type: dict
  contains:
    name:
      description: Its reference.
      type: str
      sample: localhost/kindest/node:v1.34.4
    id:
      description: Digest of its configuration. Empty in check mode where it cannot be known.
      type: str
      sample: 9b8f0f2ab6f9c3f5f6d6d5ecf4e5b5a0c7f6e0a6e3f0f5d3a1b2c3d4e5f60718
    recipe:
      description: Hash of the recipe. Empty without one.
      type: str
      sample: 3f1b8c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9
way:
  description: The way that gave the image.
  returned: when O(state=present)
  type: str
  sample: build
tried:
  description: The ways that were tried before and did not serve.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    way:
      description: The way.
      type: str
      sample: archive
    reason:
      description: Why it did not serve.
      type: str
      sample: there is no file /srv/images/kind-node.tar
saved:
  description: The archive that was written. Empty if there was nothing to write.
  returned: when O(state=present)
  type: str
  sample: /srv/images/kind-node.tar
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import (
    WAYS,
    ImageRequest,
    obtain,
    remove,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ways": {"type": "list", "elements": "str", "choices": list(WAYS), "default": list(WAYS)},
            "archive": {"type": "path"},
            "source": {"type": "str"},
            "recipe": {"type": "path"},
            "containerfile": {"type": "path"},
            "context": {"type": "path"},
            "build_args": {"type": "dict", "default": {}},
            "work_dir": {"type": "path"},
            "save_to": {"type": "path"},
            "pull_timeout": {"type": "int", "default": 1800},
            "executable": {"type": "str", "default": "podman"},
        },
        supports_check_mode=True,
    )
    given = module.params
    podman = Podman(given["executable"])
    try:
        if given["state"] == "absent":
            removed = remove(podman, given["name"], check_mode=module.check_mode)
            result = {"changed": removed, "image": {"name": given["name"], "id": "", "recipe": ""}}
            before, after = (given["name"] if removed else ""), ""
        else:
            request = ImageRequest(
                name=given["name"],
                ways=given["ways"],
                archive=given["archive"] or "",
                source=given["source"] or "",
                recipe=given["recipe"] or "",
                containerfile=given["containerfile"] or "",
                context=given["context"] or str(Path(given["containerfile"] or "").parent),
                build_args={str(key): str(value) for key, value in given["build_args"].items()},
                work_dir=given["work_dir"] or "",
                pull_timeout=given["pull_timeout"],
                save_to=given["save_to"] or "",
            )
            outcome = obtain(podman, request, check_mode=module.check_mode)
            result = {
                "changed": outcome.changed,
                "image": {"name": request.name, "id": outcome.id, "recipe": outcome.recipe_hash},
                "way": outcome.way,
                "tried": outcome.tried,
                "saved": outcome.saved,
            }
            before, after = outcome.id_before, outcome.id or f"by way of {outcome.way}"
    except CoverageError as error:
        module.fail_json(**error.result("image"))
    if module._diff:
        result["diff"] = {"before": f"{before}\n" if before else "", "after": f"{after}\n" if after else ""}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
