# SPDX-License-Identifier: GPL-2.0-only
"""Results of a guest job, one JSON object a line.

Every case is named by a sentence. The host counts what it finds in the stream; a job that never says
`end` died on the way, and the host counts that as a failure, so a panic cannot look like success.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import traceback
from collections.abc import Iterator
from typing import TextIO


class Skip(Exception):
    """The case cannot be tried here, and the text says why."""


class Report:
    """Writes results to `out`; `prefix` heads every name."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.prefix = ""
        self.failures = 0

    def _line(self, **fields: object) -> None:
        self.out.write(json.dumps(fields) + "\n")
        self.out.flush()

    def _name(self, name: str) -> str:
        return f"{self.prefix}: {name}" if self.prefix else name

    def passed(self, name: str) -> None:
        self._line(case=self._name(name), status="pass")

    def failed(self, name: str, why: str) -> None:
        self.failures += 1
        self._line(case=self._name(name), status="fail", why=why[:4000])

    def skipped(self, name: str, why: str) -> None:
        self._line(case=self._name(name), status="skip", why=why)

    def note(self, text: str) -> None:
        """Something worth reading in the log that is no case."""
        self._line(note=text[:4000], at=round(time.monotonic(), 1))

    def check(self, name: str, problems: list[str]) -> bool:
        """Passes when there is no problem; the first ones are shown."""
        if not problems:
            self.passed(name)
            return True
        more = f"\n... and {len(problems) - 8} more" if len(problems) > 8 else ""
        self.failed(name, "\n".join(problems[:8]) + more)
        return False

    def end(self) -> None:
        self._line(end=True)

    @contextlib.contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Passes unless the block raises; an assertion's text is the reason."""
        try:
            yield
        except Skip as why:
            self.skipped(name, str(why))
        except AssertionError as why:
            where = traceback.extract_tb(sys.exc_info()[2])[-1]
            self.failed(name, f"{why or 'assertion'} ({where.name}:{where.lineno}: {where.line})")
        except Exception as why:  # a broken case must not end the job
            self.failed(name, "".join(traceback.format_exception(why)[-3:]))
        else:
            self.passed(name)


def expect_error(errno_wanted: int | tuple[int, ...], act, *args, **kw) -> None:
    """`act` must fail with (one of) these error numbers."""
    import errno

    wanted = errno_wanted if isinstance(errno_wanted, tuple) else (errno_wanted,)
    try:
        act(*args, **kw)
    except OSError as error:
        assert error.errno in wanted, (
            f"{errno.errorcode.get(error.errno or 0)} instead of "
            f"{'/'.join(errno.errorcode[w] for w in wanted)}: {error}"
        )
    else:
        raise AssertionError(f"succeeded instead of {'/'.join(errno.errorcode[w] for w in wanted)}")
