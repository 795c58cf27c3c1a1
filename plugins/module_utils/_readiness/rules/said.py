# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""From what a program says to its cause: which entry of its log tells, and what the manifest adds to it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contact
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.kinds import Kind, kind_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.logs import Said, entries
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Dependency,
    Object,
    Observation,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import manifest

MOST = 40  # entries from the end that are read
# a last word that is about an earlier one
GIVES_UP = re.compile(
    r"tim(?:ed|e)[ -]?out|deadline|gave up|giving up|retries|attempts|shutting down|shutdown|exiting|terminat|stopp|"
    r"caches? to sync|problem running manager|cancel|aborted|see (?:above|log)|closed|bye",
    re.IGNORECASE,
)
# of readers of whole files
OF_FILE = re.compile(r"yaml: |toml: |unmarshal|did not find expected|invalid character|unknown field|JSON input")
# of Go's runtime about its counters, not of the program
OF_COVERAGE = re.compile(r"coverage (?:counter|meta-?)\s?data emit failed|GOCOVERDIR not set")
LEAVING = re.compile(r"shutting down|shutdown|exiting|terminat|stopp|bye|cleanup|closing|closed", re.IGNORECASE)
USAGE = re.compile(r"^\s*usage\b", re.IGNORECASE)


@dataclass(frozen=True)
class Telling:
    """The entry of a log that tells why: with the kind of its error, or what it could not use; neither: unknown."""

    said: Said
    kind: t.Optional[Kind] = None
    contact: t.Optional[Dependency] = None


def telling(lines: t.Sequence[str], *, ended: bool) -> t.Optional[Telling]:
    """Return the entry that tells why a program ended, or is not ready; None where the log is empty.

    The last entry whose error is known. Of a program that ended, what it said before its last error tells only where
    that one says that it gave up.
    """
    said = [item for item in entries(before_usage(lines)) if not OF_COVERAGE.search(item.text)][-MOST:]
    unknown: t.Optional[Telling] = None
    for number, entry in enumerate(reversed(said)):
        if entry.is_excused and len(said) > 1:
            continue
        found = _known(entry)
        if found is not None:
            return found
        last = ended and (entry.is_bad or (number == 0 and not entry.is_calm and not LEAVING.search(entry.text)))
        if last and unknown is None:
            unknown = Telling(entry)
            if not GIVES_UP.search(entry.text):
                break
    if unknown is None and ended and said:
        unknown = Telling(said[-1])
    return unknown


def _known(entry: Said) -> t.Optional[Telling]:
    kind, item = kind_of(entry.text), contact(entry.text)
    if kind is not None and (item is None or kind.name in OWN_FIRST):
        return Telling(entry, kind=kind)
    if item is not None and not (entry.is_calm and item.form in CALM_FORMS):
        return Telling(entry, contact=item)
    return Telling(entry, kind=kind) if kind is not None else None


# a kind that is named apart from what a client says by more than a word
OWN_FIRST = (
    *("expansion", "rbac", "token", "kind-missing", "open-files", "time-zone", "variable-missing", "argument"),
    *("port-in-use",),
)
CALM_FORMS = ("status", "auth", "schema", "denied", "tls", "plain", "exhausted", "absent", "conflict")


def before_usage(lines: t.Sequence[str]) -> t.Sequence[str]:
    """The lines before a usage text where there is one, because that is what it explains."""
    usage = next((number for number, line in enumerate(lines) if USAGE.match(line)), None)
    return lines if usage is None else lines[: usage + 1] if usage == 0 else lines[:usage]


@dataclass(frozen=True)
class Known:
    """What is made of a kind of error: id of the cause, what the sentence adds, the remedy, the setting if another."""

    cause: str
    more: str
    remedy: str


def known(seen: Observation, pod: Object, container: str, kind: Kind, text: str) -> Known:
    """Return the cause of an error of a known kind, with what the manifest adds to it."""
    expansion = manifest.of_expansion(pod, container, text) if "$(" in text or kind.name in SETTINGS else ""
    if expansion and (f"$({expansion[2:].partition(')')[0]})" in text or kind.name in SETTINGS):
        where = manifest.place(pod, container, "env")
        return Known("config-error", expansion, f"Define the variable before it is used, in {where}.")
    if kind.name == "read-only" and (where_to := PATH.search(text)):
        why, remedy = manifest.why_not_writable(pod, container, where_to["path"], read_only=True)
        return Known("file-permission", why, remedy)
    reader = READERS.get(kind.name)
    if reader is not None:
        return reader(seen, pod, container, kind)
    cause, remedy = PLAIN[kind.name]
    return Known(cause, "", remedy)


SETTINGS = ("malformed", "variable-missing")
PLAIN: dict[str, tuple[str, str]] = {
    "expansion": ("config-error", "Define the variable before it is used: Kubernetes left it as it is."),
    "open-files": (
        "open-files",
        "Raise the limit of open files (RLIMIT_NOFILE, ulimit -n), or close the file descriptors that are not used.",
    ),
    "disk-full": ("disk-full", "Free space on that file system, or raise the size of the volume (sizeLimit)."),
    "resource-limit": ("crash", "Raise the limit of processes or memory of the container."),
    "port-in-use": (
        "port-in-use",
        "Give the containers of a pod (and the probes, metrics and API of a program) different ports.",
    ),
    "port-not-allowed": ("port-not-allowed", "Listen on a port above 1023, or allow NET_BIND_SERVICE."),
    "address-not-available": (
        "config-error",
        "Listen on all addresses (:PORT): the address that the program is given is not one of the pod.",
    ),
    "certificate-file": ("config-error", "Give the program a certificate and its own key, both as PEM."),
    "read-only": ("file-permission", "Mount a writable volume (emptyDir) there, or remove readOnlyRootFilesystem."),
    "not-permitted": (
        "file-permission",
        "Let the container do it (a capability in securityContext, or another user), or let the program do without.",
    ),
}
PATH = re.compile(r"(?:open|mkdir|create|stat|write|rename|unlinkat|chmod|chown|remove) (?P<path>/[^\s:]+)")


def _forbidden(seen: Observation, _pod: Object, _container: str, kind: Kind) -> Known:
    user, verb, resource = kind.what("user"), kind.what("verb"), kind.what("resource")
    account = user.rpartition(":")[2] if user.startswith("system:serviceaccount:") else user
    space = user.split(":")[2] if user.startswith("system:serviceaccount:") else seen.namespace
    what = f"{verb} {resource}".strip() or "what the message names"
    more = f"ServiceAccount {account} of {space} may not {what}" if resource else ""
    remedy = f"Bind a Role or ClusterRole that allows {what} to ServiceAccount {account} of {space}."
    return Known("rbac-forbidden", more, remedy)


def _kind_missing(_seen: Observation, _pod: Object, _container: str, kind: Kind) -> Known:
    what = kind.what("what", "crd", "gvr")
    more = f"the cluster has no kind {what}" if what else ""
    which = f" of {what}" if what else ""
    return Known("crd-missing", more, f"Install the CustomResourceDefinition{which} before the program starts.")


def _token(seen: Observation, pod: Object, _container: str, _kind: Kind) -> Known:
    why = manifest.without_token(seen, pod)
    if why:
        return Known("token-not-mounted", f"{why}, so no token is mounted", "Remove automountServiceAccountToken.")
    return Known(
        "config-error",
        "",
        "Give the program a kubeconfig, or let Kubernetes mount the token of the pod's ServiceAccount.",
    )


def _argument(_seen: Observation, pod: Object, container: str, kind: Kind) -> Known:
    where = manifest.place(pod, container, "args")
    what = kind.what("command", "what")
    shown = f" {what}" if what else ""
    return Known(
        "bad-argument", "", f"Correct{shown} in {where} (or command); compare it with the program's usage text."
    )


def _missing_file(seen: Observation, pod: Object, container: str, kind: Kind) -> Known:
    path = kind.what("path", "node", "python").strip("\"'")
    if path.startswith(manifest.ACCOUNT_FOLDER):
        return _token(seen, pod, container, kind)
    if not path.startswith("/"):
        return Known("config-file-missing", "", FILE_REMEDY)
    sentence, remedy, cause = manifest.missing_key(seen, pod, container, path)
    if sentence:
        return Known(cause or "config-file-missing", sentence, remedy)
    return Known("config-file-missing", manifest.of_path(pod, container, path), FILE_REMEDY)


FILE_REMEDY = (
    "Mount the file (a ConfigMap or Secret) where the program looks for it, or correct the path that it is given."
)


def _not_writable(_seen: Observation, pod: Object, container: str, kind: Kind) -> Known:
    path = kind.what("path", "other").strip("\"'")
    if not path.startswith("/"):
        return Known(
            "file-permission",
            "",
            "Let the program's user access that path: fsGroup, an emptyDir, or the image's permissions.",
        )
    why, remedy = manifest.why_not_writable(pod, container, path, read_only=False)
    return Known("file-permission", why, remedy)


def _variable(seen: Observation, pod: Object, container: str, kind: Kind) -> Known:
    name = kind.what("key", "required", "variable", "plain", "name", "after")
    more = manifest.of_variable(seen, pod, container, name, "") if name else ""
    where = manifest.place(pod, container, "env")
    prefix = manifest.prefixed(seen, pod, container, name)
    if prefix:
        place = manifest.place(pod, container, "envFrom")
        remedy = f"Remove prefix {prefix} from {place}, or set {name} in {where}."
        return Known("config-error", f"{more}; with prefix {prefix} of envFrom it is {prefix}{name}", remedy)
    return Known("config-error", more, f"Set {name or 'the variable'} in {where}.")


def _malformed(seen: Observation, pod: Object, container: str, kind: Kind) -> Known:
    text, value = kind.text, kind.what("value", "given")
    where = manifest.place(pod, container, "env")
    if manifest.SERVICE_LINK.match(value):
        linked = kind.what("key") or next(iter(manifest.NAMES.findall(text)), "") or _link_of(seen, value)
        more = manifest.of_variable(seen, pod, container, linked, value)
        return Known(
            "config-error",
            more,
            f"Set enableServiceLinks: false in the pod's spec, or set {linked or 'the variable'} in {where}.",
        )
    name, value = manifest.variable_in(pod, container, text)
    if name:
        return Known("config-error", f"{name} is {value or 'empty'}", f"Correct {name} in {where}.")
    unset = manifest.unset_in(pod, container, text) if kind.is_empty else ""
    if unset:
        more = manifest.of_variable(seen, pod, container, unset, "")
        return Known("config-error", more, f"Set {unset} in {where}.")
    path, key, source = manifest.file_read(seen, pod, container) if OF_FILE.search(text) else ("", "", "")
    if path:
        return Known("config-error", f"the file is {path}, of {source}", f"Correct {key} in {source}.")
    return Known("config-error", "", "Correct the configuration: the ConfigMap, the variables or the arguments.")


def _link_of(seen: Observation, value: str) -> str:
    """The variable that Kubernetes makes with this value for a Service: NAME_PORT."""
    for service in seen.services:
        spec = service.get("spec") or {}
        for port in spec.get("ports") or []:
            if value.endswith(f"://{spec.get('clusterIP')}:{port.get('port')}"):
                return f"{service['metadata']['name'].upper().replace('-', '_')}_PORT"
    return ""


def _zone(_seen: Observation, _pod: Object, _container: str, kind: Kind) -> Known:
    return Known(
        "config-error",
        f"the image has no time zone data for {kind.what('what')}" if kind.what("what") else "",
        "Build the program with time/tzdata (go build -tags timetzdata), or copy /usr/share/zoneinfo into the image.",
    )


READERS: dict[str, t.Callable[[Observation, Object, str, Kind], Known]] = {
    "rbac": _forbidden,
    "kind-missing": _kind_missing,
    "token": _token,
    "argument": _argument,
    "file-missing": _missing_file,
    "file-wrong": _missing_file,
    "file-permission": _not_writable,
    "variable-missing": _variable,
    "malformed": _malformed,
    "time-zone": _zone,
}
