# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of coverage mode share."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman


@pytest.fixture
def podman(tmp_path: Path) -> Podman:
    """C(podman exec NODE COMMAND...) that runs the command in this machine's own folders."""
    script = tmp_path / "podman"
    script.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    script.chmod(0o755)
    return Podman(str(script))
