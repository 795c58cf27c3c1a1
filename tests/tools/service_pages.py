# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the shipped contracts say into docs/services/<service>.md: ``service_pages.py [--check]``.

The summary of a contract is between two markers; the text around them, such as known gaps, is written by hand and kept.
With C(--check) nothing is written: the exit code is 1 if a page is not up to date.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import yaml
from role_readme import write_or_check

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "playbooks" / "vars"
PAGES = ROOT / "docs" / "services"
BEGIN = "<!-- BEGIN CONTRACT -->"
END = "<!-- END CONTRACT -->"
Contract = t.Mapping[str, t.Any]


class PageError(Exception):
    """A page that cannot be generated; the message says why."""


def contracts() -> dict[str, Contract]:
    """The shipped contracts by service, as in their files: without defaults."""
    found = {}
    for path in sorted(CONTRACTS.glob("*.yml")):
        found[path.stem] = yaml.safe_load(path.read_text(encoding="utf-8"))["coverage_services"][path.stem]
    return found


def code(words: t.Iterable[object]) -> str:
    """Words as a list of code, or C(none)."""
    return ", ".join(f"`{word}`" for word in words) or "none"


def source_of(contract: Contract) -> str:
    """Where a service's source comes from."""
    source = contract["source"]
    if "module" in source:
        return f"Go module `{source['module']}` {source['version']}, package `{source['package']}`"
    return f"{source['repository']} at `{source['version']}`, built by `{source['containerfile']}`"


def rows(service: str, contract: Contract) -> t.Iterator[tuple[str, str]]:
    """The rows of a page's table: (label, Markdown)."""
    workload, cluster = contract["workload"], contract.get("cluster", {})
    ports = [f"{item['host_port']} → {item['container_port']}" for item in cluster.get("port_mappings", [])]
    dependencies = [f"{name} ({entry['kind']})" for name, entry in contract.get("dependencies", {}).items()]
    tests = contract["tests"]
    yield "Source", source_of(contract)
    yield (
        "Build arguments",
        code(f"{key}={value}" for key, value in contract.get("image", {}).get("build_args", {}).items()),
    )
    where = f"`{workload['namespace']}/{workload['name']}`, container `{workload['container']}`"
    yield "Workload", f"{workload.get('kind', 'Deployment')} {where}"
    yield "Manifests", code(workload.get("manifests", [])) if "manifests" in workload else "in the contract"
    yield "Cluster", f"`{cluster.get('name', f'{service}-e2e')}`"
    yield "Host ports", code(ports)
    yield "Components", ", ".join(f"[{name}]({name}.md)" for name in contract.get("components", {})) or "none"
    yield "Dependencies", code(dependencies)
    yield (
        "Ready when",
        f"`{contract['readiness']['url']}` answers"
        if contract.get("readiness", {}).get("url")
        else "its pods are ready",
    )
    yield "Tests", f"`{' '.join(map(str, tests['command']))}`"
    total = contract.get("report", {}).get("thresholds", {}).get("total")
    yield "Threshold", f"{total} % of all statements" if total is not None else "none"


def section(service: str, contract: Contract) -> str:
    """The generated part of a page."""
    lines = ["| | |", "| --- | --- |", *(f"| {what} | {text} |" for what, text in rows(service, contract))]
    playbook = ROOT / "playbooks" / f"{service}.yml"
    command = (
        f"playbooks/{service}.yml" if playbook.is_file() else f"playbooks/service.yml -e coverage_service={service}"
    )
    return "\n".join([*lines, "", "```", f"ansible-playbook {command}", "```"])


def expected(page: str, service: str, contract: Contract) -> str:
    """The page with its generated part replaced.

    :raises PageError: a marker is missing.
    """
    before, begin, rest = page.partition(f"{BEGIN}\n")
    _old, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        raise PageError(f"docs/services/{service}.md needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{section(service, contract)}\n\n{END}\n{after}"


def main(arguments: t.Sequence[str]) -> int:
    """Write or check the page of each service; return 1 if one is out of date or cannot be written."""
    status = 0
    for service, contract in contracts().items():
        path = PAGES / f"{service}.md"
        try:
            wanted = expected(path.read_text(encoding="utf-8"), service, contract)
        except (OSError, PageError) as error:
            print(error)
            status = 1
            continue
        status |= write_or_check(path, wanted, arguments)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
