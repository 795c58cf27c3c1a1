# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an observation says of a workload, over recorded ones; and that no secret is written with it."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe import observation as lib
from hypothesis import given, settings
from hypothesis import strategies as st

FILES = sorted(situations.RECORDED.glob("*.json"))


def moments(name: str) -> list[lib.Observation]:
    """All that was recorded of a situation, in its order."""
    found = [
        lib.Observation.from_dict(json.loads(path.read_text())) for path in FILES if path.name.split(".")[0] == name
    ]
    return sorted(found, key=lambda seen: seen.waited)


# what is ready


@pytest.mark.parametrize("name", sorted(situations.FINE))
def test_only_at_the_end_is_all_rolled_out(name: str) -> None:
    *before, last = moments(name)
    assert last.rolled_out
    assert len(last.ready_pods) == last.wanted == len(last.pods)
    assert before
    for seen in before:
        assert not (seen.rolled_out and all(seen.coverage.get(pod["metadata"]["name"]) for pod in seen.ready_pods))


@pytest.mark.parametrize("name", sorted(situations.NEVER))
def test_what_never_becomes_ready_is_not_rolled_out_or_has_no_counters(name: str) -> None:
    (seen,) = moments(name)
    assert not seen.rolled_out or seen.coverage_watched


def test_during_a_rolling_update_only_the_new_pods_count() -> None:
    for seen in moments("a-rolling-update"):
        arguments = [pod["spec"]["containers"][0]["args"] for pod in seen.current_pods]
        assert all("-say=second" in words for words in arguments)
    assert any(len(seen.pods) > len(seen.current_pods) for seen in moments("a-rolling-update"))


def test_a_pod_of_the_older_revision_keeps_a_rollout_from_being_complete() -> None:
    last = moments("a-rolling-update")[-1]
    assert last.rolled_out
    old = copy.deepcopy(last.pods[0])
    old["metadata"]["deletionTimestamp"] = "2026-11-23T16:00:00Z"
    last.pods.append(old)
    assert not last.rolled_out


def test_a_status_of_an_older_generation_says_nothing() -> None:
    last = moments("at-once")[-1]
    assert last.workload is not None
    last.workload["metadata"]["generation"] += 1
    assert not last.rolled_out


@pytest.mark.parametrize("key", ["updatedReplicas", "replicas", "availableReplicas"])
@pytest.mark.parametrize("value", [None, 0, 2, 4])
def test_each_number_of_replicas_has_to_be_right(key: str, value: t.Optional[int]) -> None:
    last = moments("three-replicas")[-1]
    assert last.rolled_out
    assert last.workload is not None
    if value is None:
        del last.workload["status"][key]
    else:
        last.workload["status"][key] = value
    assert not last.rolled_out


def test_without_a_number_one_replica_is_wanted() -> None:
    last = moments("at-once")[-1]
    assert last.workload is not None
    del last.workload["spec"]["replicas"]
    assert last.wanted == 1
    assert lib.Observation("Deployment", "x", "x").wanted == 1


def test_nothing_is_not_rolled_out() -> None:
    seen = lib.Observation("Deployment", "x", "x")
    assert not seen.rolled_out
    assert seen.current_pods == []
    assert seen.newest_replica_set is None


def test_the_pods_of_a_stateful_set_are_known_by_its_update_revision() -> None:
    last = moments("at-once")[-1]
    assert last.workload is not None
    last.kind, last.replica_sets = "StatefulSet", []
    status = last.workload["status"]
    status["readyReplicas"] = status.pop("availableReplicas")
    assert last.rolled_out
    assert len(last.current_pods) == 1  # before its controller has said which revision is the newest
    status["updateRevision"] = "program-2"
    assert last.current_pods == []
    last.pods[0]["metadata"]["labels"]["controller-revision-hash"] = "program-2"
    assert len(last.ready_pods) == 1


def test_events_are_of_the_object_and_in_order() -> None:
    (seen,) = moments("exits-with-a-word")
    (pod,) = seen.pods
    events = seen.events_of(pod)
    assert [event["reason"] for event in events][-1] in ("BackOff", "Started", "Created", "Pulled")
    assert {event["involvedObject"]["name"] for event in events} == {pod["metadata"]["name"]}
    assert [event["reason"] for event in seen.events_of(pod, reason="Scheduled")] == ["Scheduled"]
    assert seen.events_of(None) == []
    times = [event.get("lastTimestamp") or event.get("eventTime") for event in events]
    assert times == sorted(times, key=lambda text: text or "")


def test_init_containers_come_first() -> None:
    (seen,) = moments("init-exits")
    assert [status["name"] for status in lib.containers(seen.pods[0])] == ["migrate", "program"]
    assert list(lib.containers({"metadata": {}})) == []


def test_a_condition_that_is_not_there_is_empty() -> None:
    (seen,) = moments("cpu-too-large")
    assert lib.condition(seen.pods[0], "PodScheduled")["status"] == "False"
    assert lib.condition(seen.pods[0], "Ready") == {}
    assert lib.condition({}, "Ready") == {}


# what is written


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_observation_can_be_written_and_read_back(path: t.Any) -> None:
    seen = lib.Observation.from_dict(json.loads(path.read_text()))
    again = lib.Observation.from_dict(json.loads(json.dumps(seen.as_dict())))
    assert again == seen


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_blanking_secrets_leaves_an_ordinary_observation_as_it_is(path: t.Any) -> None:
    text = path.read_text()
    assert lib.BLANK not in text
    assert json.dumps(lib.redacted(json.loads(text))) == json.dumps(json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        # what a pod is full of, and what the verdicts are made from
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"tokenExpirationSeconds": 3607},
        {"automountServiceAccountToken": True},
        {"name": "db-secret", "secret": {"secretName": "credentials", "defaultMode": 420}},
        {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "password"}}},
        {"imagePullSecrets": [{"name": "registry"}]},
        {"kubernetes.io/service-account-token": None},
        'secret "credentials" not found',
        'MountVolume.SetUp failed for volume "token" : secret "credentials" not found',
        "couldn't find key password in Secret demo/credentials",
        "serviceaccount token controller started",
        "exceeded quota: no-pods, requested: pods=1, used: pods=0",
        "http://127.0.0.1:38080/ready",
        "GET https://[::1]:6443/api: connection refused",
        ["--port", "8080"],
    ],
)
def test_what_only_refers_to_a_secret_stays(value: t.Any) -> None:
    assert lib.redacted(value) == value


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"name": "DB_PASSWORD", "value": "hush"}, {"name": "DB_PASSWORD", "value": lib.BLANK}),
        ({"name": "api-key", "value": "hush"}, {"name": "api-key", "value": lib.BLANK}),
        ({"name": "Authorization", "value": "Bearer hush"}, {"name": "Authorization", "value": lib.BLANK}),
        ({"name": "LOG_LEVEL", "value": "debug"}, {"name": "LOG_LEVEL", "value": "debug"}),
        ({"name": "DB_PASSWORD", "value": ""}, {"name": "DB_PASSWORD", "value": ""}),
        ({"example.org/token": "hush"}, {"example.org/token": lib.BLANK}),
        (["-v", "--db-password=hush"], ["-v", f"--db-password={lib.BLANK}"]),
        (["--db-password", "hush", "-v"], ["--db-password", lib.BLANK, "-v"]),
        (["--token", "--verbose"], ["--token", "--verbose"]),
        ("postgres://user:hush@db:5432/x", f"postgres://user:{lib.BLANK}@db:5432/x"),
        ("cannot connect: password=hush host=db", f"cannot connect: password={lib.BLANK} host=db"),
        ('{"level": "info", "token": "hush"} and more', f'{{"level": "info", "token": "{lib.BLANK}"}} and more'),
        ('config: {token: "x"} TOKEN="hush"', f'config: {{token: "x"}} TOKEN="{lib.BLANK}"'),
        ({"managedFields": [{"manager": "x"}], "name": "x"}, {"name": "x"}),
    ],
)
def test_what_is_a_secret_is_blanked(value: t.Any, wanted: t.Any) -> None:
    assert lib.redacted(value) == wanted


def test_the_normal_workload_in_the_annotation_is_blanked_and_stays_json() -> None:
    normal = {"spec": {"env": [{"name": "DB_PASSWORD", "value": "hush"}, {"name": "LEVEL", "value": "debug"}]}}
    written = lib.redacted({"annotations": {"coverage.kubernaut.io/original": json.dumps(normal)}})
    text = written["annotations"]["coverage.kubernaut.io/original"]
    assert "hush" not in text
    assert json.loads(text)["spec"]["env"][1] == {"name": "LEVEL", "value": "debug"}


# a secret as people make them, in every place where one may be
SECRETS = st.text(
    alphabet=st.characters(min_codepoint=48, max_codepoint=122, categories=["Lu", "Ll", "Nd"]), min_size=12
)
NAMES = st.sampled_from(["DB_PASSWORD", "token", "API_KEY", "clientSecret", "aws-credential", "PRIVATE_KEY"])


@settings.get_profile("quick")
@given(secret=SECRETS, name=NAMES)
def test_no_way_of_giving_a_secret_to_a_program_lets_it_be_written(secret: str, name: str) -> None:
    item = {
        "metadata": {"annotations": {"original": json.dumps({"env": [{"name": name, "value": secret}]}), name: secret}},
        "spec": {
            "containers": [
                {
                    "env": [{"name": name, "value": secret}, {"name": "DSN", "value": f"x://user:{secret}@host/x"}],
                    "args": [f"--{name}={secret}", f"--{name}", secret],
                    "command": ["sh", "-c", f"export {name}={secret}; exec program"],
                }
            ]
        },
    }
    seen = lib.Observation("Deployment", "x", "x", pods=[item], logs={"x/x": f'started with {name}="{secret}" on 8080'})
    written = json.dumps(seen.as_dict())
    assert secret not in written
    assert "exec program" in written
    assert "on 8080" in written


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)


@settings.get_profile("quick")
@given(JSON)
def test_blanking_twice_is_blanking_once(value: t.Any) -> None:
    once = lib.redacted(value)
    assert lib.redacted(once) == once
