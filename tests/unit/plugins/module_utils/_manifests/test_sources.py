# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests from files, folders, URLs and inline."""

from __future__ import annotations

import hashlib
import http.server
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests import fetch
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests import sources as lib

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def read(*paths: object, **more: t.Any) -> list[str]:
    sources = lib.ManifestSources(paths=tuple(map(str, paths)), owner="dependency x", setting="dependencies.x", **more)
    found = lib.read_sources(sources, lib.Tools())
    lib.refuse_twice(sources, found)
    return [f"{item.kind} {item.name}" for item in found]


def refused(*paths: object, **more: t.Any) -> CoverageError:
    with pytest.raises(CoverageError) as caught:
        read(*paths, **more)
    return caught.value


def test_a_folder_gives_its_manifests_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(CONFIG % "b")
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}')
    (tmp_path / "notes.txt").write_text("no manifest")
    assert read(tmp_path) == ["ConfigMap a", "ConfigMap b"]


def test_a_missing_file_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "crd.yaml").write_text(CONFIG % "a")
    error = refused(tmp_path / "crds.yaml")
    assert error.cause == "manifest-invalid"
    assert str(tmp_path / "crd.yaml") in error.remedy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: [", "m.yaml:"),
        (
            "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: a}\n",
            "m.yaml:3: The key 'kind' appears twice",
        ),
        ("---\n", "It contains no object"),
        ("just text", "This is not a Kubernetes object"),
        (CONFIG % "a" + "---\n" + CONFIG % "a", "have ConfigMap a twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    error = refused(tmp_path / "m.yaml")
    assert says in error.message
    assert error.cause == "manifest-invalid"


def test_inline_objects_are_named_by_their_index() -> None:
    assert "objects[0]: This is not a Kubernetes object" in refused(objects=({"kind": "Pod"},)).message


def test_a_folder_without_manifests_is_refused(tmp_path: Path) -> None:
    assert "contains no manifest" in refused(tmp_path).message


def test_kustomize_without_kubectl_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(CoverageError) as caught:
        lib.read_sources(lib.ManifestSources(paths=(str(tmp_path),)), lib.Tools(kubectl=str(tmp_path / "kubectl")))
    assert caught.value.cause == "command-not-found"
    assert caught.value.setting == "service_dependencies#kubectl"


@pytest.mark.parametrize(
    "url",
    [fetch.Url("ftp://example.org/x"), fetch.Url("deploy/x.yaml"), fetch.Url("https://example.org/x", "sha256:1")],
)
def test_what_is_no_url_or_checksum_is_refused(url: fetch.Url) -> None:
    with pytest.raises(CoverageError):
        lib.check_sources(lib.ManifestSources(urls=(url,)))


KUBECTL = """#!/bin/sh
# of kubectl what is needed of it: the files that a kustomization lists, one after the other
[ "$1" = kustomize ] || exit 2
sed -n 's/^- //p' "$2/kustomization.yaml" | while read -r file; do
  echo "---"
  cat "$2/$file" || exit 1
done
"""


@pytest.fixture
def kubectl(tmp_path: Path) -> str:
    """A program that stands in for kubectl; a scenario builds a kustomize folder with the real one."""
    path = tmp_path / "bin" / "kubectl"
    path.parent.mkdir()
    path.write_text(KUBECTL)
    path.chmod(0o755)
    return str(path)


def test_a_kustomize_folder_is_built_and_not_read(tmp_path: Path, kubectl: str) -> None:
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text("resources:\n- ../a.yaml\n- ../b.yaml\n")
    (tmp_path / "a.yaml").write_text(CONFIG % "a")
    (tmp_path / "b.yaml").write_text(CONFIG % "b")
    found = lib.gather(lib.ManifestSources(paths=("overlay",), folder=str(tmp_path)), lib.Tools(kubectl))
    assert found.problems == []
    # lines are those of kubectl's output, which nobody can open: the folder alone is named
    assert [(item.name, item.where) for item in found.items] == [("a", "overlay"), ("b", "overlay")]


def test_a_kustomization_that_cannot_be_built_says_so(tmp_path: Path, kubectl: str) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources:\n- missing.yaml\n")
    with pytest.raises(CoverageError) as caught:
        lib.read_sources(lib.ManifestSources(paths=(".",), folder=str(tmp_path)), lib.Tools(kubectl))
    assert caught.value.cause == "manifest-invalid"
    assert caught.value.setting == "workload.manifests"
    assert "missing.yaml" in "\n".join(caught.value.evidence)
    assert "kubectl kustomize" in caught.value.remedy


class Answers(http.server.BaseHTTPRequestHandler):
    """Says what C(server.script) has, one status after the other."""

    def do_GET(self) -> None:
        status = t.cast("t.Any", self.server).script.pop(0)
        body = (CONFIG % "far").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Any]:
    monkeypatch.setattr(fetch, "BACK_OFF", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def address(server: t.Any) -> str:
    return f"http://127.0.0.1:{server.server_port}/m.yaml"


def test_a_url_is_tried_again_and_with_a_checksum_kept(server: t.Any, tmp_path: Path) -> None:
    server.script = [503, 200]
    digest = f"sha256:{hashlib.sha256((CONFIG % 'far').encode()).hexdigest()}"
    wanted, tools = lib.ManifestSources(urls=(fetch.Url(address(server), digest),)), lib.Tools(cache_dir=str(tmp_path))
    assert [item.name for item in lib.read_sources(wanted, tools)] == ["far"]
    # the server has no further answer
    assert [item.name for item in lib.read_sources(wanted, tools)] == ["far"]


def test_a_url_that_gives_something_else_is_refused(server: t.Any) -> None:
    server.script = [200]
    error = refused(urls=(fetch.Url(address(server), f"sha256:{'0' * 64}"),))
    assert error.cause == "checksum-mismatch"


def test_an_error_that_stays_is_told_at_once_and_others_after_three_attempts(server: t.Any) -> None:
    server.script = [404, 500, 500, 500]
    error = refused(urls=(fetch.Url(address(server)),))
    assert error.cause == "manifest-unreachable"
    assert len(error.evidence) == 1
    assert len(refused(urls=(fetch.Url(address(server)),)).evidence) == 3


def test_a_url_among_the_paths_is_downloaded_in_its_place(server: t.Any, tmp_path: Path) -> None:
    server.script = [200]
    (tmp_path / "a.yaml").write_text(CONFIG % "a")
    (tmp_path / "b.yaml").write_text(CONFIG % "b")
    sources = lib.ManifestSources(paths=("a.yaml", address(server), "b.yaml"), folder=str(tmp_path))
    found = lib.gather(sources, lib.Tools(cache_dir=str(tmp_path / "cache")))
    assert [item.name for item in found.items] == ["a", "far", "b"]
    assert found.items[1].where == f"{address(server)}:1"
    assert not (tmp_path / "cache").exists(), "without a checksum nothing is kept"


def test_nothing_is_written_in_check_mode(server: t.Any, tmp_path: Path) -> None:
    server.script = [200, 200]
    digest = f"sha256:{hashlib.sha256((CONFIG % 'far').encode()).hexdigest()}"
    wanted = lib.ManifestSources(urls=(fetch.Url(address(server), digest),))
    for _run in range(2):
        assert [item.name for item in lib.read_sources(wanted, lib.Tools(cache_dir=str(tmp_path), keep=False))] == [
            "far"
        ]
    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_wrong_is_gathered(server: t.Any, tmp_path: Path) -> None:
    server.script = [404]
    (tmp_path / "deployment.yaml").write_text(CONFIG % "a")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    paths = ("deploymint.yaml", "deployment.yaml", "binary.yaml", "no/folder.yaml", address(server))
    found = lib.gather(lib.ManifestSources(paths=paths, folder=str(tmp_path)), lib.Tools())
    assert [item.name for item in found.items] == ["a"]
    assert [problem.cause for problem in found.problems] == ["manifest-invalid"] * 3 + ["manifest-unreachable"]
    assert {problem.setting for problem in found.problems} == {"workload.manifests"}
    assert str(tmp_path / "deployment.yaml") in found.problems[0].remedy
    assert "no folder" in found.problems[2].remedy
    assert "HTTP 404" in found.problems[3].sentence


def test_an_answer_that_is_no_manifest_is_named_by_its_url(tmp_path: Path) -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!DOCTYPE html><html>sign in</html>")

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        error = refused(address(made))
        made.shutdown()
    assert address(made) in error.message
    assert "not a Kubernetes object" in error.message
