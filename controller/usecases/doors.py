"""Addresses that providers are told once and post to for ever: one secret for each, none kept.

A secret is made from the vault's key and the door's name, so every process knows it, the database
does not, and a backup of the database opens nothing.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.vault import Vault

SECRET_CHARS = 48

PAYBILL, AIRTEL, CARD, BANK, SMS = "paybill", "airtel", "card", "bank", "sms"
VALIDATE = "validate"
"""Where M-PESA asks before it takes money: the PayBill's door too, by the same secret."""

DOORS = (PAYBILL, AIRTEL, CARD, BANK, SMS)
"""Whose doors there are. No provider's own name: Daraja refuses addresses with its own."""

PATHS = {
    PAYBILL: "/callbacks/c2b/{secret}/confirm",
    VALIDATE: "/callbacks/c2b/{secret}/validate",
    AIRTEL: "/callbacks/airtel/{secret}",
    CARD: "/callbacks/card/{secret}",
    BANK: "/callbacks/bank/{secret}",
    SMS: "/callbacks/sms/{secret}",
}


def secret_of(vault: Vault, door: str) -> str:
    """The unguessable part of a door's address: 48 hexadecimal digits."""
    return vault.fingerprint("door", door)[:SECRET_CHARS]


def opens(deps: Deps, door: str, offered: str) -> bool:
    """Whether ``offered`` is the door's secret, compared in constant time."""
    return hmac.compare_digest(offered.encode(), secret_of(deps.vault, door).encode())


def address_of(deps: Deps, door: str) -> str:
    """The whole address, to be given to the provider and to nobody else."""
    return address(deps.vault, deps.settings.public_url, door)


def validate_address(deps: Deps) -> str:
    """Where M-PESA asks before it takes money."""
    return address(deps.vault, deps.settings.public_url, VALIDATE)


def address(vault: Vault, public_url: str, door: str) -> str:
    """The same, for who has the vault and no controller."""
    secret = secret_of(vault, PAYBILL if door == VALIDATE else door)
    return public_url + PATHS[door].format(secret=secret)
