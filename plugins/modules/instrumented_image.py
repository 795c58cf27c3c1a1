#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instrumented_image
short_description: Build an instrumented image of a Go service, and verify it
version_added: 0.1.0
description:
  - Builds the image from a Go module or from a Containerfile, with Go's own C(-cover).
  - Verifies from the bytes of the image's program that it is instrumented, whether it was stripped or not, and that it
    has the required architecture. An image that fails this check is not kept.
  - Determines the image's name. It contains a hash of the recipe (Go module) or of the content (Containerfile), so that
    a stale image cannot be mistaken for a new one. Use RV(image.reference) of the result; do not construct the name
    yourself.
  - Saves the image as an archive, which M(kubernaut.coverage.node_image) loads onto the nodes of a cluster.
  - A Go module is built through a wrapper module, because C(go install -cover) instruments nothing.
author:
  - the kubernaut.coverage authors (@kubernaut)
requirements:
  - python >= 3.11
  - podman
  - Go 1.24 or later, for a Go module
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: partial
    details:
      - For a Go module the prediction is exact, and a source that does not exist is an error in check mode too.
      - What a Containerfile builds cannot be known without building it. A change is predicted if no image of this
        service, or of the given O(reference), exists.
  diff_mode:
    support: partial
    details:
      - In check mode, shows the command that would build a checkout's Containerfile.
options:
  service:
    description: >-
      Name of the service, also used in the name of the image. Lowercase letters, digits and single separators.
    type: str
    required: true
  state:
    description:
      - V(present) builds the image unless it exists.
      - V(absent) removes every image that was built for the service, and its archives.
    type: str
    choices: [present, absent]
    default: present
  source:
    description: Source of the service. Required with O(state=present).
    type: dict
    suboptions:
      module:
        description: Path of a Go module; C(path@version) is allowed.
        type: str
      version:
        description: Its version, or any version query of Go; C(latest) if empty.
        type: str
        default: ""
      package:
        description: The main package, as a path inside the module or an import path; the module's root if empty.
        type: str
        default: ""
      dir:
        description: Folder with the sources and a Containerfile.
        type: path
      containerfile:
        description: The Containerfile, relative to O(source.dir); C(Containerfile) or C(Dockerfile) if empty.
        type: str
        default: ""
      context:
        description: The build context, relative to O(source.dir); that folder itself if empty.
        type: str
        default: ""
      target:
        description: Stage of the Containerfile to build; the last one if empty.
        type: str
        default: ""
  reference:
    description:
      - Name of the image, to replace the default name. C(localhost/) and C(:latest) are added if missing.
      - Such a name can refer to different images over time; the default name cannot.
    type: str
    default: ""
  covermode:
    description: Coverage mode of a Go module's build. Only V(atomic) allows live snapshots.
    type: str
    choices: [set, count, atomic]
    default: atomic
  coverpkg:
    description: Package patterns to instrument in a Go module's build; all packages of the module if empty.
    type: list
    elements: str
    default: []
  ldflags:
    description: Linker flags of a Go module's build.
    type: str
    default: ""
  tags:
    description: Build tags of a Go module's build.
    type: list
    elements: str
    default: []
  goarch:
    description: Architecture (GOARCH) to build a module for and to require of every image; this host's if empty.
    type: str
    default: ""
  base:
    description: Base image of a Go module's image; V(scratch) is empty.
    type: str
    default: scratch
  user:
    description: User and group ids that a Go module's image runs as.
    type: str
    default: "65532:65532"
  expose:
    description: Ports that a Go module's image declares, for example V(8080/tcp).
    type: list
    elements: str
    default: []
  build_args:
    description: Build arguments of a Containerfile. C(GOFLAGS) is C(-cover -covermode=atomic) unless set here.
    type: dict
    default: {}
  build_options:
    description: Further arguments for C(podman build), one list element each.
    type: list
    elements: str
    default: []
  binary:
    description: Path in the image of the program to verify, if the workload starts another program than the entrypoint.
    type: str
    default: ""
  cache_dir:
    description: Folder for archives and builds.
    type: path
    default: ~/.cache/kubernaut-coverage
  go:
    description: Name or path of go.
    type: str
    default: go
  go_environment:
    description: Environment variables for go, such as C(GOPROXY), C(GOPRIVATE) or C(GOTOOLCHAIN).
    type: dict
    default: {}
seealso:
  - module: kubernaut.coverage.node_image
  - name: Coverage profiling support for integration tests
    description: What Go writes, and when.
    link: https://go.dev/doc/build-cover
"""

EXAMPLES = r"""
- name: Build a published service, instrumented
  kubernaut.coverage.instrumented_image:
    service: httpbin
    source:
      module: github.com/mccutchen/go-httpbin/v2
      version: v2.26.0
      package: cmd/go-httpbin
  register: built

- name: Build a service from its Containerfile
  kubernaut.coverage.instrumented_image:
    service: notification
    source:
      dir: ~/src/kubernaut
      containerfile: docker/notification-controller.Dockerfile
    build_args:
      GOFLAGS: -cover
  register: built

- name: Remove every image that was built for a service
  kubernaut.coverage.instrumented_image:
    service: httpbin
    state: absent
"""

RETURN = r"""
image:
  description: The image. In check mode RV(image.id) and RV(image.archive) are empty if it has not been built yet.
  returned: success with O(state=present)
  type: dict
  contains:
    reference:
      description: Name of the image, to be used by every later step.
      type: str
      returned: always
    id:
      description: >-
        Id of the image, the digest of its configuration, which is the same here, in the archive and on every node.
      type: str
      returned: always
    archive:
      description: The image as a docker archive.
      type: str
      returned: always
    architecture:
      description: Architecture of the program (GOARCH).
      type: str
      returned: when the image is there
    user:
      description: The user that the image runs as; if empty, root.
      type: str
      returned: when the image is there
    entrypoint:
      description: The image's entrypoint.
      type: list
      elements: str
      returned: when the image is there
    command:
      description: The image's command.
      type: list
      elements: str
      returned: when the image is there
    binary:
      description: Path of the instrumented program in the image.
      type: str
      returned: when the image is there
    main_package:
      description: Import path of the program's main package, from its build information.
      type: str
      returned: when the image is there
    go_version:
      description: The version of Go that built it.
      type: str
      returned: when the image is there
    instrumented:
      description: Always V(true), as proved.
      type: bool
      returned: when the image is there
    notes:
      description: Sentences about what is unusual and may surprise in the report.
      type: list
      elements: str
      returned: when the image is there
    build_command:
      description: The command that would build a checkout's Containerfile; shown with C(--diff), too.
      type: list
      elements: str
      returned: in check mode
    covermode:
      description: The coverage mode that was asked for.
      type: str
      returned: always
    coverpkg:
      description: The package patterns that were asked for; empty is Go's choice, the packages of the main module.
      type: list
      elements: str
      returned: always
    sources:
      description: Folders on this host with the source files of what is instrumented, by prefix of the import path.
      type: dict
      returned: always
  sample:
    architecture: amd64
    archive: /root/.cache/kubernaut-coverage/instrumented_image/httpbin/5f0c1a....tar
    binary: /usr/local/bin/go-httpbin
    command: []
    covermode: atomic
    coverpkg: [github.com/mccutchen/go-httpbin/v2/...]
    entrypoint: [/usr/local/bin/go-httpbin]
    go_version: go1.26.8
    id: 5f0c1a6be1f79d6e4d0d3d0d93d0f1a4e9a7f5fb0f4b6e5bd1c8a0a7a1d2c3b4
    instrumented: true
    main_package: github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin
    notes: []
    reference: localhost/httpbin:0b6d2c1f4e5a
    sources:
      github.com/mccutchen/go-httpbin/v2: /root/go/pkg/mod/github.com/mccutchen/go-httpbin/v2@v2.26.0
    user: 65532:65532
"""

import shlex

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.instrumented import ensure_image, remove_images
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import BuildRequest, ImageSource


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PODMAN,
            "service": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "source": {
                "type": "dict",
                "options": {
                    "module": {"type": "str"},
                    "version": {"type": "str", "default": ""},
                    "package": {"type": "str", "default": ""},
                    "dir": {"type": "path"},
                    "containerfile": {"type": "str", "default": ""},
                    "context": {"type": "str", "default": ""},
                    "target": {"type": "str", "default": ""},
                },
            },
            "reference": {"type": "str", "default": ""},
            "covermode": {"type": "str", "choices": ["set", "count", "atomic"], "default": "atomic"},
            "coverpkg": {"type": "list", "elements": "str", "default": []},
            "ldflags": {"type": "str", "default": ""},
            "tags": {"type": "list", "elements": "str", "default": []},
            "goarch": {"type": "str", "default": ""},
            "base": {"type": "str", "default": "scratch"},
            "user": {"type": "str", "default": "65532:65532"},
            "expose": {"type": "list", "elements": "str", "default": []},
            "build_args": {"type": "dict", "default": {}},
            "build_options": {"type": "list", "elements": "str", "default": []},
            "binary": {"type": "str", "default": ""},
            "cache_dir": {"type": "path", "default": "~/.cache/kubernaut-coverage"},
            "go": {"type": "str", "default": "go"},
            "go_environment": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ["source"])],
        supports_check_mode=True,
    )
    options = module.params
    request = BuildRequest(
        service=options["service"],
        source=ImageSource(**{key: value or "" for key, value in (options["source"] or {}).items()}),
        cache_dir=options["cache_dir"],
        reference=options["reference"],
        covermode=options["covermode"],
        coverpkg=tuple(options["coverpkg"]),
        ldflags=options["ldflags"],
        tags=tuple(options["tags"]),
        goarch=options["goarch"],
        base=options["base"],
        user=options["user"],
        ports=tuple(options["expose"]),
        build_args={key: str(value) for key, value in options["build_args"].items()},
        build_options=tuple(options["build_options"]),
        binary=options["binary"],
        go=options["go"],
        go_environment={key: str(value) for key, value in options["go_environment"].items()},
        podman=options["podman"],
    )
    try:
        if options["state"] == "absent":
            outcome = remove_images(request, check=module.check_mode)
            module.exit_json(changed=outcome.changed)
        outcome = ensure_image(request, check=module.check_mode)
    except CoverageError as error:
        module.fail_json(**error.result("instrumented_image"))
    for note in outcome.image.get("notes", []):
        module.warn(note)
    shown = {}
    command = outcome.image.get("build_command")
    if module._diff and outcome.changed and command:
        # a line each: options with their values
        text = shlex.join(command).replace(" --", " \\\n  --") + "\n"
        shown["diff"] = {"before": "", "after": text, "before_header": "", "after_header": "build command"}
    module.exit_json(changed=outcome.changed, image=outcome.image, **shown)


if __name__ == "__main__":
    main()
