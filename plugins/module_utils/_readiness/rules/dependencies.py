# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes in what a program needs: the one that is named is the dependency that is really down.

A program's log is the only place where it says what it could not reach. The forms are those of Go's net package
(net.OpError, net.DNSError), of PostgreSQL (appendix A of its manual, SQLSTATE), of Redis (its error codes) and of what
the most usual clients make of them. What they name is then looked up among the Services: see C(look).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Dependency,
    Object,
    Observation,
    condition,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.verdict import (
    MANIFEST,
    SETTLING,
    Verdict,
    log_lines,
    name_of,
    plural,
    short,
    terminated,
)

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
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
FORM_WORDS = {
    "refused": "refuses the connection",
    "silent": "does not answer",
    "mentioned": "has no ready endpoint",
}


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


def of_container(seen: Observation, pod: str, container: str) -> list[Dependency]:
    """The dependencies that this container asked for, as far as they were looked up; the last asked first."""
    if not seen.full:
        return contacts(log_lines(seen, pod, container)[-20:])
    return [
        item
        for item in seen.dependencies
        if item.pod == pod and item.container == container and item.form != "mentioned"
    ]


def dependency_verdict(seen: Observation, item: Dependency, what: str, ended: str = "") -> tuple[Verdict, bool]:
    """Return the verdict over a dependency, and whether waiting cannot cure it.

    :arg what: who asked, to begin the sentence with. :arg ended: when the program that asked ended, empty: it runs.
    """
    shown = f"{item.host}:{item.port}" if item.port else item.host
    evidence = [item.line] if item.line else []
    if item.form == "name":
        there = f"; the nearest Service is {item.near[0]}" if item.near else ""
        if item.service is not None:
            # it is there now; the next start will find it
            return _plain(
                f"{what} could not resolve {item.host} at first.", evidence, "", cause="dependency-name"
            ), False
        sentence = f"{what} needs {item.host}, a name that does not resolve{there}."
        remedy = "Correct the name (SERVICE.NAMESPACE from another namespace), or create the Service."
        return _plain(sentence, evidence, remedy, cause="dependency-name"), True
    where = _where(item, shown)
    if item.form == "auth":
        remedy = (
            "Give program and dependency the same password: compare the Secrets of both; a database keeps the first."
        )
        return _plain(
            f"{what} is refused by {where}: {short(item.line)}", evidence, remedy, cause="dependency-auth"
        ), True
    if item.form == "schema":
        remedy = "Run the migrations, or create the database, before the program starts."
        return _plain(
            f"{where} lacks what {what} needs: {short(item.line)}", evidence, remedy, cause="dependency-schema"
        ), True
    if item.form == "tls":
        remedy = "Give the program the certificate authority, or the dependency a certificate for that name."
        return _plain(
            f"{what} does not trust {where}: {short(item.line)}", evidence, remedy, cause="dependency-tls"
        ), True
    return _down(seen, item, what, where, ended, evidence)


def _where(item: Dependency, shown: str) -> str:
    if item.service is not None:
        metadata = item.service["metadata"]
        return f"Service {metadata.get('namespace')}/{metadata['name']}"
    return shown or "what it needs"


def _plain(sentence: str, evidence: list[str], remedy: str, *, cause: str) -> Verdict:
    return Verdict(cause=cause, sentence=sentence, evidence=evidence, remedy=remedy, setting=MANIFEST)


def _down(
    seen: Observation, item: Dependency, what: str, where: str, ended: str, evidence: list[str]
) -> tuple[Verdict, bool]:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine as rules

    words = FORM_WORDS[item.form]
    cause = "dependency-down"
    if item.host in LOOPBACK:
        sentence = f"{what} needs {item.host}:{item.port}, where nothing listens: inside a pod that is the pod itself."
        return _plain(
            sentence, evidence, "Name the Service of the dependency in place of localhost.", cause=cause
        ), True
    if item.service is None:
        sentence = f"{what} needs {where}, which {words}."
        return _plain(
            sentence, evidence, "See that it runs, and that address and port are right.", cause=cause
        ), not item.inside
    if item.ready:
        return _ready_but(item, what, where, words, ended, evidence)
    start = f"{what} needs {where}, which has no ready endpoint"
    for behind in item.workloads:
        inner = rules.terminal_verdict(behind)
        if inner is not None:
            sentence = f"{start}: {inner.sentence}"
            also = [{"cause": inner.cause, "sentence": inner.sentence}, *inner.also]
            found = _plain(sentence, [*evidence, *inner.evidence], inner.remedy, cause=cause)
            return dataclasses.replace(found, also=also), True
        evidence = [*evidence, f"{name_of(behind)}: {rules.missing(behind)}"]
        remedy = "See why the dependency is not ready; deploy it and wait for it first."
        return _plain(f"{start}: {name_of(behind)}: {rules.missing(behind)}.", evidence, remedy, cause=cause), False
    selector = (item.service.get("spec") or {}).get("selector") or {}
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    sentence = f"{start}: no pod and no workload has the labels that it selects ({wanted})."
    return _plain(sentence, evidence, "Deploy the dependency, or correct the Service's selector.", cause=cause), True


def _ready_but(
    item: Dependency, what: str, where: str, words: str, ended: str, evidence: list[str]
) -> tuple[Verdict, bool]:
    cause, service = "dependency-down", t.cast(Object, item.service)
    ports = [int(port["port"]) for port in (service.get("spec") or {}).get("ports") or []]
    if item.port and ports and item.port not in ports:
        serves = ", ".join(map(str, ports))
        sentence = f"{what} asks {where} at port {item.port}, which it does not serve; it serves {serves}."
        return _plain(sentence, evidence, "Correct the port.", cause=cause), True
    # it became ready after the program had given up: the next start will find it
    late = not ended or not item.ready_since or moment(item.ready_since) >= moment(ended) - 1
    sentence = f"{what} needs {where}, which {words}, though {plural(item.ready, 'endpoint')} of it is ready."
    remedy = (
        "See that the pods listen at the Service's targetPort, on all addresses, and that no NetworkPolicy is between."
    )
    return _plain(sentence, evidence, remedy, cause=cause), not late


def dependency_broken(seen: Observation) -> t.Iterator[Verdict]:
    """A program runs, is not ready, and says that it cannot reach what will never come."""
    for verdict, terminal in _unmet(seen):
        if terminal:
            yield dataclasses.replace(verdict, to_confirm=True)


def dependency_not_there(seen: Observation) -> t.Iterator[Verdict]:
    """For when the time is over: what the program said it could not reach, or is configured to need."""
    for verdict, _terminal in _unmet(seen):
        yield verdict
    for item in seen.dependencies:
        if item.form == "mentioned" and item.service is not None and not item.ready:
            pod = next((pod for pod in seen.current_pods if pod["metadata"]["name"] == item.pod), None)
            if pod is not None and pod not in seen.ready_pods:
                verdict, _terminal = dependency_verdict(seen, item, f"{name_of(seen)} probably")
                yield dataclasses.replace(verdict, subject=item.container)


def _unmet(seen: Observation) -> t.Iterator[tuple[Verdict, bool]]:
    if not seen.full or seen.waited < SETTLING:
        return
    ready = {pod["metadata"]["name"] for pod in seen.ready_pods}
    for pod in seen.current_pods:
        name = pod["metadata"]["name"]
        if name in ready or condition(pod, "PodScheduled").get("status") == "False":
            continue
        for status in containers(pod):
            running = "running" in (status.get("state") or {})
            if status.get("ready") or not running or terminated(status) is not None:
                continue  # what ended is judged with its end
            for item in of_container(seen, name, status["name"]):
                if item.service is not None and item.ready and item.form in ("refused", "silent", "name"):
                    continue  # it came in the meantime
                verdict, terminal = dependency_verdict(seen, item, f"Container {status['name']} of pod {name}")
                # its probe fails for the same reason
                yield dataclasses.replace(verdict, subject=status["name"]), terminal
                break
