# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection in a test's own process: real arguments in, real JSON out."""

from __future__ import annotations

import importlib
import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.kubernaut.coverage.plugins.modules"


def run_module(
    capsys: pytest.CaptureFixture[str], name: str, /, check: bool = False, **options: t.Any
) -> dict[str, t.Any]:
    """Return what the module printed; it is an error if it neither exits nor fails as a module does."""
    module = importlib.import_module(f"{MODULES}.{name}")
    capsys.readouterr()
    with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit) as ended:
        module.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    assert ended.value.code == (1 if result.get("failed") else 0)
    return result
