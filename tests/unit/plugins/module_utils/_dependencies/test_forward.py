# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that leads nowhere says why. Molecule sends real queries through one that leads to a database."""

from __future__ import annotations

import socket
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import forward as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import KubernetesError


class Away:
    """A cluster whose API server does not answer."""

    def stream_client(self) -> t.Any:
        raise KubernetesError("The API server does not answer.")


def test_a_connection_that_cannot_be_made_is_closed_and_the_reason_kept() -> None:
    with lib.Forward(t.cast("t.Any", Away()), "demo", lambda: "pod", 5432) as forward:
        with socket.create_connection(("127.0.0.1", forward.port), timeout=10) as connection:
            assert connection.recv(1) == b""
        assert forward.said == "The API server does not answer."
        port = forward.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
