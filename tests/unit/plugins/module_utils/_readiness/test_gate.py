# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate, over recorded observations in place of a cluster; and what it asks of an address and of a node."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._progress import ENVIRONMENT_VARIABLE
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import gate as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.observation import BLANK, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import Verdict, missing

TARGET = lib.Target(kind="Deployment", namespace="demo", name="program", container="program")
NOBODY: t.Any = None


def moments(name: str) -> list[Observation]:
    """All that was recorded of a situation, in its order."""
    found = [
        Observation(**json.loads(path.read_text()))
        for path in situations.RECORDED.glob("*.json")
        if path.name.split(".")[0] == name
    ]
    return sorted(found, key=lambda seen: seen.waited)


class Replay:
    """Gives the gate one recorded look after the other, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: t.Sequence[Observation]) -> None:
        self.looks, self.asked = list(looks), list[bool]()
        monkeypatch.setattr(lib, "observe", self)
        monkeypatch.setattr(lib, "POLL", 0.001)

    def __call__(self, *_where: t.Any, waited: float, logs: bool = False) -> Observation:
        self.asked.append(logs)
        assert len(self.asked) < 100, "it looks for ever"
        seen = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        seen.waited = max(seen.waited, waited)
        return seen


@pytest.mark.parametrize("name", sorted(situations.FINE))
def test_a_workload_that_becomes_ready_is_waited_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = moments(name)
    replay = Replay(monkeypatch, looks)
    seen = lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert seen is looks[-1]
    assert len(replay.asked) == len(looks)
    assert not any(replay.asked)


@pytest.mark.parametrize("name", sorted(name for name, it in situations.NEVER.items() if it.terminal))
def test_a_workload_that_never_will_be_ready_is_told_after_a_second_look(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Replay(monkeypatch, moments(name))
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert replay.asked == [False, True]
    assert caught.value.cause == situations.NEVER[name].cause
    assert caught.value.seen.name == situations.NEVER[name].name


def test_what_cures_itself_at_the_second_look_is_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(monkeypatch, [*moments("secret-missing"), *moments("at-once")])
    assert lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000).rolled_out
    assert replay.asked[:2] == [False, True]


def test_when_the_time_is_over_the_likeliest_cause_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(monkeypatch, moments("probe-port-wrong"))
    with pytest.raises(lib.NotReady) as caught:
        lib.wait_until_ready(NOBODY, NOBODY, TARGET, 0.1)
    assert caught.value.cause == "probe-fails"
    assert replay.asked == [False, True]


def test_ready_at_the_very_last_look_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    Replay(monkeypatch, [moments("slow")[0], moments("at-once")[-1]])
    assert lib.is_ready(lib.wait_until_ready(NOBODY, NOBODY, TARGET, 0.1))


def test_progress_says_what_is_missing_and_each_thing_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "progress"))
    first, *_others, last = moments("slowly")
    Replay(monkeypatch, [first, first, first, last])
    lib.wait_until_ready(NOBODY, NOBODY, TARGET, 1000)
    assert (tmp_path / "progress").read_text().splitlines() == [missing(first)]


def test_ready_is_rolled_out_and_counting_and_answering() -> None:
    seen = moments("at-once")[-1]
    (pod,) = seen.ready_pods
    assert lib.is_ready(seen)
    seen.coverage = {pod["metadata"]["name"]: ["covcounters.x"], "another": ["covmeta.x"]}
    assert not lib.is_ready(seen)
    seen.coverage_watched = False
    assert lib.is_ready(seen)
    seen.url = "http://127.0.0.1:1"
    assert not lib.is_ready(seen)
    seen.url_ready = True
    assert lib.is_ready(seen)


def test_no_secret_is_in_the_message_or_its_evidence() -> None:
    verdict = Verdict("crash", "It ends: bad password=hush", ["postgres://u:hush@db/x refused"], "Mend it.", "x")
    error = lib.NotReady(verdict, moments("slow")[0])
    assert "hush" not in json.dumps(error.result())
    assert error.evidence == [f"postgres://u:{BLANK}@db/x refused"]


def test_evidence_is_written_whole_and_can_be_replayed(tmp_path: Path) -> None:
    seen = moments("secret-missing")[0]
    path = Path(lib.save_evidence(seen, str(tmp_path / "new" / "evidence")))
    assert path.name == lib.EVIDENCE_FILE
    assert Observation(**json.loads(path.read_text())) == seen
    assert [item.name for item in path.parent.iterdir()] == [lib.EVIDENCE_FILE]


@pytest.mark.parametrize(
    ("name", "restarts"), [("at-once", [0]), ("after-one-restart", [1]), ("three-replicas", [0] * 3)]
)
def test_the_lives_of_ready_pods(name: str, restarts: list[int]) -> None:
    seen = moments(name)[-1]
    lives = lib.pod_lives(seen)
    assert [life["restarts"] for life in lives] == restarts
    assert all(life["ready"] and life["uid"] and life["node"] == "units-rec-worker" for life in lives)
    assert sorted(life["pod"] for life in lives) == sorted(seen.coverage)


def test_restarts_are_those_of_the_instrumented_container() -> None:
    seen = moments("after-one-restart")[-1]
    seen.container = "another"
    assert [life["restarts"] for life in lib.pod_lives(seen)] == [0]


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ({"matchLabels": {"app": "x"}}, "app=x"),
        ({"matchLabels": {"a": "1", "b/c": "2"}}, "a=1,b/c=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
        (
            {
                "matchLabels": {"app": "x"},
                "matchExpressions": [{"key": "a", "operator": "DoesNotExist", "values": None}],
            },
            "app=x,!a",
        ),
    ],
)
def test_selectors_as_queries_take_them(selector: dict[str, t.Any], wanted: str) -> None:
    assert lib.pod_selector({"spec": {"selector": selector}}) == wanted


def test_the_path_of_a_workload() -> None:
    assert TARGET.path == "/apis/apps/v1/namespaces/demo/deployments/program"
    assert lib.Target("StatefulSet", "a", "b").path == "/apis/apps/v1/namespaces/a/statefulsets/b"


# addresses


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status in the path; C(/slow) too late, C(/noise) with what is not HTTP."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1)
        if self.path == "/noise":
            self.wfile.write(b"SSH-2.0-noise\r\n")
            return
        self.send_response(int(self.path.strip("/")) if self.path.strip("/").isdigit() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "ready", "says"),
    [
        ("/200", True, "200"),
        ("/204", True, "204"),
        ("/404", False, "status 404"),
        ("/503", False, "status 503"),
        ("/noise", False, "SSH-2.0-noise"),
        ("/slow", False, "timed out"),
    ],
)
def test_an_address_is_ready_when_it_answers_well(
    address: str, path: str, ready: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lib, "URL_TIMEOUT", 0.3)
    # the service is on this host: no proxy is for it
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    answered, answer = lib.ask(f"{address}{path}")
    assert answered is ready
    assert says in answer


def test_an_address_where_nobody_listens_says_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ready, answer = lib.ask(f"http://127.0.0.1:{probe.getsockname()[1]}/")
    assert not ready
    assert "refused" in answer


# nodes


def fake_podman(folder: Path, script: str) -> Podman:
    """A podman that does on this host what it is to do on a node."""
    path = folder / "podman"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Podman(str(path))


def test_the_files_of_every_pod_on_every_node_are_listed(tmp_path: Path) -> None:
    for name in ("one/pod-a/covmeta.1", "one/pod-a/covcounters.1.1.1", "two/pod-b/covmeta.1", "two/stray", "two/x/y/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    # podman exec NODE find FOLDER ...: each node has its own folder
    podman = fake_podman(tmp_path, f'shift; cd {tmp_path}/"$1" || exit 125; shift; exec "$@"')
    found = lib.list_coverage(podman, ["one", "two"], ".")
    assert found == {"pod-a": ["covcounters.1.1.1", "covmeta.1"], "pod-b": ["covmeta.1"]}
    # a folder that is not there yet has no files
    assert lib.list_coverage(podman, ["one"], "not-yet") == {}
    with pytest.raises(lib.CoverageError, match=re.escape("list . on node three")):
        lib.list_coverage(podman, ["three"], ".")
