# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What in the manifests would keep the pods from starting, reported before there is a cluster.

Each object keeps the file and line that it comes from. Only what cannot work is an error; what a cluster may hold
already is a warning, unless the cluster or the namespace is still to be made.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.process import lost_sigterm
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    NOT_APPLICABLE,
    OK,
    WARNING,
    Finding,
    finding,
)

Object = dict[str, t.Any]

# what every namespace has by itself: kind, name
ALWAYS = frozenset((("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")))
# what a node has for sure (hostPath types that ask for something there)
NODE_FOLDERS = ("/", "/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/tmp", "/usr", "/var")  # noqa: S108
HOST_PATH_TYPES = frozenset(
    ("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice")
)
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
NODE_PORTS = (30000, 32767)  # the API server's default range


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


# Reading


def read(paths: t.Sequence[str], folder: str) -> tuple[list[Item], list[Finding]]:
    """Return the objects of YAML files under C(folder), and what is wrong with the files."""
    items: list[Item] = []
    found: list[Finding] = []
    for path in paths:
        file = Path(folder) / path
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            found.append(
                finding(
                    "manifests",
                    ERROR,
                    f"The manifest {file} cannot be read ({error.strerror}).",
                    _near_file(file),
                    "workload.manifests",
                    cause="manifest-invalid",
                )
            )
            continue
        except UnicodeDecodeError:
            found.append(
                finding(
                    "manifests",
                    ERROR,
                    f"The manifest {file} is not text in UTF-8.",
                    "",
                    "workload.manifests",
                    cause="manifest-invalid",
                )
            )
            continue
        more, problems = parse(text, path)
        items += more
        found += problems
    return items, found


def parse(text: str, file: str) -> tuple[list[Item], list[Finding]]:
    """Return the objects of one YAML text, and what is wrong with it: duplicate keys too, which YAML readers hide."""
    import yaml

    found: list[Finding] = []

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
            lines: dict[str, int] = {}
            for key, _value in getattr(node, "value", []):
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                line = key.start_mark.line + 1
                if key.value in lines:
                    found.append(
                        finding(
                            "manifests",
                            ERROR,
                            f"The key '{key.value}' appears twice in one mapping, first in line {lines[key.value]}:"
                            " the first value is lost.",
                            "Remove one of them.",
                            "workload.manifests",
                            cause="manifest-invalid",
                            where=f"{file}:{line}",
                        )
                    )
                lines.setdefault(key.value, line)
            result = Located(super().construct_mapping(node, deep=deep))
            result.line, result.lines = node.start_mark.line + 1, lines
            return result

    def construct(loader: t.Any, node: t.Any) -> t.Any:
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:map", construct)
    items: list[Item] = []
    try:
        documents = [item for item in yaml.load_all(text, Loader=Loader) if item is not None]
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", "") or error).split())
        where = f"{file}:{mark.line + 1}" if mark is not None else file
        return [], [
            finding(
                "manifests",
                ERROR,
                f"This is not YAML: {problem}.",
                "",
                "workload.manifests",
                cause="manifest-invalid",
                where=where,
            )
        ]
    for document in documents:
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        for content in sequence(document.get("items")) if is_list else [document]:
            line = getattr(content, "line", getattr(document, "line", 1))
            item = Item(content if isinstance(content, dict) else {}, f"{file}:{line}", file)
            problem = _no_object(content)
            if problem:
                found.append(
                    finding(
                        "manifests",
                        ERROR,
                        problem,
                        "",
                        "workload.manifests",
                        cause="manifest-invalid",
                        where=item.where,
                    )
                )
            else:
                items.append(item)
    return items, list(dict.fromkeys(found))


def inline(objects: t.Sequence[t.Any]) -> tuple[list[Item], list[Finding]]:
    """Return the objects that a contract holds itself, and what is wrong with them."""
    items: list[Item] = []
    found: list[Finding] = []
    for index, content in enumerate(objects):
        problem = _no_object(content)
        where = f"workload.objects[{index}]"
        if problem:
            found.append(
                finding("manifests", ERROR, problem, "", "workload.objects", cause="manifest-invalid", where=where)
            )
        else:
            items.append(Item(content, where))
    return items, found


def _no_object(content: t.Any) -> str:
    if not isinstance(content, dict) or not content.get("kind") or not content.get("apiVersion"):
        return "This is not a Kubernetes object: apiVersion or kind is missing."
    if not mapping(content.get("metadata")).get("name"):
        return f"This {content['kind']} has no name."
    return ""


def _near_file(file: Path) -> str:
    if not file.parent.is_dir():
        return f"There is no folder {file.parent}."
    near = difflib.get_close_matches(file.name, [item.name for item in file.parent.iterdir()], n=1)
    return f"The nearest is {file.parent / near[0]}." if near else ""


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


def called(name: str, names: t.Sequence[str]) -> str:
    """Return C(; the nearest is 'x'), or nothing."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"; the nearest is '{near[0]}'" if near else ""


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


# The checks


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
    if known.kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet") and not _selected(selector, labels):
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
    yield finding(check, OK, f"{count} looked at" if count else "there are none")


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


def _selected(selector: t.Mapping[str, t.Any], labels: t.Mapping[str, t.Any]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def check_services(known: Manifests) -> t.Iterator[Finding]:
    """Whether Services select pods and ask for ports that those have, and NodePorts reach the host."""
    check = "services"
    services = [item for item in known.items if item.kind == "Service"]
    makers = list(pods(known.items))
    mapped = {int(entry["container_port"]): entry for entry in known.port_mappings or ()}
    taken: dict[int, Item] = {}
    for item in services:
        spec = mapping(item.content.get("spec"))
        selector = mapping(spec.get("selector"))
        chosen = [entry for entry in makers if _selected(selector, entry[1])]
        if selector and not chosen and makers:
            wanted = ", ".join(f"{key}={value}" for key, value in selector.items())
            yield finding(
                check,
                WARNING,
                f"Service {item.name} selects {wanted}: no pods of these manifests have those labels.",
                "Compare its selector with the labels of the pod template.",
                where=item.at(spec.get("selector")),
            )
        for port in map(mapping, sequence(spec.get("ports"))):
            target = port.get("targetPort")
            if isinstance(target, str) and not target.isdigit() and chosen:
                names = [
                    str(mapping(one).get("name"))
                    for entry in chosen
                    for part in containers(entry[2])
                    for one in sequence(part.get("ports"))
                ]
                if target not in names:
                    yield finding(
                        check,
                        ERROR,
                        f"Service {item.name} sends to the port '{target}', which no container of its pods"
                        f" has{called(target, names)}.",
                        "Name a port of the container, or give its number.",
                        "workload.objects",
                        cause="manifest-invalid",
                        where=item.at(port),
                    )
            node_port = port.get("nodePort")
            if not isinstance(node_port, int):
                continue
            if not NODE_PORTS[0] <= node_port <= NODE_PORTS[1]:
                yield finding(
                    check,
                    ERROR,
                    f"NodePort {node_port} of Service {item.name} is outside {NODE_PORTS[0]}-{NODE_PORTS[1]}:"
                    f" the API server rejects it.",
                    "Choose one in that range, and map it to the host port.",
                    "workload.objects",
                    cause="manifest-invalid",
                    where=item.at(port),
                )
            elif node_port in taken:
                yield finding(
                    check,
                    ERROR,
                    f"NodePort {node_port} is already used by Service {taken[node_port].name}.",
                    "Take another.",
                    "workload.objects",
                    cause="manifest-invalid",
                    where=item.at(port),
                )
            elif known.port_mappings is not None and node_port not in mapped:
                yield finding(
                    check,
                    WARNING,
                    f"NodePort {node_port} of Service {item.name} is not mapped to the host"
                    + (f"; mapped are {', '.join(map(str, sorted(mapped)))}." if mapped else "."),
                    "Map it if anything outside the cluster uses it.",
                    "cluster.port_mappings",
                    where=item.at(port),
                )
            taken[node_port] = item
    for node_port, entry in mapped.items():
        # a dependency may have it
        if node_port not in taken and NODE_PORTS[0] <= node_port <= NODE_PORTS[1] and not known.others:
            yield finding(
                check,
                WARNING,
                f"Host port {entry['host_port']} leads to NodePort {node_port}, which no Service of these"
                f" manifests has.",
                "Give the Service that nodePort." if services else "Something else must listen there.",
                "cluster.port_mappings",
            )
    yield finding(check, OK, f"{len(services)} looked at" if services else "there are none")


def check_probes(known: Manifests) -> t.Iterator[Finding]:
    """Whether probes ask for ports that the container names."""
    check, count = "probes", 0
    for item, _labels, spec in pods(known.items):
        for container in containers(spec):
            ports = [mapping(entry) for entry in sequence(container.get("ports"))]
            names = [str(entry.get("name")) for entry in ports if entry.get("name")]
            numbers = [entry.get("containerPort") for entry in ports]
            for key in PROBES:
                probe = mapping(container.get(key))
                ask = mapping(probe.get("httpGet")) or mapping(probe.get("tcpSocket")) or mapping(probe.get("grpc"))
                port = ask.get("port")
                if port is None:
                    continue
                count += 1
                if isinstance(port, str) and not port.isdigit() and port not in names:
                    yield finding(
                        check,
                        ERROR,
                        f"The {key} of container {container.get('name')} uses port '{port}', which the"
                        f" container does not declare{called(port, names)}.",
                        "Name one of its ports, or give the number.",
                        "workload.objects",
                        cause="manifest-invalid",
                        where=item.at(ask),
                    )
                elif isinstance(port, int) and numbers and port not in numbers:
                    yield finding(
                        check,
                        WARNING,
                        f"The {key} of container {container.get('name')} uses port {port}; the container declares"
                        f" {', '.join(map(str, numbers))}.",
                        "Check which of them is right.",
                        where=item.at(ask),
                    )
    yield finding(check, OK, f"{count} looked at" if count else "there are none")


def check_host_paths(known: Manifests) -> t.Iterator[Finding]:
    """Whether hostPath folders exist: a node is a fresh container."""
    check, count = "host-paths", 0
    for item, _labels, spec in pods(known.items):
        for volume in map(mapping, sequence(spec.get("volumes"))):
            if "hostPath" not in volume:
                continue
            count += 1
            host = mapping(volume["hostPath"])
            path, kind = str(host.get("path") or ""), str(host.get("type") or "")
            where = item.at(host)
            if kind not in HOST_PATH_TYPES:
                yield finding(
                    check,
                    ERROR,
                    f"The volume '{volume.get('name')}' has the hostPath type '{kind}', which Kubernetes does"
                    f" not know{called(kind, sorted(HOST_PATH_TYPES))}.",
                    "",
                    "workload.objects",
                    cause="manifest-invalid",
                    where=where,
                )
            elif kind in ("Directory", "File", "Socket", "CharDevice", "BlockDevice") and not _on_node(
                path, known.mounts
            ):
                yield finding(
                    check,
                    WARNING,
                    f"The volume '{volume.get('name')}' needs {path} on the node (type {kind}), but nothing"
                    f" creates it there.",
                    "Mount it into the nodes, or use DirectoryOrCreate.",
                    "cluster.extra_mounts",
                    where=where,
                )
    yield finding(check, OK, f"{count} looked at" if count else "there are none")


def _on_node(path: str, mounts: t.Sequence[str]) -> bool:
    clean = "/" + path.strip("/")
    if any(clean == mount.rstrip("/") or clean.startswith(mount.rstrip("/") + "/") for mount in mounts):
        return True
    return (
        clean in NODE_FOLDERS
        or re.match(r"/(dev|proc|sys|var/log|var/lib/kubelet|etc/kubernetes|run/containerd)(/|$)", clean) is not None
    )


CHECKS: dict[str, t.Callable[[Manifests], t.Iterator[Finding]]] = {
    "workload": check_workload,
    "workload-image": check_workload_image,
    "references": check_references,
    "service-account": check_service_account,
    "services": check_services,
    "probes": check_probes,
    "host-paths": check_host_paths,
}


def checked(name: str, known: Manifests) -> list[Finding]:
    """Return what one check found: its "ok" only where nothing is wrong."""
    found = list(CHECKS[name](known))
    wrong = [finding for finding in found if finding.state in (ERROR, WARNING)]
    return list(dict.fromkeys(wrong)) or found


def require_items(items: t.Sequence[Item]) -> None:
    """Raise where nothing could be read, so that the other checks do not repeat it."""
    if not items:
        raise InputError("The manifests contain no objects.", setting="workload.manifests", cause="manifest-invalid")
