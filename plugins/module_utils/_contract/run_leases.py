# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a run leases of its host, and whether the folders that it writes to can be used."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import (
    CLUSTER,
    FOLDER,
    IMAGE,
    PORT,
    USE,
    WORKLOAD,
    Resource,
)


def resources_of(
    cluster: str, folder: str, components: t.Sequence[t.Mapping[str, t.Any]]
) -> dict[str, list[dict[str, t.Any]]]:
    """Return what a run leases, each with C(kind), C(name), C(shared).

    C(run): from its start to its end, shared with other runs, so that nobody removes it. C(hold): from the first
    component's start to the extraction of the last; its workloads are its alone.

    :arg cluster: name of the cluster. :arg folder: of the run. :arg components: each with C(service), C(contract).
    """
    run = [Resource(CLUSTER, cluster, shared=True), Resource(FOLDER, folder)]
    run += [Resource(IMAGE, service, shared=True) for service in dict.fromkeys(item["service"] for item in components)]
    ports = {mapping["host_port"] for item in components for mapping in item["contract"]["cluster"]["port_mappings"]}
    run += [Resource(PORT, str(port), shared=True) for port in sorted(ports)]
    hold = [Resource(USE, cluster, shared=True)]
    for item in components:
        workload = item["contract"]["workload"]
        name = "/".join([cluster, *(workload[key] for key in ("namespace", "kind", "name"))])
        hold.append(Resource(WORKLOAD, name))
    return {"run": list(map(_plain, run)), "hold": list(map(_plain, hold))}


def _plain(resource: Resource) -> dict[str, t.Any]:
    return {"kind": resource.kind, "name": resource.name, "shared": resource.shared}


def require_folders(folders: t.Mapping[str, str]) -> None:
    """Raise unless each folder exists or can be made, and can be written to.

    :arg folders: paths by the variable that sets them.
    :raises InputError: cause C(folder-unusable).
    """
    for variable, text in folders.items():
        if "\0" in text:
            raise _unusable(text, "its name contains a NUL character", variable)
        path = Path(text).expanduser().absolute()
        try:
            while not path.exists():
                path = path.parent
        except OSError as error:
            raise _unusable(text, str(error.strerror), variable) from error
        if not path.is_dir():
            raise _unusable(text, f"{path} is not a folder", variable)
        if not os.access(path, os.W_OK | os.X_OK):
            raise _unusable(text, f"this user may not write to {path}", variable)


def _unusable(folder: str, why: str, variable: str) -> InputError:
    return InputError(
        f"The folder {folder!r} cannot be used: {why}.",
        remedy="Name a folder that this user can write to.",
        setting=variable,
        cause="folder-unusable",
    )
