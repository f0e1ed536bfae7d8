"""What messages cost: whole numbers of 1/10,000 of a shilling, for carriers charge 0.8000. PURE."""

from __future__ import annotations

import re

E4 = 10_000
"""Ten-thousandths of a shilling in one shilling."""

_WRITTEN = re.compile(r"KES ([0-9]{1,5})(?:\.([0-9]{1,8}))?")


def cost_e4(told: object) -> int | None:
    """``KES 0.8000`` as a number; None for anything else, other currencies included."""
    written = _WRITTEN.fullmatch(told) if isinstance(told, str) else None
    if written is None:
        return None
    whole, decimals = written.groups(default="")
    return int(whole) * E4 + int((decimals + "0000")[:4])


def written_cost(cost: int) -> str:
    """For programs: ``0.8000`` shillings."""
    whole, rest = divmod(cost, E4)
    return f"{whole}.{rest:04d}"
