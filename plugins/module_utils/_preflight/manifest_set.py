# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The manifests of a workload and what is known besides them: what every check of manifests reads."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item, made_by

# what every namespace has by itself: kind, name
ALWAYS = frozenset((("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")))


@dataclass(frozen=True)
class Manifests:
    """What is known besides the manifests themselves.

    :ivar existing: what the namespace holds already, as (kind, name); empty where it is still to be made, None where
        nobody looked. :ivar others: something else (dependencies) puts objects into the namespace first.
    :ivar port_mappings: of the cluster, as in the contract; None where the cluster is not ours to describe.
    :ivar image: reference of the instrumented image, as far as it is known.
    """

    items: t.Sequence[Item]
    namespace: str
    kind: str
    name: str
    container: str
    port_mappings: t.Optional[t.Sequence[t.Mapping[str, t.Any]]] = None
    mounts: t.Sequence[str] = ()
    existing: t.Optional[t.Collection[tuple[str, str]]] = None
    others: bool = False
    image: str = ""

    def workload(self) -> t.Optional[Item]:
        """Return the workload, or None."""
        return next((item for item in self.items if (item.kind, item.name) == (self.kind, self.name)), None)

    def has(self, kind: str, name: str) -> bool:
        """Whether the manifests, or Kubernetes itself, make such an object."""
        return (kind, name) in ALWAYS or any((item.kind, item.name) == (kind, name) for item in self.items)

    def maker(self, kind: str, name: str) -> t.Optional[Item]:
        """Return the object of the manifests that a controller makes such an object of, or None."""
        return next((item for item in self.items if (kind, name) in made_by(item.content)), None)

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        return [item.name for item in self.items if item.kind == kind]


def called(name: str, names: t.Sequence[str]) -> str:
    """Return C(; the nearest is 'x'), or nothing."""
    near = nearest(name, names)
    return f"; the nearest is '{near}'" if near else ""


def selected(selector: t.Mapping[str, t.Any], labels: t.Mapping[str, t.Any]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
