# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The images of servers: on this host, as archives, and on the nodes of a cluster."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.entries import Entry
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Server
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import WAYS, ImageRequest, obtain
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import LoadRequest, load_on_nodes

COMING_TIMEOUT = 20.0  # for containerd on a node that has just been started
NOT_THERE_YET = ("cluster-missing", "node-not-running", "containerd-not-answering")


@dataclass(frozen=True)
class ImageSettings:
    """How the servers' images are had: see the options of the module."""

    recipe: str
    cache_dir: str
    ways: tuple[str, ...] = WAYS
    podman: str = "podman"


def have_images(servers: t.Sequence[Server], settings: ImageSettings, *, check: bool = False) -> dict[str, str]:
    """Make sure podman has every server's image, and an archive of it; return changes as (image: what was done).

    :raises ImageError: no way gave it.
    """
    changed = {}
    podman = Podman(settings.podman)
    # one after the other: two builds at once would share the package cache of one
    for server in {server.local_image: server for server in servers}.values():
        outcome = obtain(podman, _image_request(server, settings), check_mode=check)
        if outcome.changed:
            changed[server.local_image] = f"from {outcome.way}"
    return changed


def _image_request(server: Server, settings: ImageSettings) -> ImageRequest:
    return ImageRequest(
        name=server.local_image,
        ways=settings.ways,
        source=server.source,
        recipe=settings.recipe,
        work_dir=str(Path(settings.cache_dir) / "work"),
        save_to=archive_of(server, settings),
    )


def archive_of(server: Server, settings: ImageSettings) -> str:
    """Return the path of the archive that the nodes are loaded from."""
    name = server.local_image.rpartition("/")[2].replace(":", "-")
    return str(Path(settings.cache_dir) / f"{name}.tar")


def load_images(
    servers: t.Sequence[Server],
    settings: ImageSettings,
    nodes: t.Sequence[str] = (),
    *,
    coming: str = "",
    check: bool = False,
) -> dict[str, str]:
    """Load every server's image on the nodes; return changes as (image: what was done).

    :arg coming: cluster in the place of C(nodes), which may still be coming up: its nodes are loaded as far as they
        are there and answer soon. The others get the images when the servers are brought up.
    """
    changed = {}

    def load(server: Server) -> bool:
        archive = archive_of(server, settings)
        if check and not Path(archive).is_file():
            return True
        request = LoadRequest(archive=archive, reference=server.local_image, nodes=tuple(nodes), podman=settings.podman)
        if not coming:
            return load_on_nodes(request, check=check).changed
        try:
            return load_on_nodes(replace(request, cluster=coming, timeout=COMING_TIMEOUT), check=check).changed
        except CoverageError as error:
            if error.cause not in NOT_THERE_YET:
                raise
            return False

    distinct = {server.local_image: server for server in servers}
    with ThreadPoolExecutor() as pool:
        for image, loaded in zip(distinct, pool.map(load, distinct.values()), strict=True):
            if loaded:
                changed[image] = "loaded"
    return changed


def bring_images(
    entries: t.Sequence[Entry], settings: ImageSettings, cluster: str, *, check: bool = False
) -> list[str]:
    """Have the images of all servers on this host, and on the nodes of a cluster that may still be coming up.

    :arg entries: of one service or of several; conflicts between them are reported when they are started.
    :returns: what was changed, one phrase each.
    :raises ImageError: no way gave an image.
    """
    servers = [entry for entry in entries if isinstance(entry, Server)]
    made = have_images(servers, settings, check=check)
    if cluster:
        made.update(load_images(servers, settings, coming=cluster, check=check))
    return [f"image {image} {how}" for image, how in made.items()]
