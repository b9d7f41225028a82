# SPDX-License-Identifier: GPL-2.0-only
"""How fast files are read beside the drivers of the kernel, on the same bytes; and our decoders beside those of libraries.

Fails only where content is wrong, where ours cannot read what it is said to, or where it is many times slower in the stock
kernel. The numbers of the debug kernel are relative only: KASAN takes a multiple of the time, of one driver more than of
another. Guests are emulated, as a rule: what counts are ratios, not megabytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import images
import wof
from context import CACHE, ROOT, Context
from groups.write import fits
from guest.speed import contents
from machine import WITHOUT_LOCKDEP, run_here, run_job

SIZE = 512 << 20
# Only the debug kernel has ntfs3, and an `ntfs` that knows WOF.
PEERS = {"stock": ["ntfs"], "debug": ["ntfs3", "ntfs"]}


def prepared(context: Context) -> Path:
    """The volume; made when the cache has none from the same sources."""
    guest = ROOT / "tests" / "vm" / "guest"
    sources = (guest / "speed" / "contents.py", guest / "jobs" / "speed_volume.py")
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = CACHE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / f"speed-{key}.img"
    with images.MAKING:
        if not image.exists():
            for old in folder.glob("speed-*.img"):
                old.unlink()
            make(context, image)
    return image


def make(context: Context, image: Path) -> None:
    import vm

    with tempfile.TemporaryDirectory(dir=image.parent) as work:
        fresh = Path(work) / image.name
        with fresh.open("wb") as file:
            file.truncate(SIZE)
        bodies = {}
        for name, (_, codec, chunk) in contents.WOF.items():
            bodies[f"{name}.body"] = Path(work) / f"{name}.body"
            bodies[f"{name}.body"].write_bytes(wof.body(contents.content(name), codec, chunk))
        if Path("/dev/fuse").exists() and "fuse" in Path("/proc/filesystems").read_text():
            run_here(context, "speed_volume", {"image": image.name}, Path(work))
        else:
            run_job(context, "speed_volume", {"bare": True}, disks=[vm.Disk(fresh, mode="rw")], programs=bodies)
        if not context.report.tally.failed:
            fresh.rename(image)


def chosen(variable: str) -> list[str]:
    """What a variable of the environment names, to be done alone."""
    return [word for word in os.environ.get(variable, "").split(";") if word]


def table(notes: list[str], ours: str) -> list[str]:
    """A line for each file, way and peer: what the peer does in a second (MB, or names of a tree) and the seconds in which
    processors were busy with that, the same of ours, and ours by theirs."""
    lines = [f"{'':30}{'':31}{'peer':>6}{'/s':>10}{'busy':>7}{'ours/s':>10}{'busy':>7}{'/s':>7}{'busy':>6}"]
    for note in notes:
        if not note.startswith("row "):
            continue
        what, way, row = json.loads(note[4:])
        speed, busy = row.pop(ours, (0.0, 0.0))
        for name, (their_speed, their_busy) in row.items() or [("-", (0.0, 0.0))]:
            ratios = f"{speed / their_speed:7.2f}" if their_speed else ""
            # What is less than the starts of two fio differ in is no measure.
            ratios += f"{busy / their_busy:6.2f}" if their_busy >= 0.3 else ""
            lines.append(f"{what:30}{way:31}{name:>6}{their_speed:10.1f}{their_busy:7.2f}{speed:10.1f}{busy:7.2f}{ratios}")
    return lines


def decoders(context: Context, image: Path) -> None:
    """`cargo bench`, on this machine itself: here megabytes are megabytes."""
    os.environ.setdefault("CARGO_TARGET_DIR", str(CACHE / "target"))
    done = context.command("cargo-bench", "env", f"NTFS_RS_SPEED_VOLUME={image}", "cargo", "bench", "-q", "--bench", "speed")
    lines = [line for line in done.stdout.splitlines() if "MB/s" in line]
    context.report.check("the decoders are measured beside those of libraries", done.stdout[-1500:] if done.returncode or not lines else "")
    context.report.say("\n     ".join(["     on this machine:", *lines]))


def run(context: Context) -> None:
    import vm

    image = prepared(context)
    decoders(context, image)
    digests = {name: hashlib.sha256(contents.content(name)).hexdigest() for name in contents.SIZES}
    for kernel, peers in PEERS.items():
        if (context.built and not fits(context.built, kernel)) or (context.fstype == "ntfs3" and kernel == "stock"):
            continue
        drivers = [*(name for name in peers if name != context.fstype), context.fstype]
        plan: dict[str, object] = {
            "drivers": drivers, "digests": digests, "rounds": 5 if context.campaign and kernel == "stock" else 3,
            "share": 1 if kernel == "stock" else 4, "ways": chosen("NTFS_RS_WAYS"), "files": chosen("NTFS_RS_FILES"),
        }  # fmt: skip
        notes = run_job(
            context, "speed", plan, kernel=kernel, disks=[vm.Disk(image) for _ in drivers], timeout=7200, append="" if kernel == "stock" else WITHOUT_LOCKDEP,
        )  # fmt: skip
        lines = table(notes, context.fstype)
        (context.logs / f"speed-{kernel}.table").write_text("\n".join(lines) + "\n")
        relative = "" if kernel == "stock" else " (KASAN is on: relative only)"
        context.report.say("\n     ".join([f"     the {kernel} kernel{relative}; of each driver, and ours by theirs:", *lines]))
