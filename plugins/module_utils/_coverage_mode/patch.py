# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is changed in a normal workload so that its program writes its counters: pure functions over its object.

How the counters of each pod come to lie in a folder of their own, writable for whatever user the program runs as:
the volume is a folder of the node that everyone may write to (mode 1777, prepared beforehand), and the mount's
C(subPathExpr) is the pod's name. The kubelet makes that sub-folder with the mode of the volume's folder
(C(pkg/volume/util/subpath), C(SafeMakeDir)), so neither root nor a change of the program's user is needed.

Pod Security forbids C(hostPath) from C(baseline) on, but not a claim on a PersistentVolume that is the same folder.
"""

from __future__ import annotations

import copy
import hashlib
import math
import posixpath
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import containers_of, kind_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.record import (
    COMPONENT,
    POD_NAME,
    PREFIX,
    RUN,
    VOLUME,
    in_normal_mode,
    with_record,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

DEFAULT_GRACE_PERIOD = 30  # Kubernetes' own
WORKLOAD_LABEL = f"{PREFIX}/workload"
INIT_CONTAINER = "coverage-permission"
NOBODY = 65532  # the group of distroless images; any but root's does

HOST_PATH, CLAIM = "host_path", "persistent_volume_claim"
WRITABLE, NODE, FS_GROUP, INIT, ROOT = WAYS = ("writable", "node", "fs_group", "init_container", "root")

Volume = t.Literal["host_path", "persistent_volume_claim"]


@dataclass(frozen=True)
class Settings:
    """How a workload is run in coverage mode.

    :ivar container: name of the container that is instrumented; the others are left alone. An init container may be
        named, too.
    :ivar image: reference of the instrumented image, exactly as it is known to the nodes.
    :ivar run: id of the run. :ivar component: name of the component in it.
    :ivar directory: where the program writes (GOCOVERDIR), inside the container.
    :ivar node_directory: folder of the node under which every run has one.
    :ivar grace_period: seconds that the program gets to end, at least.
    :ivar other_containers: (name, image) of more instrumented containers of the pod.
    :ivar environment: more variables of the container. :ivar resources: laid over the container's own.
    :ivar startup_seconds: seconds that the container gets to start before a probe kills it, at least; 0: as it is.
    :ivar replicas: None: as they are.
    :ivar volume: what kind of volume the folder is. :ivar permission: how the folder comes to be writable.
    :ivar init_image: image with a C(chmod), for the init container that makes it writable.
    :ivar folder_prepared: whether the folder was made on each node beforehand.
    """

    container: str
    image: str
    run: str
    component: str
    directory: str = "/coverdata"
    node_directory: str = "/coverdata"
    grace_period: int = DEFAULT_GRACE_PERIOD
    other_containers: tuple[tuple[str, str], ...] = ()
    environment: t.Mapping[str, str] = field(default_factory=dict)
    resources: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    startup_seconds: int = 0
    replicas: t.Optional[int] = None
    volume: str = HOST_PATH
    permission: str = NODE
    init_image: str = ""
    folder_prepared: bool = True

    @property
    def volume_directory(self) -> str:
        """The folder on the node that holds one folder for each pod of this component in this run."""
        return posixpath.join(self.node_directory, self.run, self.component)

    @property
    def folder_mode(self) -> str:
        """Mode of that folder where it is made on the nodes."""
        return "1777" if self.permission in (WRITABLE, NODE) else "0755"

    @property
    def host_path_type(self) -> str:
        """What the kubelet checks before it mounts the folder."""
        # a folder that the kubelet makes belongs to root: fine only where something then gives it away
        return "Directory" if self.folder_prepared or self.permission in (WRITABLE, NODE) else "DirectoryOrCreate"


def in_coverage_mode(workload: Object, settings: Settings) -> Object:
    """Return the workload with what coverage needs, and with the way back in its annotation.

    Applied to its own result with other settings it starts again from the normal workload, so nothing piles up.

    :raises InputError: no such container; or a volume, mount or variable of the workload is in the way.
    """
    normal, _kept = in_normal_mode(workload)
    return with_record(patched(normal, settings), normal)


def patched(normal: Object, settings: Settings) -> Object:
    """Return the normal workload with what coverage needs, without the way back.

    :raises InputError: as C(in_coverage_mode).
    """
    changed = copy.deepcopy(normal)
    kind = kind_of(changed["kind"])
    template = kind.pod_template(changed)
    pod = template["spec"]
    _refuse_volume(changed, pod)
    _refuse_variables(settings)

    main = _container(changed, pod, settings.container, "workload.container")
    _instrument(changed, main, settings, settings.image, f"$({POD_NAME})")
    _set_variables(main, [{"name": name, "value": str(value)} for name, value in settings.environment.items()])
    _lay_over(main, "resources", settings.resources)
    if settings.startup_seconds > 0:
        _give_time_to_start(main, settings.startup_seconds)
    for name, image in settings.other_containers:
        other = _container(changed, pod, name, "coverage.other_containers")
        _instrument(changed, other, settings, image, f"$({POD_NAME})/{name}")
    names = {settings.container, *(name for name, _image in settings.other_containers)}
    _give_permission(pod, [item for item in containers_of(pod) if item["name"] in names], settings)

    pod["volumes"] = [*(pod.get("volumes") or []), {"name": VOLUME, **_volume_source(normal, settings)}]
    grace_period = pod.get("terminationGracePeriodSeconds")
    pod["terminationGracePeriodSeconds"] = max(
        DEFAULT_GRACE_PERIOD if grace_period is None else grace_period, settings.grace_period
    )
    if settings.replicas is not None:
        if not kind.scaled:
            raise InputError(f"A {kind.name} has no replicas.", setting="coverage.replicas")
        changed["spec"]["replicas"] = settings.replicas
    marks = {RUN: settings.run, COMPONENT: settings.component}
    for part in (template, changed):
        metadata = part["metadata"] = part.get("metadata") or {}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **marks}
    return changed


def pod_of(workload: Object) -> Object:
    """Return the pod that a workload would make, as it could be created: for the API server's opinion of it."""
    template = kind_of(workload["kind"]).pod_template(workload)
    metadata = template.get("metadata") or {}
    spec = copy.deepcopy(template["spec"])
    claims = (workload.get("spec") or {}).get("volumeClaimTemplates") or []
    if claims:
        # as the controller would (pkg/controller/statefulset/stateful_set_utils.go, updateStorage)
        names = [claim["metadata"]["name"] for claim in claims]
        spec["volumes"] = [
            *({"name": name, "persistentVolumeClaim": {"claimName": f"{name}-0"}} for name in names),
            *(volume for volume in spec.get("volumes") or [] if volume["name"] not in names),
        ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "coverage-",
            "namespace": workload["metadata"].get("namespace"),
            **{key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)},
        },
        "spec": spec,
    }


# the claim, where the folder has to be one


def volume_objects(workload: Object, settings: Settings) -> list[Object]:
    """Return the PersistentVolume that is the folder on the nodes, and the claim on it; none where none is needed."""
    if settings.volume != CLAIM:
        return []
    claim = claim_name(workload, settings)
    namespace = workload["metadata"]["namespace"]
    volume = _unique(f"{namespace}-{claim}", settings)
    metadata = {
        "labels": {WORKLOAD_LABEL: workload_label(workload)},
        "annotations": {RUN: settings.run, COMPONENT: settings.component},
    }
    common = {
        # not what is enforced: the folder is the node's own, and every pod on it has its own part
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeMode": "Filesystem",
    }
    if settings.permission == FS_GROUP:
        # the kubelet gives a volume of type local to the pod's group, a hostPath never (their plugins' SetUpAt)
        everywhere = {"key": "kubernetes.io/os", "operator": "Exists"}
        source: Object = {
            "local": {"path": settings.volume_directory},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [everywhere]}]}},
        }
    else:
        source = {"hostPath": {"path": settings.volume_directory, "type": settings.host_path_type}}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume, **metadata},
            "spec": {
                **common,
                **source,
                "capacity": {"storage": "1Gi"},
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": namespace,
                    "name": claim,
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": namespace, **metadata},
            "spec": {**common, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume},
        },
    ]


def claim_name(workload: Object, settings: Settings) -> str:
    """Return the claim's name: another one for each workload, run and way, because what a volume is cannot change."""
    return _unique(f"coverage-{workload['metadata']['name']}-{settings.run}", settings, workload["kind"])


def workload_label(workload: Object) -> str:
    """Return the label's value by which the claims of a workload are found again."""
    text = f"{workload['kind'].lower()}-{workload['metadata']['name']}"
    whole = f"{workload['metadata'].get('namespace')}/{text}"
    return f"{text[:46].rstrip('-.')}-{hashlib.sha256(whole.encode()).hexdigest()[:10]}"


def _unique(text: str, settings: Settings, more: str = "") -> str:
    # what the volume is, not how that was decided: a folder that was just made is "writable" the next time
    source = "local" if settings.permission == FS_GROUP else settings.host_path_type
    parts = "\n".join((text, more, settings.run, settings.component, settings.volume_directory, source))
    readable = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:200]
    return f"{readable}-{hashlib.sha256(parts.encode()).hexdigest()[:8]}"


def _volume_source(workload: Object, settings: Settings) -> Object:
    if settings.volume == CLAIM:
        return {"persistentVolumeClaim": {"claimName": claim_name(workload, settings)}}
    return {"hostPath": {"path": settings.volume_directory, "type": settings.host_path_type}}


# parts of the patch


def _instrument(workload: Object, container: Object, settings: Settings, image: str, folder: str) -> None:
    _refuse_mount(workload, container, settings)
    container["image"] = image
    # the image is on the node already: a pull could only fetch another one, or fail late
    container["imagePullPolicy"] = "Never"
    if container.get("terminationMessagePolicy") in (None, "File"):
        # the end of the log, where a panic is, stays readable once the log itself is gone
        container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    _set_variables(
        container,
        [
            {"name": "GOCOVERDIR", "value": settings.directory},
            {"name": POD_NAME, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        ],
    )
    container["volumeMounts"] = [
        *(container.get("volumeMounts") or []),
        {"name": VOLUME, "mountPath": settings.directory, "subPathExpr": folder},
    ]


def _set_variables(container: Object, variables: t.Sequence[Object]) -> None:
    """Set variables in place, or append them; of one that appears twice, the last is set."""
    if not variables:
        return
    items = [dict(item) for item in container.get("env") or []]
    for variable in variables:
        places = [index for index, item in enumerate(items) if item["name"] == variable["name"]]
        if places:
            items[places[-1]] = dict(variable)
        else:
            items.append(dict(variable))
    container["env"] = items


def _lay_over(item: Object, key: str, more: t.Mapping[str, t.Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            inner = item[key] = dict(item.get(key) or {})
            _lay_over(inner, name, value)
        else:
            item[key] = {**(item.get(key) or {}), name: value}


def _give_time_to_start(container: Object, seconds: int) -> None:
    """Let no probe kill the container before it had those seconds.

    Only a liveness or startup probe kills, so only they are relaxed. A startup probe holds the others back until it
    was answered once; it asks what the liveness probe asks, so nothing new can fail.
    """
    probe = container.get("startupProbe")
    if probe:
        period = probe.get("periodSeconds") or 10
        needed = math.ceil((seconds - (probe.get("initialDelaySeconds") or 0)) / period)
        container["startupProbe"] = {**probe, "failureThreshold": max(probe.get("failureThreshold") or 3, needed)}
    elif container.get("livenessProbe"):
        liveness = container["livenessProbe"]
        # every second, so that readiness is not held back; a command costs more than a connection
        period = (liveness.get("periodSeconds") or 10) if "exec" in liveness else 1
        container["startupProbe"] = {
            **copy.deepcopy({key: value for key, value in liveness.items() if key != "initialDelaySeconds"}),
            "periodSeconds": period,
            "successThreshold": 1,
            "failureThreshold": max(1, math.ceil(seconds / period)),
        }


def _give_permission(pod: Object, containers: t.Sequence[Object], settings: Settings) -> None:
    context = pod.get("securityContext") or {}
    if settings.permission == FS_GROUP and not context.get("fsGroup"):
        group = next((context[key] for key in ("runAsGroup", "runAsUser") if context.get(key)), NOBODY)
        pod["securityContext"] = {**context, "fsGroup": group}
    if settings.permission == INIT:
        pod["initContainers"] = [
            {
                "name": INIT_CONTAINER,
                "image": settings.init_image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["chmod", "1777", settings.directory],
                "securityContext": {"runAsUser": 0, "runAsNonRoot": False},
                "volumeMounts": [{"name": VOLUME, "mountPath": settings.directory}],
            },
            *(pod.get("initContainers") or []),
        ]
    if settings.permission == ROOT:
        for container in containers:
            own = container.get("securityContext") or {}
            container["securityContext"] = {**own, "runAsUser": 0, "runAsNonRoot": False}


def _container(workload: Object, pod: Object, name: str, setting: str) -> Object:
    names = []
    for container in containers_of(pod):
        names.append(container["name"])
        if names[-1] == name:
            return container
    near = nearest_few(name, names, most=1) or names
    raise InputError(
        f"{workload['kind']} {workload['metadata']['name']} has no container {name!r}; it has {', '.join(near)}.",
        setting=setting,
        cause="container-not-in-workload",
    )


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path.strip("/"))


def _refuse_volume(workload: Object, pod: Object) -> None:
    what = f"{workload['kind']} {workload['metadata']['name']}"
    if any(volume["name"] == VOLUME for volume in pod.get("volumes") or []):
        raise InputError(
            f"{what} has a volume {VOLUME} of its own.", remedy="Rename that volume.", cause="coverage-volume-taken"
        )
    if any(item["name"] == INIT_CONTAINER for item in containers_of(pod)):
        raise InputError(
            f"{what} has a container {INIT_CONTAINER} of its own.",
            remedy="Rename that container.",
            cause="coverage-volume-taken",
        )


def _refuse_variables(settings: Settings) -> None:
    for name in ("GOCOVERDIR", POD_NAME):
        if name in settings.environment:
            raise InputError(
                f"The variable {name} is set by coverage mode.",
                remedy="Set only coverage_mode_directory to say where counters are written.",
                setting="coverage.environment",
            )


def _refuse_mount(workload: Object, container: Object, settings: Settings) -> None:
    what = f"{workload['kind']} {workload['metadata']['name']}"
    for mount in container.get("volumeMounts") or []:
        if _clean(mount["mountPath"]) == _clean(settings.directory):
            raise InputError(
                f"{what} mounts volume {mount['name']} at {settings.directory}, where the counters would be written.",
                remedy="Choose another folder for the counters.",
                setting="coverage.directory",
                cause="coverage-directory-taken",
            )
