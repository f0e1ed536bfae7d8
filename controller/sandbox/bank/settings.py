"""What the simulated bank is told. PURE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BankSimSettings:
    """One account. ``callback_url`` is where its notices go; ``key_path`` keeps the bank's key."""

    account: str = "1100223344"
    key_path: str = ""
    callback_url: str = ""
