#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel in QEMU, runs one command in it, and brings back what the command did.

Works inside the SDK (`tools/sdk.sh enter ...`), on what `tools/kernel.sh` and `tools/guest.sh` made.

    import vm
    result = vm.run(
        "insmod ntfs_rs.ko && mount -t ntfs_rs -o ro $DISK0 /mnt && sha256sum /mnt/a > /result/sums",
        kernel="debug",
        disks=[vm.Disk(Path("a.raw")), vm.Disk(Path("b.qcow2"), format="qcow2", sector=4096)],
        payload=Path("folder/with/ntfs_rs.ko"),
        result=Path("out"),
    )
    if not result.ok:
        print(result.summary())

run(command, *, kernel="stock", disks=(), payload=None, result=None, mem=2048, smp=2, timeout=600.0,
    append="", interactive=False, echo=False) -> Result
    command      for `bash -c`, as root, in /payload
    kernel       a name of tools/kernel.sh: "stock" or "debug"
    disks        the disks of the guest, in order: $DISK0, $DISK1, ... hold their device paths
    payload      a folder, shown read-only as /payload (its files keep their modes and links)
    result       a folder that gets what the command left in /result (made when it is missing)
    mem, smp     MiB of memory and number of processors
    timeout      seconds after which the guest is killed; None: never. One that has not come as
                 far as the command after BOOT_LIMIT seconds, or seems to hang before, is killed and
                 started once more
    append       more words for the kernel's command line, such as "kmemleak=on"
    interactive  the command has the terminal (standard input and output); its output is not kept
    echo         show the command's output while it runs
Disk(path, format="raw", mode="snapshot", sector=512)
    format       what QEMU calls it: raw, qcow2, vhdx, vpc (.vhd), vmdk. Never guessed.
    mode         "snapshot": writable in the guest, the file stays as it is; "ro": a read-only
                 device; "rw": writes reach the file (flushes of the guest reach the host's cache
                 only); "durable": like "rw", and the guest's flushes are the host's
    sector       logical and physical block size of the device, 512 or 4096
Result
    status       exit status of the command; None when the guest died, hung or was killed
    reason       why there is no status, in one line; "" when there is one
    output       what the command wrote to standard output and error (bytes that are not UTF-8 come
                 as surrogate escapes)
    console      kernel messages (level info and above from the start of the command, warnings
                 and above before that)
    splats       the console lines that tell of a fault in the kernel: KASAN, lockdep, WARNING, ...
    seconds      from the start of QEMU to its end
    ok           status 0 and no splat
    summary()    what went wrong in a few lines, with the end of the console
VmError          the guest was not even started: no such kernel, image cannot be opened, ...

In the guest: Debian 13, everything writable in memory and lost at the end, /result an empty folder,
`modprobe ntfs`, `ntfs3` and others work, /proc /sys /dev /sys/kernel/debug /sys/fs/cgroup mounted,
loopback network up, ntfsprogs-plus in /opt/ntfsprogs-plus/usr/sbin (not in PATH, since ntfs-3g's
tools have the same names). An Oops is a panic, and a panic ends the guest without a status.

Several guests may run at the same time.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vm_files import VmError, initramfs, payload_image

CACHE = Path(os.environ.get("NTFS_RS_CACHE", "/var/cache/ntfs_rs"))

# Lines of the console that mean that the kernel found a fault in itself, or we in it.
SPLAT = re.compile(
    r"KASAN:|BUG:|kernel BUG|WARNING:|Oops|UBSAN:|Kernel panic|general protection fault"
    r"|INFO: task .* blocked|rcu.*(stall|detected expedited)|soft lockup|hard LOCKUP"
    r"|possible (circular|recursive) locking|inconsistent lock state|suspicious RCU usage"
    r"|refcount_t:|list_(add|del) corruption|still has objects|Objects remaining"
    r"|Busy inodes after unmount|new suspected memory leaks"
)
KVM_CREATE_VM = 0xAE01
# Under emulation on a busy machine one guest in some 60 hangs in the firmware or in early boot. It is known by the
# time of processors that it takes (a boot needs 15 to 30 seconds), or else that it takes none; the second try
# may take as long as BOOT_LIMIT in any case.
BOOT_LIMIT = 150.0
BOOT_WORK = 75.0
BOOT_IDLE = 20.0
BOOT_MARK = b"guest: the command starts"


@dataclass(frozen=True)
class Disk:
    path: Path
    format: str = "raw"
    mode: str = "snapshot"
    sector: int = 512

    def options(self) -> str:
        """The part of -drive that says what the disk is."""
        try:
            how = {
                "snapshot": "snapshot=on,cache=unsafe",
                "ro": "readonly=on",
                "rw": "cache=unsafe",
                "durable": "cache=writeback",
            }[self.mode]
        except KeyError:
            raise VmError(f"{self.mode}: no such disk mode") from None
        # QEMU writes a comma in a value twice.
        return f"file={str(self.path).replace(',', ',,')},format={self.format},discard=unmap,{how}"


@dataclass
class Result:
    status: int | None
    reason: str
    output: str
    console: str
    seconds: float
    splats: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.status == 0 and not self.splats

    def summary(self) -> str:
        """What went wrong, with the end of the output and of the console."""
        lines = [self.reason or f"exit status {self.status}"]
        lines += [f"splat: {line}" for line in self.splats]
        for name, text in ("output", self.output), ("console", self.console):
            lines += [f"--- end of the {name}", *text.splitlines()[-25:]]
        return "\n".join(lines)


def kvm_works() -> bool:
    """The device may exist on machines where it cannot work, and QEMU then hangs."""
    if not re.search(
        r"^flags\b.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    ):
        return False
    try:
        with open("/dev/kvm", "rb+", buffering=0) as device:
            os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
    except OSError:
        return False
    return True


def qemu_command(
    kernel: Path,
    work: Path,
    disks: Sequence[Disk],
    payload: Path | None,
    command: str,
    mem: int,
    smp: int,
    append: str,
    interactive: bool,
) -> list[str]:
    """The command line of QEMU; makes the files in `work` that it names."""
    drives = [
        ("ntfs_rs-root", Disk(CACHE / "guest" / "root.ext4", mode="ro")),
        ("ntfs_rs-modules", Disk(kernel / "modules.ext4", mode="ro")),
    ]
    if payload is not None:
        payload_image(payload, work / "payload.ext4")
        drives.append(("ntfs_rs-payload", Disk(work / "payload.ext4", mode="ro")))
    drives += [(f"disk{index}", disk) for index, disk in enumerate(disks)]
    for path in kernel / "vmlinuz", *(drive.path for _, drive in drives):
        if not path.exists():
            raise VmError(f"{path} does not exist")

    # On a busy host the timer seems not to work, in the moment in which the kernel looks at it.
    words = f"console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off no_timer_check kasan_multi_shot {append}"
    args = ["setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64"]
    args += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    # Without five-level paging: identify_cpu() forgets for a moment that it is on, and an interrupt in
    # that moment gives a false KASAN report. Vectors and ciphers of newer processors are slow to emulate.
    accelerator, cpu = ("kvm", "max,la57=off") if kvm_works() else ("tcg,thread=multi", "Nehalem")
    args += ["-accel", accelerator, "-cpu", cpu, "-m", str(mem), "-smp", str(smp)]
    args += ["-kernel", str(kernel / "vmlinuz"), "-append", words]
    args += ["-initrd", str(initramfs(kernel, work, command, interactive))]
    # Kernel messages; then the command's input and output, and its result.
    args += ["-chardev", f"file,id=console,path={work}/console"]
    args += ["-serial", "chardev:console"]
    args += ["-device", "virtio-serial-pci", "-chardev", "stdio,id=output,signal=off"]
    args += ["-device", "virtconsole,chardev=output"]
    args += ["-chardev", f"file,id=result,path={work}/result.tar"]
    args += ["-device", "virtserialport,chardev=result,name=ntfs_rs.result"]
    for index, (serial, disk) in enumerate(drives):
        # Eight functions a slot, since there are only 32 slots.
        address = f"addr={8 + index // 8:#x}.{index % 8},multifunction=on"
        sizes = f"logical_block_size={disk.sector},physical_block_size={disk.sector}"
        args += ["-drive", f"if=none,id=drive{index},{disk.options()}"]
        device = f"virtio-blk-pci,drive=drive{index},serial={serial}"
        args += ["-device", f"{device},{sizes},{address}"]
    return args


def read_result(archive: Path, folder: Path | None) -> int | None:
    """The status in the guest's tar stream; None when it is missing or torn."""
    try:
        with tarfile.open(archive) as tar:
            status = tar.extractfile("status")
            if status is None:
                return None
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                for member in tar.getmembers():
                    if member.name.startswith("result/"):
                        member.name = member.name.removeprefix("result/")
                        tar.extract(member, folder, filter="tar")
            return int(status.read())
    except (tarfile.TarError, KeyError, ValueError, FileNotFoundError):
        return None


def run(
    command: str,
    *,
    kernel: str = "stock",
    disks: Sequence[Disk] = (),
    payload: Path | None = None,
    result: Path | None = None,
    mem: int = 2048,
    smp: int = 2,
    timeout: float | None = 600.0,
    append: str = "",
    interactive: bool = False,
    echo: bool = False,
) -> Result:
    """Boots, runs, brings back: see the head of this file."""
    start = time.monotonic()
    folder = CACHE / "kernel" / kernel
    if not (folder / "release").exists():
        raise VmError(f"there is no kernel {kernel}: run tools/kernel.sh {kernel}")
    with tempfile.TemporaryDirectory(prefix="ntfs_rs-vm-") as name:
        work = Path(name)
        args = qemu_command(
            folder, work, disks, payload, command, mem, smp, append, interactive
        )
        for last in (False, True):
            (work / "console").unlink(missing_ok=True)
            began = time.monotonic()
            output, refused, killed, up = run_qemu(args, work / "console", timeout, interactive, echo, not last)
            if up or not killed or last:
                break
            spent = time.monotonic() - began
            print(f"vm.py: the boot hangs after {spent:.0f} s: the guest is started again", file=sys.stderr)
        status = read_result(work / "result.tar", result)
        console_file = work / "console"
        console = (
            console_file.read_text(errors="replace") if console_file.exists() else ""
        )
    if refused and not console:
        raise VmError(refused)
    splats = [line for line in console.splitlines() if SPLAT.search(line)]
    reason = ""
    if killed and not up:
        status, reason = None, f"no command after {BOOT_LIMIT:g} s, twice: the guest was killed"
    elif killed:
        status, reason = None, f"no end after {timeout:g} s: the guest was killed"
    elif status is None:
        reason = "the guest died" + (f" ({refused})" if refused else "")
    return Result(status, reason, output, console, time.monotonic() - start, splats)


def processor_time(pid: int) -> float:
    """The seconds that a process has had of all processors; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_qemu(
    args: list[str], console: Path, timeout: float | None, interactive: bool, echo: bool, impatient: bool
) -> tuple[str, str, bool, bool]:
    """Returns the output, the last thing QEMU complained of, and whether time ran out and the guest was up.

    `impatient`: a boot that seems to hang is ended before BOOT_LIMIT.
    """
    output = bytearray()
    out_of_time, up = threading.Event(), threading.Event()
    with tempfile.TemporaryFile() as errors:
        qemu = subprocess.Popen(
            args,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=None if interactive else subprocess.PIPE,
            stderr=errors,
        )

        def watch() -> None:
            start = changed = time.monotonic()
            work = 0.0
            while qemu.poll() is None:
                time.sleep(0.2)
                if not up.is_set() and console.exists() and BOOT_MARK in console.read_bytes():
                    up.set()
                now = time.monotonic()
                limit = timeout if up.is_set() else BOOT_LIMIT
                hangs = False
                if not up.is_set() and impatient:
                    total = processor_time(qemu.pid)
                    # Timers of an idle guest take a little.
                    if total > work + 0.5:
                        work, changed = total, now
                    hangs = work > BOOT_WORK or now - changed > BOOT_IDLE
                if hangs or (limit is not None and now - start > limit):
                    out_of_time.set()
                    qemu.kill()

        watcher = threading.Thread(target=watch, daemon=True)
        try:
            watcher.start()
            while qemu.stdout and (part := qemu.stdout.read(65536)):
                output += part
                if echo:
                    sys.stdout.buffer.write(part)
                    sys.stdout.buffer.flush()
            qemu.wait()
        finally:
            qemu.kill()
            qemu.wait()
            watcher.join()
        errors.seek(0)
        complaint = errors.read().decode(errors="replace").strip().splitlines()
    text = output.decode(errors="surrogateescape")
    return text, complaint[-1] if complaint else "", out_of_time.is_set(), up.is_set()


def parse_disk(text: str) -> Disk:
    """FILE[,format=F][,MODE][,sector=N] of the command line; FILE may have commas."""
    values = {"format": "raw", "mode": "snapshot", "sector": "512"}
    option = r"(.+),(?:(format|sector)=(\w+)|(snapshot|ro|rw|durable))"
    while match := re.fullmatch(option, text, re.DOTALL):
        text, name, value, mode = match.groups()
        values[name or "mode"] = value or mode
    if values["sector"] not in ("512", "4096"):
        raise VmError(
            f"--disk: a sector of {values['sector']} bytes; it is 512 or 4096"
        )
    return Disk(Path(text), values["format"], values["mode"], int(values["sector"]))


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Runs a command in a virtual machine; exits with its status,"
        " or 125 when the guest died or its kernel found a fault."
    )
    parser.add_argument("--kernel", default="stock", help="stock (default) or debug")
    parser.add_argument(
        "--disk",
        action="append",
        default=[],
        metavar="FILE[,format=F][,snapshot|ro|rw|durable][,sector=N]",
        help="a disk of the guest; as often as wanted",
    )
    parser.add_argument("--payload", type=Path, help="folder to show as /payload")
    parser.add_argument("--result", type=Path, help="folder that gets /result")
    parser.add_argument("--mem", type=int, default=2048, help="MiB")
    parser.add_argument("--smp", type=int, default=2)
    parser.add_argument("--timeout", type=float, help="seconds")
    parser.add_argument("--append", default="", help="words for the kernel")
    parser.add_argument("--interactive", action="store_true", help="on the terminal")
    parser.add_argument("command", nargs="?", default="bash -il")
    options = vars(parser.parse_args())
    command = options.pop("command")
    try:
        options["disks"] = [parse_disk(text) for text in options.pop("disk")]
        result = run(command, echo=not options["interactive"], **options)
    except VmError as error:
        sys.exit(f"vm.py: {error}")
    except KeyboardInterrupt:
        return 130
    if result.status is None or result.splats:
        print(result.summary(), file=sys.stderr)
        return 125
    return result.status


if __name__ == "__main__":
    sys.exit(main())
