# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's log as the tests see it: what was said since a point, and whether it is a splat."""

from __future__ import annotations

import os
import re

# What a healthy kernel never says. "Call Trace" alone is enough: nothing prints one without a reason.
SPLAT = re.compile(
    r"KASAN|KCSAN|UBSAN|BUG:|kernel BUG|WARNING: |Oops|general protection|Call Trace|"
    r"INFO: task .* blocked|rcu.*(stall|detected)|possible (circular|recursive) locking|"
    r"inconsistent lock state|suspicious RCU|sleeping function called|scheduling while atomic|"
    r"unreferenced object|refcount_t:|list_(add|del) corruption|Unable to handle|panicked at|"
    r"held lock freed|lock held when returning|bad unlock balance|Objects remaining|busy inodes|"
    r"VFS: Busy|still has locks held"
)


class Kmsg:
    """A reader of /dev/kmsg that starts at the present end."""

    def __init__(self) -> None:
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)
        self.everything: list[str] = []

    def new(self) -> list[str]:
        """The lines since the last call. A line that was overwritten before we came is noted."""
        lines: list[str] = []
        while True:
            try:
                record = os.read(self.fd, 8192)
            except BlockingIOError:
                break
            except BrokenPipeError:
                lines.append("(lines lost: the ring buffer was overwritten)")
                continue
            text = record.decode("utf-8", "replace").split(";", 1)[-1]
            lines.append(text.split("\n", 1)[0])
        self.everything += lines
        return lines


def splats(lines: list[str]) -> list[str]:
    """The lines that look like a splat, with those that follow the first one."""
    for index, line in enumerate(lines):
        if SPLAT.search(line):
            return lines[index : index + 40]
    return []


def say(text: str) -> None:
    """Puts a mark into the kernel's log, so that the console tells which case was running."""
    with open("/dev/kmsg", "w") as kmsg:
        kmsg.write(f"ntfs_rs test: {text}\n")
