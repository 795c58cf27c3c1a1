# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The options that several modules share, as argument specifications.

AUTH is documented in kubernetes.core's fragment C(k8s_auth_options), PODMAN, WORKLOAD and OBSERVED in fragments of that
name (C(plugins/doc_fragments)). A module that differs in one of them, because it requires it or says more of it, states
that one after the shared ones.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

Specification = dict[str, dict[str, t.Any]]

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")

# how to reach the API server
AUTH: Specification = dict(AUTH_ARG_SPEC)
PODMAN: Specification = {"podman": {"type": "str", "default": "podman"}}
# which workload
WORKLOAD: Specification = {
    "namespace": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": list(KINDS), "default": "Deployment"},
    "name": {"type": "str", "required": True},
}
# where a workload is observed
OBSERVED: Specification = {
    "container": {"type": "str", "default": ""},
    "url": {"type": "str", "default": ""},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "volume_directory": {"type": "str", "default": ""},
}
# conditions in JMESPath over live objects
UNTIL: Specification = {
    "until": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "kind": {"type": "str", "required": True},
            "name": {"type": "str", "default": ""},
            "selector": {"type": "str", "default": ""},
            "api_version": {"type": "str", "default": ""},
            "namespace": {"type": "str", "default": ""},
            "condition": {"type": "str", "required": True},
        },
    }
}
# the configuration of a kind cluster
CLUSTER: Specification = {
    "node_image": {"type": "str", "default": "localhost/kindest/node:v1.34.4"},
    "workers": {"type": "int", "default": 0},
    "kubeadm_patches": {"type": "list", "elements": "str", "default": []},
}


def required(option: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return an option that has to be given, in the place of one that has a default."""
    return {**{key: value for key, value in option.items() if key != "default"}, "required": True}
