# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The saved state of a run: what a later C(ansible-playbook --tags ...) continues from.

One JSON object in two files: C(run.json) in the run's folder, for people, and C(run-SERVICE.json) in the folder of the
cluster, where the next run finds it and which is deleted with the cluster. It contains no contract, which is read again
each time, and so no credentials.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import PRIVATE, write_text

VERSION = 1
# the type of each key of a record; C(images), C(volumes) are by the name of the component
KEYS: dict[str, type] = {
    "service": str,
    "id": str,
    "dir": str,
    "base": str,
    "cluster": dict,
    "images": dict,
    "volumes": dict,
}

Record = dict[str, t.Any]


def check_record(record: t.Any, service: str) -> Record:
    """Return the keys of a record that are kept.

    :raises InputError: a key is missing or has another type, or the record is one of another service.
    """
    if not isinstance(record, dict):
        raise InputError("The saved state of a run is not a JSON object.")
    for key, kind in KEYS.items():
        if not isinstance(record.get(key), kind):
            found = type(record[key]).__name__ if key in record else "missing"
            raise InputError(f"{key} of the saved state is {found}, not a {kind.__name__}.")
    if record["service"] != service:
        raise InputError(f"The saved state is of the service {record['service']}, not of {service}.")
    return {key: record[key] for key in KEYS}


def read_record(path: Path, service: str) -> Record:
    """Return the saved state of the last run of a service, empty if there is none.

    :raises InputError: the file cannot be read, is damaged, or was written by a version of this collection that has
        another form of it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("version") != VERSION:
            raise InputError(f"Its version is {content.get('version')!r}; this collection reads {VERSION}.")
        return check_record(content, service)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, InputError) as error:
        why = error.message if isinstance(error, InputError) else str(error)
        raise InputError(
            f"The saved state {path} cannot be used: {why}",
            remedy="Remove that file, then run the whole playbook once, without --tags.",
            cause="damaged-saved-state",
        ) from error


def save_record(record: t.Mapping[str, t.Any], path: Path, *, check_mode: bool = False) -> bool:
    """Write the record to the run's folder and to C(path), each in one step; return whether C(path) changes.

    The run's folder comes first: C(path) never names a run whose folder does not have it.

    :raises InputError: the record is not valid.
    :raises OSError: a file cannot be written.
    """
    kept = check_record(dict(record), str(record.get("service", "")))
    text = json.dumps({"version": VERSION, **kept}, indent=2, sort_keys=True) + "\n"
    try:
        changed = path.read_text(encoding="utf-8") != text
    except (FileNotFoundError, UnicodeDecodeError):
        changed = True
    if not check_mode:
        for file in (Path(kept["dir"]) / "run.json", path):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, text, PRIVATE)
    return changed
