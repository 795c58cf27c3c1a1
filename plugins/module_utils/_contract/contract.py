# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The contract of a service: what ships, merged with what the user's inventory says, and checked whole.

A contract is data: no logic, no templates. C(SPECIFICATION) is its one definition, in the form of Ansible's own
argument specifications; validation, defaults and the reference in the documentation all come from it.
"""

from __future__ import annotations

import copy
import datetime
import difflib
import re
import typing as t
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.dict_transformations import dict_merge
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import check_options
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.order import check_order
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import HostPort

TOP = "coverage_services"

SPECIFICATION: dict[str, dict[str, t.Any]] = {
    "source": {
        "type": "dict",
        "required": True,
        "description": "Where the program's source is: a Go module, a checkout, or a repository to check out.",
        "mutually_exclusive": [("module", "dir"), ("module", "repository"), ("dir", "repository")],
        "required_one_of": [("module", "dir", "repository")],
        "required_by": {
            "module": ("version",),
            "dir": ("containerfile",),
            "repository": ("version", "containerfile"),
        },
        "options": {
            "module": {"type": "str", "description": "Go module path."},
            "repository": {
                "type": "str",
                "description": "Git repository, as git takes it; checked out once for all services that name it.",
            },
            "version": {
                "type": "str",
                "description": "Version of the Go module; branch, tag or commit of the repository.",
            },
            "package": {
                "type": "str",
                "default": "",
                "description": "Main package: its folder inside the module; the module's root where empty.",
            },
            "dir": {"type": "str", "description": "A checkout on the runner; it is the build context."},
            "containerfile": {"type": "str", "description": "Containerfile, relative to O(source.dir)."},
            "target": {"type": "str", "default": "", "description": "Stage of the Containerfile; the last if empty."},
        },
    },
    "image": {
        "type": "dict",
        "default": {},
        "description": "How the instrumented image is built.",
        "options": {
            "build_args": {
                "type": "dict",
                "default": {"GOFLAGS": "-cover -covermode=atomic"},
                "description": "Build arguments of the Containerfile.",
            },
            "base": {"type": "str", "default": "scratch", "description": "Base image for a Go module's binary."},
            "user": {"type": "str", "default": "65532:65532", "description": "User of a Go module's image."},
            "covermode": {
                "type": "str",
                "default": "atomic",
                "choices": ["set", "count", "atomic"],
                "description": "Counter mode of a Go module's build.",
            },
            "coverpkg": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Package patterns to instrument; all of the module where empty.",
            },
        },
    },
    "workload": {
        "type": "dict",
        "required": True,
        "description": "The service as Kubernetes runs it normally; without O(workload.objects) and"
        " O(workload.manifests) as it stands in the cluster.",
        "options": {
            "namespace": {"type": "str", "required": True, "description": "Namespace; made where missing."},
            "kind": {
                "type": "str",
                "default": "Deployment",
                "choices": ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"],
                "description": "Kind of the workload.",
            },
            "name": {"type": "str", "required": True, "description": "Name of the workload."},
            "container": {"type": "str", "required": True, "description": "Name of the service's container."},
            "objects": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "The normal objects, inline.",
            },
            "manifests": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Files with the normal objects, relative to O(source.dir).",
            },
        },
    },
    "dependencies": {
        "type": "dict",
        "default": {},
        "description": "What the service needs, by name: servers, and manifests of anything else. A server is reached"
        " under its name.",
        "values": {
            "kind": {
                "type": "str",
                "required": True,
                "choices": ["postgresql", "redis", "manifests"],
                "description": "What it is.",
            },
            "after": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Names of dependencies that have to be ready first. All others start side by side.",
            },
            "timeout": {
                "type": "int",
                "default": 0,
                "description": "Seconds until it is ready; 0 for C(service_dependencies_timeout).",
            },
            "version": {
                "type": "str",
                "default": "",
                "description": "Version in the registry. An image that is built on the runner has Debian's instead.",
            },
            "image": {"type": "str", "default": "", "description": "Another image in a registry."},
            "database": {"type": "str", "default": "coverage", "description": "Database to be made (PostgreSQL)."},
            "user": {"type": "str", "description": "Its owner (PostgreSQL), together with the password or not at all."},
            "password": {
                "type": "str",
                "description": "For test credentials that are no secret: it is seen in verbose output. Made up and kept"
                " in the Secret where it is missing; empty for a Redis without one.",
            },
            "secret": {
                "type": "str",
                "default": "",
                "description": "Name of the Secret with the credentials, which are taken from it where it stands; the"
                " name with C(-credentials) by default.",
            },
            "node_port": {"type": "int", "default": 0, "description": "NodePort of its Service; 0 for none."},
            "storage": {
                "type": "str",
                "default": "",
                "description": "Size of a claim for its data, which go with the pod where this is empty.",
            },
            "resources": {"type": "dict", "default": {}, "description": "Requests and limits of its container."},
            "migrations": {
                "type": "dict",
                "description": "What makes the schema (PostgreSQL): SQL files, a command or a Job.",
                "mutually_exclusive": [("command", "job")],
                "required_one_of": [("dir", "command", "job", "init_sql")],
                "options": {
                    "dir": {
                        "type": "str",
                        "default": "",
                        "description": "Folder of C(*.sql), relative to O(source.dir). With a command or a Job, what"
                        " those apply: they run again when its content is another.",
                    },
                    "format": {
                        "type": "str",
                        "default": "auto",
                        "choices": ["auto", "plain", "goose"],
                        "description": "Whether files are goose's; by their marks where C(auto).",
                    },
                    "tables": {
                        "type": "list",
                        "elements": "str",
                        "default": [],
                        "description": "Tables that have to be there afterwards.",
                    },
                    "init_sql": {
                        "type": "str",
                        "default": "",
                        "description": "SQL that is run once, before all else: roles and grants.",
                    },
                    "command": {
                        "type": "list",
                        "elements": "str",
                        "default": [],
                        "description": "Program and arguments that migrate, run on the runner. The way to the database"
                        " is in its environment: see [dependencies](dependencies.md#migrations).",
                    },
                    "chdir": {
                        "type": "str",
                        "default": "",
                        "description": "Folder that the command runs in, relative to O(source.dir);"
                        " O(dependencies.<name>.migrations.dir) or else O(source.dir) where empty.",
                    },
                    "environment": {
                        "type": "dict",
                        "default": {},
                        "description": "More variables for the command; C($NAME) in a value is one of those it has.",
                    },
                    "job": {
                        "type": "dict",
                        "description": "A Job that migrates, in the namespace of the service.",
                        "required_one_of": [("manifests", "objects")],
                        "options": {
                            "manifests": {
                                "type": "list",
                                "elements": "str",
                                "default": [],
                                "description": "Files with the Job and what it needs, relative to O(source.dir).",
                            },
                            "objects": {
                                "type": "list",
                                "elements": "dict",
                                "default": [],
                                "description": "The same, inline.",
                            },
                        },
                    },
                    "timeout": {
                        "type": "int",
                        "default": 600,
                        "description": "Seconds after which the command or the Job has failed.",
                    },
                },
            },
            "manifests": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Files, folders and kustomize folders, relative to O(source.dir).",
            },
            "urls": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Manifests in the network.",
                "options": {
                    "url": {"type": "str", "required": True, "description": "C(https://...)."},
                    "checksum": {
                        "type": "str",
                        "default": "",
                        "description": "C(sha256:...) of it; then it is fetched once, and kept.",
                    },
                },
            },
            "objects": {"type": "list", "elements": "dict", "default": [], "description": "Manifests, inline."},
            "namespace": {
                "type": "str",
                "default": "",
                "description": "Namespace of manifests that name none; that of the service where empty.",
            },
            "until": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "What manifests are ready by, all of it; what their kinds say where empty.",
                "options": {
                    "kind": {"type": "str", "required": True, "description": "Kind of the object."},
                    "name": {"type": "str", "default": "", "description": "Its name; or a selector."},
                    "selector": {
                        "type": "str",
                        "default": "",
                        "description": "Labels; the condition is then over C({items: [...]}).",
                    },
                    "api_version": {
                        "type": "str",
                        "default": "",
                        "description": "Its C(apiVersion); the one that the cluster prefers where empty.",
                    },
                    "namespace": {"type": "str", "default": "", "description": "Its namespace; that of the manifests."},
                    "condition": {
                        "type": "str",
                        "required": True,
                        "description": "JMESPath over the live object; true when it is not null, false or empty.",
                    },
                },
            },
        },
    },
    "components": {
        "type": "dict",
        "default": {},
        "description": "Other instrumented services that this one needs, by name. Each is built, started before it,"
        " and reported beside it.",
        "values": {
            "service": {
                "type": "str",
                "default": "",
                "description": "The service whose contract it has; that of the component's name where empty.",
            },
            "overrides": {
                "type": "dict",
                "default": {},
                "description": "Laid over that contract; its namespace is this service's unless given here.",
            },
        },
    },
    "coverage": {
        "type": "dict",
        "default": {},
        "description": "How the service is run in coverage mode.",
        "options": {
            "directory": {
                "type": "str",
                "default": "/coverdata",
                "description": "Where the container writes its counters (E(GOCOVERDIR)).",
            },
            "grace_period": {
                "type": "int",
                "default": 30,
                "description": "Seconds that the service gets to end, at least; a longer one of its own stays.",
            },
            "startup_seconds": {
                "type": "int",
                "default": 0,
                "description": "Seconds to start in before a probe kills it, at least; 0: probes as they are.",
            },
            "environment": {"type": "dict", "default": {}, "description": "More variables for the container."},
            "resources": {
                "type": "dict",
                "default": {},
                "description": "Requests and limits, laid over the container's own.",
            },
            "replicas": {"type": "int", "default": -1, "description": "Number of pods; as it is where negative."},
            "other_containers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "More instrumented containers of the pod.",
                "options": {
                    "name": {"type": "str", "required": True, "description": "Name of the container."},
                    "image": {"type": "str", "required": True, "description": "Its instrumented image."},
                },
            },
            "volume": {
                "type": "str",
                "default": "auto",
                "choices": ["auto", "host_path", "persistent_volume_claim"],
                "description": "What the counters' folder is to the pod; a claim where Pod Security asks for it.",
            },
            "permission": {
                "type": "str",
                "default": "auto",
                "choices": ["auto", "writable", "node", "fs_group", "init_container", "root"],
                "description": "How that folder comes to be writable; the mildest way that works.",
            },
            "init_image": {"type": "str", "default": "", "description": "Image that has C(chmod), for that way."},
            "allow_root": {"type": "bool", "default": False, "description": "Whether root is allowed as the last way."},
        },
    },
    "cluster": {
        "type": "dict",
        "default": {},
        "description": "The kind cluster.",
        "options": {
            "name": {"type": "str", "description": "Name; the service's name with C(-e2e) by default."},
            "workers": {"type": "int", "default": 0, "description": "Worker nodes beside the control plane."},
            "node_image": {
                "type": "str",
                "default": "localhost/kindest/node:v1.34.4",
                "description": "Image of the nodes.",
            },
            "port_mappings": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Ports of the node (NodePorts) that the host can reach.",
                "options": {
                    "container_port": {"type": "int", "required": True, "description": "Port on the node."},
                    "host_port": {"type": "int", "required": True, "description": "Port on the host."},
                    "listen_address": {"type": "str", "default": "127.0.0.1", "description": "Address on the host."},
                    "protocol": {
                        "type": "str",
                        "default": "tcp",
                        "choices": ["tcp", "udp"],
                        "description": "Protocol.",
                    },
                },
            },
            "extra_mounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Folders of the host that the nodes see.",
                "options": {
                    "host_path": {"type": "str", "required": True, "description": "Folder on the host."},
                    "container_path": {"type": "str", "required": True, "description": "Folder on the node."},
                    "read_only": {"type": "bool", "default": False, "description": "Whether the nodes only read it."},
                },
            },
            "kubeadm_patches": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Patches of kubeadm's configuration, as kind takes them.",
            },
        },
    },
    "readiness": {
        "type": "dict",
        "default": {},
        "description": "When the service is ready for its tests.",
        "options": {
            "url": {
                "type": "str",
                "default": "",
                "description": "Address that answers with a 2xx status, as the tests will reach the service.",
            },
            "timeout": {"type": "int", "default": 120, "description": "Seconds after which waiting ends."},
        },
    },
    "tests": {
        "type": "dict",
        "required": True,
        "description": "The end-to-end tests.",
        "options": {
            "command": {
                "type": "list",
                "elements": "str",
                "required": True,
                "description": "Program and arguments, one list element each.",
            },
            "dir": {
                "type": "str",
                "default": "",
                "description": "Folder to run in, relative to O(source.dir) or to O(tests.files).",
            },
            "files": {
                "type": "str",
                "default": "",
                "description": "Folder with the tests, beside the playbook under C(files/); copied to another host.",
            },
            "environment": {"type": "dict", "default": {}, "description": "Environment variables."},
            "base_url": {"type": "str", "default": "", "description": "Given to the tests as E(E2E_BASE_URL)."},
            "port_forward": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Ports of the host that lead to Services or pods while the tests run.",
                "options": {
                    "target": {"type": "str", "required": True, "description": "C(service/NAME) or C(pod/NAME)."},
                    "port": {"type": "str", "required": True, "description": "Number or name of its port."},
                    "variable": {
                        "type": "str",
                        "required": True,
                        "description": "Environment variable that tells the tests the address.",
                    },
                    "namespace": {"type": "str", "default": "", "description": "The workload's where empty."},
                    "local_port": {"type": "int", "default": 0, "description": "Port on the host; 0 for a free one."},
                    "scheme": {"type": "str", "default": "http", "description": "Comes before the address."},
                    "path": {"type": "str", "default": "", "description": "Comes after the address."},
                },
            },
            "junit": {
                "type": "str",
                "default": "",
                "description": "JUnit files that the command writes, relative to its folder, also as a pattern. Ginkgo"
                " and C(go test) are asked for a report where this is empty. Of a O(tests.job) they are relative to"
                " the folder that E(E2E_RESULTS) tells.",
            },
            "job": {
                "type": "dict",
                "default": {},
                "description": "The tests as a Job in the workload's namespace, and not on this host. O(tests.dir)"
                " is then a folder of its image.",
                "options": {
                    "image": {
                        "type": "str",
                        "default": "",
                        "description": "Image of the tests; with it they are run as a Job.",
                    },
                    "containerfile": {
                        "type": "str",
                        "default": "",
                        "description": "Containerfile that makes the image from O(source.dir), relative to that."
                        " Without it podman has the image, or pulls it.",
                    },
                    "build_args": {"type": "dict", "default": {}, "description": "Build arguments."},
                    "service_account": {
                        "type": "str",
                        "default": "",
                        "description": "ServiceAccount of the pod; the namespace's default where empty.",
                    },
                },
            },
            "timeout": {"type": "int", "default": 900, "description": "Seconds after which the tests are ended."},
        },
    },
    "report": {
        "type": "dict",
        "default": {},
        "description": "What is reported, and what is demanded of it.",
        "options": {
            "include": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Package patterns to report (Go's C(...)); all where empty.",
            },
            "exclude": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Package patterns to leave out.",
            },
            "paths": {
                "type": "dict",
                "default": {},
                "description": "Folders in the repository by module or build folder, for names of files in reports.",
            },
            "thresholds": {
                "type": "dict",
                "default": {},
                "description": "The run fails below these percentages, once all reports are written.",
                "options": {
                    "total": {"type": "float", "description": "Of all statements."},
                    "packages": {"type": "dict", "default": {}, "description": "By package pattern."},
                },
            },
        },
    },
}

KINDS = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict}
WORDS = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "str": "text",
    "list": "a list",
    "dict": "a dictionary",
}

# RFC 1123 label: names of clusters, namespaces and workloads
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def shipped_contract(folder: str, service: str) -> dict[str, t.Any]:
    """Return what C(folder/service.yml) says of the service; empty where there is no such file.

    :raises InputError: not YAML, or not of the form C({coverage_services: {service: {...}}}).
    """
    import yaml

    path = Path(folder) / f"{service}.yml"
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date that is none
        raise InputError(f"The contract {path} is not YAML: {' '.join(str(error).split())}.") from error
    services = content.get(TOP) if isinstance(content, dict) else None
    contract = services.get(service) if isinstance(services, dict) else None
    if not isinstance(contract, dict):
        raise InputError(
            f"The contract {path} does not describe {service}.", remedy=f"Put it under {TOP}: {{{service}: ...}}."
        )
    return contract


def merged_contract(
    service: str, shipped: t.Mapping[str, t.Any], inventory: t.Mapping[str, t.Any], *, known: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    """Return the validated contract: C(shipped), overlaid leaf by leaf with C(inventory), defaults filled in.

    Dictionaries are merged; lists and scalars of the inventory replace what ships. Null takes a key away: what ships
    for it gives way to the default.

    :arg known: names of the services that have a contract, for the error about an unknown one.
    :raises InputError: all that is wrong, each with its path; the nearest right key for an unknown one.
    """
    if not shipped and not inventory:
        raise InputError(
            f"There is no contract for the service {service!r}.{_nearest(service, known)}",
            remedy=f"Add {TOP}.{service} to the inventory.",
            setting=TOP,
        )
    if not isinstance(inventory, t.Mapping):
        raise InputError(f"{TOP}.{service} is {type(inventory).__name__}, not a dictionary.", setting=TOP)
    if not LABEL.fullmatch(service):
        raise InputError(
            f"The service's name {service!r} cannot name a folder, an image and a cluster.",
            remedy="Use lower case letters, digits and '-'.",
            setting="coverage_service",
        )
    base = copy.deepcopy(dict(shipped))
    _drop_other_source(base, inventory)
    contract = _without_nulls(dict_merge(base, copy.deepcopy(dict(inventory))), SPECIFICATION)
    problems = [
        *_unknown_keys(contract, SPECIFICATION, f"{TOP}.{service}"),
        *_other_types(contract, SPECIFICATION, f"{TOP}.{service}"),
    ]
    if not problems:
        specification = _without_descriptions(SPECIFICATION)
        result = ArgumentSpecValidator(specification).validate(contract)
        problems = [f"{TOP}.{service}: {message}" for message in result.error_messages]
        contract = result.validated_parameters
        problems += _validate_named(contract, f"{TOP}.{service}")
    if not problems:
        contract["cluster"]["name"] = contract["cluster"]["name"] or f"{service}-e2e"
        problems = [f"{TOP}.{service}.{message}" for message in _contradictions(contract)]
    if problems:
        more = f" ({len(problems) - 1} more below)" if len(problems) > 1 else ""
        raise InputError(
            f"The contract of {service} is not valid: {problems[0]}{more}",
            setting=f"{TOP}.{service}",
            evidence=problems,
            cause="invalid-contract",
        )
    return contract


def dependency_servers(contract: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the dependencies of a validated contract as the module service_dependencies takes them."""
    base = Path(contract["source"]["dir"] or "/")

    def inside(paths: t.Sequence[str]) -> list[str]:
        return [str(base / path) for path in paths]

    servers = []
    for name, entry in contract["dependencies"].items():
        server = {"name": name, **{key: value for key, value in entry.items() if value is not None}}
        server["manifests"] = inside(entry["manifests"])
        if entry["migrations"]:
            migrations = {key: value for key, value in entry["migrations"].items() if value is not None}
            if migrations["dir"]:
                migrations["dir"] = str(base / migrations["dir"])
            if migrations["chdir"] or (migrations["command"] and not migrations["dir"]):
                migrations["chdir"] = str(base / migrations["chdir"])
            if "job" in migrations:
                migrations["job"] = {**migrations["job"], "manifests": inside(migrations["job"]["manifests"])}
            server["migrations"] = migrations
        servers.append(server)
    return servers


def new_run_id(moment: datetime.datetime) -> str:
    """Return an id that sorts by time: C(20261123-154210-123), UTC with milliseconds."""
    return f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}"


def _without_nulls(value: t.Any, specification: t.Mapping[str, t.Any]) -> t.Any:
    """Return the contract without the keys that are null, so that they get their defaults."""
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, content in value.items():
        rule = specification.get(key, {})
        if content is None and key in specification:
            continue
        if "options" in rule:
            kept[key] = _without_nulls(content, rule["options"])
        elif "values" in rule and isinstance(content, dict):
            # a null takes away what ships under that name
            entries = {name: entry for name, entry in content.items() if entry is not None}
            kept[key] = {name: _without_nulls(entry, rule["values"]) for name, entry in entries.items()}
        else:
            kept[key] = content
    return kept


def _validate_named(contract: dict[str, t.Any], path: str) -> list[str]:
    """Validate the entries that a user names (C(values) of a rule), which no argument specification knows.

    Their defaults are filled in; what is wrong is returned.
    """
    problems = []
    for key, rule in SPECIFICATION.items():
        if "values" not in rule:
            continue
        specification = _without_descriptions(rule["values"])
        for name, entry in contract[key].items():
            where = f"{path}.{key}.{name}"
            if not LABEL.fullmatch(str(name)):
                problems.append(f"{where}: {name!r} is no Kubernetes name (lower case letters, digits and '-').")
            result = ArgumentSpecValidator(specification).validate(entry)
            problems += [f"{where}: {message}" for message in result.error_messages]
            contract[key][name] = result.validated_parameters
    return problems


def _other_types(value: t.Any, specification: t.Mapping[str, t.Any], path: str) -> t.Iterator[str]:
    """What Ansible's validator would take for something else: a dictionary as text, text as a list of words."""
    if not isinstance(value, dict):
        return
    for key, content in value.items():
        rule = specification.get(key)
        if rule is None:
            continue
        where, kind = f"{path}.{key}", rule["type"]
        if not _is_a(kind, content):
            yield f"{where} is {_kind_of(content)}, but should be {WORDS[kind]}."
        elif kind == "list":
            for index, element in enumerate(content):
                if not _is_a(rule["elements"], element):
                    kinds = f"{_kind_of(element)}, but should be {WORDS[rule['elements']]}"
                    yield f"{where}[{index}] is {kinds}."
                elif "options" in rule:
                    yield from _other_types(element, rule["options"], f"{where}[{index}]")
        elif "options" in rule:
            yield from _other_types(content, rule["options"], where)
        elif "values" in rule:
            for name, entry in content.items():
                if not isinstance(entry, dict):
                    yield f"{where}.{name} is {_kind_of(entry)}, but should be {WORDS['dict']}."
                yield from _other_types(entry, rule["values"], f"{where}.{name}")


def _is_a(kind: str, value: t.Any) -> bool:
    if kind in ("list", "dict"):
        return isinstance(value, list if kind == "list" else dict)
    # whether text is a number is the validator's question: templates give text
    return isinstance(value, (str, int, float)) and not (kind in ("int", "float") and isinstance(value, bool))


def _kind_of(value: t.Any) -> str:
    return next((WORDS[name] for name, kind in KINDS.items() if isinstance(value, kind)), type(value).__name__)


def _unknown_keys(value: t.Any, specification: t.Mapping[str, t.Any], path: str) -> t.Iterator[str]:
    if not isinstance(value, dict):
        return  # said elsewhere
    for key, content in value.items():
        rule = specification.get(key)
        if rule is None:
            yield f"{path}.{key} is not a key of a contract.{_nearest(str(key), list(specification))}"
        elif "options" in rule:
            if rule["type"] == "list":
                for index, element in enumerate(content if isinstance(content, list) else []):
                    yield from _unknown_keys(element, rule["options"], f"{path}.{key}[{index}]")
            else:
                yield from _unknown_keys(content, rule["options"], f"{path}.{key}")
        elif "values" in rule and isinstance(content, dict):
            for name, entry in content.items():
                yield from _unknown_keys(entry, rule["values"], f"{path}.{key}.{name}")


def _drop_other_source(shipped: dict[str, t.Any], inventory: t.Mapping[str, t.Any]) -> None:
    """A source of one kind in the inventory takes the place of one of another kind that ships.

    A checkout has the same files as the repository that ships, so what is said of those stays.
    """
    mine, theirs = inventory.get("source"), shipped.get("source")
    if isinstance(mine, dict) and isinstance(theirs, dict):
        chosen = [kind for kind in ("module", "dir", "repository") if mine.get(kind)]
        others = [kind for kind in ("module", "dir", "repository") if kind in theirs and kind not in chosen]
        if chosen == ["dir"] and others == ["repository"]:
            shipped["source"] = {key: value for key, value in theirs.items() if key not in ("repository", "version")}
        elif chosen and others:
            shipped["source"] = {}


def _nearest(name: str, known: t.Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if found:
        return f" Did you mean {found[0]!r}?"
    return f" Known: {', '.join(sorted(known))}." if known else ""


def _without_descriptions(specification: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the specification as Ansible's validator wants it; C(options) of dictionaries get their defaults."""
    cleaned: dict[str, t.Any] = {}
    for key, rule in specification.items():
        ours = ("description", "values")
        cleaned[key] = copy.deepcopy({name: value for name, value in rule.items() if name not in ours})
        if "options" in rule:
            cleaned[key]["options"] = _without_descriptions(rule["options"])
    return cleaned


def _contradictions_of_tests(tests: t.Mapping[str, t.Any], has_checkout: bool) -> t.Iterator[str]:
    if not tests["command"]:
        yield "tests.command: is empty."
    job = tests["job"]
    if not job["image"]:
        if job["containerfile"] or job["build_args"] or job["service_account"]:
            yield "tests.job.image: is missing."
        return
    if tests["files"]:
        yield "tests.files: a Job runs what is in its image (tests.job.image)."
    if tests["port_forward"]:
        yield "tests.port_forward: a port-forward ends at this host; give a Job the address of the Service."
    if tests["dir"] and not tests["dir"].startswith("/"):
        yield "tests.dir: for a Job it is a folder of its image, and has to be absolute."
    if tests["junit"].startswith("/"):
        yield "tests.junit: for a Job it is relative to the folder that E2E_RESULTS tells."
    if job["containerfile"] and not has_checkout and not job["containerfile"].startswith("/"):
        yield "tests.job.containerfile: needs source.dir, the folder that it lies in."


def _contradictions(contract: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What no argument specification can say."""
    workload, cluster = contract["workload"], contract["cluster"]
    has_checkout = contract["source"]["dir"] or contract["source"]["repository"]
    for path, name in (
        ("workload.namespace", workload["namespace"]),
        ("workload.name", workload["name"]),
        ("workload.container", workload["container"]),
        ("cluster.name", cluster["name"]),
    ):
        if not LABEL.fullmatch(name):
            yield f"{path}: {name!r} is no Kubernetes name (lower case letters, digits and '-')."
    if not contract["coverage"]["directory"].startswith("/"):
        yield "coverage.directory: must be an absolute path."
    for path, seconds in (
        ("coverage.grace_period", contract["coverage"]["grace_period"]),
        ("readiness.timeout", contract["readiness"]["timeout"]),
        ("tests.timeout", contract["tests"]["timeout"]),
    ):
        if seconds <= 0:
            yield f"{path}: must be more than 0 seconds."
    yield from _contradictions_of_tests(contract["tests"], has_checkout)
    for name, dependency in contract["dependencies"].items():
        migrations = dependency["migrations"] or {}
        for path, files in (
            ("manifests", dependency["manifests"]),
            ("migrations.dir", [migrations.get("dir", "")]),
            ("migrations.chdir", [migrations.get("chdir", "")]),
            ("migrations.job.manifests", (migrations.get("job") or {}).get("manifests", [])),
        ):
            if not has_checkout and any(file and not file.startswith("/") for file in files):
                yield f"dependencies.{name}.{path}: needs source.dir, the folder that it lies in."
    try:
        check_order({name: item["after"] for name, item in contract["dependencies"].items()}, "")
        for item in dependency_servers(contract):
            check_options(item)
    except InputError as error:
        yield f"dependencies: {' '.join(filter(None, (error.message, error.remedy)))}"
    if workload["objects"] and not workload["manifests"]:
        names = [(item.get("kind"), (item.get("metadata") or {}).get("name")) for item in workload["objects"]]
        if (workload["kind"], workload["name"]) not in names:
            workloads = [str(name) for kind, name in names if kind == workload["kind"]]
            yield (
                f"workload.name: the objects have no {workload['kind']} {workload['name']!r}."
                f"{_nearest(workload['name'], workloads)}"
            )
    elif workload["manifests"] and not has_checkout:
        yield "workload.manifests: need source.dir, the folder that they lie in."
    ports: list[HostPort] = []
    for index, mapping in enumerate(cluster["port_mappings"]):
        where = f"cluster.port_mappings[{index}]"
        for key in ("container_port", "host_port"):
            if not 0 < mapping[key] < 65536:
                yield f"{where}.{key}: {mapping[key]} is no port."
        ports.append(HostPort(mapping["listen_address"], mapping["host_port"], mapping["protocol"]))
        try:
            # the last one overlaps itself, unless its address is none
            first = [other.overlaps(ports[-1]) for other in ports].index(True)
        except ValueError:
            yield f"{where}.listen_address: {mapping['listen_address']!r} is no IP address."
            return
        if first != index:
            yield f"{where}.host_port: {mapping['host_port']} is already in [{first}]."
