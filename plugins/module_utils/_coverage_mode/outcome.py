# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What switching a workload did, and what of it is reported."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.changes import Change, Kept
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.kinds import as_defined
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.manifests import as_yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import Settings
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.permission import Permission
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.record import ORIGINAL
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object, describe
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import redacted, redacted_text


@dataclass
class CoverageOutcome:
    """What was done, or in a dry run would be.

    :ivar changed: names of the objects that were changed. :ivar before, after: the workload; before is what the patch
        is put on where it was not there. :ivar settings: as decided.
    :ivar permission: the way and why. :ivar kept: what somebody else had changed and keeps.
    :ivar notes: what a person should know. :ivar folders: counters on nodes that were not collected.
    """

    before: t.Optional[Object] = None
    after: t.Optional[Object] = None
    changed: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    settings: t.Optional[Settings] = None
    permission: t.Optional[Permission] = None
    kept: list[Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def outcome_as_result(outcome: CoverageOutcome) -> dict[str, t.Any]:
    """Return what the module returns: without what looks like a secret."""
    result: dict[str, t.Any] = {
        "changed": bool(outcome.changed),
        "objects": outcome.changed,
        "changes": [
            {
                "field": change.field,
                **{key: value for key, value in change.as_json().items() if key in ("before", "after")},
            }
            for change in outcome.changes
            if not change.made
        ],
        "kept": [{"field": kept.field, **kept.values()} for kept in outcome.kept],
        "notes": [*outcome.notes, *(redacted_text(str(kept)) for kept in outcome.kept)],
    }
    if outcome.settings is not None and outcome.permission is not None:
        result["volume_directory"] = outcome.settings.volume_directory
        result["volume"] = outcome.settings.volume
        result["permission"] = outcome.permission.way
        result["permission_reason"] = outcome.permission.reason
    for key in ("changes", "kept"):
        result[key] = _without_secrets(result[key])
    if outcome.after is not None:
        result["diff"] = _diff(outcome.before or {}, outcome.after)
    return result


def _without_secrets(values: list[Object]) -> list[Object]:
    """Blank what is in the changed fields; a variable is identified by its own name."""
    return [t.cast(Object, redacted(value)) for value in values]


def _diff(before: Object, after: Object) -> dict[str, str]:
    name = describe(after)
    texts = {}
    for key, item in (("before", before), ("after", after)):
        shown = as_defined(item) if item else {}
        (shown.get("metadata", {}).get("annotations") or {}).pop(ORIGINAL, None)
        texts[key] = as_yaml(redacted(shown)) if shown else ""
    return {"before_header": name, "after_header": name, **texts}
