# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in containers: the official client against a server that speaks Kubernetes' remote command protocol.

Molecule's scenario service_dependencies runs real programs in real pods.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import struct
import threading
import typing as t
import urllib.parse

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import exec as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, KubernetesError

# as the kubelet sends them
SUCCESS = {"metadata": {}, "status": "Success"}
EXIT_3 = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: exit status 3",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}
NO_PROGRAM = {
    "metadata": {},
    "status": "Failure",
    "message": 'Internal error occurred: exec: "psql": executable file not found in $PATH',
    "reason": "InternalError",
    "code": 500,
}


class Kubelet(http.server.BaseHTTPRequestHandler):
    """Runs no program: says what C(server.script) has, channel by channel, and keeps what it was told."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = t.cast("Server", self.server)
        asked = urllib.parse.parse_qs(self.path.partition("?")[2])
        server.asked = asked
        if server.refuse:
            self.send_error(server.refuse)
            return
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        accepted = hashlib.sha1(key.encode(), usedforsecurity=False).digest()
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accepted).decode())
        self.end_headers()
        if "true" in asked.get("stdin", []):
            while not server.told.endswith("\\q\n"):
                server.told += self._read_frame()[1:].decode()
        for channel, text in server.script:
            self._send_frame(2, bytes([channel]) + text.encode())
        if server.hold:
            server.held.wait(120)
        self._send_frame(8, b"")
        self.close_connection = True

    def _send_frame(self, kind: int, data: bytes) -> None:
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
        self.wfile.write(bytes([0x80 | kind]) + size + data)

    def _read_frame(self) -> bytes:
        size = self.rfile.read(2)[1] & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.rfile.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.rfile.read(8))[0]
        mask = self.rfile.read(4)
        return bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(size)))

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Kubelet)
        self.script: list[tuple[int, str]] = []
        self.asked: dict[str, list[str]] = {}
        self.told = ""
        self.refuse = 0
        self.hold = False
        self.held = threading.Event()


@pytest.fixture
def server() -> t.Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.held.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return Cluster(Access.of({"host": f"http://127.0.0.1:{server.server_port}", "api_key": "token"}, {}))


def execute(cluster: Cluster, **options: t.Any) -> lib.Executed:
    return lib.execute(cluster, "demo", "db-0", "postgresql", ["psql", "--version"], **options)


def test_what_a_program_says_comes_apart(cluster: Cluster, server: Server) -> None:
    server.script = [(1, "one\n"), (2, "oops\n"), (1, "two\n"), (3, json.dumps(SUCCESS))]
    assert execute(cluster) == lib.Executed(0, "one\ntwo\n", "oops\n")
    assert server.asked["command"] == ["psql", "--version"]
    assert server.asked["container"] == ["postgresql"]


def test_a_long_text_reaches_the_program_whole(cluster: Cluster, server: Server) -> None:
    text = "INSERT INTO a VALUES ('ä');\n" * 5000 + "\\q\n"
    server.script = [(3, json.dumps(SUCCESS))]
    assert execute(cluster, stdin=text).returncode == 0
    assert server.told == text


def test_an_exit_code_is_the_programs(cluster: Cluster, server: Server) -> None:
    server.script = [(2, "psql:<stdin>:4: ERROR:  no\n"), (3, json.dumps(EXIT_3))]
    done = execute(cluster)
    assert (done.returncode, done.stderr) == (3, "psql:<stdin>:4: ERROR:  no\n")


def test_a_program_that_is_not_there_is_an_error_of_ours(cluster: Cluster, server: Server) -> None:
    server.script = [(3, json.dumps(NO_PROGRAM))]
    with pytest.raises(KubernetesError, match=r"Could not run psql in pod demo/db-0: .* not found"):
        execute(cluster)


def test_a_connection_that_ends_first_is_an_error(cluster: Cluster, server: Server) -> None:
    server.script = [(1, "half")]
    with pytest.raises(KubernetesError, match="the connection ended before the program did"):
        execute(cluster)


def test_a_program_that_does_not_end_is_given_up(cluster: Cluster, server: Server) -> None:
    server.script, server.hold = [(1, "still here\n")], True
    with pytest.raises(KubernetesError, match=r"no end after 0\.3 s") as caught:
        execute(cluster, timeout=0.3)
    assert caught.value.cause == "command-timeout"


def test_a_refusal_is_an_error_of_ours(cluster: Cluster, server: Server) -> None:
    server.refuse = 404
    with pytest.raises(KubernetesError, match="Could not run psql in pod demo/db-0"):
        execute(cluster)


def test_a_server_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(KubernetesError, match="Could not run psql"):
        execute(Cluster(Access.of({"host": "http://127.0.0.1:1", "api_key": "token"}, {})))


def test_nothing_is_run_as_somebody_else_than_was_asked_for(server: Server) -> None:
    options = {"host": f"http://127.0.0.1:{server.server_port}", "api_key": "token", "impersonate_user": "u"}
    with pytest.raises(InputError, match="not available when impersonating") as caught:
        execute(Cluster(Access.of(options, {})))
    assert caught.value.cause == "impersonation-unsupported"
