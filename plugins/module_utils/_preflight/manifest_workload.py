# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether the manifests have the workload, how its container starts, and which image it names."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.process import lost_sigterm
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import (
    containers,
    mapping,
    sequence,
    template,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_set import (
    Manifests,
    called,
    selected,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    NOT_APPLICABLE,
    OK,
    WARNING,
    Finding,
    finding,
)


def check_workload(known: Manifests) -> t.Iterator[Finding]:
    """Whether the workload and its container are there, and how the container starts."""
    check, item = "workload", known.workload()
    if item is None:
        names = known.names(known.kind)
        others = f"; they have {', '.join(names)}" if names else ""
        yield finding(
            check,
            ERROR,
            f"The manifests have no {known.kind} '{known.name}'{called(known.name, names) or others}.",
            "",
            "workload.name",
            cause="workload-not-in-manifests",
        )
        return
    spec = mapping(mapping(template(item.content)).get("spec"))
    names = [str(mapping(part).get("name")) for part in sequence(spec.get("containers"))]
    if known.container not in names:
        yield finding(
            check,
            ERROR,
            f"{known.kind} {known.name} has no container '{known.container}'; it has {', '.join(names) or 'none'}.",
            "",
            "workload.container",
            cause="container-not-in-workload",
            where=item.where,
        )
        return
    metadata = mapping(item.content.get("metadata"))
    other = metadata.get("namespace")
    if other and other != known.namespace:
        yield finding(
            check,
            ERROR,
            f"{known.kind} {known.name} is in namespace '{other}'; the contract names '{known.namespace}'.",
            "Make them the same.",
            "workload.namespace",
            cause="manifest-invalid",
            where=item.at(metadata),
        )
    selector = mapping(mapping(mapping(item.content.get("spec")).get("selector")).get("matchLabels"))
    labels = mapping(mapping(mapping(template(item.content)).get("metadata")).get("labels"))
    if known.kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet") and not selected(selector, labels):
        yield finding(
            check,
            ERROR,
            f"The selector of {known.kind} {known.name} does not match the labels of its own pods.",
            "Make spec.selector.matchLabels a subset of the template's labels.",
            "workload.objects",
            cause="manifest-invalid",
            where=item.at(mapping(item.content.get("spec")).get("selector")),
        )
    container = mapping(sequence(spec.get("containers"))[names.index(known.container)])
    command = [str(word) for word in sequence(container.get("command"))]
    lost = (
        lost_sigterm([*command, *(str(word) for word in sequence(container.get("args")))], lambda _path: None)
        if command
        else None
    )
    if lost is not None:
        yield finding(
            check,
            ERROR if lost.certain else WARNING,
            f"The command of container {known.container}: {lost.text}.",
            lost.remedy,
            "workload.objects",
            cause="sigterm-lost" if lost.certain else "",
            where=item.at(container),
        )
    yield finding(check, OK, f"{known.kind} {known.name}, container {known.container}", where=item.where)


def own_command(known: Manifests) -> bool:
    """Whether the workload replaces the image's entrypoint."""
    return bool(_container(known).get("command"))


def as_non_root(known: Manifests) -> bool:
    """Whether the workload says runAsNonRoot and leaves the user to the image."""
    item = known.workload()
    spec = mapping(mapping(template(item.content)).get("spec")) if item else {}
    settings = {**mapping(spec.get("securityContext")), **mapping(_container(known).get("securityContext"))}
    return bool(settings.get("runAsNonRoot")) and settings.get("runAsUser") is None


def _container(known: Manifests) -> t.Mapping[str, t.Any]:
    item = known.workload()
    spec = mapping(mapping(template(item.content)).get("spec")) if item else {}
    return next((part for part in containers(spec) if part.get("name") == known.container), {})


def check_workload_image(known: Manifests) -> t.Iterator[Finding]:
    """Which image the workload names, and which others are not in the nodes."""
    check, item = "workload-image", known.workload()
    container = _container(known)
    if item is None or not container:
        yield finding(check, NOT_APPLICABLE, "no workload")
        return
    image = str(container.get("image") or "")
    shown = f"{image or 'no image'} is replaced by {known.image or 'the instrumented one'}"
    if image and image == known.image:
        shown = f"{image}, the one that is built"
    yield finding(check, OK, shown, where=item.at(container))
    spec = mapping(mapping(template(item.content)).get("spec"))
    for part in containers(spec):
        if part is container or part.get("imagePullPolicy") != "Never":
            continue
        yield finding(
            check,
            WARNING,
            f"Container {part.get('name')} needs {part.get('image')} on the nodes (imagePullPolicy: Never),"
            f" but nothing loads it.",
            "Load it into the cluster first, or change its imagePullPolicy.",
            where=item.at(part),
        )
