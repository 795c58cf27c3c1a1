# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a program's log says it could not reach: the forms of Go's net package and of the usual clients.

The forms are those of net.OpError and net.DNSError, of PostgreSQL (appendix A of its manual, SQLSTATE), of Redis (its
error codes) and of what the most usual clients make of them.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.logs import entries
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Dependency

ADDRESS = r"(?P<host>\[[0-9a-fA-F:.%]+\]|[\w.-]+):(?P<port>\d{1,5})"
FORMS: tuple[tuple[str, str], ...] = (
    (
        "name",
        r"lookup (?P<host>[\w.-]+)(?: on \S+)?: (?:no such host|server misbehaving|.*[Nn]ame or service not known)",
    ),
    ("name", r"lookup (?P<host>[\w.-]+)(?: on \S+)?: (?:Temporary failure in name resolution|i/o timeout)"),
    ("name", r"lookup (?P<host>[\w.-]+)(?: on \S+)?: (?:read|dial) udp .*"),
    ("name", r'could not translate host name "(?P<host>[\w.-]+)" to address'),
    ("name", r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<host>[\w.-]+)|UnknownHostException: (?P<java>[\w.-]+)"),
    ("name", r"dns: A record lookup error|produced zero addresses"),
    # before the rest: they are about a connection that was made
    ("denied", r"SQLSTATE 42501|\(42501\)|permission denied for (?:schema|table|database|relation|sequence|function)"),
    ("denied", r"must be owner of (?:schema|table|database|relation)|permission denied to create"),
    ("denied", r"\bNOPERM\b|\bDENIED Redis|Error 104[24] |Error 1142 |Error 1227 |\(Unauthorized\) |not authorized on"),
    ("denied", r"ACCESS_REFUSED - access|no access to this vhost|(?:Topic|Group|Cluster) Authorization Failed"),
    ("denied", r"not authorized to access (?:this )?(?:topic|group|cluster)|code = PermissionDenied|AccessDenied"),
    ("auth", r"SQLSTATE 28P01|SQLSTATE 28000|password authentication failed for user|SQLSTATE=28P01"),
    ("auth", r"no pg_hba\.conf entry for|role \"[^\"]+\" does not exist|\(28P01\)|\(28000\)"),
    ("auth", r"\b(?:WRONGPASS|NOAUTH)\b|ERR AUTH <password> called|ERR invalid password"),
    (
        "auth",
        r"Error 1045 \(28000\)|Access denied for user '|\(AuthenticationFailed\)|username or password not allowed",
    ),
    (
        "auth",
        r"code = Unauthenticated|SASL Authentication [Ff]ailed|nats: Authorization Violation|unable to authenticate",
    ),
    ("auth", r"SASL authentication failed|InvalidClientTokenId|SignatureDoesNotMatch|InvalidAccessKeyId"),
    (
        "auth",
        r"(?:unexpected|bad|got|returned)? ?(?:status|response)(?: code)?:? (?:401|403)\b|\b401 Unauthorized"
        r"|^Unauthorized$",
    ),
    (
        "schema",
        r"SQLSTATE (?:42P01|3D000|42703|3F000|0A000|42883|42704)|"
        r"(?:relation|database|schema|column|extension|function|type) \"[^\"]+\" (?:does not exist|is not available)",
    ),
    ("schema", r"Error 1049 \(42000\)|Error 1146 \(42S02\)|Unknown database '|no such (?:table|column): "),
    ("schema", r"[Dd]irty database version|pending migration|migration \S+ (?:is )?(?:pending|missing|not applied)"),
    ("exhausted", r"SQLSTATE 53300|too many clients already|remaining connection slots|too many connections for role"),
    (
        "exhausted",
        r"ERR max number of clients reached|Error 1040|Too many connections|OOM command not allowed|SQLSTATE 53100",
    ),
    ("exhausted", r"code = ResourceExhausted"),
    ("read-only", r"READONLY You can't write|SQLSTATE 25006|cannot execute \w+ in a read-only transaction"),
    ("conflict", r"SQLSTATE 42P07|relation \"[^\"]+\" already exists|PRECONDITION_FAILED|SQLSTATE 23505"),
    (
        "absent",
        r"NOT_FOUND - no (?:queue|exchange)|Unknown Topic Or Partition|[Tt]opic or partition that does not exist"
        r"|code = Unimplemented",
    ),
    ("absent", r"stream not found|NoSuchBucket|NoSuchKey|bucket does not exist|jetstream not enabled"),
    (
        "starting",
        r"SQLSTATE 57P03|the database system is (?:starting up|shutting down|not yet accepting)|\bLOADING Redis",
    ),
    (
        "plain",
        r"SSL is not enabled on the server|server refused TLS connection"
        r"|first record does not look like a TLS handshake",
    ),
    ("plain", r"server gave HTTP response to HTTPS client|tls: unsupported SSLv2|SSL routines.*wrong version number"),
    ("plain", r"Client sent an HTTP request to an HTTPS server|malformed HTTP response \"\\x15\\x03"),
    (
        "tls",
        r"x509: (?!malformed|unsupported)|tls: failed to verify certificate|tls: handshake failure|remote error: tls:",
    ),
    (
        "refused",
        rf"(?:dial tcp4?6? |connect to |connect: |ECONNREFUSED |connecting to ){ADDRESS}"
        r"(?:: connect)?(?:: connection refused|$|\s)",
    ),
    ("refused", r'connection to server at "(?P<host>[\w.-]+)".*port (?P<port>\d+) failed: Connection refused'),
    ("refused", r"client has run out of available brokers|nats: no servers available for connection"),
    (
        "silent",
        rf"dial tcp4?6? {ADDRESS}: (?:i/o timeout|connect: (?:connection timed out|no route to host|network is"
        r" unreachable)|operation was canceled|context deadline exceeded)",
    ),
    ("silent", r"(?:Get|Post|Put|Head|Delete|Patch) \"[^\"]+\": (?:context deadline exceeded|net/http: .*timeout)"),
    ("silent", r"code = DeadlineExceeded|Client\.Timeout exceeded while awaiting|net/http: TLS handshake timeout"),
    (
        "protocol",
        r"malformed HTTP (?:response|status code|version)|error reading server preface|unexpected HTTP status code",
    ),
    ("protocol", r"(?:Get|Post|Put|Head|Delete|Patch) \"[^\"]+\": (?:EOF|unexpected EOF)|connection reset by peer"),
    ("status", r"(?:unexpected|bad|got|returned) (?:HTTP )?(?:status|response)(?: code)?:? (?P<status>[345]\d\d)\b"),
)
COMPILED = tuple((form, re.compile(pattern)) for form, pattern in FORMS)
# who was asked, where the error itself names only an address, or nobody
URL = re.compile(r"\b[a-z][a-z0-9+]*://(?:[^\s/@\"']*@)?(?P<host>[A-Za-z][\w.-]*)(?::(?P<port>\d{1,5}))?")
PGX = re.compile(r"(?P<address>[\d.]+):(?P<port>\d{1,5}) \((?P<host>[A-Za-z][\w.-]*)\)")
WORDS_HOST = re.compile(r"\bhost=(?P<host>[\w.-]+)")
DIALLED = re.compile(rf"dial tcp4?6? {ADDRESS}")


def contact(text: str) -> t.Optional[Dependency]:
    """Return what an entry of a log says could not be used, None where it says nothing of that."""
    for form, pattern in COMPILED:
        match = pattern.search(text)
        if match:
            host, port = _asked(text, match)
            return Dependency(host=host, port=port, form=form, line=text)
    return None


def contacts(lines: t.Sequence[str]) -> list[Dependency]:
    """Return what the lines of a log say could not be used, the last one first, each once.

    What a program says it does without comes last.
    """
    found: dict[tuple[str, str, int], Dependency] = {}
    said = entries(lines)
    for entry in sorted(reversed(said), key=lambda item: item.is_excused):
        item = contact(entry.text)
        if item is not None:
            found.setdefault((item.form, item.host, item.port), item)
    return list(found.values())


def _asked(line: str, match: re.Match[str]) -> tuple[str, int]:
    groups = match.groupdict()
    host, port = groups.get("host") or groups.get("java") or "", int(groups.get("port") or 0)
    dialled = DIALLED.search(line)
    if dialled and not host:
        host, port = dialled["host"], int(dialled["port"])
    by_pgx = PGX.search(line)
    if by_pgx:
        return by_pgx["host"], int(by_pgx["port"])
    # a name says more than the address that it led to
    if not host or not re.search("[A-Za-z]", host):
        for pattern in (URL, WORDS_HOST):
            named = pattern.search(line)
            if named:
                return named["host"], port or int(named.groupdict().get("port") or 0)
    return host, port
