# SPDX-License-Identifier: GPL-2.0-only
"""What needs no virtual machine: formatting, lints, the host's tests, the object, the rules of the source tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from context import CACHE, ROOT, Context

RUSTC = "/usr/bin/rustc"
RESULT = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
WARNING = re.compile(r"\bwarning\b(?!s? as errors)", re.IGNORECASE)


def sources() -> Iterator[Path]:
    """Every file of the checkout that is ours to write."""
    listed = subprocess.run(
        ["find", ".", "-name", ".git", "-prune", "-o", "-name", "target", "-prune", "-o", "-name", "__pycache__", "-prune", "-o", "-type", "f", "-print"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in sorted(listed.splitlines()):
        yield ROOT / name


def tail_of(text: str, lines: int = 25) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def cargo(context: Context) -> None:
    report = context.report
    os.environ.setdefault("CARGO_TARGET_DIR", str(CACHE / "target"))
    os.environ.setdefault("CARGO_TERM_COLOR", "never")
    done = context.command("cargo-fmt", "cargo", "fmt", "--all", "--check")
    report.check("the Rust sources are formatted", tail_of(done.stdout) if done.returncode else "")
    for package in ("ntfs_rs", "model"):
        done = context.command(f"cargo-clippy-{package}", "cargo", "clippy", "-p", package, "--all-targets", "--", "-D", "warnings")
        report.check(f"clippy has nothing to say of {package} on the host", tail_of(done.stdout) if done.returncode else "")
    cargo_test(context, "cargo test", 100, "--lib")
    cargo_test(context, "cargo test of whole images", 10, "--release", "--test", "*")
    cargo_test(context, "cargo test of the model of threads", 4, "-p", "model")


def cargo_test(context: Context, title: str, least: int, *words: str) -> None:
    """Runs the tests of a package, of which at the least so many must pass."""
    report = context.report
    done = context.command(title.replace(" ", "-"), "cargo", "test", "--no-fail-fast", *words)
    results = [tuple(map(int, found.groups())) for found in RESULT.finditer(done.stdout)]
    passed, failed, ignored = (sum(column) for column in zip(*results, strict=True)) if results else (0, 0, 0)
    report.count(passed, 0, ignored)
    failures = re.findall(r"^test (\S+)(?: - should panic)? \.\.\. FAILED$", done.stdout, re.MULTILINE)
    for name in failures:
        where = done.stdout.find(f"---- {name} stdout ----")
        report.failed(f"{title} {name}", done.stdout[where : where + 1500] if where >= 0 else "see the log")
    report.check(f"{title} runs to its end", tail_of(done.stdout) if done.returncode and not failures else "")
    report.check(f"{title} has tests", "" if passed > least else f"only {passed} passed, {failed} failed")


def module(context: Context) -> None:
    report = context.report
    build = CACHE / "kernel" / "stock" / "build"
    out = CACHE / "module" / "lint"
    out.mkdir(parents=True, exist_ok=True)
    words = ["make", "-C", str(build), f"M={ROOT}", f"MO={out}", f"RUSTC={RUSTC}", "W=1", "CLIPPY=1"]
    subprocess.run([*words, "clean"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    # Nobody runs these objects: to optimise them would be most of the time.
    done = context.command("module-lint", *words, "KRUSTFLAGS=-Copt-level=0", "src/lib.o", "src/vfs/helpers.o")
    said = [line for line in done.stdout.splitlines() if WARNING.search(line)]
    report.check("the module builds with W=1 and clippy and no warning", tail_of(done.stdout) if done.returncode else "\n".join(said[:20]))


def rules(context: Context) -> None:
    report = context.report
    files = list(sources())
    rust = [path for path in files if path.suffix == ".rs"]
    texts = {path: path.read_text(errors="replace") for path in rust}

    def relative(path: Path) -> str:
        return str(path.relative_to(ROOT))

    def code(text: str) -> str:
        return re.sub(r"//[^\n]*", "", text)

    unsafe = [
        relative(path) for path, text in texts.items()
        if relative(path).startswith("src/") and not relative(path).startswith("src/vfs/") and re.search(r"\bunsafe\b", code(text))
    ]  # fmt: skip
    report.check("unsafe code is in src/vfs only", ", ".join(unsafe))
    heads = [ROOT / "src" / layer / "mod.rs" for layer in ("ondisk", "fs", "ops")]
    missing = [relative(path) for path in heads if "#![forbid(unsafe_code)]" not in texts.get(path, "")]
    report.check("ondisk, fs and ops forbid unsafe code", ", ".join(missing))
    undocumented = []
    for path, text in texts.items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if re.search(r"\bunsafe \{|\bunsafe impl\b", code(line)) and relative(path).startswith("src/"):
                above = lines[max(number - 14, 0) : number + 1]
                if not any("SAFETY:" in other for other in above):
                    undocumented.append(f"{relative(path)}:{number + 1}")
    report.check("every unsafe block says why it is sound", ", ".join(undocumented))
    upward = [
        f"{relative(path)} names {word}" for path, text in texts.items() for layer, words in
        {"ondisk": ("crate::fs", "crate::vfs", "crate::ops"), "fs": ("crate::vfs", "crate::ops"), "vfs": ("crate::fs", "crate::ops")}.items()
        if relative(path).startswith(f"src/{layer}/") for word in words if re.search(rf"\b{word}\b", code(text))
    ]  # fmt: skip
    report.check("layers depend downwards only", "\n".join(upward))
    plain = [p for p in files if p.suffix in (".rs", ".py", ".sh", ".c", ".h") or p.name in ("Makefile", "Kbuild")]
    unnamed = [relative(p) for p in plain if "SPDX-License-Identifier: GPL-2.0-only" not in "\n".join(p.read_text(errors="replace").splitlines()[:3])]
    report.check("every source file names its licence", ", ".join(unnamed))
    long = [f"{relative(p)}: {len(t.splitlines())}" for p, t in texts.items() if len(t.splitlines()) > 800 and "fixtures" not in relative(p)]
    report.check("no source file is longer than 800 lines", ", ".join(long))
    left = [f"{relative(p)}: {word}" for p, t in texts.items() for word in ("todo!", "unimplemented!", "dbg!") if word in code(t)]
    report.check("nothing is left to do in the code", ", ".join(left))


def documents(context: Context) -> None:
    """What users read names every mount option, and no other."""
    report = context.report
    manual, readme = (ROOT / "tools" / "ntfs_rs.5").read_text(), (ROOT / "README.md").read_text()
    known = set(re.findall(r'Spec::new\(\s*c"([a-z_]+)"', (ROOT / "src" / "ops" / "options.rs").read_text()))
    # The section of options, a request a line, without the marks of fonts.
    section = manual.partition("\n.SH OPTIONS\n")[2].partition("\n.SH ")[0]
    words = {match for line in section.splitlines() for match in re.findall(r"^\.B[IR]? ([a-z_]+)", line)}
    report.check("the man page tells of every mount option", ", ".join(sorted(known - words)) if known else "no option was found")
    heads = re.findall(r"^\.TP\n\.B[IR]? ([a-z_]+)", section, re.MULTILINE)
    report.check("the man page tells of no other mount option", ", ".join(head for head in heads if head not in known))
    unnamed = sorted(name for name in known if not re.search(rf"`{name}(=[^`]*)?`", readme))
    report.check("README.md tells of every mount option", ", ".join(unnamed))
    if shutil.which("groff"):
        done = context.command("groff", "groff", "-man", "-ww", "-z", str(ROOT / "tools" / "ntfs_rs.5"))
        report.check("groff has nothing to say of the man page", tail_of(done.stdout))
    else:
        report.skipped("groff has nothing to say of the man page", "no groff here")


def run(context: Context) -> None:
    rules(context)
    documents(context)
    module(context)
    cargo(context)
