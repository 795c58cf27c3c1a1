# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journey against a plain shell script that does the same by hand, in turn, in one run: ``make bench RUNS=3``.

Both start without a cluster and with every image at hand; a first round of each that is not counted sees to that.
The ratio is taken pair by pair, so it holds on a machine whose speed drifts.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS, BY_HAND = "bench-ours", "bench-by-hand"
PORTS = {OURS: 38391, BY_HAND: 38392}
KIND = {**os.environ, "KIND_EXPERIMENTAL_PROVIDER": "podman"}


def delete_cluster(name: str) -> None:
    subprocess.run(
        ["kind", "delete", "cluster", "--name", name, "--kubeconfig", os.devnull],
        env=KIND,
        check=True,
        capture_output=True,
    )


def run_ours(folder: Path) -> dict[str, float]:
    address = f"http://127.0.0.1:{PORTS[OURS]}"
    overrides = {
        "coverage_services": {
            "httpbin": {
                "cluster": {"name": OURS, "port_mappings": [{"container_port": 30080, "host_port": PORTS[OURS]}]},
                "readiness": {"url": f"{address}/status/200"},
                "tests": {"base_url": address},
            }
        },
        "coverage_results_dir": str(folder),
    }
    stages = folder / "stages.json"
    done = subprocess.run(
        ["ansible-playbook", "playbooks/httpbin.yml", "--extra-vars", json.dumps(overrides)],
        cwd=ROOT,
        env={**os.environ, "KUBERNAUT_COVERAGE_STAGES": str(stages)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"The journey failed:\n{done.stdout}\n{done.stderr}")
    return {stage["name"]: stage["seconds"] for stage in json.loads(stages.read_text())["stages"]}


def run_by_hand(folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [str(ROOT / "tests/bench/by_hand.sh"), BY_HAND, str(PORTS[BY_HAND]), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"The script failed:\n{done.stdout}\n{done.stderr}")
    steps = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {name: float(seconds) for seconds, name in steps}


def timed(name: str) -> tuple[float, dict[str, float]]:
    """Run one of the two from nothing; return its seconds, in all and by stage. Its deletion is not counted."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    delete_cluster(name)
    try:
        started = time.monotonic()
        stages = run_ours(folder) if name == OURS else run_by_hand(folder)
        return time.monotonic() - started, stages
    finally:
        delete_cluster(name)
        shutil.rmtree(folder)


def show(title: str, seconds: list[float], stages: list[dict[str, float]]) -> None:
    print(f"\n{title}: {statistics.median(seconds):.1f} s (median of {', '.join(f'{item:.1f}' for item in seconds)})")
    for name in stages[0]:
        print(f"  {statistics.median(item.get(name, 0.0) for item in stages):6.1f}  {name}")


def main() -> None:
    rounds = int(os.environ.get("RUNS", "3"))
    results: dict[str, list[tuple[float, dict[str, float]]]] = {OURS: [], BY_HAND: []}
    for number in range(rounds + 1):
        for name in (OURS, BY_HAND):
            seconds, stages = timed(name)
            print(f"{'warm-up' if not number else f'round {number}'}: {name} {seconds:.1f} s", flush=True)
            if number:
                results[name].append((seconds, stages))
    for name, title in ((OURS, "playbooks/httpbin.yml"), (BY_HAND, "by hand, tests/bench/by_hand.sh")):
        show(title, *map(list, zip(*results[name], strict=True)))
    ratios = [ours[0] / hand[0] for ours, hand in zip(results[OURS], results[BY_HAND], strict=True)]
    print(f"\nratio ours / by hand: {statistics.median(ratios):.2f} ({', '.join(f'{item:.2f}' for item in ratios)})")


if __name__ == "__main__":
    main()
