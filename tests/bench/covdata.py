# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The covdata engine against Go's own tools, in turn, in one run: ``make bench-covdata RUNS=5 ONLY=percent,func``.

The program is real: kubectl as a library, with every package instrumented (``-coverpkg=all``), about 900 packages and
370,000 blocks. Its covmeta and some process runs are real. The 2,000 files of counters are made from those process
runs: which functions ran is as it was, but for some that are left out in every tenth file, and every count above 4 is
scaled by chance between a half and the double, so that sizes are those of real files and no two are equal (none is
above 200,000). The 20,000 files are the 2,000 under ten names each.

Go's tools are built beforehand, and so is the bytecode of ours, as Python keeps it from the second start on. Both sides
start a process for each task; Python's start and imports count. A first round of each is not counted: it reads what
lies on the disk. What a task writes is taken away before each round: ours would leave a file alone that is right
already. Ratios are taken pair by pair, so they hold on a machine whose speed drifts. Peak memory is ru_maxrss; of ours
it is the sum of both processes where there are two. It is never less than that of the process that starts the program,
which is some 16 MiB here.

Programs that were made up come with it (R(made_programs)), of which every process run is different: dense and sparse,
set and atomic, packed and raw counters, 1, 20, 2,000 and 20,000 files.

``CORES=1`` gives both sides one core. ``BYTECODE=no`` lets Python compile ours at each start, as it does where it is
forbidden to keep bytecode; what pip installed has its own.

The page is compared twice: as C(html), with C(cover -html) alone, from a text profile that is there already, while ours
reads covmeta and covcounters; and as C(html, all), with all that Go needs from the same input: C(covdata textfmt), then
C(cover -html).
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

if t.TYPE_CHECKING:
    from made_programs import Shape

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench" / "covdata"
CLI = Path(__file__).resolve().parent / "covdata_cli.py"
MODULES = ("k8s.io/kubectl@v0.34.4", "k8s.io/component-base@v0.34.4")
PROGRAM = """package main

import (
    "os"

    "k8s.io/component-base/cli"
    "k8s.io/kubectl/pkg/cmd"
)

func main() {
    os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
}
""".replace("    ", "\t")
PROCESS_RUNS = (
    ("version", "--client"),
    ("version", "--client", "--output=yaml"),
    ("--help",),
    ("options",),
    ("config", "view"),
    ("completion", "bash"),
    ("create", "deployment", "one", "--image=one", "--dry-run=client", "--output=yaml"),
    ("create", "configmap", "one", "--from-literal=a=b", "--dry-run=client", "--output=json"),
)
FILES, MANY = 2_000, 20_000
SEED = 20
LEFT_OUT_EVERY = 10  # files
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPATH": str(ROOT / ".ansible" / "collections"),
    "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),
}
if os.environ.get("BYTECODE") == "no":
    ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] = "1"
    del ENVIRONMENT["PYTHONPYCACHEPREFIX"]
MADE = ("dense", "sparse", "set", "raw", "small", "few", "one")  # names of R(made_programs)
MOST = 200_000  # a count; so many that the sum of all files has no overflow, of which Go's tool would warn each time


@dataclass(frozen=True)
class Task:
    """One thing that both do. C(target): the ratio of seconds, of memory; nothing where none was set.

    :ivar go: commands, one after the other. C(written): files that one of both has to write.
    """

    name: str
    go: list[list[str]]
    ours: list[str]
    rounds: float = 1.0
    target: t.Optional[float] = None
    memory_target: t.Optional[float] = None
    written: tuple[Path, ...] = ()
    cwd: Path = CACHE


@dataclass
class Measured:
    """One side's rounds: seconds, seconds of processor, peak memory in MiB."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)


def go(*arguments: str, cwd: Path = CACHE) -> str:
    command = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    if not command:
        sys.exit("This benchmark needs Go: `make runner` brings it, or put it into PATH.")
    done = subprocess.run(
        [command, *arguments],
        cwd=cwd,
        env={**os.environ, "GOFLAGS": "", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"go {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def once(path: Path, make: t.Callable[[Path], object]) -> Path:
    """Return a path, made where it is not there yet."""
    if not path.exists():
        print(f"making {path.relative_to(ROOT)}", flush=True)
        beside = path.with_name(f"{path.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        # by another process: this one stays small, because a program is told as large as what started it
        maker = multiprocessing.get_context("fork").Process(target=make, args=(beside,))
        maker.start()
        maker.join()
        if maker.exitcode:
            sys.exit(f"{path} could not be made.")
        beside.rename(path)
    return path


def make_module(folder: Path) -> None:
    folder.mkdir()
    (folder / "main.go").write_text(PROGRAM)
    go("mod", "init", "example.com/big", cwd=folder)
    go("get", *MODULES, cwd=folder)
    go("mod", "tidy", cwd=folder)


def make_process_runs(folder: Path, program: Path) -> None:
    folder.mkdir()
    for arguments in PROCESS_RUNS:
        subprocess.run(
            [program, *arguments],
            env={**os.environ, "GOCOVERDIR": str(folder), "KUBECONFIG": os.devnull},
            check=True,
            capture_output=True,
        )


def make_files(folder: Path, process_runs: Path) -> None:
    import numpy as np  # noqa: PLC0415  (see once)
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import (  # noqa: PLC0415
        counters as covcounters,
    )

    folder.mkdir()
    (meta,) = process_runs.glob("covmeta.*")
    shutil.copy(meta, folder)
    real = [covcounters.read_counters(path.read_bytes()) for path in sorted(process_runs.glob("covcounters.*"))]
    chance = np.random.default_rng(SEED)
    digest = meta.name.split(".")[1]
    for number in range(FILES):
        file = real[number % len(real)]
        (process_run,) = file.segments
        keep = np.ones(len(process_run.lengths), dtype=bool)
        if number % LEFT_OUT_EVERY == 0:
            keep = chance.random(len(keep)) > 0.01
        counts = process_run.counters.astype(np.float64)
        hot = counts > 4
        counts[hot] *= chance.uniform(0.5, 2.0, int(hot.sum()))
        segment = covcounters.Segment(
            arguments=process_run.arguments,
            package=process_run.package[keep],
            function=process_run.function[keep],
            lengths=process_run.lengths[keep],
            counters=np.minimum(counts, MOST).astype(np.uint32)[np.repeat(keep, process_run.lengths)],
        )
        content = covcounters.write_counters(covcounters.CounterFile(file.meta_hash, [segment]))
        (folder / f"covcounters.{digest}.{1000 + number}.{1_800_000_000_000_000_000 + number}").write_bytes(content)


def make_many(folder: Path, files: Path) -> None:
    folder.mkdir()
    for path in files.iterdir():
        if path.name.startswith("covmeta."):
            shutil.copy(path, folder)
            continue
        stem, process, stamp = path.name.rsplit(".", 2)
        for copy in range(MANY // FILES):
            (folder / f"{stem}.{int(process) + copy * FILES}.{int(stamp) + copy * FILES}").hardlink_to(path)


def shape_of(name: str) -> Shape:
    from made_programs import SHAPES  # noqa: PLC0415  (see once)

    return next(shape for shape in SHAPES if shape.name == name)


def make_made(folder: Path, name: str) -> None:
    from made_programs import make_data  # noqa: PLC0415  (see once)

    make_data(shape_of(name), folder)


def make_sources(file: Path, module: Path) -> None:
    """Write where the sources of each module lie, for our page; Go's own tool asks the go command."""
    form = "{{if .Module}}{{.Module.Path}} {{.Module.Dir}}{{else}}{{.ImportPath}} {{.Dir}}{{end}}"
    rows = go("list", "-deps", "-f", form, ".", cwd=module).splitlines()
    file.write_text(json.dumps(dict(row.split(" ", 1) for row in sorted(set(rows)))))


def measure(commands: t.Sequence[t.Sequence[str]], cwd: Path, into: Measured) -> bytes:
    """Run commands one after the other; note their seconds and peak memory, and return what the last one printed."""
    parts = Measured()
    texts = [_measure(argv, cwd, parts) for argv in commands]
    into.seconds.append(sum(parts.seconds))
    into.processor.append(sum(parts.processor))
    into.peak.append(max(parts.peak))
    return texts[-1]


def _measure(argv: t.Sequence[str], cwd: Path, into: Measured) -> bytes:
    peak = CACHE / "peak"
    peak.unlink(missing_ok=True)
    output, errors = CACHE / "stdout", CACHE / "stderr"
    with output.open("wb") as stream, errors.open("wb") as said:
        started = time.monotonic()
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdout=stream,
            stderr=said,
            env={**ENVIRONMENT, "PEAK": str(peak)},
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(argv)} failed with {process.returncode}:\n{errors.read_text(errors='replace')}")
    into.seconds.append(seconds)
    into.processor.append(usage.ru_utime + usage.ru_stime)
    into.peak.append((int(peak.read_text()) if peak.exists() else usage.ru_maxrss) / 1024)
    return output.read_bytes()


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def size_of(path: t.Optional[Path]) -> float:
    return path.stat().st_size / 1e6 if path and path.is_file() else 0.0


def make_tasks() -> list[Task]:
    CACHE.mkdir(parents=True, exist_ok=True)
    covdata = once(CACHE / "go-covdata", lambda path: go("build", "-o", str(path), "cmd/covdata"))
    cover = once(CACHE / "go-cover", lambda path: go("build", "-o", str(path), "cmd/cover"))
    module = once(CACHE / "module", make_module)
    flags = ("-buildvcs=false", "-cover", "-covermode=atomic", "-coverpkg=all")
    program = once(CACHE / "program", lambda path: go("build", *flags, "-o", str(path), ".", cwd=module))
    process_runs = once(CACHE / "process_runs", lambda path: make_process_runs(path, program))
    files = once(CACHE / f"data-{FILES}", lambda path: make_files(path, process_runs))
    many = once(CACHE / f"data-{MANY}", lambda path: make_many(path, files))
    sources = once(CACHE / "sources.json", lambda path: make_sources(path, module))
    whole = CACHE / "merged"
    if not whole.exists():
        subprocess.run([covdata, "merge", f"-i={process_runs}", f"-o={empty(whole)}"], check=True)
    profile = CACHE / "profile.txt"
    subprocess.run([covdata, "textfmt", f"-i={whole}", f"-o={profile}"], check=True)
    ours = [sys.executable, str(CLI)]
    tool = str(covdata)

    def merge(name: str, folder: Path, rounds: float, target: t.Optional[float]) -> Task:
        gos, our = CACHE / "out-go", CACHE / "out-ours"
        return Task(
            name,
            [[tool, "merge", f"-i={folder}", f"-o={gos}"]],
            [*ours, "merge", str(folder), str(our)],
            rounds=rounds,
            target=target,
            memory_target=1.5,
        )

    def texts(folder: Path, title: str = "") -> list[Task]:
        return [
            Task(
                f"{name}{title}",
                [[tool, name, f"-i={folder}", *(f"-o={path}" for path in written[:1])]],
                [*ours, name, str(folder), *map(str, written[1:])],
                target=target,
                written=written,
            )
            for name, target, written in (
                ("percent", 1.0, ()),
                ("textfmt", 0.4, (CACHE / "go.txt", CACHE / "ours.txt")),
                ("func", 0.4, ()),
            )
        ]

    made: list[Task] = []
    for name in MADE:
        folder = once(CACHE / f"made-{name}", functools.partial(make_made, name=name))
        made += [merge(f"merge {name}", folder, 1.0, 0.5), *texts(folder, f" {name}")]
    between = CACHE / "between.txt"
    pages = [
        Task(
            name,
            [*before, [str(cover), f"-html={source}", f"-o={CACHE / 'go.html'}"]],
            [*ours, "html", str(whole), str(CACHE / "ours.html"), str(sources)],
            target=target,
            written=(CACHE / "go.html", CACHE / "ours.html"),
            cwd=module,
        )
        for name, before, source, target in (
            ("html", [], profile, 0.5),
            ("html, all", [[tool, "textfmt", f"-i={whole}", f"-o={between}"]], between, None),
        )
    ]
    return [
        merge(f"merge {FILES:,}", files, 1.0, 0.5),
        merge(f"merge {MANY:,}", many, 0.34, None),
        *texts(whole),
        *pages,
        *made,
    ]


def same_texts(name: str, gos: bytes, ours: bytes) -> None:
    """See that both did the same work; the parity tests look closer."""
    name = name.partition(" ")[0]
    if name == "textfmt":
        gos, ours = (CACHE / "go.txt").read_bytes(), (CACHE / "ours.txt").read_bytes()
    if name in ("textfmt", "func") and gos != ours:
        sys.exit(f"{name}: the outputs differ.")


def same_merge(covdata: str) -> None:
    texts = []
    for folder in ("out-go", "out-ours"):
        subprocess.run([covdata, "textfmt", f"-i={CACHE / folder}", f"-o={CACHE / 'merged.txt'}"], check=True)
        texts.append((CACHE / "merged.txt").read_bytes())
    if texts[0] != texts[1]:
        sys.exit("merge: the contents differ.")


def run(task: Task, rounds: int) -> tuple[Measured, Measured]:
    gos, ours = Measured(), Measured()
    number = max(1, round(rounds * task.rounds))
    for turn in range(-1 if task.rounds == 1 else 0, number):
        if turn == 0:
            gos, ours = Measured(), Measured()
        empty(CACHE / "out-go")
        empty(CACHE / "out-ours")
        for path in task.written:
            path.unlink(missing_ok=True)
        texts = [measure(commands, task.cwd, side) for commands, side in ((task.go, gos), ([task.ours], ours))]
        lacking = [str(path) for path in task.written if not path.exists()]
        if lacking:
            sys.exit(f"{task.name}: nobody wrote {', '.join(lacking)}.")
        same_texts(task.name, *texts)
        if task.name.startswith("merge"):
            same_merge(task.go[0][0])
    return gos, ours


def starts(rounds: int) -> tuple[float, float]:
    """Return the seconds in which Python starts, alone and with numpy: what no code of ours can go below."""
    medians = []
    for code in ("pass", "import numpy"):
        side = Measured()
        for _round in range(max(1, rounds)):
            measure([[sys.executable, "-c", code]], CACHE, side)
        medians.append(statistics.median(side.seconds))
    return medians[0], medians[1]


def verdict(ratio: float, target: t.Optional[float]) -> str:
    if target is None:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} ({'<=' if ratio <= target else 'MISSES'} {target})"


def main() -> None:
    rounds = int(os.environ.get("RUNS", "5"))
    if "CORES" in os.environ:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(os.environ["CORES"])])
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    tasks = [task for task in make_tasks() if not only or any(task.name.startswith(name) for name in only)]
    columns = "{:15} {:>8} {:>8} {:>20} {:>20} {:>9} {:>9} {:>17}"
    title = columns.format("task", "Go s", "ours s", "ratio", "of processor", "Go MiB", "ours MiB", "ratio")
    print(
        f"\n{rounds} rounds, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}\n{title}", flush=True
    )
    peaks: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for task in tasks:
        gos, ours = run(task, rounds)
        ratios = [b / a for a, b in zip(gos.seconds, ours.seconds, strict=True)]
        processor = [b / a for a, b in zip(gos.processor, ours.processor, strict=True)]
        memory = max(ours.peak) / max(gos.peak)
        peaks[task.name], seconds[task.name] = max(ours.peak), statistics.median(ours.seconds)
        print(
            columns.format(
                task.name,
                f"{statistics.median(gos.seconds):.2f}",
                f"{seconds[task.name]:.2f}",
                verdict(statistics.median(ratios), task.target),
                f"{statistics.median(processor):.2f} ({min(processor):.2f} to {max(processor):.2f})",
                f"{max(gos.peak):.0f}",
                f"{max(ours.peak):.0f}",
                verdict(memory, task.memory_target),
            ),
            flush=True,
        )
    few, many = f"merge {FILES:,}", f"merge {MANY:,}"
    if few in peaks and many in peaks:
        growth = seconds[many] / seconds[few]
        print(
            f"\n{MANY:,} files: {growth:.1f} times the seconds of {FILES:,}, "
            f"{verdict(peaks[many] / peaks[few], 1.1)} of the memory"
        )
    alone, with_numpy = starts(rounds)
    print(f"start: Python {alone:.2f} s, with numpy {with_numpy:.2f} s: it is in each number of ours")
    if any(task.name.startswith("html") for task in tasks):
        sizes = size_of(CACHE / "go.html"), size_of(CACHE / "ours.html")
        print(f"html, size: Go {sizes[0]:.1f} MB, ours {sizes[1]:.1f} MB, {verdict(sizes[1] / sizes[0], 0.2)}")


if __name__ == "__main__":
    main()
