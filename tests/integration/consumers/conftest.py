# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that read reports, and what the tests of coverage data have."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures" / "covdata"))

from consumer_tools import Tools, installed


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The tools, installed where they are not yet."""
    return installed()
