# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose kubeconfig it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import kubeconfig as lib

KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    server: https://127.0.0.1:44665
  name: kind-demo
contexts:
- context:
    cluster: kind-demo
    user: kind-demo
  name: kind-demo
current-context: kind-demo
kind: Config
users:
- name: kind-demo
  user: {}
"""


def test_names_in_a_kubeconfig_that_are_not_of_the_cluster() -> None:
    assert lib.foreign_entries(KUBECONFIG, "demo") == []
    assert lib.foreign_entries(KUBECONFIG, "other") == ["kind-demo"]
    assert lib.foreign_entries(KUBECONFIG.replace("- name: kind-demo", '- "name": "admin"'), "demo") == ["admin"]
    assert lib.foreign_entries('{"users":\n[{"user": 1,\n"name": "admin"}]}', "demo") == ["admin"]
    assert lib.foreign_entries("apiVersion: v1\nclusters: null\n", "demo") == []


def test_a_kubeconfig_with_other_access_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert lib.read_kubeconfig(path, "demo") == KUBECONFIG
    assert lib.read_kubeconfig(tmp_path / "none", "demo") == ""
    with pytest.raises(InputError, match="also contains entries for kind-demo"):
        lib.read_kubeconfig(path, "mine")
    with pytest.raises(InputError, match="is not a kubeconfig"):
        lib.read_kubeconfig(tmp_path, "mine")
    assert path.read_text() == KUBECONFIG
