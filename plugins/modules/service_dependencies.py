#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_dependencies
short_description: Run the dependencies of a service under test, PostgreSQL, Redis or any manifests
version_added: 0.1.0
description:
  - Starts dependencies in a namespace, in parallel unless one requires another. A server is ready when it has answered
    a query through its Service and has the schema of its migrations. Manifests are ready when their conditions hold.
  - Invalid settings and files of a dependency are reported before anything is changed.
  - An image comes from the first available source. If no registry is reachable, it is built from Debian packages.
  - Credentials are given, or generated once and stored in a Secret. They do not appear in results or logs.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  state:
    description:
      - V(present) starts the dependencies.
      - V(absent) deletes servers with their data, their Secrets and claims, and the objects of manifests that this
        module created, including CustomResourceDefinitions. The namespace is kept.
      - V(images) only provides the images of servers on this host, and on the nodes of O(cluster) that exist. They can
        so be loaded while the cluster starts; V(present) loads what is still missing.
    type: str
    choices: [present, absent, images]
    default: present
  cluster:
    description: With O(state=images), name of the kind cluster, which need not exist yet.
    type: str
    default: ""
  namespace:
    description: Namespace of the dependencies, created if it does not exist. Required except with O(state=images).
    type: str
  nodes:
    description: Names of the node containers onto which the images are loaded. Empty if the nodes already have them.
    type: list
    elements: str
    default: []
  servers:
    description: The dependencies.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the dependency, and of a server's Service, Deployment and claim.
        type: str
        required: true
      kind:
        description: Kind of the dependency, V(postgresql), V(redis) or V(manifests).
        type: str
        required: true
      after:
        description: Names of dependencies that must be ready first.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds that it may take to become ready after it is started. With 0, O(timeout).
        type: int
        default: 0
      version:
        description:
          - Version in the registry, V(16) or V(7) by default. A built image has the version of Debian's packages
            instead; RV(servers[].version) tells it.
        type: str
        default: ""
      image:
        description: Image in a registry, instead of the default one.
        type: str
        default: ""
      database:
        description: Database to create. PostgreSQL only.
        type: str
        default: coverage
      user:
        description: User that owns the database. PostgreSQL only; set together with the password, or not at all.
        type: str
      password:
        description:
          - The user's password. If not set, one is generated and stored in the Secret.
          - For Redis, an empty password turns authentication off.
        type: str
      secret:
        description: Name of the Secret with the credentials, the name with C(-credentials) by default.
        type: str
        default: ""
      node_port:
        description: NodePort of the Service. 0 for none.
        type: int
        default: 0
      storage:
        description: Size of a claim for the data. If empty, the data are deleted with the pod.
        type: str
        default: ""
      resources:
        description: Requests and limits of the container.
        type: dict
        default: {}
      migrations:
        description:
          - Migrations that create the schema. PostgreSQL only. Files, a command, or a Job; afterwards the tables are
            checked.
          - A command or a Job is run once for each database and content. The content is all its settings and every file
            of O(servers[].migrations.dir).
        type: dict
        suboptions:
          dir:
            description:
              - Folder of C(*.sql) on the managed host, applied in the order of their numbers.
              - With a command or a Job, the folder with the files that those apply.
            type: path
            default: ""
          init_sql:
            description: SQL that is run once, before everything else.
            type: str
            default: ""
          command:
            description:
              - Program and arguments, run on the managed host while a port is forwarded to the database.
              - Its environment has E(DATABASE_URL), E(PGHOST), E(PGPORT), E(PGUSER), E(PGPASSWORD), E(PGDATABASE),
                E(PGSSLMODE), E(GOOSE_DRIVER) and E(GOOSE_DBSTRING).
            type: list
            elements: str
            default: []
          chdir:
            description: Folder that the command runs in, O(servers[].migrations.dir) where empty.
            type: path
            default: ""
          environment:
            description: >-
              Additional environment variables for the command. C($NAME) in a value refers to one of those above.
            type: dict
            default: {}
          job:
            description: >-
              Objects, exactly one of which is a Job. Mutually exclusive with O(servers[].migrations.command).
            type: dict
            suboptions:
              manifests:
                description: Files and folders.
                type: list
                elements: path
                default: []
              objects:
                description: The objects themselves.
                type: list
                elements: dict
                default: []
          timeout:
            description: Seconds for the command or the Job.
            type: int
            default: 600
          format:
            description:
              - V(goose) applies the Up part of each file, in a transaction unless it says C(NO TRANSACTION).
              - V(plain) applies a file as psql runs it.
              - V(auto) decides for each file by goose's annotations.
            type: str
            choices: [auto, plain, goose]
            default: auto
          tables:
            description: Tables that must exist afterwards, with their schema if it is not the default one.
            type: list
            elements: str
            default: []
      manifests:
        description:
          - Files, folders (their C(.yaml), C(.yml) and C(.json)), kustomize folders, which O(kubectl) builds, and URLs.
          - Manifests only, like the following options.
        type: list
        elements: path
        default: []
      urls:
        description: Manifests at URLs.
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
      objects:
        description: Manifests, inline.
        type: list
        elements: dict
        default: []
      namespace:
        description: Namespace of objects that name none. If empty, O(namespace). Created if it does not exist.
        type: str
        default: ""
      until:
        description:
          - What is waited for, all of it. A workload that cannot become ready ends the wait at once, with the cause.
          - By default, until each workload is rolled out, each Job is complete and each CustomResourceDefinition is
            established.
        type: list
        elements: dict
        default: []
        suboptions:
          kind:
            description: Kind of the object.
            type: str
            required: true
          name:
            description: Its name. Either this or O(servers[].until[].selector).
            type: str
            default: ""
          selector:
            description: Labels. The condition is then evaluated over all objects that have them, as the list C(items).
            type: str
            default: ""
          api_version:
            description: Its C(apiVersion); if empty, the one that the cluster prefers.
            type: str
            default: ""
          namespace:
            description: Its namespace, O(servers[].namespace) where empty.
            type: str
            default: ""
          condition:
            description: JMESPath over the live object. It is true unless the result is null, false or empty.
            type: str
            required: true
  recipe:
    description: Folder of the recipe that builds an image from Debian packages.
    type: path
    required: true
  cache_dir:
    description: Folder for the images' archives.
    type: path
    required: true
  ways:
    description: The sources of an image, in this order. See M(kubernaut.coverage.image).
    type: list
    elements: str
    choices: [present, archive, registry, build]
    default: [present, registry, build]
  timeout:
    description: Seconds that each dependency may take to become ready after it is started.
    type: int
    default: 120
  kubectl:
    description: Name or path of kubectl, which builds kustomize folders.
    type: str
    default: kubectl
requirements:
  - python >= 3.11
  - kubernetes (Python library)
  - jmespath (Python library), for conditions
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.attributes.idempotent
  - kubernetes.core.k8s_auth_options
  - kubernaut.coverage.podman
attributes:
  platform:
    platforms: linux
    support: full
  check_mode:
    support: full
    details:
      - Asks the API server for a dry run. If there is no cluster yet, files are still read and URLs downloaded.
  diff_mode:
    support: full
    details:
      - Shows the objects. Values of Secrets are left out.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Run the dependencies of the data store
  kubernaut.coverage.service_dependencies:
    kubeconfig: ~/.cache/kubernaut-coverage/clusters/datastorage-e2e/kubeconfig
    namespace: datastorage-e2e
    nodes: [datastorage-e2e-control-plane]
    servers:
      - name: postgresql
        kind: postgresql
        database: action_history
        migrations:
          dir: ~/src/kubernaut/migrations
          tables: [audit_events]
      - name: redis
        kind: redis
      - name: crds
        kind: manifests
        manifests: [~/src/kubernaut/config/crd]
      - name: pipelines
        kind: manifests
        after: [crds]
        urls:
          - url: https://example.org/pipelines/v1.7.0/release.yaml
        until:
          - kind: EndpointSlice
            namespace: pipelines
            selector: kubernetes.io/service-name=pipelines-webhook
            condition: items[].endpoints[] | [?conditions.ready]
    recipe: ~/recipes/database_servers
    cache_dir: ~/.cache/kubernaut-coverage/service_dependencies
"""

RETURN = r"""
servers:
  description: The facts of each dependency that the service needs. Credentials are only in the Secret.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    name:
      description: Its name; of a server, that of its Service.
      type: str
    kind:
      description: Its kind.
      type: str
    host:
      description: A server's name in the cluster's DNS.
      type: str
      sample: postgresql.datastorage-e2e.svc.cluster.local
    port:
      description: A server's port.
      type: int
      sample: 5432
    node_port:
      description: A server's NodePort, 0 for none.
      type: int
    database:
      description: Name of the database. Empty for Redis.
      type: str
    secret:
      description: Name of the Secret with a server's credentials.
      type: str
    objects:
      description: Objects of manifests.
      type: list
      elements: str
    version:
      description: Version of the running server. Empty in check mode.
      type: str
      sample: "15.18"
    applied:
      description: Migrations that this run applied.
      type: list
      elements: str
    seconds:
      description: Seconds between start and readiness, without migrations.
      type: float
changes:
  description: The changes, one phrase each.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import AUTH, PODMAN
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.dependency_spec import module_options
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.bring_up import (
    Ready,
    bring_up,
    take_down,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.contents import read_contents
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.entries import describe_entry, entry_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.images import ImageSettings, bring_images
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.manifests import differences
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import access_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import Tools

NEEDED: dict[str, t.Any] = {"type": "str", "required": True}
# the library has better error messages for each kind
SERVER = {"name": NEEDED, **module_options(), "kind": NEEDED}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH,
            **PODMAN,
            "state": {"type": "str", "choices": ["present", "absent", "images"], "default": "present"},
            "cluster": {"type": "str", "default": ""},
            "namespace": {"type": "str"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "servers": {"type": "list", "elements": "dict", "required": True, "options": SERVER},
            "recipe": {"type": "path", "required": True},
            "cache_dir": {"type": "path", "required": True},
            "ways": {
                "type": "list",
                "elements": "str",
                "choices": ["present", "archive", "registry", "build"],
                "default": ["present", "registry", "build"],
            },
            "timeout": {"type": "int", "default": 120},
            "kubectl": {"type": "str", "default": "kubectl"},
        },
        required_if=[
            ("state", "present", ("namespace",)),
            ("state", "absent", ("namespace",)),
        ],
        supports_check_mode=True,
    )
    given, namespace, access = module.params, module.params["namespace"], access_of(module)
    tools = Tools(given["kubectl"], given["cache_dir"], keep=not module.check_mode)
    images = ImageSettings(
        recipe=given["recipe"], cache_dir=given["cache_dir"], ways=tuple(given["ways"]), podman=given["podman"]
    )
    try:
        entries = [entry_of(item) for item in given["servers"]]
        if given["state"] == "images":
            changes = bring_images(entries, images, given["cluster"], check=module.check_mode)
            module.exit_json(changed=bool(changes), changes=changes)
        if module.check_mode and access.absent:
            # the cluster itself does not exist yet
            present = given["state"] == "present"
            if present:
                read_contents(entries, tools)
            described = [describe_entry(entry, namespace) | _outcome(Ready(entry)) for entry in entries]
            module.exit_json(changed=present, changes=[], servers=described)
        cluster = Cluster(access)
        if given["state"] == "absent":
            changes, pairs = take_down(cluster, entries, namespace, check=module.check_mode)
            module.exit_json(changed=bool(changes), changes=changes, **_shown(module, pairs))
        results = bring_up(
            cluster,
            entries,
            namespace,
            nodes=given["nodes"],
            images=images,
            timeout=given["timeout"],
            tools=tools,
            check=module.check_mode,
        )
    except CoverageError as error:
        module.fail_json(**error.result("service_dependencies"))
    for result in results:
        asked, runs = getattr(result.entry, "version", ""), result.version
        if asked and runs and not f"{runs}.".startswith(f"{asked}."):
            module.warn(
                f"{result.entry.name}: version {asked} was requested, but {runs} is running. No registry had the image,"
                " so it was built from Debian packages, which have one version."
            )
    changes = [change for result in results for change in result.changed]
    changes += [f"migration {name} of {result.entry.name}" for result in results for name in result.applied]
    module.exit_json(
        changed=bool(changes),
        changes=changes,
        servers=[describe_entry(result.entry, namespace) | _outcome(result) for result in results],
        **_shown(module, [pair for result in results for pair in result.pairs]),
    )


def _shown(module: AnsibleModule, pairs: t.Sequence[t.Any]) -> dict[str, t.Any]:
    """Return what C(--diff) shows, where it is asked for."""
    return {"diff": differences(pairs)} if module._diff else {}


def _outcome(result: Ready) -> dict[str, t.Any]:
    return {
        "version": result.version,
        "applied": result.applied,
        "objects": result.objects,
        "seconds": result.seconds,
    }


if __name__ == "__main__":
    main()
