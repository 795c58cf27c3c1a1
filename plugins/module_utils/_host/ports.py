# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Which host ports are busy, and by whom: asked before something is created, because afterwards nobody says."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import KIND_CLUSTER_LABEL

SOCKET_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
# include/net/tcp_states.h: a listening TCP socket, and the state that /proc/net/udp shows for a bound one
LISTENING = {"tcp": "0A", "udp": "07"}
# seconds; Linux keeps the address of a connection for 60 s after its end (TCP_TIMEWAIT_LEN, include/net/tcp.h)
PATIENCE = 65.0


class PortError(CoverageError):
    """A host port that is needed is not available."""

    cause = "port-taken"


@dataclass(frozen=True)
class HostPort:
    """A port of this host. C(address) is a numeric IPv4 or IPv6 address, C(protocol) is C(tcp) or C(udp)."""

    address: str
    port: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}/{self.protocol}"

    def overlaps(self, other: HostPort) -> bool:
        """Whether both cannot be bound at once: same port and protocol, same address or one of them a wildcard."""
        if (self.port, self.protocol) != (other.port, other.protocol):
            return False
        mine, theirs = ipaddress.ip_address(self.address), ipaddress.ip_address(other.address)
        if mine == theirs:
            return True
        # a wildcard of IPv6 takes IPv4 too, unless the socket says otherwise
        return any(one.is_unspecified and one.version >= two.version for one, two in ((mine, theirs), (theirs, mine)))


@dataclass(frozen=True)
class Holder:
    """Who has a port: the sentence's end C(text) ("process python3 (pid 12)") and how to get rid of it."""

    text: str
    remedy: str


# the kernel gives each connection that this host opens a port of its range, and the port can have no server meanwhile
OUTGOING = Holder(
    "an outgoing connection of this host, or a socket that this user cannot see",
    "Keep it free of outgoing connections (net.ipv4.ip_local_reserved_ports)",
)


def container_ports(container: t.Mapping[str, t.Any]) -> list[HostPort]:
    """Return the host ports in podman's record of a container (C(podman ps --format json))."""
    found = []
    for mapping in container.get("Ports") or []:
        for offset in range(mapping.get("range") or 1):
            for protocol in str(mapping.get("protocol") or "tcp").split(","):
                found.append(
                    HostPort(mapping.get("host_ip") or "0.0.0.0", mapping["host_port"] + offset, protocol)  # noqa: S104
                )
    return found


def container_holder(wanted: HostPort, containers: t.Iterable[t.Mapping[str, t.Any]]) -> t.Optional[Holder]:
    """Return the running container that publishes C(wanted), or None."""
    for container in containers:
        if container.get("State") != "running" or not any(wanted.overlaps(port) for port in container_ports(container)):
            continue
        name = (container.get("Names") or [container.get("Id", "?")])[0]
        cluster = (container.get("Labels") or {}).get(KIND_CLUSTER_LABEL)
        if cluster:
            return Holder(f'node {name} of kind cluster "{cluster}"', f'Delete cluster "{cluster}"')
        return Holder(f'podman container "{name}"', f'Stop container "{name}"')
    return None


def decode_address(text: str) -> str:
    """Turn the hexadecimal address of C(/proc/net/tcp) or C(tcp6) into the usual notation.

    The kernel prints each 32-bit word in the byte order of the machine.
    """
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(struct.pack("<I" if sys.byteorder == "little" else ">I", w) for w in words))
    return str(getattr(address, "ipv4_mapped", None) or address)


def listening_inode(table: str, wanted: HostPort) -> t.Optional[int]:
    """Return the inode of the socket that has C(wanted), from the text of C(/proc/net/{tcp,tcp6,udp,udp6})."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTENING[wanted.protocol]:
            continue
        address, _colon, port = fields[1].partition(":")
        if int(port, 16) == wanted.port and wanted.overlaps(
            HostPort(decode_address(address), wanted.port, wanted.protocol)
        ):
            return int(fields[9])
    return None


def process_of_inode(inode: int, proc: Path) -> t.Optional[tuple[int, str]]:
    """Return pid and command name of the process that has the socket open, as far as this user may look."""
    link = f"socket:[{inode}]"
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) == link:
                    return int(process.name), (process / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return None


def process_holder(wanted: HostPort, proc: Path = Path("/proc")) -> t.Optional[Holder]:
    """Return the process that listens on C(wanted), or None if nobody does."""
    for suffix in ("", "6"):
        try:
            table = (proc / "net" / f"{wanted.protocol}{suffix}").read_text(encoding="ascii")
        except OSError:
            continue  # no IPv6
        inode = listening_inode(table, wanted)
        if inode is None:
            continue
        process = process_of_inode(inode, proc)
        if process is None:
            return Holder("a process of another user", "Stop that process")
        return Holder(f"process {process[1]} (pid {process[0]})", f"Stop process {process[0]}")
    return None


def bind_error(wanted: HostPort) -> t.Optional[int]:
    """Try to bind C(wanted) for a moment; return the errno of the refusal, None if it is free."""
    family = socket.AF_INET6 if ":" in wanted.address else socket.AF_INET
    with socket.socket(family, SOCKET_TYPES[wanted.protocol]) as probe:
        if wanted.protocol == "tcp":
            # what remains of connections to an earlier server here does not hinder the next one
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((wanted.address, wanted.port))
        except OSError as error:
            return error.errno
    return None


def _lasting_error(wanted: HostPort, patience: float) -> t.Optional[int]:
    """Return the errno of C(bind_error) once it cannot be cured by waiting; None if the port is, or becomes, free."""
    refusal = None
    for waited in poll(0.5, timeout=patience):
        refusal = bind_error(wanted)
        if refusal != errno.EADDRINUSE or process_holder(wanted) is not None:
            break
        if not waited:
            report_progress(f"host port {wanted} is in use by an outgoing connection: waiting for its end")
    return refusal


def require_free(
    ports: t.Iterable[HostPort],
    containers: t.Sequence[t.Mapping[str, t.Any]],
    *,
    remedy: str = "",
    setting: str = "",
    patience: float = PATIENCE,
) -> None:
    """Raise if one of the ports cannot be bound, naming who has it.

    :arg containers: podman's records of the containers whose ports count as busy.
    :arg remedy: the other way out, as a phrase: "choose another host_port".
    :arg patience: seconds to wait for a port at which nobody listens: an outgoing connection has it, and ends.
    :raises PortError: a port is taken, or this user may not have it.
    :raises InputError: the address is not one of this host.
    """
    for wanted in ports:
        holder = container_holder(wanted, containers)
        if holder is None:
            refusal = _lasting_error(wanted, patience)
            if refusal is None:
                continue
            if refusal == errno.EADDRNOTAVAIL:
                raise InputError(
                    f"Host port {wanted} is not available: {wanted.address} is not an address of this host.",
                    setting=setting,
                )
            if refusal in (errno.EACCES, errno.EPERM):
                raise PortError(
                    f"Host port {wanted} is not available: this user may not bind port {wanted.port}.",
                    remedy="Choose a port above 1024.",
                    setting=setting,
                    cause="port-forbidden",
                )
            holder = process_holder(wanted)
            if holder is None and refusal != errno.EADDRINUSE:
                raise PortError(f"Host port {wanted} is not available: {os.strerror(refusal)}.", setting=setting)
            holder = holder or OUTGOING
        raise PortError(
            f"Host port {wanted} is taken by {holder.text}.",
            remedy=f"{holder.remedy}, or {remedy}." if remedy else f"{holder.remedy}.",
            setting=setting,
        )
