# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is told to be by what the kernel and podman said on several kinds of hosts."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._host import facts as _host
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.containers_conf import (
    ContainerHost,
    containers_conf,
    podman_facts,
    settings_in,
    unheeded,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.facts import Check, Wanted, table, verdict
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.readings import (
    cgroup_mode,
    effective_capabilities,
    go_version,
    kind_version,
    memory,
    missing_packages,
    subordinate_ids,
    sysctl_file,
    version_key,
)

UNIFIED = """\
sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0
"""
HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
LEGACY = """\
tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
"""

ORDINARY = ContainerHost(
    cgroup="unified", init="systemd", sys_resource=True, has_runc=True, nofile=1048576, nproc=95000
)
POOR = ContainerHost(cgroup="hybrid", init="tini", sys_resource=False, has_runc=True, nofile=20000, nproc=96365)


@pytest.mark.parametrize(
    ("mounts", "mode"), [(UNIFIED, "unified"), (HYBRID, "hybrid"), (LEGACY, "legacy"), ("", "none"), ("x\n", "none")]
)
def test_cgroup_mode(mounts: str, mode: str) -> None:
    assert cgroup_mode(mounts) == mode


@pytest.mark.parametrize(
    ("mask", "has", "lacks"),
    [
        ("000001ffffffffff", {"chown", "sys_resource", "sys_admin", "checkpoint_restore"}, set()),
        # a virtual machine whose root may do everything but raise limits
        ("000001fffeffffff", {"chown", "sys_admin", "sys_time"}, {"sys_resource"}),
        # what a container of podman gets
        ("00000000800405fb", {"chown", "net_bind_service", "setfcap"}, {"sys_admin", "net_admin", "sys_resource"}),
        ("0000000000000000", set(), {"chown"}),
    ],
)
def test_capabilities(mask: str, has: set[str], lacks: set[str]) -> None:
    found = set(effective_capabilities(f"Name:\tcat\nCapPrm:\t0000000000000000\nCapEff:\t{mask}\nSeccomp:\t0\n"))
    assert has <= found
    assert not lacks & found


def test_subordinate_ids_by_name_and_by_number_are_added() -> None:
    text = "root:100000:65536\nanna:165536:65536\n1000:300000:10\nannabel:1:1\nbroken\n"
    assert subordinate_ids(text, "anna", 1000) == 65546
    assert subordinate_ids(text, "bert", 1001) == 0


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("kind v0.30.0 go1.26.8 linux/amd64\n", "v0.30.0"),
        # a longer version is another one
        ("kind v0.30.0-alpha+abc go1.26 linux/amd64", "v0.30.0-alpha+abc"),
        ("", ""),
        ("error: unknown command", ""),
    ],
)
def test_kind_version_is_one_word(text: str, version: str) -> None:
    assert kind_version(text) == version


def test_go_version_and_order() -> None:
    assert go_version("go version go1.26.8 linux/amd64\n") == "1.26.8"
    assert go_version("bash: go: command not found") == ""
    assert version_key("1.26.8") > version_key("1.26") > version_key("1.9.99")
    assert version_key("1.27rc1") >= version_key("1.26")
    assert version_key("") < version_key("1.0")


def test_memory() -> None:
    assert memory("MemTotal:       24684084 kB\nMemFree:  1 kB\nMemAvailable:   23983744 kB\n") == {
        "total": 24684084 * 1024,
        "available": 23983744 * 1024,
    }


def test_a_removed_package_whose_settings_remain_is_missing() -> None:
    status = "podman\tinstalled\nrunc\tconfig-files\n"
    assert missing_packages(status, ["podman", "runc", "netavark"]) == ["runc", "netavark"]


# podman's settings


def test_an_ordinary_host_needs_no_settings() -> None:
    assert containers_conf(ORDINARY) == ""


def test_a_poor_host_gets_all_settings_and_they_are_toml() -> None:
    parsed = tomllib.loads(containers_conf(POOR))
    assert parsed == {
        "containers": {"default_ulimits": ["nofile=20000:20000", "nproc=96365:96365"]},
        "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file", "runtime": "runc"},
    }


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        (replace(ORDINARY, cgroup="hybrid"), {"runtime"}),
        # nothing to choose from: podman's own error is the clearer one
        (replace(ORDINARY, cgroup="hybrid", has_runc=False), set()),
        # crun knows version 1 when it is alone
        (replace(ORDINARY, cgroup="legacy"), set()),
        (replace(ORDINARY, init="sh"), {"cgroup_manager", "events_logger"}),
        (replace(ORDINARY, sys_resource=False), {"default_ulimits"}),
        (replace(ORDINARY, sys_resource=False, nproc=-1), set()),
        (replace(ORDINARY, sys_resource=False, nofile=-1, nproc=-1), set()),
        (replace(ORDINARY, nofile=1024), set()),
    ],
)
def test_each_setting_has_its_own_cause(host: ContainerHost, settings: set[str]) -> None:
    assert {key for _table, key in settings_in(containers_conf(host))} == settings


def test_limits_never_exceed_what_podman_would_ask_for() -> None:
    text = containers_conf(replace(POOR, nofile=5000, nproc=-1))
    assert tomllib.loads(text)["containers"]["default_ulimits"] == ["nofile=5000:5000", "nproc=1048576:1048576"]


def test_limits_that_still_fit_are_kept_so_that_a_second_run_changes_nothing() -> None:
    first = containers_conf(POOR)
    assert containers_conf(replace(POOR, nofile=30000, nproc=-1), current=first) == first


def test_limits_that_no_longer_fit_are_lowered() -> None:
    first = containers_conf(POOR)
    second = containers_conf(replace(POOR, nofile=1000), current=first)
    assert tomllib.loads(second)["containers"]["default_ulimits"][0] == "nofile=1000:1000"


def test_what_the_user_decided_is_left_alone() -> None:
    own = settings_in('[engine]\nruntime = "kata"\n[containers]\ndefault_ulimits = [\n "nofile=1:1",\n]\n')
    assert {key for _table, key in settings_in(containers_conf(POOR, own=own))} == {"cgroup_manager", "events_logger"}


def test_settings_in_reads_only_what_is_set() -> None:
    text = """
# runtime = "crun"
[containers]   # a comment
default_ulimits = [
  "nofile=1:2",
]
[engine]
#cgroup_manager = "systemd"
events_logger="journald"
[engine.runtimes]
runc = ["/usr/bin/runc"]
"""
    found = settings_in(text)
    assert set(found) == {("containers", "default_ulimits"), ("engine", "events_logger"), ("engine.runtimes", "runc")}
    assert found["engine", "events_logger"] == '"journald"'


INFO = {
    "host": {
        "cgroupManager": "cgroupfs",
        "eventLogger": "file",
        "networkBackend": "netavark",
        "ociRuntime": {"name": "runc", "path": "/usr/bin/runc"},
        "security": {"rootless": False},
    },
    "store": {"graphDriverName": "overlay", "graphRoot": "/var/lib/containers/storage"},
    "version": {"Version": "4.3.1"},
}


def test_podman_facts() -> None:
    facts = podman_facts(INFO)
    assert (facts["version"], facts["runtime"], facts["storage_driver"]) == ("4.3.1", "runc", "overlay")
    assert podman_facts({})["version"] == ""


def test_a_setting_that_podman_does_not_follow_is_named() -> None:
    settings = settings_in(containers_conf(POOR))
    assert unheeded(settings, podman_facts(INFO)) == []
    other = podman_facts({**INFO, "host": {**INFO["host"], "ociRuntime": {"name": "crun"}}})
    assert unheeded(settings, other) == ['runtime = "runc", but podman uses crun']


# kernel settings

LIMITS = {"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 524288}


def test_only_what_is_lower_is_raised_and_written_down() -> None:
    text = sysctl_file("", {"fs.inotify.max_user_instances": 128, "fs.inotify.max_user_watches": 1048576}, LIMITS)
    assert text.splitlines()[1:] == ["fs.inotify.max_user_instances = 512"]


def test_after_it_was_raised_the_file_stays_the_same() -> None:
    first = sysctl_file("", {"fs.inotify.max_user_instances": 128, "fs.inotify.max_user_watches": 8192}, LIMITS)
    assert sysctl_file(first, LIMITS, LIMITS) == first


def test_a_host_with_enough_gets_no_file() -> None:
    assert sysctl_file("", {name: value * 2 for name, value in LIMITS.items()}, LIMITS) == ""
    # a kernel without the setting cannot be told
    assert sysctl_file("", {}, LIMITS) == ""


# the verdict

FACTS = {
    "root": True,
    "user": "root",
    "rootless": {"subuid": 0, "subgid": 0, "newuidmap": False},
    "cgroup": "unified",
    "modules_folder": True,
    "packages_missing": [],
    "containers_conf": {"path": "/etc/x.conf", "text": "", "current": "", "unheeded": []},
    "podman": {**podman_facts(INFO), "error": "", "proof": ""},
    "tools": {
        "go": {"path": "/usr/bin/go", "on_path": True, "version": "1.26.1"},
        "kind": {"path": "/usr/bin/kind", "on_path": True, "version": "v0.30.0"},
    },
    "sysctls": LIMITS,
    "disk": {"path": "/var", "total": 100 << 30, "free": 50 << 30},
    "memory": {"total": 16 << 30, "available": 8 << 30},
    "node_image": {"id": "a" * 64, "current": True},
}
WANTED = Wanted(
    packages=["podman"],
    kind_version="v0.30.0",
    go_minimum="1.26",
    node_image="localhost/kindest/node:v1",
    disk=6 << 30,
    memory=4 << 30,
    sysctls=LIMITS,
)


def _failed(facts: dict, wanted: Wanted = WANTED) -> list[Check]:
    return [check for check in _host.checks(facts, wanted) if not check.ok]


def test_a_good_host_passes_everything() -> None:
    assert _failed(FACTS) == []
    assert len(_host.checks(FACTS, WANTED)) == 14


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ({"packages_missing": ["podman", "runc"]}, "packages", "podman, runc"),
        ({"podman": {**podman_facts({}), "error": "not installed", "proof": None}}, "podman", "not installed"),
        ({"podman": {**podman_facts(INFO), "error": "", "proof": "rlimit: not permitted"}}, "container", "rlimit"),
        ({"containers_conf": {"path": "/etc/x", "text": "a", "current": "", "unheeded": []}}, "podman settings", "not"),
        (
            {"containers_conf": {"path": "/etc/x", "text": "a", "current": "a", "unheeded": ["runtime = 1, but"]}},
            "podman settings",
            "runtime = 1",
        ),
        ({"cgroup": "none"}, "cgroups", "none"),
        ({"modules_folder": False}, "/lib/modules", "missing"),
        (
            {"tools": {**FACTS["tools"], "go": {"path": "/usr/bin/go", "on_path": True, "version": "1.19"}}},
            "go",
            "older than 1.26",
        ),
        (
            {"tools": {**FACTS["tools"], "go": {"path": "/opt/go", "on_path": False, "version": "1.26"}}},
            "go",
            "not on PATH",
        ),
        (
            {"tools": {**FACTS["tools"], "kind": {"path": "/bin/kind", "on_path": True, "version": "v0.30.1"}}},
            "kind",
            "not v0.30.0",
        ),
        ({"tools": {**FACTS["tools"], "kind": {"path": "", "on_path": False, "version": ""}}}, "kind", "not installed"),
        ({"node_image": {"id": "", "current": False}}, "node image", "not there"),
        ({"node_image": {"id": "b" * 64, "current": False}}, "node image", "from another recipe"),
        ({"disk": {"path": "/var", "total": 1, "free": 5 << 30}}, "disk", "5 GiB free at /var"),
    ],
)
def test_each_thing_that_is_needed_is_named(change: dict, name: str, says: str) -> None:
    failed = _failed({**FACTS, **change})
    assert [check.name for check in failed] == [name]
    assert says in failed[0].result
    assert failed[0].remedy
    assert name in verdict([check.as_dict() for check in failed])


def test_advice_does_not_stop() -> None:
    failed = _failed({**FACTS, "sysctls": {"fs.inotify.max_user_instances": 128}, "memory": {"total": 2 << 30}})
    assert [check.name for check in failed] == [*LIMITS, "memory"]
    assert verdict([check.as_dict() for check in failed]) == ""
    assert [line.split()[0] for line in table([check.as_dict() for check in failed])] == ["warn"] * 3


def _user(**rootless: int) -> dict:
    return {**FACTS, "root": False, "user": "anna", "rootless": {**FACTS["rootless"], **rootless}}


def test_not_root_and_nothing_for_it_is_one_sentence_with_all_reasons() -> None:
    failed = _failed({**_user(), "cgroup": "hybrid"})
    assert failed[0].name == "user"
    sentence = verdict([failed[0].as_dict()])
    for part in ("anna is not root", "/etc/subuid", "uidmap", "this host has hybrid", "ansible_become"):
        assert part in sentence


def test_rootless_with_all_it_needs_is_fine() -> None:
    assert _failed(_user(subuid=65536, subgid=65536, newuidmap=True)) == []


def test_the_table_aligns_and_names_remedies_only_where_needed() -> None:
    lines = table(
        [
            {"name": "a", "ok": True, "result": "fine", "remedy": "never shown", "needed": True},
            {"name": "long", "ok": False, "result": "bad", "remedy": "do it", "needed": True},
        ]
    )
    assert lines == ["ok   a     fine", "NO   long  bad -> do it"]


# this host


def test_gather_reads_a_real_host() -> None:
    facts = _host.gather(Wanted(sysctls=LIMITS, go_minimum="1.0"))
    assert facts["cgroup"] == cgroup_mode(Path("/proc/self/mounts").read_text(encoding="utf-8"))
    assert facts["memory"]["total"] > facts["memory"]["available"] > 0
    assert facts["disk"]["total"] > facts["disk"]["free"] > 0
    assert set(facts["sysctls"]) == set(LIMITS)
    assert facts["tools"]["go"]["version"]
    assert {check["name"] for check in facts["checks"]} >= {"user", "podman", "cgroups", "go", *LIMITS}


def test_gather_works_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_host, "USUAL_PLACES", {})
    facts = _host.gather(
        Wanted(kind_version="v0.30.0", go_minimum="1.26", node_image="localhost/x:1", packages=["podman"])
    )
    assert not facts["ready"]
    assert facts["podman"]["error"] == "not installed"
    assert facts["tools"]["kind"]["path"] == ""
    assert facts["packages_missing"] == ["podman"]


@pytest.mark.parametrize(
    ("hard", "pid_max", "given"),
    [(96365, "32768\n", 32768), (20000, "32768\n", 20000), (-1, "32768", 32768), (7, "", 7)],
)
def test_podman_gives_no_more_processes_than_the_kernel_has_numbers_for(hard: int, pid_max: str, given: int) -> None:
    assert _host.nproc_of_containers(hard, pid_max) == given
