# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Coverage mode: what is changed in a normal workload so that its program writes its counters, and back again.

The change itself is a set of pure functions over the objects as they are written in a manifest; only C(switch_on) and
C(switch_off) talk to a cluster. The normal workload travels with the changed one, in an annotation, so that it can be
put back exactly.

How the counters of each pod come to lie in a folder of their own, writable for whatever user the program runs as:
the volume is a folder of the node that everyone may write to (mode 1777, prepared beforehand), and the mount's
C(subPathExpr) is the pod's name. The kubelet makes that sub-folder with the mode of the volume's folder
(C(pkg/volume/util/subpath), C(SafeMakeDir)), so neither root nor a change of the program's user is needed.
"""

from __future__ import annotations

import copy
import difflib
import json
import posixpath
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import Cluster, Object, describe, same
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import Podman

PREFIX = "coverage.kubernaut.io"
ORIGINAL = f"{PREFIX}/original"
RUN = f"{PREFIX}/run"
COMPONENT = f"{PREFIX}/component"
VOLUME = "coverage-data"
POD_NAME = "COVERAGE_POD_NAME"
DEFAULT_GRACE_PERIOD = 30  # Kubernetes' own
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")


@dataclass(frozen=True)
class Settings:
    """How a workload is run in coverage mode.

    :ivar container: name of the container that is instrumented; the others are left alone.
    :ivar image: reference of the instrumented image, exactly as it is known to the nodes.
    :ivar run: id of the run. :ivar component: name of the component in it.
    :ivar directory: where the program writes (GOCOVERDIR), inside the container.
    :ivar node_directory: folder of the node under which every run has one.
    :ivar grace_period: seconds that the program gets to end, at least.
    """

    container: str
    image: str
    run: str
    component: str
    directory: str = "/coverdata"
    node_directory: str = "/coverdata"
    grace_period: int = DEFAULT_GRACE_PERIOD

    @property
    def volume_directory(self) -> str:
        """The folder on the node that holds one folder for each pod of this component in this run."""
        return posixpath.join(self.node_directory, self.run, self.component)


def in_coverage_mode(workload: Object, settings: Settings) -> Object:
    """Return the workload with what coverage needs, and with the normal one in its annotation.

    Applied to its own result with other settings it starts again from the normal workload, so nothing piles up.

    :raises InputError: no such container; or a volume, mount or variable of the workload is in the way.
    """
    normal = in_normal_mode(workload)
    changed = copy.deepcopy(normal)
    template = changed["spec"]["template"]
    pod = template["spec"]
    container = _container(changed, settings.container)

    _refuse_conflicts(changed, pod, container, settings)
    container["image"] = settings.image
    # the image is on the node already: a pull could only fetch another one, or fail late
    container["imagePullPolicy"] = "Never"
    environment = [item for item in container.get("env") or [] if item["name"] not in ("GOCOVERDIR", POD_NAME)]
    container["env"] = [
        *environment,
        {"name": "GOCOVERDIR", "value": settings.directory},
        {"name": POD_NAME, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
    ]
    container["volumeMounts"] = [
        *(container.get("volumeMounts") or []),
        {"name": VOLUME, "mountPath": settings.directory, "subPathExpr": f"$({POD_NAME})"},
    ]
    pod["volumes"] = [
        *(pod.get("volumes") or []),
        # not "DirectoryOrCreate": a folder that the kubelet makes belongs to root, and the counters would be lost
        {"name": VOLUME, "hostPath": {"path": settings.volume_directory, "type": "Directory"}},
    ]
    grace_period = pod.get("terminationGracePeriodSeconds")
    pod["terminationGracePeriodSeconds"] = max(
        DEFAULT_GRACE_PERIOD if grace_period is None else grace_period, settings.grace_period
    )
    metadata = template["metadata"] = template.get("metadata") or {}
    marks = {RUN: settings.run, COMPONENT: settings.component}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **marks}
    changed["metadata"]["annotations"] = {
        **(changed["metadata"].get("annotations") or {}),
        **marks,
        ORIGINAL: json.dumps(normal, sort_keys=True, separators=(",", ":")),
    }
    return changed


def in_normal_mode(workload: Object) -> Object:
    """Return the normal workload: the one in the annotation, or the workload itself where there is none."""
    original = ((workload.get("metadata") or {}).get("annotations") or {}).get(ORIGINAL)
    return t.cast(Object, json.loads(original)) if original else copy.deepcopy(workload)


def is_in_coverage_mode(workload: Object) -> bool:
    """Whether the workload carries the normal one with it."""
    return ORIGINAL in ((workload.get("metadata") or {}).get("annotations") or {})


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
    near = difflib.get_close_matches(name, names, n=1) or names[:1]
    raise InputError(
        f"The manifests have no {kind} {name!r}" + (f"; the nearest is {near[0]!r}." if near else f", nor any {kind}."),
        setting="coverage_mode_name",
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

    :raises InputError: a file is missing, is no YAML, or holds something that is no Kubernetes object.
    """
    import yaml

    objects: list[Object] = []
    for path in paths:
        file = Path(directory) / path
        try:
            documents = [item for item in yaml.safe_load_all(file.read_text(encoding="utf-8")) if item is not None]
        except OSError as error:
            raise InputError(
                f"The manifest {file} cannot be read ({error.strerror}).", setting="coverage_mode_manifests"
            ) from error
        except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date that is none
            raise InputError(f"The manifest {file} is not YAML: {' '.join(str(error).split())}.") from error
        for document in documents:
            is_list = isinstance(document, dict) and document.get("kind") == "List"
            for item in (document.get("items") or []) if is_list else [document]:
                if not isinstance(item, dict) or not item.get("kind") or not item.get("apiVersion"):
                    raise InputError(f"The manifest {file} holds something that is no Kubernetes object.")
                if not (item.get("metadata") or {}).get("name"):
                    raise InputError(f"A {item['kind']} in the manifest {file} has no name.")
                objects.append(item)
    return objects


def as_yaml(item: Object) -> str:
    """Return an object as a person reads it."""
    import yaml

    return str(yaml.safe_dump(item))


def switch_on(
    cluster: Cluster, podman: Podman, nodes: t.Sequence[str], objects: t.Sequence[Object], *, dry_run: bool = False
) -> list[str]:
    """Apply the objects, of which one is in coverage mode; return the names of those that were changed.

    :arg nodes: containers of the nodes; the volume's folder is made on each of them first.
    """
    volumes = {
        volume["hostPath"]["path"]
        for item in objects
        if is_in_coverage_mode(item)
        for volume in item["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == VOLUME
    }
    if not dry_run and volumes:
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(_make_folders, podman, node, sorted(volumes)) for node in nodes]:
                done.result()
    changed = []
    missing_namespaces = set()
    for item in objects:
        if dry_run and item["metadata"].get("namespace") in missing_namespaces:
            changed.append(describe(item))  # what is in a namespace to be made is to be made, too
            continue
        after, before = cluster.apply(item, dry_run=dry_run)
        if not same(before, after):
            changed.append(describe(item))
        if before is None and item["kind"] == "Namespace":
            missing_namespaces.add(item["metadata"]["name"])
    return changed


def switch_off(cluster: Cluster, workload: Object, *, dry_run: bool = False) -> t.Optional[Object]:
    """Put a workload back as its annotation remembers it; return what it was in coverage mode, None if it was not.

    Server-side apply with the field manager that changed it: what only coverage mode had is removed with it.
    """
    current = cluster.get(cluster.path(workload))
    if current is None or not is_in_coverage_mode(current):
        return None
    cluster.apply(in_normal_mode(current), dry_run=dry_run)
    return current


def _make_folders(podman: Podman, node: str, folders: t.Sequence[str]) -> None:
    podman.exec(node, "install", "-d", "-m", "1777", *folders, purpose=f"make the folder for counters on node {node}")


def _container(workload: Object, name: str) -> Object:
    containers = workload["spec"]["template"]["spec"].get("containers") or []
    for container in containers:
        if container["name"] == name:
            return t.cast(Object, container)
    names = [container["name"] for container in containers]
    near = difflib.get_close_matches(name, names, n=1) or names
    raise InputError(
        f"{workload['kind']} {workload['metadata']['name']} has no container {name!r}; it has {', '.join(near)}.",
        setting="coverage_mode_container",
        cause="container-not-in-workload",
    )


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path.strip("/"))


def _refuse_conflicts(workload: Object, pod: Object, container: Object, settings: Settings) -> None:
    what = f"{workload['kind']} {workload['metadata']['name']}"
    if any(volume["name"] == VOLUME for volume in pod.get("volumes") or []):
        raise InputError(
            f"{what} has a volume {VOLUME} of its own.", remedy="Rename that volume.", cause="coverage-volume-taken"
        )
    for mount in container.get("volumeMounts") or []:
        if _clean(mount["mountPath"]) == _clean(settings.directory):
            raise InputError(
                f"{what} mounts volume {mount['name']} at {settings.directory}, where the counters would be written.",
                remedy="Choose another folder for the counters.",
                setting="coverage_mode_directory",
                cause="coverage-directory-taken",
            )
