"""Command lines of children that cannot outlive their parent, however it ends."""

from __future__ import annotations

import os
import shutil

_STILL_MINE = 'test "$PPID" = "$0" && exec "$@"'


def mortal(*argv: str) -> list[str]:
    """``argv`` wrapped so that the kernel kills it when the thread that starts it ends.

    Without setpriv (util-linux) it is ``argv`` as it stands: then a killed parent leaves orphans.
    """
    if shutil.which("setpriv") is None:
        return list(argv)
    # The parent may die before the kernel is told: then the child has another parent by now.
    asked = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", _STILL_MINE, str(os.getpid())]
    return [*asked, *argv]
