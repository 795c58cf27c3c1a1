# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is wrong with the port mappings of a cluster, in the form of kind_cluster's option C(port_mappings)."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import HostPort

PORT_LIMIT = 65535


def mapping_problems(mappings: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """Yield each problem as C([index].key: sentence): no port, no IP address, a host port that is mapped twice.

    :arg mappings: each with C(container_port), C(host_port), C(listen_address) and C(protocol).
    """
    ports: list[HostPort] = []
    for index, mapping in enumerate(mappings):
        for key in ("container_port", "host_port"):
            if not 1 <= mapping[key] <= PORT_LIMIT:
                yield f"[{index}].{key}: {mapping[key]} is not a port (1 to {PORT_LIMIT})."
        port = HostPort(mapping["listen_address"], mapping["host_port"], mapping["protocol"])
        try:
            # a port overlaps itself, unless its address is none
            first = [other.overlaps(port) for other in (*ports, port)].index(True)
        except ValueError:
            yield f"[{index}].listen_address: {port.address!r} is not an IP address."
            continue
        ports.append(port)
        if first != index:
            yield f"[{index}].host_port: {port} cannot be mapped too: [{first}] is {ports[first]}."
