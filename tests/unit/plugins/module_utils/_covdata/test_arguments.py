# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared options are what the library takes and what the doc fragment tells."""

from __future__ import annotations

import dataclasses

import yaml
from ansible_collections.kubernaut.coverage.plugins.doc_fragments.covdata import ModuleDocFragment
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.arguments import INPUTS, READING
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading


def test_the_options_of_reading_are_its_fields_with_their_defaults() -> None:
    defaults = {field.name: getattr(Reading(), field.name) for field in dataclasses.fields(Reading)}
    assert {name: option["default"] for name, option in READING.items()} == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }


def test_the_options_are_those_of_the_documentation() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    for option in documented.values():
        del option["description"]
    assert documented == {**INPUTS, **READING}
