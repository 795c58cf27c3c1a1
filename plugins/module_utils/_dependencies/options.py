# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Which options each kind of dependency takes. A further kind is one more here.

Pure, and without any foreign library: a contract is checked by it, too.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest

SETTING = "dependencies"
POSTGRESQL, REDIS, MANIFESTS = "postgresql", "redis", "manifests"
KINDS = (POSTGRESQL, REDIS, MANIFESTS)
SERVERS = (POSTGRESQL, REDIS)
DEFAULT_DATABASE = "coverage"
# option: the kinds that take it; all kinds take the others
TAKEN_BY = {
    **dict.fromkeys(("version", "image", "password", "secret", "node_port", "storage", "resources"), SERVERS),
    **dict.fromkeys(("database", "user", "migrations"), (POSTGRESQL,)),
    **dict.fromkeys(("manifests", "urls", "objects", "until", "namespace"), (MANIFESTS,)),
}
# what an option is where it was not given, other than None
NOT_GIVEN = {"database": (DEFAULT_DATABASE,)}


def check_options(given: t.Mapping[str, t.Any]) -> None:
    """Refuse a dependency of a kind that is not known, or with an option that its kind does not take.

    :arg given: as the module service_dependencies takes it.
    :raises InputError: the first thing that is wrong.
    """
    name, kind = given["name"], given["kind"]
    setting = f"{SETTING} ({name})"
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(KINDS[:-1])} and {KINDS[-1]}."
        raise InputError(
            f"Dependency {name} is of kind {kind!r}, which is not known: {hint}",
            setting=setting,
            cause="dependency-unknown",
        )
    for option, kinds in TAKEN_BY.items():
        value = given.get(option)
        empty = value in (None, "", 0, [], {}, *NOT_GIVEN.get(option, ()))
        if kind not in kinds and not empty:
            raise InputError(
                f"Dependency {name} is of kind {kind} and has {option!r}, which only {' and '.join(kinds)} supports.",
                setting=setting,
            )
    if kind == MANIFESTS and not any(given.get(option) for option in ("manifests", "urls", "objects")):
        raise InputError(
            f"Dependency {name} is of kind manifests and has none.",
            remedy="Set manifests, urls or objects.",
            setting=setting,
            cause="manifest-invalid",
        )
