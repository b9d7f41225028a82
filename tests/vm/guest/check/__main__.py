# SPDX-License-Identifier: GPL-2.0-only
"""`python3 -m guest.check IMAGE [OFFSET]` (from tests/vm): one line a complaint. The exit status is that of
fsck: 4 when there is one, and 8 when the checker itself fails."""

from __future__ import annotations

import sys
import traceback

from . import check


def main() -> int:
    complaints = check(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    for line in complaints:
        print(line.encode("ascii", "backslashreplace").decode())
    return 4 if complaints else 0


if __name__ == "__main__":
    try:
        status = main()
    except Exception:
        traceback.print_exc()
        status = 8
    sys.exit(status)
