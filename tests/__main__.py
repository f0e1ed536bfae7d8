"""``python -m tests`` runs every test, in two parts at once; what follows goes to pytest, of both.

The kernel lab mostly waits, and must not be kept waiting: so the rest gives way to it. What the lab
has to say comes last, whole. Without root there is no lab, and that is said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LAB = ("-m", "root", "-n", "3", "--dist", "loadfile")
"""A worker keeps the tests of a file together: they share a lab."""

REST = ("-m", "not root", "-n", "3", "--dist", "worksteal")
"""Who is done takes from the others; by files, the longest story would be told alone at the end."""

GIVES_WAY = 19
NONE_FOUND, INTERRUPTED = 5, 130
NO_LAB = "Not run: the tests of the kernel lab, which need root (sudo make test)."


def main(arguments: Sequence[str]) -> int:
    """Run them; 0 when all passed. With arguments one of the parts may have nothing to run."""
    well = {0, NONE_FOUND} if arguments else {0}
    with ExitStack() as until_both_end, tempfile.TemporaryFile() as report:
        begun = []
        if os.geteuid() == 0:
            begun.append(until_both_end.enter_context(_begun(LAB, arguments, into=report)))
        begun.append(until_both_end.enter_context(_begun(REST, arguments, nice=GIVES_WAY)))
        ends = [one.wait() for one in reversed(begun)]
        report.seek(0)
        told = report.read().decode(errors="replace")
    sys.stdout.write(f"The kernel lab:\n{told}" if told else f"{NO_LAB}\n")
    return 0 if well.issuperset(ends) else 1


def _begun(
    part: Sequence[str],
    arguments: Sequence[str],
    *,
    into: IO[bytes] | None = None,
    nice: int = 0,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *part, *arguments],
        stdout=into,
        stderr=None if into is None else subprocess.STDOUT,
        preexec_fn=lambda: os.nice(nice),  # noqa: PLW1509 - one system call, no thread yet
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)  # both parts had the same signal, have ended, and said so
