"""What customers call a wallet, and what is true of one and not of another. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.msisdn import AIRTEL, MPESA
from billing.payment import Reason

if TYPE_CHECKING:
    from portal.captive.gate import SiteFace

_NAMES = {MPESA: "M-PESA", AIRTEL: "Airtel Money"}


def several(face: SiteFace) -> tuple[str, ...]:
    """The wallets to choose from; none where only one collects."""
    return face.rails if len(face.rails) > 1 else ()


def name(face: SiteFace, rail: str = "") -> str:
    """What a rail is called; without one, the wallet that the site asks first."""
    asked = rail or (face.rails[0] if face.rails else MPESA)
    return _NAMES.get(asked, asked)


def reason(why: Reason, rail: str) -> str:
    """The key of the sentence why a wallet did not pay.

    That three wrong PINs lock is known of M-PESA only.
    """
    if why is Reason.WRONG_PIN and rail not in {"", MPESA}:
        return "reason.wrong_pin_elsewhere"
    return f"reason.{why}"
