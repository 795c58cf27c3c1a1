# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The objects of YAML and JSON texts, and what is wrong with a text."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import (
    Item,
    Located,
    mapping,
    sequence,
)

FILES, OBJECTS = "workload.manifests", "workload.objects"


def parse(text: str, file: str) -> tuple[list[Item], list[Diagnosis]]:
    """Return the objects of one YAML text, and what is wrong with it: duplicate keys too, which YAML readers hide.

    :arg file: how places in it are named.
    """
    documents, found = _load(text, file)
    items: list[Item] = []
    for document in documents:
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        for content in sequence(document.get("items")) if is_list else [document]:
            line = getattr(content, "line", getattr(document, "line", 1))
            item = Item(content if isinstance(content, dict) else {}, f"{file}:{line}", file)
            problem = _no_object(content)
            if problem:
                found.append(invalid(problem, where=item.where))
            else:
                items.append(item)
    return items, list(dict.fromkeys(found))


def invalid(sentence: str, remedy: str = "", *, setting: str = FILES, where: str = "") -> Diagnosis:
    """Return what is wrong with a manifest."""
    return Diagnosis("manifest-invalid", sentence, remedy=remedy, setting=setting, where=where)


def _load(text: str, file: str) -> tuple[list[t.Any], list[Diagnosis]]:
    """Return the documents of a text as L(Located), and what is wrong."""
    import yaml

    found: list[Diagnosis] = []

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
            lines: dict[str, int] = {}
            for key, _value in getattr(node, "value", []):
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                line = key.start_mark.line + 1
                if key.value in lines:
                    found.append(
                        invalid(
                            f"The key '{key.value}' appears twice in one mapping, first in line {lines[key.value]}:"
                            " the first value is lost.",
                            "Remove one of them.",
                            where=f"{file}:{line}",
                        )
                    )
                lines.setdefault(key.value, line)
            result = Located(super().construct_mapping(node, deep=deep))
            result.line, result.lines = node.start_mark.line + 1, lines
            return result

    def construct(loader: t.Any, node: t.Any) -> t.Any:
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:map", construct)
    try:
        return [item for item in yaml.load_all(text, Loader=Loader) if item is not None], found
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", "") or error).split())
        where = f"{file}:{mark.line + 1}" if mark is not None else file
        return [], [invalid(f"This is not YAML: {problem}.", where=where)]


def inline(objects: t.Sequence[t.Any]) -> tuple[list[Item], list[Diagnosis]]:
    """Return the objects that a contract holds itself, and what is wrong with them."""
    items: list[Item] = []
    found: list[Diagnosis] = []
    for index, content in enumerate(objects):
        problem = _no_object(content)
        where = f"{OBJECTS}[{index}]"
        if problem:
            found.append(invalid(problem, setting=OBJECTS, where=where))
        else:
            items.append(Item(content, where))
    return items, found


def _no_object(content: t.Any) -> str:
    if not isinstance(content, dict) or not content.get("kind") or not content.get("apiVersion"):
        return "This is not a Kubernetes object: apiVersion or kind is missing."
    if not mapping(content.get("metadata")).get("name"):
        return f"This {content['kind']} has no name."
    return ""
