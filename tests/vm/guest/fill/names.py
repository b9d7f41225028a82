# SPDX-License-Identifier: GPL-2.0-only
"""Names: lengths, scripts, surrogates, case pairs, and what Windows would not allow."""

from __future__ import annotations

import os

from .content import attempt, write

SCRIPTS = [
    "plain.txt", "ÄÖÜ ß ẞ", "Ελληνικά", "Русский текст", "עברית", "العربية", "हिन्दी", "ไทย", "日本語の名前",
    "한국어", "汉字漢字", "Tiếng Việt", "ქართული", "ⴰⵎⴰⵣⵉⵖ", "emoji 😀👩‍👩‍👧.png", "𝒎𝒂𝒕𝒉", "𐍈𐌰", "e\u0301 decomposed",
    "é composed", "zero\u200bwidth", "\ufeffbom", "\uffff last", "\ue000 private",
]  # fmt: skip
# Names that differ only in case, in ASCII and out of it: two files each in the POSIX namespace.
CASE_PAIRS = [("case", "CASE"), ("Mixed.Txt", "mIXED.tXT"), ("ärger", "ÄRGER"), ("ωμέγα", "ΩΜΈΓΑ"), ("я", "Я"), ("ÿ", "Ÿ")]
NOT_FOR_WINDOWS = [
    "trailing dot.", "trailing space ", "..three", "CON", "NUL", "com1.txt", "aux", "a*b", "what?", 'quo"te', "<less",
    "more>", "pi|pe", "back\\slash", "tab\there", "new\nline", "\x01\x02", "\x7f", "colon:name", "$dollar", " ", "...",
]  # fmt: skip
# Units of UTF-16 that belong to no pair, in the form that ntfs-3g takes and gives: three bytes each.
LONE_SURROGATES = [b"high\xed\xa0\x80end", b"low\xed\xbf\xbf", b"\xed\xb0\x80\xed\xa0\x80swapped"]


def fill(root: str, scale: int) -> None:
    problems: list[str] = []
    for length in (1, 2, 12, 13, 254, 255):
        attempt(problems, f"{length} units", write, f"{root}/{'n' * length}", length)
    attempt(problems, "255 wide units", write, f"{root}/{'語' * 255}", 20)
    attempt(problems, "127 pairs and one", write, f"{root}/{'😀' * 127}x", 21)
    for name in SCRIPTS if scale > 1 else SCRIPTS[::3]:
        attempt(problems, name, write, f"{root}/{name}", 30)
    for one, other in CASE_PAIRS if scale > 1 else CASE_PAIRS[:3]:
        attempt(problems, one, write, f"{root}/{one}", 40)
        attempt(problems, other, write, f"{root}/{other}", 41)
    for name in NOT_FOR_WINDOWS if scale > 1 else NOT_FOR_WINDOWS[:4]:
        attempt(problems, name, write, f"{root}/{name}", 50)
    for raw in LONE_SURROGATES:
        attempt(problems, repr(raw), write, os.fsencode(root) + b"/" + raw, 60)
    deep = root
    for level in range(40 if scale > 1 else 8):
        deep += f"/level {level}"
        os.mkdir(deep)
    write(f"{deep}/at the bottom", 70)
    if problems:
        write(f"{root}/not taken by ntfs-3g", 0)
        os.setxattr(f"{root}/not taken by ntfs-3g", "user.problems", "\n".join(problems).encode("utf-8", "surrogateescape")[:900])
