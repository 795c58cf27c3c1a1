# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a run is made of: the service, and the components that it needs, each with the contract of a service.

A component is found by the name of its service, as the service itself is: what ships, merged with the inventory. In a
run of somebody else's it is in that one's cluster and namespace.
"""

from __future__ import annotations

import copy
import hashlib
import typing as t
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from ansible.module_utils.common.dict_transformations import dict_merge
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.contract import (
    TOP,
    dependency_servers,
    merged_contract,
    shipped_contract,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import HostPort

Contract = dict[str, t.Any]


@dataclass(frozen=True)
class Component:
    """An instrumented workload of a run.

    :ivar name: names its folder and its row in the reports. :ivar service: whose contract it has.
    :ivar under_test: whether it is the service that the run measures, the last of all components.
    :ivar dependencies: what is to be started for it, as the module service_dependencies takes it, without what an
        earlier component has started.
    """

    name: str
    service: str
    under_test: bool
    contract: Contract
    dependencies: list[dict[str, t.Any]]


class Contracts:
    """The contracts at hand.

    :ivar shipped: folder with one file each. :ivar inventory: by service, laid over them.
    :ivar sources: folder for checkouts of repositories. :ivar checkouts: those that the contracts taken so far need,
        each with C(repository), C(version) and C(dir).
    """

    def __init__(self, shipped: str, inventory: t.Mapping[str, t.Any], sources: str) -> None:
        self.shipped = shipped
        self.inventory = inventory
        self.sources = sources
        self.checkouts: list[dict[str, str]] = []

    def known(self) -> list[str]:
        """Return the names of all services that have a contract."""
        return sorted({path.stem for path in Path(self.shipped).glob("*.yml")} | set(self.inventory))

    def get(self, service: str, over: t.Sequence[t.Mapping[str, t.Any]] = (), *, needed_by: str = "") -> Contract:
        """Return the whole contract of a service.

        :arg over: what else is laid over it, the last on top.
        :raises InputError: there is none, or it is not valid.
        """
        inventory = self.inventory.get(service)
        inventory = {} if inventory is None else inventory
        shipped = shipped_contract(self.shipped, service)
        if needed_by and not shipped and not inventory:
            raise InputError(
                f"{needed_by} needs the component {service}, which has no contract.",
                remedy=f"Add {TOP}.{service} to the inventory, or name one of: {', '.join(self.known())}.",
                setting=f"{TOP}.{needed_by}.components",
                cause="invalid-contract",
            )
        if isinstance(inventory, dict):
            for layer in over:
                inventory = dict_merge(copy.deepcopy(inventory), dict(layer))
        contract = merged_contract(service, shipped, inventory, known=self.known())
        self._check_out(contract["source"])
        return contract

    def _check_out(self, source: dict[str, t.Any]) -> None:
        """Turn a repository into the checkout that it is going to be; one for all that name it."""
        repository = source.pop("repository")
        if repository:
            version = source["version"]
            name = repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
            mark = hashlib.sha256(f"{repository}@{version}".encode()).hexdigest()[:8]
            source.update(dir=f"{self.sources}/{name}-{mark}", version=None)
            checkout = {"repository": repository, "version": version, "dir": source["dir"]}
            if checkout not in self.checkouts:
                self.checkouts.append(checkout)


def resolve(service: str, contracts: Contracts) -> tuple[Contract, list[Component]]:
    """Return the contract of a service with the ports of all its components, and these in the order of their start.

    The service itself is the last of them.

    :raises InputError: a contract is missing or not valid, components need each other in a circle, two want the same
        port of the host or the same dependency differently.
    """
    contract = contracts.get(service)
    found = {service: contract}
    services = {service: service}
    needs: dict[str, list[str]] = {}
    waiting = [service]
    while waiting:
        name = waiting.pop()
        needs[name] = list(found[name]["components"])
        for other, entry in found[name]["components"].items():
            whose = entry["service"] or other
            if other not in found:
                found[other] = _component_contract(name, found[name], entry, whose, contracts)
                services[other] = whose
                waiting.append(other)
            elif services[other] != whose:
                raise InputError(
                    f"The component {other} is the service {services[other]} and, for {name}, the service {whose}.",
                    remedy="Rename one of them.",
                    setting=f"{TOP}.{services[name]}.components.{other}",
                    cause="invalid-contract",
                )
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        # each needs the one behind it: graphlib lists them the other way round
        circle = " needs ".join(reversed(error.args[1]))
        raise InputError(
            f"No component can be started first: {circle}.",
            remedy="Remove one of them from the other's components.",
            setting=f"{TOP}.{service}.components",
            cause="invalid-contract",
        ) from error
    contract["cluster"]["port_mappings"] = _port_mappings(service, [(name, found[name]) for name in reversed(order)])
    for item in found.values():
        _settle(item, Path(contracts.shipped).parent / "files")
    given: dict[tuple[str, str], tuple[str, dict[str, t.Any]]] = {}
    return contract, [
        Component(name, services[name], name == service, found[name], list(_own_dependencies(name, found[name], given)))
        for name in order
    ]


def _settle(contract: Contract, files: Path) -> None:
    """Turn what a contract states relative to its source, or to C(files), into what roles take: absolute paths.

    Build arguments that nothing would use are dropped.
    """
    checkout = contract["source"]["dir"] or ""
    tests, job = contract["tests"], contract["tests"]["job"]
    if tests["files"]:
        tests["files"] = str(files / tests["files"])
    elif not job["image"]:
        tests["dir"] = f"{checkout}/{tests['dir']}"
    if job["containerfile"]:
        job["containerfile"] = str(Path(checkout or "/") / job["containerfile"])
    job["context"] = checkout
    if not checkout:
        # those are for a Containerfile, and a Go module has none
        contract["image"]["build_args"] = {}


def _component_contract(
    name: str, contract: Contract, entry: t.Mapping[str, t.Any], service: str, contracts: Contracts
) -> Contract:
    """Return the contract of a component as it is in the run of a service that needs it."""
    own = contracts.inventory.get(service)
    own_source = (own.get("source") if isinstance(own, dict) else None) or {}
    over: list[t.Mapping[str, t.Any]] = [{"workload": {"namespace": contract["workload"]["namespace"]}}]
    shipped = shipped_contract(contracts.shipped, service).get("source") or {}
    # services of one repository: a checkout of it that is named once serves them all
    if contract["source"]["dir"] and not own_source and shipped.get("repository"):
        theirs = (shipped_contract(contracts.shipped, name).get("source") or {}).get("repository")
        if theirs == shipped["repository"]:
            over.append({"source": {"dir": contract["source"]["dir"]}})
    over.append(entry["overrides"])
    return contracts.get(service, over, needed_by=name)


def _port_mappings(service: str, contracts: t.Sequence[tuple[str, Contract]]) -> list[dict[str, t.Any]]:
    """Return the ports of all contracts, which are those of one cluster; the same one once."""
    mappings: list[dict[str, t.Any]] = []
    taken: list[tuple[HostPort, str]] = []
    for name, contract in contracts:
        for mapping in contract["cluster"]["port_mappings"]:
            port = HostPort(mapping["listen_address"], mapping["host_port"], mapping["protocol"])
            if mapping in mappings:
                continue
            for other, owner in taken:
                if other.overlaps(port):
                    raise InputError(
                        f"The components {owner} and {name} of {service} both map port {mapping['host_port']} of"
                        " the host.",
                        remedy="Map another port for the component.",
                        setting=f"{TOP}.{service}.components.{name}.overrides.cluster.port_mappings",
                        cause="invalid-contract",
                    )
            mappings.append(mapping)
            taken.append((port, name))
    return mappings


def _own_dependencies(
    name: str, contract: Contract, given: dict[tuple[str, str], tuple[str, dict[str, t.Any]]]
) -> t.Iterator[dict[str, t.Any]]:
    """Yield what no earlier component has in the same namespace; C(given) is added to."""
    namespace = contract["workload"]["namespace"]
    dependencies = dependency_servers(contract)
    there = {item["name"] for item in dependencies if (namespace, item["name"]) in given}
    for dependency in dependencies:
        key = (namespace, dependency["name"])
        if key not in given:
            given[key] = (name, dependency)
            # what an earlier component has brought up is not waited for again
            yield {**dependency, "after": [other for other in dependency.get("after", []) if other not in there]}
        elif given[key][1] != dependency:
            raise InputError(
                f"The dependency {dependency['name']} is one thing for {given[key][0]} and another for {name}, in the"
                f" same namespace {namespace}.",
                remedy="Describe it the same way for both, or rename one of them.",
                setting=f"{TOP}.{name}.dependencies.{dependency['name']}",
                cause="invalid-contract",
            )
