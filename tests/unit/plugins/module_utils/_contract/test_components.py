# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is made of: order, namespace, sources, ports and dependencies of components; what does not go together."""

from __future__ import annotations

import copy
import itertools
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract import components as lib

REPOSITORY = "https://example.org/shop.git"


def contract(name: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "source": {"repository": REPOSITORY, "version": "main", "containerfile": f"docker/{name}.Dockerfile"},
        "workload": {"namespace": f"{name}-e2e", "name": name, "container": name, "manifests": [f"deploy/{name}.yml"]},
        "tests": {"command": ["go", "test", f"./test/e2e/{name}"]},
        **more,
    }


def mapping(node: int, host: int) -> dict[str, t.Any]:
    return {"container_port": node, "host_port": host}


SHOP = {
    "cart": contract(
        "cart",
        components={"stock": {}, "orders": {}},
        dependencies={"cache": {"kind": "redis"}},
        cluster={"port_mappings": [mapping(30080, 8080)]},
    ),
    "orders": contract(
        "orders",
        components={"stock": {}},
        dependencies={"db": {"kind": "postgresql"}},
        cluster={"port_mappings": [mapping(30081, 8081)]},
    ),
    "stock": contract("stock", dependencies={"db": {"kind": "postgresql"}, "cache": {"kind": "redis"}}),
}


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    for name, content in SHOP.items():
        (tmp_path / f"{name}.yml").write_text(yaml.safe_dump({"coverage_services": {name: content}}, sort_keys=False))
    return tmp_path


def resolve(shipped: Path, service: str = "cart", **inventory: t.Any) -> tuple[lib.Contract, list[lib.Component]]:
    return lib.resolve(service, lib.Contracts(str(shipped), inventory, "/cache/sources"))


def refused(shipped: Path, service: str = "cart", **inventory: t.Any) -> InputError:
    with pytest.raises(InputError) as caught:
        resolve(shipped, service, **inventory)
    assert caught.value.cause == "invalid-contract"
    return caught.value


def test_a_service_without_components_is_the_only_one(shipped: Path) -> None:
    whole, (own,) = resolve(shipped, "stock")
    assert (own.name, own.service) == ("stock", "stock")
    assert own.contract is whole
    assert [item["name"] for item in own.dependencies] == ["db", "cache"]


def test_what_is_needed_comes_first_and_once(shipped: Path) -> None:
    assert [component.name for component in resolve(shipped)[1]] == ["stock", "orders", "cart"]


def test_components_live_in_the_namespace_of_the_service(shipped: Path) -> None:
    assert {item.contract["workload"]["namespace"] for item in resolve(shipped)[1]} == {"cart-e2e"}


def test_what_a_component_is_overridden_with_is_on_top(shipped: Path) -> None:
    cart = copy.deepcopy(SHOP["cart"])
    cart["components"]["stock"] = {"overrides": {"workload": {"namespace": "elsewhere"}, "readiness": {"timeout": 7}}}
    components = resolve(shipped, cart=cart, stock={"readiness": {"timeout": 5, "url": "http://127.0.0.1/"}})[1]
    stock = components[0].contract
    assert stock["workload"]["namespace"] == "elsewhere"
    assert stock["readiness"] == {"timeout": 7, "until": [], "url": "http://127.0.0.1/"}
    assert components[2].contract["workload"]["namespace"] == "cart-e2e"


def test_a_component_may_have_another_name_than_its_service(shipped: Path) -> None:
    components = {"stock": None, "orders": None, "warehouse": {"service": "stock"}}
    warehouse, own = resolve(shipped, cart={"components": components})[1]
    assert (warehouse.name, warehouse.service) == ("warehouse", "stock")
    assert warehouse.contract["workload"]["name"] == "stock"
    assert own.name == "cart"


def test_dependencies_that_are_the_same_are_brought_up_once(shipped: Path) -> None:
    started = {item.name: [one["name"] for one in item.dependencies] for item in resolve(shipped)[1]}
    assert started == {"stock": ["db", "cache"], "orders": [], "cart": []}


def test_what_is_there_already_is_not_waited_for(shipped: Path) -> None:
    own = {"cache": {"kind": "redis"}, "queue": {"kind": "redis", "after": ["cache"]}}
    kept = {**own, "last": {"kind": "redis", "after": ["queue", "cache"]}}
    cart = resolve(shipped, cart={"dependencies": kept})[1][-1]
    assert {item["name"]: item["after"] for item in cart.dependencies} == {"queue": [], "last": ["queue"]}


def test_dependencies_of_other_namespaces_are_others(shipped: Path) -> None:
    overrides = {"overrides": {"workload": {"namespace": "elsewhere"}}}
    components = resolve(shipped, cart={"components": {"stock": overrides}})[1]
    assert [one["name"] for one in components[1].dependencies] == ["db"]


def test_a_dependency_that_two_describe_differently_is_refused(shipped: Path) -> None:
    error = refused(shipped, orders={"dependencies": {"db": {"version": "15"}}})
    assert error.message == (
        "The dependency db is one thing for stock and another for orders, in the same namespace cart-e2e."
    )


def test_the_ports_of_all_are_those_of_the_cluster(shipped: Path) -> None:
    ports = [item["host_port"] for item in resolve(shipped)[0]["cluster"]["port_mappings"]]
    assert ports == [8080, 8081]


def test_two_that_want_a_port_of_the_host_are_refused(shipped: Path) -> None:
    error = refused(shipped, orders={"cluster": {"port_mappings": [mapping(30081, 8080)]}})
    assert error.message == "The components cart and orders of cart both map port 8080 of the host."
    assert error.setting == "coverage_services.cart.components.orders.overrides.cluster.port_mappings"


def test_a_circle_is_told(shipped: Path) -> None:
    error = refused(shipped, stock={"components": {"cart": {}}})
    assert error.message.startswith("No component can be started first: ")
    parts = error.message.removesuffix(".").partition(": ")[2].split(" needs ")
    assert parts[0] == parts[-1]
    for one, other in itertools.pairwise(parts):
        assert other in SHOP[one].get("components", {}) or (one, other) == ("stock", "cart")


def test_a_component_that_needs_itself_is_told(shipped: Path) -> None:
    assert refused(shipped, "stock", stock={"components": {"stock": {}}}).message.endswith(": stock needs stock.")


def test_a_component_without_a_contract_is_told_with_those_that_are_known(shipped: Path) -> None:
    error = refused(shipped, cart={"components": {"stok": {}}})
    assert error.message == "cart needs the component stok, which has no contract."
    assert "cart, orders, stock" in error.remedy


def test_one_name_for_two_services_is_refused(shipped: Path) -> None:
    error = refused(shipped, cart={"components": {"stock": {"service": "orders"}}})
    assert "The component stock is the service" in error.message


def test_what_is_wrong_in_a_component_is_told_with_its_path(shipped: Path) -> None:
    error = refused(shipped, stock={"readines": {}})
    assert "coverage_services.stock.readines is not a key" in error.message


def test_a_repository_becomes_one_checkout_for_all(shipped: Path) -> None:
    contracts = lib.Contracts(str(shipped), {}, "/cache/sources")
    whole, components = lib.resolve("cart", contracts)
    (checkout,) = contracts.checkouts
    assert checkout["repository"] == REPOSITORY
    assert checkout["version"] == "main"
    assert checkout["dir"].startswith("/cache/sources/shop-")
    for item in components:
        assert item.contract["source"]["dir"] == checkout["dir"]
        assert "repository" not in item.contract["source"]
    assert whole["source"]["version"] is None


def test_another_version_is_another_checkout(shipped: Path) -> None:
    contracts = lib.Contracts(str(shipped), {"stock": {"source": {"version": "v2"}}}, "/cache/sources")
    lib.resolve("cart", contracts)
    assert sorted(item["version"] for item in contracts.checkouts) == ["main", "v2"]
    assert len({item["dir"] for item in contracts.checkouts}) == 2


def test_a_checkout_given_for_the_service_serves_its_components_of_the_same_repository(shipped: Path) -> None:
    contracts = lib.Contracts(str(shipped), {"cart": {"source": {"dir": "/src/shop"}}}, "/cache/sources")
    components = lib.resolve("cart", contracts)[1]
    assert {item.contract["source"]["dir"] for item in components} == {"/src/shop"}
    assert contracts.checkouts == []
    assert components[0].contract["source"]["containerfile"] == "docker/stock.Dockerfile"


def test_a_checkout_of_its_own_is_kept(shipped: Path) -> None:
    components = resolve(shipped, cart={"source": {"dir": "/src/shop"}}, stock={"source": {"dir": "/src/stock"}})[1]
    assert [item.contract["source"]["dir"] for item in components] == ["/src/stock", "/src/shop", "/src/shop"]
