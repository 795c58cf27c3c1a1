# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run many cases and say what came of them: ``fuzz.py --cases N --seed S``, again one: ``fuzz.py --case FILE``."""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import resource
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in (
    ROOT / ".ansible" / "collections",
    ROOT / "tests" / "tools",
    ROOT / "tests" / "fixtures" / "covdata",
    Path(__file__).resolve().parent,
):
    sys.path.insert(0, str(folder))

from cases import Broken, Case, Runner, make_case  # noqa: E402

FAILURES = ROOT / ".cache" / "fuzz"
CHUNK = 1000  # cases between two lines of progress
HEADROOM = 256 << 20  # bytes of address space above what a process has: a hard stop for what is not measured
MOST_FAILURES = 200


@dataclass
class Totals:
    """What came of some cases."""

    cases: int = 0
    accepted: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    targets: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest: float = 0.0
    slowest_index: int = -1
    failures: list[tuple[Case, str]] = field(default_factory=list)

    def add(self, other: Totals) -> None:
        """Take in the totals of other cases."""
        self.cases += other.cases
        self.accepted += other.accepted
        self.refused += other.refused
        self.targets += other.targets
        if other.slowest > self.slowest:
            self.slowest, self.slowest_index = other.slowest, other.slowest_index
        self.failures += other.failures


def run_cases(seed: str, begin: int, end: int) -> Totals:
    """Run the cases of some numbers in this process."""
    totals = Totals()
    with Runner() as runner:
        for index in range(begin, end):
            case = make_case(seed, index)
            started = time.process_time()
            try:
                outcome = runner.run(case)
            except Broken as broken:
                totals.failures.append((case, str(broken)))
                if len(totals.failures) >= MOST_FAILURES:
                    break
                continue
            finally:
                seconds = time.process_time() - started
                if not case.measured and seconds > totals.slowest:
                    totals.slowest, totals.slowest_index = seconds, index
                totals.cases += 1
            totals.targets[case.target] += 1
            totals.accepted += outcome.accepted
            if outcome.refused:
                totals.refused[outcome.refused] += 1
    return totals


def limit_memory() -> None:
    """Let an allocation far beyond what a case may take fail here, as a MemoryError, and not the machine."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _chunk(job: tuple[str, int, int]) -> Totals:
    return run_cases(*job)


def run(
    seed: str,
    number: int,
    processes: int,
    say: t.Callable[[str], None],
    *,
    first: int = 0,
    failures: Path = FAILURES,
) -> Totals:
    """Run cases C(first) to C(first + number) on some processes; write each that fails to C(failures) at once."""
    jobs = [(seed, begin, min(begin + CHUNK, first + number)) for begin in range(first, first + number, CHUNK)]
    totals = Totals()
    started = said = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes, initializer=limit_memory) as pool:
        for part in pool.imap_unordered(_chunk, jobs):
            totals.add(part)
            for case, failure in part.failures:
                path = case.save(failures, failure)
                say(f"FAILED {case.target}: {failure.splitlines()[0]}\n  again: make fuzz CASE={os.path.relpath(path)}")
            now = time.monotonic()
            if now - said > 5 or totals.cases == number:
                said = now
                rate = totals.cases / (now - started)
                say(f"{totals.cases} of {number} cases, {rate:.0f} a second, {len(totals.failures)} failures")
            if len(totals.failures) >= MOST_FAILURES:
                break
    return totals


def replay(path: Path) -> int:
    """Run one case again; return 1 if it fails."""
    case = Case.load(path)
    print(f"case {case.seed}:{case.index}, {case.target}, {case.name}, {len(case.data)} bytes: {case.mutations}")
    try:
        with Runner() as runner:
            outcome = runner.run(case)
    except Broken as broken:
        print(f"fails: {broken}")
        return 1
    print("passes: " + ("accepted" if outcome.accepted else f"refused ({outcome.refused})"))
    return 0


def main(arguments: t.Sequence[str]) -> int:
    """Run what the arguments say; return 1 if a case failed."""
    parser = argparse.ArgumentParser(description="Damage coverage data and see that the engine stands it.")
    parser.add_argument("--cases", type=int, default=100_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", default="1", help="any text; the same text, the same cases")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--case", type=Path, help="a file that a failure left: run that case again")
    parser.add_argument("--failures", type=Path, default=FAILURES, help="where failures are written to")
    options = parser.parse_args(arguments)
    if options.case:
        return replay(options.case)
    started = time.monotonic()
    totals = run(
        options.seed,
        options.cases,
        options.processes,
        lambda line: print(line, flush=True),
        first=options.first,
        failures=options.failures,
    )
    seconds = time.monotonic() - started
    print("by target: " + ", ".join(f"{name} {count}" for name, count in sorted(totals.targets.items())))
    print("refused: " + ", ".join(f"{name} {count}" for name, count in totals.refused.most_common()))
    print(
        f"{totals.cases} cases (seed {options.seed}) in {seconds:.0f} s: {totals.accepted} accepted, "
        f"{totals.refused.total()} refused, {len(totals.failures)} failed; the slowest took "
        f"{1000 * totals.slowest:.1f} ms (case {totals.slowest_index})"
    )
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
