# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint on Containerfiles of the shape that services have: what is wrong, in which line, and what is let be.

What the cases say of builds was seen on real ones (podman 4.3, Go 1.26).
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import parse
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import lint as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    NOT_APPLICABLE,
    NOT_CHECKED,
    OK,
    STATES,
    WARNING,
    Finding,
)

GIVEN = "-cover -covermode=atomic"
# two stages, a builder as uid 1001 with updates, flags that were said to break coverage, a user by name
ORIGIN = r"""FROM ubi9/go-toolset:1.25 AS builder
ARG GOFLAGS=""
ARG GOOS=linux
ARG GOARCH=amd64
USER root
RUN dnf update -y && \
    dnf install -y git ca-certificates && \
    dnf clean all
USER 1001
WORKDIR /opt/app-root/src
COPY --chown=1001:0 go.mod go.sum ./
RUN go mod download
COPY --chown=1001:0 . .
RUN if [ "${GOFLAGS}" = "-cover" ]; then \
      echo "with coverage"; \
      CGO_ENABLED=0 GOOS=${GOOS} GOARCH=${GOARCH} go build -o svc ./cmd/svc; \
    else \
      CGO_ENABLED=0 GOOS=${GOOS} GOARCH=${GOARCH} PRODUCTION go build \
        -ldflags='-w -s -extldflags "-static"' -a -installsuffix cgo \
        -o svc ./cmd/svc; \
    fi
FROM ubi9/ubi-minimal:latest
RUN microdnf update -y && microdnf clean all && useradd -r -u 1001 -g root svc-user
COPY --from=builder /opt/app-root/src/svc /usr/local/bin/svc
USER svc-user
EXPOSE 8080 9090
HEALTHCHECK CMD curl -f http://localhost:8080/health
ENTRYPOINT ["/usr/local/bin/svc"]
CMD ["--config", "/etc/svc/config.yaml"]
"""
PLAIN = ORIGIN.replace("PRODUCTION ", "")
RESET = ORIGIN.replace("PRODUCTION", 'GOFLAGS="-mod=mod"')


def lint(text: str, **known: t.Any) -> dict[str, list[Finding]]:
    """All findings by check."""
    known = {"build_args": {"GOFLAGS": GIVEN}, **known}
    asked = lib.Lint(parse(text), "Containerfile", **known)
    return {name: list(look(asked)) for name, look in lib.CHECKS.items()}


def only(text: str, check: str, **known: t.Any) -> Finding:
    """The one finding of a check."""
    found = lint(text, **known)[check]
    assert len(found) == 1, found
    return found[0]


def build(*lines: str, before: str = "", between: str = "ARG GOFLAGS\n") -> str:
    """A builder with these lines as its RUN."""
    run = " \\\n    ".join(lines)
    final = 'FROM scratch\nCOPY --from=builder /x /x\nENTRYPOINT ["/x"]\n'
    return f"{before}FROM golang:1.26 AS builder\n{between}RUN {run}\n{final}"


# ---- coverage flags ----


def test_flags_that_reach_go() -> None:
    found = only(build("go build -o /x ./cmd/x"), "goflags")
    assert (found.state, found.where) == (OK, "Containerfile:3")


def test_an_exact_comparison_that_loses_the_flags_is_an_error_at_its_line() -> None:
    found = only(RESET, "goflags")
    assert (found.state, found.where, found.cause) == (ERROR, "Containerfile:14", "containerfile-goflags")
    assert "compared exactly with '-cover', and is '-cover -covermode=atomic'" in found.text
    assert "go build in line 18" in found.text
    assert "case" in found.remedy and found.setting == "image.build_args"


def test_a_branch_for_production_that_leaves_goflags_alone_is_instrumented_and_so_only_a_warning() -> None:
    found = only(PLAIN, "goflags")
    assert (found.state, found.where) == (WARNING, "Containerfile:14")
    assert "instrumented all the same" in found.text


@pytest.mark.parametrize("text", [PLAIN, RESET])
def test_the_value_that_is_compared_with_builds_what_is_meant(text: str) -> None:
    found = lint(text, build_args={"GOFLAGS": "-cover"})["goflags"]
    assert [item.state for item in found] == [OK, ADVICE, ADVICE]
    assert "exactly" in found[1].text
    assert "atomic" in found[2].text


@pytest.mark.parametrize(
    "test",
    [
        '[ "$GOFLAGS" = "-cover" ]',
        "[ ${GOFLAGS} == -cover ]",
        '[ "x$GOFLAGS" = "x-cover" ]',
        '[[ "$GOFLAGS" == "-cover" ]]',
        'test "-cover" = "$GOFLAGS"',
    ],
)
def test_every_way_to_compare(test: str) -> None:
    text = build(f"if {test}; then", "go build -o /x .; else", "unset GOFLAGS; go build -o /x .; fi")
    found = only(text, "goflags")
    assert (found.state, found.where) == (ERROR, "Containerfile:3"), found


@pytest.mark.parametrize("pattern", ["-cover", '"-cover"|-cover=true'])
def test_a_case_with_an_exact_pattern_is_a_comparison_too(pattern: str) -> None:
    lines = [f'case "$GOFLAGS" in {pattern})', "go build -o /x .;;", "*)", "GOFLAGS= go build -o /x .;; esac"]
    found = only(build(*lines), "goflags")
    assert (found.state, found.where) == (ERROR, "Containerfile:3"), found
    assert "line 6" in found.text


@pytest.mark.parametrize(
    "lines",
    [
        ['case "$GOFLAGS" in *-cover*) go build -o /x .;; *) GOFLAGS= go build -o /x .;; esac'],
        ['GOFLAGS="$GOFLAGS -mod=mod" go build -o /x .'],
        ['export GOFLAGS="$GOFLAGS -trimpath" && go build -o /x .'],
        ["go build $GOFLAGS -o /x ."],
        ["env CGO_ENABLED=0 go build -o /x ."],
        ["/usr/local/go/bin/go build -o /x ."],
        ["go -C sub build -o /x ."],
        ["go install ./cmd/x"],
    ],
)
def test_ways_that_keep_the_flags(lines: list[str]) -> None:
    assert only(build(*lines), "goflags").state == OK


@pytest.mark.parametrize(
    "test",
    ['[ -n "$GOFLAGS" ]', '[[ "$GOFLAGS" == *-cover* ]]', "grep -q x /etc/os-release", '[ "$MODE" = "-cover" ]'],
)
def test_what_another_condition_decides_is_unknown(test: str) -> None:
    found = only(build(f"if {test}; then", "go build -o /x .; else", "GOFLAGS= go build -o /x .; fi"), "goflags")
    assert (found.state, found.where) == (NOT_CHECKED, "Containerfile:5")
    assert "condition" in found.text


@pytest.mark.parametrize(
    "lines",
    [
        ["if grep -q x /etc/os-release; then export GOFLAGS=-mod=mod; fi;", "go build -o /x ."],
        ["if grep -q x /etc/os-release; then unset GOFLAGS; fi;", "go build -o /x ."],
    ],
)
def test_flags_that_a_condition_may_change_are_unknown(lines: list[str]) -> None:
    assert only(build(*lines), "goflags").state == NOT_CHECKED


def test_flags_that_change_in_another_branch_only_are_kept() -> None:
    lines = ['if [ "$GOFLAGS" = "-cover" ]; then', "export GOFLAGS=-v;", "go build -o /x .; fi"]
    found = only(build(*lines), "goflags", build_args={"GOFLAGS": "-cover"})
    assert found.state == ERROR and "sets GOFLAGS to '-v'" in found.text


def test_a_builder_without_the_argument() -> None:
    found = only(build("go build -o /x .", between="ARG OTHER\n"), "goflags")
    assert (found.state, found.where, found.cause) == (ERROR, "Containerfile:3", "containerfile-goflags")
    assert "stage builder has no ARG GOFLAGS" in found.text
    assert "after line 1" in found.remedy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (build("go build -o /x .", before="ARG GOFLAGS\n", between=""), "before the first FROM"),
        (build("go build -o /x .", between="ARG GOFLAGS\nENV GOFLAGS=-mod=vendor\n"), "ENV GOFLAGS in line 3"),
        (build("go build -o /x .", between="ENV GOFLAGS -mod=vendor\nARG GOFLAGS\n"), "ENV GOFLAGS in line 2"),
        (build("GOFLAGS=-mod=vendor go build -o /x ."), "own GOFLAGS for go, '-mod=vendor'"),
        (build("export GOFLAGS=-mod=mod;", "go build -o /x ."), "line 3 sets GOFLAGS to '-mod=mod'"),
        (build("unset GOFLAGS &&", "go build -o /x ."), "line 3 unsets GOFLAGS"),
        (build("env -u GOFLAGS go build -o /x ."), "GOFLAGS from the environment"),
        (build("go build -o /x .", between="").replace("FROM scratch", "FROM scratch\nARG GOFLAGS"), "another stage"),
        ("FROM golang\nRUN go build -o /x .\nARG GOFLAGS\n", "comes after it"),
    ],
)
def test_ways_to_lose_the_argument(text: str, says: str) -> None:
    found = only(text, "goflags")
    assert found.state == ERROR and says in found.text, found


def test_env_that_keeps_the_argument() -> None:
    text = build("go build -o /x .", between='ARG GOFLAGS\nENV GOFLAGS="${GOFLAGS} -mod=vendor"\n')
    assert only(text, "goflags").state == OK


def test_an_argument_of_the_stage_below_is_not_passed_on_by_podman() -> None:
    found = only("FROM golang AS base\nARG GOFLAGS\nFROM base\nRUN go build -o /x .\n", "goflags")
    assert (found.state, found.where) == (WARNING, "Containerfile:4")
    assert "podman" in found.text


def test_always_instrumented() -> None:
    assert only(build("go build -cover -covermode=atomic -o /x .", between=""), "goflags").state == OK


def test_flags_without_cover() -> None:
    found = only(build("go build -o /x ."), "goflags", build_args={"GOFLAGS": "-mod=mod"})
    assert found.state == ERROR and "given as '-mod=mod', without -cover" in found.text


def test_go_install_of_a_version_instruments_nothing() -> None:
    found = only(build("go install -cover example.com/x@v1.2.3"), "goflags")
    assert found.state == ERROR and "instruments nothing" in found.text


def test_go_install_of_a_tool_is_let_be() -> None:
    assert only(build("go install example.com/tool@latest && go build -o /x ."), "goflags").state == OK


def test_what_a_shell_variable_decides_is_not_guessed() -> None:
    assert only(build("go build $EXTRA -o /x .", between=""), "goflags").state == NOT_CHECKED


def test_a_build_that_cannot_be_seen() -> None:
    assert only(build("make build"), "goflags").state == NOT_CHECKED
    found = only(build("make build", between=""), "goflags")
    assert found.state == WARNING and "No stage declares ARG GOFLAGS" in found.text


def test_a_stage_that_is_not_built_does_not_count() -> None:
    text = "FROM golang AS prod\nRUN go build -o /x .\nFROM golang AS cover\nARG GOFLAGS\nRUN go build -o /x .\n"
    assert only(text, "goflags").state == OK
    assert only(text, "goflags", target="prod").state == ERROR


# ---- the others ----


def test_flags_that_were_believed_to_break_coverage_are_not_blamed() -> None:
    for finding in (item for found in lint(PLAIN).values() for item in found):
        assert "installsuffix" not in finding.text and "static" not in finding.text and "-s -w" not in finding.text
    slow = [item for item in lint(PLAIN)["build-time"] if "-a" in item.text]
    assert [item.state for item in slow] == [ADVICE]
    assert "does not affect coverage" in slow[0].text


def test_a_main_package_that_is_built_as_a_file() -> None:
    found = only(build("go build -ldflags '-X main.version=1' -o /x ./cmd/x/main.go"), "main-package")
    assert (found.state, found.where) == (WARNING, "Containerfile:3")
    assert "command-line-arguments" in found.text
    assert found.remedy.endswith("./cmd/x")
    assert only(build("go build -o main.go ./cmd/x"), "main-package").state == OK


def test_a_fixed_architecture() -> None:
    found = only(PLAIN, "goarch")
    assert (found.state, found.where) == (WARNING, "Containerfile:4")
    other = only(PLAIN, "goarch", architecture="arm64")
    assert (other.state, other.cause, other.where) == (ERROR, "wrong-architecture", "Containerfile:4")
    inline = only(build("GOARCH=arm64 go build -o /x ."), "goarch")
    assert (inline.state, inline.where) == (ERROR, "Containerfile:3")


def test_an_architecture_that_follows_the_nodes() -> None:
    text = build("GOARCH=$TARGETARCH go build -o /x .", between="ARG TARGETARCH\nARG GOFLAGS\n")
    assert only(text, "goarch", architecture="arm64").state == OK
    assert only(build("go build -o /x ."), "goarch").state == OK


def test_an_architecture_that_is_given() -> None:
    found = only(PLAIN, "goarch", architecture="arm64", build_args={"GOFLAGS": GIVEN, "GOARCH": "amd64"})
    assert found.state == ERROR and found.setting == "image.build_args.GOARCH"
    assert only(PLAIN, "goarch", architecture="arm64", build_args={"GOFLAGS": GIVEN, "GOARCH": "arm64"}).state != ERROR


def test_a_platform_that_is_not_this_one() -> None:
    found = only("FROM --platform=linux/arm64 alpine\n", "goarch")
    assert (found.state, found.where) == (ERROR, "Containerfile:1")
    builder = "FROM --platform=$BUILDPLATFORM golang AS b\nFROM alpine\nCOPY --from=b /x /x\n"
    assert only(builder, "goarch").state == OK


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ('ENTRYPOINT ["/svc"]', OK),
        ('CMD ["/svc", "--flag"]', OK),
        ("ENTRYPOINT exec /svc --flag", OK),
        ("ENTRYPOINT /svc --flag", ERROR),
        ("CMD cd /data && /svc", ERROR),
        ('ENTRYPOINT ["sh", "-c", "/svc --port $PORT"]', ERROR),
        ('ENTRYPOINT ["/tini", "--"]\nCMD ["/svc"]', OK),
        ('ENTRYPOINT ["/svc"]\nSTOPSIGNAL SIGKILL', ERROR),
        ('ENTRYPOINT ["/svc"]\nSTOPSIGNAL SIGINT', WARNING),
        ('ENTRYPOINT ["/svc"]\nSTOPSIGNAL 15', OK),
        ("", NOT_CHECKED),
    ],
)
def test_whether_sigterm_arrives(end: str, state: str) -> None:
    found = only(f"FROM debian:12\n{end}\n", "sigterm")
    assert found.state == state, found
    if state == ERROR:
        assert found.cause == "sigterm-lost" and found.where.startswith("Containerfile:")


def test_the_shell_of_the_base_image_counts() -> None:
    states = {
        base: only(f"FROM {base}\nENTRYPOINT /svc\n", "sigterm").state
        for base in ("ubi9/ubi-minimal", "alpine:3", "debian", "own/base")
    }
    assert states == {"ubi9/ubi-minimal": WARNING, "alpine:3": WARNING, "debian": ERROR, "own/base": ERROR}
    assert only('FROM debian\nSHELL ["/bin/bash", "-c"]\nENTRYPOINT /svc\n', "sigterm").state == WARNING


def test_what_is_started_may_come_from_the_stage_below() -> None:
    text = "FROM debian AS base\nENTRYPOINT /svc\nFROM base\nUSER 1\n"
    assert only(text, "sigterm").where == "Containerfile:2"


@pytest.mark.parametrize(
    ("copy", "entrypoint"),
    [
        ("COPY docker/start.sh /start.sh", "/start.sh"),
        ("COPY docker/start.sh /usr/local/bin/", "/usr/local/bin/start.sh"),
        ("COPY docker /scripts", "/scripts/start.sh"),
        ("WORKDIR /app\nCOPY . .", "/app/docker/start.sh"),
        ("WORKDIR /app\nCOPY . .", "./docker/start.sh"),
    ],
)
@pytest.mark.parametrize(("last", "state"), [('exec /svc "$@"', OK), ('/svc "$@"', ERROR)])
def test_a_script_of_the_checkout_is_read(copy: str, entrypoint: str, last: str, state: str, tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "start.sh").write_text(f"#!/bin/sh\nset -e\n{last}\n", encoding="utf-8")
    found = only(f'FROM alpine\n{copy}\nENTRYPOINT ["{entrypoint}"]\n', "sigterm", context=str(tmp_path))
    assert found.state == state, found


def test_a_script_that_stands_in_the_containerfile() -> None:
    text = 'FROM alpine\nCOPY <<EOF /start.sh\n#!/bin/sh\n/svc\nEOF\nENTRYPOINT ["/start.sh"]\n'
    assert only(text, "sigterm").state == ERROR


def test_a_command_of_the_workload_takes_the_entrypoints_place() -> None:
    assert only("FROM debian\nENTRYPOINT /svc\n", "sigterm", replaced=True).state == NOT_APPLICABLE


@pytest.mark.parametrize(
    ("user", "as_non_root", "state"),
    [
        ("USER 1001", True, OK),
        ("USER 1001:0", True, OK),
        ("USER svc", False, ADVICE),
        ("USER svc:root", True, ERROR),
        ("USER 0", True, ERROR),
        ("USER 0", False, OK),
        ("", False, OK),
        ("", True, WARNING),
    ],
)
def test_the_user(user: str, as_non_root: bool, state: str) -> None:
    found = only(f"FROM ubi9/ubi-minimal\n{user}\n", "image-user", as_non_root=as_non_root)
    assert found.state == state


def test_what_costs_time_is_only_advice() -> None:
    found = lint(PLAIN)["build-time"]
    assert [(item.state, item.where) for item in found] == [
        (ADVICE, "Containerfile:6"),
        (ADVICE, "Containerfile:23"),
        (ADVICE, "Containerfile:18"),
    ]
    assert only("FROM alpine\nRUN apk add --no-cache git\n", "build-time").state == OK
    assert only("FROM debian\nRUN apt-get update && apt-get install -y git\n", "build-time").state == OK
    assert "apt-get -y upgrade" in only("FROM debian\nRUN apt-get update && apt-get -y upgrade\n", "build-time").text


@pytest.mark.parametrize(
    "text", ["", "# nothing", "FROM scratch", "FROM a\nRUN", "FROM a AS b\nFROM b AS a\nRUN go build"]
)
def test_odd_files_give_findings_like_any_other(text: str) -> None:
    whole = set(lint(PLAIN))
    for found in (lint(text), lint(text, target="none")):
        # each check has its say, whatever the file is
        assert set(found) == whole
        assert any(found.values())
        for name, findings in found.items():
            assert all(item.check == name and item.state in STATES for item in findings)


# ---- variables of the shell ----

BUILDER = """FROM docker.io/library/golang:1.26 AS builder
ARG TARGETOS TARGETARCH GOFLAGS GO_COVERAGE=0
ARG GO_BUILD_FLAGS=""
{run}
FROM scratch
COPY --from=builder /gauge /gauge
ENTRYPOINT ["/gauge"]
"""


@pytest.mark.parametrize(
    ("run", "fixed"),
    [
        ("RUN export GOOS=$TARGETOS GOARCH=$TARGETARCH && go build -o /gauge ./cmd/gauge", False),
        ("RUN <<SCRIPT\nset -eu\nexport GOARCH=${TARGETARCH}\ngo build -o /gauge ./cmd/gauge\nSCRIPT", False),
        ("RUN ARCH=$TARGETARCH; export GOARCH=$ARCH; go build -o /gauge ./cmd/gauge", False),
        ("RUN export GOARCH=amd64 && go build -o /gauge ./cmd/gauge", True),
        ("RUN export GOARCH=$TARGETARCH && GOARCH=amd64 go build -o /gauge ./cmd/gauge", True),
    ],
)
def test_goarch_of_an_exported_variable(run: str, fixed: bool) -> None:
    found = only(BUILDER.format(run=run), "goarch")
    assert found.state == (WARNING if fixed else OK)


@pytest.mark.parametrize(
    ("run", "arguments", "state"),
    [
        ("RUN go build ${GO_BUILD_FLAGS} -o /gauge .", {"GO_BUILD_FLAGS": "-cover -covermode=atomic"}, OK),
        ("RUN go build $GO_BUILD_FLAGS -o /gauge .", {"GO_BUILD_FLAGS": "-trimpath -cover"}, OK),
        ("RUN go build $GO_BUILD_FLAGS -o /gauge .", {"GO_BUILD_FLAGS": "-trimpath -race"}, ERROR),
        ('RUN COVER=""; if [ "$GO_COVERAGE" = "1" ]; then COVER="-cover -covermode=atomic"; fi; '
         "go build $COVER -o /gauge .", {"GO_COVERAGE": "1"}, OK),
    ],
)  # fmt: skip
def test_a_variable_of_several_words(run: str, arguments: dict[str, str], state: str) -> None:
    states = {found.state for found in lint(BUILDER.format(run=run), build_args=arguments)["goflags"]}
    assert (ERROR in states) == (state == ERROR)
