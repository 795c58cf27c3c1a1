# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules, over what was seen of real workloads on a real cluster (tests/tools/record_observation.py)."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import typing as t
from pathlib import Path

import pytest
import situations
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import place_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe import readers
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, condition
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import RULES, SETTLING
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import TERMINAL as AT_ONCE
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]
TERMINAL = sorted(name for name, situation in situations.NEVER.items() if situation.terminal)
IN_TIME = sorted(set(situations.NEVER) - set(TERMINAL))
FILES = sorted(path.name.removesuffix(".json") for path in situations.RECORDED.glob("*.json"))
FINE = [name for name in FILES if name.split(".")[0] in situations.FINE]
LATER = 60.0


@functools.cache
def _read(name: str) -> str:
    return (situations.RECORDED / f"{name}.json").read_text(encoding="utf-8")


def recorded(name: str, **changes: t.Any) -> Observation:
    return dataclasses.replace(Observation.from_dict(json.loads(_read(name))), **changes)


@functools.cache
def known_settings() -> frozenset[str]:
    """Every variable of every role."""
    found: set[str] = set()
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry_point in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found |= set(entry_point.get("options") or {})
    return frozenset(found)


def complete(verdict: t.Optional[Diagnosis]) -> Diagnosis:
    """Check what every verdict has to have."""
    assert verdict is not None
    assert verdict.remedy.endswith(".")
    assert place_of(verdict.setting, "readiness_gate").variable in known_settings()
    assert "\n" not in verdict.sentence
    assert len(verdict.sentence) < 400
    return verdict


def test_every_situation_was_recorded_and_every_recording_is_of_one() -> None:
    assert {name.split(".")[0] for name in FILES} == set(situations.NEVER) | set(situations.FINE)
    assert not set(situations.NEVER) & set(situations.FINE)


def test_recordings_are_small() -> None:
    assert {name: len(_read(name)) for name in FILES if len(_read(name)) > 30_000} == {}


@pytest.mark.parametrize("name", TERMINAL)
def test_what_waiting_cannot_cure_is_named(name: str) -> None:
    verdict = complete(lib.terminal_verdict(situations.later(recorded(f"{name}.1"))))
    wanted = situations.NEVER[name]
    assert verdict.cause == wanted.cause
    for words in wanted.says:
        assert words in verdict.sentence
    evidence = "\n".join(verdict.evidence)
    for words in wanted.quotes:
        assert words in evidence


@pytest.mark.parametrize("name", IN_TIME)
def test_what_only_time_tells_is_named_when_the_time_is_over(name: str) -> None:
    seen = recorded(f"{name}.1")
    assert lib.terminal_verdict(seen) is None
    verdict = complete(lib.timeout_verdict(seen, 6))
    wanted = situations.NEVER[name]
    assert verdict.cause == wanted.cause
    for words in wanted.says:
        assert words in verdict.sentence
    evidence = "\n".join(verdict.evidence)
    for words in wanted.quotes:
        assert words in evidence


@pytest.mark.parametrize("name", [f"{name}.1" for name in TERMINAL])
def test_the_cause_is_the_same_whenever_it_is_asked_for(name: str) -> None:
    seen = situations.later(recorded(name))
    assert lib.timeout_verdict(seen, 60) == lib.terminal_verdict(seen)
    assert lib.terminal_verdict(dataclasses.replace(seen, waited=LATER)) == lib.terminal_verdict(seen)


@pytest.mark.parametrize("name", FINE)
def test_nothing_is_said_against_a_workload_that_becomes_ready(name: str) -> None:
    assert lib.terminal_verdict(recorded(name)) is None


@pytest.mark.parametrize("name", [name for name in FINE if "while-a-node-starts" not in name])
def test_nor_when_the_gate_has_waited_for_long_already(name: str) -> None:
    # no pod for a minute would be a cause; a moment without one is not
    seen = recorded(name, waited=LATER)
    assert lib.terminal_verdict(seen) is None


@pytest.mark.parametrize("name", FINE)
def test_a_time_out_at_any_moment_has_a_whole_verdict(name: str) -> None:
    complete(lib.timeout_verdict(recorded(name), 1))


@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_is_said_in_a_few_words(name: str) -> None:
    words = missing(recorded(name))
    assert 0 < len(words) < 80
    assert "None" not in words


@pytest.mark.parametrize("name", FILES)
def test_the_rules_change_nothing(name: str) -> None:
    seen = recorded(name)
    before = copy.deepcopy(seen)
    lib.timeout_verdict(seen, 1)
    assert seen == before


# what else can be seen, made from what was


def test_a_secret_of_an_older_revision_is_no_cause() -> None:
    """A pod of an older revision that cannot start must not end the wait for the newer one."""
    seen = recorded("secret-missing.1")
    newer = copy.deepcopy(seen.replica_sets[0])
    newer["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"
    newer["metadata"]["labels"]["pod-template-hash"] = "newer"
    seen.replica_sets.append(newer)
    assert lib.terminal_verdict(seen) is None
    assert missing(seen) == "no pod yet"


def test_the_tenth_revision_is_newer_than_the_ninth() -> None:
    seen = recorded("secret-missing.1")
    older = copy.deepcopy(seen.replica_sets[0])
    older["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "9"
    older["metadata"]["labels"]["pod-template-hash"] = "older"
    seen.replica_sets[0]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "10"
    seen.replica_sets.append(older)
    assert complete(lib.terminal_verdict(situations.later(seen))).cause == "secret-missing"


def test_a_pod_on_its_way_out_is_no_cause() -> None:
    seen = recorded("secret-missing.1")
    seen.pods[0]["metadata"]["deletionTimestamp"] = "2026-11-23T16:00:00Z"
    assert lib.terminal_verdict(seen) is None


@pytest.mark.parametrize(
    "name",
    [
        "workload-missing",
        "service-account-missing",
        "configmap-volume-missing",
        "host-path-missing",
        "cpu-too-large",
        "claim-missing",
    ],
)
def test_what_may_still_come_is_given_a_moment(name: str) -> None:
    assert lib.terminal_verdict(recorded(f"{name}.1", waited=SETTLING - 0.1)) is None
    assert lib.terminal_verdict(situations.later(recorded(f"{name}.1", waited=SETTLING))) is not None


@pytest.mark.parametrize("key", list(scheduling.STARTING_NODE))
def test_a_pod_that_fits_nowhere_is_no_cause_while_a_node_has_the_taint_of_its_start(key: str) -> None:
    seen = recorded("cpu-too-large.1")
    seen.nodes[1]["spec"].setdefault("taints", []).append({"key": key, "effect": "NoSchedule"})
    assert lib.terminal_verdict(seen) is None
    # when the time is over it is still what is known best
    assert lib.timeout_verdict(seen, 1).cause == "cpu-request"


def test_nor_a_moment_after_a_node_became_ready() -> None:
    seen = recorded("cpu-too-large.1")
    since = condition(seen.nodes[1], "Ready")["lastTransitionTime"]
    assert lib.terminal_verdict(dataclasses.replace(seen, now=since.replace("Z", ".900+00:00"))) is None
    assert lib.terminal_verdict(dataclasses.replace(seen, now="")) is not None


def test_a_claim_that_is_still_being_bound_is_no_cause() -> None:
    seen = recorded("claim-missing.1")
    message = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    condition(seen.pods[0], "PodScheduled")["message"] = message
    assert lib.terminal_verdict(seen) is None


def test_the_nodes_status_tells_of_images_where_nobody_could_ask_them() -> None:
    seen = recorded("image-on-another-node.1", images={})
    for node in seen.nodes:
        here = node["metadata"]["name"].endswith("control-plane")
        node["status"]["images"] = [{"names": [situations.ELSEWHERE]}] if here else []
    verdict = complete(lib.terminal_verdict(seen))
    assert "it is on units-rec-control-plane" in verdict.sentence


def test_an_image_like_no_other_has_no_nearest_name() -> None:
    seen = recorded("image-tag-wrong.1", images={"units-rec-worker": ["registry.k8s.io/pause:3.10"]})
    verdict = complete(lib.terminal_verdict(seen))
    assert verdict.sentence == f"Image {situations.INSTRUMENTED}-typo is not on node units-rec-worker."


def test_a_container_that_is_ready_again_is_no_cause_however_often_it_ended() -> None:
    seen = recorded("exits-with-a-word.1")
    status = seen.pods[0]["status"]["containerStatuses"][0]
    status.update(ready=True, restartCount=7, state={"running": {}})
    assert lib.terminal_verdict(seen) is None


def test_one_crash_is_no_cause_until_the_time_is_over() -> None:
    seen = recorded("exits-with-a-word.1")
    status = seen.pods[0]["status"]["containerStatuses"][0]
    status.update(restartCount=1, state={"running": {}})
    assert lib.terminal_verdict(seen) is None
    assert complete(lib.timeout_verdict(seen, 1)).cause == "config-file-missing"


def test_a_crash_on_another_architecture_that_go_reports_itself() -> None:
    """The runtime's own words under an emulator (a crash of the origin on Apple silicon)."""
    seen = recorded("exits-without-a-word.1")
    seen.logs = {name: "fatal error: taggedPointerPack\n\nruntime stack:" for name in seen.logs}
    assert complete(lib.terminal_verdict(seen)).cause == "wrong-architecture"


def test_the_log_before_the_crash_is_quoted_not_that_of_the_next_start() -> None:
    seen = recorded("exits-with-a-word.1")
    pod = seen.pods[0]["metadata"]["name"]
    seen.logs = {f"{pod}/program": "just started", f"{pod}/program/previous": "no database\n\n"}
    verdict = complete(lib.terminal_verdict(seen))
    assert verdict.sentence.endswith(": no database")
    assert "just started" not in verdict.evidence


def test_of_a_long_log_only_the_end_is_quoted() -> None:
    seen = recorded("exits-with-a-word.1")
    seen.logs = {name: "\n".join(f"line {number}" for number in range(100)) for name in seen.logs}
    verdict = complete(lib.terminal_verdict(seen))
    assert verdict.evidence[-1] == "line 99"
    assert len(verdict.evidence) == 1 + readers.LOG_LINES


def test_an_address_that_does_not_answer_is_named_once_all_pods_are_ready() -> None:
    seen = recorded(max(name for name in FINE if name.startswith("at-once")))
    assert seen.rolled_out
    seen.url, seen.url_answer = "http://127.0.0.1:38080/ready", "Connection refused"
    assert lib.terminal_verdict(seen) is None
    assert missing(seen) == "http://127.0.0.1:38080/ready says: Connection refused"
    verdict = complete(lib.timeout_verdict(seen, 1))
    assert verdict.cause == "url-unreachable"
    assert "http://127.0.0.1:38080/ready" in verdict.sentence
    assert "Connection refused" in verdict.sentence


def test_counters_are_not_asked_for_where_nobody_can_look() -> None:
    assert lib.terminal_verdict(recorded("not-instrumented.1", coverage_watched=False)) is None


def test_a_log_without_the_instrumented_container_says_nothing_of_counters() -> None:
    seen = recorded("gocoverdir-unset.1", logs={})
    assert complete(lib.terminal_verdict(seen)).cause == "no-covmeta"


def test_nothing_that_was_seen_says_why() -> None:
    seen = recorded("slow.1", events=[])
    del seen.pods[0]["spec"]["containers"][0]["readinessProbe"]
    verdict = complete(lib.timeout_verdict(seen, 90))
    assert verdict.cause == "not-ready"
    assert "90 s" in verdict.sentence
    assert "0 of 1 pods ready" in verdict.sentence
    assert "their containers run" in verdict.remedy


# the registry


def test_every_rule_that_is_registered_is_asked_and_in_one_place() -> None:
    assert {look.__name__ for look in lib.ORDER} == set(RULES)
    assert len(lib.ORDER) == len(RULES)


def test_the_order_is_that_of_causality() -> None:
    """What keeps a pod from being made before what keeps it from a node, before its image, its start, its end ..."""
    names = [rule.name for rule in lib.rules_of(AT_ONCE)]
    chain = ["workload_missing", "pods_not_created", "unschedulable", "mount_failed", "image_not_usable"]
    chain += ["refused_start", "hook_failed", "crashed", "probe_wrong", "dependency_broken", "not_written"]
    assert [name for name in names if name in chain] == chain


@pytest.mark.parametrize("name", FILES)
def test_a_rule_finds_nothing_but_what_it_is_registered_for(name: str) -> None:
    seen = recorded(name.removesuffix(".json"))
    lib.diagnose_what_is_behind(seen)
    others = {
        rule.name: {verdict.cause for verdict in rule.look(seen)} - rule.causes
        for rule in RULES.values()
        if {verdict.cause for verdict in rule.look(seen)} - rule.causes
    }
    assert others == {}


# properties


@settings.get_profile("quick")
@given(data=st.data())
def test_no_rule_breaks_over_an_observation_with_holes(data: st.DataObject) -> None:
    """The API leaves out what is empty; a pod may have no status yet, a node no images."""
    seen = recorded(data.draw(st.sampled_from(FILES)))
    optional = {
        "conditions",
        "containerStatuses",
        "initContainerStatuses",
        "state",
        "lastState",
        "images",
        "taints",
        "annotations",
        "labels",
        "phase",
        "message",
        "reason",
        "lastTransitionTime",
        "lastTimestamp",
        "nodeName",
        "restartCount",
    }
    gone = data.draw(st.sets(st.sampled_from(sorted(optional)), max_size=4))

    def without(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key not in gone}
        return [without(item) for item in value] if isinstance(value, list) else value

    for name in ("workload", "replica_sets", "pods", "events", "nodes"):
        setattr(seen, name, without(getattr(seen, name)))
    assert lib.timeout_verdict(seen, 1).sentence
    assert missing(seen)


@settings.get_profile("quick")
@given(st.text(), st.integers(min_value=0, max_value=300))
def test_a_message_in_a_sentence_is_one_short_line(text: str, repeat: int) -> None:
    short = readers.quoted(text * repeat)
    assert len(short) <= 200
    assert "\n" not in short


# what a real cluster showed to be wrong


def unbound(age: float, *, said: str = "", **claim: t.Any) -> Observation:
    """A pod that no node takes, because its claim is not bound yet."""
    message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    pod = {
        "metadata": {"name": "p", "uid": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "containers": [{"name": "c"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}],
        },
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message},
            ],
        },
    }
    volume_claim = {
        "metadata": {"name": "x", "uid": "x", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"storageClassName": "", **claim},
        "status": {"phase": "Pending"},
    }
    event = {"reason": "FailedBinding", "message": said, "involvedObject": {"uid": "x"}}
    now = f"2026-01-01T00:00:{age:06.3f}Z"
    seen = Observation("Pod", "a", "p", workload=pod, pods=[pod], claims=[volume_claim], now=now, waited=age, full=True)
    seen.events = [event] if said else []
    return seen


def test_a_claim_on_a_volume_that_was_just_made_is_given_the_time_to_be_bound() -> None:
    # seen in molecule/coverage_extraction: the volume controller came to it seconds after the scheduler
    assert lib.terminal_verdict(unbound(3.1, volumeName="made-with-it")) is None
    late = lib.terminal_verdict(unbound(45, volumeName="made-with-it"))
    assert late is not None
    assert late.cause == "claim-pending"
    assert "made-with-it, which does not accept it" in late.sentence
    said = lib.terminal_verdict(unbound(5, said="no persistent volumes available for this claim"))
    assert said is not None
    assert "no persistent volumes available" in said.sentence


def killed(*messages: tuple[str, int]) -> Observation:
    """A container that its liveness probe has had killed twice, with what the probe met and how often."""
    events = [
        {
            "reason": "Unhealthy",
            "message": f"Liveness probe failed: {text}",
            "count": count,
            "lastTimestamp": f"2026-01-01T00:00:{at:02d}Z",
            "involvedObject": {"uid": "p", "fieldPath": "spec.containers{c}"},
        }
        for at, (text, count) in enumerate(messages)
    ]
    events.append(
        {
            "reason": "Killing",
            "message": "Container c failed liveness probe, will be restarted",
            "count": 2,
            "lastTimestamp": "2026-01-01T00:00:30Z",
            "involvedObject": {"uid": "p", "fieldPath": "spec.containers{c}"},
        }
    )
    ended = {"terminated": {"exitCode": 2, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z"}}
    probe = {"httpGet": {"path": "/alive", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 1}
    pod = {
        "metadata": {"name": "p", "uid": "p"},
        "spec": {"containers": [{"name": "c", "livenessProbe": probe}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "c",
                    "ready": False,
                    "restartCount": 2,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:10Z"}},
                    "lastState": ended,
                }
            ],
        },
    }
    return Observation(
        "Pod", "a", "p", workload=pod, pods=[pod], events=events, now="2026-01-01T00:00:31Z", waited=31, full=True
    )


LATE = 'Get "http://10.0.0.1:8080/alive": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
REFUSED = 'Get "http://10.0.0.1:8080/alive": dial tcp 10.0.0.1:8080: connect: connection refused'


@pytest.mark.parametrize(
    ("met", "cause"),
    [
        ([(LATE, 4)], "probe-timeout"),
        # which of the two came last hangs on the moment; the late answer says more
        ([(LATE, 2), (REFUSED, 2)], "probe-timeout"),
        ([(REFUSED, 2), (LATE, 2)], "probe-timeout"),
        ([(LATE, 4), (REFUSED, 1)], "probe-timeout"),
        # one late answer among many that were refused is no matter of the time-out
        ([(LATE, 1), (REFUSED, 6)], "killed-by-probe"),
    ],
)
def test_who_is_killed_for_late_answers_is_told_so_at_any_moment(met: list[tuple[str, int]], cause: str) -> None:
    verdict = lib.terminal_verdict(killed(*met))
    assert verdict is not None
    assert verdict.cause == cause, verdict.sentence
    assert "liveness" in verdict.sentence
