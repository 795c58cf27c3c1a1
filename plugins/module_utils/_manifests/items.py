# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Objects of manifests with the file and line that they come from, and how their parts are read.

A manifest is what somebody wrote: every part may be missing or of another type.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Object = dict[str, t.Any]

# what a controller makes of an object, by kind: where the name of the Secret (or ConfigMap) is
SECRET_MAKERS = {
    "Certificate": ("spec", "secretName"),  # cert-manager.io
    "ExternalSecret": ("spec", "target", "name"),  # external-secrets.io; its own name where there is none
    "SealedSecret": ("spec", "template", "metadata", "name"),  # bitnami.com; the same
    "VaultStaticSecret": ("spec", "destination", "name"),  # secrets.hashicorp.com
    "VaultDynamicSecret": ("spec", "destination", "name"),
    "VaultPKISecret": ("spec", "destination", "name"),
    "OnePasswordItem": (),  # onepassword.com: its own name
    "Bundle": (),  # trust.cert-manager.io: a ConfigMap, or a Secret, of its own name
}
OWN_NAME = frozenset(("ExternalSecret", "SealedSecret", "OnePasswordItem", "Bundle"))
ANNOTATED = {  # OpenShift's service CA, by kind of the object that has the annotation
    "service.beta.openshift.io/serving-cert-secret-name": "Service",
    "service.alpha.openshift.io/serving-cert-secret-name": "Service",
}


class Located(dict[str, t.Any]):
    """A mapping of a YAML file that knows its line, from 1, and those of its keys."""

    line: int = 0
    lines: t.Mapping[str, int]


@dataclass(frozen=True)
class Item:
    """One object. C(where): C(file:line), or C(objects[1])."""

    content: Object
    where: str
    file: str = ""

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.content.get("kind") or "")

    @property
    def name(self) -> str:
        """Its name."""
        return str(mapping(self.content.get("metadata")).get("name") or "")

    def at(self, part: t.Any) -> str:
        """Return C(file:line) of a part of it."""
        line = getattr(part, "line", 0)
        return f"{self.file}:{line}" if self.file and line else self.where


def mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    """Return a mapping; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def sequence(value: t.Any) -> list[t.Any]:
    """Return a list; an empty one for what is none."""
    return value if isinstance(value, list) else []


def template(content: t.Mapping[str, t.Any]) -> t.Optional[t.Mapping[str, t.Any]]:
    """Return what an object makes pods of (C(metadata), C(spec)), or None."""
    spec = mapping(content.get("spec"))
    if content.get("kind") == "Pod":
        return content
    if content.get("kind") == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    if content.get("kind") in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"):
        return mapping(spec.get("template"))
    return None


def pods(items: t.Sequence[Item]) -> t.Iterator[tuple[Item, t.Mapping[str, t.Any], t.Mapping[str, t.Any]]]:
    """Yield (object, labels of its pods, pod spec) of everything that makes pods."""
    for item in items:
        made = template(item.content)
        if made is not None:
            yield item, mapping(mapping(made.get("metadata")).get("labels")), mapping(made.get("spec"))


def containers(spec: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Return the containers of a pod, those that run before it too."""
    return [mapping(part) for key in ("initContainers", "containers") for part in sequence(spec.get(key))]


def made_by(content: t.Mapping[str, t.Any]) -> set[tuple[str, str]]:
    """Return the objects, as (kind, name), that a controller makes of an object."""
    kind, metadata = str(content.get("kind")), mapping(content.get("metadata"))
    made: set[tuple[str, str]] = set()
    if kind in SECRET_MAKERS and "/" in str(content.get("apiVersion")):
        value: t.Any = content if SECRET_MAKERS[kind] else None
        for key in SECRET_MAKERS[kind]:
            value = mapping(value).get(key)
        name = str(value or (metadata.get("name") if kind in OWN_NAME else "") or "")
        made.add(("Secret", name))
        if kind == "Bundle":
            made.add(("ConfigMap", name))
    for annotation, value in mapping(metadata.get("annotations")).items():
        if ANNOTATED.get(annotation) == kind:
            made.add(("Secret", str(value)))
    return {(kind, name) for kind, name in made if name}
