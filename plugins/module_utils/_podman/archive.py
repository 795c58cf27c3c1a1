# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Docker archives (C(podman save --format docker-archive)): look inside without unpacking.

An archive is a tar of one tar per layer, one JSON configuration whose SHA-256 is the image's id, and C(manifest.json)
that ties them to names. Layers stack as the OCI image specification says (layer.md, "Applying Changesets"): a file
C(.wh.NAME) hides NAME of the layers below, C(.wh..wh..opq) hides all that is below in its folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import shlex
import struct
import tarfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError

# The name of a function that "go build -cover" links in and calls from main's init, as it appears in the function name
# table (runtime.funcnametab: names end in NUL) that stripping leaves alone. The NULs tell it from a program that only
# mentions the name, as Go's own linker does.
INSTRUMENTED = b"\x00runtime/coverage.initHook\x00"
COUNTS = b"\x00runtime.addCovMeta\x00"  # each instrumented package calls it; only main has the hook that writes
BUILD_INFO = b"\xff Go buildinf:"  # debug/buildinfo: aligned to 16 bytes, then pointer size and flags
BUILD_INFO_ALIGN = 16
BUILD_INFO_HEADER = 32
BUILD_INFO_INLINE = 2  # flag: strings follow inline (Go 1.18 and later)
BUILD_INFO_LIMIT = 1 << 20  # bytes; a long list of dependencies takes some 50 000
BUILD_INFO_FRAME = 16  # bytes of a marker before and after the module part
CHUNK = 1 << 20
LINK_LIMIT = 40
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
ZSTD = b"\x28\xb5\x2f\xfd"
PACKED = ((b"\x1f\x8b", "gzip"), (ZSTD, "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))  # magic, program
ELF = b"\x7fELF"
ELF_HEAD = 20  # up to and with e_machine
ELF_MACHINES = {3: "386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}  # elf.h
CONFIG_NAME = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")


class ArchiveError(CoverageError):
    """An image archive cannot be read, or is not what it should be."""

    cause = "bad-archive"


@dataclass(frozen=True)
class ArchivedImage:
    """An image as C(manifest.json) names it; C(id) is 64 hexadecimal digits."""

    id: str
    names: list[str]
    config_file: str
    layers: list[str]


@dataclass(frozen=True)
class GoBinary:
    """What the bytes of a Go program say: C(settings) are its build settings (C(-cover), C(GOARCH), ...).

    C(counts): packages of it count, whether main, which writes the counters, is among them or not.
    """

    path: str
    instrumented: bool
    architecture: str
    go_version: str = ""
    main_package: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    counts: bool = False


@dataclass
class _Entry:
    layer: int
    member: tarfile.TarInfo


class ImageArchive:
    """One image in an archive, open for reading (a context manager).

    :arg path: the archive.
    :arg reference: the image's name in it; not needed when the archive holds one image.
    :raises ArchiveError: unreadable, no docker archive, no such image, or its id is not its configuration's digest.
    """

    def __init__(self, path: str, reference: str = "") -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 (closed in close)
        except (OSError, tarfile.TarError) as error:
            raise _cannot_read(path, str(error)) from error
        try:
            images = self._images()
            chosen = [image for image in images if reference in image.names] if reference else images
            if len(chosen) != 1:
                names = ", ".join(name for image in images for name in image.names) or "images without a name"
                what = f"image {reference}" if reference else "exactly one image"
                raise ArchiveError(f"Image archive {path} does not contain {what}; it contains {names}.")
            self.image = chosen[0]
            raw = self._read(self.image.config_file)
            if hashlib.sha256(raw).hexdigest() != self.image.id:
                raise ArchiveError(
                    f"Image archive {path} is damaged: image {self.image.id} has a different configuration."
                )
            self.config: dict[str, t.Any] = json.loads(raw)
        except (CoverageError, ValueError, tarfile.TarError, OSError) as error:
            self._tar.close()
            if isinstance(error, CoverageError):
                raise
            raise ArchiveError(f"Image archive {path} is damaged: {error}.") from error
        self._layers: list[tarfile.TarFile] = []
        self._files: t.Optional[dict[str, _Entry]] = None

    def __enter__(self) -> ImageArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        for layer in self._layers:
            layer.close()
        self._tar.close()

    def _read(self, name: str) -> bytes:
        try:
            stream = self._tar.extractfile(name)
        except KeyError as error:
            raise ArchiveError(f"Image archive {self.path} is damaged: it has no {name}.") from error
        if stream is None:
            raise ArchiveError(f"Image archive {self.path} is damaged: {name} is not a file.")
        return stream.read()

    def _images(self) -> list[ArchivedImage]:
        try:
            self._tar.getmember("manifest.json")
        except KeyError as error:
            raise ArchiveError(
                f"{self.path} is not a docker archive: it has no manifest.json.",
                remedy="Save the image with 'podman save --format docker-archive'.",
            ) from error
        images = []
        for item in json.loads(self._read("manifest.json")):
            match = CONFIG_NAME.fullmatch(item["Config"])
            if match is None:
                raise ArchiveError(f"Image archive {self.path} names a configuration {item['Config']}, not by digest.")
            names, layers = list(item.get("RepoTags") or []), list(item["Layers"])
            images.append(ArchivedImage(match[1], names, item["Config"], layers))
        return images

    @property
    def container_config(self) -> dict[str, t.Any]:
        """What a container of the image gets: C(Entrypoint), C(Cmd), C(Env), C(User), C(WorkingDir), C(Labels)."""
        return t.cast("dict[str, t.Any]", self.config.get("config") or {})

    @property
    def architecture(self) -> str:
        """The architecture that the image claims, in Go's words."""
        return t.cast(str, self.config.get("architecture", ""))

    @property
    def argv(self) -> list[str]:
        """What the image starts: entrypoint and command in one list."""
        config = self.container_config
        return [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]

    def files(self) -> dict[str, _Entry]:
        """Return the image's files as a container sees them, by path without the leading slash."""
        if self._files is None:
            merged: dict[str, _Entry] = {}
            for number, name in enumerate(self.image.layers):
                self._apply(merged, number, name)
            self._files = merged
        return self._files

    def _apply(self, merged: dict[str, _Entry], number: int, name: str) -> None:
        try:
            stream = self._tar.extractfile(name)
            if stream is None:
                raise KeyError(name)
            if stream.read(4) == ZSTD:
                raise ArchiveError(
                    f"A layer of image archive {self.path} is compressed with zstd, which cannot be read.",
                    remedy="Save the image with 'podman save --format docker-archive'.",
                )
            stream.seek(0)
            layer = tarfile.open(fileobj=stream, mode="r:*")  # noqa: SIM115 (closed in close)
            self._layers.append(layer)
            members = [(_clean(member.name), member) for member in layer]
        except (KeyError, tarfile.TarError, EOFError, OSError) as error:
            raise ArchiveError(f"Image archive {self.path} is damaged in its layer {name}: {error}.") from error
        # first what the layer hides of those below, then what it brings: the order inside a layer means nothing
        for path, _member in members:
            folder, base = posixpath.split(path)
            if base == OPAQUE:
                _remove_below(merged, folder)
            elif base.startswith(WHITEOUT):
                gone = posixpath.join(folder, base.removeprefix(WHITEOUT))
                merged.pop(gone, None)
                _remove_below(merged, gone)
        for path, member in members:
            if posixpath.basename(path).startswith(WHITEOUT) or not path:
                continue
            if not member.isdir() and path in merged and merged[path].member.isdir():
                _remove_below(merged, path)
            merged[path] = _Entry(number, member)

    def resolve(self, path: str) -> str:
        """Follow symbolic links, also of folders, as inside a container; empty when there is no such file."""
        files, done, links = self.files(), "", 0
        todo = [part for part in path.split("/") if part]
        while todo:
            part = todo.pop(0)
            if part in (".", ".."):
                done = posixpath.dirname(done) if part == ".." else done
                continue
            here = posixpath.join(done, part)
            entry = files.get(here)
            if entry is not None and entry.member.issym():
                links += 1
                if links > LINK_LIMIT:
                    return ""
                if entry.member.linkname.startswith("/"):
                    done = ""
                todo = [piece for piece in entry.member.linkname.split("/") if piece] + todo
                continue
            if entry is None and (not todo or not any(name.startswith(f"{here}/") for name in files)):
                return ""
            done = here
        return done

    def which(self, command: str) -> str:
        """Find a program as the container's runtime does; its path without the leading slash, or empty."""
        config = self.container_config
        environment = dict(item.split("=", 1) for item in config.get("Env") or [] if "=" in item)
        if "/" in command:
            places = [posixpath.join(config.get("WorkingDir") or "/", command)]
        else:
            places = [posixpath.join(folder, command) for folder in environment.get("PATH", DEFAULT_PATH).split(":")]
        for place in places:
            found = self.resolve(place)
            if found and self._is_file(found):
                return found
        return ""

    def _is_file(self, path: str) -> bool:
        entry = self.files().get(path)
        return entry is not None and (entry.member.isreg() or entry.member.islnk())

    def open(self, path: str) -> t.IO[bytes]:
        """Open a file of the image; hard links are followed."""
        entry = self.files()[path]
        for _link in range(LINK_LIMIT):
            if not entry.member.islnk():
                break
            # a hard link's target is in the same layer, or was copied from one below
            entry = self.files()[_clean(entry.member.linkname)]
        stream = self._layers[entry.layer].extractfile(entry.member)
        if stream is None:
            raise ArchiveError(f"{path} in image archive {self.path} is not a file.")
        return stream

    def copy_layers(self, archive: tarfile.TarFile) -> None:
        """Add this image's layers to another archive under the same names."""
        for name in dict.fromkeys(self.image.layers):
            stream = self._tar.extractfile(name)
            if stream is None:
                raise ArchiveError(f"Image archive {self.path} is damaged: {name} is not a file.")
            with stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(0)
                archive.addfile(header(name, size), stream)

    def go_binary(self, path: str) -> t.Optional[GoBinary]:
        """Read one file of the image; None when it is not a Go program."""
        try:
            with self.open(path) as stream:
                return read_go_binary(stream, f"/{path}")
        except (KeyError, tarfile.TarError, EOFError, OSError) as error:
            raise ArchiveError(f"/{path} in image archive {self.path} cannot be read: {error}.") from error

    def go_binaries(self) -> list[GoBinary]:
        """Read every file of the image and return the Go programs."""
        found = []
        for path, entry in sorted(self.files().items()):
            # the smallest Go program is larger than a megabyte; nothing under 64 KiB needs a look
            if entry.member.isreg() and entry.member.size > 1 << 16:
                binary = self.go_binary(path)
                if binary is not None:
                    found.append(binary)
        return found


def _cannot_read(path: str, reason: str) -> ArchiveError:
    """Return the error for an archive that is not a tar, with its cause where that is that it is compressed."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(len(PACKED[-1][0]))
    except OSError:
        head = b""
    for magic, program in PACKED:
        if head.startswith(magic):
            return ArchiveError(
                f"Image archive {path} is compressed by {program}; it must be a plain tar.",
                remedy=f"Unpack it: {program} -d -c {path} > image.tar; or save the image without {program}.",
            )
    return ArchiveError(
        f"Image archive {path} cannot be read: {reason}.",
        remedy="Save the image again: podman save, or docker save.",
    )


def _clean(name: str) -> str:
    return posixpath.normpath(f"/{name}").lstrip("/")


def _remove_below(merged: dict[str, _Entry], folder: str) -> None:
    prefix = f"{folder}/" if folder else ""
    for path in [path for path in merged if path.startswith(prefix)]:
        del merged[path]


def command_words(argv: t.Sequence[str]) -> list[str]:
    """Return every word of an argument list that may name a program, those inside C(sh -c '...') too, in order."""
    words: list[str] = []
    for argument in argv:
        if re.search(r"\s", argument):
            try:
                words += shlex.split(argument, comments=True)
            except ValueError:
                words += argument.split()
        else:
            words.append(argument)
    return [word.rstrip(";") for word in words if word and not word.startswith("-")]


def read_go_binary(stream: t.IO[bytes], path: str) -> t.Optional[GoBinary]:
    """Read a program in one pass of bounded memory; None when it is not a Go program for Linux (ELF).

    Build information as in Go's debug/buildinfo; C(-cover=true) in it proves nothing, C(INSTRUMENTED) does.
    """
    head = stream.read(ELF_HEAD)
    if head[:4] != ELF or len(head) < ELF_HEAD:
        return None
    order = "<" if head[5] == 1 else ">"
    machine = struct.unpack(f"{order}H", head[18:20])[0]
    keep = max(len(INSTRUMENTED), len(BUILD_INFO)) - 1
    stream.seek(0)
    offset, tail, instrumented, counts, places = 0, b"", False, False, []
    while chunk := stream.read(CHUNK):
        window = tail + chunk
        start = offset - len(tail)
        instrumented = instrumented or INSTRUMENTED in window
        counts = counts or COUNTS in window
        position = window.find(BUILD_INFO)
        while position >= 0:
            if (start + position) % BUILD_INFO_ALIGN == 0 and (start + position) not in places:
                places.append(start + position)
            position = window.find(BUILD_INFO, position + 1)
        offset += len(chunk)
        tail = window[-keep:]
    for place in places:
        stream.seek(place)
        parsed = _parse_build_info(stream.read(BUILD_INFO_LIMIT))
        if parsed is None:
            continue
        version, text = parsed
        fields = [line.split("\t") for line in text.splitlines()]
        settings = dict(item[1].split("=", 1) for item in fields if item[0] == "build" and "=" in item[1])
        return GoBinary(
            path=path,
            instrumented=instrumented,
            architecture=settings.get("GOARCH") or ELF_MACHINES.get(machine, f"elf-{machine}"),
            go_version=version,
            main_package=next((item[1] for item in fields if item[0] == "path"), ""),
            settings=settings,
            counts=counts,
        )
    if instrumented:
        # build information can be left out (-buildvcs does not, but other linkers do): the hook alone is proof
        return GoBinary(path, True, ELF_MACHINES.get(machine, f"elf-{machine}"))
    return None


def _parse_build_info(data: bytes) -> t.Optional[tuple[str, str]]:
    if len(data) < BUILD_INFO_HEADER or not data[15] & BUILD_INFO_INLINE:
        return None
    version, position = _counted_string(data, BUILD_INFO_HEADER)
    if not re.match(rb"go[0-9]|devel", version):
        return None
    module, position = _counted_string(data, position)
    if len(module) > 2 * BUILD_INFO_FRAME and module[-BUILD_INFO_FRAME - 1 : -BUILD_INFO_FRAME] == b"\n":
        module = module[BUILD_INFO_FRAME:-BUILD_INFO_FRAME]
    return version.decode(errors="replace"), module.decode(errors="replace")


def _counted_string(data: bytes, position: int) -> tuple[bytes, int]:
    """Read a string with its length before it as a varint (encoding/binary)."""
    length = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # the last byte of a varint
            break
    return data[position : position + length], position + length


def header(name: str, size: int = 0, mode: int = 0o444, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """An entry of an archive that is the same on every host."""
    entry = tarfile.TarInfo(name)  # owner 0:0, time 0
    entry.size, entry.mode, entry.type = size, mode, kind
    return entry
