# SPDX-License-Identifier: GPL-2.0-only
"""Runs a step in a child that must show progress: a driver that loops or sleeps for ever is a finding, not a hang of the test."""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIMIT = 30.0


@dataclass
class Outcome:
    """What became of a step. `stuck` holds where the child slept when it made no progress for `LIMIT` seconds."""

    value: Any = None
    error: str = ""
    stuck: str = ""
    seconds: float = 0.0


def stack_of(pid: int) -> str:
    """Where a process is inside the kernel."""
    try:
        with open(f"/proc/{pid}/stack") as file:
            return file.read()
    except OSError as error:
        return f"(no stack: {error})"


def watched(step: Callable[[Callable[[], None]], Any], limit: float = LIMIT) -> Outcome:
    """Runs `step(tick)` in a child; `tick()` is the sign of life. The child's result comes back pickled."""
    life_read, life_write = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(life_read)
        try:
            answer: tuple[Any, str] = (step(lambda: os.write(life_write, b".") and None), "")
        except BaseException:
            answer = (None, traceback.format_exc()[-1500:])
        with os.fdopen(life_write, "wb") as pipe:
            pipe.write(b"=" + pickle.dumps(answer))
        os._exit(0)
    os.close(life_write)
    received = b""
    outcome = Outcome()
    while True:
        ready, _, _ = select.select([life_read], [], [], limit)
        if not ready:
            outcome.stuck = f"no progress for {limit:.0f} s\n{stack_of(child)}"
            os.kill(child, signal.SIGKILL)
            break
        piece = os.read(life_read, 1 << 16)
        if not piece:
            break
        received += piece.lstrip(b".") if not received else piece
    os.close(life_read)
    outcome.seconds = time.monotonic() - start
    if outcome.stuck:
        # A child that cannot be killed is left behind; the caller ends the guest.
        for _ in range(20):
            if os.waitpid(child, os.WNOHANG)[0]:
                break
            time.sleep(0.1)
        return outcome
    os.waitpid(child, 0)
    if received.startswith(b"="):
        outcome.value, outcome.error = pickle.loads(received[1:])
    else:
        outcome.error = "the child died"
    return outcome
