# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No sentence says what the observation does not have, or contradicts: each claim is looked up in it."""

from __future__ import annotations

import functools
import json
import re
import typing as t

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import image

FILES = sorted([*situations.RECORDED.glob("*.json"), *situations.FAULTS.glob("*.json")])
NAME = r"(?P<name>[a-z0-9][\w.\-/]*[\w])"
# what a sentence says is there, by name
NAMED = tuple(
    re.compile(rf"\b{kind} {NAME}")
    for kind in ("[Pp]od", "[Cc]ontainer", "[Nn]ode", "[Ii]mage", "Service", "ConfigMap", "Secret", "ServiceAccount")
)
WORDS = {
    *(
        "lacks",
        "names",
        "selects",
        "rejects",
        "is",
        "of",
        "has",
        "and",
        "that",
        "which",
        "for",
        "in",
        "to",
        "port",
        "can",
        "cannot",
    ),
    *("yet", "still", "does", "where", "with", "names", "or", "matches", "on", "it", "was", "ends"),
}
PORT = re.compile(r"\bport (?P<port>\d{2,5})\b")
ANSWERS = re.compile(r"port (?P<port>\d+) answers (?P<path>\S+) with (?P<status>\d{3})")
NOT_THERE = re.compile(
    r"There is no (?P<kind>ConfigMap|Secret|ServiceAccount|PersistentVolumeClaim) [\w-]+/(?P<name>[\w.-]+)"
)
NOT_ON_NODE = re.compile(r"[Ii]mage (?P<image>\S+) is not on node (?P<node>[\w.-]+)")
IS_ON = re.compile(r"it is on (?P<nodes>[\w., -]+?)\.")


@functools.cache
def text(path: t.Any) -> str:
    return str(path.read_text(encoding="utf-8"))


def observed(path: t.Any) -> Observation:
    return Observation.from_dict(json.loads(text(path)))


def said(seen: Observation) -> list[Diagnosis]:
    """All that is said of an observation, at any time."""
    found = [lib.timeout_verdict(seen, 20)]
    terminal = lib.terminal_verdict(seen)
    return [*found, *found[0].also, *([terminal] if terminal else [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_sentence_names_was_seen(path: t.Any) -> None:
    unseen = [
        (part, verdict.sentence)
        for verdict in said(observed(path))
        for pattern in NAMED
        for found in pattern.finditer(verdict.sentence)
        for part in found["name"].split("/")
        if part not in text(path) and part not in WORDS
    ]
    unseen += [
        (found["port"], verdict.sentence)
        for verdict in said(observed(path))
        for found in PORT.finditer(verdict.sentence)
        if found["port"] not in text(path)
    ]
    assert unseen == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_sentence_says_is_missing_is_missing(path: t.Any) -> None:
    seen = observed(path)
    wrong = []
    for verdict in said(seen):
        sentence = verdict.sentence
        wrong += [
            sentence for found in NOT_THERE.finditer(sentence) if found["name"] in seen.names.get(found["kind"], [])
        ]
        for found in NOT_ON_NODE.finditer(sentence):
            spellings = image.spellings(found["image"])
            if spellings & set(image.names_on(seen, found["node"])):
                wrong.append(sentence)
            wrong += [
                sentence
                for where in IS_ON.finditer(sentence)
                for node in where["nodes"].split(", ")
                if not spellings & set(image.names_on(seen, node))
            ]
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_sentence_says_was_answered_was(path: t.Any) -> None:
    seen = observed(path)
    asked = {(str(item["port"]), item["path"], str(item["status"])) for item in seen.answers}
    wrong = [
        verdict.sentence
        for verdict in said(seen)
        for found in ANSWERS.finditer(verdict.sentence)
        if (found["port"], found["path"].rstrip("."), found["status"]) not in asked
    ]
    assert wrong == []


def pulled_always(*, there: bool) -> Observation:
    """A container whose image cannot be pulled; the node has it, or not."""
    pod = {
        "metadata": {"name": "p", "uid": "p", "namespace": "a"},
        "spec": {
            "nodeName": "worker",
            "containers": [{"name": "c", "image": "localhost/orders:1", "imagePullPolicy": "Always"}],
        },
        "status": {
            "phase": "Pending",
            "containerStatuses": [
                {
                    "name": "c",
                    "ready": False,
                    "state": {
                        "waiting": {"reason": "ImagePullBackOff", "message": "dial tcp [::1]:443: connection refused"}
                    },
                }
            ],
        },
    }
    images = {"worker": ["localhost/orders:1"] if there else ["localhost/other:1"]}
    return Observation(
        "Pod", "a", "p", workload=pod, pods=[pod], images=images, now="2026-01-01T00:01:00Z", waited=60, full=True
    )


def test_an_image_that_the_node_has_is_not_said_to_be_missing() -> None:
    verdict = lib.timeout_verdict(pulled_always(there=True), 20)
    assert verdict.cause == "image-pull-policy"
    assert "imagePullPolicy" in verdict.sentence
    assert "Always" in verdict.sentence
    assert "not on node" not in verdict.sentence
    assert lib.timeout_verdict(pulled_always(there=False), 20).cause != "image-pull-policy"
