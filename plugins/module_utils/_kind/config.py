# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a cluster is made from: checked, compared, hashed, and in the form that kind reads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.port_mappings import mapping_problems
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import HostPort

# a node's host name is <name>-control-plane and may have 63 characters
NAME_LIMIT = 63 - len("-control-plane")
NAME_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# what kind itself mounts into a node
RESERVED_PATHS = frozenset({"/", "/var", "/tmp", "/run", "/lib/modules"})  # noqa: S108


@dataclass(frozen=True)
class ClusterConfig:
    """What a cluster is made from. Build it with M(from_options): two of them are equal if kind would build the same.

    C(port_mappings) and C(extra_mounts) hold dictionaries in the form of the module's options, sorted.
    """

    name: str
    node_image: str
    workers: int = 0
    port_mappings: tuple[dict[str, t.Any], ...] = ()
    extra_mounts: tuple[dict[str, t.Any], ...] = ()
    kubeadm_patches: tuple[str, ...] = ()

    @classmethod
    def from_options(
        cls,
        *,
        name: str,
        node_image: str,
        workers: int = 0,
        port_mappings: t.Iterable[t.Mapping[str, t.Any]] = (),
        extra_mounts: t.Iterable[t.Mapping[str, t.Any]] = (),
        kubeadm_patches: t.Iterable[str] = (),
    ) -> ClusterConfig:
        """Fill in defaults, sort what has no order, and check everything that can be checked without the host.

        :raises InputError: naming the option and the value.
        """
        if len(name) > NAME_LIMIT or not re.fullmatch(rf"{NAME_PART}(\.{NAME_PART})*", name):
            raise InputError(
                f'"{name}" cannot be the name of a cluster: use at most {NAME_LIMIT} lowercase letters, digits, "-" '
                'and ".", starting and ending with a letter or digit.',
                setting="cluster.name",
            )
        if not node_image or any(character.isspace() for character in node_image):
            raise InputError(f'"{node_image}" is not an image reference.', setting="cluster.node_image")
        if workers < 0:
            raise InputError(f"A cluster cannot have {workers} workers.", setting="cluster.workers")
        return cls(
            name=name,
            node_image=node_image,
            workers=workers,
            port_mappings=_canonical_ports(port_mappings),
            extra_mounts=_canonical_mounts(extra_mounts),
            kubeadm_patches=_canonical_patches(kubeadm_patches),
        )

    def canonical(self) -> dict[str, t.Any]:
        """Return plain data: what is recorded, compared and hashed."""
        return {
            "name": self.name,
            "node_image": self.node_image,
            "workers": self.workers,
            "port_mappings": list(self.port_mappings),
            "extra_mounts": list(self.extra_mounts),
            "kubeadm_patches": list(self.kubeadm_patches),
        }

    def hash(self) -> str:
        """Return 64 hexadecimal digits that are the same for the same canonical configuration."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def node_names(self) -> list[str]:
        """Return the names that kind gives the nodes' containers, the control plane first."""
        workers = [f"{self.name}-worker{number if number > 1 else ''}" for number in range(1, self.workers + 1)]
        return [f"{self.name}-control-plane", *workers]

    def host_ports(self) -> list[HostPort]:
        """Return the host ports that the cluster will take."""
        return [HostPort(item["listen_address"], item["host_port"], item["protocol"]) for item in self.port_mappings]

    def kind_config(self) -> dict[str, t.Any]:
        """Return kind's own configuration (v1alpha4).

        Ports are mapped on the control plane alone, for a NodePort answers on each node. Mounts are on every node: a
        pod may run on any of them.
        """
        mounts = [
            {"hostPath": item["host_path"], "containerPath": item["container_path"], "readOnly": item["read_only"]}
            for item in self.extra_mounts
        ]
        ports = [
            {
                "containerPort": item["container_port"],
                "hostPort": item["host_port"],
                "listenAddress": item["listen_address"],
                "protocol": item["protocol"].upper(),
            }
            for item in self.port_mappings
        ]
        nodes: list[dict[str, t.Any]] = [{"role": "control-plane", "image": self.node_image}]
        nodes += [{"role": "worker", "image": self.node_image} for _number in range(self.workers)]
        for node in nodes:
            if mounts:
                node["extraMounts"] = mounts
        if ports:
            nodes[0]["extraPortMappings"] = ports
        config: dict[str, t.Any] = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": self.name,
            "nodes": nodes,
        }
        if self.kubeadm_patches:
            config["kubeadmConfigPatches"] = list(self.kubeadm_patches)
        return config


def _canonical_ports(mappings: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[dict[str, t.Any], ...]:
    setting = "cluster.port_mappings"
    found: list[dict[str, t.Any]] = [
        {
            "container_port": int(mapping["container_port"]),
            "host_port": int(mapping["host_port"]),
            "protocol": str(mapping.get("protocol") or "tcp").lower(),
            "listen_address": str(mapping.get("listen_address") or "127.0.0.1"),
        }
        for mapping in mappings
    ]
    problem = next(mapping_problems(found), "")
    if problem:
        raise InputError(f"{setting}{problem}", setting=setting)
    return tuple(sorted(found, key=lambda item: (item["host_port"], item["protocol"], item["listen_address"])))


def _canonical_mounts(mounts: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[dict[str, t.Any], ...]:
    setting = "cluster.extra_mounts"
    found: dict[str, dict[str, t.Any]] = {}
    for mount in mounts:
        item = {"read_only": bool(mount.get("read_only"))}
        for key in ("host_path", "container_path"):
            if not os.path.isabs(mount[key]):
                raise InputError(f'{key} "{mount[key]}" of a mount is not absolute.', setting=setting)
            item[key] = os.path.normpath(mount[key])
        target = str(item["container_path"])
        if target in RESERVED_PATHS:
            raise InputError(f"{target} of a node belongs to kind: nothing can be mounted there.", setting=setting)
        if target in found:
            raise InputError(f"Two mounts have the container_path {target}.", setting=setting)
        found[target] = item
    return tuple(found[target] for target in sorted(found))


def _canonical_patches(patches: t.Iterable[str]) -> tuple[str, ...]:
    found = []
    for patch in patches:
        if not re.search(r"^\s*[\"']?kind[\"']?\s*:", patch, re.MULTILINE):
            raise InputError(
                f"A kubeadm patch has no kind: {patch.strip()[:60]!r}.",
                remedy='Say which object it changes, for example "kind: ClusterConfiguration".',
                setting="cluster.kubeadm_patches",
            )
        found.append("\n".join(line.rstrip() for line in patch.strip().splitlines()))
    return tuple(found)


def describe_differences(there: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> list[str]:
    """Say in words where two canonical configurations differ; an empty list says that they are the same."""
    defaults = ClusterConfig(name="", node_image="").canonical()
    found = []
    for key in sorted({*there, *wanted}):
        old = there.get(key, defaults.get(key))
        new = wanted.get(key, defaults.get(key))
        if old == new:
            continue
        if not (isinstance(old, list) and isinstance(new, list)):
            found.append(f"{key} is {old}, expected {new}")
            continue
        gone = [_describe_item(key, item) for item in old if item not in new]
        added = [_describe_item(key, item) for item in new if item not in old]
        if not gone and not added:
            found.append(f"{key} has the same entries in another order")
            continue
        parts = [f"{', '.join(gone)} exists but is not described"] if gone else []
        parts += [f"{', '.join(added)} is described but does not exist"] if added else []
        found.append(f"{key}: {'; '.join(parts)}")
    return found


def _describe_item(key: str, item: t.Any) -> str:
    if key == "port_mappings":
        return f"{HostPort(item['listen_address'], item['host_port'], item['protocol'])} to {item['container_port']}"
    if key == "extra_mounts":
        return f"{item['host_path']} at {item['container_path']}{' (read-only)' if item['read_only'] else ''}"
    return " ".join(str(item).split())
