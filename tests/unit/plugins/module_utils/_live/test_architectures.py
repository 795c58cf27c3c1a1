# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of other architectures, from recorded memory: 64 and 32 bits, little and big endian, all stripped."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.counters import read_counters
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.rtcov import hash_by_fnv
from ansible_collections.kubernaut.coverage.plugins.module_utils._live.snapshot import read_memory
from recorded_memory import ARGUMENTS, EMULATORS, load


@pytest.mark.parametrize("architecture", EMULATORS)
def test_a_snapshot_is_what_the_program_wrote(architecture: str) -> None:
    recording = load(architecture)
    (counters,) = recording.folder.glob("covcounters.*")
    (meta,) = recording.folder.glob("covmeta.*")
    pid = int(counters.name.split(".")[2])
    snapshot = read_memory(recording, recording.elf, recording.elf.headers, ARGUMENTS, pid)
    assert snapshot.build.elf.architecture == architecture
    assert snapshot.build.covmeta == meta.read_bytes()
    written = read_counters(counters.read_bytes()).segments[0]
    # Go keeps the name of the program's file under an emulator
    assert {**written.arguments, "argv0": ARGUMENTS[0]} == snapshot.segment.arguments
    for part in ("package", "function", "lengths", "counters"):
        assert np.array_equal(getattr(written, part), getattr(snapshot.segment, part)), part


def test_an_architecture_without_a_name_of_gos_is_named_by_its_number() -> None:
    assert dataclasses.replace(load("arm64").elf, machine=4711).architecture == "elf-4711"


@pytest.mark.parametrize(
    ("version", "fnv"),
    [
        ("go1.20.14", False),
        ("go1.23.12", False),
        ("go1.24", True),
        ("go1.26.8 X:boringcrypto", True),
        ("devel +1", True),
    ],
)
def test_the_hash_is_that_of_the_release(version: str, fnv: bool) -> None:
    assert hash_by_fnv(version) is fnv
