#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Provide a container image from the first available source
version_added: 0.1.0
description:
  - Ensures that podman has an image of a given name. Sources are tried in order. The image may already be present, be
    in an archive or in a registry, or be built on this host from a recipe.
  - The first source that has the image is used. If none has, the error gives the reason for each.
  - An image that is built here has the hash of its recipe in the label C(coverage.kubernaut.io/recipe). If the recipe
    changes, the image no longer counts as present. An image without that label comes from elsewhere and is used as it
    is.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  name:
    description: Reference of the image, with its tag.
    type: str
    required: true
  state:
    description:
      - V(present) provides the image.
      - V(absent) removes the name. An image without another name is removed.
    type: str
    choices: [present, absent]
    default: present
  ways:
    description:
      - The sources to try, in this order.
      - V(present) applies if podman has an image of that name that was not built from another recipe.
      - V(archive) applies if O(archive) exists and contains the image.
      - V(registry) applies if O(source), or else O(name), can be pulled. It gives up quickly if the registry does not
        answer.
      - V(build) applies if O(recipe) or O(containerfile) is set. If the build fails, the task fails.
    type: list
    elements: str
    choices: [present, archive, registry, build]
    default: [present, archive, registry, build]
  archive:
    description: File written by C(podman save), in Docker or OCI layout, compressed or not.
    type: path
  source:
    description:
      - Reference to pull from a registry. The image is also tagged with O(name).
      - The default is O(name), unless that begins with C(localhost/).
      - podman uses the credentials of its own C(auth.json). This module never reads them.
    type: str
  recipe:
    description:
      - Folder on the managed host with either a C(Containerfile) or an executable C(build).
      - The executable is called with O(work_dir), O(name) and the recipe's hash. It prints its progress line by line,
        and creates the image of that name with the label.
    type: path
  containerfile:
    description:
      - Containerfile for O(context), instead of a O(recipe). It is built each time with podman's cached layers, so
        V(present) does not apply; a change is reported if the resulting image differs.
    type: path
  context:
    description: Build context; by default the folder of O(containerfile).
    type: path
  build_args:
    description: Build arguments for O(containerfile).
    type: dict
    default: {}
  work_dir:
    description: Folder for intermediate results of a recipe with an executable C(build). Required for such a recipe.
    type: path
  save_to:
    description: File to save the image to, so that another host can use the source V(archive).
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
      - Reports which source would be tried first. Whether a registry answers and a build succeeds is only known when it
        is done.
      - Whether a build from O(containerfile) gives a different image is not known in advance; a change is predicted.
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
  description: The resulting image.
  returned: success
  type: dict
  contains:
    name:
      description: Its reference.
      type: str
      sample: localhost/kindest/node:v1.34.4
    id:
      description: Digest of its configuration. Empty in check mode if it is not known.
      type: str
      sample: 9b8f0f2ab6f9c3f5f6d6d5ecf4e5b5a0c7f6e0a6e3f0f5d3a1b2c3d4e5f60718
    recipe:
      description: Hash of the recipe. Empty without one.
      type: str
      sample: 3f1b8c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9
way:
  description: The source of the image.
  returned: when O(state=present)
  type: str
  sample: build
tried:
  description: The sources that were tried before and did not have the image.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    way:
      description: The source.
      type: str
      sample: archive
    reason:
      description: Why it was not used.
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
