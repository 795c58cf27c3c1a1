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

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import count
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contacts
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Dependency,
    Object,
    Observation,
    condition,
    containers,
    moment,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    log_lines,
    name_of,
    quoted,
    terminated,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import (
    MANIFEST,
    SETTLING,
    TIMEOUT,
    rule,
    unconfirmed,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import members

CLUSTER_DOMAIN = "cluster.local"
# what a dependency that was reached answers: cause, sentence, remedy
ANSWERED: dict[str, tuple[str, str, str]] = {
    "auth": (
        "dependency-auth",
        "{what} is refused by {where}: {line}",
        "Use the same password for the program and the dependency: compare their Secrets; a database keeps its"
        " first password.",
    ),
    "denied": (
        "dependency-permission",
        "{what} may not do at {where} what it tries: {line}",
        "Grant its user the right (GRANT, an access list), or let it use another user.",
    ),
    "schema": (
        "dependency-schema",
        "{where} lacks what {what} needs: {line}",
        "Run the migrations, or create the database, before the program starts.",
    ),
    "tls": (
        "dependency-tls",
        "{what} does not trust {where}: {line}",
        "Add the certificate authority to the program, or issue the dependency a certificate for that name.",
    ),
    "plain": (
        "dependency-tls",
        "{what} and {where} do not agree on TLS: {line}",
        "Use the same at both ends: http or https, sslmode=disable, or a TLS listener at the dependency.",
    ),
    "exhausted": (
        "dependency-down",
        "{where} has no room for {what}: {line}",
        "Raise the limit of the dependency (connections, memory), or let its clients use fewer.",
    ),
    "starting": ("dependency-down", "{where} is not ready for {what} yet: {line}", "Wait for the dependency first."),
    "read-only": (
        "dependency-refuses",
        "{what} cannot write to {where}, which is read-only: {line}",
        "Name the primary of the dependency, not a replica.",
    ),
    "conflict": (
        "dependency-refuses",
        "{where} already has what {what} makes: {line}",
        "Remove or migrate what is there, or let the program use another name.",
    ),
    "absent": (
        "dependency-refuses",
        "{where} does not have what {what} asks for: {line}",
        "Create it at the dependency first, or correct its name.",
    ),
    "protocol": (
        "dependency-refuses",
        "{where} does not speak the protocol that {what} expects: {line}",
        "Compare scheme, port and protocol of both ends.",
    ),
    "status": (
        "dependency-refuses",
        "{where} answers {what} with an error: {line}",
        "Read the log of the dependency, and compare the address that the program asks.",
    ),
}
PASSING = ("exhausted", "starting", "protocol", "status", "conflict")  # a next try may succeed

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
FORM_WORDS = {
    "refused": "refuses the connection",
    "silent": "does not answer",
    "mentioned": "has no ready endpoint",
}


def of_container(seen: Observation, pod: str, container: str) -> list[Dependency]:
    """The dependencies that this container asked for, as far as they were looked up; the last asked first."""
    if not seen.full:
        return contacts(log_lines(seen, pod, container)[-20:])
    return [
        item
        for item in seen.dependencies
        if item.pod == pod and item.container == container and item.form != "mentioned"
    ]


def asked(seen: Observation, pod: str, container: str, item: Dependency) -> Dependency:
    """The same as it was looked up, where it was."""
    for found in of_container(seen, pod, container):
        if found.line == item.line and found.form == item.form:
            return found
    item.pod, item.container = pod, container
    return item


def dependency_verdict(seen: Observation, item: Dependency, what: str, ended: str = "") -> tuple[Diagnosis, bool]:
    """Return the verdict over a dependency, and whether waiting cannot cure it.

    :arg what: who asked, to begin the sentence with. :arg ended: when the program that asked ended, empty: it runs.
    """
    shown = f"{item.host}:{item.port}" if item.port else item.host
    evidence = [item.line] if item.line else []
    if item.form == "name":
        return _unknown_name(seen, item, what, evidence)
    where = _where(item, shown)
    if item.form in ANSWERED:
        cause, words, remedy = ANSWERED[item.form]
        if item.form == "tls":
            remedy = _certificate(item.line) or remedy
        return _plain(
            words.format(what=what, where=where, line=quoted(item.line)), evidence, remedy, cause=cause
        ), item.form not in PASSING
    return _down(seen, item, what, where, ended, evidence)


def _certificate(line: str) -> str:
    """What to do about a certificate, as crypto/x509 says what is wrong with it."""
    if "expired or is not yet valid" in line:
        return "Renew the certificate of the dependency, or correct the clock: it is not valid at this time."
    names = re.search(r"certificate is (?:valid for (?P<names>.+?), not|not valid for any names)", line)
    if names or "doesn't contain any IP SANs" in line:
        has = f" (it has {names['names']})" if names and names["names"] else ""
        return f"Ask for a name that the certificate has{has}, or issue it for the name that is asked for."
    return ""


def _unknown_name(seen: Observation, item: Dependency, what: str, evidence: list[str]) -> tuple[Diagnosis, bool]:
    cause = "dependency-name"
    pod = next((pod for pod in seen.current_pods if pod["metadata"]["name"] == item.pod), None)
    policy = str(((pod or {}).get("spec") or {}).get("dnsPolicy") or "")
    host = item.host.rstrip(".")
    spec = (item.service or {}).get("spec") or {}
    if "udp" in item.line.partition(item.host)[2]:
        sentence = f"{what} could not look {host} up: the name server does not answer."
        remedy = "Check the cluster's DNS (kubectl -n kube-system get pods), and that no NetworkPolicy blocks port 53."
        return _plain(sentence, evidence, remedy, cause=cause), False
    if spec.get("type") == "ExternalName":
        target = spec.get("externalName")
        sentence = f"{what} needs {_where(item, host)}, an ExternalName for {target}, and {target} does not resolve."
        return _plain(sentence, evidence, f"Correct externalName of the Service: {target}.", cause=cause), True
    if item.member_of is not None:
        why, remedy = members.without_name(seen, item.member_of, host.partition(".")[0])
        sentence = f"{what} needs {host}, a name that does not resolve: {why}."
        return _plain(sentence, evidence, remedy, cause=cause), True
    on_host = policy == "ClusterFirst" and bool((pod or {})["spec"].get("hostNetwork"))
    if item.inside and (policy in ("Default", "None") or on_host):
        shown = f"dnsPolicy {policy}{' with hostNetwork' if on_host else ''}"
        sentence = f"{what} needs {host}, and its pod has {shown}: names of this cluster do not resolve there."
        better = "ClusterFirstWithHostNet" if on_host else "ClusterFirst"
        return _plain(sentence, [*evidence, f"dnsPolicy: {policy}"], f"Set dnsPolicy: {better}.", cause=cause), True
    name, _dot, domain = host.partition(".svc.")
    if item.service is not None and domain and domain != CLUSTER_DOMAIN:
        sentence = (
            f"{what} needs {host}, a name that does not resolve: the domain of a cluster is {CLUSTER_DOMAIN}, not"
            f" {domain}."
        )
        return _plain(sentence, evidence, f"Use {name}.svc, or {name}.svc.{CLUSTER_DOMAIN}.", cause=cause), True
    if item.service is not None:
        # it is there now; the next start will find it
        return _plain(f"{what} could not resolve {item.host} at first.", evidence, "", cause=cause), False
    there = f"; the nearest Service is {item.near[0]}" if item.near else ""
    sentence = f"{what} needs {item.host}, a name that does not resolve{there}."
    remedy = "Correct the name (SERVICE.NAMESPACE from another namespace), or create the Service."
    return _plain(sentence, evidence, remedy, cause=cause), True


def _where(item: Dependency, shown: str) -> str:
    if item.service is not None:
        metadata = item.service["metadata"]
        named = f" ({item.named} in its configuration)" if item.named else ""
        return f"Service {metadata.get('namespace')}/{metadata['name']}{named}"
    return shown or "what it needs"


def _plain(sentence: str, evidence: list[str], remedy: str, *, cause: str) -> Diagnosis:
    return Diagnosis(cause=cause, sentence=sentence, evidence=evidence, remedy=remedy, setting=MANIFEST)


def _down(
    seen: Observation, item: Dependency, what: str, where: str, ended: str, evidence: list[str]
) -> tuple[Diagnosis, bool]:
    words = FORM_WORDS[item.form]
    cause = "dependency-down"
    if item.form == "silent" and item.policies:
        words += f" (NetworkPolicy {', '.join(item.policies)})"
    if item.host in LOOPBACK:
        sentence = f"{what} needs {item.host}:{item.port}, where nothing listens: inside a pod that is the pod itself."
        return _plain(
            sentence, evidence, "Name the Service of the dependency in place of localhost.", cause=cause
        ), True
    if item.service is None:
        sentence = f"{what} needs {where}, which {words}."
        return _plain(
            sentence, evidence, "Check that it runs, and that address and port are right.", cause=cause
        ), not item.inside
    if item.ready:
        return _ready_but(item, what, where, words, ended, evidence)
    start = f"{what} needs {where}, which has no ready endpoint"
    for behind in item.behind:
        inner = behind.verdict
        if inner is not None:
            found = _plain(f"{start}: {inner.sentence}", [*evidence, *inner.evidence], inner.remedy, cause=cause)
            return found.changed(also=[inner, *inner.also]), True
        state = f"{behind.name}: {behind.missing}"
        remedy = "Find out why the dependency is not ready; deploy it and wait for it first."
        return _plain(f"{start}: {state}.", [*evidence, state], remedy, cause=cause), False
    selector = (item.service.get("spec") or {}).get("selector") or {}
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    sentence = f"{start}: no pod and no workload has the labels that it selects ({wanted})."
    return _plain(sentence, evidence, "Deploy the dependency, or correct the Service's selector.", cause=cause), True


def _ready_but(
    item: Dependency, what: str, where: str, words: str, ended: str, evidence: list[str]
) -> tuple[Diagnosis, bool]:
    cause, service = "dependency-down", t.cast(Object, item.service)
    ports = [int(port["port"]) for port in (service.get("spec") or {}).get("ports") or []]
    if item.port and ports and item.port not in ports:
        serves = ", ".join(map(str, ports))
        sentence = f"{what} asks {where} at port {item.port}, which it does not serve; it serves {serves}."
        return _plain(sentence, evidence, "Correct the port.", cause=cause), True
    # it became ready after the program had given up: the next start will find it
    if item.declared and item.targets and not set(item.targets) & set(item.declared):
        goes = ", ".join(map(str, item.targets))
        sentence = (
            f"{what} needs {where}, which {words}: it sends to targetPort {goes}, and its pods declare"
            f" {', '.join(map(str, item.declared))}."
        )
        return _plain(sentence, evidence, f"Correct targetPort of {where}.", cause=cause), True
    late = not ended or not item.ready_since or moment(item.ready_since) >= moment(ended) - 1
    sentence = f"{what} needs {where}, which {words}, though {count(item.ready, 'endpoint')} of it is ready."
    remedy = (
        "Check that the pods listen on the Service's targetPort, on all addresses, and that no NetworkPolicy blocks"
        " the connection."
    )
    if item.form == "silent" and item.policies:
        remedy = f"Let NetworkPolicy {', '.join(item.policies)} allow the connection."
    return _plain(sentence, evidence, remedy, cause=cause), not late


@rule(
    "Programs that end",
    Cause(
        "dependency-down",
        title="A dependency does not accept connections",
        why=(
            "There is nothing behind its Service, its pods are not ready (the same rules say why), "
            "or it does not listen there. The Service is named, also where the log has only its "
            "address."
        ),
        remedy="Get the dependency ready first; deploy it and wait for it before this workload.",
        settings=(
            "workload.objects",
            "dependencies",
        ),
        terminal="where it can never be reached",
    ),
    Cause(
        "dependency-name",
        title="The name of a dependency does not resolve",
        why="There is no such Service; the nearest one is named.",
        remedy="Correct the name (`SERVICE.NAMESPACE` from another namespace), or create the Service.",
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "dependency-auth",
        title="A dependency refuses the password",
        why="SQLSTATE 28P01, WRONGPASS, NOAUTH and the like.",
        remedy=(
            "Give program and dependency the same password: compare the Secrets of both; a "
            "database keeps its first one."
        ),
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "dependency-schema",
        title="The database lacks a schema or table",
        why="SQLSTATE 3D000, 3F000, 42P01: the database, schema or table does not exist.",
        remedy="Run the migrations, or create the database, before the program starts.",
        settings=(
            "workload.objects",
            "dependencies",
        ),
        terminal="yes",
    ),
    Cause(
        "dependency-tls",
        title="The certificate of a dependency is not trusted",
        why="The program cannot verify the certificate that the dependency presents.",
        remedy=("Add the certificate authority to the program, or issue the dependency a certificate for that name."),
        settings=("workload.objects",),
        terminal="yes",
    ),
    Cause(
        "dependency-permission",
        title="A dependency does not allow what the program does",
        why="SQLSTATE 42501, NOPERM, ACCESS_REFUSED and the like: the login is right, a right is missing.",
        remedy="Grant the user the right, or let the program use another user.",
        settings=("workload.objects",),
        terminal="when the program ended twice",
    ),
    Cause(
        "dependency-refuses",
        title="A dependency answers with an error",
        why="It was reached, and it lacks what is asked for, speaks another protocol, or answers with an error.",
        remedy="Read the log of the dependency; compare address, scheme and name.",
        settings=("workload.objects",),
        terminal="when the program ended twice, unless a next try may succeed",
    ),
)
def dependency_broken(seen: Observation) -> t.Iterator[Diagnosis]:
    """A program runs, is not ready, and says that it cannot reach what will never come."""
    for verdict, terminal in _unmet(seen):
        if terminal:
            yield unconfirmed(verdict)


@rule("Programs that end", like=dependency_broken, phases=(TIMEOUT,))
def dependency_not_there(seen: Observation) -> t.Iterator[Diagnosis]:
    """For when the time is over: what the program said it could not reach, or is configured to need."""
    for verdict, _terminal in _unmet(seen):
        yield verdict
    for item in seen.dependencies:
        if item.form == "mentioned" and item.service is not None and not item.ready:
            pod = next((pod for pod in seen.current_pods if pod["metadata"]["name"] == item.pod), None)
            if pod is not None and pod not in seen.ready_pods:
                verdict, _terminal = dependency_verdict(seen, item, f"{name_of(seen)} probably")
                yield verdict.changed(subject=item.container)


def _unmet(seen: Observation) -> t.Iterator[tuple[Diagnosis, bool]]:
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
                yield verdict.changed(subject=status["name"]), terminal
                break
