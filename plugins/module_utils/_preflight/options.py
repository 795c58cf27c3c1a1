# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The options of preflight_info, as an argument specification."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.options import (
    CLUSTER,
    PODMAN,
    Specification,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import GROUPS

STRING: dict[str, str] = {"type": "str", "default": ""}
SOURCE: Specification = {
    "module": {"type": "str"},
    "version": {"type": "str"},
    "package": {"type": "str"},
    "dir": {"type": "path"},
    "containerfile": {"type": "str"},
    "context": {"type": "str"},
    "target": {"type": "str"},
}
ARGUMENTS: Specification = {
    **PODMAN,
    "image": {
        "type": "dict",
        "options": {
            "service": {"type": "str", "required": True},
            "source": {"type": "dict", "required": True, "options": SOURCE},
            "base": {"type": "str", "default": "scratch"},
            "user": {"type": "str", "default": "65532:65532"},
            "covermode": {"type": "str", "default": "atomic"},
            "coverpkg": {"type": "list", "elements": "str", "default": []},
            "build_args": {"type": "dict", "default": {}},
            "go": {"type": "str", "default": "go"},
        },
    },
    "built": {
        "type": "dict",
        "options": {
            "reference": {"type": "str", "required": True},
            "archive": {"type": "path", "default": ""},
            "id": STRING,
        },
    },
    "tests": {
        "type": "dict",
        "options": {
            "command": {"type": "list", "elements": "str", "required": True},
            "dir": {"type": "path"},
            "environment": {"type": "dict", "default": {}},
        },
    },
    "workload": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str", "required": True},
            "kind": {"type": "str", "default": "Deployment"},
            "name": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "objects": {"type": "list", "elements": "dict", "default": []},
            "manifests": {"type": "list", "elements": "str", "default": []},
            "urls": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"url": {"type": "str", "required": True}, "checksum": {"type": "str", "default": ""}},
            },
            "dir": {"type": "path", "default": "/"},
        },
    },
    "dependencies": {"type": "bool", "default": False},
    "cluster": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            **CLUSTER,
            "port_mappings": {"type": "list", "elements": "dict", "default": []},
            "extra_mounts": {"type": "list", "elements": "dict", "default": []},
            "kubeconfig": {"type": "path", "default": ""},
            "recreate": {"type": "bool", "default": False},
        },
    },
    "nodes": {"type": "list", "elements": "str", "default": []},
    "volume_directory": STRING,
    "user": STRING,
    "cache_dir": {"type": "path", "required": True},
    "disk_gib": {"type": "float", "default": 3},
    "memory_gib": {"type": "float", "default": 0},
    "groups": {"type": "list", "elements": "str", "choices": list(GROUPS), "default": list(GROUPS)},
    "skip": {"type": "list", "elements": "str", "default": []},
    "show": {"type": "str", "choices": ["all", "problems"], "default": "all"},
    "kind": {"type": "str", "default": "kind"},
    "kubectl": {"type": "str", "default": "kubectl"},
}
