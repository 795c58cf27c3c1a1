# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""PostgreSQL and Redis as a service under test needs them: what is asked for, and the objects that run it.

Pure functions. The objects work with the images of the public registries and with the ones that this collection builds
from Debian packages: both read the same environment variables.
"""

from __future__ import annotations

import base64
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import (
    DEFAULT_DATABASE,
    POSTGRESQL,
    REDIS,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.sources import ManifestSources

Object = dict[str, t.Any]

NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "kubernaut.coverage"
# a data folder below the mount: a volume may bring a lost+found of its own
DATA_MOUNT = {POSTGRESQL: "/var/lib/postgresql/data", REDIS: "/data"}
PGDATA = "/var/lib/postgresql/data/pgdata"
PORT = {POSTGRESQL: 5432, REDIS: 6379}
DEFAULT_VERSION = {POSTGRESQL: "16", REDIS: "7"}
REGISTRY_IMAGE = {POSTGRESQL: "docker.io/library/postgres:{}-alpine", REDIS: "docker.io/library/redis:{}-alpine"}
LOCAL_IMAGE = "localhost/kubernaut-coverage/{}:{}"
DEFAULT_USER = "coverage"
# nothing of a throwaway database has to survive a power cut, and its tests are quicker for it
THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
NODE_PORTS = range(30000, 32768)


@dataclass(frozen=True)
class Migrations:
    """What makes the schema.

    :ivar dir: folder of C(*.sql), applied in the order of their names (by leading number); with a command or a Job,
        what those apply: its content decides whether they run again.
    :ivar format: C(plain), C(goose), or C(auto): goose where a file has its marks.
    :ivar tables: tables that have to be there afterwards, with their schema where it is not public.
    :ivar init_sql: SQL that is run once before all else. :ivar command: program and arguments, run on this host.
    :ivar chdir: where the command runs; C(dir) where empty. :ivar environment: its variables, see R(runs.environment).
    :ivar job: objects of which one is a Job. :ivar timeout: seconds for the command or the Job.
    """

    dir: str = ""
    format: str = "auto"
    tables: tuple[str, ...] = ()
    init_sql: str = ""
    command: tuple[str, ...] = ()
    chdir: str = ""
    environment: t.Mapping[str, str] = field(default_factory=dict)
    job: t.Optional[ManifestSources] = None
    timeout: float = 600.0


@dataclass(frozen=True)
class Server:
    """One server that is wanted; see the options of the module service_dependencies.

    :ivar password: None: one is made up and kept in the Secret. Redis: "" for none.
    :ivar storage: size of a PersistentVolumeClaim; empty: the data go with the pod.
    """

    name: str
    kind: str
    version: str = ""
    image: str = ""
    database: str = DEFAULT_DATABASE
    user: t.Optional[str] = None
    password: t.Optional[str] = field(default=None, repr=False)
    secret: str = ""
    node_port: int = 0
    storage: str = ""
    resources: t.Mapping[str, t.Any] = field(default_factory=dict)
    migrations: t.Optional[Migrations] = None
    after: tuple[str, ...] = ()
    timeout: float = 0.0

    @property
    def wanted_version(self) -> str:
        """The version asked for, or the kind's default."""
        return self.version or DEFAULT_VERSION[self.kind]

    @property
    def source(self) -> str:
        """Reference of the image in a registry."""
        return self.image or REGISTRY_IMAGE[self.kind].format(self.wanted_version)

    @property
    def local_image(self) -> str:
        """The name under which podman and the nodes have the image, wherever it came from."""
        return LOCAL_IMAGE.format(self.kind, self.wanted_version)

    @property
    def secret_name(self) -> str:
        """Name of the Secret with the credentials."""
        return self.secret or f"{self.name}-credentials"

    @property
    def port(self) -> int:
        """Port of the Service and of the container."""
        return PORT[self.kind]


def check(servers: t.Sequence[Server]) -> None:
    """Refuse what cannot be meant so, before anything is changed.

    :raises InputError: the first thing that is wrong.
    """
    for server in servers:
        where = f"dependencies ({server.name})"
        if (server.user is None) != (server.password is None) and server.kind == POSTGRESQL:
            given, lacking = ("user", "password") if server.password is None else ("password", "user")
            raise InputError(
                f"Dependency {server.name} has a {given} and no {lacking}: give both, or neither to generate them.",
                remedy=f"Set {lacking} too, or omit both.",
                setting=where,
                cause="credentials-incomplete",
            )
        if server.kind == POSTGRESQL and (server.user == "" or server.password == ""):
            raise InputError(
                f"The user or password of dependency {server.name} is empty.",
                setting=where,
                cause="credentials-incomplete",
            )
        if server.kind == REDIS and server.user is not None:
            raise InputError(
                f"Dependency {server.name} is a Redis with a user; only a password is supported.", setting=where
            )
        if server.kind == REDIS and server.migrations is not None:
            raise InputError(f"Dependency {server.name} is a Redis, which has no migrations.", setting=where)
        if server.migrations is not None:
            _check_migrations(server.name, server.migrations, where)
        if server.node_port and server.node_port not in NODE_PORTS:
            raise InputError(
                f"Dependency {server.name} asks for NodePort {server.node_port}; Kubernetes allows 30000 to 32767.",
                setting=where,
            )


def _check_migrations(name: str, wanted: Migrations, where: str) -> None:
    if wanted.command and wanted.job:
        raise InputError(
            f"The migrations of dependency {name} have both a command and a Job; only one is allowed.",
            setting=f"{where}.migrations",
        )
    if not (wanted.dir or wanted.command or wanted.job or wanted.init_sql):
        raise InputError(
            f"The migrations of dependency {name} have no folder, command or Job.",
            remedy="Set dir, command or job.",
            setting=f"{where}.migrations",
            cause="migrations-missing",
        )


def credentials(server: Server, kept: t.Optional[Object], make_up: t.Callable[[], str]) -> dict[str, str]:
    """Return the content of a server's Secret.

    :arg kept: the Secret in the cluster, or None. What was generated once is kept.
    :raises InputError: the existing Secret lacks a key, and no value is given for it.
    """
    data = {key: base64.b64decode(value).decode() for key, value in ((kept or {}).get("data") or {}).items()}
    if server.kind == REDIS:
        password = server.password
        if password is None:
            password = data.get("REDIS_PASSWORD") or make_up()
        return {"REDIS_PASSWORD": password} if password else {}
    user, password = server.user, server.password
    if user is None or password is None:
        half = [key for key in ("POSTGRES_USER", "POSTGRES_PASSWORD") if key not in data]
        if kept is not None and len(half) == 1:
            raise InputError(
                f"Secret {server.secret_name} in the cluster has no {half[0]}.",
                remedy="Add the key, or delete the Secret: it is created again.",
                setting="dependencies",
                cause="credentials-incomplete",
            )
        user, password = data.get("POSTGRES_USER", DEFAULT_USER), data.get("POSTGRES_PASSWORD") or make_up()
    return {"POSTGRES_USER": user, "POSTGRES_PASSWORD": password, "POSTGRES_DB": server.database}


def objects(server: Server, secret: t.Mapping[str, str], namespace: str) -> list[Object]:
    """Return the objects of one server: Secret, Service, Deployment, and a claim where its data are to stay.

    :arg secret: what R(credentials) returned.
    """
    labels = {NAME_LABEL: server.name, COMPONENT_LABEL: server.kind, MANAGED_LABEL: MANAGER}
    selector = {NAME_LABEL: server.name}
    metadata = {"name": server.name, "namespace": namespace, "labels": labels}
    service_port: Object = {"name": server.kind, "port": server.port, "targetPort": server.kind}
    if server.node_port:
        service_port["nodePort"] = server.node_port
    made: list[Object] = []
    if secret:
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {**metadata, "name": server.secret_name},
                "type": "Opaque",
                "data": {key: base64.b64encode(value.encode()).decode() for key, value in sorted(secret.items())},
            }
        )
    if server.storage:
        made.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": server.storage}},
                },
            }
        )
    made.append(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "type": "NodePort" if server.node_port else "ClusterIP",
                "selector": selector,
                "ports": [service_port],
            },
        }
    )
    made.append(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                # two servers never share one data folder
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": labels}, "spec": _pod(server, secret)},
            },
        }
    )
    return made


def _pod(server: Server, secret: t.Mapping[str, str]) -> Object:
    container: Object = {
        "name": server.kind,
        "image": server.local_image,
        "imagePullPolicy": "Never",
        "args": _arguments(server, secret),
        "ports": [{"name": server.kind, "containerPort": server.port}],
        "env": [
            {"name": key, "valueFrom": {"secretKeyRef": {"name": server.secret_name, "key": key}}}
            for key in sorted(secret)
        ],
        "volumeMounts": [{"name": "data", "mountPath": DATA_MOUNT[server.kind]}],
        "readinessProbe": {"tcpSocket": {"port": server.kind}, "periodSeconds": 1},
    }
    if server.resources:
        container["resources"] = dict(server.resources)
    if server.kind == POSTGRESQL:
        container["env"].append({"name": "PGDATA", "value": PGDATA})
    volume: Object = {"name": "data", "emptyDir": {}}
    if server.storage:
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": server.name}}
    return {
        "containers": [container],
        "volumes": [volume],
        "enableServiceLinks": False,
        # nothing of it has to be kept in order when it is removed
        "terminationGracePeriodSeconds": 5,
    }


def _arguments(server: Server, secret: t.Mapping[str, str]) -> list[str]:
    if server.kind == POSTGRESQL:
        settings = () if server.storage else THROWAWAY
        return ["postgres", *(word for setting in settings for word in ("-c", setting))]
    arguments = ["redis-server", "--protected-mode", "no", "--dir", DATA_MOUNT[REDIS]]
    if not server.storage:
        arguments += ["--save", "", "--appendonly", "no"]
    # the kubelet puts the value in: it is in no object
    return [*arguments, *(["--requirepass", "$(REDIS_PASSWORD)"] if secret else [])]


def query(server: Server, namespace: str) -> list[str]:
    """Return the command that asks the server something real, through its Service, from inside its own container."""
    host = f"{server.name}.{namespace}.svc"
    if server.kind == REDIS:
        return in_client_environment(server, ["redis-cli", "-h", host, "-p", str(server.port), "PING"])
    return in_client_environment(server, ["psql", *CLIENT_OPTIONS, "--host", host, "--command", "SELECT 1"])


def psql(server: Server, variables: t.Mapping[str, str]) -> list[str]:
    """Return the command that reads SQL from its standard input, up to a line C(\\q)."""
    settings = [f"--set={key}={value}" for key, value in variables.items()]
    return in_client_environment(server, ["psql", *CLIENT_OPTIONS, *settings, "--host", "127.0.0.1", "--file", "-"])


CLIENT_OPTIONS = ("--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")


def in_client_environment(server: Server, command: t.Sequence[str]) -> list[str]:
    """Return a command as it is run in the server's container, with the credentials that the container has."""
    if server.kind == REDIS:
        script = 'if [ -n "${REDIS_PASSWORD:-}" ]; then export REDISCLI_AUTH="$REDIS_PASSWORD"; fi; exec "$@"'
    else:
        script = (
            'export PGUSER="$POSTGRES_USER" PGPASSWORD="$POSTGRES_PASSWORD" PGDATABASE="$POSTGRES_DB"'
            ' PGCONNECT_TIMEOUT=3; exec "$@"'
        )
    return ["sh", "-c", script, "sh", *command]


def answered(server: Server, output: str) -> bool:
    """Tell whether that output is the answer to R(query)."""
    return output.strip() == ("PONG" if server.kind == REDIS else "1")


def version_in(said: str) -> str:
    """Return the version in what a server says of itself (C(postgres (PostgreSQL) 15.18), C(Redis server v=7.0.15))."""
    found = re.search(r"(?:\) |v=)(\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def describe(server: Server, namespace: str) -> dict[str, t.Any]:
    """Return what a service has to know of its dependency; no credentials, only where they are."""
    return {
        "name": server.name,
        "kind": server.kind,
        "host": f"{server.name}.{namespace}.svc.cluster.local",
        "port": server.port,
        "node_port": server.node_port,
        "database": server.database if server.kind == POSTGRESQL else "",
        "secret": server.secret_name,
    }
