"""What customers call a wallet, and what is true of one and not of another. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.msisdn import AIRTEL, MPESA
from billing.payment import Reason

if TYPE_CHECKING:
    from portal.captive.gate import SiteFace
    from portal.captive.text import Tongue

_NAMES = {MPESA: "M-PESA", AIRTEL: "Airtel Money"}


def several(face: SiteFace) -> tuple[str, ...]:
    """The wallets to choose from; none where only one collects."""
    return face.rails if len(face.rails) > 1 else ()


def asked(face: SiteFace, rail: str = "") -> str:
    """What the wallet of an order is called; of an order that names none, the site's first."""
    return name(rail or (face.rails[0] if face.rails else MPESA))


def name(rail: str) -> str:
    """What a rail is called."""
    return _NAMES.get(rail, rail)


def why_not(reason: Reason, wallet: str, t: Tongue) -> str:
    """The sentence why nothing came from a wallet, which is called so.

    That three wrong PINs lock is known of M-PESA only.
    """
    if reason is Reason.WRONG_PIN and wallet != _NAMES[MPESA]:
        return t("reason.wrong_pin_elsewhere", wallet=wallet)
    return t(f"reason.{reason}", wallet=wallet)
