# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Normal objects as they are written down: read whole, found by name, put in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import manifests as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import ManifestSources, Tools

ROOT = Path(__file__).resolve().parents[5]
HTTPBIN = yaml.safe_load((ROOT / "playbooks" / "vars" / "httpbin.yml").read_text())["coverage_services"]["httpbin"]
DEPLOYMENT = HTTPBIN["workload"]["objects"][0]


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


def sources(*paths: str, folder: Path) -> ManifestSources:
    return ManifestSources(paths=paths, folder=str(folder))


def test_manifests_are_read_whole_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "---\napiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: B\nmetadata: {name: b}\n"
    )
    items = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} for kind in "CD"]
    (tmp_path / "b.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    objects = lib.read_manifests(sources("a.yml", str(tmp_path / "b.json"), folder=tmp_path), Tools())
    assert [item["kind"] for item in objects] == ["A", "B", "C", "D"]
    # as they go to the API and into a diff: nothing but plain mappings
    assert lib.as_yaml(objects[0]).startswith("apiVersion: v1")
    assert lib.read_manifests(sources(folder=Path("/nowhere")), Tools()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("kind: [", "not YAML"),
        ("kind: 2026-13-45", "not YAML"),
        ("- a list", "not a Kubernetes object"),
        ("kind: ConfigMap", "not a Kubernetes object"),
        ("apiVersion: v1", "not a Kubernetes object"),
        ("text", "not a Kubernetes object"),
        ("apiVersion: v1\nkind: ConfigMap", "has no name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:", "has no name"),
        ("apiVersion: v1\nkind: List\nitems: [text]", "not a Kubernetes object"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
    ],
)
def test_a_manifest_that_is_none_is_named(tmp_path: Path, text: str | bytes | None, says: str) -> None:
    file = tmp_path / "a.yml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=says) as caught:
        lib.read_manifests(sources("a.yml", folder=tmp_path), Tools())
    assert "a.yml" in caught.value.message
    assert caught.value.cause == "manifest-invalid"
    assert caught.value.setting == "workload.manifests"
    assert "\n" not in caught.value.message
