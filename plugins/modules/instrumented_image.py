#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instrumented_image
short_description: Build an image of a Go service that counts coverage, and prove that it does
version_added: 0.1.0
description:
  - Builds the image from a Go module or from a Containerfile, with Go's own C(-cover).
  - Proves by the bytes of the program that the image starts that it is instrumented, whether it was stripped or not,
    and that it is built for the wanted architecture. An image that fails this proof is not kept.
  - Names the image once. The name holds a hash of the recipe (Go module) or of the content (Containerfile), so that
    a stale image cannot be mistaken for a new one. Take RV(image.reference) from the result and never build it again.
  - Saves the image as an archive that M(kubernaut.coverage.node_image) brings to the nodes of a cluster.
  - A Go module is built by way of a wrapper module, because C(go install -cover) instruments nothing.
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
      - For a Go module the prediction is exact, and what does not exist is an error already in check mode.
      - What a Containerfile builds cannot be known without building it. A change is predicted when no image of this
        service, or of the given O(reference), is there.
  diff_mode:
    support: partial
    details:
      - In check mode, shows the command that would build a checkout's Containerfile.
options:
  service:
    description: Name of the service; becomes the name of the image. Small letters, digits and single separators.
    type: str
    required: true
  state:
    description:
      - V(present) builds the image unless it is there.
      - V(absent) removes every image that was made for the service, and its archives.
    type: str
    choices: [present, absent]
    default: present
  source:
    description: Where the service comes from. Required with O(state=present).
    type: dict
    suboptions:
      module:
        description: Path of a Go module, also as C(path@version).
        type: str
      version:
        description: Its version, or anything that Go takes for one; C(latest) when empty.
        type: str
        default: ""
      package:
        description: The main package, as a path inside the module or an import path; the module's root when empty.
        type: str
        default: ""
      dir:
        description: A folder with the sources and a Containerfile.
        type: path
      containerfile:
        description: The Containerfile, relative to O(source.dir); C(Containerfile) or C(Dockerfile) when empty.
        type: str
        default: ""
      context:
        description: The build's context, relative to O(source.dir); that folder itself when empty.
        type: str
        default: ""
      target:
        description: Stage of the Containerfile to build; the last one when empty.
        type: str
        default: ""
  reference:
    description:
      - Name of the image, where one of its own is not wanted. C(localhost/) and C(:latest) are added where missing.
      - A name given here can mean different images at different times; the default cannot.
    type: str
    default: ""
  covermode:
    description: Coverage mode of a Go module's build. Only V(atomic) allows live snapshots.
    type: str
    choices: [set, count, atomic]
    default: atomic
  coverpkg:
    description: Package patterns to instrument in a Go module's build; all packages of the module when empty.
    type: list
    elements: str
    default: []
  ldflags:
    description: Flags for Go's linker in a Go module's build.
    type: str
    default: ""
  tags:
    description: Build tags of a Go module's build.
    type: list
    elements: str
    default: []
  goarch:
    description: Architecture, in Go's words, to build a module for and to expect of any image; this host's when empty.
    type: str
    default: ""
  base:
    description: Image to put a Go module's program on; V(scratch) is an empty one.
    type: str
    default: scratch
  user:
    description: User and group ids that a Go module's image runs as.
    type: str
    default: "65532:65532"
  expose:
    description: Ports that a Go module's image declares, as V(8080/tcp).
    type: list
    elements: str
    default: []
  build_args:
    description: Build arguments of a Containerfile. C(GOFLAGS) is C(-cover -covermode=atomic) unless given here.
    type: dict
    default: {}
  build_options:
    description: Further arguments for C(podman build), one list element each.
    type: list
    elements: str
    default: []
  binary:
    description: Path, in the image, of the program to prove, where the workload starts another than the entrypoint.
    type: str
    default: ""
  cache_dir:
    description: Folder for archives and builds.
    type: path
    default: ~/.cache/kubernaut-coverage
  go:
    description: The go command, by name or path.
    type: str
    default: go
  go_environment:
    description: Environment variables for the go command, such as C(GOPROXY), C(GOPRIVATE) or C(GOTOOLCHAIN).
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

- name: Remove every image that was made for a service
  kubernaut.coverage.instrumented_image:
    service: httpbin
    state: absent
"""

RETURN = r"""
image:
  description: The image. In check mode RV(image.id) and RV(image.archive) are empty where it is yet to be built.
  returned: success with O(state=present)
  type: dict
  contains:
    reference:
      description: The one name of the image, to be used by every later step.
      type: str
      returned: always
    id:
      description: Id of the image, which is the digest of its configuration, here, in the archive and on every node.
      type: str
      returned: always
    archive:
      description: The image as a docker archive.
      type: str
      returned: always
    architecture:
      description: What the program is built for, in Go's words.
      type: str
      returned: when the image is there
    user:
      description: The user that the image runs as; empty is root.
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
      description: The Go that built it.
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
