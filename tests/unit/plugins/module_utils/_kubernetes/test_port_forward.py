# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a port-forward leads; that it carries connections, the scenario e2e_tests sees on a real cluster."""

from __future__ import annotations

import socket
import threading
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import port_forward as lib

ENTRY = {"target": "service/web", "port": "http", "variable": "URL"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "web"}, "service/NAME"),
        ({"target": "deployment/web"}, "service/NAME"),
        ({"target": "service/"}, "service/NAME"),
        ({"local_port": 70000}, "70000 is not a port"),
        ({"variable": ""}, "variable"),
    ],
)
def test_an_entry_that_means_nothing_is_refused(change: dict[str, t.Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        lib.parse_target({**ENTRY, **change}, "space")
    assert caught.value.cause == "port-forward-invalid"


def test_a_namespace_is_needed() -> None:
    with pytest.raises(InputError, match="no namespace"):
        lib.parse_target(ENTRY, "")
    assert lib.parse_target(ENTRY, "space").namespace == "space"
    assert lib.parse_target({**ENTRY, "namespace": "own"}, "space").namespace == "own"


def slices(*ready: t.Optional[bool]) -> list[lib.Object]:
    endpoints = [
        {"conditions": {} if state is None else {"ready": state}, "targetRef": {"kind": "Pod", "name": f"web-{number}"}}
        for number, state in enumerate(ready)
    ]
    return [
        {"ports": [{"name": "metrics", "port": 9090}], "endpoints": endpoints},
        {"ports": [{"name": "http", "port": 8080}], "endpoints": endpoints},
    ]


@pytest.mark.parametrize(
    ("ready", "pod"), [((True,), "web-0"), ((False, True), "web-1"), ((None,), "web-0"), ((False,), None), ((), None)]
)
def test_the_first_ready_pod_is_taken(ready: tuple[t.Optional[bool], ...], pod: t.Optional[str]) -> None:
    assert lib.endpoint_of_slices(slices(*ready), "http") == ((pod, 8080) if pod else None)


def test_a_port_that_no_slice_has_leads_nowhere() -> None:
    assert lib.endpoint_of_slices(slices(True), "https") is None


def test_both_directions_are_carried_until_one_side_ends() -> None:
    client, here = socket.socketpair()
    there, server = socket.socketpair()
    carrying = threading.Thread(target=lib._carry, args=(here, there))
    carrying.start()
    client.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"
    server.close()
    assert client.recv(100) == b""
    client.close()
    carrying.join(timeout=120)
    assert not carrying.is_alive()
    here.close()
    there.close()
