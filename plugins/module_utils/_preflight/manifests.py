# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What in the manifests would keep the pods from starting, reported before there is a cluster.

Each object keeps the file and line that it comes from. Only what cannot work is an error; what a cluster may hold
already is a warning, unless the cluster or the namespace is still to be made.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.parse import invalid, parse
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_references import (
    check_references,
    check_service_account,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_services import (
    check_host_paths,
    check_probes,
    check_services,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_set import Manifests
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_workload import (
    check_workload,
    check_workload_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    WARNING,
    Finding,
)


def read(paths: t.Sequence[str], folder: str) -> tuple[list[Item], list[Diagnosis]]:
    """Return the objects of YAML files under C(folder), and what is wrong with the files."""
    items: list[Item] = []
    found: list[Diagnosis] = []
    for path in paths:
        file = Path(folder) / path
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            found.append(invalid(f"The manifest {file} cannot be read ({error.strerror}).", _near_file(file)))
            continue
        except UnicodeDecodeError:
            found.append(invalid(f"The manifest {file} is not text in UTF-8."))
            continue
        more, problems = parse(text, path)
        items += more
        found += problems
    return items, found


def _near_file(file: Path) -> str:
    if not file.parent.is_dir():
        return f"There is no folder {file.parent}."
    near = nearest(file.name, [item.name for item in file.parent.iterdir()])
    return f"The nearest is {file.parent / near}." if near else ""


CHECKS: dict[str, t.Callable[[Manifests], t.Iterator[Finding]]] = {
    "workload": check_workload,
    "workload-image": check_workload_image,
    "references": check_references,
    "service-account": check_service_account,
    "services": check_services,
    "probes": check_probes,
    "host-paths": check_host_paths,
}


def checked(name: str, known: Manifests) -> list[Finding]:
    """Return what one check found: its "ok" only where nothing is wrong."""
    found = list(CHECKS[name](known))
    wrong = [finding for finding in found if finding.state in (ERROR, WARNING)]
    return list(dict.fromkeys(wrong)) or found


def require_items(items: t.Sequence[Item]) -> None:
    """Raise where nothing could be read, so that the other checks do not repeat it."""
    if not items:
        raise InputError("The manifests contain no objects.", setting="workload.manifests", cause="manifest-invalid")
