# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a task belongs in its play."""

from __future__ import annotations

import typing as t

from ansible.playbook.block import Block
from ansible.playbook.role_include import IncludeRole

if t.TYPE_CHECKING:
    from ansible.playbook.task import Task

# collects diagnostics of a failure and ends with that same failure
EVIDENCE_ROLE = "kubernaut.coverage.failure_evidence"


def is_rescued(task: Task) -> bool:
    """Return whether a failure of this task leads into the C(rescue) of an enclosing block, which may handle it."""
    below, parent = {task._uuid}, task._parent
    while parent is not None:
        if isinstance(parent, Block) and parent.rescue:
            elsewhere = {other._uuid for other in (*parent.rescue, *parent.always)}
            if not below & elsewhere and not any(is_evidence(other) for other in parent.rescue):
                return True
        # the list contains an imported role itself, not the task that imports it
        below.add(parent._uuid)
        parent = parent._parent
    return False


def is_evidence(part: t.Any) -> bool:
    """Return whether a part of a C(rescue) is the role that ends with the original failure."""
    if isinstance(part, IncludeRole):
        return part._role_name == EVIDENCE_ROLE
    role = getattr(part, "_role", None)
    return role is not None and role.get_name() == EVIDENCE_ROLE


def subtitle(task: Task) -> str:
    """The name of the C(include_role) or C(import_role) task that led here, or an empty text."""
    parent = task._parent
    while parent is not None:
        if isinstance(parent, IncludeRole):
            # "file | What it does", where a file of tasks includes the role
            return str(parent.name or "").strip().rpartition(" | ")[2]
        parent = parent._parent
    return ""
