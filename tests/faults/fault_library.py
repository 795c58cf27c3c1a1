# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault is, and whether what was said of it is right. Nothing here touches a cluster."""

from __future__ import annotations

import copy
import dataclasses
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import yaml

HERE = Path(__file__).resolve().parent
TARGET_SECONDS = 5.0
ROLLOUT_TIMEOUT = 300
# apply: the objects are refused. gate: it never becomes ready. extraction: the counters do not come home, or not all.
# report: they do, and are not what they seem. healthy: nothing is wrong, however odd it looks.
STAGES = ("apply", "gate", "extraction", "report", "healthy")
KINDS = ("pods", "events", "replicasets", "jobs")

Object = dict[str, t.Any]


class BadFault(ValueError):
    """A fault.yml that says something it must not, or not what it must."""


@dataclass(frozen=True)
class Expected:
    """The verdict that is right.

    :ivar cause: its id. :ivar or_cause: another that is as right: which of the two is said depends on the moment.
    :ivar says: words of its sentence. :ivar quotes: words of its evidence.
    :ivar setting: the variable that it names; not asked where None.
    :ivar also: words of the second cause, in the sentence, the evidence or what else was seen.
    :ivar within: seconds from the sign's first visibility to the verdict.
    :ivar why_slow: why that is more than the target.
    """

    cause: str = ""
    or_cause: str = ""
    says: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    setting: t.Optional[str] = None
    also: tuple[str, ...] = ()
    within: float = TARGET_SECONDS
    why_slow: str = ""


@dataclass(frozen=True)
class Fault:
    """One fault.yml; README.md says what its keys mean."""

    name: str
    description: str
    stage: str
    expect: Expected
    sign: dict[str, str] = field(default_factory=dict)
    kind: str = "Deployment"
    arguments: tuple[str, ...] = ()
    image: str = "instrumented"
    images: tuple[str, ...] = ()
    settings: Object = field(default_factory=dict)
    spec: Object = field(default_factory=dict)
    pod: Object = field(default_factory=dict)
    container: Object = field(default_factory=dict)
    changed: Object = field(default_factory=dict)
    objects: tuple[Object, ...] = ()
    dependencies: tuple[Object, ...] = ()
    labels: Object = field(default_factory=dict)
    folders: bool = True
    webhook: bool = False
    before: tuple[Object, ...] = ()
    meanwhile: tuple[Object, ...] = ()
    during: tuple[Object, ...] = ()
    cleanup: tuple[Object, ...] = ()
    # the end of a wait that a verdict ends long before; where the time limit itself is the fault, it is in fault.yml
    patience: float = 180.0
    # only injected with --all, or by its name
    slow: bool = False

    @property
    def namespace(self) -> str:
        """Each fault has its own; it is the run's id, too."""
        return f"faults-{self.name}"

    @property
    def all_images(self) -> set[str]:
        """Names of the images that must be on the nodes."""
        return {self.image, *self.images}


@dataclass
class Verdict:
    """What was said, in the words of any of the stages; empty where nothing was."""

    cause: str = ""
    sentence: str = ""
    evidence: list[str] = field(default_factory=list)
    remedy: str = ""
    setting: str = ""
    also: list[str] = field(default_factory=list)


@dataclass
class Result:
    """One row of the table.

    :ivar seconds: from the sign's first visibility to the verdict; None where no sign was seen.
    :ivar rollout: what C(kubectl rollout status) would have done, in words.
    :ivar problems: why this is not right; empty where it is.
    """

    name: str
    stage: str
    verdict: Verdict
    seconds: t.Optional[float]
    waited: float
    rollout: str
    problems: list[str]

    @property
    def ok(self) -> bool:
        """Whether the verdict is right."""
        return not self.problems


def load(folder: Path = HERE, names: t.Sequence[str] = ()) -> list[Fault]:
    """Return the faults below a folder in order of their names, or those that are named.

    :raises BadFault: there is no such fault, or one is not written as it must be.
    """
    found = {path.parent.name: path for path in sorted(folder.glob("*/fault.yml"))}
    unknown = set(names) - set(found)
    if unknown:
        raise BadFault(f"no fault is named {', '.join(sorted(unknown))}; there are: {', '.join(found)}")
    return [parse(name, yaml.safe_load(path.read_text())) for name, path in found.items() if not names or name in names]


def parse(name: str, content: t.Any) -> Fault:
    """Return the fault that a fault.yml describes.

    :raises BadFault: it has keys that mean nothing, or says too little to be judged by.
    """
    if not isinstance(content, dict):
        raise BadFault(f"{name}: not a mapping")
    expected = _made(name, Expected, content.get("expect") or {})
    fault = _made(name, Fault, {**content, "name": name, "expect": expected})
    if fault.stage not in STAGES:
        raise BadFault(f"{name}: stage {fault.stage!r} is none of {', '.join(STAGES)}")
    if not fault.description:
        raise BadFault(f"{name}: no description")
    if fault.stage == "healthy":
        if expected.cause:
            raise BadFault(f"{name}: what is healthy has no cause")
        return fault
    if not expected.cause or not (expected.says or expected.quotes):
        raise BadFault(f"{name}: a cause and words of its sentence or evidence are expected of every verdict")
    if fault.stage in ("gate", "extraction") and (len(fault.sign) != 1 or set(fault.sign) - {*KINDS}):
        raise BadFault(f"{name}: one sign is needed, under one of {', '.join(KINDS)}")
    if (expected.within > TARGET_SECONDS) != bool(expected.why_slow):
        raise BadFault(f"{name}: within is above {TARGET_SECONDS:g} s if, and only if, why_slow says why")
    return fault


def _made(name: str, cls: t.Any, values: Object) -> t.Any:
    """A dataclass from what YAML gives: lists become tuples, unknown keys are errors."""
    known = {item.name: item for item in dataclasses.fields(cls)}
    unknown = set(values) - set(known)
    if unknown:
        raise BadFault(f"{name}: unknown key {', '.join(sorted(unknown))}")
    try:
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except TypeError as error:
        raise BadFault(f"{name}: {error}") from error


def merged(base: t.Any, change: t.Any) -> t.Any:
    """Dictionaries are merged, lists of named things by name, other lists are joined, null removes, else replaced."""
    if isinstance(base, dict) and isinstance(change, dict):
        both = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
        return {key: value for key, value in both.items() if value is not None}
    if isinstance(base, list) and isinstance(change, list):
        result = list(base)
        for item in change:
            key = next((key for key in ("name", "mountPath") if isinstance(item, dict) and key in item), None)
            same = [at for at, old in enumerate(result) if key and old.get(key) == item[key]]
            if same:
                result[same[0]] = merged(result[same[0]], item)
            else:
                result.append(copy.deepcopy(item))
        return result
    return copy.deepcopy(change)


def as_kind(deployment: Object, kind: str, spec: Object) -> Object:
    """Return a Deployment as a workload of another kind, with what is changed in that kind's own spec."""
    template, metadata = deployment["spec"]["template"], deployment["metadata"]
    if kind == "Pod":
        return {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {**metadata, **template["metadata"]},
            "spec": merged(template["spec"], spec),
        }
    if kind in ("Job", "CronJob"):
        job = {"spec": {"template": template}} if kind == "CronJob" else {}
        own = {"jobTemplate": job} if job else {"template": template}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": merged(own, spec)}
    return {**deployment, "kind": kind, "spec": merged(deployment["spec"], spec)}


def filled(value: t.Any, words: t.Mapping[str, str]) -> t.Any:
    """Put words in for C({their names}) in every text of a structure; other braces stay."""
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"{{{name}}}", word)
        return value
    if isinstance(value, dict):
        return {key: filled(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(item, words) for item in value]
    return value


def judge(fault: Fault, verdict: Verdict, seconds: t.Optional[float], *, strict: bool = False) -> list[str]:
    """Say what is wrong with a verdict; nothing where it is right.

    :arg strict: whether a verdict that is right and late is wrong. A busy machine is late with everything, so the
        seconds are a figure of the table and no more.
    """
    expected = fault.expect
    if fault.stage == "healthy":
        if verdict.cause:
            return [f"false alarm: {verdict.cause}: {verdict.sentence}"]
        # of a workload that was not odd at all, no verdict proves nothing
        return ["it was not odd: its sign was never seen"] if fault.sign and seconds is None else []
    if not verdict.cause:
        return [f"no verdict; {expected.cause} was expected"]
    problems = []
    if verdict.cause not in (expected.cause, expected.or_cause):
        problems.append(f"cause {verdict.cause} instead of {expected.cause}")
    problems += [f"the sentence does not say {words!r}" for words in expected.says if words not in verdict.sentence]
    evidence = "\n".join(verdict.evidence)
    problems += [f"the evidence does not quote {words!r}" for words in expected.quotes if words not in evidence]
    everything = "\n".join((verdict.sentence, evidence, *verdict.also))
    problems += [f"the second cause is not mentioned: {words!r}" for words in expected.also if words not in everything]
    if expected.setting is not None and verdict.setting != expected.setting:
        problems.append(f"setting {verdict.setting or '(none)'} instead of {expected.setting}")
    if not verdict.remedy:
        problems.append("no remedy")
    if fault.stage in ("gate", "extraction"):
        if seconds is None:
            problems.append("the sign was never seen")
        elif strict and seconds > expected.within:
            problems.append(f"{seconds:.1f} s after its sign, {expected.within:g} s are allowed")
    return problems


def table(results: t.Sequence[Result]) -> str:
    """Return the table as Markdown, the totals below it."""
    lines = [
        "| Fault | Verdict | Named | Seconds from its sign | `kubectl rollout status` |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in results:
        named = "right" if result.ok else "**wrong**: " + "; ".join(result.problems).replace("|", "\\|")
        cause = f"`{result.verdict.cause}`" if result.verdict.cause else "none"
        seconds = "-" if result.seconds is None else f"{result.seconds:.1f}"
        lines.append(f"| {result.name} | {cause} | {named} | {seconds} | {result.rollout} |")
    healthy = [result for result in results if result.stage == "healthy"]
    ill = [result for result in results if result.stage != "healthy"]
    in_time = sorted(result.seconds for result in ill if result.seconds is not None)
    lines += [
        "",
        f"{sum(result.ok for result in ill)} of {len(ill)} faults named right; "
        f"{sum(bool(result.verdict.cause) for result in healthy)} false alarms in {len(healthy)} healthy workloads.",
    ]
    if in_time:
        median = in_time[len(in_time) // 2]
        late = [result.name for result in ill if result.seconds is not None and result.seconds > TARGET_SECONDS]
        lines.append(
            f"Seconds from the sign to the verdict: median {median:.1f}, longest {in_time[-1]:.1f}; "
            f"over {TARGET_SECONDS:g}: {', '.join(late) or 'none'}."
        )
    return "\n".join(lines)


def junit(results: t.Sequence[Result]) -> str:
    """Return a JUnit report: one test case for each fault."""
    suite = ElementTree.Element("testsuite", name="faults", tests=str(len(results)))
    for result in results:
        case = ElementTree.SubElement(suite, "testcase", name=result.name, time=f"{result.waited:.2f}")
        if not result.ok:
            ElementTree.SubElement(case, "failure", message="; ".join(result.problems))
    return ElementTree.tostring(suite, encoding="unicode")
