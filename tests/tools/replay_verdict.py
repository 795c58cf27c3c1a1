# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what the rules of today make of an observation that a gate wrote (evidence/observation.json)::

    PYTHONPATH=.ansible/collections python tests/tools/replay_verdict.py FILE...

Exit code: 0 where each file was read, whatever the verdict; 1 if one is not an observation.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.engine import (
    terminal_verdict,
    timeout_verdict,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing


def replayed(path: Path) -> list[str]:
    """Return the lines to be printed for one file.

    :raises ValueError: it holds no observation.
    """
    try:
        seen = Observation.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not an observation: {error}") from error
    terminal = terminal_verdict(seen)
    verdict = terminal or timeout_verdict(seen, seen.waited)
    when = "at once" if terminal else "only when the time is over"
    return [
        f"{path}: {seen.kind} {seen.namespace}/{seen.name} after {seen.waited:.1f} s; missing: {missing(seen)}",
        f"  {verdict.cause} ({when}): {verdict.sentence}",
        *(f"  Evidence: {line}" for line in verdict.evidence),
        f"  Remedy: {verdict.remedy} ({verdict.setting})",
        *(f"  Also: {item.cause}: {item.sentence}" for item in verdict.also),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    failed = False
    for path in parser.parse_args(arguments).files:
        try:
            print("\n".join(replayed(path)))
        except (OSError, ValueError) as error:
            print(error)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
