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

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Dependency

ADDRESS = r"(?P<host>\[[0-9a-fA-F:.%]+\]|[\w.-]+):(?P<port>\d{1,5})"
FORMS: tuple[tuple[str, str], ...] = (
    (
        "name",
        r"lookup (?P<host>[\w.-]+)(?: on \S+)?: (?:no such host|server misbehaving|.*[Nn]ame or service not known)",
    ),
    ("name", r"lookup (?P<host>[\w.-]+)(?: on \S+)?: Temporary failure in name resolution"),
    ("name", r'could not translate host name "(?P<host>[\w.-]+)" to address'),
    ("name", r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<host>[\w.-]+)"),
    ("auth", r"SQLSTATE 28P01|SQLSTATE 28000|password authentication failed for user|SQLSTATE=28P01"),
    ("auth", r"\b(?:WRONGPASS|NOAUTH)\b|ERR AUTH <password> called|ERR invalid password"),
    (
        "auth",
        r"Error 1045 \(28000\)|Access denied for user '|\(AuthenticationFailed\)|username or password not allowed",
    ),
    ("schema", r"SQLSTATE (?:42P01|3D000|42703|3F000)|(?:relation|database|schema) \"[^\"]+\" does not exist"),
    ("schema", r"Error 1049 \(42000\)|Error 1146 \(42S02\)|Unknown database '"),
    ("tls", r"x509: |tls: failed to verify certificate|tls: handshake failure|remote error: tls:"),
    (
        "refused",
        rf"(?:dial tcp4?6? |connect to |connect: |ECONNREFUSED ){ADDRESS}(?:: connect)?(?:: connection refused|$|\s)",
    ),
    ("refused", r'connection to server at "(?P<host>[\w.-]+)".*port (?P<port>\d+) failed: Connection refused'),
    (
        "silent",
        rf"dial tcp4?6? {ADDRESS}: (?:i/o timeout|connect: (?:connection timed out|no route to host|network is"
        r" unreachable)|operation was canceled|context deadline exceeded)",
    ),
)
COMPILED = tuple((form, re.compile(pattern)) for form, pattern in FORMS)
# who was asked, where the error itself names only an address, or nobody
URL = re.compile(r"\b[a-z][a-z0-9+]*://(?:[^\s/@\"']*@)?(?P<host>[A-Za-z][\w.-]*)(?::(?P<port>\d{1,5}))?")
PGX = re.compile(r"(?P<address>[\d.]+):(?P<port>\d{1,5}) \((?P<host>[A-Za-z][\w.-]*)\)")
WORDS_HOST = re.compile(r"\bhost=(?P<host>[\w.-]+)")
DIALLED = re.compile(rf"dial tcp4?6? {ADDRESS}")


def contacts(lines: t.Sequence[str]) -> list[Dependency]:
    """Return what the lines of a log say could not be used, the last line first, each once."""
    found: dict[tuple[str, str, int], Dependency] = {}
    for line in reversed(lines):
        for form, pattern in COMPILED:
            match = pattern.search(line)
            if match:
                host, port = _asked(line, match)
                found.setdefault((form, host, port), Dependency(host=host, port=port, form=form, line=line.strip()))
                break
    return list(found.values())


def _asked(line: str, match: re.Match[str]) -> tuple[str, int]:
    groups = match.groupdict()
    host, port = groups.get("host") or "", int(groups.get("port") or 0)
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
