# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Dependencies that are nothing but manifests: applied in an order that works, waited for, and removed again.

What this collection made is marked with a label and listed in a ConfigMap in the service's namespace before it
is created. So it can be removed without the manifests, and nothing else is. What existed before is applied, not marked,
and kept.
"""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import conditions
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.conditions import Patience
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import MANIFESTS
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import (
    COMPONENT_LABEL,
    MANAGED_LABEL,
    MANAGER,
    NAME_LABEL,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.until import Until, check_until
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    NOT_FOUND,
    Cluster,
    KubernetesError,
    Object,
    describe,
    same,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import (
    ManifestSources,
    check_sources,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import redacted_text

# whose it is: the namespace of the service and the name of the dependency
LABEL = "coverage.kubernaut.io/dependency"
DEFINITION = "CustomResourceDefinition"
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
# what is not there yet, and comes by itself: an API that was just defined, a webhook whose pod just started
COMES = ("crd-missing", "admission-webhook-unreachable")
RETRY = 0.3
GONE_TIMEOUT = 60.0


@dataclass(frozen=True)
class ManifestDependency:
    """What a user asks for; see the options of the module service_dependencies."""

    name: str
    sources: ManifestSources
    after: tuple[str, ...] = ()
    until: tuple[Until, ...] = ()
    namespace: str = ""
    timeout: float = 0.0
    kind: str = MANIFESTS


@dataclass
class Applied:
    """What was done with the objects. C(pairs): (before, after) of each that was changed."""

    changed: list[str] = field(default_factory=list)
    pairs: list[tuple[t.Optional[Object], t.Optional[Object]]] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reference:
    """What is needed to find an object again."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, item: Object, namespace: str) -> Reference:
        """Return that of an object, which is in C(namespace) where it names none."""
        metadata = item["metadata"]
        return cls(item["apiVersion"], item["kind"], metadata.get("namespace") or namespace, metadata["name"])

    def stub(self) -> Object:
        """Return an object that is nothing but found."""
        metadata = {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}


def check_manifests(wanted: ManifestDependency) -> None:
    """Refuse what cannot be meant so, before anything is changed.

    :raises InputError: no manifests, a condition that is none.
    """
    check_sources(wanted.sources)
    where, setting = f"Dependency {wanted.name}, until", wanted.sources.setting
    for until in wanted.until:
        check_until(until, where, setting)


def in_order(items: t.Sequence[Item]) -> list[Item]:
    """Return objects so that each finds what it needs: namespaces, definitions, the rest, what runs pods, custom
    resources, webhooks."""
    defined = {
        (
            ((item.content.get("spec") or {}).get("group")),
            ((item.content.get("spec") or {}).get("names") or {}).get("kind"),
        )
        for item in items
        if item.kind == DEFINITION
    }

    def rank(item: Item) -> int:
        group = str(item.content["apiVersion"]).rpartition("/")[0]
        if item.kind == "Namespace":
            return 0
        if item.kind == DEFINITION:
            return 1
        if (group, item.kind) in defined:
            return 4
        if item.kind in WEBHOOKS:
            return 5
        return 3 if item.kind in (*conditions.WORKLOADS, "CronJob") else 2

    return sorted(items, key=rank)


def apply_manifests(
    cluster: Cluster,
    wanted: ManifestDependency,
    items: t.Sequence[Item],
    namespace: str,
    patience: Patience,
    *,
    check: bool,
) -> Applied:
    """Apply all objects and remove those that are no longer in the manifests; return what was changed.

    :arg items: what R(_manifests.sources.read_sources) returned. :arg namespace: of the service.
    :raises KubernetesError: the API server refuses one; file and line are in the evidence.
    :raises DependencyError: a CustomResourceDefinition is not established.
    """
    applied = Applied()
    inside = wanted.namespace or namespace
    items = in_order(items)
    owner = owner_label(wanted.name, namespace)
    listed = _listed(cluster, wanted.name, namespace)
    references = [Reference.of(item.content, inside) for item in items]
    if not check:
        _list(cluster, wanted.name, namespace, list(dict.fromkeys([*listed, *references])))
    applying = _Applying(cluster, inside, owner, patience, check, applied)
    definitions = [item.content for item in items if item.kind == DEFINITION]
    established = not definitions
    for number, item in enumerate(items):
        if not established and item.kind not in ("Namespace", DEFINITION):
            if not check:
                report_progress(f"definitions of {wanted.name}")
                conditions.wait_established(cluster, definitions, patience)
            established = True
        report_progress(f"apply {wanted.name} ({number + 1} of {len(items)})")
        applying.apply(item)
    if not established and not check:
        conditions.wait_established(cluster, definitions, patience)
    left = [reference for reference in listed if reference not in references]
    _remove(cluster, left, inside, owner, applied, check=check)
    if not check:
        _list(cluster, wanted.name, namespace, references)
    return applied


class _Applying:
    """The application of one dependency's objects."""

    def __init__(
        self, cluster: Cluster, inside: str, owner: str, patience: Patience, check: bool, applied: Applied
    ) -> None:
        self.cluster, self.inside, self.owner, self.patience = cluster, inside, owner, patience
        self.check, self.applied = check, applied

    def apply(self, item: Item) -> None:
        """Apply one object; what it needs and is only coming is waited for."""
        for _waited in poll(RETRY):
            try:
                after, before = self._apply(item)
                break
            except KubernetesError as error:
                if self.check and (error.cause == "crd-missing" or error.status == NOT_FOUND):
                    after, before = item.content, None  # its kind or namespace is to be made, too
                    break
                if error.cause not in COMES or self.check or self.patience.left <= 0:
                    error.amend(evidence=[item.where, *error.evidence])
                    raise
        name = describe(item.content)
        self.applied.objects.append(name)
        if not same(before, after):
            self.applied.changed.append(name)
            self.applied.pairs.append((before, after))

    def _apply(self, item: Item) -> tuple[Object, t.Optional[Object]]:
        content = dict(item.content)
        before = self.cluster.get(self.cluster.path(content, namespace=self.inside))
        mark = self.owner if before is None else (before["metadata"].get("labels") or {}).get(LABEL)
        if mark is not None:
            # what another dependency made stays that one's
            labels = {**(content["metadata"].get("labels") or {}), LABEL: mark}
            content["metadata"] = {**content["metadata"], "labels": labels}
        return self.cluster.apply(content, namespace=self.inside, dry_run=self.check)


def wait_for_manifests(
    cluster: Cluster, wanted: ManifestDependency, items: t.Sequence[Item], namespace: str, patience: Patience
) -> None:
    """Return when what was applied is ready: the conditions that were given, else what the kinds say.

    :raises NotReady: the gate's verdict over a workload. :raises DependencyError: the time is over.
    """
    inside = wanted.namespace or namespace
    contents = [item.content for item in items]
    if wanted.until:
        conditions.wait_until(cluster, wanted.until, contents, inside, patience)
    else:
        conditions.wait_by_kind(cluster, contents, inside, patience)


HIDDEN = "hidden"
BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


def differences(pairs: t.Sequence[tuple[t.Optional[Object], t.Optional[Object]]]) -> list[dict[str, str]]:
    """Return (before, after) as C(--diff) shows them: without what the API server keeps for itself, and no secrets."""
    import yaml

    def text(item: t.Optional[Object], other: t.Optional[Object]) -> str:
        if item is None:
            return ""
        shown = {key: value for key, value in item.items() if key != "status"}
        shown["metadata"] = {key: value for key, value in item["metadata"].items() if key not in BOOKKEEPING}
        if item["kind"] == "Secret":
            for key in ("data", "stringData"):
                old = (other or {}).get(key) or {}
                if key in item:
                    shown[key] = {
                        name: HIDDEN if other is None or old.get(name) == value else f"{HIDDEN}, changed"
                        for name, value in (item[key] or {}).items()
                    }
        return redacted_text(str(yaml.safe_dump(json.loads(json.dumps(shown)))))

    shown = []
    for before, after in pairs:
        name = describe(t.cast(Object, after or before))
        shown.append(
            {
                "before_header": name,
                "after_header": name,
                "before": text(before, None),
                "after": text(after, before),
            }
        )
    return shown


# the list of what was made


def owner_label(name: str, namespace: str) -> str:
    """Return the label's value: whose an object is, in the 63 characters that a label has."""
    owner = f"{namespace}.{name}"
    if len(owner) <= 63:
        return owner
    return f"{owner[:50].rstrip('-.')}-{hashlib.sha256(owner.encode()).hexdigest()[:12]}"


def _list_object(name: str, namespace: str, references: t.Sequence[Reference]) -> Object:
    labels = {NAME_LABEL: name, COMPONENT_LABEL: MANIFESTS, MANAGED_LABEL: MANAGER}
    rows = [[item.api_version, item.kind, item.namespace, item.name] for item in references]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-dependency", "namespace": namespace, "labels": labels},
        "data": {"objects": "\n".join(json.dumps(row) for row in rows)},
    }


def _list(cluster: Cluster, name: str, namespace: str, references: t.Sequence[Reference]) -> None:
    cluster.apply(_list_object(name, namespace, references))


def _listed(cluster: Cluster, name: str, namespace: str) -> list[Reference]:
    found = cluster.get(cluster.path(_list_object(name, namespace, [])))
    text = ((found or {}).get("data") or {}).get("objects") or ""
    return [Reference(*json.loads(line)) for line in text.splitlines()]


# and away


def remove_manifests(cluster: Cluster, name: str, namespace: str, *, check: bool) -> Applied:
    """Delete what was made for a dependency, in the opposite order, and return when it is gone.

    :raises DependencyError: something does not go (a finalizer).
    """
    applied = Applied()
    _remove(cluster, _listed(cluster, name, namespace), namespace, owner_label(name, namespace), applied, check=check)
    record = cluster.path(_list_object(name, namespace, []))
    if not check and cluster.get(record) is not None:
        cluster.delete(record)
    return applied


def _remove(
    cluster: Cluster, references: t.Sequence[Reference], inside: str, owner: str, applied: Applied, *, check: bool
) -> None:
    ours: list[tuple[str, Object]] = []
    for reference in reversed(references):
        path, live = conditions.found_or_none(cluster, reference.stub(), inside)
        if live is None or (live["metadata"].get("labels") or {}).get(LABEL) != owner:
            continue
        ours.append((path, live))
        applied.changed.append(describe(live))
        applied.pairs.append((live, None))
    if check:
        return
    deadline = time.monotonic() + GONE_TIMEOUT
    waiting = []
    for path, live in ours:
        cluster.delete(path, uid=live["metadata"]["uid"])
        if _is_custom(live):
            # what runs it may have to see it off, and goes after it
            _wait_until_gone(cluster, path, live, deadline)
        else:
            waiting.append((path, live))
    for path, live in waiting:
        _wait_until_gone(cluster, path, live, deadline)


def _is_custom(item: Object) -> bool:
    group = str(item["apiVersion"]).rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _wait_until_gone(cluster: Cluster, path: str, item: Object, deadline: float) -> None:
    left: t.Optional[Object] = None
    for _waited in poll(conditions.POLL, deadline - time.monotonic()):
        left = cluster.get(path)
        if left is None or left["metadata"]["uid"] != item["metadata"]["uid"]:
            return
        report_progress(f"wait for {describe(item)} to go")
    finalizers = left["metadata"].get("finalizers") if left else None
    raise conditions.DependencyError(
        f"{describe(item)} was deleted, but still exists.",
        remedy="A finalizer blocks it: check what should clear it, or clear it.",
        evidence=[f"finalizer {name}" for name in finalizers or []],
        cause="dependency-stays",
    )
