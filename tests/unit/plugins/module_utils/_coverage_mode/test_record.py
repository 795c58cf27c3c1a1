# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back as it travels with a workload."""

from __future__ import annotations

import base64
import copy
import json
import typing as t
import zlib

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import record as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import Settings, in_coverage_mode
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

NORMAL: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "cart", "namespace": "shop"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"name": "app", "image": "cart:1", "env": [{"name": "PASSWORD", "value": "s3cr3t"}]},
                    {"name": "proxy", "image": "proxy:1"},
                ]
            }
        }
    },
}
SETTINGS = Settings(container="app", image="localhost/cart:1", run="1", component="cart")


def changed(**more: t.Any) -> Object:
    return in_coverage_mode(NORMAL, Settings(**{**vars(SETTINGS), **more}))


def test_the_annotation_is_small_and_copies_no_secret() -> None:
    text = changed()["metadata"]["annotations"][lib.ORIGINAL]
    assert "s3cr3t" not in text
    assert "proxy" not in text
    assert len(text) < 2500


def test_a_long_one_is_compressed() -> None:
    workload = changed(environment={f"V{number}": "x" * 200 for number in range(200)})
    text = workload["metadata"]["annotations"][lib.ORIGINAL]
    assert text.startswith(lib.COMPRESSED)
    assert len(text) < 8000
    assert lib.in_normal_mode(workload) == (NORMAL, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"kind": "Deployment"}',
        "[1]",
        '[{"path": 7}]',
        "[",
        lib.COMPRESSED + "%%%",
        lib.COMPRESSED + base64.b64encode(b"no").decode(),
        lib.COMPRESSED + base64.b64encode(zlib.compress(b"\xff")).decode(),
    ],
)
def test_an_annotation_that_somebody_spoiled_is_said(text: str) -> None:
    workload = changed()
    workload["metadata"]["annotations"][lib.ORIGINAL] = text
    with pytest.raises(InputError, match="Deployment shop/cart") as caught:
        lib.in_normal_mode(workload)
    assert caught.value.cause == "way-back-unreadable"


def test_an_annotation_does_not_grow_without_end() -> None:
    bomb = base64.b64encode(zlib.compress(json.dumps(["x" * 50_000_000]).encode(), 9)).decode()
    workload = changed()
    workload["metadata"]["annotations"][lib.ORIGINAL] = lib.COMPRESSED + bomb
    with pytest.raises(InputError):
        lib.in_normal_mode(workload)


def test_a_mount_that_somebody_changed_keeps_what_it_needs() -> None:
    workload = changed()
    pod = workload["spec"]["template"]["spec"]
    pod["containers"][0]["volumeMounts"][0]["readOnly"] = True
    normal, kept = lib.in_normal_mode(workload)
    pod = normal["spec"]["template"]["spec"]
    assert pod["volumes"][0]["name"] == lib.VOLUME
    assert [item["name"] for item in pod["containers"][0]["env"]] == ["PASSWORD", lib.POD_NAME]
    assert pod["containers"][0]["image"] == "cart:1"
    place = "spec.template.spec.containers[app]"
    assert {item.field for item in kept} == {
        f"{place}.volumeMounts[/coverdata]",
        f"{place}.env[{lib.POD_NAME}]",
        f"spec.template.spec.volumes[{lib.VOLUME}]",
    }


def test_a_mount_elsewhere_keeps_the_volume_only() -> None:
    workload = changed()
    pod = workload["spec"]["template"]["spec"]
    pod["containers"][1]["volumeMounts"] = [{"name": lib.VOLUME, "mountPath": "/look"}]
    normal, kept = lib.in_normal_mode(workload)
    assert [item["name"] for item in normal["spec"]["template"]["spec"]["containers"][0]["env"]] == ["PASSWORD"]
    assert [item.field for item in kept] == [f"spec.template.spec.volumes[{lib.VOLUME}]"]


def test_a_container_that_is_gone_takes_its_changes_with_it() -> None:
    workload = changed()
    del workload["spec"]["template"]["spec"]["containers"][0]
    expected = copy.deepcopy(NORMAL)
    del expected["spec"]["template"]["spec"]["containers"][0]
    normal, kept = lib.in_normal_mode(workload)
    assert normal == expected
    assert [item.field for item in kept] == ["spec.template.spec.containers[app].image"]
