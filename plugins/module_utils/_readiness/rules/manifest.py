# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a manifest says about a thing that a log or the kubelet names: a path, a variable, an address.

Each reader returns words for a sentence, taken from the observation, or nothing.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Object, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import specification

EXPANSION = re.compile(r"(?<!\$)\$\((?P<name>[A-Za-z_][\w.\-]*)\)")
SERVICE_LINK = re.compile(r"^(?:tcp|udp)://[\d.]+:\d+$")
NAMES = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
SHORTEST = 4  # characters of a value that is looked for in a text
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


def place(pod: Object, container: str, field: str = "") -> str:
    """The path of a container's field in a manifest: C(spec.template.spec.containers[0].args)."""
    for kind in ("initContainers", "containers"):
        for number, item in enumerate(pod["spec"].get(kind) or []):
            if item["name"] == container:
                alone = not pod["metadata"].get("ownerReferences")
                start = "spec" if alone else "spec.template.spec"
                return f"{start}.{kind}[{number}]{f'.{field}' if field else ''}"
    return ""


# variables


def unexpanded(pod: Object, container: str) -> t.Iterator[tuple[str, str, bool]]:
    """Yield for each C($(NAME)) that Kubernetes does not replace: where it is, NAME, and whether it comes later."""
    spec = specification(pod, container)
    variables = spec.get("env") or []
    if spec.get("envFrom"):
        return  # what those have is not known
    names = [item["name"] for item in variables]
    for number, item in enumerate(variables):
        for found in EXPANSION.finditer(str(item.get("value") or "")):
            if found["name"] not in names[:number] and not _is_given(found["name"]):
                yield item["name"], found["name"], found["name"] in names
    for field in ("command", "args"):
        for word in spec.get(field) or []:
            for found in EXPANSION.finditer(str(word)):
                if found["name"] not in names and not _is_given(found["name"]):
                    yield field, found["name"], False


def _is_given(name: str) -> bool:
    """Whether Kubernetes itself may give it: it makes variables for Services."""
    return name.endswith(("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")) or name.startswith("KUBERNETES_")


def of_expansion(pod: Object, container: str, text: str) -> str:
    """Why a C($(NAME)) in a text was not replaced; empty where it has none that the manifest explains."""
    for where, name, later in unexpanded(pod, container):
        if f"$({name})" in text or where in text or later:
            why = f"{name} comes after it in env" if later else f"container {container} has no variable {name}"
            return f"$({name}) in {where} is not replaced, because {why}"
    return ""


def of_variable(seen: Observation, pod: Object, container: str, name: str, value: str) -> str:
    """Where a variable comes from, or why it has a value that nobody wrote."""
    spec = specification(pod, container)
    known = [item["name"] for item in spec.get("env") or []]
    if SERVICE_LINK.match(value):
        service = _linked(seen, name)
        which = f"Service {service}" if service else "a Service of the namespace"
        return (
            f"{name or 'the variable'} is {value}, which Kubernetes sets for {which} (service links), because the"
            " container sets no variable of that name"
        )
    if name and name not in known:
        near = nearest(name, known)
        sources = [
            (item.get(kind) or {}).get("name", "")
            for item in spec.get("envFrom") or []
            for kind in ("configMapRef", "secretRef")
            if item.get(kind)
        ]
        if sources:
            return f"neither env nor {', '.join(sources)} of container {container} sets {name}"
        return f"env of container {container} does not set {name}{f'; the nearest there is {near}' if near else ''}"
    return ""


def prefixed(seen: Observation, pod: Object, container: str, name: str) -> str:
    """The prefix with which envFrom gives a variable that is missed without; empty where that is not so."""
    for item in specification(pod, container).get("envFrom") or []:
        prefix, source = item.get("prefix") or "", (item.get("configMapRef") or {}).get("name", "")
        if name and prefix and name in seen.keys.get(source, []):
            return str(prefix)
    return ""


def _linked(seen: Observation, variable: str) -> str:
    """The Service for which Kubernetes makes that variable."""
    for service in seen.services:
        start = service["metadata"]["name"].upper().replace("-", "_")
        if variable.startswith(f"{start}_"):
            return str(service["metadata"]["name"])
    return ""


def variable_in(pod: Object, container: str, text: str) -> tuple[str, str]:
    """The variable that an error's text is about, with its value: it is named there, or its value is."""
    spec = specification(pod, container)
    values = {str(item["name"]): str(item.get("value") or "") for item in spec.get("env") or []}
    for name in NAMES.findall(text):
        if name in values:
            return name, values[name]
    for name, value in values.items():
        if len(value) >= SHORTEST and value in text:
            return name, value
    return "", ""


def unset_in(pod: Object, container: str, text: str) -> str:
    """A variable that a text or the container's arguments name, and that nothing sets; empty where there is none."""
    spec = specification(pod, container)
    if spec.get("envFrom"):
        return ""
    known = {item["name"] for item in spec.get("env") or []}
    words = [text, *map(str, spec.get("command") or []), *map(str, spec.get("args") or [])]
    for word in words:
        for name in NAMES.findall(word):
            if name not in known and not _is_given(name):
                return str(name)
    return ""


# paths


def mount_of(pod: Object, container: str, path: str) -> tuple[Object, Object]:
    """The mount that a path is on, with its volume; both empty where it is on none."""
    spec = specification(pod, container)
    normal = posixpath.normpath(path)
    over = [
        item
        for item in spec.get("volumeMounts") or []
        if normal == (where := posixpath.normpath(item["mountPath"])) or normal.startswith(f"{where.rstrip('/')}/")
    ]
    if not over:
        return {}, {}
    mount = max(over, key=lambda item: len(item["mountPath"]))
    volumes = pod["spec"].get("volumes") or []
    return mount, next((item for item in volumes if item["name"] == mount.get("name")), {})


def source_of(volume: Object) -> tuple[str, str]:
    """What a volume takes its files from: C(ConfigMap x), C(Secret x), a claim; kind and name."""
    for kind, field, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
        if volume.get(field):
            return kind, str(volume[field].get(name, ""))
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if claim:
        return "PersistentVolumeClaim", str(claim)
    return "", ""


def files_of(seen: Observation, volume: Object) -> t.Optional[list[str]]:
    """The names of the files that a volume of a ConfigMap has; None where it is not known."""
    kind, name = source_of(volume)
    if kind == "ConfigMap" and name in seen.keys:
        items = (volume.get("configMap") or {}).get("items")
        return [item["path"] for item in items] if items else seen.keys[name]
    if kind and (items := (volume.get(kind[0].lower() + kind[1:]) or {}).get("items")):
        return [item["path"] for item in items]
    return None


def missing_key(seen: Observation, pod: Object, container: str, path: str) -> tuple[str, str, str]:
    """Sentence, remedy and cause for a path whose mount's source does not have it; empty where that is not so."""
    mount, volume = mount_of(pod, container, path)
    kind, name = source_of(volume)
    files = files_of(seen, volume)
    if not mount or not kind or files is None:
        return "", "", ""
    sub = str(mount.get("subPath") or "")
    inside = posixpath.relpath(posixpath.normpath(path), posixpath.normpath(mount["mountPath"]))
    wanted = sub if sub and inside == "." else inside
    if wanted in files or (wanted == "." and not sub):
        return "", "", ""
    has = f"it has {', '.join(files)}" if files else "it is empty"
    if sub and inside == ".":
        sentence = (
            f"subPath {sub} of the mount at {mount['mountPath']} is not a key of {kind} {name} ({has}), so"
            " Kubernetes mounts an empty folder there"
        )
        return sentence, f"Correct subPath, or the key of {kind} {name}.", "config-key-missing"
    sentence = f"{path} is in the mount of {kind} {name}, which has no {wanted} ({has})"
    return sentence, f"Add the key {wanted} to {kind} {name}, or correct the path that the program is given.", ""


def file_read(seen: Observation, pod: Object, container: str) -> tuple[str, str, str]:
    """Path, key and source of the one file of a ConfigMap that a container can read; empty where there are several.

    Where arguments or variables name some of them, only those count.
    """
    spec = specification(pod, container)
    files: dict[str, tuple[str, str]] = {}
    for mount in spec.get("volumeMounts") or []:
        _mount, volume = mount_of(pod, container, mount["mountPath"])
        kind, name = source_of(volume)
        for key in files_of(seen, volume) or []:
            sub = mount.get("subPath")
            if not sub or sub == key:
                files[mount["mountPath"] if sub else posixpath.join(mount["mountPath"], key)] = (key, f"{kind} {name}")
    words = [*map(str, spec.get("command") or []), *map(str, spec.get("args") or [])]
    words += [str(item.get("value") or "") for item in spec.get("env") or []]
    named = [path for path in files if any(word == path or word.endswith(f"={path}") for word in words)]
    chosen = named or list(files)
    return (chosen[0], *files[chosen[0]]) if len(chosen) == 1 else ("", "", "")


def of_path(pod: Object, container: str, path: str) -> str:
    """What is mounted where a path is, in a few words."""
    mount, volume = mount_of(pod, container, path)
    if not mount:
        return f"no volume is mounted at {path}"
    kind, name = source_of(volume)
    what = f"{kind} {name}" if kind else next((key for key in volume if key != "name"), "a volume")
    return f"{path} is in volume {mount.get('name')} ({what}), mounted at {mount['mountPath']}"


def in_memory(pod: Object, container: str) -> str:
    """The volumes of a container that count against its limit of memory; empty where it has none."""
    volumes = {
        item["name"]: item["emptyDir"]
        for item in pod["spec"].get("volumes") or []
        if (item.get("emptyDir") or {}).get("medium") == "Memory"
    }
    mounts = [item for item in specification(pod, container).get("volumeMounts") or [] if item["name"] in volumes]
    return " and ".join(f"{item['mountPath']} (volume {item['name']})" for item in mounts)


def covered(pod: Object, container: str, command: str) -> str:
    """The mount that hides the folder of a command of the image; empty where none does."""
    if not command.startswith("/"):
        return ""
    mount, _volume = mount_of(pod, container, command)
    if not mount:
        return ""
    return f"volume {mount.get('name')}, mounted at {mount['mountPath']}, hides what the image has there"


def why_not_writable(pod: Object, container: str, path: str, read_only: bool) -> tuple[str, str]:
    """Why a program may not write to a path, and what to change; as far as the manifest says it."""
    spec = specification(pod, container)
    context = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    mount, volume = mount_of(pod, container, path)
    if read_only and mount:
        kind, name = source_of(volume)
        if kind in ("ConfigMap", "Secret"):
            return f"it is in the mount of {kind} {name}, which is always read-only", "Write to an emptyDir."
        return (
            f"volume {mount.get('name')} is mounted read-only at {mount['mountPath']}",
            f"Remove readOnly from the mount {mount.get('name')}.",
        )
    if read_only and context.get("readOnlyRootFilesystem"):
        return (
            "readOnlyRootFilesystem is true, and no volume is mounted there",
            f"Mount an emptyDir at {posixpath.dirname(path) or '/'}, or remove readOnlyRootFilesystem.",
        )
    user = context.get("runAsUser")
    who = f"user {user}" if user is not None else "the image's user"
    if mount:
        group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
        kind, name = source_of(volume)
        what = f"{kind} {name}" if kind else f"volume {mount.get('name')}"
        mode = (volume.get("secret") or volume.get("configMap") or {}).get("defaultMode")
        if mode is not None:
            return (
                f"{who} may not read {what}, mounted at {mount['mountPath']} with defaultMode {mode:04o}",
                f"Set defaultMode 0444 for {what}, or securityContext.fsGroup of the pod.",
            )
        lacks = "" if group is not None else ", and the pod has no fsGroup"
        return (
            f"{who} may not use {what}, mounted at {mount['mountPath']}{lacks}",
            f"Set securityContext.fsGroup of the pod, or give the folder of {what} to {who}.",
        )
    return (
        f"{who} may not use it, and no volume is mounted there",
        f"Mount a volume (emptyDir) at {posixpath.dirname(path) or '/'}, or change the permissions in the image.",
    )


# tokens


def without_token(seen: Observation, pod: Object) -> str:
    """Why a pod has no token of its ServiceAccount; empty where it has one."""
    if pod["spec"].get("automountServiceAccountToken") is False:
        return "automountServiceAccountToken of the pod is false"
    account = seen.account
    if pod["spec"].get("automountServiceAccountToken") is None and account.get("automountServiceAccountToken") is False:
        return f"automountServiceAccountToken of ServiceAccount {account.get('name')} is false"
    return ""
