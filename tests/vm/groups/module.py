# SPDX-License-Identifier: GPL-2.0-only
"""Builds the module for both kernels; every group with a guest needs it."""

from __future__ import annotations

import subprocess

from context import ROOT, Context


def run(context: Context) -> None:
    for kernel in ("stock", "debug"):
        done = context.command(f"module-{kernel}", str(ROOT / "tools" / "module.sh"), kernel)
        context.report.check(f"the module builds for the {kernel} kernel", done.stdout[-3000:] if done.returncode else "")
        said = [line for line in done.stdout.splitlines() if "warning" in line.lower()]
        context.report.check(f"and Kbuild has no warning for the {kernel} kernel", "\n".join(said[:20]))
    names = subprocess.run(["nm", str(context.module("stock"))], capture_output=True, text=True).stdout
    panics = [line for line in names.splitlines() if "panicking" in line]
    context.report.check("the object has no way to panic", "\n".join(panics[:10]) if names else "there is no object")
