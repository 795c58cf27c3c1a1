# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and variables that say how to reach a cluster: the same configuration as kubernetes.core makes of them."""

from __future__ import annotations

import itertools
import os
import typing as t
from pathlib import Path
from types import SimpleNamespace

import kubernetes.client
import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes import access as lib
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_MAP, AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as theirs

COMPARED = (
    *("host", "api_key", "username", "password", "verify_ssl", "ssl_ca_cert", "cert_file", "key_file"),
    *("proxy", "no_proxy", "proxy_headers"),
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A kubeconfig with two contexts, and files that options may name; no variable of this machine."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [
            {"name": name, "cluster": {"server": f"https://{name}.example.org:6443", "insecure-skip-tls-verify": True}}
            for name in ("one", "two")
        ],
        "users": [
            {"name": "one", "user": {"token": "token-of-one"}},
            {"name": "two", "user": {"username": "someone", "password": "word-of-two"}},
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in ("one", "two")],
    }
    found = {}
    for name, text in {"kubeconfig": yaml.safe_dump(content), "ca": "CA", "cert": "CERT", "key": "KEY"}.items():
        path = tmp_path / name
        path.write_text(text)
        found[name] = str(path)
    for variable in [name for name in os.environ if name.startswith(("KUBE", "K8S_AUTH_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # read once, when the client library is imported
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "home" / "config"))
    monkeypatch.setattr(kubernetes.client.Configuration, "_default", None)
    return found


def comparable(configuration: t.Any) -> dict[str, t.Any]:
    """What requests are made of."""
    found = {name: getattr(configuration, name) or None for name in COMPARED if name != "api_key"}
    token = next(iter(configuration.api_key.values()), None)
    return found | {"token": token, "verify_ssl": configuration.verify_ssl}


def their_configuration(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Before the first request, with which the loader's hook takes back what options had said."""
    return comparable(theirs._create_configuration(theirs._create_auth_spec(None, **options)))


def our_configuration(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """As the second request finds it."""
    configuration = lib.Access.of(options).configuration()
    before = comparable(configuration)
    configuration.auth_settings()
    assert comparable(configuration) == before
    return before


PARTS: tuple[dict[str, t.Any], ...] = (
    {"kubeconfig": "@kubeconfig"},
    {"context": "two"},
    {"host": "https://api.example.org:6443/"},
    {"api_key": "a-token"},
    {"username": "me", "password": "secret"},
    {"client_cert": "@cert", "client_key": "@key"},
    {"ca_cert": "@ca", "validate_certs": True},
    {"proxy": "http://proxy:3128", "no_proxy": "a,b", "proxy_headers": {"user_agent": "x", "basic_auth": "a:b"}},
)
COMBINATIONS = [
    {key: value for part in chosen for key, value in part.items()}
    for count in range(len(PARTS) + 1)
    for chosen in itertools.combinations(PARTS, count)
    # without a kubeconfig or a whole set of credentials both read the default kubeconfig, which there is none of
    if any("kubeconfig" in part for part in chosen)
    or ({"host", "api_key"} <= {key for part in chosen for key in part})
    or ({"host", "username"} <= {key for part in chosen for key in part})
    or ({"host", "client_cert"} <= {key for part in chosen for key in part})
]


def placed(options: dict[str, t.Any], files: dict[str, str]) -> dict[str, t.Any]:
    return {
        key: files[value[1:]] if isinstance(value, str) and value.startswith("@") else value
        for key, value in options.items()
    }


def test_options_mean_what_they_mean_to_kubernetes_core(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(COMBINATIONS) > 150
    for combination in COMBINATIONS:
        options = placed(combination, files)
        monkeypatch.setattr(kubernetes.client.Configuration, "_default", None)
        expected = their_configuration(dict(options))
        assert our_configuration(options) == expected, options


def test_variables_mean_what_they_mean_to_kubernetes_core(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert COMBINATIONS
    true_names = {value: key for key, value in AUTH_ARG_MAP.items()}
    for combination, by_true_name in itertools.product(COMBINATIONS, (False, True)):
        with monkeypatch.context() as here:
            for name, value in placed(combination, files).items():
                if isinstance(value, dict):
                    for key, item in value.items():
                        here.setenv(f"K8S_AUTH_{name}_{key}".upper(), item)
                else:
                    here.setenv(f"K8S_AUTH_{true_names[name] if by_true_name else name}".upper(), str(value))
            here.setattr(kubernetes.client.Configuration, "_default", None)
            expected = their_configuration({})
            assert our_configuration({}) == expected, combination


def test_a_kubeconfig_may_be_a_dictionary(files: dict[str, str]) -> None:
    content = yaml.safe_load(Path(files["kubeconfig"]).read_text())
    assert our_configuration({"kubeconfig": content, "context": "two"})["host"] == "https://two.example.org:6443"
    assert their_configuration({"kubeconfig": content})["token"] == "Bearer token-of-one"
    assert our_configuration({"kubeconfig": content})["token"] == "Bearer token-of-one"


def test_a_clusters_configuration_is_not_that_of_the_next(files: dict[str, str]) -> None:
    """As it is with kubernetes.core, whose client makes what it read from a kubeconfig everybody's default."""
    our_configuration({"kubeconfig": files["kubeconfig"], "context": "two"})
    found = our_configuration({"host": "https://other.example.org", "api_key": "x"})
    assert (found["username"], found["verify_ssl"]) == (None, True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"impersonate_user": "u"}, [("Impersonate-User", "u")]),
        ({"impersonate_groups": ["a", "b"]}, [("Impersonate-Group", "a"), ("Impersonate-Group", "b")]),
        ({}, []),
    ],
)
def test_whom_to_impersonate_is_said_in_headers(options: dict[str, t.Any], expected: list[tuple[str, str]]) -> None:
    assert lib.Access.of(options, {}).headers == expected


def test_groups_in_a_variable_are_separated_by_commas() -> None:
    access = lib.Access.of({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b,", "K8S_AUTH_IMPERSONATE_USER": "u"})
    assert access.headers == [("Impersonate-User", "u"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")]


def test_home_and_variables_in_a_path_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("WHERE", "folder")
    assert lib.Access.of({"kubeconfig": "~/$WHERE/kubeconfig"}, {}).kubeconfig == "/home/me/folder/kubeconfig"


def test_an_option_wins_over_its_variable() -> None:
    access = lib.Access.of({"host": "https://a", "validate_certs": False}, {"K8S_AUTH_HOST": "https://b"})
    assert (access.options["host"], access.options["validate_certs"]) == ("https://a", False)


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({}, False),
        ({"kubeconfig": "/x"}, True),
        ({"host": "https://a"}, True),
        ({"context": "c"}, True),
        ({"api_key": "only"}, False),
    ],
)
def test_whether_a_cluster_is_named(options: dict[str, t.Any], given: bool) -> None:
    assert lib.Access.of(options, {}).given is given


def test_a_cluster_that_is_still_to_be_created_is_known(files: dict[str, str]) -> None:
    assert lib.Access.of({"kubeconfig": "/no/such/file"}, {}).absent
    assert not lib.Access.of({"kubeconfig": files["kubeconfig"]}, {}).absent
    assert not lib.Access.of({"kubeconfig": f"/no/such/file:{files['kubeconfig']}"}, {}).absent
    assert not lib.Access.of({"kubeconfig": "/no/such/file", "host": "https://a", "api_key": "x"}, {}).absent
    assert not lib.Access.of({}, {}).absent


# what cannot be


@pytest.mark.parametrize(
    ("options", "cause", "words"),
    [
        ({"kubeconfig": ""}, "no-kubeconfig", "The option kubeconfig is empty"),
        ({"kubeconfig": "/no/such/file"}, "no-kubeconfig", "There is no kubeconfig /no/such/file"),
        ({}, "bad-kubeconfig", "The default kubeconfig cannot be used"),
        ({"kubeconfig": {}, "context": "x"}, "bad-kubeconfig", "The default kubeconfig cannot be used"),
        ({"kubeconfig": {"kind": "Config"}}, "bad-kubeconfig", "given as a dictionary cannot be used"),
        ({"host": "https://a", "api_key": "x", "ca_cert": "/no/ca"}, "auth-file-missing", "CA certificate /no/ca"),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, t.Any], cause: str, words: str, files: dict[str, str]) -> None:
    with pytest.raises(InputError, match=words) as caught:
        lib.Access.of(options, {}).configuration()
    assert caught.value.cause == cause
    assert files


def test_a_message_never_has_a_secret() -> None:
    secrets = {"api_key": "s1", "password": "s2", "kubeconfig": {"users": [{"user": {"token": "s3"}}]}}
    text = str(lib.Access.of({**secrets, "context": "c"}, {}))
    assert text == "kubeconfig that was given as a dictionary, context c"
    assert str(lib.Access.of({**secrets, "host": "https://a"}, {})) == "https://a"
    assert str(lib.Access.of({"kubeconfig": "/a"}, {})) == "/a"


# what a module's result must not show


def test_of_a_kubeconfig_only_what_is_secret_is_blanked() -> None:
    content = {
        "apiVersion": "v1",
        "clusters": [{"name": "shop", "cluster": {"server": "https://a"}}],
        "users": [
            {
                "name": "shop",
                "user": {
                    "token": "t0",
                    "client-key-data": "k0",
                    "auth-provider": {"config": {"id-token": "i0"}},
                    "exec": {"command": "login", "env": [{"name": "WORD", "value": "e0"}]},
                },
            }
        ],
    }
    blanked = {"v1", "shop", "https://a", "t0", "k0", "i0", "login", "WORD", "e0", "other"}
    module = SimpleNamespace(params={"kubeconfig": content}, no_log_values=set(blanked))
    lib.access_of(module)
    assert module.no_log_values == {"t0", "k0", "i0", "WORD", "e0", "other"}


def test_what_is_secret_elsewhere_stays_so() -> None:
    parameters = {"kubeconfig": {"users": [{"name": "admin"}]}, "servers": [{"name": "x", "password": "admin"}]}
    module = SimpleNamespace(params=parameters, no_log_values={"admin"})
    lib.access_of(module)
    assert module.no_log_values == {"admin"}


def test_a_path_is_not_blanked() -> None:
    parameters = {"kubeconfig": "/a/kubeconfig", "api_key": "t"}
    module = SimpleNamespace(params=parameters, no_log_values=set(parameters.values()))
    assert lib.access_of(module).kubeconfig == "/a/kubeconfig"
    assert module.no_log_values == {"t"}


def test_every_option_of_kubernetes_core_is_one_of_ours() -> None:
    assert set(AUTH_ARG_SPEC) == {*AUTH_ARG_MAP.values(), *lib.HEADERS}
