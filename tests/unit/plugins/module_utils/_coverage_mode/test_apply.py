# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching a workload: what is asked first, what is never lost, and what happens when somebody is faster.

Against a cluster that is a dictionary, because what is tested here is what happens when it refuses, loses or changes
something in between. What a real one makes of it is tested by the Molecule scenario coverage_mode.
"""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import (
    ORIGINAL,
    CoverageRequest,
    Settings,
    is_in_coverage_mode,
    outcome_as_result,
    refuse_unsupported,
    turn_off,
    turn_on,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.apply import switch_on
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.changes import applied, differences
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import KINDS, as_defined, kind_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.recreate import NotSwitched
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

SPACE = "/api/v1/namespaces/shop"
ACCOUNT = f"{SPACE}/serviceaccounts/default"
Asked = tuple[str, str, bool]
Objects = list[Object]
Names = list[str]


class Dictionary(Cluster):
    """A cluster that is a dictionary of paths.

    :ivar before: called before each write with (verb, path, dry run); may raise, or change the objects.
    """

    def __init__(self, *objects: Object) -> None:
        self.objects: dict[str, Object] = {}
        self.asked: list[Asked] = []
        self.before: t.Callable[[str, str, bool], None] = lambda *_asked: None
        self.version = 0
        for item in ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, *objects):
            self._write(self.path(item), item)
        self.objects[ACCOUNT] = {"metadata": {}}

    def path(self, item: Object, *, namespace: str = "") -> str:
        kind, metadata = item["kind"], item["metadata"]
        if kind in ("Namespace", "PersistentVolume"):
            return f"/api/v1/{kind.lower()}s/{metadata['name']}"
        group = KINDS[kind].api if kind in KINDS else "apps/v1" if kind == "ReplicaSet" else "v1"
        base = f"/api/{group}" if group == "v1" else f"/apis/{group}"
        return f"{base}/namespaces/{metadata.get('namespace')}/{kind.lower()}s/{metadata['name']}"

    def get(self, path: str) -> t.Optional[Object]:
        return copy.deepcopy(self.objects.get(path))

    def list(self, path: str, **selectors: str) -> Objects:
        key, _equals, value = selectors.get("label_selector", "").partition("=")
        found = [item for name, item in self.objects.items() if name.rpartition("/")[0] == path]
        return [item for item in found if not key or (item["metadata"].get("labels") or {}).get(key) == value]

    def watch(self, path: str, **_more: t.Any) -> t.Iterator[tuple[str, Object]]:
        yield from ()

    def apply(self, item: Object, *, namespace: str = "", dry_run: bool = False) -> tuple[Object, t.Optional[Object]]:
        path = self.path(item)
        before = self.get(path)
        self._ask("apply", path, dry_run)
        merged = applied(differences({}, item), before or {})
        return self._write(path, merged, dry_run), before

    def create(self, item: Object, *, dry_run: bool = False) -> Object:
        path = self.path({**item, "metadata": {"name": "", **item["metadata"]}})
        self._ask("create", path, dry_run, item)
        return self._write(path, item, dry_run)

    def replace(self, item: Object, *, dry_run: bool = False, field_manager: str = "") -> Object:
        path = self.path(item)
        self._ask("replace", path, dry_run)
        if self.objects[path]["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            raise KubernetesError("the object has been modified", status=409)
        return self._write(path, item, dry_run)

    def delete(self, path: str, **_more: t.Any) -> None:
        self._ask("delete", path, False)
        self.objects.pop(path, None)

    def _ask(self, verb: str, path: str, dry_run: bool, item: t.Optional[Object] = None) -> None:
        self.asked.append((verb, path, dry_run))
        self.item = item
        self.before(verb, path, dry_run)

    def _write(self, path: str, item: Object, dry_run: bool = False) -> Object:
        self.version += 1
        item = copy.deepcopy(item)
        item["metadata"].update(resourceVersion=str(self.version), uid=f"uid-{self.version}")
        answer = copy.deepcopy(item)
        if not dry_run:
            if item["kind"] == "PersistentVolume":
                self.controller(item)
            self.objects[path] = item
        return answer

    @staticmethod
    def controller(volume: Object) -> None:
        """What the volume controller does with a volume that it knows."""
        volume["status"] = {"phase": "Available"}

    @property
    def written(self) -> Names:
        """What was really written, in order."""
        return [f"{verb} {path.rpartition('/')[0].rpartition('/')[2]}" for verb, path, dry in self.asked if not dry]


def workload(kind: str = "Deployment", **spec: t.Any) -> Object:
    pod = {"containers": [{"name": "app", "image": "cart:1", "env": [{"name": "TOKEN", "value": "s3cr3t"}]}]}
    metadata = {"name": "cart", "namespace": "shop"}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": pod}
    template = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}
    inner: Object = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    return {"apiVersion": KINDS[kind].api, "kind": kind, "metadata": metadata, "spec": {**spec, **inner}}


def wanted(kind: str = "Deployment", **more: t.Any) -> CoverageRequest:
    options = {key: more.pop(key) for key in list(more) if key in ("run", "container", "resources", "replicas")}
    settings = Settings(**{"container": "app", "image": "localhost/cart:1", "run": "1", "component": "cart", **options})
    return CoverageRequest(kind, "shop", more.pop("name", "cart"), settings, **{"permission": "writable", **more})


def live(cluster: Dictionary, kind: str = "Deployment") -> Object:
    found = cluster.get(cluster.path(workload(kind)))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_is_switched_and_put_back(podman: Podman, kind: str) -> None:
    cluster = Dictionary(workload(kind))
    before = live(cluster, kind)
    outcome = turn_on(cluster, podman, wanted(kind))
    assert outcome.changed == [f"{kind} shop/cart"]
    assert is_in_coverage_mode(live(cluster, kind))
    assert turn_on(cluster, podman, wanted(kind)).changed == []
    turn_on(cluster, podman, wanted(kind, run="2"))
    outcome = turn_off(cluster, podman, kind_of(kind).reference("shop", "cart"))
    assert outcome.changed == [f"{kind} shop/cart"]
    assert as_defined(live(cluster, kind)) == as_defined(before)
    assert turn_off(cluster, podman, kind_of(kind).reference("shop", "cart")).changed == []
    assert not [path for path in cluster.objects if "secret" in path]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_only_written_down_is_created_in_coverage_mode(podman: Podman, kind: str) -> None:
    cluster = Dictionary()
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    outcome = turn_on(cluster, podman, wanted(kind, objects=[workload(kind), other]))
    assert outcome.changed == ["ConfigMap shop/settings", f"{kind} shop/cart"]
    turn_off(cluster, podman, kind_of(kind).reference("shop", "cart"))
    assert as_defined(live(cluster, kind)) == workload(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("manifest", [True, False])
def test_a_dry_run_writes_nothing(podman: Podman, kind: str, manifest: bool) -> None:
    cluster = Dictionary(*([] if manifest else [workload(kind)]))
    outcome = turn_on(cluster, podman, wanted(kind, objects=[workload(kind)] if manifest else []), dry_run=True)
    assert outcome.changed == [f"{kind} shop/cart"]
    assert cluster.written == []
    if not manifest:
        turn_on(cluster, podman, wanted(kind))
        cluster.asked.clear()
        turn_off(cluster, podman, kind_of(kind).reference("shop", "cart"), dry_run=True)
        assert cluster.written == []


def test_without_a_cluster_the_patch_is_shown(podman: Podman) -> None:
    outcome = turn_on(None, podman, wanted(objects=[workload()]), dry_run=True)
    assert outcome.changed == ["Namespace shop", "Deployment shop/cart"]
    result = outcome_as_result(outcome)
    assert "+" not in result["diff"]["before"]
    assert "GOCOVERDIR" in result["diff"]["after"]
    assert ORIGINAL not in result["diff"]["after"]
    assert "s3cr3t" not in json.dumps(result)
    fields = [change["field"] for change in result["changes"]]
    assert "spec.template.spec.containers[app].image" in fields
    with pytest.raises(InputError) as caught:
        turn_on(None, podman, wanted(), dry_run=True)
    assert caught.value.cause == "workload-not-in-cluster"


def test_the_namespace_of_the_manifests_says_what_volume_it_takes(podman: Podman) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}
    outcome = turn_on(None, podman, wanted(objects=[space, workload()]), dry_run=True)
    assert outcome_as_result(outcome)["volume"] == "persistent_volume_claim"


# somebody is faster


def test_a_change_in_between_is_taken_in(podman: Podman) -> None:
    cluster = Dictionary(workload())
    path = cluster.path(workload())

    def scale(verb: str, asked: str, dry_run: bool) -> None:
        if (verb, asked, dry_run) == ("replace", path, False):
            cluster.before = lambda *_asked: None
            cluster._write(path, {**cluster.objects[path], "spec": {**cluster.objects[path]["spec"], "replicas": 5}})

    cluster.before = scale
    turn_on(cluster, podman, wanted())
    assert live(cluster)["spec"]["replicas"] == 5
    cluster.before = scale
    turn_off(cluster, podman, workload())
    assert as_defined(live(cluster)) == workload(replicas=5)


def test_a_fight_ends(podman: Podman) -> None:
    cluster = Dictionary(workload())

    def always(verb: str, _path: str, _dry_run: bool) -> None:
        if verb == "replace":
            raise KubernetesError("the object has been modified", status=409)

    cluster.before = always
    with pytest.raises(KubernetesError, match="modified"):
        turn_on(cluster, podman, wanted())


def test_somebody_elses_edit_stays_and_is_told(podman: Podman) -> None:
    cluster = Dictionary(workload())
    turn_on(cluster, podman, wanted())
    path = cluster.path(workload())
    cluster.objects[path]["spec"]["template"]["spec"]["containers"][0]["image"] = "cart:2"
    outcome = turn_on(cluster, podman, wanted(run="2"))
    assert [kept.field for kept in outcome.kept] == ["spec.template.spec.containers[app].image"]
    assert live(cluster)["spec"]["template"]["spec"]["containers"][0]["image"] == "localhost/cart:1"
    outcome = turn_off(cluster, podman, workload())
    assert outcome.kept == []  # theirs is what was normal meanwhile
    assert live(cluster)["spec"]["template"]["spec"]["containers"][0]["image"] == "cart:2"


# nothing is lost


@pytest.mark.parametrize("kind", ["Job", "Pod"])
def test_nothing_is_deleted_that_cannot_be_created(podman: Podman, kind: str) -> None:
    cluster = Dictionary(workload(kind))
    before = live(cluster, kind)

    def refuse(verb: str, path: str, _dry_run: bool) -> None:
        if verb == "create" and path.endswith(f"/{kind.lower()}s/"):
            raise KubernetesError("no", status=422)

    cluster.before = refuse
    with pytest.raises(KubernetesError, match="no"):
        turn_on(cluster, podman, wanted(kind))
    assert live(cluster, kind) == before
    assert cluster.written == []


@pytest.mark.parametrize("kind", ["Job", "Pod"])
def test_one_that_is_refused_after_all_is_created_as_it_was(podman: Podman, kind: str) -> None:
    cluster = Dictionary(workload(kind))

    def refuse(verb: str, _path: str, dry_run: bool) -> None:
        if verb == "create" and not dry_run:
            cluster.before = lambda *_asked: None
            raise KubernetesError("quota", status=403, reason="exceeded quota: small")

    cluster.before = refuse
    with pytest.raises(NotSwitched, match="exceeded quota: small") as caught:
        turn_on(cluster, podman, wanted(kind))
    assert caught.value.cause == "workload-not-switched"
    assert as_defined(live(cluster, kind)) == workload(kind)


@pytest.mark.parametrize("kind", ["Job", "Pod"])
@pytest.mark.parametrize("again", ["on", "off"])
def test_what_was_interrupted_is_found_again(podman: Podman, kind: str, again: str) -> None:
    cluster = Dictionary(workload(kind))

    def die(verb: str, _path: str, dry_run: bool) -> None:
        if verb == "create" and not dry_run:
            raise KeyboardInterrupt

    cluster.before = die
    with pytest.raises(KeyboardInterrupt):
        turn_on(cluster, podman, wanted(kind))
    assert cluster.get(cluster.path(workload(kind))) is None
    # variables may be secret, so only a Secret may have them
    saved = [path for path, item in cluster.objects.items() if "definition" in (item.get("data") or {})]
    assert [path for path in saved if "/secrets/" not in path] == []
    cluster.before = lambda *_asked: None
    if again == "on":
        turn_on(cluster, podman, wanted(kind))
        assert is_in_coverage_mode(live(cluster, kind))
        turn_off(cluster, podman, workload(kind))
    else:
        outcome = turn_off(cluster, podman, workload(kind))
        assert "lost" in outcome.notes[0]
    assert as_defined(live(cluster, kind)) == workload(kind)
    assert not [path for path in cluster.objects if "/secrets/" in path]


def test_a_job_that_runs_is_not_cut_off(podman: Podman) -> None:
    cluster = Dictionary({**workload("Job"), "status": {"active": 1}})
    with pytest.raises(NotSwitched, match="is running") as caught:
        turn_on(cluster, podman, wanted("Job"))
    assert caught.value.cause == "job-still-runs"
    assert cluster.written == []


# what the namespace takes


def refuse_pods(cluster: Dictionary, *, volume: str = "", everything: bool = False, cause: str = "") -> None:
    def before(verb: str, path: str, dry_run: bool) -> None:
        if verb != "create" or not dry_run or "/pods/" not in path:
            return
        volumes = (cluster.item or {})["spec"].get("volumes") or []
        if everything or any(volume in item for item in volumes):
            raise KubernetesError("refused", status=403, reason=f"no {volume}", cause=cause)

    cluster.before = before


def test_where_a_host_path_is_refused_there_is_a_claim(podman: Podman) -> None:
    cluster = Dictionary(workload())
    refuse_pods(cluster, volume="hostPath")
    outcome = turn_on(cluster, podman, wanted())
    claims = cluster.list(f"{SPACE}/persistentvolumeclaims")
    assert len(claims) == len(cluster.list("/api/v1/persistentvolumes")) == 1
    volume = live(cluster)["spec"]["template"]["spec"]["volumes"][0]
    assert volume["persistentVolumeClaim"]["claimName"] == claims[0]["metadata"]["name"]
    assert outcome.settings is not None and outcome.settings.volume == "persistent_volume_claim"
    # another run has another one, and the first goes
    turn_on(cluster, podman, wanted(run="2"))
    names = [item["metadata"]["name"] for item in cluster.list(f"{SPACE}/persistentvolumeclaims")]
    assert len(names) == 1 and names != [claims[0]["metadata"]["name"]]
    turn_off(cluster, podman, workload())
    assert cluster.list(f"{SPACE}/persistentvolumeclaims") == cluster.list("/api/v1/persistentvolumes") == []


class LateController(Dictionary):
    """Its volume controller knows a volume only at the third look at it."""

    looks = 0

    @staticmethod
    def controller(volume: Object) -> None:
        volume["status"] = {"phase": "Pending"}

    def get(self, path: str) -> t.Optional[Object]:
        found = super().get(path)
        if found and "/persistentvolumes/" in path:
            self.looks += 1
            self.objects[path]["status"]["phase"] = "Available" if self.looks > 2 else "Pending"
        return found


def test_a_claim_comes_when_the_cluster_knows_its_volume(podman: Podman) -> None:
    cluster = LateController(workload())
    refuse_pods(cluster, volume="hostPath")
    refuses, phases = cluster.before, []

    def before(verb: str, path: str, dry_run: bool) -> None:
        refuses(verb, path, dry_run)
        if verb == "apply" and "/persistentvolumeclaims/" in path and not dry_run:
            phases.append([item["status"]["phase"] for item in cluster.list("/api/v1/persistentvolumes")])

    cluster.before = before
    turn_on(cluster, podman, wanted())
    assert phases == [["Available"]]


def test_a_volume_whose_claim_is_gone_is_made_anew(podman: Podman) -> None:
    cluster = Dictionary(workload())
    refuse_pods(cluster, volume="hostPath")
    turn_on(cluster, podman, wanted())
    (path,) = [name for name in cluster.objects if "/persistentvolumes/" in name]
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": path.rpartition("/")[2]}}
    switch_on(cluster, podman, [], [volume])
    assert ("delete", path, False) not in cluster.asked
    # the namespace was deleted, and the claim with it
    cluster.objects[path]["status"]["phase"] = "Released"
    switch_on(cluster, podman, [], [volume])
    assert cluster.asked[-2:] == [("delete", path, False), ("apply", path, False)]


def test_what_is_wanted_and_refused_is_said_before_anything_is_touched(podman: Podman) -> None:
    cluster = Dictionary(workload())
    refuse_pods(cluster, volume="hostPath", cause="pod-security-refused")
    with pytest.raises(NotSwitched, match="but not in coverage mode: no hostPath") as caught:
        turn_on(cluster, podman, wanted(volume="host_path"))
    assert (caught.value.cause, caught.value.setting) == ("pod-security-refused", "coverage.volume")
    assert cluster.written == []


@pytest.mark.parametrize("cause", ["", "quota-exceeded"])
def test_what_is_refused_anyway_is_only_noted(podman: Podman, cause: str) -> None:
    cluster = Dictionary(workload())
    refuse_pods(cluster, everything=True, cause=cause)
    outcome = turn_on(cluster, podman, wanted())
    assert ["would not accept another pod now" in note for note in outcome.notes] == [True]
    assert is_in_coverage_mode(live(cluster))


# what is in the way


def test_what_another_workload_makes_is_refused_and_its_maker_named(podman: Podman) -> None:
    def owned(item: Object, kind: str, name: str) -> Object:
        api = "v1" if kind == "Node" else "apps/v1"
        owner = {"apiVersion": api, "kind": kind, "name": name, "controller": True}
        return {**item, "metadata": {**item["metadata"], "ownerReferences": [owner]}}

    replica_set: Object = {"kind": "ReplicaSet", "metadata": {"name": "cart-1", "namespace": "shop"}, "spec": {}}
    cluster = Dictionary(
        workload(), owned(replica_set, "Deployment", "cart"), owned(workload("Pod"), "ReplicaSet", "cart-1")
    )
    with pytest.raises(InputError, match="Pod shop/cart belongs to Deployment cart") as caught:
        turn_on(cluster, podman, wanted("Pod"))
    assert caught.value.cause == "workload-owned"
    with pytest.raises(InputError, match="ReplicaSet shop/cart-1 belongs to Deployment cart") as caught:
        refuse_unsupported(cluster, "ReplicaSet", "shop", "cart-1")
    assert caught.value.cause == "workload-kind-unsupported"
    with pytest.raises(InputError, match="A ReplicaSet cannot"):
        refuse_unsupported(cluster, "ReplicaSet", "shop", "other")
    with pytest.raises(InputError, match="belongs to Node n1"):
        turn_on(Dictionary(owned(workload("Pod"), "Node", "n1")), podman, wanted("Pod"))
    # an operator is another matter: it may, or may not
    outcome = turn_on(Dictionary(owned(workload(), "Cart", "mine")), podman, wanted())
    assert "whose operator may revert the change" in outcome.notes[0]


@pytest.mark.parametrize(
    ("kind", "name", "says", "setting"),
    [
        ("Deployment", "crat", "the nearest is 'cart'", "workload.name"),
        ("StatefulSet", "cart", "there is a Deployment of that name", "workload.kind"),
        ("StatefulSet", "other", "has no StatefulSet 'other'.", "workload.name"),
    ],
)
def test_what_is_not_in_the_cluster_is_answered_with_what_is(
    podman: Podman, kind: str, name: str, says: str, setting: str
) -> None:
    with pytest.raises(InputError) as caught:
        turn_on(Dictionary(workload()), podman, wanted(kind, name=name))
    assert says in caught.value.message
    assert (caught.value.cause, caught.value.setting) == ("workload-not-in-cluster", setting)


def test_a_container_that_is_not_there_is_said_before_anything_is_applied(podman: Podman) -> None:
    cluster = Dictionary()
    with pytest.raises(InputError, match="has no container 'ap'"):
        turn_on(cluster, podman, wanted(objects=[workload()], container="ap"))
    assert cluster.written == []


def test_a_workload_of_another_namespace_is_refused(podman: Podman) -> None:
    other = workload()
    other["metadata"]["namespace"] = "other"
    with pytest.raises(InputError, match="not in the namespace shop"):
        turn_on(Dictionary(), podman, wanted(objects=[other]))


@pytest.mark.parametrize(
    ("kind", "spec", "says"),
    [
        ("Deployment", {"paused": True}, "is paused"),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, "below 2"),
    ],
)
def test_what_keeps_the_pods_as_they_are_is_said(podman: Podman, kind: str, spec: Object, says: str) -> None:
    outcome = turn_on(Dictionary(workload(kind, **spec)), podman, wanted(kind))
    assert [says in note for note in outcome.notes] == [True]
