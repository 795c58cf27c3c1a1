# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Names of processor architectures: the kernel's (C(uname -m)) and Go's (C(GOARCH)), which container images use too."""

from __future__ import annotations

import platform

GO_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "386",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


def host_architecture() -> str:
    """Return this host's processor in Go's words (C(amd64))."""
    machine = platform.machine()
    return GO_ARCHITECTURES.get(machine, machine)
