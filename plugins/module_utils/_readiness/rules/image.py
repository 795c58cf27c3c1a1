# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in an image: not on the node, not in the registry, not accessible."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Object, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    NEVER_PULLED,
    PULLED,
    specification,
    waiting,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import nearest_names
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST, rule

SETTING = "coverage_mode#image"
# What a registry answers has no field of its own: the kubelet quotes containerd's error (remotes/docker: its
# ErrNotFound, authorizer; platforms), which quotes the registry (the distribution specification's error codes).
REFUSED_SIGNS = ("unauthorized", "authentication required", "authorization failed", "no basic auth", "403 forbidden")
DENIED_SIGNS = ("pull access denied", "denied:", "insufficient_scope")
ABSENT_SIGNS = (": not found", "manifest unknown", "name unknown", "does not exist")
PLATFORM_SIGNS = ("no match for platform in manifest",)
UNREACHED_SIGNS = (
    *("connection refused", "no such host", "i/o timeout", "network is unreachable", "no route to host"),
    *("context deadline exceeded", "TLS handshake timeout", "server gave HTTP response", "x509:", "EOF"),
)
SURE = (*REFUSED_SIGNS, *ABSENT_SIGNS, *PLATFORM_SIGNS)


@rule(
    "Images, configuration, volumes",
    Cause(
        "image-name-invalid",
        title="The name of the image is not valid",
        why="Most often it has upper case letters or a space.",
        remedy="Correct the name; image names must be lowercase.",
        settings=(
            "coverage_mode#image",
            "workload.objects",
        ),
        terminal="yes",
    ),
    Cause(
        "image-not-on-node",
        title="The image is not on the node",
        why=(
            "It is not on the node where the pod runs. The nearest name there, and the nodes that "
            "do have it, are given. After a load, the image is looked up on each node by name and "
            "by id."
        ),
        remedy="Name the image exactly as it was loaded, or load it into every node.",
        settings=(
            "coverage_mode#image",
            "workload.objects",
        ),
        terminal="yes",
    ),
    Cause(
        "image-pull-secret",
        title="The registry does not accept the credentials",
        why=("The pull secret is missing or was refused, or the registry requires a login and the pod names none."),
        remedy=("Create or renew the Secret (`kubernetes.io/dockerconfigjson`) and name it in `imagePullSecrets`."),
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "image-not-in-registry",
        title="The registry does not have the image",
        why="The registry has no such name or tag, or shows it only after a login.",
        remedy="Correct the image's name and tag, or push it first.",
        settings=(
            "coverage_mode#image",
            "workload.objects",
        ),
        terminal="yes",
    ),
    Cause(
        "registry-unreachable",
        title="The registry does not answer",
        why="The nodes cannot reach the registry of the image.",
        remedy="Load the image into every node, or fix the network.",
        settings=("coverage_mode#image",),
        terminal="at the second failure",
    ),
    Cause(
        "image-pull-policy",
        title="The node has the image, and asks a registry for it",
        why="`imagePullPolicy` is Always, as it is by default for `:latest`; a registry does not have what was loaded.",
        remedy="Set `imagePullPolicy: IfNotPresent` (or Never) for images that are loaded into the nodes.",
        settings=("workload.objects", "coverage_mode#image"),
        terminal="at the second failure",
    ),
    gives=("wrong-architecture",),
)
def image_not_usable(seen: Observation) -> t.Iterator[Diagnosis]:
    """An image that a container waits for."""
    for pod, status, state in waiting(seen, ("InvalidImageName", *NEVER_PULLED, *PULLED)):
        reason, message = state["reason"], state.get("message", "")
        # a first failure may be the network's; a second try has then failed, too
        if reason == "ErrImagePull" and not any(sign in message or sign in message.lower() for sign in SURE):
            continue
        yield _verdict(seen, pod, status, reason, message)


def _verdict(seen: Observation, pod: Object, status: Object, reason: str, message: str) -> Diagnosis:
    container = status["name"]
    image = str(specification(pod, container).get("image") or status.get("image", ""))
    node = pod["spec"].get("nodeName", "?")
    evidence = [f"{reason}: {message}"]
    if reason == "InvalidImageName":
        return Diagnosis(
            cause="image-name-invalid",
            sentence=f"{image} in container {container} is not a valid image name.",
            evidence=evidence,
            remedy="Image names must be lowercase.",
            setting=SETTING,
            subject=container,
        )
    if reason in PULLED and spellings(image) & set(names_on(seen, node)):
        return _needless(pod, container, image, node, evidence)
    near = [name for name in nearest_names(image, names_on(seen, node)) if name not in spellings(image)]
    elsewhere = sorted(
        other
        for other in (item["metadata"]["name"] for item in seen.nodes)
        if other != node and spellings(image) & set(names_on(seen, other))
    )
    if reason in PULLED:
        # who finds the same name under another host on the node meant that one
        meant = elsewhere or any(name.rpartition("/")[2] == image.rpartition("/")[2] for name in near)
        if not meant:
            return _not_pulled(seen, pod, container, image, message, evidence, near)
    missing_there = f"Image {image} is not on node {node}"
    if reason in PULLED:
        missing_there += ", and it cannot be pulled"
    if elsewhere:
        evidence.append(f"{image} is on {', '.join(elsewhere)}, but the pod is on {node}")
        sentence = f"{missing_there}, where its pod is; it is on {', '.join(elsewhere)}."
    elif near:
        evidence.append(f"nearest names on node {node}: {', '.join(near)}")
        sentence = f"{missing_there}; the nearest there is {near[0]}."
    else:
        sentence = f"{missing_there}."
    return Diagnosis(
        cause="image-not-on-node",
        sentence=sentence,
        evidence=evidence,
        remedy="Name the image exactly as it was loaded, or load it into every node.",
        setting=SETTING,
        subject=container,
    )


def _needless(pod: Object, container: str, image: str, node: str, evidence: list[str]) -> Diagnosis:
    """The node has the image; only the policy makes it ask."""
    policy = specification(pod, container).get("imagePullPolicy") or "Always"
    host = image.partition("/")[0] if "/" in image else "docker.io"
    return Diagnosis(
        cause="image-pull-policy",
        sentence=f"Node {node} has image {image}, but imagePullPolicy of container {container} is {policy}, so it asks"
        f" registry {host} for it, which fails.",
        evidence=[*evidence, f"imagePullPolicy: {policy}", f"node {node} has {image}"],
        remedy="Set imagePullPolicy: IfNotPresent, and give the image a tag other than latest.",
        setting=MANIFEST,
        subject=container,
    )


def _not_pulled(
    seen: Observation, pod: Object, container: str, image: str, message: str, evidence: list[str], near: list[str]
) -> Diagnosis:
    start = f"Image {image} of container {container} cannot be pulled"
    secrets = [item["name"] for item in pod["spec"].get("imagePullSecrets") or []]
    lost = [event.get("message", "") for event in seen.events_of(pod, reason="FailedToRetrieveImagePullSecret")]
    refused = any(sign in message.lower() for sign in REFUSED_SIGNS)
    denied = refused or any(sign in message for sign in DENIED_SIGNS)
    known = seen.names.get("Secret")
    absent = [name for name in secrets if known is not None and name not in known]
    host = image.partition("/")[0] if "/" in image else "docker.io"
    if near:
        evidence.append(f"nearest names on node {pod['spec'].get('nodeName', '?')}: {', '.join(near)}")
    if denied and (lost or absent or refused):
        evidence += lost[-1:]
        if lost or absent:
            why = f"its pull secret {', '.join(absent or secrets)} is missing"
            remedy, cause = (
                "Create the Secret in the pod's namespace, or correct imagePullSecrets.",
                "image-pull-secret",
            )
        elif secrets:
            why = f"{host} does not accept pull secret {', '.join(secrets)}"
            remedy, cause = (
                "Renew the credentials in the Secret, and check that they are for this registry.",
                "image-pull-secret",
            )
        else:
            why = f"{host} wants a login, and the pod names no pull secret"
            remedy, cause = "Create a Secret of type kubernetes.io/dockerconfigjson and name it.", "image-pull-secret"
    elif any(sign in message for sign in PLATFORM_SIGNS):
        why = "it has nothing for the node's platform"
        remedy, cause = "Build it for the node's architecture.", "wrong-architecture"
    elif any(sign in message for sign in UNREACHED_SIGNS):
        why = f"its registry {host} does not answer"
        remedy, cause = (
            "Check that the nodes reach the registry, or load the image into every node.",
            "registry-unreachable",
        )
    elif denied or any(sign in message for sign in ABSENT_SIGNS):
        why = f"{host} has no such image, or wants a login for it" if denied else f"{host} has no such image"
        remedy, cause = "Correct the image's name and tag, or push it first.", "image-not-in-registry"
    else:
        why = f"it is not on node {pod['spec'].get('nodeName', '?')}"
        remedy, cause = "Name the image exactly as it was loaded, or load it into every node.", "image-not-on-node"
    return Diagnosis(
        cause=cause,
        sentence=f"{start}: {why}.",
        evidence=evidence,
        remedy=remedy,
        setting=SETTING,
        subject=container,
    )


def names_on(seen: Observation, node: str) -> list[str]:
    """The names of the images on a node: as its containerd has them, or as the node's status has them."""
    if node in seen.images:
        return seen.images[node]
    for item in seen.nodes:
        if item["metadata"]["name"] == node:
            images = (item.get("status") or {}).get("images") or []
            return [name for image in images for name in image.get("names") or []]
    return []


def spellings(image: str) -> set[str]:
    """The names under which containerd may have an image of that name (its reference normalisation)."""
    name = image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"
    first, slash, _rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return {image, name}
    return {image, name, f"docker.io/{name}" if slash else f"docker.io/library/{name}"}
