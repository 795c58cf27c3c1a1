# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker takes of a build's context: the cases of Docker's own documentation, and kubebuilder's ignore file."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.context import (
    is_ignored,
    read_patterns,
    stage,
    takes_back,
)

KUBEBUILDER = "# comment\n**\n\n!**/*.go\n**/*_test.go\n!go.mod\n!go.sum\n"


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("*/temp*", "somedir/temporary.txt", True),
        ("*/temp*", "somedir/temp/file", True),
        ("*/temp*", "somedir/subdir/temporary.txt", False),
        ("*/*/temp*", "somedir/subdir/temporary.txt", True),
        ("temp?", "tempa/x", True),
        ("temp?", "temp", False),
        ("**/*.go", "main.go", True),
        ("**/*.go", "a/b/main.go", True),
        ("/foo/bar", "foo/bar", True),
        ("foo/bar/", "foo/bar/x", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        ("**/foo", "foo/x", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**", "a", False),
        ("[a-c].txt", "b.txt", True),
        ("[a-c].txt", "d.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        (".", "anything", False),
        (KUBEBUILDER, "cmd/main.go", False),
        (KUBEBUILDER, "internal/controller/x_test.go", True),
        (KUBEBUILDER, "bin/manager", True),
        (KUBEBUILDER, "go.sum", False),
        (KUBEBUILDER, "api/go.sum", True),
    ],
)
def test_the_last_pattern_decides(patterns: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, read_patterns(patterns)) is ignored


def test_only_files_that_are_taken_back_make_a_difference() -> None:
    assert takes_back(read_patterns(KUBEBUILDER))
    assert not takes_back(read_patterns("bin\n**/*_test.go\n"))


def test_what_is_taken_is_linked_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "cmd").mkdir(parents=True)
    (source / "cmd" / "main.go").write_text("package main")
    (source / "cmd" / "main.go").chmod(0o640)
    (source / "cmd" / "main_test.go").write_text("package main")
    (source / "link.go").symlink_to("cmd/main.go")
    (source / "bin").mkdir()
    (source / "bin" / "manager").write_text("program")
    target.mkdir()
    stage(source, target, read_patterns(KUBEBUILDER))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == [
        "cmd",
        "cmd/main.go",
        "link.go",
    ]
    assert (target / "cmd" / "main.go").stat().st_mode & 0o777 == 0o640
    assert (target / "link.go").readlink() == Path("cmd/main.go")
