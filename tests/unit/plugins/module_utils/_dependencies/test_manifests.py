# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which objects are applied, and what is shown of them. Molecule applies them to a real cluster."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import manifests as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.until import Until
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import ManifestSources


def item(kind: str, version: str = "v1", **content: t.Any) -> Item:
    return Item({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **content}, "here")


def test_each_object_comes_after_what_it_needs() -> None:
    definition = item(lib.DEFINITION, "apiextensions.k8s.io/v1", spec={"group": "g.io", "names": {"kind": "Widget"}})
    others = [
        item("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
        item("Widget", "g.io/v1"),
        item("Deployment", "apps/v1"),
        item("ConfigMap"),
        item("Namespace"),
    ]
    kinds = [found.kind for found in lib.in_order([*others, definition])]
    assert kinds == [
        *("Namespace", lib.DEFINITION, "ConfigMap", "Deployment", "Widget", "ValidatingWebhookConfiguration"),
    ]


@pytest.mark.parametrize(("name", "selector"), [("", ""), ("a", "b=c")])
def test_a_condition_names_its_object_in_one_way(name: str, selector: str) -> None:
    until = Until("Pod", "status", name=name, selector=selector)
    with pytest.raises(InputError, match="either name or selector"):
        lib.check_manifests(lib.ManifestDependency("x", ManifestSources(paths=("a",)), until=(until,)))


def test_the_owner_is_a_label_and_no_two_share_it() -> None:
    long = [lib.owner_label(name, "n" * 60) for name in ("a" * 60, "b" * 60)]
    assert all(len(label) <= 63 for label in long)
    assert long[0] != long[1]
    assert lib.owner_label("crds", "demo") == "demo.crds"


def test_a_difference_shows_no_secret_and_still_that_it_changed() -> None:
    def secret(value: str) -> dict[str, t.Any]:
        return {"kind": "Secret", "metadata": {"name": "s", "uid": "1"}, "data": {"a": "c2FtZQ==", "b": value}}

    (shown,) = lib.differences([(secret("b2xk"), secret("bmV3"))])
    assert not any(word in repr(shown) for word in ("c2FtZQ==", "b2xk", "bmV3", "uid"))
    assert shown["before"] != shown["after"]
    assert shown["after_header"] == "Secret s"
