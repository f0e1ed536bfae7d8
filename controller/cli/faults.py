"""What can go wrong for the ``lango`` command, drawn as a tree.

* Fault                 what, why and the next command to try; exit code 1
  - WrongUse            2: an argument or a setting cannot be
  - Missing             3: there is no such thing
  - NotAllowed          4: no key, a wrong key, or too many wrong ones
  - InTheWay            5: something else is there already
  - Unreachable         6: no controller answers
  - Degraded            7: it works, but not all of it
"""

from __future__ import annotations


class Fault(Exception):  # noqa: N818 - a fault is not always an error
    """Something went wrong: ``what`` happened, ``why``, and the ``next_step`` to try."""

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step


class WrongUse(Fault):
    """An argument or a setting cannot be."""

    exit_code = 2


class Missing(Fault):
    """There is no such thing."""

    exit_code = 3


class NotAllowed(Fault):
    """No key, a wrong key, or too many wrong ones."""

    exit_code = 4


class InTheWay(Fault):
    """Something else is there already."""

    exit_code = 5


class Unreachable(Fault):
    """No controller answers."""

    exit_code = 6


class Degraded(Fault):
    """It works, but not all of it."""

    exit_code = 7


BY_STATUS: dict[int, type[Fault]] = {
    400: WrongUse,
    401: NotAllowed,
    403: NotAllowed,
    404: Missing,
    409: InTheWay,
    413: WrongUse,
    422: WrongUse,
    429: NotAllowed,
}
"""Which fault an HTTP status is; any other is a plain `Fault`."""
