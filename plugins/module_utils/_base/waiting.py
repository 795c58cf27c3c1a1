# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Wait for a condition: look, sleep, look again, until it holds or the time is over."""

from __future__ import annotations

import math
import time
import typing as t


def poll(every: float, timeout: float = math.inf) -> t.Iterator[float]:
    """Yield the seconds since the start: at once, then every C(every) seconds, the last time when C(timeout) is over.

    Leave the loop when the condition holds. A loop that ends by itself has run out of time, and looked once more when
    it had: a condition that came true during the last pause is not missed. So the code after the loop (or its C(else))
    is what happens on a timeout:

    .. code-block:: python

        for _waited in poll(0.1, timeout=30):
            if done():
                return
        raise TooSlow("...")

    :arg every: seconds between the end of one look and the start of the next.
    :arg timeout: seconds; 0 or less: look once.
    """
    started = time.monotonic()
    while True:
        waited = time.monotonic() - started
        yield waited
        if waited >= timeout:
            return
        time.sleep(max(0.0, min(every, timeout - (time.monotonic() - started))))
