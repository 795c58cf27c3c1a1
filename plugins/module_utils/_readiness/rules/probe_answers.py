# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the answer to a probe means: the kubelet's words, what the ports of the pod say, and where its programs listen.

The kubelet's words are those of Kubernetes' pkg/probe (http, tcp, grpc, exec) with Go's net/http below.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contact
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Object, Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    declared_ports,
    log_end,
    path_of,
    port_of,
    probe_of,
    quoted,
    service_at,
    specification,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import manifest

# of Go's net/http: url.Error
REQUEST = re.compile(r'\bGet "(?P<url>[^"]+)": ')
STATUS = re.compile(r"statuscode: (\d{3})")
TIMEOUT_SIGNS = ("context deadline exceeded", "Client.Timeout", "i/o timeout", "timed out", "timeout:")
COMMAND_SIGNS = ("executable file not found", "no such file or directory", "exec format error")
SCHEME_SIGNS = ("server gave HTTP response to HTTPS client", "malformed HTTP response", "tls: ")
TLS_WANTED = "Client sent an HTTP request to an HTTPS server"
GRPC_FRAME = "\\x00\\x00"  # of HTTP/2, which a gRPC server begins with
LOOPBACK = ("127.0.0.1", "[::1]")
ABSENT = (404, 405, 410, 501)
# by the form of what a program says about a server that it needs
CAUSES_OF_FORMS = {"name": "dependency-name", "auth": "dependency-auth"}
# an answer that says no more than its status
EMPTY = re.compile(
    r"\W*(?:ok|up|down|not ?ready|unhealthy|unavailable|service unavailable|internal server error|error|"
    r"errors|fail|failed|failure|false|true|null|status|ready|healthy|\d+|\W)*",
    re.IGNORECASE,
)
# of a program that lists its checks (apiserver's healthz, controller-runtime): what failed
FAILED_CHECK = re.compile(r"\[-\](?P<check>\S+) failed(?:: (?!reason withheld)(?P<why>.*))?")
WITHOUT_A_WORD = re.compile(r"^check \S+ failed$")


def named(seen: Observation, host: str) -> str:
    """The host, as the Service of the namespace that has its address."""
    service = service_at(seen.services, host)
    return f"Service {service['metadata']['name']}" if service is not None else host


@dataclass
class Asked:
    """A probe that fails, and all that is known about its answer."""

    seen: Observation
    pod: Object
    container: str
    kind: str
    event: Object
    probe: Object = field(init=False)
    port: int = field(init=False)
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.probe = probe_of(self.pod, self.container, self.kind)
        self.port, self.path = port_of(self.pod, self.container, self.probe), path_of(self.probe)

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    @property
    def message(self) -> str:
        """What the kubelet says."""
        return str(self.event.get("message", ""))

    @property
    def who(self) -> str:
        """To begin a sentence with."""
        return f"The {self.kind} probe of container {self.container} in pod {self.name}"

    @property
    def where(self) -> str:
        """The probe's path in the manifest."""
        return manifest.place(self.pod, self.container, f"{self.kind}Probe")

    @property
    def answers(self) -> list[Object]:
        """What the ports of the pod said."""
        return of_pod(self.seen, self.name)

    @property
    def own(self) -> t.Optional[Object]:
        """What the probe's own port and path said."""
        return answer(self.seen, self.name, self.port, self.path)

    @property
    def listeners(self) -> list[str]:
        """Where the programs of the pod listen, as C(address:port)."""
        return self.seen.listeners.get(f"{self.name}/{self.container}", [])

    def verdict(self, cause: str, sentence: str, remedy: str) -> Diagnosis:
        """A diagnosis with all that was seen of the probe as evidence."""
        evidence = [self.message, *said_by_ports(self.seen, self.name)]
        evidence += [f"listens at {', '.join(self.listeners)}"] if self.listeners else []
        evidence += log_end(self.seen, self.name, self.container)
        return Diagnosis(cause, sentence, evidence, remedy, MANIFEST, subject=self.container)


Judged = t.Optional[tuple[Diagnosis, bool]]


def misconfigured(asked: Asked) -> Judged:
    """What is wrong with the probe itself: its command, its host, its port's name, its scheme."""
    message, probe = asked.message, asked.probe
    if any(sign in message for sign in COMMAND_SIGNS) and ("exec" in probe or "errored" in message):
        command = " ".join((probe.get("exec") or {}).get("command") or [])
        sentence = f"{asked.who} cannot run its command{f' {command}' if command else ''}: {quoted(message)}"
        return asked.verdict("probe-command", sentence, "Name a program that the image has."), True
    for handler in ("httpGet", "tcpSocket"):
        host = str((probe.get(handler) or {}).get("host") or "")
        if host:
            sentence = (
                f"{asked.who} has host {host}, so the kubelet asks {host}:{asked.port} from the node, not the pod:"
                f" {quoted(message)}"
            )
            return asked.verdict("probe-host", sentence, f"Remove host from {asked.where}.{handler}."), True
        wanted = (probe.get(handler) or {}).get("port")
        if isinstance(wanted, str) and not wanted.isdigit() and not asked.port:
            ports = specification(asked.pod, asked.container).get("ports") or []
            names = ", ".join(str(item.get("name")) for item in ports if item.get("name")) or "none with a name"
            sentence = f"{asked.who} asks port {wanted}, and the container has no port of that name ({names})."
            return asked.verdict("probe-port", sentence, f"Correct the port in {asked.where}, or name a port so."), True
    return wrong_scheme(asked)


def wrong_scheme(asked: Asked) -> Judged:
    """HTTP to HTTPS, or to gRPC, and the other way round."""
    message, own = asked.message, asked.own
    start = f"{asked.who} speaks another protocol than port {asked.port}"
    if GRPC_FRAME in message or "http2:" in message:
        sentence = f"{start}, which speaks HTTP/2 (gRPC): {quoted(message)}"
        return asked.verdict("probe-scheme", sentence, f"Use a grpc probe in {asked.where}."), True
    if own is not None and own["status"] == 400 and TLS_WANTED in str(own.get("body", "")):
        sentence = f"{start}: it asks with HTTP, and is answered 400: {quoted(str(own['body']))}"
        return asked.verdict("probe-scheme", sentence, f"Set scheme: HTTPS in {asked.where}.httpGet."), True
    if any(sign in message for sign in SCHEME_SIGNS):
        sentence = f"{start}: {quoted(message)}"
        return asked.verdict("probe-scheme", sentence, "Correct the probe's scheme (HTTP or HTTPS)."), True
    return None


def redirected(asked: Asked) -> Judged:
    """The kubelet followed a redirect of the program: its last words are about another address than the probe's."""
    spec, found = asked.probe.get("httpGet"), REQUEST.search(asked.message)
    if spec is None or found is None:
        return None
    url = urllib.parse.urlsplit(found["url"])
    scheme = str(spec.get("scheme") or "HTTP").lower()
    own_scheme = (url.scheme or scheme) == scheme
    port = url.port or {"http": 80, "https": 443}.get(url.scheme, asked.port)
    circle = "redirects" in asked.message
    if own_scheme and port == asked.port and (url.path or "/") == (asked.path or "/") and not circle:
        return None
    own = asked.own
    status = f" ({own['status']})" if own is not None and 300 <= own["status"] < 400 else ""
    sentence = (
        f"{asked.who} asks {asked.path or '/'} at port {asked.port}, which the program redirects{status} to"
        f" {found['url']}, and the kubelet follows it: {quoted(asked.message)}"
    )
    if own_scheme:
        remedy = f"Name in {asked.where}.httpGet a path that is answered without a redirect."
        return asked.verdict("probe-path", sentence, remedy), True
    remedy = (
        f"Serve the health check without a redirect, or set scheme: {url.scheme.upper()} and the port that serves it in"
        f" {asked.where}.httpGet."
    )
    return asked.verdict("probe-scheme", sentence, remedy), True


def refused(asked: Asked) -> Judged:
    """Nothing listens at the probe's port, for the kubelet."""
    if "connection refused" not in asked.message:
        return None
    port = asked.port
    at = {item.rpartition(":")[0] for item in asked.listeners if item.endswith(f":{port}")}
    if at and at <= set(LOOPBACK):
        sentence = (
            f"{asked.who} is refused: the program listens at {', '.join(sorted(at))}:{port} only, the loopback of the"
            " pod, where the kubelet cannot reach it."
        )
        return asked.verdict(
            "listens-on-loopback", sentence, f"Let it listen on all addresses (0.0.0.0:{port}, or :{port})."
        ), True
    others = [item for item in asked.answers if item["status"] and item["port"] != port]
    good = next((item for item in others if 200 <= item["status"] < 400), None)
    if good is not None:
        sentence = (
            f"{asked.who} asks port {port}, where nothing listens (connection refused); port {good['port']} answers"
            f" {good['path']} with {good['status']}."
        )
        # the port that it says it has may only not be there yet
        meant = port in declared_ports(asked.pod, asked.container)
        return asked.verdict("probe-port", sentence, f"Correct the probe's port: {good['port']}."), not meant
    reachable = {item.rpartition(":")[2] for item in asked.listeners if item.rpartition(":")[0] not in LOOPBACK}
    ports = sorted(
        {item["port"] for item in others} | {int(item) for item in reachable}
        or set(declared_ports(asked.pod, asked.container)) - {port}
    )
    if ports:
        hint = f"the container {'listens at' if others or reachable else 'declares'} {', '.join(map(str, ports))}"
        sentence = f"{asked.who} asks port {port}, where nothing listens (connection refused); {hint}."
        remedy = "Correct the probe's port; if the program only starts slowly, add a startupProbe."
        return asked.verdict("probe-port", sentence, remedy), False
    sentence = f"{asked.who} fails: nothing listens at port {port} (connection refused): {quoted(asked.message)}"
    remedy = "Wrong port, or a program that does not listen yet: compare with its log; add a startupProbe."
    return asked.verdict("probe-fails", sentence, remedy), False


def status_of(asked: Asked) -> int:
    """The status that the kubelet was answered with; 0: it says none."""
    found = STATUS.search(asked.message)
    return int(found[1]) if found else 0


def answered(asked: Asked) -> Judged:
    """The program answered with a status."""
    status, own, after = status_of(asked), asked.own, ""
    if not status and own is not None and own["status"] >= 400 and late(asked):
        # with more time the kubelet would get this answer, and the pod would not be ready either
        status, after = int(own["status"]), f" after {own['seconds']:.1f} s"
    if not status:
        return None
    body = str((own or {}).get("body") or "") if own is not None and own["status"] == status else ""
    what = f"{asked.who} asks {asked.path or '/'} at port {asked.port}"
    if status in ABSENT:
        return absent(asked, status)
    if status in (401, 403, 407):
        sentence = f"{what}, which wants a login: it answers {status}{quoted_body(body)}."
        remedy = (
            f"Serve the health check without authentication, or send its header in {asked.where}.httpGet.httpHeaders."
        )
        return asked.verdict("probe-unauthorized", sentence, remedy), True
    if 300 <= status < 400:
        sentence = f"{what}, which redirects it ({status}){quoted_body(body)}."
        return asked.verdict("probe-path", sentence, "Ask for the path that it redirects to."), True
    said = reason_in(body)
    if said:
        item = contact(said)
        if item is not None and item.host:
            host = named(asked.seen, item.host)
            sentence = f"{what} and gets {status}{after}, because the program cannot use {host}: {quoted(said)}"
            of_form = CAUSES_OF_FORMS.get(item.form, "dependency-down")
            return asked.verdict(of_form, sentence, f"Get {host} ready for the program first."), True
        sentence = f"{what} and gets {status}{after}: {quoted(said)}"
        remedy = "Cure what the program says there; if it takes longer than the gate waits, give it more time."
        # a check that failed without a word is explained by the log, if by anything
        return asked.verdict("probe-fails", sentence, remedy), not WITHOUT_A_WORD.search(said)
    if status == 400:
        sentence = f"{what} and gets 400: the program does not take the request as the kubelet sends it."
        return asked.verdict("probe-fails", sentence, "Compare host, headers and scheme of the probe."), False
    sentence = f"{what} and gets {status}{after}, so the program itself says that it is not ready."
    remedy = "Read the log of the program for what it waits for."
    return asked.verdict("probe-fails", sentence, remedy), False


def absent(asked: Asked, status: int) -> tuple[Diagnosis, bool]:
    """The program does not serve the path."""
    own = asked.own
    good = next(
        (
            item
            for item in asked.answers
            if item["port"] == asked.port and 200 <= item["status"] < 300 and item["path"] != asked.path
        ),
        None,
    )
    sentence = f"{asked.who} asks for {asked.path}, which the program answers with {status}"
    sentence += f"; {good['path']} answers {good['status']}." if good else "."
    remedy = f"Correct the probe's path: {good['path']}." if good else "Correct the probe's path."
    still = own is not None and own["status"] == status
    return asked.verdict("probe-path", sentence, remedy), still


def late(asked: Asked) -> Judged:
    """The answer did not come in time."""
    if not any(sign in asked.message for sign in TIMEOUT_SIGNS):
        return None
    own, probe, path = asked.own, asked.probe, asked.path
    allowed = int(probe.get("timeoutSeconds") or 1)
    takes = own["seconds"] if own is not None and (own["status"] or own["seconds"] > allowed) else 0.0
    long_enough = takes > allowed
    better = math.ceil(takes * 2) if long_enough else allowed * 5
    measured = (
        f"it answered after {takes:.1f} s" if long_enough and own and own["status"] else "it did not answer in time"
    )
    sentence = f"{asked.who} waits {allowed} s for {path or 'an answer'}; {measured}."
    remedy = f"Give it timeoutSeconds: {better}, or make the endpoint that it asks faster."
    return asked.verdict("probe-timeout", sentence, remedy), bool(long_enough and own and own["status"])


def by_grpc(asked: Asked) -> Judged:
    """What a gRPC server says of its health."""
    if "grpc" not in asked.probe:
        return None
    message = asked.message
    service = (asked.probe["grpc"] or {}).get("service") or ""
    if "does not implement the grpc health protocol" in message or "UNIMPLEMENTED" in message.upper():
        sentence = (
            f"{asked.who} is a gRPC health check, and the server at port {asked.port} does not implement"
            " grpc.health.v1.Health."
        )
        return asked.verdict(
            "probe-fails", sentence, "Register the health service in the program, or probe the port with tcpSocket."
        ), True
    if "unknown service" in message or "NotFound" in message or "NOT_FOUND" in message:
        sentence = (
            f"{asked.who} asks for gRPC service {service}, which the program's health check does not know:"
            f" {quoted(message)}"
        )
        return asked.verdict("probe-fails", sentence, f"Correct service in {asked.where}.grpc."), True
    sentence = f"{asked.who}, a gRPC health check at port {asked.port}, fails: {quoted(message)}"
    return asked.verdict("probe-fails", sentence, "Read the log of the program for what it waits for."), False


def otherwise(asked: Asked) -> tuple[Diagnosis, bool]:
    """What the kubelet says, where nothing else is known."""
    if "exec" in asked.probe:
        command = " ".join((asked.probe.get("exec") or {}).get("command") or [])
        said = asked.message.partition("probe failed: ")[2] or asked.message
        sentence = f"{asked.who} runs {command}, which fails: {quoted(said) or 'it says nothing'}"
        return asked.verdict(
            "probe-fails", sentence, f"Cure what it says, or correct the command in {asked.where}."
        ), bool(said.strip())
    sentence = f"Pod {asked.name} runs, but its {asked.kind} probe fails: {quoted(asked.message)}"
    remedy = "A status of 5xx means that the program itself says it is not ready: see its log for what it waits for."
    return asked.verdict("probe-fails", sentence, remedy), False


def reason_in(body: str) -> str:
    """What an answer says beyond its status; empty where it says nothing."""
    failed = [
        f"{found['check']}: {found['why']}" if found["why"] else f"check {found['check']} failed"
        for found in FAILED_CHECK.finditer(body)
    ]
    if failed:
        return "; ".join(failed)
    text = body.strip()
    if text.startswith("{"):
        with contextlib.suppress(ValueError):
            text = ", ".join(_leaves(json.loads(text)))
    if text.startswith("<"):
        text = re.sub(r"<[^>]+>", " ", text)
    text = " ".join(text.split())
    return "" if EMPTY.fullmatch(text) else text


def _leaves(value: t.Any, name: str = "") -> t.Iterator[str]:
    """The texts of a JSON answer with their names: C(database: migration is pending)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    elif value not in (None, "", True) and not EMPTY.fullmatch(str(value)):
        yield f"{name}: {value}" if name else str(value)


def quoted_body(body: str) -> str:
    """The beginning of an answer, quoted."""
    text = " ".join(re.sub(r"<[^>]+>", " ", body).split())
    return f" ({quoted(text[:120])})" if text else ""


def answer(seen: Observation, pod: str, port: int, path: str) -> t.Optional[Object]:
    """What that port said when it was asked for that path."""
    return next((item for item in of_pod(seen, pod) if item["port"] == port and item["path"] == path), None)


def of_pod(seen: Observation, pod: str) -> list[Object]:
    """What the ports of a pod said."""
    return [item for item in seen.answers if item["pod"] == pod]


def said_by_ports(seen: Observation, pod: str) -> list[str]:
    """The same as lines of evidence."""
    return [
        f"port {item['port']}, {item['path'] or 'any path'}: {item['status']} after {item['seconds']:.1f} s"
        for item in of_pod(seen, pod)
        if item["status"]
    ][:4]
