# SPDX-License-Identifier: GPL-2.0-only
"""Runs one guest job and turns its result lines into cases.

A job is a module of `guest/jobs` with `run(report, plan)`. The payload holds the guest's scripts, our
module and the plan; results come back in the command's output, line by line, so that what was done
before a crash still counts, and the crash itself is one more failed case.
"""

from __future__ import annotations

import compileall
import json
import py_compile
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import python
from context import CACHE, ROOT, Context
from report import Report

# For the debug kernel: without proving the order of locks (KASAN stays), what opens and looks up is twice as fast.
WITHOUT_LOCKDEP = "lockdep.prove_locking=0"


def payload(context: Context, kernel: str, plan: dict[str, object], folder: Path) -> None:
    """Fills a folder with what the guest needs."""
    shutil.copytree(ROOT / "tests" / "vm" / "guest", folder / "guest", ignore=shutil.ignore_patterns("__pycache__"))
    # Compiling takes the guest some seconds, and this side none.
    compileall.compile_dir(folder / "guest", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    if context.ours:
        shutil.copy(context.module(kernel), folder / "ntfs_rs.ko")
    (folder / "plan.json").write_text(json.dumps(plan))


def take_results(report: Report, output: str) -> tuple[list[str], bool, list[str]]:
    """Counts the result lines; returns the notes, whether the job said that it ended, and all other lines."""
    notes: list[str] = []
    ended, other = False, []
    for line in output.splitlines():
        try:
            row = json.loads(line) if line.startswith("{") else None
        except ValueError:
            row = None
        if row is None:
            other.append(line)
        elif "note" in row:
            notes.append(row["note"])
        elif "end" in row:
            ended = True
        elif row["status"] == "pass":
            report.passed(row["case"])
        elif row["status"] == "fail":
            report.failed(row["case"], row["why"])
        else:
            report.skipped(row["case"], row["why"])
    return notes, ended, other


def run_here(context: Context, job: str, plan: dict[str, object], folder: Path) -> None:
    """Runs a job that needs no kernel of ours on this machine; the SDK has mounts of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(plan, file)
        file.flush()
        words = ["python3", "-B", "-m", f"guest.jobs.{job}", file.name, str(folder)]
        done = context.command(f"{job}-here", *words, cwd=ROOT / "tests" / "vm")
    _, ended, other = take_results(context.report, done.stdout)
    context.report.check(f"{job} comes to its end", "" if ended and not done.returncode else "\n".join(other[-12:]))


def run_job(
    context: Context,
    job: str,
    plan: dict[str, object] | None = None,
    *,
    kernel: str = "stock",
    disks: Sequence[object] = (),
    timeout: float = 1200,
    append: str = "",
    mem: int = 3072,
    smp: int = 2,
    label: str = "",
    checker: bool = False,
    programs: Mapping[str, Path] | None = None,
) -> list[str]:
    """Runs a job; returns its notes. `label` tells apart several runs of one job in the logs; with `checker`
    the guest gets what `guest.check` needs, and each of `programs` in its payload under that name. One that does
    one thing after the other is to have one processor (`smp`): a second one costs a fifth more here, for nothing."""
    import vm

    report = context.report
    plan = dict(plan or {}, job=job, fstype=context.fstype, campaign=context.campaign, seed=context.seed, kernel=kernel)
    title = f"{job}{'-' + label if label else ''}-{kernel}"
    (CACHE / "tmp").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE / "tmp", prefix="payload-") as folder:
        payload(context, kernel, plan, Path(folder))
        if checker:
            shutil.copytree(python.folder(), Path(folder) / "python")
        for name, program in (programs or {}).items():
            shutil.copy(program, Path(folder) / name)
        result = vm.run(
            "PYTHONPATH=/payload/python python3 -u -B -m guest.main plan.json", kernel=kernel, disks=list(disks), payload=Path(folder), mem=mem,
            smp=smp, timeout=timeout, append=append,
        )  # fmt: skip
    (context.logs / f"{title}.output").write_text(result.output, errors="surrogateescape")
    (context.logs / f"{title}.console").write_text(result.console, errors="surrogateescape")

    notes, ended, other = take_results(report, result.output)
    (context.logs / f"{title}.notes").write_text("\n".join(notes), errors="surrogateescape")
    where = f"{job}{' ' + label if label else ''} ({kernel} kernel, {result.seconds:.0f} s)"
    if ended and result.status == 0:
        report.passed(f"the guest of {where} comes to its end")
    else:
        tail = "\n".join(other[-12:])
        report.failed(f"the guest of {where} comes to its end", f"{result.reason or 'no end mark'}\n{tail}\n{result.summary()}")
    ours = [line for line in result.splats if not is_of_a_peer(result.console, line)]
    for line in [line for line in result.splats if line not in ours]:
        report.say(f"     in a driver that is compared with: {line}")
    report.check(f"the kernel says nothing bad in {where}", "\n".join(ours[:25]))
    return notes


def is_of_a_peer(console: str, splat: str) -> bool:
    """Whether a warning comes from another driver, by the functions in its call trace; never if one of ours is there."""
    lines = console.splitlines()
    if "WARNING:" not in splat or splat not in lines:
        return False
    trace = []
    for line in lines[lines.index(splat) :]:
        trace.append(line)
        if "---[ end trace" in line or "</TASK>" in line:
            break
    text = "\n".join(line for line in trace if "+0x" in line)
    return "[ntfs_rs]" not in text and re.search(r"\[(ntfs|ntfs3)\]", text) is not None
