# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage mode and back: nothing but what coverage needs is changed, and all of it comes back exactly."""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils import _coverage_mode as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[4]
HTTPBIN = yaml.safe_load((ROOT / "playbooks" / "vars" / "httpbin.yml").read_text())["coverage_services"]["httpbin"]
DEPLOYMENT = HTTPBIN["workload"]["objects"][0]
SETTINGS = lib.Settings(container="httpbin", image="localhost/httpbin:1", run="20261123-1", component="httpbin")


def pod_of(workload: lib.Object) -> lib.Object:
    return t.cast(lib.Object, workload["spec"]["template"]["spec"])


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


def _optional(keys: dict[str, st.SearchStrategy[t.Any]]) -> st.SearchStrategy[lib.Object]:
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
WORKLOADS = st.builds(
    lambda kind, containers, pod, template, metadata, spec: {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "demo", **metadata},
        "spec": {**spec, "template": {**template, "spec": {**pod, "containers": containers}}},
    },
    st.sampled_from(["Deployment", "StatefulSet"]),
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
    _optional({"replicas": st.integers(min_value=0, max_value=5)}),
)


def settings_for(workload: lib.Object, **changes: t.Any) -> lib.Settings:
    """Settings for the last container, with a folder that nothing is mounted at."""
    name = pod_of(workload)["containers"][-1]["name"]
    return dataclasses.replace(SETTINGS, container=name, directory="/coverage/data", **changes)


@settings.get_profile("quick")
@given(WORKLOADS)
def test_what_is_switched_on_and_off_is_what_it_was(workload: lib.Object) -> None:
    before = copy.deepcopy(workload)
    changed = lib.in_coverage_mode(workload, settings_for(workload))
    assert workload == before
    assert lib.is_in_coverage_mode(changed)
    assert not lib.is_in_coverage_mode(workload)
    assert lib.in_normal_mode(changed) == workload
    assert lib.in_normal_mode(workload) == workload


def test_the_normal_workload_is_nobody_elses() -> None:
    for workload in (DEPLOYMENT, lib.in_coverage_mode(DEPLOYMENT, SETTINGS)):
        before = copy.deepcopy(workload)
        lib.in_normal_mode(workload)["spec"]["template"]["spec"].clear()
        lib.in_coverage_mode(workload, SETTINGS)["spec"]["template"]["spec"].clear()
        assert workload == before


@settings.get_profile("quick")
@given(WORKLOADS, st.integers(min_value=1, max_value=900))
def test_a_second_time_with_other_settings_leaves_nothing_of_the_first(workload: lib.Object, grace: int) -> None:
    first = lib.in_coverage_mode(workload, settings_for(workload))
    other = settings_for(workload, image="localhost/other:2", run="2", component="other", grace_period=grace)
    other = dataclasses.replace(other, directory="/somewhere/else")
    assert lib.in_coverage_mode(first, other) == lib.in_coverage_mode(workload, other)
    assert lib.in_coverage_mode(first, settings_for(workload)) == first


@settings.get_profile("quick")
@given(WORKLOADS)
def test_only_what_coverage_needs_is_changed(workload: lib.Object) -> None:
    chosen = settings_for(workload)
    changed = lib.in_coverage_mode(workload, chosen)
    before, after = pod_of(workload), pod_of(changed)
    # the other containers, all of them
    assert after["containers"][:-1] == before["containers"][:-1]
    assert after.get("initContainers") == before.get("initContainers")
    # the rest of the pod, of the template and of the workload
    own = ("containers", "volumes", "terminationGracePeriodSeconds")
    assert {key: after[key] for key in after if key not in own} == {
        key: before[key] for key in before if key not in own
    }
    assert {key: value for key, value in changed["spec"].items() if key != "template"} == {
        key: value for key, value in workload["spec"].items() if key != "template"
    }
    # the rest of the container; its own variables and mounts stay first, in their order
    was, now = before["containers"][-1], after["containers"][-1]
    own = ("image", "imagePullPolicy", "env", "volumeMounts")
    assert {key: now[key] for key in now if key not in own} == {key: was[key] for key in was if key not in own}
    kept = [item for item in was.get("env") or [] if item["name"] not in ("GOCOVERDIR", lib.POD_NAME)]
    assert now["env"][:-2] == kept
    assert now["volumeMounts"][:-1] == (was.get("volumeMounts") or [])
    assert after["volumes"][:-1] == (before.get("volumes") or [])
    for metadata, old in (
        (changed["metadata"], workload["metadata"]),
        (changed["spec"]["template"]["metadata"], workload["spec"]["template"].get("metadata") or {}),
    ):
        marks = (lib.RUN, lib.COMPONENT, lib.ORIGINAL)
        annotations = {key: value for key, value in metadata["annotations"].items() if key not in marks}
        assert annotations == (old.get("annotations") or {})
        assert metadata.get("labels") == old.get("labels")


@settings.get_profile("quick")
@given(WORKLOADS, st.integers(min_value=1, max_value=900))
def test_a_grace_period_is_never_made_shorter(workload: lib.Object, grace: int) -> None:
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
    assert json.loads(changed["metadata"]["annotations"][lib.ORIGINAL]) == DEPLOYMENT
    assert container["securityContext"] == pod_of(DEPLOYMENT)["containers"][0]["securityContext"]


def test_a_variable_of_its_own_gives_way() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["containers"][0]["env"] = [{"name": "GOCOVERDIR", "value": "/tmp"}, {"name": "A", "value": "1"}]  # noqa: S108
    names = [item["name"] for item in pod_of(lib.in_coverage_mode(workload, SETTINGS))["containers"][0]["env"]]
    assert names == ["A", "GOCOVERDIR", lib.POD_NAME]


# what is in the way


def test_a_container_that_is_not_there_is_answered_with_the_nearest() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    pod_of(workload)["containers"].append({"name": "proxy"})
    with pytest.raises(InputError) as caught:
        lib.in_coverage_mode(workload, dataclasses.replace(SETTINGS, container="htpbin"))
    assert caught.value.message == "Deployment httpbin has no container 'htpbin'; it has httpbin."
    assert (caught.value.setting, caught.value.cause) == ("coverage_mode_container", "container-not-in-workload")
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
    assert (caught.value.setting, caught.value.cause) == ("coverage_mode_directory", "coverage-directory-taken")


def test_what_is_mounted_below_or_beside_is_not_in_the_way() -> None:
    workload = copy.deepcopy(DEPLOYMENT)
    mounts = [{"name": "a", "mountPath": "/coverdata2"}, {"name": "b", "mountPath": "/"}]
    pod_of(workload)["containers"][0]["volumeMounts"] = mounts
    assert len(pod_of(lib.in_coverage_mode(workload, SETTINGS))["containers"][0]["volumeMounts"]) == 3


# manifests


def test_a_workload_is_found_by_kind_and_name() -> None:
    objects = HTTPBIN["workload"]["objects"]
    assert lib.find_workload(objects, "Deployment", "httpbin") is DEPLOYMENT
    with pytest.raises(InputError) as caught:
        lib.find_workload(objects, "Deployment", "htpbin")
    assert caught.value.message == "The manifests have no Deployment 'htpbin'; the nearest is 'httpbin'."
    with pytest.raises(InputError, match="no StatefulSet 'httpbin', nor any StatefulSet"):
        lib.find_workload(objects, "StatefulSet", "httpbin")


def test_the_namespace_comes_first_and_workloads_come_last() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}
    objects = lib.with_namespace([*HTTPBIN["workload"]["objects"], config], "demo")
    assert [item["kind"] for item in objects] == ["Namespace", "Service", "ConfigMap", "Deployment"]
    assert {item["metadata"].get("namespace") for item in objects[1:]} == {"demo"}
    assert "namespace" not in DEPLOYMENT["metadata"]


def test_a_namespace_that_is_in_the_manifests_is_not_made_twice() -> None:
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo", "labels": {"a": "b"}}}
    first, *others = lib.with_namespace([DEPLOYMENT, own], "demo")
    assert first["metadata"]["labels"] == {"a": "b"}
    assert [item["kind"] for item in others] == ["Deployment"]


def test_an_object_keeps_its_own_namespace() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "other"}}
    assert lib.with_namespace([other], "demo")[1]["metadata"]["namespace"] == "other"


def test_manifests_are_read_whole_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "---\napiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: B\nmetadata: {name: b}\n"
    )
    items = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} for kind in "CD"]
    (tmp_path / "b.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    objects = lib.read_manifests(["a.yml", str(tmp_path / "b.json")], str(tmp_path))
    assert [item["kind"] for item in objects] == ["A", "B", "C", "D"]
    assert lib.read_manifests([], "/nowhere") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("kind: [", "is not YAML"),
        ("kind: 2026-13-45", "is not YAML"),
        ("- a list", "no Kubernetes object"),
        ("kind: ConfigMap", "no Kubernetes object"),
        ("apiVersion: v1", "no Kubernetes object"),
        ("text", "no Kubernetes object"),
        ("apiVersion: v1\nkind: ConfigMap", "has no name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:", "has no name"),
        ("apiVersion: v1\nkind: List\nitems: [text]", "no Kubernetes object"),
        (b"\xff\xfe\x00", "is not YAML"),
    ],
)
def test_a_manifest_that_is_none_is_named(tmp_path: Path, text: str | bytes | None, says: str) -> None:
    file = tmp_path / "a.yml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=says) as caught:
        lib.read_manifests(["a.yml"], str(tmp_path))
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message
