# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Switch a workload of a cluster to coverage mode, and back.

The normal workload is what the API server makes of the manifest (asked by a dry run), or what runs in the cluster. The
one in coverage mode is asked for by a dry run, too, before anything is changed: what differs between the two answers,
to the last default, is the way back.
"""

from __future__ import annotations

import copy
import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import permission as permissions
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.changes import (
    applied,
    covers,
    differences,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import (
    WorkloadKind,
    as_defined,
    kind_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.manifests import (
    find_workload,
    with_namespace,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.outcome import CoverageOutcome
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import (
    CLAIM,
    FS_GROUP,
    HOST_PATH,
    Settings,
    patched,
    pod_of,
    volume_objects,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.record import (
    COMPONENT,
    ORIGINAL,
    RUN,
    VOLUME,
    as_text,
    changes_of,
    in_normal_mode,
    is_in_coverage_mode,
    without_changes,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.recreate import (
    NotSwitched,
    dry_created,
    recreate,
    saved,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.refusals import (
    missing,
    note_owner,
    notes_on,
    refuse_owned,
    refuse_running,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.volumes import (
    remove_released,
    remove_volumes,
    wait_until_known,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    CONFLICT,
    INVALID,
    NOT_FOUND,
    Cluster,
    KubernetesError,
    Object,
    describe,
    same,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

MANAGER = "kubernaut.coverage.mode"
ATTEMPTS = 8  # somebody else may write the object between a reading and a writing
ACCOUNT_TIMEOUT = 3.0  # seconds; the controller manager needs a fraction of one
ENFORCE = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True)
class CoverageRequest:
    """What a user asks for: the workload, and what is to be decided.

    :ivar objects: the normal objects, of which one is the workload; empty: the workload as it is in the cluster.
    :ivar settings: with C(volume) and C(permission) still to be decided.
    :ivar volume, permission: C(auto), or what it has to be.
    """

    kind: str
    namespace: str
    name: str
    settings: Settings
    objects: t.Sequence[Object] = ()
    nodes: t.Sequence[str] = ()
    volume: str = permissions.AUTO
    permission: str = permissions.AUTO
    allow_root: bool = False


# on


def turn_on(
    cluster: t.Optional[Cluster], podman: Podman, wanted: CoverageRequest, *, dry_run: bool = False
) -> CoverageOutcome:
    """Apply the normal objects with the workload in coverage mode, or put the one of the cluster into it.

    :arg cluster: None for a dry run before there is a cluster.
    :raises InputError: the workload, the container or a setting cannot be used; nothing was changed.
    :raises KubernetesError: the API server refuses an object. :raises NotSwitched: the workload is as it was.
    """
    kind = kind_of(wanted.kind)
    manifest, others = _from_manifests(wanted)
    live = None if cluster is None else _live(cluster, kind, wanted)
    if live is not None:
        refuse_owned(cluster, live)
    start, _kept = in_normal_mode(live) if manifest is None and live is not None else (manifest, [])
    if start is None:
        raise missing(cluster, kind, wanted.namespace, wanted.name)
    settings, permission = _permitted(podman, wanted, nodes_exist=cluster is not None)
    patched(start, settings)  # what is in the way is said before anything is touched

    outcome = CoverageOutcome(settings=settings, permission=permission)
    own = (item for item in others if item["kind"] == "Namespace" and item["metadata"]["name"] == wanted.namespace)
    space = None if cluster is None else cluster.get(f"/api/v1/namespaces/{wanted.namespace}")
    if cluster is None or (dry_run and space is None):
        volume = _by_labels(wanted, next(own, {}))[0]
        settings = outcome.settings = dataclasses.replace(settings, volume=volume)
        outcome.before, outcome.after = start, patched(start, settings)
        outcome.changes = differences(start, outcome.after)
        outcome.changed = [describe(item) for item in [*others, *volume_objects(start, settings), outcome.after]]
        return outcome

    outcome.changed += switch_on(cluster, podman, (), others, dry_run=dry_run)
    for attempt in range(ATTEMPTS):
        try:
            # with the objects that were just applied, the namespace has its labels
            return _turn_on(cluster, podman, wanted, manifest, outcome, dry_run=dry_run)
        except KubernetesError as error:
            if error.status != CONFLICT or attempt == ATTEMPTS - 1:
                raise
            report_progress(f"{wanted.name} was changed concurrently: trying again")
    raise AssertionError  # the last attempt returns or raises


def _turn_on(
    cluster: Cluster,
    podman: Podman,
    wanted: CoverageRequest,
    manifest: t.Optional[Object],
    so_far: CoverageOutcome,
    *,
    dry_run: bool,
) -> CoverageOutcome:
    outcome = copy.copy(so_far)
    outcome.changed, settings = list(so_far.changed), t.cast(Settings, so_far.settings)
    kind = kind_of(wanted.kind)
    live = _live(cluster, kind, wanted)
    outcome.before, outcome.kept, outcome.notes = live, [], note_owner(live)
    normal = _normal(cluster, kind, manifest, live)
    if live is not None and is_in_coverage_mode(live):
        outcome.kept = in_normal_mode(live)[1]

    settings = outcome.settings = _with_volume(cluster, wanted, settings, normal, outcome)
    target = patched(normal, settings)
    outcome.notes += notes_on(target, settings)
    volumes = volume_objects(normal, settings)
    if not dry_run and wanted.nodes:
        permissions.make_folders(podman, wanted.nodes, [settings.volume_directory], settings.folder_mode)
    outcome.changed += switch_on(cluster, podman, (), volumes, dry_run=dry_run)

    if kind.recreated:
        answer = dry_created(cluster, target)
    elif live is None:
        # what the manifest says is owned as by any apply: fields that it drops later are removed
        target = applied(differences(as_defined(normal), as_defined(target)), t.cast(Object, manifest))
        answer = cluster.apply(target, dry_run=True)[0]
    else:
        answer = cluster.replace(target, dry_run=True, field_manager=MANAGER)
    outcome.changes = differences(as_defined(normal), as_defined(answer))
    for item in (target, answer):
        item["metadata"].setdefault("annotations", {})[ORIGINAL] = as_text(outcome.changes)
    outcome.after = as_defined(answer)
    if outcome.before is None:
        outcome.before = as_defined(normal)
    if live is not None and as_defined(live) == outcome.after:
        return outcome

    outcome.changed.append(describe(target))
    if kind.recreated and live is not None:
        refuse_running(live)
        outcome.notes.append(f"{describe(live)} cannot be changed in place; it is deleted and recreated.")
    if dry_run:
        return outcome
    if kind.recreated:
        recreate(cluster, kind, live, normal, target)
    elif live is None:
        cluster.apply(target)
    else:
        cluster.replace(target, field_manager=MANAGER)
    remove_volumes(cluster, target, but=[item["metadata"]["name"] for item in volumes])
    return outcome


def _normal(cluster: Cluster, kind: WorkloadKind, manifest: t.Optional[Object], live: t.Optional[Object]) -> Object:
    """Return the workload as it would be without coverage mode, with all that the API server adds."""
    if manifest is None:
        return in_normal_mode(t.cast(Object, live))[0]
    if kind.recreated:
        if live is not None:
            normal, _kept = in_normal_mode(live)
            if covers(normal, manifest):
                return normal
        return dry_created(cluster, manifest)
    answer, _before = cluster.apply(manifest, dry_run=True)
    if live is not None and is_in_coverage_mode(live):
        # what the manifest says has replaced what coverage mode had; the rest is taken back
        answer, _kept = without_changes(answer, changes_of(live))
    return answer


def switch_on(
    cluster: Cluster, podman: Podman, nodes: t.Sequence[str], objects: t.Sequence[Object], *, dry_run: bool = False
) -> list[str]:
    """Apply objects as they are, of which some may be in coverage mode; return the names of those that were changed.

    :arg nodes: containers of the nodes; the folders of their volumes are made on each of them first.
    """
    volumes = {
        volume["hostPath"]["path"]
        for item in objects
        if is_in_coverage_mode(item)
        for volume in kind_of(item["kind"]).pod_template(item)["spec"]["volumes"]
        if volume["name"] == VOLUME and "hostPath" in volume
    }
    if not dry_run and volumes and nodes:
        permissions.make_folders(podman, nodes, sorted(volumes), "1777")
    changed = []
    missing_namespaces = set()
    for item in objects:
        if dry_run and item["metadata"].get("namespace") in missing_namespaces:
            changed.append(describe(item))  # what is in a namespace to be made is to be made, too
            continue
        if item["kind"] == "PersistentVolume" and not dry_run:
            remove_released(cluster, item)
        after, before = cluster.apply(item, dry_run=dry_run)
        if not same(before, after):
            changed.append(describe(item))
        if before is None and item["kind"] == "Namespace":
            missing_namespaces.add(item["metadata"]["name"])
        if before is None and item["kind"] == "PersistentVolume" and not dry_run:
            wait_until_known(cluster, item)
    return changed


# off


def turn_off(
    cluster: Cluster,
    podman: Podman,
    workload: Object,
    *,
    nodes: t.Sequence[str] = (),
    node_directory: str = "/coverdata",
    discard: bool = False,
    dry_run: bool = False,
) -> CoverageOutcome:
    """Put a workload back as it was; what somebody else changed meanwhile stays, and is named.

    :arg workload: its kind, namespace and name. :arg discard: whether counters on the nodes go that nobody took.
    :raises InputError: the way back cannot be read. :raises KubernetesError: the API server rejects it.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _turn_off(cluster, podman, workload, nodes, node_directory, discard=discard, dry_run=dry_run)
        except KubernetesError as error:
            if error.status != CONFLICT or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError  # the last attempt returns or raises


def _turn_off(
    cluster: Cluster,
    podman: Podman,
    workload: Object,
    nodes: t.Sequence[str],
    node_directory: str,
    *,
    discard: bool,
    dry_run: bool,
) -> CoverageOutcome:
    kind = kind_of(workload["kind"])
    live = cluster.get(cluster.path(workload))
    outcome = CoverageOutcome(before=live)
    lost = saved(cluster, kind, workload) if live is None and kind.recreated else None
    if lost is not None:
        outcome.before, outcome.after = lost, lost
        outcome.changed.append(describe(lost))
        outcome.notes.append(f"{describe(lost)} was lost during the last switch; it is recreated.")
        if not dry_run:
            recreate(cluster, kind, None, lost, lost)
        return outcome
    if live is None or not is_in_coverage_mode(live):
        if not dry_run:
            remove_volumes(cluster, workload)
        return outcome
    folder = _folder_of(cluster, kind, live)
    marks = live["metadata"]["annotations"]
    normal, outcome.kept = in_normal_mode(live)
    outcome.after = as_defined(normal)
    outcome.changes = differences(as_defined(live), outcome.after)
    outcome.changed.append(describe(live))
    outcome.notes += note_owner(live)
    if kind.recreated:
        dry_created(cluster, normal)
        if kind.name == "Job":
            outcome.notes.append(f"{describe(live)} is recreated, so it runs once more, without coverage.")
        if not dry_run:
            recreate(cluster, kind, live, as_defined(normal), as_defined(normal))
    else:
        answer = cluster.replace(normal, dry_run=dry_run, field_manager=MANAGER)
        if not dry_run:
            _let_go(cluster, answer)
    if not dry_run:
        remove_volumes(cluster, live)
        own = permissions.is_own_folder(folder, node_directory, marks.get(RUN, ""), marks.get(COMPONENT, ""))
        if nodes and own:
            outcome.folders = permissions.remove_folders(podman, nodes, folder, discard=discard)
            outcome.notes += [f"{name} has counters that were not collected; it is kept." for name in outcome.folders]
    return outcome


def _let_go(cluster: Cluster, workload: Object) -> None:
    """Give up ownership of all fields: the next apply of the workload does not conflict with coverage mode."""
    fields = workload["metadata"].get("managedFields") or []
    others = [item for item in fields if item.get("manager") != MANAGER]
    if not others or others == fields:
        return  # an empty list would be taken for "leave it"
    workload = {**workload, "metadata": {**workload["metadata"], "managedFields": others}}
    try:
        cluster.replace(workload, field_manager=MANAGER)
    except KubernetesError as error:
        if error.status not in (CONFLICT, NOT_FOUND):
            raise
        # its controller wrote it meanwhile: once more, with what it is now
        current = cluster.get(cluster.path(workload))
        if current is not None and not is_in_coverage_mode(current):
            _let_go(cluster, current)


def _folder_of(cluster: Cluster, kind: WorkloadKind, workload: Object) -> str:
    """The folder on the nodes that the workload's volume is; empty where it has none any more."""
    for volume in kind.pod_template(workload)["spec"].get("volumes") or []:
        if volume["name"] != VOLUME:
            continue
        if "hostPath" in volume:
            return str(volume["hostPath"]["path"])
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        namespace = workload["metadata"]["namespace"]
        claim = cluster.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
        disk = cluster.get(f"/api/v1/persistentvolumes/{claim['spec'].get('volumeName')}") if claim else None
        spec = (disk or {}).get("spec") or {}
        return str((spec.get("hostPath") or spec.get("local") or {}).get("path", ""))
    return ""


# what is decided


def _from_manifests(wanted: CoverageRequest) -> tuple[t.Optional[Object], list[Object]]:
    """Return the workload of the manifests and the other objects in the order to apply them; none without manifests."""
    if not wanted.objects:
        return None, []
    objects = with_namespace(wanted.objects, wanted.namespace)
    manifest = find_workload(objects, wanted.kind, wanted.name)
    if manifest["metadata"]["namespace"] != wanted.namespace:
        raise InputError(
            f"{describe(manifest)} is not in the namespace {wanted.namespace}.", setting="workload.namespace"
        )
    return manifest, [item for item in objects if item is not manifest]


def _live(cluster: Cluster, kind: WorkloadKind, wanted: CoverageRequest) -> t.Optional[Object]:
    reference = kind.reference(wanted.namespace, wanted.name)
    return cluster.get(cluster.path(reference)) or (saved(cluster, kind, reference) if kind.recreated else None)


def _permitted(
    podman: Podman, wanted: CoverageRequest, *, nodes_exist: bool
) -> tuple[Settings, permissions.Permission]:
    permission = permissions.decide(
        podman,
        wanted.nodes,
        wanted.settings.volume_directory,
        wanted=wanted.permission,
        volume=wanted.volume,
        init_image=wanted.settings.init_image,
        allow_root=wanted.allow_root,
        nodes_exist=nodes_exist,
    )
    settings = dataclasses.replace(
        wanted.settings, permission=permission.way, folder_prepared=bool(wanted.nodes), volume=HOST_PATH
    )
    if permission.way == FS_GROUP or wanted.volume == CLAIM:
        settings = dataclasses.replace(settings, volume=CLAIM)
    return settings, permission


def _by_labels(wanted: CoverageRequest, namespace: Object) -> list[str]:
    """The kinds of volume to try, the likeliest first."""
    if wanted.volume != permissions.AUTO:
        return [wanted.volume]
    if wanted.permission == FS_GROUP:
        return [CLAIM]
    level = ((namespace.get("metadata") or {}).get("labels") or {}).get(ENFORCE, "privileged")
    return [HOST_PATH, CLAIM] if level == "privileged" else [CLAIM, HOST_PATH]


def _with_volume(
    cluster: Cluster, wanted: CoverageRequest, settings: Settings, normal: Object, outcome: CoverageOutcome
) -> Settings:
    """Return the settings with a volume that the namespace takes; the API server is asked about a pod of it.

    :raises NotSwitched: it takes the normal pods, but none in coverage mode.
    """
    space = cluster.get(f"/api/v1/namespaces/{wanted.namespace}") or {}
    choices = [dataclasses.replace(settings, volume=volume) for volume in _by_labels(wanted, space)]
    _await_account(cluster, normal)
    refusals: list[KubernetesError] = []
    for choice in choices:
        refusal = _refusal(cluster, patched(normal, choice))
        if refusal is None:
            return choice
        refusals.append(refusal)
    first = refusals[0]
    if first.cause == "quota-exceeded" or _refusal(cluster, normal) is not None:
        # a quota counts the pods that will have gone; and what is refused without coverage mode, too, is the gate's
        outcome.notes.append(f"The API server would not accept another pod now: {first.reason}")
        return choices[0]
    setting = "coverage.permission" if wanted.volume == permissions.AUTO else "coverage.volume"
    if first.status == INVALID:  # about values, not about what is allowed
        setting = "coverage.resources" if settings.resources else ""
    raise NotSwitched(
        f"The API server accepts pods of {describe(normal)}, but not in coverage mode: {first.reason}",
        remedy=first.remedy,
        evidence=[refusal.message for refusal in refusals],
        setting=setting,
        cause=first.cause,
    )


def _await_account(cluster: Cluster, workload: Object) -> None:
    """Wait for the account that pods run as: without it none is taken, and a new namespace has it some moments late."""
    spec = kind_of(workload["kind"]).pod_template(workload)["spec"]
    name = spec.get("serviceAccountName") or "default"
    accounts = f"/api/v1/namespaces/{workload['metadata']['namespace']}/serviceaccounts"
    if cluster.get(f"{accounts}/{name}") is None:
        for _event in cluster.watch(accounts, seconds=ACCOUNT_TIMEOUT, field_selector=f"metadata.name={name}"):
            return


def _refusal(cluster: Cluster, workload: Object) -> t.Optional[KubernetesError]:
    try:
        cluster.create(pod_of(workload), dry_run=True)
    except KubernetesError as error:
        if not error.status:
            raise  # no answer
        return error
    return None
