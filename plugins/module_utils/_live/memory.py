# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""One process of this host: its memory, its program and what the kernel says about it, all from /proc.

Nothing here stops the process: C(/proc/PID/mem) is read without ptrace attached. An open C(mem) belongs to the
address space that it was opened for: after an exec or an exit it reads as empty, so a process id that is used again, or
a new program under the same id, is never taken for the old one. Source: proc(5), C(fs/proc/base.c) of Linux.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._live.errors import (
    STARTING,
    STARTING_REMEDY,
    LiveError,
    ProcessEnded,
    UnmappedAddress,
)

PROC = "/proc"
AT_PHDR = 3  # of the auxiliary vector: where the program headers are in memory
GONE = (errno.ENOENT, errno.ESRCH)
DENIED = (errno.EACCES, errno.EPERM)
STARTED = 19  # the field of /proc/PID/stat, counted from the state on
SECOND = 10**9
PTRACE_SCOPE = "sys/kernel/yama/ptrace_scope"


class Memory(t.Protocol):
    """Anything that has bytes at addresses: a process, or a recording of one."""

    def read(self, address: int, size: int) -> bytes:
        """Return exactly C(size) bytes.

        :raises UnmappedAddress: there is no memory at some of them.
        :raises ProcessEnded: there is no memory any more.
        """
        ...  # pylint: disable=unnecessary-ellipsis


class Process:
    """A process, held open: every answer is of the same process, and of the same program in it.

    :arg pid: its id on this host.
    :arg proc: where the kernel's C(/proc) is mounted.
    :raises LiveError: no-such-process, kernel-thread, no-permission, no-proc, starting (it is within exec).
    :raises ProcessEnded: it ended meanwhile.
    """

    def __init__(self, pid: int, proc: str = PROC) -> None:
        self.pid, self.proc = pid, proc
        self._open = contextlib.ExitStack()
        try:
            self._folder = self._held(os.open(f"{proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY))
        except OSError as error:
            raise self._no_process(error) from error
        try:
            if not self.command_line() and self._is_kernel_thread():
                raise LiveError(
                    f"Process {pid} is a kernel thread and has no program.",
                    remedy="Give the process id of a Go program.",
                    setting="pid",
                    cause="kernel-thread",
                )
            # the memory first: if a program takes this one's place afterwards, the memory reads as empty
            self._memory = self._held(self._file("mem"))
            self.executable = self._held(self._file("exe"))
            self.base = self._program_headers()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the process."""
        self._open.close()

    def read(self, address: int, size: int) -> bytes:
        """Return C(size) bytes of its memory; see R(Memory)."""
        data = b""
        while len(data) < size:
            try:
                part = os.pread(self._memory, size - len(data), address + len(data))
            except (OSError, OverflowError) as error:
                if isinstance(error, OSError) and error.errno not in (errno.EIO, errno.EINVAL):
                    raise
                raise UnmappedAddress(f"{address:#x}") from error
            if not part:
                raise ProcessEnded(f"process {self.pid} ended")
            data = data + part if data else part
        return data

    def command_line(self) -> list[str]:
        """Return its arguments; bytes that are not UTF-8 survive (surrogateescape)."""
        raw = self._text("cmdline")
        return [part.decode("utf-8", "surrogateescape") for part in raw.split(b"\0")[:-1]] if raw else []

    def own_pid(self) -> int:
        """Return the id that the process has for itself: in a container it is another than on the host."""
        for line in self._text("status").splitlines():
            if line.startswith(b"NSpid:"):
                return int(line.split()[-1])
        return self.pid

    def started(self) -> int:
        """Return when it was started, in nanoseconds since the epoch, as exactly as the kernel says (a second)."""
        # the name in brackets can have blanks and brackets in it
        ticks = int(self._text("stat").rpartition(b")")[2].split()[STARTED])
        with open(f"{self.proc}/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime"))
        return booted * SECOND + ticks * SECOND // os.sysconf("SC_CLK_TCK")

    def program(self) -> str:
        """Return the path of its program, as the process sees it; C( (deleted)) where it was replaced on disk."""
        try:
            return os.readlink("exe", dir_fd=self._folder)
        except OSError as error:
            raise self._ended(error) from error

    def _held(self, descriptor: int) -> int:
        self._open.callback(os.close, descriptor)
        return descriptor

    def _file(self, name: str) -> int:
        try:
            return os.open(name, os.O_RDONLY, dir_fd=self._folder)
        except OSError as error:
            raise self._ended(error) from error

    def _text(self, name: str) -> bytes:
        descriptor = self._file(name)
        parts = []
        try:
            while part := os.read(descriptor, 1 << 16):
                parts.append(part)
        except OSError as error:
            raise self._ended(error) from error
        finally:
            os.close(descriptor)
        return b"".join(parts)

    def _is_kernel_thread(self) -> bool:
        # a zombie has no arguments either; in its state there is a Z
        for line in self._text("status").splitlines():
            if line.startswith(b"State:") and line.split()[1:2] in ([b"Z"], [b"X"]):
                raise ProcessEnded(f"process {self.pid} ended")
            if line.startswith(b"VmSize:"):
                return False
        return True

    def _program_headers(self) -> int:
        """Return where its program headers are in memory (address), in which a PIE differs from its file."""
        vector = self._text("auxv")
        for form in ("@QQ", "@II"):  # a process of 32 bits on a kernel of 64 has pairs of 32 bits
            size = struct.calcsize(form)
            for offset in range(0, len(vector) - size + 1, size):
                kind, value = struct.unpack_from(form, vector, offset)
                if kind == AT_PHDR:
                    return int(value)
        self._is_kernel_thread()  # raises where it ended
        raise LiveError(STARTING, remedy=STARTING_REMEDY, cause="starting")

    def _no_process(self, error: OSError) -> Exception:
        if error.errno not in GONE:
            return self._ended(error)
        if not os.path.exists(f"{self.proc}/self"):
            return LiveError(
                f"There is no proc file system at {self.proc}: the memory of processes cannot be read here.",
                remedy="Run this where the kernel's /proc is mounted.",
                cause="no-proc",
            )
        return LiveError(
            f"No process on this host has the id {self.pid}.",
            remedy="Use the ID that ps shows on this host; inside a container the program has a different ID.",
            setting="pid",
            cause="no-such-process",
        )

    def _ended(self, error: OSError) -> Exception:
        if error.errno in GONE:
            return ProcessEnded(f"process {self.pid} ended")
        if error.errno not in DENIED:
            return error
        evidence = [f"{error.filename or self.pid}: {error.strerror}", f"this is user {os.geteuid()}"]
        with contextlib.suppress(OSError):
            evidence.append(f"the process is of user {os.stat(f'{self.proc}/{self.pid}').st_uid}")
        with contextlib.suppress(OSError), open(f"{self.proc}/{PTRACE_SCOPE}", encoding="ascii") as scope:
            evidence.append(f"kernel.yama.ptrace_scope is {scope.read().strip()}")
        return LiveError(
            f"The kernel does not let this user read the memory of process {self.pid}.",
            remedy="Run this as root (become: true), or with CAP_SYS_PTRACE in the process's user namespace.",
            setting="become",
            evidence=evidence,
            cause="no-permission",
        )
