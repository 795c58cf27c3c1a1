#!/usr/bin/python
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_dependencies
short_description: Run PostgreSQL and Redis for a service under test
version_added: 0.1.0
description:
  - Brings real servers up in a namespace, side by side, and returns when each has answered a query through its Service
    and has the schema that its migrations make.
  - An image is had by the first of several ways. Where no registry is in reach it is built from Debian packages.
  - Credentials are given, or made up once and kept in a Secret. They are in no result and in no log.
author:
  - the kubernaut.coverage authors (@kubernaut)
options:
  state:
    description:
      - V(present) brings the servers up.
      - V(absent) deletes them with their data, their Secrets and claims. The namespace stays.
    type: str
    choices: [present, absent]
    default: present
  kubeconfig:
    description: The cluster's kubeconfig.
    type: path
    required: true
  namespace:
    description: Where the servers run. It is made where it is missing.
    type: str
    required: true
  nodes:
    description: Containers of the kind nodes that get the images. Empty where the nodes have them already.
    type: list
    elements: str
    default: []
  servers:
    description: The servers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the Service, the Deployment and the claim.
        type: str
        required: true
      kind:
        description: What it is, V(postgresql) or V(redis).
        type: str
        required: true
      version:
        description:
          - Version in the registry, V(16) or V(7) by default. A built image has the version of Debian's packages
            instead; RV(servers[].version) tells it.
        type: str
        default: ""
      image:
        description: Another image in a registry.
        type: str
        default: ""
      database:
        description: Database to be made. PostgreSQL only.
        type: str
        default: coverage
      user:
        description: User that owns the database. PostgreSQL only; given together with the password, or not at all.
        type: str
      password:
        description:
          - The user's password. Where it is not given, one is made up and kept in the Secret.
          - For Redis, an empty one switches authentication off.
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
        description: Size of a claim for the data. Where it is empty they go with the pod.
        type: str
        default: ""
      resources:
        description: Requests and limits of the container.
        type: dict
        default: {}
      migrations:
        description: SQL files that make the schema. PostgreSQL only.
        type: dict
        suboptions:
          dir:
            description: Folder of C(*.sql) on the managed host, applied in the order of their numbers.
            type: path
            required: true
          format:
            description:
              - V(goose) applies the Up part of each file, in a transaction unless it says C(NO TRANSACTION).
              - V(plain) applies a file as psql runs it.
              - V(auto) tells them apart by goose's marks, file by file.
            type: str
            choices: [auto, plain, goose]
            default: auto
          tables:
            description: Tables that have to be there afterwards, with their schema where it is not the default one.
            type: list
            elements: str
            default: []
  recipe:
    description: Folder of the recipe that builds an image from Debian packages.
    type: path
    required: true
  cache_dir:
    description: Folder that keeps the images' archives.
    type: path
    required: true
  ways:
    description: The ways to an image, in this order. See M(kubernaut.coverage.image).
    type: list
    elements: str
    choices: [present, archive, registry, build]
    default: [present, registry, build]
  timeout:
    description: Seconds for all servers to answer.
    type: int
    default: 120
  podman:
    description: Name or path of podman.
    type: str
    default: podman
extends_documentation_fragment:
  - kubernaut.coverage.attributes
  - kubernaut.coverage.attributes.idempotent
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Run what the data store needs
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
    recipe: ~/recipes/database_servers
    cache_dir: ~/.cache/kubernaut-coverage/service_dependencies
"""

RETURN = r"""
servers:
  description: What the service has to know of each server. Credentials are in the Secret alone.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    name:
      description: Name of its Service.
      type: str
    kind:
      description: What it is.
      type: str
    host:
      description: Its name in the cluster's DNS.
      type: str
      sample: postgresql.datastorage-e2e.svc.cluster.local
    port:
      description: Its port.
      type: int
      sample: 5432
    node_port:
      description: Its NodePort, 0 for none.
      type: int
    database:
      description: The database. Empty for Redis.
      type: str
    secret:
      description: Name of the Secret with the credentials.
      type: str
    version:
      description: Version that runs. Empty in check mode.
      type: str
      sample: "15.18"
    applied:
      description: Migrations that this run applied.
      type: list
      elements: str
    seconds:
      description: Seconds until it answered its first query, from when its image was on the nodes.
      type: float
changes:
  description: What was changed, one phrase each.
  returned: success
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.bring_up import (
    ImageSettings,
    bring_up,
    take_down,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import (
    Migrations,
    Server,
    check,
    describe,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import Cluster

# of a server that does not run yet
UNKNOWN: dict[str, t.Any] = {"version": "", "applied": [], "seconds": 0.0}
SERVER = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "required": True},
    "version": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "database": {"type": "str", "default": "coverage"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    # the name of a Secret is none
    "secret": {"type": "str", "default": "", "no_log": False},
    "node_port": {"type": "int", "default": 0},
    "storage": {"type": "str", "default": ""},
    "resources": {"type": "dict", "default": {}},
    "migrations": {
        "type": "dict",
        "options": {
            "dir": {"type": "path", "required": True},
            "format": {"type": "str", "choices": ["auto", "plain", "goose"], "default": "auto"},
            "tables": {"type": "list", "elements": "str", "default": []},
        },
    },
}


def _server(given: dict[str, t.Any]) -> Server:
    migrations = given["migrations"]
    if migrations:
        migrations = Migrations(migrations["dir"], format=migrations["format"], tables=tuple(migrations["tables"]))
    return Server(**{**given, "migrations": migrations})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
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
            "podman": {"type": "str", "default": "podman"},
        },
        supports_check_mode=True,
    )
    given = module.params
    servers = [_server(item) for item in given["servers"]]
    try:
        if module.check_mode and not Path(given["kubeconfig"]).is_file():
            # the cluster itself is to be made, too
            check(servers)
            module.exit_json(
                changed=given["state"] == "present",
                changes=[],
                servers=[{**describe(server, given["namespace"]), **UNKNOWN} for server in servers],
            )
        cluster = Cluster(given["kubeconfig"])
        if given["state"] == "absent":
            changes = take_down(cluster, servers, given["namespace"], check=module.check_mode)
            module.exit_json(changed=bool(changes), changes=changes)
        results = bring_up(
            cluster,
            servers,
            given["namespace"],
            nodes=given["nodes"],
            images=ImageSettings(
                recipe=given["recipe"],
                cache_dir=given["cache_dir"],
                ways=tuple(given["ways"]),
                podman=given["podman"],
            ),
            timeout=given["timeout"],
            check=module.check_mode,
        )
    except CoverageError as error:
        module.fail_json(**error.result())
    for result in results:
        asked, runs = result.server.version, result.version
        if asked and runs and not f"{runs}.".startswith(f"{asked}."):
            module.warn(
                f"{result.server.name}: version {asked} was asked for, and {runs} runs. No registry gave the image, so"
                " it was built from Debian packages, which have one version."
            )
    changes = [change for result in results for change in result.changed]
    changes += [f"migration {name} of {result.server.name}" for result in results for name in result.applied]
    module.exit_json(
        changed=bool(changes),
        changes=changes,
        servers=[
            {
                **describe(result.server, given["namespace"]),
                "version": result.version,
                "applied": result.applied,
                "seconds": result.seconds,
            }
            for result in results
        ],
    )


if __name__ == "__main__":
    main()
