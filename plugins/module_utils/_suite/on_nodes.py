# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""GOCOVERDIR for every container of a node, given by the node itself: no manifest, admission or API object is involved.

What containerd calls to create a container (runc) gets a program in front that adds a folder of the node and the
variable to the container's C(config.json). Each container run has a folder of its own, named by the runtime's id, and a
program writes its counters there when it ends, as Go does. A container that sets the variable itself keeps its own:
what it left there is copied when the runtime removes the container, from whichever volume of whichever node.

The file is JSON as Go writes it: without blanks, and quotes inside of strings escaped, so C("env":[) and C("mounts":[)
are the keys and nothing else. Source of truth: config.md of the OCI runtime specification 1.0; containerd's
annotations C(io.kubernetes.cri.*).
"""

from __future__ import annotations

import re
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.process_runs import COUNTERS
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

FOLDER = "/var/lib/kubernaut-coverage"
INSIDE = "/kubernaut-coverage"
WHO = "who"
DATA = ("covmeta.", "covcounters.")
IDENTITY = re.compile(r"[0-9a-f]{64}")
# a pod's name without what its owner put behind its own
RANDOM_END = re.compile(r"(-[0-9a-f]{6,10})?-[a-z0-9]{5}$")
FRONT = r"""#!/bin/sh
# In front of the runtime: see the collection kubernaut.coverage
real="$0.real"
bundle= previous= verb= word=
for word in "$@"; do
  case "$previous" in --bundle|-b) bundle=$word ;; esac
  case "$word" in create|run) verb=create ;; delete) verb=delete ;; --bundle=*) bundle=${word#--bundle=} ;; esac
  previous=$word
done
config="$bundle/config.json"
folder="FOLDER/$word"
remember() {
  mkdir -p "$folder" FOLDER/claimed && chmod 1777 "$folder" &&
    for key in sandbox-namespace sandbox-name container-name; do
      printf '%s\n' "$(sed -n 's/.*"io\.kubernetes\.cri\.'"$key"'":"\([^"]*\)".*/\1/p' "$config")"
    done > "$folder/who"
}
# where a folder inside the container is on the node
on_node() {
  best= at="$bundle/rootfs$1"
  grep -o '"destination":"[^"]*","type":"[^"]*","source":"[^"]*"' "$config" | {
    while IFS='"' read -r _ _ _ destination _ _ _ _ _ _ _ source _; do
      case "$1/" in "$destination"/*)
        [ ${#destination} -le ${#best} ] || { best=$destination at="$source${1#"$destination"}"; } ;;
      esac
    done
    printf '%s\n' "$at"
  }
}
# each file is one process run's, also where several containers write to the same folder
copy_own() {
  find "$1/" -maxdepth 1 -name 'covcounters.*' -newer "$folder/who" | while IFS= read -r path; do
    name=${path##*/}
    hash=${name#covcounters.}
    if mkdir "FOLDER/claimed/$name" 2>/dev/null; then
      cp "$path" "$1/covmeta.${hash%%.*}" "$folder/"
    fi
  done
}
if [ "$verb" = create ] && [ -f "$config" ] && grep -q '"io.kubernetes.cri.container-type":"container"' "$config"; then
  own=$(sed -n 's/.*"GOCOVERDIR=\([^"]*\)".*/\1/p' "$config")
  if [ -n "$own" ]; then
    remember && on_node "${own%/}" > "$folder/from"
  elif ! grep -q '"GOCOVERDIR=' "$config" && grep -q '"env":\[' "$config" && grep -q '"mounts":\[' "$config"; then
    mount='{"destination":"INSIDE","type":"bind","source":"'"$folder"'","options":["rbind","rw"]}'
    remember && sed -e 's|"env":\[|"env":["GOCOVERDIR=INSIDE",|' -e 's|"mounts":\[|"mounts":['"$mount"',|' "$config" \
      > "$config.kubernaut" && mv "$config.kubernaut" "$config"
  fi
elif [ "$verb" = delete ] && [ -f "$folder/from" ]; then
  copy_own "$(cat "$folder/from")"
fi
exec "$real" "$@"
""".replace("FOLDER", FOLDER).replace("INSIDE", INSIDE)
# the name stays the runtime's own, which containerd looks for each time
INSTALL = r"""
runtime=$(command -v runc) || exit 3
[ ! -e "$runtime.real" ] || exit 0
mkdir -p "$1"
cat > "$runtime.front" && chmod 755 "$runtime.front" || exit 4
cp -p "$runtime" "$runtime.real" && mv "$runtime.front" "$runtime"
"""


@dataclass(frozen=True)
class Left:
    """What a container run left on its node: the folder with its files, and whose it is."""

    id: str
    node: str
    folder: Path
    namespace: str
    pod: str
    container: str

    @property
    def workload(self) -> str:
        """The workload by the pod's name alone, for a pod that was never seen in the API."""
        return RANDOM_END.sub("", self.pod)


def install(podman: Podman, node: str) -> None:
    """Let every container that is created on a node from now on write its counters to a folder of the node.

    :raises CommandError: the node has no runc where its PATH is, or its file system is full.
    """
    podman.exec(
        *[node, "sh", "-c", INSTALL, "sh", FOLDER],
        purpose=f"give the containers on {node} a folder for counters",
        stdin=FRONT.encode(),
    )


def fetch(podman: Podman, node: str, scratch: Path) -> list[Left]:
    """Copy what is in the folders of a node, and return those with coverage data.

    :raises CommandError: the node is gone, or the folder was never made.
    """
    target = scratch / f"left-on-{node}"
    target.mkdir(parents=True, exist_ok=True)
    podman.copy_out(node, f"{FOLDER}/.", str(target))
    found = []
    for folder in sorted(target.iterdir()):
        if IDENTITY.fullmatch(folder.name) and any(folder.glob("covmeta.*")):
            who = folder / WHO
            words = who.read_text(encoding="utf-8", errors="replace").splitlines() if who.is_file() else []
            namespace, pod, container = [*words, "", "", ""][:3]
            found.append(Left(folder.name, node, folder, namespace, pod, container))
    return found


def bring(left: Left, folder: Path) -> bool:
    """Move the files of a container run to its folder; return whether it wrote counters.

    What was read from memory before is less than what the same process wrote when it ended, and is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wrote = False
    for path in sorted(left.folder.iterdir()):
        if not path.name.startswith(DATA):
            continue
        for earlier in _earlier(path.name, folder):
            earlier.unlink()
        wrote = wrote or COUNTERS.fullmatch(path.name) is not None
        if not (folder / path.name).exists():
            shutil.move(str(path), folder / path.name)
    return wrote


def _earlier(name: str, folder: Path) -> t.Iterator[Path]:
    """Yield the files of counters of the same process that were written before."""
    found = COUNTERS.fullmatch(name)
    if found is None:
        return
    for path in list(folder.glob(f"covcounters.{found[1]}.{found[2]}.*")):
        other = COUNTERS.fullmatch(path.name)
        if other is not None and int(other[3]) < int(found[3]):
            yield path
