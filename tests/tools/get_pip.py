# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip script that ansible-test downloads: Python carries a pip of its own.

ansible-test runs it in a new virtual environment with pip's options and the packages to install.
"""

from __future__ import annotations

import subprocess
import sys

# options that only get-pip knows
FOREIGN = {"--no-setuptools", "--no-wheel"}


def main() -> int:
    """Put pip into this environment, then install what was asked for."""
    subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
    arguments = [argument for argument in sys.argv[1:] if argument not in FOREIGN]
    if all(argument.startswith("-") for argument in arguments):
        return 0
    return subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
