# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of the modules that call podman."""

from __future__ import annotations


class ModuleDocFragment:
    """How podman is called."""

    DOCUMENTATION = r"""
options:
  podman:
    description: Name or path of podman.
    type: str
    default: podman
"""
