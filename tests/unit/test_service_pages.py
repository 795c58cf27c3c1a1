# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the services: one for each shipped contract, up to date with it."""

from __future__ import annotations

import pytest
import service_pages as lib

CONTRACTS = lib.contracts()


def test_each_contract_has_its_page_and_no_page_lacks_a_contract() -> None:
    assert {path.stem for path in lib.PAGES.glob("*.md")} == set(CONTRACTS)


@pytest.mark.parametrize("service", sorted(CONTRACTS))
def test_the_page_is_up_to_date_and_names_known_gaps(service: str) -> None:
    text = (lib.PAGES / f"{service}.md").read_text(encoding="utf-8")
    assert text == lib.expected(text, service, CONTRACTS[service]), "make docs writes it"
    assert "## Known gaps" in text and "## What is tested" in text


def test_all_of_them_can_run_side_by_side_on_one_host() -> None:
    clusters = [contract.get("cluster", {}).get("name", f"{service}-e2e") for service, contract in CONTRACTS.items()]
    assert len(set(clusters)) == len(clusters)
    ports: dict[int, set[str]] = {}
    for service, contract in CONTRACTS.items():
        needed = [entry.get("overrides", {}) for entry in contract.get("components", {}).values()]
        for item in (contract, *needed):
            for mapping in item.get("cluster", {}).get("port_mappings", []):
                ports.setdefault(mapping["host_port"], set()).add(service)
    assert {port: services for port, services in ports.items() if len(services) > 1} == {}
    assert len(ports) > len(CONTRACTS)


def test_what_is_written_by_hand_stays() -> None:
    page = f"# By hand\n\n{lib.BEGIN}\nwritten before\n{lib.END}\n\nthe end\n"
    once = lib.expected(page, "httpbin", CONTRACTS["httpbin"])
    assert once.startswith("# By hand\n") and once.endswith("\n\nthe end\n") and "written before" not in once
    assert "ansible-playbook playbooks/httpbin.yml" in once
    assert lib.expected(once, "httpbin", CONTRACTS["httpbin"]) == once


def test_markers_are_needed() -> None:
    with pytest.raises(lib.PageError, match="needs the lines"):
        lib.expected("# no markers\n", "httpbin", CONTRACTS["httpbin"])
