# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For all tests here: where their helpers are, the programs that Go builds once, how many examples properties get."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# pytest's pythonpath has the first two; ansible-test has a configuration of its own
sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "faults"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "fuzz"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "fixtures/covdata"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "fixtures/live"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "fixtures/observations"))

from go_programs import go

__all__ = ["go"]

# the same cases each time, and none that fails only because the machine is busy
settings.register_profile(
    "quick",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
# what make test-all gives
settings.register_profile("long", settings.get_profile("quick"), max_examples=500)
# --hypothesis-profile beats it: the plugin reads that later
settings.load_profile("quick")


def pytest_configure() -> None:
    """What is started in the background by a script begins with SIGINT ignored, and so does all that it starts.

    A test that interrupts a program would wait for ever: a shell cannot even trap a signal that it began without.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def everything(pytestconfig: pytest.Config) -> bool:
    """Whether the slow combinations are run, too: C(make test-all)."""
    return bool(pytestconfig.getoption("--hypothesis-profile") == "long")
