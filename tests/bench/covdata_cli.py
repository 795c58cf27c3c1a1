# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The covdata engine as a command, for the benchmark: each task imports what it needs and nothing else.

When it ends it writes its peak memory in KiB to the file that the environment variable PEAK names: its own and, added
to it, that of the largest process that it started. Both hold the pages they share, so it is rather too much.
"""

# What is measured is a process from its start: each task imports what it needs, and nothing for the sake of style.
# ruff: noqa: PLC0415, PTH118, PTH123

from __future__ import annotations

import os
import resource
import sys
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component


def read(folder: str) -> Component:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection

    (component,) = read_collection(folder, "data", layered=False)
    bad = [problem.sentence for problem in component.problems]
    if bad:
        sys.exit("\n".join(bad))
    return component


def merge(folder: str, output: str) -> None:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.operations import merge as merge_programs

    for name, content in merged_files(merge_programs(read(folder).programs)).items():
        with open(os.path.join(output, name), "wb") as stream:
            stream.write(content)


def percent(folder: str) -> None:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import percent_of

    component = read(folder)
    sys.stdout.write(percent_of(component.programs, component.mode))


def func(folder: str) -> None:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import function_text

    component = read(folder)
    sys.stdout.write(function_text(make_profile(component.programs, component.mode)))


def textfmt(folder: str, output: str) -> None:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import make_profile
    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import profile_chunks

    component = read(folder)
    with open(output, "wb") as stream:
        stream.writelines(profile_chunks(make_profile(component.programs, component.mode)))


def html(folder: str, output: str, sources: str) -> None:
    import json

    from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading
    from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Request, convert

    with open(sources, encoding="utf-8") as stream:
        folders = json.load(stream)
    convert(Request(inputs=[folder], outputs={"html": output}, reading=Reading(), sources=folders))


TASKS = {"merge": merge, "percent": percent, "func": func, "textfmt": textfmt, "html": html}


def main() -> None:
    TASKS[sys.argv[1]](*sys.argv[2:])
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open(os.environ["PEAK"], "w", encoding="utf-8") as stream:
        stream.write(str(sum(peaks)))


if __name__ == "__main__":
    main()
