# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage mode and back: nothing but what coverage needs is changed, and all of it comes back exactly."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils import _coverage_mode as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import patch
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import KINDS, WorkloadKind
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]
HTTPBIN = yaml.safe_load((ROOT / "playbooks" / "vars" / "httpbin.yml").read_text())["coverage_services"]["httpbin"]
DEPLOYMENT = HTTPBIN["workload"]["objects"][0]
SETTINGS = lib.Settings(container="httpbin", image="localhost/httpbin:1", run="20261123-1", component="httpbin")


def pod_of(workload: Object) -> Object:
    return t.cast(Object, lib.kind_of(workload["kind"]).pod_template(workload)["spec"])


# workloads as people write them

NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8).filter(
    lambda name: name != lib.VOLUME
)
TEXT = st.text(max_size=12)
VARIABLES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["A", "LEVEL", "GOCOVERDIR", lib.POD_NAME])}, optional={"value": TEXT}
    ),
    max_size=3,
)


def _optional(keys: dict[str, st.SearchStrategy[t.Any]]) -> st.SearchStrategy[Object]:
    # a key that is there and null is as good as one that is not there
    return st.fixed_dictionaries({}, optional={key: st.none() | value for key, value in keys.items()})


CONTAINERS = st.builds(
    lambda name, more: {"name": name, **more},
    NAMES,
    _optional(
        {
            "image": TEXT,
            "imagePullPolicy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
            "args": st.lists(TEXT, max_size=2),
            "env": VARIABLES,
            "volumeMounts": st.lists(
                st.builds(lambda name: {"name": name, "mountPath": f"/{name}"}, NAMES), max_size=2
            ),
            "securityContext": st.just({"runAsUser": 1001}),
            "livenessProbe": st.just({"httpGet": {"port": 8080}}),
        }
    ),
)
ANNOTATIONS = st.dictionaries(TEXT.filter(lambda key: not key.startswith(lib.PREFIX)), TEXT, max_size=2)


def workload_of(kind: WorkloadKind, containers: list[Object], pod: Object, template: Object, more: Object) -> Object:
    """A workload of that kind around a pod, as its API has it."""
    inner: Object = {**template, "spec": {**pod, "containers": containers}}
    metadata = {"name": "demo", "namespace": "shop", **more}
    if not kind.template:
        return {"apiVersion": kind.api, "kind": kind.name, "metadata": metadata, "spec": inner["spec"]}
    for key in reversed(kind.template):
        inner = {key: inner}
    return {"apiVersion": kind.api, "kind": kind.name, "metadata": metadata, **inner}


WORKLOADS = st.builds(
    workload_of,
    st.sampled_from(list(KINDS.values())),
    st.lists(CONTAINERS, min_size=1, max_size=3, unique_by=lambda item: item["name"]),
    _optional(
        {
            "volumes": st.lists(st.builds(lambda name: {"name": name, "emptyDir": {}}, NAMES), max_size=2),
            "terminationGracePeriodSeconds": st.integers(min_value=0, max_value=600),
            "initContainers": st.lists(CONTAINERS, max_size=1),
            "securityContext": st.just({"fsGroup": 7}),
        }
    ),
    _optional({"metadata": _optional({"annotations": ANNOTATIONS, "labels": ANNOTATIONS})}),
    _optional({"annotations": ANNOTATIONS, "labels": ANNOTATIONS}),
)
# every part of the patch at once, or none of it
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.dictionaries(st.sampled_from(["A", "LEVEL", "NEW"]), TEXT, max_size=2),
        "resources": st.just({"limits": {"memory": "512Mi"}, "requests": {"cpu": "10m"}}),
        "startup_seconds": st.integers(min_value=0, max_value=600),
        "grace_period": st.integers(min_value=1, max_value=900),
        "volume": st.sampled_from([patch.HOST_PATH, patch.CLAIM]),
        "permission": st.sampled_from(patch.WAYS),
        "init_image": st.just("busybox"),
    },
)


def settings_for(workload: Object, **changes: t.Any) -> lib.Settings:
    """Settings for the last container, with a folder that nothing is mounted at."""
    name = pod_of(workload)["containers"][-1]["name"]
    return dataclasses.replace(SETTINGS, container=name, directory="/coverage/data", **changes)


@settings.get_profile("quick")
@given(WORKLOADS, EXTRAS)
def test_what_is_switched_on_and_off_is_what_it_was(workload: Object, extras: Object) -> None:
    before = copy.deepcopy(workload)
    changed = lib.in_coverage_mode(workload, settings_for(workload, **extras))
    assert workload == before
    assert lib.is_in_coverage_mode(changed)
    assert not lib.is_in_coverage_mode(workload)
    assert lib.in_normal_mode(changed) == (workload, [])
    assert lib.in_normal_mode(workload) == (workload, [])
    # nulls and empty dictionaries included
    assert json.dumps(lib.in_normal_mode(changed)[0], sort_keys=True) == json.dumps(before, sort_keys=True)


@settings.get_profile("quick")
@given(WORKLOADS, EXTRAS)
def test_what_somebody_else_does_meanwhile_stays(workload: Object, extras: Object) -> None:
    changed = lib.in_coverage_mode(workload, settings_for(workload, **extras))
    expected = copy.deepcopy(workload)
    for item in (changed, expected):
        item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), "theirs": "yes"}
        pod = pod_of(item)
        pod["nodeSelector"] = {"disk": "fast"}
        # in front, so that places move
        pod["containers"] = [{"name": "Mesh", "image": "mesh"}, *pod["containers"]]
    normal, kept = lib.in_normal_mode(changed)
    assert kept == []
    assert normal == expected


def test_the_normal_workload_is_nobody_elses() -> None:
    for workload in (DEPLOYMENT, lib.in_coverage_mode(DEPLOYMENT, SETTINGS)):
        before = copy.deepcopy(workload)
        lib.in_normal_mode(workload)[0]["spec"]["template"]["spec"].clear()
        lib.in_coverage_mode(workload, SETTINGS)["spec"]["template"]["spec"].clear()
        assert workload == before


@settings.get_profile("quick")
@given(WORKLOADS, EXTRAS, EXTRAS)
def test_a_second_time_with_other_settings_leaves_nothing_of_the_first(
    workload: Object, extras: Object, others: Object
) -> None:
    first = lib.in_coverage_mode(workload, settings_for(workload, **extras))
    other = settings_for(workload, **{**others, "image": "localhost/other:2", "run": "2", "component": "other"})
    other = dataclasses.replace(other, directory="/somewhere/else")
    assert lib.in_coverage_mode(first, other) == lib.in_coverage_mode(workload, other)
    assert lib.in_coverage_mode(first, settings_for(workload, **extras)) == first


@settings.get_profile("quick")
@given(WORKLOADS)
def test_only_what_coverage_needs_is_changed(workload: Object) -> None:
    chosen = settings_for(workload)
    changed = lib.in_coverage_mode(workload, chosen)
    before, after = pod_of(workload), pod_of(changed)
    # the other containers, all of them
    assert after["containers"][:-1] == before["containers"][:-1]
    assert after.get("initContainers") == before.get("initContainers")
    # the rest of the pod
    own = ("containers", "volumes", "terminationGracePeriodSeconds")
    assert {key: after[key] for key in after if key not in own} == {
        key: before[key] for key in before if key not in own
    }
    # the rest of the container; its own mounts stay first, in their order
    was, now = before["containers"][-1], after["containers"][-1]
    mine = ("image", "imagePullPolicy", "env", "volumeMounts", "terminationMessagePolicy")
    assert {key: now[key] for key in now if key not in mine} == {key: was[key] for key in was if key not in mine}
    names = ("GOCOVERDIR", lib.POD_NAME)
    assert [item for item in now["env"] if item["name"] not in names] == [
        item for item in was.get("env") or [] if item["name"] not in names
    ]
    assert now["volumeMounts"][:-1] == (was.get("volumeMounts") or [])
    assert after["volumes"][:-1] == (before.get("volumes") or [])
    template = lib.kind_of(workload["kind"]).pod_template
    for part, old in ((changed, workload), (template(changed), template(workload))):
        marks = (lib.RUN, lib.COMPONENT, lib.ORIGINAL)
        metadata, metadata_before = part["metadata"], old.get("metadata") or {}
        annotations = {key: value for key, value in metadata["annotations"].items() if key not in marks}
        assert annotations == (metadata_before.get("annotations") or {})
        assert metadata.get("labels") == metadata_before.get("labels")


@settings.get_profile("quick")
@given(WORKLOADS, st.integers(min_value=1, max_value=900))
def test_a_grace_period_is_never_made_shorter(workload: Object, grace: int) -> None:
    before = pod_of(workload).get("terminationGracePeriodSeconds")
    after = pod_of(lib.in_coverage_mode(workload, settings_for(workload, grace_period=grace)))
    asked = lib.DEFAULT_GRACE_PERIOD if before is None else before
    assert after["terminationGracePeriodSeconds"] == max(asked, grace)


def test_the_program_finds_its_folder() -> None:
    changed = lib.in_coverage_mode(DEPLOYMENT, SETTINGS)
    pod, (container,) = pod_of(changed), pod_of(changed)["containers"]
    variables = {item["name"]: item for item in container["env"]}
    mount, volume = container["volumeMounts"][-1], pod["volumes"][-1]
    assert container["image"] == SETTINGS.image
    assert container["imagePullPolicy"] == "Never"
    assert variables["GOCOVERDIR"]["value"] == mount["mountPath"] == "/coverdata"
    # each pod has a folder of its own, named as its variable says
    assert mount["subPathExpr"] == f"$({lib.POD_NAME})"
    assert variables[lib.POD_NAME]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert mount["name"] == volume["name"]
    # a folder that the kubelet makes belongs to root
    assert volume["hostPath"] == {"path": "/coverdata/20261123-1/httpbin", "type": "Directory"}
    assert volume["hostPath"]["path"] == SETTINGS.volume_directory
    assert changed["spec"]["template"]["metadata"]["annotations"] == {lib.RUN: "20261123-1", lib.COMPONENT: "httpbin"}
    assert lib.in_normal_mode(changed) == (DEPLOYMENT, [])
    assert container["securityContext"] == pod_of(DEPLOYMENT)["containers"][0]["securityContext"]


def test_a_variable_of_its_own_gives_way_in_its_place() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    mine = [{"name": "GOCOVERDIR", "value": "/mine"}, {"name": "A", "value": "1"}]
    pod_of(workload)["containers"][0]["env"] = mine
    changed = lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, environment={"A": "2", "B": "3"}))
    environment = pod_of(changed)["containers"][0]["env"]
    assert [item["name"] for item in environment] == ["GOCOVERDIR", "A", lib.POD_NAME, "B"]
    assert [item.get("value") for item in environment] == ["/coverdata", "2", None, "3"]
    assert pod_of(lib.in_normal_mode(changed)[0])["containers"][0]["env"] == mine


def test_a_variable_that_stands_there_twice_is_set_where_it_counts() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    pod_of(workload)["containers"][0]["env"] = twice
    changed = lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, environment={"A": "3"}))
    assert [item.get("value") for item in pod_of(changed)["containers"][0]["env"][:2]] == ["1", "3"]
    assert pod_of(lib.in_normal_mode(changed)[0])["containers"][0]["env"] == twice


def test_the_end_of_the_log_stays_unless_the_workload_wants_no_message() -> None:
    for before, after in ((None, "FallbackToLogsOnError"), ("File", "FallbackToLogsOnError"), ("Other", "Other")):
        workload = copy.deepcopy(DEPLOYMENT)
        if before:
            pod_of(workload)["containers"][0]["terminationMessagePolicy"] = before
        changed = lib.in_coverage_mode(workload, SETTINGS)
        assert pod_of(changed)["containers"][0]["terminationMessagePolicy"] == after


def probes(own: Object, seconds: int) -> Object:
    workload = copy.deepcopy(DEPLOYMENT)
    container = pod_of(workload)["containers"][0]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        container.pop(name, None)
    container.update(own)
    changed = pod_of(lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, startup_seconds=seconds)))
    found = changed["containers"][0]
    assert {name: found.get(name) for name in ("livenessProbe", "readinessProbe")} == {
        name: own.get(name) for name in ("livenessProbe", "readinessProbe")
    }
    return t.cast(Object, found.get("startupProbe"))


def test_a_startup_probe_is_made_from_what_would_kill() -> None:
    liveness = {"httpGet": {"port": 8080}, "initialDelaySeconds": 9, "periodSeconds": 10, "timeoutSeconds": 2}
    made = probes({"livenessProbe": liveness}, 60)
    assert made == {
        "httpGet": {"port": 8080},
        "timeoutSeconds": 2,
        "periodSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 60,
    }
    # a command is not run every second
    made = probes({"livenessProbe": {"exec": {"command": ["/x"]}, "periodSeconds": 7}}, 60)
    assert (made["periodSeconds"], made["failureThreshold"]) == (7, math.ceil(60 / 7))


def test_what_kills_nothing_is_not_relaxed() -> None:
    assert probes({"readinessProbe": {"tcpSocket": {"port": 1}}}, 60) is None
    assert probes({}, 60) is None
    assert probes({"livenessProbe": {"tcpSocket": {"port": 1}}}, 0) is None


@pytest.mark.parametrize(
    ("probe", "seconds", "tries"),
    [
        ({"periodSeconds": 5, "failureThreshold": 3}, 60, 12),
        ({"periodSeconds": 5, "failureThreshold": 30}, 60, 30),
        ({"periodSeconds": 5, "failureThreshold": 3, "initialDelaySeconds": 20}, 60, 8),
        ({}, 31, 4),
        ({}, 1, 3),
    ],
)
def test_a_startup_probe_of_its_own_gets_more_tries_never_fewer(probe: Object, seconds: int, tries: int) -> None:
    own = {"tcpSocket": {"port": 1}, **probe}
    assert probes({"startupProbe": own}, seconds) == {**own, "failureThreshold": tries}


def test_resources_are_laid_over_the_containers_own() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    container = pod_of(workload)["containers"][0]
    container["resources"] = {"limits": {"cpu": "1", "memory": "64Mi"}}
    more = {"limits": {"memory": "256Mi"}, "requests": {"memory": "32Mi"}}
    changed = lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, resources=more))
    assert pod_of(changed)["containers"][0]["resources"] == {
        "limits": {"cpu": "1", "memory": "256Mi"},
        "requests": {"memory": "32Mi"},
    }
    assert container["resources"] == {"limits": {"cpu": "1", "memory": "64Mi"}}


def test_replicas_only_where_there_are_any() -> None:
    asked = dataclasses.replace(SETTINGS, replicas=0)
    changed = lib.in_coverage_mode(DEPLOYMENT, asked)
    assert changed["spec"]["replicas"] == 0
    assert lib.in_normal_mode(changed)[0] == DEPLOYMENT
    daemon_set = {**copy.deepcopy(DEPLOYMENT), "kind": "DaemonSet"}
    with pytest.raises(InputError, match="A DaemonSet has no replicas") as caught:
        lib.in_coverage_mode(daemon_set, asked)
    assert caught.value.setting == "coverage.replicas"


def test_an_init_container_and_a_second_one_can_be_instrumented() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod = pod_of(workload)
    pod["initContainers"] = [{"name": "migrate", "image": "m:1"}, {"name": "wait", "image": "w:1"}]
    more = dataclasses.replace(SETTINGS, other_containers=(("migrate", "localhost/m:2"),))
    after = pod_of(lib.in_coverage_mode(workload, more))
    migrate, wait = after["initContainers"]
    assert wait == pod["initContainers"][1]
    assert migrate["image"] == "localhost/m:2"
    # a folder in the pod's own: the main program's stays where it is looked for
    assert migrate["volumeMounts"][-1]["subPathExpr"] == f"$({lib.POD_NAME})/migrate"
    assert after["containers"][0]["volumeMounts"][-1]["subPathExpr"] == f"$({lib.POD_NAME})"
    alone = pod_of(lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, container="migrate")))
    assert alone["containers"] == pod["containers"]
    assert alone["initContainers"][0]["volumeMounts"][-1]["subPathExpr"] == f"$({lib.POD_NAME})"


# how the folder comes to be writable


def with_way(way: str, **more: t.Any) -> tuple[Object, Object]:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["initContainers"] = [{"name": "first", "image": "i"}]
    chosen = dataclasses.replace(SETTINGS, permission=way, init_image="busybox:1", **more)
    return pod_of(workload), pod_of(lib.in_coverage_mode(workload, chosen))


@pytest.mark.parametrize("way", [patch.WRITABLE, patch.NODE])
def test_the_mild_ways_change_nothing_of_the_pod(way: str) -> None:
    before, after = with_way(way)
    assert after["initContainers"] == before["initContainers"]
    assert after.get("securityContext") == before.get("securityContext")
    assert after["containers"][0].get("securityContext") == before["containers"][0].get("securityContext")


def test_an_init_container_opens_the_folder_first() -> None:
    before, after = with_way(patch.INIT, folder_prepared=False)
    opens, *others = after["initContainers"]
    assert others == before["initContainers"]
    assert (opens["image"], opens["command"]) == ("busybox:1", ["chmod", "1777", "/coverdata"])
    assert opens["volumeMounts"] == [{"name": lib.VOLUME, "mountPath": "/coverdata"}]
    assert opens["securityContext"]["runAsUser"] == 0
    # nobody made it beforehand, so the kubelet has to
    assert after["volumes"][-1]["hostPath"]["type"] == "DirectoryOrCreate"


def test_root_is_only_the_container_that_counts() -> None:
    before, after = with_way(patch.ROOT)
    own = before["containers"][0].get("securityContext") or {}
    assert after["containers"][0]["securityContext"] == {**own, "runAsUser": 0, "runAsNonRoot": False}
    assert after["initContainers"] == before["initContainers"]


@pytest.mark.parametrize(
    ("own", "group"), [({}, patch.NOBODY), ({"runAsUser": 1001}, 1001), ({"runAsGroup": 7}, 7), ({"fsGroup": 5}, 5)]
)
def test_the_pods_group_gets_the_volume(own: Object, group: int) -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["securityContext"] = own
    chosen = dataclasses.replace(SETTINGS, permission=patch.FS_GROUP, volume=patch.CLAIM)
    changed = lib.in_coverage_mode({**workload, "metadata": {**workload["metadata"], "namespace": "shop"}}, chosen)
    assert pod_of(changed)["securityContext"] == {**own, "fsGroup": group}


# the claim


CLAIMED = {**copy.deepcopy(DEPLOYMENT), "metadata": {**DEPLOYMENT["metadata"], "namespace": "shop"}}


def test_a_claim_is_the_same_folder_of_the_node() -> None:
    chosen = dataclasses.replace(SETTINGS, volume=patch.CLAIM)
    volume, claim = patch.volume_objects(CLAIMED, chosen)
    pod = pod_of(lib.in_coverage_mode(CLAIMED, chosen))
    assert pod["volumes"][-1]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert volume["spec"]["hostPath"] == {"path": chosen.volume_directory, "type": "Directory"}
    assert volume["spec"]["claimRef"]["name"] == claim["metadata"]["name"]
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["storageClassName"] == claim["spec"]["storageClassName"] == ""
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert patch.volume_objects(CLAIMED, SETTINGS) == []


def test_a_claim_for_a_group_is_of_a_type_that_the_kubelet_gives_away() -> None:
    volume = patch.volume_objects(CLAIMED, dataclasses.replace(SETTINGS, volume=patch.CLAIM, permission="fs_group"))[0]
    assert volume["spec"]["local"] == {"path": SETTINGS.volume_directory}
    assert "nodeAffinity" in volume["spec"]


def test_names_of_claims_are_names_and_each_its_own() -> None:
    name = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
    label = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
    seen = set()
    for run in ("1", "2", "Run_2", "run-2", "x" * 300):
        for workload in (CLAIMED, {**CLAIMED, "kind": "DaemonSet"}):
            chosen = dataclasses.replace(SETTINGS, run=run, volume=patch.CLAIM)
            for item in patch.volume_objects(workload, chosen):
                text = item["metadata"]["name"]
                assert name.fullmatch(text) and len(text) <= 253, text
                assert label.fullmatch(item["metadata"]["labels"][patch.WORKLOAD_LABEL])
                seen.add((item["kind"], text))
    assert len(seen) == 20


def test_a_claim_is_the_same_once_its_folder_was_made() -> None:
    made, found, given = (
        patch.claim_name(CLAIMED, dataclasses.replace(SETTINGS, volume=patch.CLAIM, permission=way))
        for way in (patch.NODE, patch.WRITABLE, patch.FS_GROUP)
    )
    assert made == found != given


def test_the_pod_that_is_asked_for_has_a_stateful_sets_claims() -> None:
    workload = {**copy.deepcopy(CLAIMED), "kind": "StatefulSet"}
    workload["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    pod = patch.pod_of(workload)
    assert (pod["kind"], pod["metadata"]["namespace"]) == ("Pod", "shop")
    assert pod["spec"]["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}
    assert "volumes" not in workload["spec"]["template"]["spec"] or len(pod["spec"]["volumes"]) > 1


# what is in the way


def test_a_container_that_is_not_there_is_answered_with_the_nearest() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["containers"].append({"name": "proxy"})
    with pytest.raises(InputError) as caught:
        lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, container="htpbin"))
    assert caught.value.message == "Deployment httpbin has no container 'htpbin'; it has httpbin."
    assert (caught.value.setting, caught.value.cause) == ("workload.container", "container-not-in-workload")
    with pytest.raises(InputError, match="it has httpbin, proxy"):
        lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, container="zzz"))


def test_a_volume_of_that_name_is_refused() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["volumes"] = [{"name": lib.VOLUME, "emptyDir": {}}]
    with pytest.raises(InputError, match=lib.VOLUME) as caught:
        lib.in_coverage_mode(workload, SETTINGS)
    assert caught.value.cause == "coverage-volume-taken"


@pytest.mark.parametrize("path", ["/coverdata", "/coverdata/", "//coverdata", "/x/../coverdata"])
def test_a_folder_where_something_is_mounted_is_refused(path: str) -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["containers"][0]["volumeMounts"] = [{"name": "own", "mountPath": path}]
    with pytest.raises(InputError, match="mounts volume own at /coverdata") as caught:
        lib.in_coverage_mode(workload, SETTINGS)
    assert (caught.value.setting, caught.value.cause) == ("coverage.directory", "coverage-directory-taken")


def test_what_is_mounted_below_or_beside_is_not_in_the_way() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    mounts = [{"name": "a", "mountPath": "/coverdata2"}, {"name": "b", "mountPath": "/"}]
    pod_of(workload)["containers"][0]["volumeMounts"] = mounts
    assert len(pod_of(lib.in_coverage_mode(workload, SETTINGS))["containers"][0]["volumeMounts"]) == 3


@pytest.mark.parametrize("name", ["GOCOVERDIR", lib.POD_NAME])
def test_the_variables_of_coverage_mode_are_not_given_twice(name: str) -> None:
    with pytest.raises(InputError, match=name) as caught:
        lib.in_coverage_mode(DEPLOYMENT, dataclasses.replace(SETTINGS, environment={name: "/x"}))
    assert caught.value.setting == "coverage.environment"


def test_a_container_of_that_name_is_refused() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["initContainers"] = [{"name": patch.INIT_CONTAINER}]
    with pytest.raises(InputError, match=patch.INIT_CONTAINER):
        lib.in_coverage_mode(workload, SETTINGS)
