# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""From a source to an instrumented image: built, proved, named once, saved as an archive.

A Go module's image is named after the hash of its recipe, a Containerfile's after its own id: either way a name can
never mean two contents, so a stale image is never taken for a new one.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, last_lines
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.go import (
    COVER_MODES,
    Go,
    GoModule,
    Wrapper,
    go_version_key,
    host_architecture,
    import_path,
    program_name,
    too_old,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import (
    ArchiveError,
    GoBinary,
    ImageArchive,
    NewImage,
    command_words,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman

RECIPE_FORMAT = 1  # raise it when the same recipe begins to give another image
TO_BE_BUILT = "coverage-to-be-built"  # in check mode; the real name ends in the id, which only the build tells
LABEL = "coverage.kubernaut.io"
SHORT = 12
NO_BASE = "scratch"
CONTAINERFILES = ("Containerfile", "Dockerfile")
BUILD_LOG_LINES = 30
DEFAULT_GOFLAGS = "-cover -covermode=atomic"
SKIPPED_FOLDERS = {".git", "node_modules", "vendor", "testdata"}


@dataclass(frozen=True)
class Source:
    """Where the service comes from: C(module), C(version), C(package), or C(dir) with a Containerfile."""

    module: str = ""
    version: str = ""
    package: str = ""
    dir: str = ""
    containerfile: str = ""
    context: str = ""
    target: str = ""


@dataclass(frozen=True)
class Request:
    """What to build and how; the fields are the options of M(kubernaut.coverage.instrumented_image)."""

    service: str
    source: Source
    cache_dir: str
    reference: str = ""
    covermode: str = "atomic"
    coverpkg: tuple[str, ...] = ()
    build_args: t.Mapping[str, str] = field(default_factory=dict)
    build_options: tuple[str, ...] = ()
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    goarch: str = ""
    base: str = NO_BASE
    user: str = "65532:65532"
    ports: tuple[str, ...] = ()
    binary: str = ""
    go: str = "go"
    go_environment: t.Mapping[str, str] = field(default_factory=dict)
    podman: str = "podman"


@dataclass(frozen=True)
class Outcome:
    """C(changed), and the documented result of the module and the role."""

    changed: bool
    image: dict[str, t.Any]


def ensure_image(request: Request, *, check: bool = False) -> Outcome:
    """Build, prove, name and archive the image unless all that is there already.

    :arg check: change nothing and tell what would change. A Containerfile's outcome cannot be known without building.
    :raises InputError: something asked for does not exist or does not fit; nothing was changed.
    :raises CoverageError: causes C(build-failed), C(not-instrumented), C(no-go-binary), C(wrong-architecture).
    """
    request = checked(request)
    with _lock(service_folder(request), check):
        if request.source.module:
            return _from_module(request, check)
        return _from_containerfile(request, check)


def remove_images(request: Request, *, check: bool = False) -> Outcome:
    """Remove the images that were made for the service, and its folder in the cache."""
    podman = Podman(request.podman)
    records = podman.images_with_label(f"{LABEL}/service={request.service}")
    folder = service_folder(request)
    changed = bool(records) or folder.is_dir()
    if not check:
        for record in records:
            # by name: an image that somebody tagged otherwise keeps that tag
            for name in record.get("Names") or [record["Id"]]:
                podman.remove_image(name)
        if folder.is_dir():
            shutil.rmtree(folder)
    return Outcome(changed, {})


def checked(request: Request) -> Request:
    """Return the request with its defaults resolved; raise InputError where it contradicts itself."""
    source = request.source
    if not re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", request.service):
        raise InputError(
            f"{request.service!r} cannot be part of an image's name.",
            remedy="Use small letters, digits, and single dots, dashes or underscores between them.",
            setting="instrumented_image#service",
        )
    if bool(source.module) == bool(source.dir):
        raise InputError(
            "The source of an instrumented image is either a Go module or a folder with a Containerfile"
            + ("; both are given." if source.module else "; none is given."),
            remedy="Give module, or give dir.",
            setting="source",
        )
    foreign = ["package", "version"] if source.dir else ["containerfile", "context", "target"]
    given = [name for name in foreign if getattr(source, name)]
    if given:
        raise InputError(
            f"{' and '.join(given)} of the source mean nothing together with {'dir' if source.dir else 'module'}.",
            remedy=f"Leave out {' and '.join(given)}.",
            setting="source",
        )
    if request.covermode not in COVER_MODES:
        raise InputError(
            f"{request.covermode!r} is no coverage mode of Go.",
            remedy=f"Take one of {', '.join(COVER_MODES)}.",
            setting="image.covermode",
        )
    values = asdict(request)
    if source.module:
        path, _at, version = source.module.partition("@")
        values["source"] = {**values["source"], "module": path, "version": version or source.version or "latest"}
    values["source"] = Source(**values["source"])
    values["cache_dir"] = str(Path(request.cache_dir).expanduser())
    values["reference"] = full_reference(request.reference) if request.reference else ""
    return Request(**values)


def full_reference(reference: str) -> str:
    """Return an image's name as podman and a cluster's nodes both understand it: with a host and a tag.

    Podman stores C(app:1) as C(localhost/app:1), a node looks for C(docker.io/library/app:1): that difference is what
    an explicit C(localhost/) avoids.
    """
    if "@" in reference:
        raise InputError(
            f"{reference} names an image by digest, and an image that is yet to be built has none.",
            remedy="Give a name with a tag.",
            setting="instrumented_image#reference",
        )
    first, slash, _rest = reference.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        reference = f"localhost/{reference}"
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def service_folder(request: Request) -> Path:
    """Return the folder of the service in the cache."""
    return Path(request.cache_dir).expanduser() / "instrumented_image" / request.service


@contextmanager
def _lock(folder: Path, check: bool) -> t.Iterator[None]:
    """Let one run at a time work for a service; a parallel one finds the finished work."""
    if check:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


# A Go module


def _from_module(request: Request, check: bool) -> Outcome:
    go = Go(request.go, request.go_environment)
    podman = Podman(request.podman)
    folder = service_folder(request)
    settings = go.settings()
    base_id = _base_id(request, podman)
    exact = is_exact_version(request.source.version)
    module = None
    if not exact:
        with _work_folder(folder, "lookup", check) as lookup:
            module = _find_module(request, go, lookup)
    version = module.version if module else request.source.version
    package = import_path(request.source.module, request.source.package)
    coverpkg = list(request.coverpkg) or [f"{request.source.module}/..."]
    name = program_name(package)
    goarch = request.goarch or settings["GOARCH"]
    recipe = recipe_hash(
        {
            "format": RECIPE_FORMAT,
            "module": [request.source.module, version, package],
            "cover": [request.covermode, coverpkg],
            "build": [request.ldflags, request.tags, goarch],
            "toolchain": {key: value for key, value in settings.items() if key not in ("GOARCH", "GOTOOLCHAIN")},
            "image": [base_id, request.user, request.ports, name],
        }
    )
    reference = request.reference or f"localhost/{request.service}:{recipe[:SHORT]}"
    labels = {
        f"{LABEL}/recipe": recipe,
        f"{LABEL}/service": request.service,
        f"{LABEL}/source": f"{request.source.module}@{version}",
    }
    common = {"reference": reference, "covermode": request.covermode, "coverpkg": coverpkg}
    known = _read_json(folder / f"{recipe[:SHORT]}.json")
    have = podman.image(reference)
    up_to_date = have is not None and have.labels.get(f"{LABEL}/recipe") == recipe
    if have is not None and up_to_date and known.get("id") == have.id and _folders_exist(known["sources"]):
        archive = folder / f"{have.id}.tar"
        wrote = not _archive_is_good(archive, have.id, reference)
        if wrote and not check:
            report_progress(f"saving {reference}")
            podman.save([reference], str(archive))
        if not (wrote and check):
            proof = prove(str(archive), reference, binary=request.binary, architecture=goarch)
            return Outcome(wrote, {**common, **proof, "archive": str(archive), "sources": known["sources"]})
    if check:
        with _work_folder(folder, "lookup", check) as lookup:
            Wrapper(go, module or _find_module(request, go, lookup), package, str(lookup)).check()
        return Outcome(not up_to_date, {**common, "id": "", "archive": "", "sources": {}})

    work = folder / "build"
    module = module or _find_module(request, go, work)
    wrapper = Wrapper(go, module, package, str(work))
    wrapper.check()
    wrapper.complete()
    binary = work / name
    built = wrapper.build(
        str(binary),
        covermode=request.covermode,
        coverpkg=coverpkg,
        ldflags=request.ldflags,
        tags=request.tags,
        goarch=goarch,
    )
    image = NewImage(reference, str(binary), name, goarch, request.user, labels, request.ports)
    fresh = work / "image.tar"
    report_progress(f"writing {reference}")
    try:
        if request.base == NO_BASE:
            identity = write_image(str(fresh), image)
        else:
            base_file = work / "base.tar"
            podman.save([request.base], str(base_file))
            try:
                with ImageArchive(str(base_file)) as base:
                    identity = write_image(str(fresh), image, base)
            finally:
                base_file.unlink()
        proof = prove(str(fresh), reference, binary=request.binary, architecture=goarch)
        archive = folder / f"{identity}.tar"
        wrote = not _archive_is_good(archive, identity, reference)
        fresh.replace(archive)
    finally:
        fresh.unlink(missing_ok=True)
    if have is None or have.id != identity:
        podman.load(str(archive))
    _write_json(folder / f"{recipe[:SHORT]}.json", {"id": identity, "sources": built.sources})
    binary.unlink()  # the archive has it
    changed = wrote or have is None or have.id != identity
    return Outcome(changed, {**common, **proof, "archive": str(archive), "sources": built.sources})


def is_exact_version(version: str) -> bool:
    """Tell whether a version means the same for ever (C(v1.2.3), pseudo-versions), unlike C(latest) or a branch."""
    return re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+incompatible)?", version) is not None


def recipe_hash(recipe: t.Mapping[str, t.Any]) -> str:
    """Return the SHA-256 of a recipe, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


@contextmanager
def _work_folder(folder: Path, name: str, check: bool) -> t.Iterator[Path]:
    """Give a folder for Go to work in; in check mode a passing one, because nothing may stay."""
    if check:
        with tempfile.TemporaryDirectory() as passing:
            yield Path(passing)
    else:
        yield folder / name


def _find_module(request: Request, go: Go, folder: Path) -> GoModule:
    settings = go.settings()
    module = go.find_module(request.source.module, request.source.version, str(folder))
    if (
        module.go_version
        and settings["GOTOOLCHAIN"] == "local"
        and go_version_key(module.go_version) > go_version_key(settings["GOVERSION"])
    ):
        raise too_old(module.path, module.version, module.go_version, settings["GOVERSION"])
    return module


def _base_id(request: Request, podman: Podman) -> str:
    if request.base == NO_BASE:
        return NO_BASE
    base = podman.image(request.base)
    if base is None:
        raise InputError(
            f"There is no image {request.base} to put the program on.",
            remedy="Pull, load or build it first, or take the base scratch: a Go program needs none.",
            setting="image.base",
            cause="base-missing",
        )
    return base.id


def _folders_exist(sources: t.Mapping[str, str]) -> bool:
    return all(Path(folder).is_dir() for folder in sources.values())


def _archive_is_good(archive: Path, identity: str, reference: str) -> bool:
    if not archive.exists():
        return False
    try:
        with ImageArchive(str(archive), reference) as opened:
            return opened.image.id == identity
    except ArchiveError:
        return False  # half a file of an interrupted run, or another name: it is written anew


def _read_json(path: Path) -> dict[str, t.Any]:
    try:
        return t.cast("dict[str, t.Any]", json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def _write_json(path: Path, value: t.Mapping[str, t.Any]) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_text(json.dumps(value, indent=1, sort_keys=True), encoding="utf-8")
    beside.replace(path)


# A Containerfile


def _from_containerfile(request: Request, check: bool) -> Outcome:
    folder, containerfile, context = containerfile_of(request.source)
    podman = Podman(request.podman)
    goflags = request.build_args.get("GOFLAGS", DEFAULT_GOFLAGS)
    build_args = {**request.build_args, "GOFLAGS": goflags}
    labels = {f"{LABEL}/service": request.service, f"{LABEL}/source": str(folder)}
    common = {"covermode": flag_value(goflags, "covermode") or "set", "coverpkg": coverpkg_of(goflags)}
    recipe: dict[str, t.Any] = {
        "containerfile": str(containerfile),
        "build_args": build_args,
        "labels": labels,
        "target": request.source.target,
        "options": request.build_options,
    }
    if check:
        have = podman.image(request.reference) if request.reference else None
        made = podman.images_with_label(f"{LABEL}/service={request.service}")
        # those without a name are cached layers
        names = [name for item in made for name in item.get("Names") or []]
        changed = have is None if request.reference else not names
        reference = request.reference or next(iter(names), f"localhost/{request.service}:{TO_BE_BUILT}")
        command = podman.build_command(str(context), tags=[reference], **recipe)
        told: dict[str, t.Any] = {
            "reference": reference,
            "id": "",
            "archive": "",
            "sources": {},
            "build_command": command,
        }
        return Outcome(changed, {**common, **told})

    before = podman.image(request.reference) if request.reference else None
    # a name of this run's own until the image is proved: the old one stays in place if the new one is no good
    passing = f"localhost/{request.service}:building-{os.getpid()}"
    log: list[str] = []
    steps = _Steps(log)
    try:
        built = podman.build(str(context), tags=[passing], on_line=steps, **recipe)
    except CommandError as error:
        raise build_error(error, containerfile, steps.last, log) from error
    service = service_folder(request)
    reference = request.reference or f"localhost/{request.service}:coverage-{built.id[:SHORT]}"
    archive = service / f"{built.id}.tar"
    fresh = service / f"{passing.rpartition(':')[2]}.tar"
    known = podman.image(reference) if not request.reference else before
    good = _archive_is_good(archive, built.id, reference)
    try:
        if known is None or known.id != built.id:
            podman.tag(built.id, reference)
        if not good:
            report_progress(f"saving {reference}")
            podman.save([reference], str(fresh))
        proof = prove(
            str(archive if good else fresh),
            reference,
            binary=request.binary,
            architecture=request.goarch or host_architecture(),
            containerfile=containerfile.read_text(encoding="utf-8", errors="replace"),
            build_args=build_args,
        )
        if not good:
            fresh.replace(archive)
    except CoverageError:
        _take_back(podman, reference, known)
        raise
    finally:
        fresh.unlink(missing_ok=True)
        podman.remove_image(passing)
    changed = not good or known is None or known.id != built.id
    sources = go_modules_below(folder)
    return Outcome(changed, {**common, **proof, "archive": str(archive), "sources": sources})


def _take_back(podman: Podman, reference: str, known: t.Optional[Image]) -> None:
    """Let a name mean again what it meant before an image that is no good."""
    if known is None:
        podman.remove_image(reference)
    else:
        podman.tag(known.id, reference)


class _Steps:
    """Podman's C(STEP 3/9: RUN ...) lines as progress; the rest is kept for the error."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.last = ""

    def __call__(self, line: str) -> None:
        if line.strip():
            self.log.append(line)
        if re.match(r"(\[\d+/\d+\] )?STEP \d+/\d+: ", line):
            self.last = line
            report_progress(line)


def build_error(error: CommandError, containerfile: Path, step: str, log: t.Sequence[str]) -> CoverageError:
    """Turn a failed C(podman build) into an error that shows the step and the end of the log."""
    if error.cause != CommandError.cause:
        return error
    at = f" at '{step}'" if step else ""
    return CoverageError(
        f"Building {containerfile} failed{at}.",
        remedy="The end of the build's log says why.",
        evidence=[*_shown_command(error), *last_lines("\n".join(log), BUILD_LOG_LINES)],
        cause="build-failed",
    )


def _shown_command(error: CommandError) -> list[str]:
    """Return the command that failed, without the values of build arguments: some are secrets."""
    argv = error.completed.argv if error.completed is not None else []
    shown = list(argv)
    for place, argument in enumerate(argv[1:], start=1):
        if argv[place - 1] == "--build-arg" and not argument.startswith("GOFLAGS="):
            shown[place] = f"{argument.partition('=')[0]}=..."
    return [f"$ {shlex.join(shown)}"] if shown else []


def containerfile_of(source: Source) -> tuple[Path, Path, Path]:
    """Return the source's folder, its Containerfile and the build's context, all of which exist.

    :raises InputError: causes C(dir-missing), C(containerfile-missing), C(context-missing).
    """
    folder = Path(source.dir).expanduser().absolute()
    if not folder.is_dir():
        parent = next(path for path in folder.parents if path.is_dir())
        near = difflib.get_close_matches(folder.name, [item.name for item in parent.iterdir() if item.is_dir()], n=1)
        raise InputError(
            f"There is no folder {folder}." + (f" There is {parent / near[0]}." if near else ""),
            remedy="Check it out there, or name the folder that has the service's sources.",
            setting="source.dir",
            cause="dir-missing",
        )
    if source.containerfile:
        containerfile = folder / Path(source.containerfile).expanduser()
    else:
        usual = [folder / name for name in CONTAINERFILES]
        containerfile = next((path for path in usual if path.is_file()), usual[0])
    if not containerfile.is_file():
        found = containerfiles_below(folder)
        near = difflib.get_close_matches(os.path.relpath(containerfile, folder), found, n=1, cutoff=0)
        has = f"the nearest there is {near[0]}" if near else "there is none in this folder"
        raise InputError(
            f"There is no Containerfile {containerfile}; {has}.",
            remedy="Name one that exists, relative to dir.",
            setting="source.containerfile",
            evidence=found[:10],
            cause="containerfile-missing",
        )
    context = folder / Path(source.context).expanduser()
    if not context.is_dir():
        raise InputError(
            f"The build's context {context} is no folder.",
            remedy="Name a folder relative to dir, or leave it out.",
            setting="source.context",
            cause="context-missing",
        )
    return folder, containerfile, context


def containerfiles_below(folder: Path) -> list[str]:
    """Return every file that is named like a Containerfile, relative to the folder."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        found += [
            os.path.relpath(Path(place) / name, folder)
            for name in sorted(files)
            if re.search(r"(^|[._-])(Containerfile|Dockerfile)($|[._-])", name, re.IGNORECASE)
        ]
    return found


def go_modules_below(folder: Path) -> dict[str, str]:
    """Return the Go modules of a checkout: module path to folder."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        if "go.mod" in files:
            text = (Path(place) / "go.mod").read_text(encoding="utf-8", errors="replace")
            match = re.search(r'^module\s+"?([^\s"]+)', text, re.MULTILINE)
            if match:
                found[match[1]] = place
    return dict(sorted(found.items()))


def flag_value(goflags: str, flag: str) -> str:
    """Return the value of C(-flag=value) in a GOFLAGS value; C(true) for a bare C(-flag), empty where it is missing."""
    value = ""
    for word in goflags.split():
        name, equals, given = word.lstrip("-").partition("=")
        if name == flag:
            value = given if equals else "true"
    return value


def coverpkg_of(goflags: str) -> list[str]:
    """Return the package patterns that a GOFLAGS value instruments; none: Go's choice, the main module's packages."""
    return [item for item in flag_value(goflags, "coverpkg").split(",") if item]


# The proof


def prove(
    archive: str,
    reference: str,
    *,
    architecture: str,
    binary: str = "",
    containerfile: str = "",
    build_args: t.Optional[t.Mapping[str, str]] = None,
) -> dict[str, t.Any]:
    """Prove by its bytes that what the image starts is an instrumented Go program for C(architecture).

    :arg binary: the program's path in the image, where the workload starts another than the entrypoint.
    :returns: the part of the result that the archive tells.
    :raises CoverageError: causes C(not-instrumented), C(no-go-binary), C(wrong-architecture), C(bad-archive).
    """
    with ImageArchive(archive, reference) as opened:
        candidates, started = started_binaries(opened, binary)
        config = opened.container_config
        argv = opened.argv
        if not candidates:
            raise CoverageError(
                f"Image {reference} has no Go program: {binary or ' '.join(argv) or 'its empty entrypoint'} starts"
                " something else.",
                remedy="Check the Containerfile's last stage, or name the program that the workload starts.",
                setting="instrumented_image#binary",
                cause="no-go-binary",
            )
        program = next((item for item in candidates if item.instrumented), candidates[0])
        if not program.instrumented:
            raise not_instrumented(reference, candidates, opened, containerfile, build_args or {})
        claims = opened.architecture
        identity = opened.image.id
    if program.architecture != architecture:
        raise CoverageError(
            f"{program.path} in image {reference} is built for {program.architecture}, and {architecture} is wanted.",
            remedy="Take GOARCH out of the Containerfile, or set it to the nodes' architecture.",
            setting="instrumented_image#goarch",
            evidence=[f"image configuration: {claims}", f"program: {program.architecture}"],
            cause="wrong-architecture",
        )
    notes = []
    if claims != architecture:
        notes.append(f"the image's configuration claims {claims}, its program is built for {program.architecture}")
    if program.main_package == "command-line-arguments":
        notes.append(
            "the main package was built as a file (go build path/main.go): reports name it command-line-arguments,"
            " by the path in the builder; build the folder instead"
        )
    if not started:
        notes.append(f"the entrypoint names no Go program itself; {program.path} was found in the image")
    return {
        "reference": reference,
        "id": identity,
        "architecture": program.architecture,
        "user": config.get("User") or "",
        "entrypoint": list(config.get("Entrypoint") or []),
        "command": list(config.get("Cmd") or []),
        "binary": program.path,
        "main_package": program.main_package,
        "go_version": program.go_version,
        "instrumented": True,
        "notes": notes,
    }


def started_binaries(archive: ImageArchive, binary: str = "") -> tuple[list[GoBinary], bool]:
    """Return the Go programs that the image may start, and whether its entrypoint names them.

    Every word of the argument list is looked at, because the first may be a shell or a small init (tini, dumb-init);
    where none is a Go program (a script), every file of the image.
    """
    words = [binary] if binary else command_words(archive.argv)
    found: list[GoBinary] = []
    for word in dict.fromkeys(words):
        path = archive.which(word)
        program = archive.go_binary(path) if path else None
        if program is not None:
            found.append(program)
    if found or binary:
        return found, True
    return archive.go_binaries(), False


def not_instrumented(
    reference: str,
    programs: t.Sequence[GoBinary],
    archive: ImageArchive,
    containerfile: str,
    build_args: t.Mapping[str, str],
) -> CoverageError:
    """Return the error of an image whose program counts nothing, with the likeliest reason."""
    program = programs[0]
    goflags = build_args.get("GOFLAGS", "")
    evidence = [f"{item.path}: no runtime/coverage.initHook in it ({item.go_version})" for item in programs]
    others = [item.path for item in archive.go_binaries() if item.instrumented]
    evidence += [f"{path} is instrumented, but it is not what the image starts" for path in others]
    reason, remedy, setting = "", "Build it with -cover.", "image.build_args.GOFLAGS"
    compared = exact_comparisons(containerfile)
    if others:
        reason = f"another program of the image is instrumented: {', '.join(others)}"
        remedy, setting = "Name the program that the workload starts.", "instrumented_image#binary"
    elif program.settings.get("-cover") == "true":
        reason = "its build information says -cover, so it was made by 'go install -cover', which instruments nothing"
        remedy, setting = "Use 'go build -cover' in a module that requires it.", ""
    elif containerfile and compared and goflags not in compared:
        reason = f"the Containerfile compares GOFLAGS exactly with '{compared[0]}', and it was given '{goflags}'"
        remedy = f"Give exactly that value, or let the Containerfile use GOFLAGS as it is: '{compared[0]}'."
    elif containerfile and not declares_argument(containerfile, "GOFLAGS"):
        reason = "no build stage of the Containerfile declares 'ARG GOFLAGS', so the flags never reached Go"
        remedy, setting = "Add 'ARG GOFLAGS' after the FROM line of the stage that builds.", ""
    elif containerfile and not flag_value(goflags, "cover"):
        reason = f"GOFLAGS was '{goflags}', without -cover"
        remedy = "Add -cover to it."
    return CoverageError(
        f"{program.path} in image {reference} is not instrumented" + (f": {reason}." if reason else "."),
        remedy=remedy,
        setting=setting,
        evidence=evidence,
        cause="not-instrumented",
    )


def exact_comparisons(containerfile: str) -> list[str]:
    """Return the values that a Containerfile's shell code compares GOFLAGS with: C([ "$GOFLAGS" = "-cover" ])."""
    pattern = r"""["']?\$\{?GOFLAGS\}?["']?\s*==?\s*(?P<quote>["']?)(?P<value>[^"'\s\]]+)(?P=quote)"""
    return [match["value"] for match in re.finditer(pattern, containerfile)]


def declares_argument(containerfile: str, name: str) -> bool:
    """Tell whether a stage declares the build argument; before the first FROM it reaches no stage."""
    _before, _from, stages = _logical(containerfile).partition("\nFROM ")
    return re.search(rf"^[ \t]*ARG[ \t]+([^\n]*[ \t])?{name}(=|\s|$)", stages, re.MULTILINE | re.IGNORECASE) is not None


def _logical(containerfile: str) -> str:
    joined = re.sub(r"\\\s*\n", " ", containerfile)
    return "\n" + re.sub(r"^\s*(from)\s+", "FROM ", joined, flags=re.MULTILINE | re.IGNORECASE)
