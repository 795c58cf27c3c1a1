# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The keys of a dependency, for the contract and for the module service_dependencies.

In the form of the contract's definition (see C(spec)), with one key more: C(path) marks what is a path, or a list of
them. In a contract those are relative to the source; the module takes them as paths of the host.
"""

from __future__ import annotations

import typing as t

# one condition over a live object; of a dependency's manifests, and of the service itself
UNTIL: dict[str, t.Any] = {
    "kind": {"type": "str", "required": True, "description": "Kind of the object."},
    "name": {"type": "str", "default": "", "description": "Its name; or a selector."},
    "selector": {
        "type": "str",
        "default": "",
        "description": "Labels; the condition is then over C({items: [...]}).",
    },
    "api_version": {
        "type": "str",
        "default": "",
        "description": "Its C(apiVersion); if empty, the cluster's preferred one.",
    },
    "namespace": {
        "type": "str",
        "default": "",
        "description": "Its namespace; the service's or manifests' where empty.",
    },
    "condition": {
        "type": "str",
        "required": True,
        "description": "JMESPath over the live object; true when it is not null, false or empty.",
    },
}

# a manifest in the network; of a dependency, and of the service itself
URL: dict[str, t.Any] = {
    "url": {"type": "str", "required": True, "description": "C(https://...)."},
    "checksum": {
        "type": "str",
        "default": "",
        "description": "C(sha256:...) of it; then it is downloaded once and kept, otherwise each time.",
    },
}

DEPENDENCY: dict[str, dict[str, t.Any]] = {
    "kind": {
        "type": "str",
        "required": True,
        "choices": ["postgresql", "redis", "manifests"],
        "description": "What it is.",
    },
    "after": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Names of dependencies that must be ready first. All others start in parallel.",
    },
    "timeout": {
        "type": "int",
        "default": 0,
        "description": "Seconds until it is ready; 0 for C(service_dependencies_timeout).",
    },
    "version": {
        "type": "str",
        "default": "",
        "description": "Version in the registry. An image that is built on the runner has Debian's instead.",
    },
    "image": {"type": "str", "default": "", "description": "A different image in a registry."},
    "database": {"type": "str", "default": "coverage", "description": "Database to create (PostgreSQL)."},
    "user": {"type": "str", "description": "Its owner (PostgreSQL); set it together with the password or not at all."},
    "password": {
        "type": "str",
        "no_log": True,
        "description": "For test credentials that are not secret: it appears in verbose output. Made up and kept"
        " in the Secret where it is missing; empty for a Redis without one.",
    },
    "secret": {
        "type": "str",
        # the name of a Secret is none
        "no_log": False,
        "default": "",
        "description": "Name of the Secret with the credentials, which are read from it if it exists; the"
        " name with C(-credentials) by default.",
    },
    "node_port": {"type": "int", "default": 0, "description": "NodePort of its Service; 0 for none."},
    "storage": {
        "type": "str",
        "default": "",
        "description": "Size of a claim for its data, which go with the pod where this is empty.",
    },
    "resources": {"type": "dict", "default": {}, "description": "Requests and limits of its container."},
    "migrations": {
        "type": "dict",
        "description": "What creates the schema (PostgreSQL): SQL files, a command or a Job.",
        "mutually_exclusive": [("command", "job")],
        "required_one_of": [("dir", "command", "job", "init_sql")],
        "options": {
            "dir": {
                "type": "str",
                "path": True,
                "default": "",
                "description": "Folder of C(*.sql), relative to O(source.dir). With a command or a Job, what"
                " those apply: they run again when its content is another.",
            },
            "format": {
                "type": "str",
                "default": "auto",
                "choices": ["auto", "plain", "goose"],
                "description": "Whether files are goose's; by their marks where C(auto).",
            },
            "tables": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Tables that must exist afterwards.",
            },
            "init_sql": {
                "type": "str",
                "default": "",
                "description": "SQL that runs once, before everything else: roles and grants.",
            },
            "command": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Program and arguments that migrate, run on the runner. The way to the database"
                " is in its environment: see [dependencies](dependencies.md#migrations).",
            },
            "chdir": {
                "type": "str",
                "path": True,
                "default": "",
                "description": "Folder that the command runs in, relative to O(source.dir);"
                " O(dependencies.<name>.migrations.dir) or else O(source.dir) where empty.",
            },
            "environment": {
                "type": "dict",
                "default": {},
                "description": "Additional variables for the command; C($NAME) in a value is one of those it has.",
            },
            "job": {
                "type": "dict",
                "description": "A Job that migrates, in the namespace of the service.",
                "required_one_of": [("manifests", "objects")],
                "options": {
                    "manifests": {
                        "type": "list",
                        "path": True,
                        "elements": "str",
                        "default": [],
                        "description": "Files, folders, kustomize folders and URLs with the Job and what it needs;"
                        " paths are relative to O(source.dir).",
                    },
                    "objects": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "description": "The same, inline.",
                    },
                },
            },
            "timeout": {
                "type": "int",
                "default": 600,
                "description": "Seconds after which the command or the Job has failed.",
            },
        },
    },
    "manifests": {
        "type": "list",
        "path": True,
        "elements": "str",
        "default": [],
        "description": "Files, folders and kustomize folders, relative to O(source.dir), and URLs.",
    },
    "urls": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "description": "More manifests in the network, with their checksums.",
        "options": URL,
    },
    "objects": {"type": "list", "elements": "dict", "default": [], "description": "Manifests, inline."},
    "namespace": {
        "type": "str",
        "default": "",
        "description": "Namespace of manifests that name none; that of the service where empty.",
    },
    "until": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "description": "What manifests are ready by, all of it; what their kinds say where empty.",
        "options": UNTIL,
    },
}

# what a module's argument specification takes of it
KEPT = ("type", "elements", "default", "required", "choices", "no_log")


def module_options(specification: t.Optional[t.Mapping[str, t.Mapping[str, t.Any]]] = None) -> dict[str, t.Any]:
    """Return the options of a module that takes a dependency: without what is said of several keys together, which the
    library checks.
    """
    options: dict[str, t.Any] = {}
    for key, rule in (DEPENDENCY if specification is None else specification).items():
        option = {name: rule[name] for name in KEPT if name in rule}
        if rule.get("path"):
            option["elements" if rule["type"] == "list" else "type"] = "path"
        if "options" in rule:
            option["options"] = module_options(rule["options"])
        options[key] = option
    return options
