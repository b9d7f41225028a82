# SPDX-License-Identifier: GPL-2.0-only
"""Devices that fail, shrink or lie under a mounted volume, in the debug kernel."""

from __future__ import annotations

from context import Context
from machine import run_job


def run(context: Context) -> None:
    run_job(context, "devices", kernel="debug", timeout=900)
