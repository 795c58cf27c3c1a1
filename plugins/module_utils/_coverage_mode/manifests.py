# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The normal objects as they are written down: found, read, put in order."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import WORKLOADS
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import (
    ManifestSources,
    Tools,
    read_sources,
)


def find_workload(objects: t.Sequence[Object], kind: str, name: str) -> Object:
    """Return the workload among the objects of a manifest.

    :raises InputError: there is none of that kind and name; the nearest is named.
    """
    names = []
    for item in objects:
        if item.get("kind") == kind:
            names.append(str((item.get("metadata") or {}).get("name")))
            if names[-1] == name:
                return item
    near = nearest_few(name, names, most=1) or names[:1]
    raise InputError(
        f"The manifests have no {kind} {name!r}" + (f"; the nearest is {near[0]!r}." if near else f", nor any {kind}."),
        setting="workload.name",
        cause="workload-not-in-manifests",
    )


def with_namespace(objects: t.Sequence[Object], namespace: str) -> list[Object]:
    """Return copies of the objects, those without a namespace in the given one.

    That namespace itself comes first, and workloads come last: a pod that is made before its ConfigMap looks for some
    seconds as if that was missing.
    """
    copies = [copy.deepcopy(item) for item in objects]
    for item in copies:
        # the API ignores it where a kind has none
        item.setdefault("metadata", {}).setdefault("namespace", namespace)
    if not any(item["kind"] == "Namespace" and item["metadata"]["name"] == namespace for item in copies):
        copies.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    return sorted(copies, key=lambda item: (item["kind"] in WORKLOADS) - (item["kind"] == "Namespace"))


def read_manifests(sources: ManifestSources, tools: Tools) -> list[Object]:
    """Return the objects of files, folders, kustomize folders and URLs.

    :raises CoverageError: one cannot be read, downloaded or built, or contains something that is not a Kubernetes
        object.
    """
    return [t.cast(Object, _plain(item.content)) for item in read_sources(sources, tools)]


def _plain(value: t.Any) -> t.Any:
    """Return a value without the lines that its mappings know."""
    if isinstance(value, dict):
        return {key: _plain(content) for key, content in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def as_yaml(item: Object) -> str:
    """Return an object as a person reads it."""
    import yaml

    return str(yaml.safe_dump(item))
