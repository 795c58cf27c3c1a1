# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether everything that pods refer to exists, or will exist."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import (
    Item,
    containers,
    mapping,
    pods,
    sequence,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_set import (
    Manifests,
    called,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    OK,
    WARNING,
    Finding,
    finding,
)


def references(item: Item, spec: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str, bool, t.Any]]:
    """Yield (kind, name, optional, the part that refers) of everything that a pod refers to."""
    for part in sequence(spec.get("imagePullSecrets")):
        yield "Secret", str(mapping(part).get("name")), True, part  # the kubelet only tries without
    for volume in map(mapping, sequence(spec.get("volumes"))):
        sources = [volume, *map(mapping, sequence(mapping(volume.get("projected")).get("sources")))]
        for source in sources:
            for key, kind, field in (
                ("configMap", "ConfigMap", "name"),
                ("secret", "Secret", "secretName" if source is volume else "name"),
            ):
                if key in source:
                    one = mapping(source[key])
                    yield kind, str(one.get(field)), bool(one.get("optional")), one
        claim = mapping(volume.get("persistentVolumeClaim"))
        if claim:
            yield "PersistentVolumeClaim", str(claim.get("claimName")), False, claim
    for container in containers(spec):
        for source in map(mapping, sequence(container.get("envFrom"))):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    one = mapping(source[key])
                    yield kind, str(one.get("name")), bool(one.get("optional")), one
        for variable in map(mapping, sequence(container.get("env"))):
            source = mapping(variable.get("valueFrom"))
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if key in source:
                    one = mapping(source[key])
                    yield kind, str(one.get("name")), bool(one.get("optional")), one


def check_references(known: Manifests) -> t.Iterator[Finding]:
    """Whether ConfigMaps, Secrets and claims are there, with the keys that are asked for, and mounts have volumes."""
    check, count = "references", 0
    for item, _labels, spec in pods(known.items):
        claims = [
            str(mapping(mapping(part).get("metadata")).get("name"))
            for part in sequence(mapping(item.content.get("spec")).get("volumeClaimTemplates"))
        ]
        volumes = [*(str(mapping(part).get("name")) for part in sequence(spec.get("volumes"))), *claims]
        for container in containers(spec):
            for mount in sequence(container.get("volumeMounts")):
                count += 1
                name = str(mapping(mount).get("name"))
                if name not in volumes:
                    yield finding(
                        check,
                        ERROR,
                        f"Container {container.get('name')} mounts the volume '{name}', which {item.kind}"
                        f" {item.name} does not have{called(name, volumes)}.",
                        "Name one of its volumes, or add it.",
                        "workload.objects",
                        cause="manifest-invalid",
                        where=item.at(mount),
                    )
        for kind, name, optional, part in references(item, spec):
            count += 1
            if not optional:
                yield from _reference(known, item, kind, name, part)
    yield finding(check, OK, f"{count} checked" if count else "there are none")


def _reference(
    known: Manifests, item: Item, kind: str, name: str, part: t.Any, check: str = "references"
) -> t.Iterator[Finding]:
    if known.has(kind, name):
        yield from _keys(known, item, kind, name, part)
        return
    maker = known.maker(kind, name)
    if maker is not None:
        yield finding(
            check,
            WARNING,
            f"{item.kind} {item.name} needs {kind} '{name}', which {maker.kind} {maker.name} creates.",
            f"The controller of {maker.kind} must run in the cluster first.",
            where=item.at(part),
        )
        return
    where, near = item.at(part), called(name, known.names(kind))
    if known.existing is None or (known.others and (kind, name) not in known.existing):
        yield finding(
            check,
            WARNING,
            f"{item.kind} {item.name} needs {kind} '{name}', which is not in the manifests{near}.",
            "It must exist in the cluster beforehand."
            if known.existing is None
            else "Something else must create it first.",
            where=where,
        )
    elif (kind, name) not in known.existing:
        yield finding(
            check,
            ERROR,
            f"{item.kind} {item.name} needs {kind} '{name}', which is neither in the manifests{near} nor in"
            f" namespace {known.namespace}.",
            f"Add the {kind} to the manifests, or make the reference optional.",
            "workload.objects",
            cause="reference-unresolved",
            where=where,
        )


def _keys(known: Manifests, item: Item, kind: str, name: str, part: t.Any) -> t.Iterator[Finding]:
    """Whether an object of the manifests has the keys that are taken out of it."""
    source = next((other for other in known.items if (other.kind, other.name) == (kind, name)), None)
    if source is None or kind not in ("ConfigMap", "Secret"):
        return
    keys = [str(key) for field in ("data", "binaryData", "stringData") for key in mapping(source.content.get(field))]
    wanted = [str(mapping(entry).get("key")) for entry in sequence(part.get("items"))]
    if "key" in part and "items" not in part:
        wanted.append(str(part["key"]))
    for key in wanted:
        if key not in keys:
            yield finding(
                "references",
                ERROR,
                f"{item.kind} {item.name} reads the key '{key}' from {kind} '{name}', which has"
                f" {', '.join(keys) or 'none'}.",
                "Name a key that it has, or add it.",
                "workload.objects",
                cause="reference-unresolved",
                where=item.at(part),
            )


def check_service_account(known: Manifests) -> t.Iterator[Finding]:
    """Whether ServiceAccounts exist: without, a ReplicaSet makes no pods and only its events say why."""
    check, found = "service-account", False
    for item, _labels, spec in pods(known.items):
        name = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
        for missing in _reference(known, item, "ServiceAccount", name, spec, check):
            found = True
            yield missing
    if not found:
        yield finding(check, OK, "all there")
