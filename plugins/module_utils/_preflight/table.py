# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What was found before anything is changed, as data and as one table; and how all checks are asked side by side."""

from __future__ import annotations

import textwrap
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import (
    ADVICE,
    ERROR,
    WARNING,
    Diagnosis,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import place_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import did_you_mean

OK = "ok"
NOT_APPLICABLE, NOT_CHECKED = "not applicable", "not checked"
STATES = (OK, ADVICE, WARNING, ERROR, NOT_APPLICABLE, NOT_CHECKED)

# Every check, in the order in which a fault hides the next: the first error is the verdict.
GROUPS: dict[str, dict[str, str]] = {
    "host": {
        "podman": "podman is installed and works",
        "kind": "kind is there",
        "user": "this user can run a cluster",
        "cgroups": "control groups suit podman and kind",
        "kernel": "kernel limits are high enough for the nodes",
        "disk": "the disks have room for three copies of the image",
        "memory": "enough memory is available",
        "cluster": "the cluster exists as described, or can be created",
        "node-image": "the nodes' image is in podman's store",
        "ports": "host ports are free",
        "mounts": "the folders that nodes mount exist",
    },
    "source": {
        "source": "the source exists in that version and can be built",
        "tests": "the tests' program and folder exist",
    },
    "Containerfile": {
        "containerfile": "the Containerfile can be read",
        "goflags": "the coverage flags reach Go",
        "main-package": "the program is built as a package",
        "goarch": "the program is built for the nodes' architecture",
        "sigterm": "SIGTERM reaches the program",
        "image-user": "the image's user suits the workload",
        "build-time": "no step wastes build time",
    },
    "manifests": {
        "manifests": "the manifests are readable and have no duplicate keys",
        "workload": "they contain the workload and its container",
        "workload-image": "which image the workload names",
        "references": "everything that pods refer to is in the manifests",
        "service-account": "the ServiceAccount is in the manifests",
        "services": "Services select the pods, NodePorts are mapped to the host",
        "probes": "probes use ports that the container has",
        "host-paths": "hostPath folders exist on the nodes",
    },
    "image": {
        "instrumented": "the program that the image starts is instrumented",
        "architecture": "it is built for this host",
        "process-1": "SIGTERM reaches the program in the image",
        "run-as": "the image's user suits the workload",
    },
    "nodes": {
        "nodes": "the nodes are ready and have room",
        "node-architecture": "the nodes can run the image",
        "image-on-nodes": "the image is on each node, by name and id",
        "coverage-folder": "the pod's user can write its counters there",
    },
}
CHECKS = {name: group for group, names in GROUPS.items() for name in names}


@dataclass(frozen=True)
class Finding(Diagnosis):
    """What one check found: a diagnosis, or a few words where nothing is wrong. One check may have several findings.

    :ivar severity: one of C(STATES): besides the severities of a diagnosis, that all is well, that the question does
        not arise, or that nobody could answer it.
    """

    check: str = ""

    @property
    def state(self) -> str:
        """The severity, as results of the module call it."""
        return self.severity

    @property
    def text(self) -> str:
        """The sentence, as results of the module call it."""
        return self.sentence

    def data(self, module: str = "preflight_info") -> dict[str, t.Any]:
        """Return it as the module does."""
        found = self.verdict(module)
        return {
            "group": CHECKS[self.check],
            "check": self.check,
            "state": self.severity,
            "text": self.sentence,
            "where": self.where,
            **{name: found[name] for name in ("remedy", "setting", "contract_key", "option", "cause", "evidence")},
            "documentation": found["documentation"],
        }


def finding(
    check: str,
    state: str,
    text: str,
    remedy: str = "",
    setting: str = "",
    *,
    cause: str = "",
    where: str = "",
    evidence: t.Sequence[str] = (),
) -> Finding:
    """Return a finding; C(text) is a whole sentence where something is wrong, else a few words."""
    return Finding(cause, text, evidence, remedy, setting, severity=state, where=where, check=check)


def diagnosed(check: str, found: Diagnosis) -> Finding:
    """Return a diagnosis as what a check found."""
    return finding(
        check,
        found.severity,
        found.sentence,
        found.remedy,
        found.setting,
        cause=found.cause,
        where=found.where,
        evidence=found.evidence,
    )


def failed(check: str, error: CoverageError) -> Finding:
    """Return the finding that an error of the library is."""
    return finding(check, ERROR, error.message, error.remedy, error.setting, cause=error.cause, evidence=error.evidence)


@dataclass(frozen=True)
class Check:
    """One question. C(needs): other checks; where one of those has an error, this one's errors only follow from it."""

    name: str
    look: t.Callable[[], t.Iterable[Finding]]
    needs: tuple[str, ...] = ()


_Value = t.TypeVar("_Value")


def once(look: t.Callable[[], _Value]) -> t.Callable[[], _Value]:
    """Return a function that several checks can call: the first asks, all get its answer or its CoverageError."""
    lock = threading.Lock()
    answers: list[_Value] = []
    errors: list[CoverageError] = []

    def ask() -> _Value:
        with lock:
            if errors:
                raise errors[0]
            if not answers:
                try:
                    answers.append(look())
                except CoverageError as error:
                    errors.append(error)
                    raise
            return answers[0]

    return ask


def check_names(names: t.Iterable[str]) -> frozenset[str]:
    """Return the names of checks as a set.

    :raises InputError: one is unknown; the nearest is named.
    """
    names = list(names)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise InputError(
            f"There is no check {unknown[0]!r} to skip.{did_you_mean(unknown[0], CHECKS)}",
            setting="preflight_info#skip",
            evidence=[f"checks: {', '.join(CHECKS)}"],
        )
    return frozenset(names)


def run_checks(checks: t.Sequence[Check], skip: t.Collection[str] = ()) -> list[Finding]:
    """Ask every check in a thread of its own and return what was found, in the order of C(GROUPS).

    A CoverageError is an error of that check. Any other exception is a fault of this collection and not hidden.
    """
    asked = [check for check in checks if check.name not in skip]

    def ask(check: Check) -> list[Finding]:
        try:
            return list(check.look())
        except CoverageError as error:
            return [failed(check.name, error)]

    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        answers = list(pool.map(ask, asked))
    found = [item for answer in answers for item in answer]
    found += [finding(name, NOT_CHECKED, "left out (preflight_skip)") for name in CHECKS if name in skip]
    broken = {item.check for item in found if item.severity == ERROR}
    causes = {check.name: [name for name in check.needs if name in broken] for check in asked}
    found = [
        finding(item.check, NOT_CHECKED, f"see {causes[item.check][0]}")
        if item.severity == ERROR and causes.get(item.check)
        else item
        for item in found
    ]
    order = list(CHECKS)
    return sorted(dict.fromkeys(found), key=lambda item: order.index(item.check))


def verdict(found: t.Sequence[Finding], module: str = "preflight_info") -> t.Optional[CoverageError]:
    """Return the first error with all others in its evidence, or None."""
    errors = [item for item in found if item.severity == ERROR]
    if not errors:
        return None
    first, *others = errors
    also = [
        "also: "
        + " ".join(filter(None, [other.located(), other.remedy]))
        + (f" (setting: {place_of(other.setting, module).variable})" if other.setting else "")
        for other in others
    ]
    return CoverageError(
        first.located(),
        remedy=first.remedy,
        setting=first.setting,
        evidence=[*first.evidence, *also],
        cause=first.cause or CoverageError.cause,
    )


def summary(found: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return the counts in words: C(1 error, 2 warnings, 24 ok)."""
    counts = {state: sum(item["state"] == state for item in found) for state in STATES}
    words = [
        f"{counts[state]} {state}{'s' if counts[state] > 1 else ''}" for state in (ERROR, WARNING) if counts[state]
    ]
    words += [f"{counts[state]} {state}" for state in (ADVICE, OK, NOT_APPLICABLE, NOT_CHECKED) if counts[state]]
    return ", ".join(words)


def table(
    found: t.Sequence[t.Mapping[str, t.Any]], width: int = 100, *, title: str = "Preflight"
) -> list[tuple[str, str]]:
    """Return the findings as lines for a person, each with the state that it belongs to ("" for none).

    Plain text that fits in C(width) columns: check, result, what was found, and the remedy below it. Words longer than
    a column (paths, names) are not broken: they can be copied.

    :arg found: findings as C(Finding.data) gives them.
    """
    names = max((len(item["check"]) for item in found), default=0)
    marks = {NOT_APPLICABLE: "-", NOT_CHECKED: "-"}
    results = max(len(state) for state in STATES if state not in marks)
    indent = 2 + names + 2 + results + 2
    wrap = textwrap.TextWrapper(
        width=max(width - indent, 30), break_long_words=False, break_on_hyphens=False, fix_sentence_endings=False
    )
    lines: list[tuple[str, str]] = [(f"{title}: {summary(found)}", "")]
    for group, members in _by_group(found):
        texts = {f"{item['state']}: {item['text']}" for item in members}
        if len(members) > 1 and len(texts) == 1 and members[0]["state"] in marks:
            # one reason for all of them needs one line
            lines += [(line, "") for line in textwrap.wrap(f"{group}: {texts.pop()}", width, subsequent_indent="  ")]
            continue
        lines.append((group, ""))
        lines += _rows(members, wrap, names, results, marks)
    return lines


def _by_group(
    found: t.Sequence[t.Mapping[str, t.Any]],
) -> t.Iterator[tuple[str, list[t.Mapping[str, t.Any]]]]:
    for group in GROUPS:
        members = [item for item in found if item["group"] == group]
        if members:
            yield group, members


def _rows(
    found: t.Sequence[t.Mapping[str, t.Any]],
    wrap: textwrap.TextWrapper,
    names: int,
    results: int,
    marks: t.Mapping[str, str],
) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    indent = 2 + names + 2 + results + 2
    for item in found:
        state = item["state"]
        wrong = state in (ERROR, WARNING, ADVICE)
        text = f"{item['where']}: {item['text']}" if item["where"] and wrong else item["text"]
        if state in marks:
            text = f"{state}: {text}"
        first, *rest = wrap.wrap(text) or [""]
        lines.append((f"  {item['check']:<{names}}  {marks.get(state, state):<{results}}  {first}".rstrip(), state))
        below = list(rest)
        if wrong:
            if item["remedy"]:
                below += wrap.wrap(f"-> {item['remedy']}")
            if item["setting"]:
                below += wrap.wrap(f"-> setting: {item['setting']}")
        lines += [(f"{'':{indent}}{line}", "") for line in below]
    return lines


def shown(found: t.Sequence[t.Mapping[str, t.Any]], what: str) -> list[t.Mapping[str, t.Any]]:
    """Return the findings to be shown: C(all), or (C(problems)) all only if one is an error, else the warnings."""
    if what == "all" or any(item["state"] == ERROR for item in found):
        return list(found)
    return [item for item in found if item["state"] == WARNING]
