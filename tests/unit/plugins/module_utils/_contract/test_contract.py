# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contracts: what ships is merged with the inventory leaf by leaf, and whatever is wrong is named with its path."""

from __future__ import annotations

import copy
import datetime
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract import contract as lib
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]
SHIPPED = ROOT / "playbooks" / "vars"
SERVICES = sorted(path.stem for path in SHIPPED.glob("*.yml"))
HTTPBIN = lib.shipped_contract(str(SHIPPED), "httpbin")
WHERE = "coverage_services.httpbin"


def merged(inventory: t.Any) -> dict[str, t.Any]:
    return lib.merged_contract("httpbin", HTTPBIN, inventory)


def refused(inventory: t.Any) -> InputError:
    with pytest.raises(InputError) as caught:
        merged(inventory)
    return caught.value


def nested(path: str, value: t.Any) -> dict[str, t.Any]:
    """The dictionary in which only the value at that path is."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return t.cast("dict[str, t.Any]", value)


def at(contract: t.Any, path: str) -> t.Any:
    for key in path.split("."):
        contract = contract[key]
    return contract


def leaves(specification: t.Mapping[str, t.Any], path: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """Every path of a contract that holds a value and no further keys."""
    for key, rule in specification.items():
        if "options" in rule and rule["type"] == "dict":
            yield from leaves(rule["options"], f"{path}{key}.")
        else:
            yield f"{path}{key}", rule


LEAVES = dict(leaves(lib.SPECIFICATION))
WRONG: dict[str, t.Any] = {
    "list": [7.5, "text", {}],
    "dict": [7.5, "text", []],
    "int": ["seven", [], {}, True],
    "float": ["seven", [], {}, True],
    "bool": ["perhaps", [], {}],
    "str": [[], {}],
}
VALID: dict[str, t.Any] = {
    "str": "another",
    "int": 7,
    "float": 7.5,
    "bool": True,
    "dict": {"a/...": "7"},
}


# what ships


@pytest.mark.parametrize("service", SERVICES)
def test_each_contract_that_ships_is_valid_and_of_its_file(service: str) -> None:
    shipped = lib.shipped_contract(str(SHIPPED), service)
    contract = lib.merged_contract(service, shipped, {})
    assert set(contract) == set(lib.SPECIFICATION)
    assert list(yaml.safe_load((SHIPPED / f"{service}.yml").read_text())) == [lib.TOP]


def test_a_service_without_a_file_ships_nothing(tmp_path: Path) -> None:
    assert lib.shipped_contract(str(tmp_path), "nothing") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("coverage_services: {demo: [", "is not YAML"),
        ("coverage_services: {demo: {version: 2026-13-45}}", "is not YAML"),
        ("coverage_services: {other: {}}", "does not describe demo"),
        ("demo: {source: {}}", "does not describe demo"),
        ("- demo", "does not describe demo"),
        ("", "does not describe demo"),
        ("coverage_services:", "does not describe demo"),
        ("coverage_services: demo", "does not describe demo"),
        ("coverage_services: {demo: text}", "does not describe demo"),
    ],
)
def test_a_file_that_is_no_contract_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "demo.yml"
    file.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        lib.shipped_contract(str(tmp_path), "demo")
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message


# merging


# each of these says where something else comes from, or has names of its own, and has a test of its own
TIED = {
    "components",
    "dependencies",
    "source.repository",
    "source.dir",
    "source.containerfile",
    "workload.manifests",
    "workload.kind",
    "workload.name",
    *("tests.job.image", "tests.job.containerfile", "tests.job.build_args", "tests.job.service_account"),
}


@pytest.mark.parametrize("path", sorted(set(LEAVES) - TIED))
def test_one_changed_leaf_leaves_the_rest_as_it_was(path: str) -> None:
    rule = LEAVES[path]
    if path == "workload.objects":
        # the one list that has to keep its meaning
        value: t.Any = [*HTTPBIN["workload"]["objects"][:1]]
    elif "choices" in rule:
        value = next(choice for choice in rule["choices"] if choice != rule["default"])
    elif rule["type"] == "list":
        value = [] if "options" in rule else ["another"]
    else:
        value = VALID[rule["type"]]
    valid = {
        "coverage.directory": "/another",
        "readiness.url": "https://another/",
        "image.coverpkg": ["github.com/mccutchen/go-httpbin/v2/..."],
    }
    value = valid.get(path, value)
    before, after = merged({}), merged(nested(path, value))
    if path == "tests.environment":
        # a dictionary of the user's own keys is laid over the one that ships
        value = {**at(HTTPBIN, path), **value}
    assert at(after, path) == value
    for other in LEAVES:
        if other != path:
            assert at(after, other) == at(before, other), other


def test_neither_side_is_changed_by_merging() -> None:
    shipped, inventory = copy.deepcopy(HTTPBIN), {"tests": {"environment": {"A": "1"}}}
    contract = lib.merged_contract("httpbin", shipped, inventory)
    contract["tests"]["environment"]["B"] = "2"
    contract["workload"]["objects"].clear()
    assert shipped == HTTPBIN
    assert inventory == {"tests": {"environment": {"A": "1"}}}


def test_defaults_are_nobodys() -> None:
    first = merged({})
    first["image"]["build_args"]["GOFLAGS"] = "changed"
    first["cluster"]["extra_mounts"].append("changed")
    assert merged({})["image"]["build_args"] == {"GOFLAGS": "-cover -covermode=atomic"}
    assert merged({})["cluster"]["extra_mounts"] == []


def test_a_dictionary_is_merged_and_a_list_is_replaced() -> None:
    contract = merged({"tests": {"command": ["ginkgo"], "environment": {"A": 1}}})
    assert contract["tests"]["command"] == ["ginkgo"]
    assert contract["tests"]["base_url"] == HTTPBIN["tests"]["base_url"]
    assert contract["report"]["thresholds"] == {"total": 10.0, "packages": {}}


def test_a_threshold_can_be_taken_away() -> None:
    assert merged({"report": {"thresholds": {"total": None}}})["report"]["thresholds"]["total"] is None


def test_a_checkout_in_the_inventory_takes_the_place_of_the_module_that_ships() -> None:
    source = merged({"source": {"dir": "~/src/httpbin", "containerfile": "Containerfile"}})["source"]
    assert (source["dir"], source["containerfile"]) == ("~/src/httpbin", "Containerfile")
    assert source["module"] is None
    assert source["version"] is None
    assert source["package"] == ""


def test_a_module_in_the_inventory_takes_the_place_of_the_checkout_that_ships() -> None:
    shipped = {**HTTPBIN, "source": {"dir": "/src", "containerfile": "Containerfile", "target": "run"}}
    source = lib.merged_contract("httpbin", shipped, {"source": {"module": "example.org/m", "version": "v1"}})["source"]
    assert source == {
        "module": "example.org/m",
        "repository": None,
        "version": "v1",
        "package": "",
        "dir": None,
        "containerfile": None,
        "target": "",
    }


REPOSITORY = {"repository": "https://example.org/shop.git", "version": "v1", "containerfile": "cart.Dockerfile"}


def test_a_checkout_of_the_repository_that_ships_keeps_what_is_said_of_its_files() -> None:
    source = lib.merged_contract("cart", {**HTTPBIN, "source": REPOSITORY}, {"source": {"dir": "/src"}})["source"]
    assert (source["dir"], source["repository"], source["version"]) == ("/src", None, None)
    assert source["containerfile"] == "cart.Dockerfile"


def test_a_repository_in_the_inventory_takes_the_place_of_the_module_that_ships() -> None:
    source = merged({"source": REPOSITORY})["source"]
    assert (source["module"], source["repository"], source["package"]) == (None, REPOSITORY["repository"], "")


def test_only_another_version_of_the_repository_keeps_it() -> None:
    source = lib.merged_contract("cart", {**HTTPBIN, "source": REPOSITORY}, {"source": {"version": "v2"}})["source"]
    assert (source["repository"], source["version"]) == (REPOSITORY["repository"], "v2")


def test_only_another_version_keeps_the_module() -> None:
    source = merged({"source": {"version": "v2.15.0"}})["source"]
    assert (source["module"], source["version"]) == (HTTPBIN["source"]["module"], "v2.15.0")


def test_the_cluster_is_named_after_the_service_unless_it_has_a_name() -> None:
    shipped = copy.deepcopy(HTTPBIN)
    del shipped["cluster"]["name"]
    assert lib.merged_contract("httpbin", shipped, {})["cluster"]["name"] == "httpbin-e2e"
    assert lib.merged_contract("httpbin", shipped, {"cluster": {"name": "mine"}})["cluster"]["name"] == "mine"


@pytest.mark.parametrize("service", ["", "..", "a/b", "My_Service", "x" * 64, "-a"])
def test_a_service_that_cannot_name_a_folder_is_refused(service: str) -> None:
    with pytest.raises(InputError, match="cannot name a folder") as caught:
        lib.merged_contract(service, HTTPBIN, {})
    assert caught.value.setting == "service_contract_info#service"


def test_a_service_of_the_inventory_alone_needs_no_file() -> None:
    assert lib.merged_contract("mine", {}, HTTPBIN)["cluster"]["name"] == "httpbin-e2e"


def test_tests_as_a_job_have_an_image_and_nothing_of_this_host() -> None:
    job = {"image": "localhost/tests:1", "containerfile": "/src/Containerfile"}
    found = merged({"tests": {"files": "", "dir": "/suite", "junit": "*.xml", "job": job}})["tests"]["job"]
    assert found == {**job, "build_args": {}, "service_account": ""}


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        ({"job": {"service_account": "e2e"}}, "tests.job.image: is missing"),
        ({"files": "httpbin"}, "tests.files: a Job runs what is in its image"),
        ({"dir": "test/e2e"}, "tests.dir: for a Job"),
        ({"junit": "/reports/junit.xml"}, "tests.junit: for a Job"),
        ({"job": {"image": "x", "containerfile": "test/Containerfile"}}, "tests.job.containerfile: needs source.dir"),
        ({"port_forward": [{"target": "service/x", "port": "http", "variable": "X"}]}, "tests.port_forward: a port"),
    ],
)
def test_what_a_job_cannot_have_is_named(tests: dict[str, t.Any], says: str) -> None:
    assert says in refused({"tests": {"files": "", "job": {"image": "x"}, **tests}}).message


# what is wrong


KEYS = sorted({path.rsplit(".", 1)[0] for path in LEAVES if "." in path} | set(LEAVES))


@pytest.mark.parametrize("path", KEYS)
def test_a_misspelt_key_is_named_with_its_path_and_the_nearest_right_one(path: str) -> None:
    parent, _dot, key = path.rpartition(".")
    typo = f"{key}x"
    problem = refused(nested(f"{parent}.{typo}" if parent else typo, {}))
    full = f"{WHERE}.{parent}.{typo}" if parent else f"{WHERE}.{typo}"
    assert f"{full} is not a key of a contract. Did you mean {key!r}?" in problem.message
    assert problem.cause == "invalid-contract"
    assert problem.setting == WHERE


def test_a_key_that_is_near_nothing_is_answered_with_all_that_there_are() -> None:
    problem = refused({"readiness": {"zzzzzz": 1}})
    assert problem.message.endswith(f"{WHERE}.readiness.zzzzzz is not a key of a contract. Known: timeout, until, url.")


@pytest.mark.parametrize(
    ("path", "element", "key", "right"),
    [
        ("cluster.port_mappings", {"container_port": 1, "hostport": 2}, "hostport", "host_port"),
        ("cluster.extra_mounts", {"host_path": "/a", "container_pth": "/b"}, "container_pth", "container_path"),
    ],
)
def test_a_misspelt_key_in_a_list_is_named_with_its_index(
    path: str, element: dict[str, t.Any], key: str, right: str
) -> None:
    good = {right: 1} if path.endswith("ports") else {}
    problem = refused(nested(path, [good, element]))
    assert f"{WHERE}.{path}[1].{key} is not a key of a contract. Did you mean {right!r}?" in problem.message


def test_a_key_that_is_no_text_is_named_too() -> None:
    assert f"{WHERE}.8080 is not a key" in refused({8080: {}}).message


def test_a_dependency_is_known_by_its_name_and_gets_its_defaults() -> None:
    found = merged({"dependencies": {"cache": {"kind": "redis"}, "db": {"kind": "postgresql", "node_port": "30432"}}})
    assert found["dependencies"]["cache"]["database"] == "coverage"
    assert found["dependencies"]["cache"]["password"] is None
    assert found["dependencies"]["db"]["node_port"] == 30432
    assert found["dependencies"]["db"]["migrations"] is None


def test_one_leaf_of_a_dependency_that_ships_can_be_changed_and_a_dependency_taken_away() -> None:
    ships = {**HTTPBIN, "dependencies": {"db": {"kind": "postgresql", "version": "16"}, "cache": {"kind": "redis"}}}
    inventory = {"dependencies": {"db": {"version": "17"}, "cache": None}}
    found = lib.merged_contract("httpbin", ships, inventory)["dependencies"]
    assert list(found) == ["db"]
    assert (found["db"]["kind"], found["db"]["version"]) == ("postgresql", "17")


def test_dependencies_become_servers_with_their_migrations_in_the_checkout() -> None:
    migrations = {"dir": "migrations", "tables": ["audit_events"]}
    inventory = {
        "source": {"dir": "/src/shop", "containerfile": "Containerfile"},
        "dependencies": {"db": {"kind": "postgresql", "migrations": migrations}, "cache": {"kind": "redis"}},
    }
    db, cache = lib.dependency_servers(merged(inventory))
    assert (db["name"], db["migrations"]["dir"]) == ("db", "/src/shop/migrations")
    assert db["migrations"]["tables"] == ["audit_events"]
    assert (cache["name"], cache["kind"]) == ("cache", "redis")
    assert "password" not in cache
    assert "migrations" not in cache


def test_manifests_and_commands_of_a_dependency_lie_in_the_checkout() -> None:
    migrations = {"command": ["go", "run", "./cmd/migrate"]}
    inventory = {
        "source": {"dir": "/src/shop", "containerfile": "Containerfile"},
        "dependencies": {
            "crds": {"kind": "manifests", "manifests": ["config/crd", "/elsewhere", "https://a.b/c"]},
            "db": {"kind": "postgresql", "after": ["crds"], "migrations": migrations},
        },
    }
    crds, db = lib.dependency_servers(merged(inventory))
    assert crds["manifests"] == ["/src/shop/config/crd", "/elsewhere", "https://a.b/c"]
    assert (db["after"], db["migrations"]["chdir"]) == (["crds"], "/src/shop")
    assert "job" not in db["migrations"]


@pytest.mark.parametrize(
    ("dependencies", "says"),
    [
        ({"db": {"kind": "postgres"}}, "dependencies.db.kind is 'postgres', but should be one of"),
        ({"db": {}}, "dependencies.db: missing required arguments: kind"),
        ({"db": {"kind": "redis", "vresion": "7"}}, "dependencies.db.vresion is not a key of a contract."),
        ({"db": {"kind": "redis", "vresion": "7"}}, "Did you mean 'version'?"),
        ({"db": "postgresql"}, "dependencies.db is text, but should be a dictionary."),
        ({"my_db": {"kind": "redis"}}, "dependencies.my_db: 'my_db' is not a valid Kubernetes name"),
        (
            {"db": {"kind": "postgresql", "migrations": {"dir": "migrations"}}},
            "dependencies.db.migrations.dir: needs source.dir",
        ),
        ({"crds": {"kind": "manifests"}}, "dependencies: Dependency crds is of kind manifests and has none."),
        ({"crds": {"kind": "manifests", "manifests": ["crds"]}}, "dependencies.crds.manifests: needs source.dir"),
        ({"db": {"kind": "redis", "after": ["db"]}}, "wait for each other: db after db"),
        ({"db": {"kind": "redis", "after": ["crd"]}, "crds": {"kind": "redis"}}, "Did you mean 'crds'?"),
        ({"db": {"kind": "redis", "until": [{"kind": "Pod", "condition": "a"}]}}, "which only manifests supports"),
        (
            {"db": {"kind": "postgresql", "migrations": {"folder": "m"}}},
            "dependencies.db.migrations.folder is not a key",
        ),
    ],
)
def test_what_is_wrong_with_a_dependency_is_told_with_its_name(dependencies: t.Any, says: str) -> None:
    assert says in refused({"dependencies": dependencies}).message


def test_all_that_is_wrong_is_told_at_once() -> None:
    problem = refused({"tests": {"comand": []}, "cluster": {"nam": "x"}, "reprot": {}})
    assert len(problem.evidence) == 3
    assert problem.evidence[0] in problem.message
    assert "(2 more below)" in problem.message


@pytest.mark.parametrize("path", sorted(set(LEAVES) | {"report.thresholds"} | set(lib.SPECIFICATION)))
def test_a_value_of_another_type_is_refused_with_its_key(path: str) -> None:
    rule: t.Any = LEAVES.get(path) or {"type": "dict"}
    assert WRONG[rule["type"]]
    for value in WRONG[rule["type"]]:
        problem = refused(nested(path, value))
        assert WHERE in problem.message
        assert path.rsplit(".", 1)[-1] in problem.message
        assert path.split(".", maxsplit=1)[0] in problem.message


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("tests.command", "go test ./...", "tests.command is text, but should be a list."),
        ("tests.command", ["go", {"test": 1}], "tests.command[1] is a dictionary, but should be text."),
        ("tests.command", ["go", None], "tests.command[1] is NoneType, but should be text."),
        ("cluster.port_mappings", ["80:80"], "cluster.port_mappings[0] is text, but should be a dictionary."),
        ("workload.objects", ["text"], "workload.objects[0] is text, but should be a dictionary."),
        ("readiness", "url=http://127.0.0.1", "readiness is text, but should be a dictionary."),
        ("readiness.timeout", True, "readiness.timeout is a boolean, but should be a number."),
        ("report.thresholds", 80, "report.thresholds is a number, but should be a dictionary."),
    ],
)
def test_what_ansible_would_take_for_something_else_is_refused(path: str, value: t.Any, says: str) -> None:
    assert f"{WHERE}.{says}" in refused(nested(path, value)).message


@pytest.mark.parametrize("path", sorted(path for path, rule in LEAVES.items() if rule["type"] in ("int", "float")))
def test_a_number_may_come_as_text_as_templates_give_it(path: str) -> None:
    assert at(merged(nested(path, "7")), path) == 7


@pytest.mark.parametrize("path", sorted(path for path in LEAVES if path.split(".")[0] not in ("source", "workload")))
def test_null_gives_a_key_its_default(path: str) -> None:
    rule = LEAVES[path]
    if rule.get("required"):
        assert path.rsplit(".", 1)[-1] in refused(nested(path, None)).message
    else:
        default = "httpbin-e2e" if path == "cluster.name" else rule.get("default")
        assert at(merged(nested(path, None)), path) == default


@pytest.mark.parametrize("value", [["httpbin"], "httpbin", 7])
def test_an_entry_that_is_no_dictionary_is_refused(value: t.Any) -> None:
    problem = refused(value)
    assert problem.message == f"{WHERE} is {type(value).__name__}, not a dictionary."


@pytest.mark.parametrize("missing", ["workload.namespace", "workload.name", "workload.container", "tests.command"])
def test_a_missing_key_is_named(missing: str) -> None:
    shipped = copy.deepcopy(HTTPBIN)
    parent, key = missing.split(".")
    del shipped[parent][key]
    with pytest.raises(InputError, match=key) as caught:
        lib.merged_contract("httpbin", shipped, {})
    assert parent in caught.value.message


@pytest.mark.parametrize("missing", ["source", "workload", "tests"])
def test_a_missing_section_is_named(missing: str) -> None:
    with pytest.raises(InputError, match=missing):
        lib.merged_contract("httpbin", {key: value for key, value in HTTPBIN.items() if key != missing}, {})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"module": "m", "version": "v1", "dir": "/src", "containerfile": "Containerfile"}, "mutually exclusive"),
        ({"module": "m"}, "version"),
        ({"dir": "/src"}, "containerfile"),
        ({"repository": "https://example.org/shop.git"}, "version"),
        ({"repository": "https://example.org/shop.git", "version": "v1"}, "containerfile"),
        ({**REPOSITORY, "dir": "/src"}, "mutually exclusive"),
        ({"package": "cmd"}, "module, dir"),
    ],
)
def test_a_source_is_a_module_or_a_checkout_and_whole(source: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        lib.merged_contract("httpbin", {**HTTPBIN, "source": source}, {})
    assert "source" in caught.value.message


def test_both_sources_in_the_inventory_are_refused_too() -> None:
    both = {"module": "m", "version": "v1", "dir": "/src", "containerfile": "Containerfile"}
    assert "mutually exclusive" in refused({"source": both}).message


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("workload.namespace", "Upper", "workload.namespace: 'Upper' is not a valid Kubernetes name"),
        ("workload.name", "under_score", "workload.name: 'under_score' is not a valid Kubernetes name"),
        ("workload.container", "-first", "workload.container: '-first' is not a valid Kubernetes name"),
        ("workload.container", "", "workload.container: '' is not a valid Kubernetes name"),
        ("cluster.name", "x" * 64, "is not a valid Kubernetes name"),
        ("cluster.name", "a.b", "cluster.name: 'a.b' is not a valid Kubernetes name"),
        ("coverage.directory", "coverdata", "coverage.directory: must be an absolute path"),
        ("coverage.grace_period", 0, "coverage.grace_period: must be greater than 0"),
        ("readiness.timeout", -1, "readiness.timeout: must be greater than 0"),
        ("tests.timeout", 0, "tests.timeout: must be greater than 0"),
        ("tests.command", [], "tests.command: is empty"),
        ("workload.name", "httbin", "the objects have no Deployment 'httbin'. Did you mean 'httpbin'?"),
        ("workload.kind", "StatefulSet", "the objects have no StatefulSet 'httpbin'"),
        ("workload.manifests", ["deploy.yml"], "workload.manifests: need source.dir"),
        ("workload.manifests", ["https://example.org/a.yml", "config/e2e"], "workload.manifests: need source.dir"),
        (
            "workload.urls",
            [{"url": "ftp://example.org/a.yml"}],
            "workload.urls: 'ftp://example.org/a.yml' is not a URL",
        ),
        ("workload.urls", [{"url": "https://example.org/a.yml", "checksum": "sha256:1"}], "64 hexadecimal digits"),
        ("workload.urls", [{"checksum": "sha256:1"}], "missing required arguments: url"),
        (
            "cluster.port_mappings",
            [{"container_port": 1, "host_port": 1, "listen_address": "localhost"}],
            "cluster.port_mappings[0].listen_address: 'localhost' is not an IP address",
        ),
        ("image.covermode", "atom", "covermode"),
        (
            "image.coverpkg",
            ["example.com/dependency/..."],
            "leaves out the main package github.com/mccutchen/go-httpbin",
        ),
        ("cluster.port_mappings", [{"container_port": 0, "host_port": 1}], "port_mappings[0].container_port: 0 is no"),
        ("cluster.port_mappings", [{"container_port": 1, "host_port": 65536}], "[0].host_port: 65536 is not a port"),
        ("cluster.port_mappings", [{"container_port": 1}], "host_port"),
        (
            "cluster.port_mappings",
            [{"container_port": 1, "host_port": 80}, {"container_port": 2, "host_port": 80}],
            "cluster.port_mappings[1].host_port: 127.0.0.1:80/tcp cannot be mapped too: [0]",
        ),
    ],
)
def test_a_contradiction_is_named_with_its_path(path: str, value: t.Any, says: str) -> None:
    problem = refused(nested(path, value))
    assert says in problem.message
    assert problem.message.count(WHERE) == 1
    assert problem.cause == "invalid-contract"


@pytest.mark.parametrize(
    "mappings",
    [
        [
            {"container_port": 1, "host_port": 80, "protocol": "tcp"},
            {"container_port": 1, "host_port": 80, "protocol": "udp"},
        ],
        [
            {"container_port": 1, "host_port": 80, "listen_address": "127.0.0.1"},
            {"container_port": 1, "host_port": 80, "listen_address": "127.0.0.2"},
        ],
    ],
)
def test_one_host_port_may_be_mapped_for_two_protocols_or_addresses(mappings: list[dict[str, t.Any]]) -> None:
    assert len(merged({"cluster": {"port_mappings": mappings}})["cluster"]["port_mappings"]) == 2


def test_a_port_at_every_address_is_taken_at_each() -> None:
    anywhere = {"container_port": 1, "host_port": 80, "listen_address": "0.0.0.0"}  # noqa: S104
    problem = refused({"cluster": {"port_mappings": [anywhere, {"container_port": 2, "host_port": 80}]}})
    assert "[1].host_port: 127.0.0.1:80/tcp cannot be mapped too: [0] is" in problem.message


def test_manifests_in_a_checkout_need_no_objects() -> None:
    checkout = {
        "source": {"dir": "/src", "containerfile": "Containerfile"},
        "workload": {"manifests": ["deploy.yml"], "objects": []},
    }
    assert merged(checkout)["workload"]["manifests"] == ["deploy.yml"]


def test_urls_need_no_checkout_and_may_have_the_workload() -> None:
    workload = {"manifests": ["https://example.org/a.yml", "/srv/b.yml"], "name": "other", "container": "other"}
    assert merged({"workload": workload})["workload"]["manifests"] == workload["manifests"]
    urls = [{"url": "https://example.org/a.yml", "checksum": f"sha256:{'0' * 64}"}, {"url": "http://127.0.0.1/b.yml"}]
    found = merged({"workload": {"urls": urls, "name": "other", "container": "other"}})["workload"]["urls"]
    assert found == [urls[0], {**urls[1], "checksum": ""}]


def test_an_unknown_service_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(InputError) as caught:
        lib.merged_contract("htpbin", {}, {}, known=["httpbin", "notification"])
    assert caught.value.message == "There is no contract for the service 'htpbin'. Did you mean 'httpbin'?"
    assert caught.value.setting == lib.TOP
    assert f"{lib.TOP}.htpbin" in caught.value.remedy


def test_an_unknown_service_that_is_near_none_is_answered_with_all() -> None:
    with pytest.raises(InputError, match=r"Known: httpbin, notification\."):
        lib.merged_contract("zzz", {}, {}, known=["notification", "httpbin"])


# properties

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.sampled_from(sorted(LEAVES) + sorted(lib.SPECIFICATION))


@settings.get_profile("quick")
@given(changes=st.lists(st.tuples(PATHS, JSON), max_size=3))
def test_whatever_the_inventory_says_is_a_whole_contract_or_a_refusal(changes: list[tuple[str, t.Any]]) -> None:
    inventory: dict[str, t.Any] = {}
    for path, value in changes:
        inventory.update(nested(path, value))
    try:
        contract = merged(inventory)
    except InputError as problem:
        assert WHERE in problem.message
        assert problem.evidence
    else:
        assert {path for path in LEAVES if at(contract, path) is not None} >= {
            path for path, rule in LEAVES.items() if "default" in rule
        }


MOMENTS = st.datetimes(min_value=datetime.datetime(2000, 1, 1))


@settings.get_profile("quick")
@given(MOMENTS, MOMENTS)
def test_run_ids_sort_as_their_moments_do(first: datetime.datetime, second: datetime.datetime) -> None:
    ids = lib.new_run_id(first), lib.new_run_id(second)
    cut = [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in (first, second)]
    assert (ids[0] < ids[1]) == (cut[0] < cut[1])
    assert (ids[0] == ids[1]) == (cut[0] == cut[1])


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("readiness.timeout", "abc", "readiness.timeout is 'abc', but should be a whole number."),
        ("readiness.timeout", 1.5, "readiness.timeout is 1.5, but should be a whole number."),
        ("readiness.timeout", 10**400, "readiness.timeout is larger than 2147483647."),
        ("coverage.grace_period", float("nan"), "coverage.grace_period is nan, but should be a whole number."),
        ("report.thresholds.total", "nan", "report.thresholds.total is nan, but should be a finite number."),
        ("report.thresholds.total", 101, "report.thresholds.total: 101.0 is not a number from 0 to 100."),
        ("report.thresholds.packages", {"a/...": -1}, "report.thresholds.packages['a/...']: -1 is not a number"),
        ("report.thresholds.packages", {"a/...": "x"}, "report.thresholds.packages['a/...']: 'x' is not a number"),
        ("tests.command", ["a\0b"], "tests.command[0] contains a NUL character"),
        ("tests.environment", {"A": "a\0b"}, "tests.environment.A contains a NUL character"),
        ("tests.environment", {"A\0": "b"}, "tests.environment, the name of a key, contains a NUL character"),
        ("image.covermode", "some", "image.covermode is 'some', but should be one of: set, count, atomic."),
        ("workload.kind", "Pot", "workload.kind is 'Pot', but should be one of: Deployment,"),
        ("cluster.port_mappings", [{"container_port": "x"}], "cluster.port_mappings[0].container_port is 'x', but"),
        ("readiness.url", "127.0.0.1:8080/status", "readiness.url: '127.0.0.1:8080/status' does not begin with http"),
        ("readiness.url", "localhost", "readiness.url: 'localhost' does not begin with http:// or https://."),
        ("readiness.url", "http://:80/", "readiness.url: 'http://:80/' has no usable host and port."),
        ("readiness.url", "http://a:99999/", "readiness.url: 'http://a:99999/' is not a URL: Port out of range"),
    ],
)
def test_what_would_fail_in_a_later_stage_is_refused_with_its_path(path: str, value: t.Any, says: str) -> None:
    error = refused(nested(path, value))
    assert f"{WHERE}.{says}" in " ".join(error.evidence)
    assert "argument '" not in error.message
