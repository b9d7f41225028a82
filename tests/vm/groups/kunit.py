# SPDX-License-Identifier: GPL-2.0-only
"""The unit tests inside the debug kernel: they run when the module is loaded; each is a case."""

from __future__ import annotations

from context import Context
from machine import run_job


def run(context: Context) -> None:
    # insmod(8) waits for each test without a sign of life, and some take half a minute on a busy machine.
    append = "kunit.enable=1 kunit.autorun=1 sysctl.kernel.hung_task_timeout_secs=120"
    run_job(context, "kunit", {"bare": True}, kernel="debug", timeout=900, append=append)
