# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""FNV-1a of 128 bits, by which Go names what it wrote: vectorised, for whole covmeta files.

Source of truth: hash/fnv of the Go source (C(New128a)).
"""

from __future__ import annotations

import functools

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

OFFSET = 0x6C62272E07BB014262B821756295C58D
PRIME = (1 << 88) + 0x13B
MASK = (1 << 128) - 1
BITS = 8
LIMBS, LIMB_BITS = 8, 16
BLOCK = 4096  # terms: below 2^8 * 2^16 * 2^12, so that a float64 holds their sum exactly
SHORT = 512  # bytes below which a plain loop is quicker


def fnv128a(data: bytes) -> bytes:
    """Return the 16 bytes of the hash, as Go's C(Sum) has them.

    A step is C(h = (h ^ byte) * PRIME). It is made linear: the exclusive or changes only the lowest byte of C(h), and
    that byte's way depends on nothing above it. With it known everywhere, each step is C(h = (h + difference) *
    PRIME), and all steps together are one polynomial in the prime.
    """
    if len(data) < SHORT:
        value = OFFSET
        for byte in data:
            value = ((value ^ byte) * PRIME) & MASK
        return value.to_bytes(16, "big")
    raw = np.frombuffer(data, dtype=np.uint8)
    low = _lowest_bytes(raw)
    differences = (low ^ raw).astype(np.int16) - low
    # leading zeros change nothing: they are multiplied by powers that would not be there otherwise
    padded = np.zeros(-(-len(raw) // BLOCK) * BLOCK, dtype=np.float64)
    padded[len(padded) - len(raw) :] = differences
    rows = (padded.reshape(-1, BLOCK) @ _powers()).astype(np.int64).tolist()
    step = pow(PRIME, BLOCK, 1 << 128)
    value = 0
    for row in rows:
        value = (value * step + sum(limb << (LIMB_BITS * place) for place, limb in enumerate(row))) & MASK
    return ((OFFSET * pow(PRIME, len(raw), 1 << 128) + value) & MASK).to_bytes(16, "big")


def _lowest_bytes(raw: np.ndarray) -> np.ndarray:
    """Return the lowest byte of the hash before each byte of the data, bit by bit from the lowest on.

    The prime is odd, so a bit after a step is the same bit before it, changed only by the bits below it.
    """
    low = np.zeros(len(raw), dtype=np.uint8)
    factor = np.uint8(PRIME & 0xFF)
    for bit in range(BITS):
        # of the bits below, all is known: the step with this bit at 0 tells how they change it
        mixed = low ^ raw
        changes = (mixed * factor) >> np.uint8(bit) & np.uint8(1)
        changes[1:] = changes[:-1]
        changes[0] = OFFSET >> bit & 1
        low |= np.bitwise_xor.accumulate(changes) << np.uint8(bit)
    return low


@functools.lru_cache(maxsize=1)
def _powers() -> np.ndarray:
    """Return PRIME^BLOCK ... PRIME^1 as rows of 16 bit limbs, the lowest first."""
    power, rows = 1, []
    for _place in range(BLOCK):
        power = power * PRIME & MASK
        rows.append(power.to_bytes(16, "little"))
    return np.frombuffer(b"".join(reversed(rows)), dtype="<u2").reshape(BLOCK, LIMBS).astype(np.float64)
