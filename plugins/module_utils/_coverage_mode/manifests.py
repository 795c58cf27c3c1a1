# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The normal objects as they are written down: found, read, put in order."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import WORKLOADS
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object


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


def read_manifests(paths: t.Sequence[str], directory: str) -> list[Object]:
    """Return the objects of YAML or JSON files; relative paths lie under C(directory).

    :raises InputError: a file is missing, is not YAML, or contains something that is not a Kubernetes object.
    """
    import yaml

    objects: list[Object] = []
    for path in paths:
        file = Path(directory) / path
        try:
            documents = [item for item in yaml.safe_load_all(file.read_text(encoding="utf-8")) if item is not None]
        except OSError as error:
            raise InputError(
                f"The manifest {file} cannot be read ({error.strerror}).", setting="workload.manifests"
            ) from error
        except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date that is none
            raise InputError(f"The manifest {file} is not YAML: {' '.join(str(error).split())}.") from error
        for document in documents:
            is_list = isinstance(document, dict) and document.get("kind") == "List"
            for item in (document.get("items") or []) if is_list else [document]:
                if not isinstance(item, dict) or not item.get("kind") or not item.get("apiVersion"):
                    raise InputError(f"The manifest {file} contains something that is not a Kubernetes object.")
                if not (item.get("metadata") or {}).get("name"):
                    raise InputError(f"A {item['kind']} in the manifest {file} has no name.")
                objects.append(item)
    return objects


def as_yaml(item: Object) -> str:
    """Return an object as a person reads it."""
    import yaml

    return str(yaml.safe_dump(item))
