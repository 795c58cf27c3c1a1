# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Manifests from wherever they are: files, folders, kustomize folders, URLs, inline.

All of it is read before anything is applied, and each object knows its file and line.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object, describe
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.fetch import Url, check_url, fetch, is_url
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.parse import inline, invalid, parse

KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml", "Kustomization")
ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZE_TIMEOUT = 60.0


@dataclass(frozen=True)
class ManifestSources:
    """Where manifests are.

    :ivar paths: files, folders (their C(.yaml), C(.yml) and C(.json)), kustomize folders, and URLs.
    :ivar urls: more URLs, with their checksums.
    :ivar folder: what relative paths are relative to.
    :ivar owner: whose manifests these are, in sentences: C(dependency crds), C(the workload).
    :ivar setting: what a user has written it in.
    """

    paths: tuple[str, ...] = ()
    urls: tuple[Url, ...] = ()
    objects: tuple[Object, ...] = ()
    folder: str = "/"
    owner: str = "the workload"
    setting: str = "workload.manifests"


@dataclass(frozen=True)
class Tools:
    """What reading needs.

    :ivar kubectl: builds kustomize folders. :ivar setting: what a user names it in.
    :ivar cache_dir: folder that keeps downloads. :ivar keep: whether it may be written.
    """

    kubectl: str = "kubectl"
    cache_dir: str = ""
    keep: bool = True
    setting: str = "service_dependencies#kubectl"


@dataclass
class Gathered:
    """What was read: the objects in the order of their sources, and what is wrong, in the same order."""

    items: list[Item] = field(default_factory=list)
    problems: list[Diagnosis] = field(default_factory=list)

    def take(self, text: str, where: str, *, lines: bool = True) -> None:
        """Take the objects of a text; C(lines): whether its lines are those of a file that a person can open."""
        items, problems = parse(text, where)
        if not items and not problems:
            problems = [invalid("It contains no object.", where=where)]
        self.items += [item if lines else Item(item.content, where) for item in items]
        self.problems += problems


def check_sources(sources: ManifestSources) -> None:
    """Refuse what cannot be meant so.

    :raises InputError: nothing at all, no URL, or no checksum.
    """
    if not (sources.paths or sources.urls or sources.objects):
        raise InputError(
            f"There are no manifests of {sources.owner}.",
            remedy="Set manifests, urls or objects.",
            setting=sources.setting,
            cause="manifest-invalid",
        )
    for item in sources.urls:
        try:
            check_url(item)
        except InputError as error:
            raise _of(sources, error) from error


def gather(sources: ManifestSources, tools: Tools) -> Gathered:
    """Read all sources and return their objects and everything that is wrong; nothing is raised for a manifest."""
    found = Gathered()
    for path in sources.paths:
        try:
            if is_url(path):
                found.take(fetch(Url(path), tools.cache_dir, keep=tools.keep), path)
            else:
                _take_path(path, sources, tools, found)
        except CoverageError as error:
            found.problems.append(error.diagnosis.changed(setting=error.setting or sources.setting))
    for url in sources.urls:
        try:
            check_url(url)
            found.take(fetch(url, tools.cache_dir, keep=tools.keep), url.url)
        except CoverageError as error:
            found.problems.append(error.diagnosis.changed(setting=sources.setting))
    items, problems = inline(sources.objects, "objects")
    found.items += items
    found.problems += problems
    return found


def read_sources(sources: ManifestSources, tools: Tools) -> list[Item]:
    """Return all objects, in the order of their sources.

    :raises InputError: a file is missing or its content is invalid; every problem is reported.
    :raises CoverageError: a URL does not answer or gives something else than its checksum says, a kustomize folder
        cannot be built.
    """
    found = gather(sources, tools)
    if found.problems:
        raise _refused(sources, found.problems)
    return found.items


def refuse_twice(sources: ManifestSources, items: t.Sequence[Item]) -> None:
    """Refuse objects that are the same one: the second would undo the first.

    :raises InputError: naming both.
    """
    seen: dict[tuple[str, str], Item] = {}
    for item in items:
        key = (str(item.content["apiVersion"]).rpartition("/")[0], describe(item.content))
        if key in seen:
            raise InputError(
                f"The manifests of {sources.owner} have {key[1]} twice: {seen[key].where} and {item.where}.",
                remedy="Remove one of them.",
                setting=sources.setting,
                cause="manifest-invalid",
            )
        seen[key] = item


def _of(sources: ManifestSources, error: CoverageError) -> CoverageError:
    """Return an error about a source as one that says whose it is."""
    owner = sources.owner[:1].upper() + sources.owner[1:]
    return error.amend(sentence=f"{owner}: {error.message}", setting=error.setting or sources.setting)


def _refused(sources: ManifestSources, problems: t.Sequence[Diagnosis]) -> CoverageError:
    first = problems[0]
    if len(problems) == 1 and first.cause != "manifest-invalid":
        return _of(sources, CoverageError.of(first))
    found = [problem.located() for problem in problems]
    more = f" ({len(found) - 1} more below)" if len(found) > 1 else ""
    return InputError(
        f"The manifests of {sources.owner} are not valid: {found[0]}{more}",
        remedy=first.remedy,
        setting=sources.setting,
        evidence=[*found, *first.evidence],
        cause=first.cause,
    )


def _take_path(path: str, sources: ManifestSources, tools: Tools, found: Gathered) -> None:
    place = Path(sources.folder) / path
    if not place.is_dir():
        _take_file(place, path, found)
        return
    if any((place / file).is_file() for file in KUSTOMIZATION):
        found.take(_kustomized(place, tools), path, lines=False)
        return
    files = sorted(item for item in place.iterdir() if item.suffix in ENDINGS and item.is_file())
    if not files:
        raise InputError(
            f"The folder {place} contains no manifest ({', '.join(ENDINGS)}) and no kustomization.",
            cause="manifest-invalid",
        )
    for file in files:
        _take_file(file, str(Path(path) / file.name), found)


def _take_file(file: Path, shown: str, found: Gathered) -> None:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"The manifest {file} cannot be read ({error.strerror}).", remedy=_near_file(file), cause="manifest-invalid"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"The manifest {file} is not text in UTF-8.", cause="manifest-invalid") from error
    found.take(text, shown)


def _near_file(file: Path) -> str:
    if not file.parent.is_dir():
        return f"There is no folder {file.parent}."
    near = nearest(file.name, [item.name for item in file.parent.iterdir()])
    return f"The nearest is {file.parent / near}." if near else ""


def _kustomized(folder: Path, tools: Tools) -> str:
    try:
        done = run(
            [tools.kubectl, "kustomize", str(folder)],
            purpose=f"build the kustomization {folder}",
            timeout=KUSTOMIZE_TIMEOUT,
            remedy="Correct it: 'kubectl kustomize' shows the same error.",
        )
    except CommandError as error:
        if error.cause == "command-not-found":
            error.amend(
                remedy="Install kubectl on the runner, or name it; or pass the output of the kustomization as a file.",
                setting=tools.setting,
            )
        else:
            error.amend(cause="manifest-invalid")
        raise
    return done.stdout
