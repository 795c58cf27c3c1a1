# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Manifests in the network: downloaded with several attempts, and kept where a checksum says what they are."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import typing as t
import urllib.error
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_bytes
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress

CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
ATTEMPTS = 3
BACK_OFF = 1.0  # seconds before the second attempt, twice as many before each further one
FETCH_TIMEOUT = 30.0
AGAIN = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses that another attempt may cure


class SourceError(CoverageError):
    """A manifest that cannot be downloaded."""

    cause = "manifest-unreachable"


@dataclass(frozen=True)
class Url:
    """A manifest in the network; C(checksum): C(sha256:...), or "" where it may be another one tomorrow."""

    url: str
    checksum: str = ""


def is_url(text: str) -> bool:
    """Whether an entry of a list of manifests is an address and not a path."""
    return urllib.parse.urlsplit(text).scheme in ("http", "https")


def check_url(item: Url) -> None:
    """Refuse what cannot be downloaded or compared.

    :raises InputError: no URL, or no checksum.
    """
    if not is_url(item.url) or not urllib.parse.urlsplit(item.url).netloc:
        raise InputError(
            f"{item.url!r} is not a URL (https://...).", remedy="Name files on the runner under manifests."
        )
    if item.checksum and not CHECKSUM.fullmatch(item.checksum):
        raise InputError(f"The checksum of {item.url} is not of the form sha256: and 64 hexadecimal digits.")


def fetch(item: Url, cache_dir: str, *, keep: bool) -> str:
    """Return the content of a URL; with a checksum it is downloaded once and kept in C(cache_dir).

    :arg keep: whether it may be written there.
    :raises SourceError: it does not answer, or gives something else than its checksum says.
    :raises InputError: it gives no text.
    """
    kept = Path(cache_dir) / "manifests" / f"{item.checksum.removeprefix('sha256:')}.yaml"
    if item.checksum and kept.is_file():
        content = kept.read_bytes()
        if _digest(content) == item.checksum:
            return _decoded(item, content)
    content = _downloaded(item)
    if item.checksum:
        if _digest(content) != item.checksum:
            raise SourceError(
                f"{item.url} does not match its checksum ({_digest(content)}).",
                remedy="Check what has changed there, then correct the checksum.",
                cause="checksum-mismatch",
            )
        if keep and cache_dir:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(kept, content)
    return _decoded(item, content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _decoded(item: Url, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"What {item.url} gives is not text in UTF-8.", cause="manifest-invalid") from error


def _downloaded(item: Url) -> bytes:
    said: list[str] = []
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACK_OFF * 2 ** (attempt - 1))
        report_progress(f"download {item.url}" + (f" (attempt {attempt + 1} of {ATTEMPTS})" if attempt else ""))
        try:
            with open_url(item.url, timeout=FETCH_TIMEOUT, http_agent="kubernaut-coverage") as answer:
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
        f"{item.url} cannot be downloaded: {said[-1]}.",
        remedy="Check the address and the network; or save the manifest as a file and name it under manifests.",
        evidence=[f"attempt {number}: {what}" for number, what in enumerate(said, 1)],
    )
