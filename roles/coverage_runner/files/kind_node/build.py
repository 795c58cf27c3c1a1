# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a node image for kind from Go modules and Debian packages alone: no container registry is asked for anything.

usage: build WORKDIR IMAGE RECIPE_HASH

WORKDIR      folder for intermediate results; an interrupted build goes on from there, a finished one empties it
IMAGE        name that the image gets in podman's store, last of all
RECIPE_HASH  value of the image's label coverage.kubernaut.io/recipe

Needs root, Go, podman and debootstrap, and a static busybox. Prints one line for each step to standard output; if a
step fails, the end of its log goes to standard error and the exit code is 1.

Environment: KIND_NODE_MIRROR and KIND_NODE_SUITE name Debian's archive and release instead of those that the host's
own apt uses; KIND_NODE_KEEP_WORK=1 keeps the intermediate results. Proxies, certificates and Go's settings are the
caller's.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

RECIPE = Path(__file__).resolve().parent
LABEL = "coverage.kubernaut.io/recipe"
BUILD_LABEL = "coverage.kubernaut.io/building"
LOG_LINES = 25

# What a node is made of besides Kubernetes: an init system, a container runtime, a network
PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "mount",
    "util-linux",
    "procps",
    "hostname",
    "tar",
    "kmod",
    "ca-certificates",
    "containerd",
    "runc",
    "libseccomp2",
    "containernetworking-plugins",
    "iproute2",
    "iptables",
    "nftables",
    "ebtables",
    "ethtool",
    "socat",
    "conntrack",
]
# Units that have no business in a container or on a machine that lives for minutes
MASKED = [
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "getty@tty1.service",
    "console-getty.service",
    "e2scrub_reap.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "fstrim.timer",
]
# Parts of Debian's packages that no node reads
UNREAD = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/cache/debconf",
    "var/log",
]

CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
HELPER_IMAGE = "localhost/busybox:stable"
PROVISIONER_IMAGE = "localhost/local-path-provisioner:stable"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StepError(Exception):
    """A step failed; the argument is the whole text for a person."""


_speaking = threading.Lock()


def say(text: str) -> None:
    """Print one line of progress, whole also when two steps speak at once."""
    with _speaking:
        print(text, flush=True)


def without_password(text: str) -> str:
    """Return text without the user and password of any URL."""
    return re.sub(r"://[^/\s@]+@", "://***@", text)


# programs

_running: set[subprocess.Popen] = set()
_stopping = threading.Event()


def run(argv, *, purpose, log=None, on_line=None, environment=None, cwd=None, executable=None, stdin=None):
    """Run a program to its end and return its output; its output and errors also go to C(log)."""
    if _stopping.is_set():
        raise StepError(f"could not {purpose}: stopped, because another step failed")
    lines = []
    try:
        process = subprocess.Popen(
            [str(argument) for argument in argv],
            cwd=cwd,
            executable=executable,
            env={**os.environ, **(environment or {})},
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise StepError(f"could not {purpose}: {argv[0]} cannot be started ({error.strerror})") from error
    _running.add(process)
    with process, Path(log).open("a", encoding="utf-8") if log else contextlib.nullcontext() as stream:
        for line in process.stdout:
            lines.append(line)
            if stream:
                stream.write(line)
            if on_line:
                on_line(line.rstrip())
    _running.discard(process)
    if process.returncode:
        end = [line.rstrip() for line in lines if line.strip()][-LOG_LINES:]
        raise StepError(
            f"could not {purpose}: {Path(str(argv[0])).name} ended with {process.returncode}\n"
            + "\n".join([f"$ {without_password(shlex.join(map(str, argv)))}", *end])
            + (f"\nall of it: {log}" if log else "")
        )
    return "".join(lines)


def stop_all() -> None:
    """End what still runs, so that one failed step does not leave the others working for nothing."""
    _stopping.set()
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError):
            process.terminate()


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it, but never what is mounted there."""
    inside = f"{path.resolve()}/"
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for mounted in sorted((point for point in mounts if point.startswith(inside)), reverse=True):
        run(["umount", mounted], purpose=f"unmount {mounted}")
    if path.exists():
        shutil.rmtree(path)


# steps that can be skipped


class Step:
    """A step whose result stays valid as long as what it was made from is the same."""

    def __init__(self, work: Path, name: str, result: Path, *inputs: object) -> None:
        self.result = result
        self.log = work / "logs" / f"{name}.log"
        self.stamp = work / "stamps" / name
        self.key = hashlib.sha256(repr((name, inputs)).encode()).hexdigest()

    def done(self) -> bool:
        """Tell whether the result is there and was made from the same inputs."""
        return self.result.exists() and self.stamp.exists() and self.stamp.read_text(encoding="ascii") == self.key

    def start(self) -> None:
        """Forget an older result."""
        self.stamp.parent.mkdir(exist_ok=True)
        self.log.parent.mkdir(exist_ok=True)
        self.stamp.unlink(missing_ok=True)
        self.log.write_text("", encoding="utf-8")
        if self.result.is_dir():
            remove_tree(self.result)
        else:
            self.result.unlink(missing_ok=True)

    def finish(self) -> str:
        """Say that the result is whole, and return its key."""
        self.stamp.write_text(self.key, encoding="ascii")
        return self.key


def fingerprint(folder: Path) -> list:
    """Return names, modes and digests of all files of a folder, in order."""
    return [
        (str(path.relative_to(folder)), path.stat().st_mode & 0o777, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


# Go programs

# GOFLAGS of the caller (-cover, -mod=vendor) must not shape what runs on a node
GO = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def kubernetes_version() -> str:
    """Return the version that the control plane's go.mod pins, with its leading v."""
    found = re.search(r"^require k8s\.io/kubernetes (v\S+)$", (RECIPE / "hyperkube/go.mod").read_text("utf-8"), re.M)
    if found is None:
        raise StepError("hyperkube/go.mod does not require k8s.io/kubernetes in a line of its own")
    return found.group(1)


def kubernetes_ldflags(version: str) -> str:
    """Return the linker flags that tell Kubernetes which version it is."""
    major, minor = version.removeprefix("v").split(".")[:2]
    facts = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(["-s -w", *(f"-X {package}.{key}={facts[key]}" for package in packages for key in facts)])


def compile_program(work: Path, toolchain: str, title: str, folder: str, package: str, ldflags: str) -> str:
    """Compile one program into WORKDIR/bin, named as its folder, and return the key of the result."""
    source, target = RECIPE / folder, work / "bin" / folder
    step = Step(work, folder, target, fingerprint(source), package, ldflags, toolchain)
    if step.done():
        say(f"{title}: already there")
        return step.key
    step.start()
    target.parent.mkdir(exist_ok=True)
    say(f"{title}: find its packages")
    listed = run(
        ["go", "list", "-mod=readonly", "-deps", package],
        purpose=f"find the packages of {folder}",
        log=step.log,
        cwd=source,
        environment=GO,
        on_line=lambda line: say(f"{title}: {line.removeprefix('go: ')}") if line.startswith("go: downl") else None,
    )
    total = sum(1 for line in listed.splitlines() if not line.startswith("go: "))
    compiled, said = 0, time.monotonic()

    def count(line: str) -> None:
        nonlocal compiled, said
        compiled += " " not in line
        if time.monotonic() - said > 2:
            said = time.monotonic()
            say(f"{title}: {compiled} of at most {total} packages")

    say(f"{title}: {total} packages, those in Go's cache already compiled")
    beside = target.with_suffix(".part")
    run(
        ["go", "build", "-v", "-mod=readonly", "-trimpath", "-ldflags", ldflags, "-o", beside, package],
        purpose=f"compile {folder}",
        log=step.log,
        cwd=source,
        environment=GO,
        on_line=count,
    )
    beside.replace(target)
    return step.finish()


# Debian


def apt_sources(root: Path = Path("/etc/apt")) -> list:
    """Return (URI, suite, components) of each binary package source of the host's apt, in apt's order."""
    found = []
    for path in [root / "sources.list", *sorted((root / "sources.list.d").glob("*"))]:
        if not path.is_file() or path.suffix not in (".list", ".sources"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        if path.suffix == ".list":
            for line in lines:
                words = re.sub(r"\[[^]]*\]", " ", line).split()
                if words[:1] == ["deb"] and len(words) > 2:
                    found.append((words[1], words[2], words[3:]))
            continue
        for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
            unfolded = re.sub(r"\n[ \t]+", " ", stanza)
            fields = {key.lower(): value.split() for key, value in re.findall(r"^([\w-]+):(.*)$", unfolded, re.M)}
            if "deb" not in fields.get("types", []) or fields.get("enabled", ["yes"])[0].lower() == "no":
                continue
            found += [
                (uri, suite, fields.get("components", []))
                for uri in fields.get("uris", [])
                for suite in fields.get("suites", [])
            ]
    return found


def debian_archive(os_release: dict, sources: list) -> tuple:
    """Return (URI, suite, components) to take a node's packages from: the host's own archive.

    Debian's archive has all releases, so a node is the one release this recipe was proved with, whatever the host is.
    Another distribution's archive has its own releases only: then a node is what the host is.
    """
    host = os_release.get("VERSION_CODENAME", "")
    suite = os.environ.get("KIND_NODE_SUITE") or ("bookworm" if os_release.get("ID") == "debian" else host)
    components = ["main"] if os_release.get("ID") == "debian" else ["main", "universe"]
    if os.environ.get("KIND_NODE_MIRROR"):
        return os.environ["KIND_NODE_MIRROR"], suite, components
    for wanted in (suite, host):
        for uri, offered, parts in sources:
            if offered == wanted and "main" in parts and uri.startswith(("http://", "https://", "file:", "copy:")):
                return uri, suite, components
    raise StepError(
        f"could not find an archive for Debian packages: apt on this host names none for {suite} or {host}"
        " (KIND_NODE_MIRROR names one)"
    )


def proxies() -> dict:
    """Return the proxies of apt for programs that read the environment, where the caller has set none."""
    given = {}
    for scheme in ("http", "https"):
        if os.environ.get(f"{scheme}_proxy"):
            continue
        answer = run(["apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy"], purpose="read apt's settings")
        for word in shlex.split(answer):
            value = word.removeprefix("PROXY=")
            if value != word and value not in ("", "DIRECT", "false"):
                given[f"{scheme}_proxy"] = value
    return given


def install_debian(work: Path) -> str:
    """Make WORKDIR/rootfs: Debian with the packages of a node, and return the key of the result."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(encoding="utf-8"), re.M))
    uri, suite, components = debian_archive(release, apt_sources())
    rootfs, cache = work / "rootfs", work / "debs"
    step = Step(work, "debian", rootfs, suite, components, PACKAGES, UNREAD)
    title = f"Debian packages ({suite})"
    if step.done():
        say(f"{title}: already there")
        return step.key
    step.start()
    cache.mkdir(exist_ok=True)
    say(f"{title}: install")
    run(
        # a mount namespace of its own: whatever happens, nothing stays mounted below the folder
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "debootstrap",
            "--variant=minbase",
            f"--components={','.join(components)}",
            f"--cache-dir={cache}",
            f"--include={','.join(PACKAGES)}",
            suite,
            rootfs,
            uri,
        ],
        purpose=f"install Debian packages of {suite}",
        log=step.log,
        environment={"DEBIAN_FRONTEND": "noninteractive", **proxies()},
    )
    for name in UNREAD:
        shutil.rmtree(rootfs / name, ignore_errors=True)
        (rootfs / name).mkdir()
    say(f"{title}: done")
    return step.finish()


# images inside the node, as an OCI layout


class Layout:
    """An OCI image layout in a folder, written without any container tool; layers are shared by their digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests = []
        (folder / "blobs/sha256").mkdir(parents=True)

    def blob(self, content: bytes) -> dict:
        """Store bytes and return their digest and size."""
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def layer(self, entries: list) -> dict:
        """Store a layer of (path in the image, file of the host or link target) and return its descriptor.

        Owner, times and order are fixed: equal contents give an equal digest.
        """
        beside = self.folder / "layer.part"
        parents = sorted({str(parent) for name, _content in entries for parent in Path(name).parents} - {"."})
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in parents:
                member = tarfile.TarInfo(name)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
            for name, source in sorted(entries, key=lambda entry: entry[0]):
                member = tarfile.TarInfo(name)
                if isinstance(source, str):
                    member.type, member.linkname = tarfile.SYMTYPE, source
                    archive.addfile(member)
                    continue
                member.mode, member.size = source.stat().st_mode & 0o777, source.stat().st_size
                with source.open("rb") as stream:
                    archive.addfile(member, stream)
        digest = hashlib.sha256()
        with beside.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        descriptor = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": f"sha256:{digest.hexdigest()}",
            "size": beside.stat().st_size,
        }
        beside.replace(self.folder / "blobs/sha256" / digest.hexdigest())
        return descriptor

    def image(self, names: list, layers: list, **config: object) -> None:
        """Add an image under all its names."""
        description = {
            "architecture": GOARCH[os.uname().machine],
            "os": "linux",
            "config": {"Env": [f"PATH={PATH}"], **config},
            # not compressed: the digest of a layer is that of its contents
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **self.blob(json.dumps(description, sort_keys=True).encode()),
            },
            "layers": layers,
        }
        stored = self.blob(json.dumps(manifest, sort_keys=True).encode())
        self.manifests += [
            {"mediaType": manifest["mediaType"], **stored, "annotations": {"io.containerd.image.name": name}}
            for name in names
        ]

    def finish(self) -> None:
        """Write the index: from now on the layout is whole."""
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": self.manifests,
        }
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="ascii")
        (self.folder / "index.json").write_text(json.dumps(index), encoding="ascii")


GOARCH = {"x86_64": "amd64", "aarch64": "arm64"}


def inside(root: Path, name: str) -> Path:
    """Return the file that a path means to a program whose root folder is C(root): links never lead out of it."""
    done, todo = root, Path(name.lstrip("/")).parts
    for _link in range(100):
        if not todo:
            return done
        here, todo = done / todo[0], todo[1:]
        if here.is_symlink():
            target = str(here.readlink())
            done = root if target.startswith("/") else done
            todo = (*Path(target.lstrip("/")).parts, *todo)
        else:
            done = done.parent if here.name == ".." else here
    raise StepError(f"could not follow the links of {name} in {root}")


def proxy_files(root: Path) -> list:
    """Return the layer entries of what kube-proxy calls: iptables and nft with the libraries they are linked to."""
    entries = {}
    programs = [f"usr/sbin/{name}" for name in ("xtables-nft-multi", "xtables-legacy-multi", "nft", "conntrack")]
    # extensions that iptables loads by name when a rule asks for them; they have libraries of their own
    extensions = [str(path.relative_to(root)) for path in root.glob("usr/lib/*/xtables/*.so")]
    for name in (*programs, *extensions):
        entries[name] = inside(root, name)
    for path in (root / "usr/sbin").glob("ip*tables*"):
        # iptables is the name of a link that leads, by way of Debian's alternatives, to one program of many names
        if path.is_symlink():
            entries[f"usr/sbin/{path.name}"] = inside(root, f"usr/sbin/{path.name}").name
    linked = run(
        ["chroot", root, "ldd", *(f"/{name}" for name in (*programs, *extensions))],
        purpose="see what iptables and nft are linked to",
    )
    if "not found" in linked:
        raise StepError(f"could not find all libraries of iptables and nft:\n{linked}")
    for library in set(re.findall(r"(/\S+\.so\S*)(?= \()", linked)):
        # under the one name that the loader asks for; /lib, a link in Debian, is a folder of its own in the image
        entries[library.lstrip("/")] = inside(root, library)
    return list(entries.items())


def required_images(work: Path, version: str) -> dict:
    """Return the images that kubeadm of that version asks for, by their last word: {"etcd": "host/etcd:3.6.5-0"}."""
    answer = run(
        ["kubeadm", "config", "images", "list", "--kubernetes-version", version],
        executable=work / "bin/hyperkube",
        purpose="ask kubeadm for its images",
    )
    names = [line for line in answer.splitlines() if re.fullmatch(r"[\w./-]+:[\w.-]+", line)]
    return {name.rsplit(":", 1)[0].rsplit("/", 1)[1]: name for name in names}


def write_images(work: Path, root: Path, required: dict) -> list:
    """Write WORKDIR/offered/images, the layout of all images that a cluster needs, and return their names."""
    program = work / "bin"
    remove_tree(work / "offered")
    layout = Layout(work / "offered/images")
    links = [(f"usr/local/bin/{name}", "hyperkube") for name in (*CONTROL_PLANE, "kube-proxy")]
    components = layout.layer([("usr/local/bin/hyperkube", program / "hyperkube"), *links])
    layout.image([required[name] for name in CONTROL_PLANE], [components])
    layout.image([required["kube-proxy"]], [components, layout.layer(proxy_files(root))])
    layout.image([required["coredns"]], [layout.layer([("coredns", program / "coredns")])], Entrypoint=["/coredns"])
    layout.image(
        [required["pause"]], [layout.layer([("pause", program / "pause")])], Entrypoint=["/pause"], User="65535:65535"
    )
    busybox = shutil.which("busybox", path=PATH)
    if busybox is None:
        raise StepError("could not find busybox: the package busybox-static has it")
    tools = [(f"bin/{name}", "busybox") for name in ("sh", "mkdir", "rm", "ls", "cat", "chmod", "sleep")]
    shell = layout.layer([("bin/busybox", Path(busybox).resolve()), *tools])
    layout.image([HELPER_IMAGE], [shell], Cmd=["sh"])
    provisioner = layout.layer([("usr/bin/local-path-provisioner", program / "local_path_provisioner")])
    layout.image([PROVISIONER_IMAGE], [shell, provisioner])
    layout.finish()
    return [manifest["annotations"]["io.containerd.image.name"] for manifest in layout.manifests]


# the node itself


def assemble(work: Path, root: Path, version: str, required: dict) -> None:
    """Make the node's root folder: Debian, Kubernetes, and the settings of this recipe."""
    remove_tree(root)
    run(["cp", "--archive", "--reflink=auto", work / "rootfs", root], purpose="copy Debian")
    for name in ("etc/machine-id", "etc/apt/sources.list"):
        # a node gets an identity of its own; where its packages came from may hold a password
        (root / name).unlink(missing_ok=True)

    def install(source: Path, target: str, mode: int, **replace: str) -> None:
        path = root / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if replace:
            text = source.read_text(encoding="utf-8")
            for word, value in replace.items():
                text = text.replace(word, value)
            path.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(source, path)
        path.chmod(mode)

    node = RECIPE / "node"
    install(work / "bin/hyperkube", "usr/bin/hyperkube", 0o755)
    for name in ("kubeadm", "kubelet", "kubectl"):
        (root / "usr/bin" / name).symlink_to("hyperkube")
    for name in ("entrypoint", "kubelet-cgroup", "pod-network"):
        install(node / name, f"usr/local/bin/{name}", 0o755)
    for name in ("kubelet.service", "pod-network.service", "pod-network.path"):
        install(node / name, f"etc/systemd/system/{name}", 0o644)
    install(node / "kubelet.default", "etc/default/kubelet", 0o644)
    install(node / "containerd.toml", "etc/containerd/config.toml", 0o644, SANDBOX_IMAGE=required["pause"])
    install(node / "pods.conflist", "kind/pods.conflist", 0o644)
    # kind looks for its manifests under these names
    install(node / "default-cni.yml", "kind/manifests/default-cni.yaml", 0o644)
    install(
        node / "default-storage.yml",
        "kind/manifests/default-storage.yaml",
        0o644,
        PROVISIONER_IMAGE=PROVISIONER_IMAGE,
        HELPER_IMAGE=HELPER_IMAGE,
    )
    (root / "kind/version").write_text(version, encoding="ascii")
    for folder in ("etc/cni/net.d", "etc/containerd/certs.d", "etc/kubernetes/manifests", "opt/cni"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "opt/cni/bin").symlink_to("/usr/lib/cni")
    for verb, *units in (
        ["enable", "kubelet.service", "containerd.service", "pod-network.path"],
        ["mask", *MASKED],
        ["set-default", "multi-user.target"],
    ):
        run(["chroot", root, "systemctl", verb, *units], purpose=f"{verb} the node's units")


PRELOAD = """
set -o errexit -o nounset -o pipefail
containerd --config /mnt/preload.toml >/run/containerd.log 2>&1 &
daemon=$!
tries=0
until ctr version >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ $tries -gt 300 ] || ! kill -0 $daemon; then cat /run/containerd.log; exit 1; fi
  sleep 0.1
done
tar -C /mnt/images -c . | ctr --namespace k8s.io images import --all-platforms --no-unpack - >/dev/null
kill $daemon
wait $daemon || true
"""
# The content store and its index are all that is needed to take images in
PRELOAD_CONFIG = """
version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
"""
PROVE = """
set -o errexit -o nounset -o pipefail
kubelet --version
containerd --config /mnt/preload.toml >/run/containerd.log 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done
ctr --namespace k8s.io images ls --quiet
"""


def in_root(work: Path, root: Path, script: str, *, purpose: str) -> str:
    """Run a script with the node's root folder as its root, and return its output."""
    offered = work / "offered"
    (offered / "preload.toml").write_text(PRELOAD_CONFIG, encoding="ascii")
    return run(
        [
            "podman",
            "run",
            "--rm",
            "--network=none",
            "--privileged",
            f"--label={BUILD_LABEL}={work}",
            "--tmpfs=/run",
            "--tmpfs=/tmp",
            f"--volume={offered}:/mnt:ro",
            "--rootfs",
            root,
            "/bin/bash",
            "-c",
            script,
        ],
        purpose=purpose,
        log=work / "logs/node.log",
    )


def import_image(root: Path, image: str, recipe: str, version: str) -> None:
    """Give the root folder to podman as an image: its name appears when all of it is there."""
    changes = [
        'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
        "STOPSIGNAL SIGRTMIN+3",
        "ENV container=podman",
        f"ENV PATH={PATH}",
        f"LABEL {LABEL}={recipe}",
        f"LABEL org.opencontainers.image.version={version}",
    ]
    options = [part for change in changes for part in ("--change", change)]
    with subprocess.Popen(
        ["tar", "--directory", root, "--sort=name", "--numeric-owner", "--create", "."], stdout=subprocess.PIPE
    ) as packed:
        _running.add(packed)
        run(["podman", "import", "--quiet", *options, "-", image], purpose=f"import {image}", stdin=packed.stdout)
    _running.discard(packed)
    if packed.returncode:
        raise StepError(f"could not pack the node's files: tar ended with {packed.returncode}")


def remove_leftovers(work: Path) -> None:
    """Remove containers that an interrupted build of this folder left."""
    answer = run(
        ["podman", "ps", "--all", "--quiet", "--filter", f"label={BUILD_LABEL}={work}"], purpose="look for leftovers"
    )
    for container in re.findall(r"^[0-9a-f]{12,}$", answer, re.M):
        run(["podman", "rm", "--force", container], purpose="remove a leftover container")


def folder_size(folder: Path) -> int:
    """Return the bytes that a folder takes on disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def memory_available() -> int:
    """Return the bytes of memory that programs can still get."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.M)
    return int(found.group(1)) * 1024 if found else 0


# Linking the control plane takes 3 GiB: beside it, other compilations need as much again
MEMORY_FOR_TWO_COMPILERS = 8 << 30


def gather(work: Path, version: str) -> None:
    """Make all that a node is put together from: Go programs beside Debian packages."""
    toolchain = run(["go", "env", "GOVERSION", "GOOS", "GOARCH"], purpose="ask Go for its version")
    programs = [
        ("compile Kubernetes (1 of 4)", "hyperkube", ".", kubernetes_ldflags(version)),
        ("compile CoreDNS (2 of 4)", "coredns", ".", "-s -w"),
        (
            "compile the volume provisioner (3 of 4)",
            "local_path_provisioner",
            "github.com/rancher/local-path-provisioner",
            "-s -w",
        ),
        ("compile the pause program (4 of 4)", "pause", ".", "-s -w"),
    ]

    def compile_all(some: list) -> None:
        for program in some:
            compile_program(work, toolchain, *program)

    lanes = [lambda: install_debian(work)]
    if memory_available() >= MEMORY_FOR_TWO_COMPILERS:
        # the linker of the largest program uses one core: the small ones have the other meanwhile
        lanes += [lambda: compile_all(programs[:1]), lambda: compile_all(programs[1:])]
    else:
        lanes += [lambda: compile_all(programs)]
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        futures = [pool.submit(lane) for lane in lanes]
        done, _running = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
        failed = [future for future in done if future.exception()]
        if failed:
            stop_all()
    for future in failed:
        future.result()


def build(work: Path, image: str, recipe: str) -> None:
    """Build the image."""
    started = time.monotonic()
    version, root = kubernetes_version(), work / "root"
    (work / "logs").mkdir(exist_ok=True)
    remove_leftovers(work)
    gather(work, version)
    say("put the node together")
    required = required_images(work, version)
    assemble(work, root, version, required)
    say("write the images of the control plane")
    names = write_images(work, root, required)
    say("give the node its images")
    in_root(work, root, PRELOAD, purpose="give the node its images")
    say("prove the node")
    seen = in_root(work, root, PROVE, purpose="prove the node").splitlines()
    missing = [wanted for wanted in (f"Kubernetes {version}", *names) if wanted not in seen]
    if missing:
        raise StepError("could not prove the node: it lacks " + ", ".join(missing) + "\n" + "\n".join(seen))
    for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname"):
        # podman's traces of having run something there
        (root / name).unlink(missing_ok=True)
    say(f"store {image}")
    import_image(root, image, recipe, version)
    if os.environ.get("KIND_NODE_KEEP_WORK") != "1":
        peak = folder_size(work)
        for name in ("offered", "root", "rootfs", "debs", "bin", "stamps"):
            remove_tree(work / name)
        say(f"removed {peak / 1e9:.1f} GB of intermediate results from {work}")
    say(f"built in {time.monotonic() - started:.0f} s")


def main() -> int:
    """Read the command line and build."""
    if len(sys.argv) != 4 or not re.fullmatch(r"[0-9a-f]{64}", sys.argv[3]):
        print(__doc__, file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("a node's files belong to root: build this as root, or load an archive of the image", file=sys.stderr)
        return 1

    def end(*_: object) -> None:
        """End the children first: the threads that wait for them hold up the end of this program."""
        stop_all()
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)
    work = Path(sys.argv[1]).expanduser().resolve()
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"wait for another build in {work}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            build(work, sys.argv[2], sys.argv[3])
        except StepError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
