# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The record of what a cluster was made from, in its control-plane container.

It exists as long as the cluster does and can be read while the cluster is stopped.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

RECORD_PATH = "/kind/kubernaut-coverage.json"
RECORD_FORMAT = 1


def read_record(podman: Podman, node: str) -> tuple[t.Optional[dict[str, t.Any]], list[str]]:
    """Return the record in a node's container, running or not, or None and what podman said instead."""
    try:
        # "-": an archive on standard output
        answer = podman.run("cp", f"{node}:{RECORD_PATH}", "-", purpose=f"read {RECORD_PATH} of {node}")
        with tarfile.open(fileobj=io.BytesIO(answer.stdout.encode())) as archive:
            member = archive.extractfile(archive.next() or tarfile.TarInfo())
            record = json.loads(member.read()) if member else {}
    except CommandError as error:
        return None, error.evidence
    except (tarfile.TarError, ValueError) as error:
        return None, [f"{RECORD_PATH} of {node} is unreadable: {error}"]
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT:
        return None, [f"{RECORD_PATH} of {node} is not in format {RECORD_FORMAT}"]
    return record, []


def write_record(podman: Podman, node: str, record: t.Mapping[str, t.Any]) -> None:
    """Store the record in a node's container."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as stream:
        json.dump(record, stream)
        stream.flush()
        podman.run("cp", stream.name, f"{node}:{RECORD_PATH}", purpose=f"record the configuration in {node}")
