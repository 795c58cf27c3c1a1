# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Manifests from wherever they are: files, folders, kustomize folders, URLs, inline. All of it is read before anything
is applied, and each object knows its file and line."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import typing as t
import urllib.error
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_bytes
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object, describe
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.parse import inline, invalid, parse

KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml", "Kustomization")
ENDINGS = (".yaml", ".yml", ".json")
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
ATTEMPTS = 3
BACK_OFF = 1.0  # seconds before the second attempt, twice as many before each further one
FETCH_TIMEOUT = 30.0
KUSTOMIZE_TIMEOUT = 60.0
AGAIN = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses that another attempt may cure


class SourceError(CoverageError):
    """Manifests that cannot be obtained."""

    cause = "manifest-unreachable"


@dataclass(frozen=True)
class Url:
    """A manifest in the network; C(checksum): C(sha256:...), or "" where it may be another one tomorrow."""

    url: str
    checksum: str = ""


@dataclass(frozen=True)
class ManifestSources:
    """Where the manifests of one dependency are.

    :ivar paths: files, folders (their C(.yaml), C(.yml) and C(.json)) and kustomize folders.
    :ivar setting: what a user has written it in.
    """

    paths: tuple[str, ...] = ()
    urls: tuple[Url, ...] = ()
    objects: tuple[Object, ...] = ()
    setting: str = "dependencies"


@dataclass(frozen=True)
class Tools:
    """What reading needs: C(kubectl), and the folder that keeps what was fetched; C(keep): it may be written."""

    kubectl: str = "kubectl"
    cache_dir: str = ""
    keep: bool = True


@dataclass
class _Read:
    items: list[Item] = field(default_factory=list)
    findings: list[Diagnosis] = field(default_factory=list)


def check_sources(name: str, sources: ManifestSources) -> None:
    """Refuse what cannot be meant so.

    :raises InputError: nothing at all, no URL, or no checksum.
    """
    if not (sources.paths or sources.urls or sources.objects):
        raise InputError(
            f"Dependency {name} is of kind manifests and has none.",
            remedy="Set manifests, urls or objects.",
            setting=sources.setting,
            cause="manifest-invalid",
        )
    for item in sources.urls:
        parts = urllib.parse.urlsplit(item.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(
                f"Dependency {name}: {item.url!r} is not a URL (https://...).",
                remedy="Name files on the runner under manifests.",
                setting=sources.setting,
            )
        if item.checksum and not CHECKSUM.fullmatch(item.checksum):
            raise InputError(
                f"Dependency {name}: the checksum of {item.url} is not of the form sha256: and 64 hexadecimal digits.",
                setting=sources.setting,
            )


def read_sources(name: str, sources: ManifestSources, tools: Tools) -> list[Item]:
    """Return all objects, in the order in which they stand.

    :raises InputError: a file is missing or its content is invalid; every problem is reported.
    :raises SourceError: a URL does not answer, or gives something else than its checksum says.
    """
    read = _Read()
    for path in sources.paths:
        _read_path(name, Path(path), sources, tools, read)
    for url in sources.urls:
        text = _fetched(name, url, sources, tools)
        _read_text(text, url.url, read)
    more, problems = inline(sources.objects)
    read.items += [Item(item.content, item.where.replace("workload.", "")) for item in more]
    read.findings += problems
    _refuse_findings(name, sources, read.findings)
    _refuse_twice(name, sources, read.items)
    return read.items


def _read_path(name: str, path: Path, sources: ManifestSources, tools: Tools, read: _Read) -> None:
    if path.is_dir():
        if any((path / file).is_file() for file in KUSTOMIZATION):
            _read_text(_kustomized(name, path, sources, tools), str(path), read, lines=False)
            return
        files = sorted(item for item in path.iterdir() if item.suffix in ENDINGS and item.is_file())
        if not files:
            raise InputError(
                f"Dependency {name}: the folder {path} holds no manifest ({', '.join(ENDINGS)}) and no kustomization.",
                setting=sources.setting,
                cause="manifest-invalid",
            )
    else:
        files = [path]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"Dependency {name}: the manifest {file} cannot be read ({error.strerror}).",
                remedy=_near_file(file),
                setting=sources.setting,
                cause="manifest-invalid",
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(
                f"Dependency {name}: the manifest {file} is not text in UTF-8.",
                setting=sources.setting,
                cause="manifest-invalid",
            ) from error
        _read_text(text, str(file), read)


def _near_file(file: Path) -> str:
    if not file.parent.is_dir():
        return f"There is no folder {file.parent}."
    near = nearest(file.name, [item.name for item in file.parent.iterdir()])
    return f"The nearest is {file.parent / near}." if near else ""


def _read_text(text: str, where: str, read: _Read, *, lines: bool = True) -> None:
    """Take the objects of a text; C(lines): whether they stand where a person can look."""
    items, problems = parse(text, where)
    if not items and not problems:
        problems = [invalid("It contains no object.", where=where)]
    read.items += [item if lines else Item(item.content, where) for item in items]
    read.findings += problems


def _refuse_findings(name: str, sources: ManifestSources, findings: t.Sequence[Diagnosis]) -> None:
    if not findings:
        return
    found = [item.located().replace("workload.objects", "objects") for item in findings]
    more = f" ({len(found) - 1} more below)" if len(found) > 1 else ""
    raise InputError(
        f"The manifests of dependency {name} are not valid: {found[0]}{more}",
        remedy=findings[0].remedy,
        setting=sources.setting,
        evidence=found,
        cause="manifest-invalid",
    )


def _refuse_twice(name: str, sources: ManifestSources, items: t.Sequence[Item]) -> None:
    seen: dict[tuple[str, str], Item] = {}
    for item in items:
        key = (str(item.content["apiVersion"]).rpartition("/")[0], describe(item.content))
        if key in seen:
            raise InputError(
                f"The manifests of dependency {name} have {key[1]} twice: {seen[key].where} and {item.where}.",
                remedy="Remove one of them.",
                setting=sources.setting,
                cause="manifest-invalid",
            )
        seen[key] = item


def _kustomized(name: str, folder: Path, sources: ManifestSources, tools: Tools) -> str:
    try:
        done = run(
            [tools.kubectl, "kustomize", str(folder)],
            purpose=f"build the kustomization {folder} of dependency {name}",
            timeout=KUSTOMIZE_TIMEOUT,
            remedy="Correct it: 'kubectl kustomize' shows the same error.",
            setting=sources.setting,
        )
    except CommandError as error:
        if error.cause == "command-not-found":
            error.amend(
                remedy="Install kubectl on the runner, or name it; or pass the output of the kustomization as a file.",
                setting="service_dependencies#kubectl",
            )
        else:
            error.amend(cause="manifest-invalid")
        raise
    return done.stdout


def _fetched(name: str, url: Url, sources: ManifestSources, tools: Tools) -> str:
    """Return the content of a URL; with a checksum it is fetched once and kept."""
    kept = Path(tools.cache_dir) / "manifests" / f"{url.checksum.removeprefix('sha256:')}.yaml"
    if url.checksum and kept.is_file():
        content = kept.read_bytes()
        if _digest(content) == url.checksum:
            return _decoded(name, url, sources, content)
    content = _fetch(name, url, sources)
    if url.checksum:
        if _digest(content) != url.checksum:
            raise SourceError(
                f"Dependency {name}: {url.url} does not match its checksum ({_digest(content)}).",
                remedy="Check what has changed there, then correct the checksum.",
                setting=sources.setting,
                cause="checksum-mismatch",
            )
        if tools.keep and tools.cache_dir:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(kept, content)
    return _decoded(name, url, sources, content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _decoded(name: str, url: Url, sources: ManifestSources, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"Dependency {name}: what {url.url} gives is not text in UTF-8.",
            setting=sources.setting,
            cause="manifest-invalid",
        ) from error


def _fetch(name: str, url: Url, sources: ManifestSources) -> bytes:
    said: list[str] = []
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACK_OFF * 2 ** (attempt - 1))
        report_progress(f"fetch {url.url}" + (f" (attempt {attempt + 1} of {ATTEMPTS})" if attempt else ""))
        try:
            with open_url(url.url, timeout=FETCH_TIMEOUT, http_agent="kubernaut-coverage") as answer:
                return t.cast(bytes, answer.read())
        except urllib.error.HTTPError as error:
            said.append(f"HTTP {error.code} {error.reason}")
            error.close()
            if error.code not in AGAIN:
                break
        except (OSError, http.client.HTTPException, UrlConnectionError, SSLValidationError) as error:
            # URLError is an OSError
            said.append(str(getattr(error, "reason", "") or error))
    raise SourceError(
        f"Dependency {name}: {url.url} cannot be fetched: {said[-1]}.",
        remedy="Check the address and the network; or save the manifest as a file and name it under manifests.",
        setting=sources.setting,
        evidence=[f"attempt {number}: {what}" for number, what in enumerate(said, 1)],
    )
