# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a host port: real sockets of this process, and podman's records as podman 4.3 prints them."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host import ports as lib

ANY = "0.0.0.0"  # noqa: S104


@pytest.fixture(params=["tcp", "udp"])
def busy(request: pytest.FixtureRequest) -> t.Iterator[lib.HostPort]:
    """A port that this very process has."""
    with socket.socket(socket.AF_INET, lib.SOCKET_TYPES[request.param]) as server:
        server.bind(("127.0.0.1", 0))
        if request.param == "tcp":
            server.listen()
        yield lib.HostPort("127.0.0.1", server.getsockname()[1], request.param)


def free_port(protocol: str = "tcp") -> lib.HostPort:
    with socket.socket(socket.AF_INET, lib.SOCKET_TYPES[protocol]) as probe:
        probe.bind(("127.0.0.1", 0))
        return lib.HostPort("127.0.0.1", probe.getsockname()[1], protocol)


NODE = {
    "Names": ["demo-control-plane"],
    "Labels": {"io.x-k8s.kind.cluster": "demo"},
    "State": "running",
    "Ports": [
        {"host_ip": "127.0.0.1", "container_port": 30080, "host_port": 38070, "range": 2, "protocol": "tcp"},
        {"host_ip": "", "container_port": 53, "host_port": 5353, "range": 1, "protocol": "tcp,udp"},
    ],
}


def test_the_holder_of_a_busy_port_is_this_process(busy: lib.HostPort) -> None:
    with pytest.raises(lib.PortError) as caught:
        lib.require_free([busy], [], remedy="choose another", setting="some_setting")
    comm = Path("/proc/self/comm").read_text().strip()
    assert caught.value.message == f"Host port {busy} is taken by process {comm} (pid {os.getpid()})."
    assert caught.value.remedy == f"Stop process {os.getpid()}, or choose another."
    assert (caught.value.cause, caught.value.setting) == ("port-taken", "some_setting")


def test_a_wildcard_clashes_with_what_is_bound_at_one_address(busy: lib.HostPort) -> None:
    holder = lib.process_holder(lib.HostPort(ANY, busy.port, busy.protocol))
    assert holder is not None
    assert f"(pid {os.getpid()})" in holder.text


def test_free_ports_pass() -> None:
    free = [free_port("tcp"), free_port("udp")]
    assert [lib.process_holder(port) for port in free] == [None, None]
    lib.require_free(free, [NODE])


@pytest.fixture
def outgoing() -> t.Iterator[socket.socket]:
    """A connection to a server here; the port at its own end is one that the kernel gave it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        # its end leaves nothing behind: no TIME_WAIT of a minute
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield connection


def test_a_port_of_an_outgoing_connection_is_waited_for(outgoing: socket.socket) -> None:
    wanted = lib.HostPort(*outgoing.getsockname())
    assert lib.bind_error(wanted) == errno.EADDRINUSE
    threading.Timer(0.7, outgoing.close).start()
    lib.require_free([wanted], [])
    assert lib.bind_error(wanted) is None


def test_an_outgoing_connection_that_stays_is_said(outgoing: socket.socket) -> None:
    wanted = lib.HostPort(*outgoing.getsockname())
    with pytest.raises(lib.PortError, match="an outgoing connection of this host") as caught:
        lib.require_free([wanted], [], remedy="choose another host_port", patience=0.2)
    assert "net.ipv4.ip_local_reserved_ports" in caught.value.remedy
    assert "choose another host_port" in caught.value.remedy


def test_a_port_is_free_for_the_other_protocol(busy: lib.HostPort) -> None:
    other = lib.HostPort(busy.address, busy.port, "udp" if busy.protocol == "tcp" else "tcp")
    assert lib.process_holder(other) is None


def test_an_address_of_another_host() -> None:
    with pytest.raises(InputError, match=r"192\.0\.2\.1 is not an address of this host"):
        lib.require_free([lib.HostPort("192.0.2.1", 18080)], [])


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (lib.HostPort("127.0.0.1", 38070), True),
        (lib.HostPort(ANY, 38071), True),
        (lib.HostPort("127.0.0.1", 38072), False),
        (lib.HostPort("127.0.0.2", 38070), False),
        (lib.HostPort("127.0.0.1", 38070, "udp"), False),
        (lib.HostPort("127.0.0.1", 5353, "udp"), True),
    ],
)
def test_ports_of_a_cluster(wanted: lib.HostPort, taken: bool) -> None:
    holder = lib.container_holder(wanted, [NODE])
    assert (holder is not None) is taken
    if holder:
        assert holder.text == 'node demo-control-plane of kind cluster "demo"'
        assert holder.remedy == 'Delete cluster "demo"'


def test_ports_of_a_plain_container_and_of_a_stopped_one() -> None:
    plain: dict[str, t.Any] = {**NODE, "Names": ["registry"], "Labels": None}
    holder = lib.container_holder(lib.HostPort("127.0.0.1", 38070), [plain])
    assert holder == lib.Holder('podman container "registry"', 'Stop container "registry"')
    assert lib.container_holder(lib.HostPort("127.0.0.1", 38070), [{**plain, "State": "exited"}]) is None
    assert lib.container_holder(lib.HostPort("127.0.0.1", 38070), [{**plain, "Ports": None}]) is None


@pytest.mark.parametrize(
    ("one", "two", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        (ANY, "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        (ANY, "::1", False),
        ("::", "::1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_overlap_is_mutual(one: str, two: str, clash: bool) -> None:
    a, b = lib.HostPort(one, 80), lib.HostPort(two, 80)
    assert a.overlaps(b) is clash
    assert b.overlaps(a) is clash
    assert not a.overlaps(lib.HostPort(two, 81))


@pytest.mark.skipif(__import__("sys").byteorder != "little", reason="the kernel prints words in its own byte order")
@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", ANY),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
        ("B80D0120000000000000000001000000", "2001:db8::1"),
    ],
)
def test_addresses_of_the_kernel(text: str, address: str) -> None:
    assert lib.decode_address(text) == address


def test_notation() -> None:
    assert str(lib.HostPort("::1", 80)) == "[::1]:80/tcp"
