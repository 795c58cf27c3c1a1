# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the fixtures of tests/fixtures/covdata and tests/fixtures/live known to the tests in this folder."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures" / "covdata"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures" / "live"))

from go_programs import go

__all__ = ["go"]

# the same cases each time, and none that fails only because the machine is busy
settings.register_profile(
    "repeatable", deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")
