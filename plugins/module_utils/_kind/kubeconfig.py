# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The kubeconfig of a cluster: a file for that cluster alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError


def foreign_entries(kubeconfig: str, name: str) -> list[str]:
    """Return the names in a kubeconfig's text that do not belong to kind cluster C(name)."""
    names = re.findall(r"^\s*(?:-\s+)?[\"']?name[\"']?:\s*[\"']?([^\"',\s]+)", kubeconfig, re.MULTILINE)
    return sorted({found for found in names if found != f"kind-{name}"})


def read_kubeconfig(path: Path, name: str) -> str:
    """Return the text of the kubeconfig at C(path), empty if there is none.

    :raises InputError: the file gives access to something else too, so it is not ours to write.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a kubeconfig: {error}.", setting="kind_cluster#kubeconfig") from error
    others = foreign_entries(text, name)
    if others:
        raise InputError(
            f'{path} also contains entries for {", ".join(others)}; cluster "{name}" needs a file of its own.',
            remedy="Choose a path where no file exists.",
            setting="kind_cluster#kubeconfig",
        )
    return text


def one_end(text: str) -> str:
    """End a text in one newline: kind's two ways to the same kubeconfig differ in that."""
    return text.rstrip("\n") + "\n"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
