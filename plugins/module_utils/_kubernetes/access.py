# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""How to reach and authenticate with one API server: the options of kubernetes.core, its K8S_AUTH_* variables included.

Options, their aliases and their variables are kubernetes.core's (C(args_common)), and so is what they add up to: a test
compares both for each combination. In one thing they differ: where a kubeconfig has a token, the client library loads
it before each request, and kubernetes.core's client then loses what other options say.

The configuration itself is made by the client library. kubernetes.core's C(get_api_client) asks the API server while it
makes a client, without a time limit; it keeps what it discovers in a file named after the address, from which the next
kind cluster on that port would be served; and it changes the configuration of the whole process, which is not safe
where several threads make clients.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import (
    AUTH_ARG_MAP,
    AUTH_ARG_SPEC,
    AUTH_PROXY_HEADERS_SPEC,
)

HEADERS = {"impersonate_user": "Impersonate-User", "impersonate_groups": "Impersonate-Group"}
FILES = {"ca_cert": "CA certificate", "client_cert": "client certificate", "client_key": "client key"}
# what kubernetes.core takes for complete: with it no kubeconfig is read
COMPLETE = (("host", "api_key"), ("host", "username", "password"), ("host", "client_cert", "client_key"))
# keys of options and of a kubeconfig (client-go, tools/clientcmd/api/v1, AuthInfo) whose values are secret; env: of the
# program that makes a token, whose values are whatever its author wants
SECRETS = frozenset({"api_key", "basic_auth", "password", "proxy_basic_auth"}) | frozenset(
    {"access-token", "client-key-data", "client-secret", "env", "id-token", "refresh-token", "token"}
)
FALSE = ("0", "false", "no")


class AnyModule(t.Protocol):
    """What is needed of an Ansible module."""

    params: t.Any
    no_log_values: set[str]


@dataclass(frozen=True)
class Access:
    """How to reach one API server.

    :ivar options: by the names of kubernetes.core's options, those that are set only.
    :ivar empty_kubeconfig: the option C(kubeconfig) was given and is empty.
    """

    options: t.Mapping[str, t.Any]
    empty_kubeconfig: bool = False

    @classmethod
    def of(cls, options: t.Mapping[str, t.Any], environment: t.Optional[t.Mapping[str, str]] = None) -> Access:
        """Return the access that options describe, completed from C(K8S_AUTH_*) as kubernetes.core does.

        :arg options: options of a module, those of other purposes included.
        :arg environment: C(os.environ) where it is not given.
        """
        variables = os.environ if environment is None else environment
        found = {name: _option(name, options, variables) for name in AUTH_ARG_SPEC}
        kubeconfig = found["kubeconfig"]
        if isinstance(kubeconfig, (str, os.PathLike)):
            found["kubeconfig"] = os.path.expanduser(os.path.expandvars(kubeconfig))
        given = {name: value for name, value in found.items() if value not in (None, "", [], {})}
        return cls(given, empty_kubeconfig=kubeconfig == "")

    @property
    def given(self) -> bool:
        """Whether an option or a variable names a cluster; otherwise the user's default kubeconfig would."""
        return any(name in self.options for name in ("kubeconfig", "context", "host"))

    @property
    def kubeconfig(self) -> str:
        """Path of the kubeconfig, or several paths as the variable KUBECONFIG has them; "" where it is not a file."""
        value = self.options.get("kubeconfig")
        return value if isinstance(value, str) else ""

    @property
    def absent(self) -> bool:
        """Whether it names a kubeconfig that does not exist: the cluster is still to be created."""
        return bool(self.kubeconfig) and not self._complete and not any(map(os.path.isfile, self._paths))

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Headers of each request, which say whom to impersonate: one for each group."""
        found = []
        for name, header in HEADERS.items():
            value = self.options.get(name, [])
            found += [(header, item) for item in ([value] if isinstance(value, str) else value)]
        return found

    @property
    def _complete(self) -> bool:
        return any(all(name in self.options for name in names) for names in COMPLETE)

    @property
    def _paths(self) -> list[str]:
        return [path for path in self.kubeconfig.split(os.pathsep) if path]

    @property
    def _source(self) -> str:
        if isinstance(self.options.get("kubeconfig"), t.Mapping):
            return "The kubeconfig that was given as a dictionary"
        return f"The kubeconfig {self.kubeconfig}" if self.kubeconfig else "The default kubeconfig"

    def __str__(self) -> str:
        """Where it leads, for messages; never a secret."""
        if "host" in self.options:
            return str(self.options["host"])
        context = f", context {self.options['context']}" if "context" in self.options else ""
        return (self.kubeconfig or self._source.removeprefix("The ")) + context

    def configuration(self) -> t.Any:
        """Return the client library's configuration (C(kubernetes.client.Configuration)).

        :raises InputError: causes C(no-kubeconfig), C(bad-kubeconfig), C(auth-file-missing).
        :raises ImportError: a library is missing on the host.
        """
        import kubernetes.client

        self._refuse_missing()
        configuration = kubernetes.client.Configuration()
        if not self._complete:
            self._load(configuration)
        self._override(configuration)
        load_again = getattr(configuration, "refresh_api_key_hook", None)
        if load_again is not None:
            # before each request the loader may renew a token, and puts back all else that the kubeconfig says
            def renew(renewed: t.Any) -> None:
                load_again(renewed)
                self._override(renewed)

            configuration.refresh_api_key_hook = renew
        return configuration

    def _override(self, configuration: t.Any) -> None:
        """Put what the options say over what a kubeconfig says."""
        import urllib3.util

        for true_name, name in AUTH_ARG_MAP.items():
            if name not in self.options or name in ("kubeconfig", "context", "persist_config"):
                continue
            value = self.options[name]
            if name == "api_key":
                value = {"authorization": f"Bearer {value}"}
            elif name == "proxy_headers":
                value = urllib3.util.make_headers(**{key: item for key, item in value.items() if item})
            elif name == "host":
                value = value.rstrip("/")
            setattr(configuration, true_name, value)

    def _refuse_missing(self) -> None:
        if self.empty_kubeconfig and not self.given:
            raise InputError(
                "The option kubeconfig is empty, and no other option names the cluster.",
                remedy="Name the cluster's kubeconfig, or omit the option to use the default one.",
                cause="no-kubeconfig",
            )
        if self.absent:
            raise InputError(
                f"There is no kubeconfig {self.kubeconfig}: the cluster was not created, or its kubeconfig is"
                " elsewhere.",
                remedy="Create the cluster first (role kind_cluster), or name its kubeconfig.",
                cause="no-kubeconfig",
            )
        for name, what in FILES.items():
            path = self.options.get(name)
            if path and not Path(path).is_file():
                raise InputError(
                    f"The {what} {path} does not exist.",
                    remedy=f"Correct the option {name}.",
                    setting=name,
                    cause="auth-file-missing",
                )

    def _load(self, configuration: t.Any) -> None:
        """Fill a configuration from the kubeconfig that is named, else from this pod, else the user's own."""
        import kubernetes.config
        import yaml

        kubeconfig = self.options.get("kubeconfig")
        arguments = {
            "context": self.options.get("context"),
            "client_configuration": configuration,
            "persist_config": self.options.get("persist_config"),
        }
        if not kubeconfig and "context" not in self.options:
            try:
                kubernetes.config.load_incluster_config(client_configuration=configuration)
                return
            except kubernetes.config.ConfigException:
                pass  # not in a pod
        try:
            if isinstance(kubeconfig, t.Mapping):
                kubernetes.config.load_kube_config_from_dict(kubeconfig, **arguments)
            else:
                kubernetes.config.load_kube_config(config_file=kubeconfig, **arguments)
        except (kubernetes.config.ConfigException, yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
            # the client takes the file's form for granted: all but the first are what it stumbles over
            said = " ".join(str(error).split()).rstrip(".")
            context = f" with the context {self.options['context']}" if "context" in self.options else ""
            raise InputError(
                f"{self._source} cannot be used{context}: {said}.",
                remedy="" if kubeconfig else "Name the cluster's kubeconfig, or give host and api_key.",
                cause="bad-kubeconfig",
            ) from error


def access_of(module: AnyModule) -> Access:
    """Return the access that a module's options describe.

    The specification of kubernetes.core blanks every value of the option C(kubeconfig) wherever it occurs in a result:
    the path in a message, and of a dictionary even words such as C(v1). What is secret stays so, the rest does not.
    """
    module.no_log_values -= set(_texts(module.params.get("kubeconfig"))) - set(_secrets(module.params))
    return Access.of(module.params)


def _option(name: str, options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> t.Any:
    """Return an option's value, else that of its variable, in the option's type."""
    if options.get(name) is not None:
        return options[name]
    if name == "proxy_headers":
        found = {key: environment.get(f"K8S_AUTH_PROXY_HEADERS_{key.upper()}") for key in AUTH_PROXY_HEADERS_SPEC}
        return {key: value for key, value in found.items() if value is not None}
    names = [name, *(true_name for true_name, mapped in AUTH_ARG_MAP.items() if mapped == name)]
    value = next(filter(None, (environment.get(f"K8S_AUTH_{item.upper()}") for item in names)), None)
    kind = AUTH_ARG_SPEC[name].get("type")
    if value is None or kind not in ("bool", "list"):
        return value
    return value.lower() not in FALSE if kind == "bool" else [item for item in value.split(",") if item]


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, t.Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


def _secrets(value: t.Any) -> t.Iterator[str]:
    """Yield every value stored under a secret's key."""
    if isinstance(value, t.Mapping):
        for key, item in value.items():
            yield from _texts(item) if key in SECRETS else _secrets(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(item)
