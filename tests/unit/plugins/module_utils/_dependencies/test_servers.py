# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, and the objects that it becomes."""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import servers as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Migrations, Server

POSTGRESQL = Server("postgresql", "postgresql")
REDIS = Server("redis", "redis")


def secret_of(**data: str) -> dict[str, t.Any]:
    return {"kind": "Secret", "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def never() -> str:
    raise AssertionError("a password was made up")


def by_kind(server: Server, secret: t.Optional[dict[str, str]] = None) -> dict[str, dict[str, t.Any]]:
    made = lib.objects(server, {"POSTGRES_PASSWORD": "s3cret"} if secret is None else secret, "demo")
    return {item["kind"]: item for item in made}


def pod_of(server: Server, secret: t.Optional[dict[str, str]] = None) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", by_kind(server, secret)["Deployment"]["spec"]["template"]["spec"])


@pytest.mark.parametrize(
    ("servers", "cause", "words"),
    [
        (
            [Server("db", "postgresql", migrations=Migrations())],
            "migrations-missing",
            "have no folder, command or Job",
        ),
        ([Server("db", "postgresql", user="me")], "credentials-incomplete", "a user and no password"),
        ([Server("db", "postgresql", password="x")], "credentials-incomplete", "a password and no user"),
        ([Server("db", "postgresql", user="me", password="")], "credentials-incomplete", "is empty"),
        ([Server("cache", "redis", user="me", password="x")], "bad-input", "a Redis with a user"),
        ([Server("cache", "redis", migrations=Migrations("/m"))], "bad-input", "no migrations"),
        ([Server("db", "postgresql", node_port=8080)], "bad-input", "30000 to 32767"),
    ],
)
def test_what_cannot_be_meant_so_is_refused(servers: list[Server], cause: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        lib.check(servers)
    assert caught.value.cause == cause


def test_what_can_be_meant_so_passes() -> None:
    good = [
        POSTGRESQL,
        Server("redis", "redis", password=""),
        Server("other", "postgresql", user="me", password="x", node_port=30432, migrations=Migrations("/m")),
    ]
    lib.check(good)
    # the whole list is checked, not only its first one
    with pytest.raises(InputError, match="32768"):
        lib.check([*good, Server("third", "redis", node_port=32768)])


def test_a_password_is_made_up_once() -> None:
    made = lib.credentials(POSTGRESQL, None, lambda: "made-up")
    assert made == {"POSTGRES_USER": "coverage", "POSTGRES_PASSWORD": "made-up", "POSTGRES_DB": "coverage"}
    assert lib.credentials(POSTGRESQL, secret_of(**made), never) == made


def test_given_credentials_win_over_those_that_stand() -> None:
    server = Server("db", "postgresql", database="action_history", user="slm_user", password="given")
    found = lib.credentials(server, secret_of(POSTGRES_USER="x", POSTGRES_PASSWORD="y"), never)
    assert found == {"POSTGRES_USER": "slm_user", "POSTGRES_PASSWORD": "given", "POSTGRES_DB": "action_history"}


def test_half_a_secret_is_refused_and_the_lacking_key_named() -> None:
    with pytest.raises(InputError, match="postgresql-credentials in the cluster has no POSTGRES_PASSWORD"):
        lib.credentials(POSTGRESQL, secret_of(POSTGRES_USER="x"), never)


def test_redis_has_a_password_unless_it_is_switched_off() -> None:
    assert lib.credentials(REDIS, None, lambda: "made-up") == {"REDIS_PASSWORD": "made-up"}
    assert lib.credentials(REDIS, secret_of(REDIS_PASSWORD="kept"), never) == {"REDIS_PASSWORD": "kept"}
    assert lib.credentials(Server("redis", "redis", password=""), None, never) == {}


def test_the_password_is_in_the_secret_alone() -> None:
    for server in (POSTGRESQL, REDIS):
        secret = lib.credentials(server, None, lambda: "made-up-password")
        made = lib.objects(server, secret, "demo")
        outside = [item for item in made if item["kind"] != "Secret"]
        assert "made-up-password" not in repr(outside)
        assert base64.b64encode(b"made-up-password").decode() in repr(made)
    assert "made-up" not in repr(Server("db", "postgresql", user="me", password="made-up"))


def test_all_objects_of_a_server_are_marked_as_ours_and_find_each_other() -> None:
    made = by_kind(Server("db", "postgresql", storage="1Gi"))
    assert set(made) == {"Secret", "Service", "Deployment", "PersistentVolumeClaim"}
    for item in made.values():
        assert item["metadata"]["namespace"] == "demo"
        assert item["metadata"]["labels"][lib.MANAGED_LABEL] == lib.MANAGER
    template = made["Deployment"]["spec"]["template"]
    assert made["Service"]["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert made["Deployment"]["spec"]["selector"]["matchLabels"] == made["Service"]["spec"]["selector"]
    port = made["Service"]["spec"]["ports"][0]["targetPort"]
    assert port in [item["name"] for item in template["spec"]["containers"][0]["ports"]]
    assert template["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "db"}}]


def test_data_that_are_to_stay_are_written_safely_and_others_fast() -> None:
    assert "fsync=off" in pod_of(POSTGRESQL)["containers"][0]["args"]
    assert pod_of(Server("db", "postgresql", storage="1Gi"))["containers"][0]["args"] == ["postgres"]
    assert "--appendonly" in pod_of(REDIS)["containers"][0]["args"]
    assert "--appendonly" not in pod_of(Server("redis", "redis", storage="1Gi"))["containers"][0]["args"]


def test_a_node_port_makes_the_service_reachable_from_the_host() -> None:
    service = by_kind(Server("db", "postgresql", node_port=30432))["Service"]["spec"]
    assert service["type"] == "NodePort"
    assert service["ports"][0]["nodePort"] == 30432
    assert by_kind(POSTGRESQL)["Service"]["spec"]["type"] == "ClusterIP"


def test_redis_without_a_password_is_told_none() -> None:
    container = pod_of(Server("redis", "redis", password=""), {})["containers"][0]
    assert "--requirepass" not in container["args"]
    assert container["env"] == []
    assert "Secret" not in by_kind(Server("redis", "redis", password=""), {})


def test_the_image_is_the_same_name_everywhere() -> None:
    server = Server("db", "postgresql", version="15")
    assert server.source.endswith("postgres:15-alpine")
    assert Server("db", "postgresql", image="example.org/pgvector:pg16").source == "example.org/pgvector:pg16"
    assert pod_of(server)["containers"][0]["image"] == server.local_image
    assert pod_of(server)["containers"][0]["imagePullPolicy"] == "Never"


def test_resources_reach_the_container() -> None:
    wanted = {"limits": {"memory": "512Mi"}}
    assert pod_of(Server("db", "postgresql", resources=wanted))["containers"][0]["resources"] == wanted
    assert "resources" not in pod_of(POSTGRESQL)["containers"][0]


@pytest.mark.parametrize(
    ("server", "output", "good"),
    [
        (POSTGRESQL, "1\n", True),
        (POSTGRESQL, "", False),
        (REDIS, "PONG\n", True),
        (REDIS, "NOAUTH Authentication required.\n", False),
    ],
)
def test_only_the_right_answer_is_one(server: Server, output: str, good: bool) -> None:
    assert lib.answered(server, output) is good


def test_the_query_goes_through_the_service() -> None:
    assert "postgresql.demo.svc" in lib.query(POSTGRESQL, "demo")
    assert "redis.demo.svc" in lib.query(REDIS, "demo")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18"),
        ("postgres (PostgreSQL) 16.4\n", "16.4"),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=e9da0ab2d7e2d9ab\n", "7.0.15"),
        ("", ""),
    ],
)
def test_the_version_is_what_the_server_says(said: str, version: str) -> None:
    assert lib.version_in(said) == version


def test_what_a_service_is_told_has_no_password() -> None:
    told = lib.describe(Server("db", "postgresql", user="me", password="s3cret"), "demo")
    assert told["host"] == "db.demo.svc.cluster.local"
    assert told["secret"] == "db-credentials"
    assert "s3cret" not in repr(told)
