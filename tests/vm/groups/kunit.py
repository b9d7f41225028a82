# SPDX-License-Identifier: GPL-2.0-only
"""The unit tests inside the debug kernel: they run when the module is loaded; each is a case."""

from __future__ import annotations

from context import Context
from machine import run_job


def run(context: Context) -> None:
    run_job(context, "kunit", {"bare": True}, kernel="debug", timeout=600, append="kunit.enable=1 kunit.autorun=1")
