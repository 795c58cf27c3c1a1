# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of modules; each module states how far it supports them."""

from __future__ import annotations


class ModuleDocFragment:
    """Descriptions of all attributes, of which a module fills in C(support) and C(details)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Predicts changes without making them.
  diff_mode:
    description: Shows what would change.
  platform:
    description: Systems that the module runs on.
"""
    IDEMPOTENT = r"""
options: {}
attributes:
  idempotent:
    description: A second run changes nothing.
"""
