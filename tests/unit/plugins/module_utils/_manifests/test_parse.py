# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of manifests: objects with their lines, and what is wrong with a text."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import ERROR
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.parse import inline, parse

TWO_FORMS = """# a document of its own
apiVersion: v1
kind: Service
metadata: {name: gateway}
---
# and a list
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: gateway}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: gateway-config}}
"""


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "x.yaml:5", "'c' appears twice in one mapping, first in line 3"),
        ("- {a: 1, a: 2}\n", "x.yaml:1", "'a' appears twice"),
        ("a: [1\nb: 2\n", "x.yaml:2", "not YAML"),
        ("a: 2026-99-99\n", "x.yaml", "not YAML"),
        ("a: {b: 1\n", "x.yaml:2", "not YAML"),
        ("just text\n", "x.yaml:1", "not a Kubernetes object"),
        ("apiVersion: v1\nkind: ConfigMap\n", "x.yaml:1", "This ConfigMap has no name"),
        ("---\n---\nkind: ConfigMap\nmetadata: {name: a}\n", "x.yaml:3", "apiVersion or kind is missing"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, where: str, says: str) -> None:
    found = parse(text, "x.yaml")[1][0]
    assert (found.severity, found.where, found.cause) == (ERROR, where, "manifest-invalid")
    assert says in found.sentence


def test_the_same_key_in_two_mappings_and_merges_are_fine() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {x: y}}\ndata: {<<: *l, x: z}\n"
    items, found = parse(text, "x.yaml")
    assert found == []
    assert items[0].content["data"] == {"x": "z"}


def test_objects_know_their_lines() -> None:
    items, found = parse(TWO_FORMS, "deploy.yaml")
    assert found == []
    assert [(item.kind, item.where) for item in items] == [
        ("Service", "deploy.yaml:2"),
        ("ServiceAccount", "deploy.yaml:10"),
        ("ConfigMap", "deploy.yaml:11"),
    ]


def test_inline_objects_are_named_by_their_place() -> None:
    items, found = inline([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, {"kind": "Pod"}])
    assert [item.where for item in items] == ["workload.objects[0]"]
    assert found[0].where == "workload.objects[1]"
