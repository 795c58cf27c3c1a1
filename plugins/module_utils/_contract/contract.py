# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The contract of a service: what ships, merged with what the user's inventory says, and checked whole.

A contract is data: no logic, no templates. Its one definition is C(SPECIFICATION).
"""

from __future__ import annotations

import copy
import datetime
import re
import typing as t
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.dict_transformations import dict_merge
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import did_you_mean
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.packages import (
    covers_main,
    import_path,
    without_main,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.spec import SPECIFICATION
from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.values import (
    nul_problems,
    scalar_problem,
    threshold_problems,
    url_problem,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.options import check_options
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.order import check_order
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.until import Until, check_until
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.port_mappings import mapping_problems
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.fetch import Url, check_url, is_url

TOP = "coverage_services"

Specification = t.Mapping[str, t.Mapping[str, t.Any]]

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
            remedy="Use lowercase letters, digits and '-'.",
            setting="service_contract_info#service",
        )
    base = copy.deepcopy(dict(shipped))
    _drop_other_source(base, inventory)
    problems: list[str] = []
    merged = dict_merge(base, copy.deepcopy(dict(inventory)))
    problems += nul_problems(merged, f"{TOP}.{service}")
    contract = _visit(merged, SPECIFICATION, f"{TOP}.{service}", problems)
    if not problems:
        result = ArgumentSpecValidator(_without_descriptions(SPECIFICATION)).validate(contract)
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
        return [path if is_url(path) else str(base / path) for path in paths]

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


def _visit(
    value: t.Mapping[str, t.Any], specification: Specification, path: str, problems: list[str]
) -> dict[str, t.Any]:
    """Return a dictionary of the contract without the keys that are null, so that they get their defaults.

    Adds to C(problems) what Ansible's validator would not say or would take for something else: an unknown key, with
    the nearest right one; a dictionary as text; text as a list of words.
    """
    kept = {}
    for key, content in value.items():
        where, rule = f"{path}.{key}", specification.get(key)
        if rule is None:
            problems.append(f"{where} is not a key of a contract.{_nearest(str(key), list(specification))}")
        elif content is not None:
            kept[key] = _visit_value(content, rule["type"], rule, where, problems)
    return kept


def _visit_value(value: t.Any, kind: str, rule: t.Mapping[str, t.Any], path: str, problems: list[str]) -> t.Any:
    """Return a value of the contract, checked and cleaned as C(rule) says; see C(_visit)."""
    if not _is_a(kind, value):
        problems.append(f"{path} is {_kind_of(value)}, but should be {WORDS[kind]}.")
        return value
    if kind == "list":
        items = enumerate(value)
        return [_visit_value(item, rule["elements"], rule, f"{path}[{index}]", problems) for index, item in items]
    if "options" in rule:
        return _visit(value, rule["options"], path, problems)
    if kind not in ("list", "dict"):
        problem = scalar_problem(value, kind, rule)
        problems += [f"{path} {problem}"] if problem else []
    if "values" in rule:
        # a null removes what ships under that name
        named = {"type": "dict", "options": rule["values"]}
        entries = [(name, entry) for name, entry in value.items() if entry is not None]
        return {name: _visit_value(entry, "dict", named, f"{path}.{name}", problems) for name, entry in entries}
    return value


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
                problems.append(
                    f"{where}: {name!r} is not a valid Kubernetes name (lowercase letters, digits and '-')."
                )
            result = ArgumentSpecValidator(specification).validate(entry)
            problems += [f"{where}: {message}" for message in result.error_messages]
            contract[key][name] = result.validated_parameters
    return problems


def _is_a(kind: str, value: t.Any) -> bool:
    if kind in ("list", "dict"):
        return isinstance(value, list if kind == "list" else dict)
    # whether text is a number is the validator's question: templates give text
    return isinstance(value, (str, int, float)) and not (kind in ("int", "float") and isinstance(value, bool))


def _kind_of(value: t.Any) -> str:
    return next((WORDS[name] for name, kind in KINDS.items() if isinstance(value, kind)), type(value).__name__)


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
    return did_you_mean(name, known) or (f" Known: {', '.join(sorted(known))}." if known else "")


def _without_descriptions(specification: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the specification as Ansible's validator wants it; C(options) of dictionaries get their defaults."""
    cleaned: dict[str, t.Any] = {}
    for key, rule in specification.items():
        ours = ("description", "values", "path")
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
        yield "tests.dir: for a Job it is a folder of its image and must be absolute."
    if tests["junit"].startswith("/"):
        yield "tests.junit: for a Job it is relative to the folder in E2E_RESULTS."
    if job["containerfile"] and not has_checkout and not job["containerfile"].startswith("/"):
        yield "tests.job.containerfile: needs source.dir, the folder that contains it."


def _is_relative(path: str) -> bool:
    """Whether a path needs a folder that it is relative to."""
    return bool(path) and not path.startswith("/") and not is_url(path)


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
            yield f"{path}: {name!r} is not a valid Kubernetes name (lowercase letters, digits and '-')."
    if not contract["coverage"]["directory"].startswith("/"):
        yield "coverage.directory: must be an absolute path."
    for path, seconds in (
        ("coverage.grace_period", contract["coverage"]["grace_period"]),
        ("readiness.timeout", contract["readiness"]["timeout"]),
        ("tests.timeout", contract["tests"]["timeout"]),
    ):
        if seconds <= 0:
            yield f"{path}: must be greater than 0 seconds."
    yield from threshold_problems(contract["report"]["thresholds"])
    problem = url_problem(contract["readiness"]["url"])
    if problem:
        yield f"readiness.url: {problem}"
    for item in contract["readiness"]["until"]:
        try:
            check_until(Until(**item), "readiness.until", "")
        except InputError as error:
            yield " ".join(filter(None, (error.message, error.remedy)))
    module, coverpkg = contract["source"]["module"], contract["image"]["coverpkg"]
    main = import_path(module, contract["source"]["package"]) if module else ""
    if main and not covers_main(main, coverpkg):
        yield f"image.coverpkg: {without_main(main, coverpkg)}. Add {main}."
    yield from _contradictions_of_tests(contract["tests"], has_checkout)
    for name, dependency in contract["dependencies"].items():
        migrations = dependency["migrations"] or {}
        for path, files in (
            ("manifests", dependency["manifests"]),
            ("migrations.dir", [migrations.get("dir", "")]),
            ("migrations.chdir", [migrations.get("chdir", "")]),
            ("migrations.job.manifests", (migrations.get("job") or {}).get("manifests", [])),
        ):
            if not has_checkout and any(map(_is_relative, files)):
                yield f"dependencies.{name}.{path}: needs source.dir, the folder that contains it."
    try:
        check_order({name: item["after"] for name, item in contract["dependencies"].items()}, "")
        for item in dependency_servers(contract):
            check_options(item)
    except InputError as error:
        yield f"dependencies: {' '.join(filter(None, (error.message, error.remedy)))}"
    for item in workload["urls"]:
        try:
            check_url(Url(item["url"], item["checksum"]))
        except InputError as error:
            yield f"workload.urls: {' '.join(filter(None, (error.message, error.remedy)))}"
    if workload["objects"] and not workload["manifests"] and not workload["urls"]:
        names = [(item.get("kind"), (item.get("metadata") or {}).get("name")) for item in workload["objects"]]
        if (workload["kind"], workload["name"]) not in names:
            workloads = [str(name) for kind, name in names if kind == workload["kind"]]
            yield (
                f"workload.name: the objects have no {workload['kind']} {workload['name']!r}."
                f"{_nearest(workload['name'], workloads)}"
            )
    elif not has_checkout and any(map(_is_relative, workload["manifests"])):
        yield "workload.manifests: need source.dir, the folder that contains them."
    for problem in mapping_problems(cluster["port_mappings"]):
        yield f"cluster.port_mappings{problem}"
