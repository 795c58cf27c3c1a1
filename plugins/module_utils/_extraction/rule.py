# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""How a rule about missing counters registers itself with the causes that it can find."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

STAGE = "Lost process runs"
RULES: dict[str, frozenset[str]] = {}  # name of a rule: ids of everything that it may give

Look = t.TypeVar("Look", bound=t.Callable[..., t.Any])


def rule(*causes: Cause, gives: t.Sequence[str] = ()) -> t.Callable[[Look], Look]:
    """Register a function as a rule; C(verdicts) says when it is asked.

    :arg causes: what it may find. :arg gives: ids of causes that it may find and that are registered elsewhere.
    :raises ValueError: there is a rule of that name, or a cause is registered twice.
    """
    CAUSES.add(STAGE, *causes)

    def register(look: Look) -> Look:
        if look.__name__ in RULES:
            raise ValueError(f"rule {look.__name__} is registered twice")
        RULES[look.__name__] = frozenset({*(cause.id for cause in causes), *gives})
        return look

    return register
