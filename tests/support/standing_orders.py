"""The real client of Daraja's other doors, pointed at a simulated network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_settings import MpesaSettings
from controller.payments.tokens import MemoryTokenStore

if TYPE_CHECKING:
    from tests.support.daraja import World


def an_account(network: World, public_url: str) -> MpesaAccount:
    """A shortcode in the simulated network, of a controller at ``public_url``."""
    told = network.settings
    return MpesaAccount(
        MpesaSettings(
            base_url=network.url,
            shortcode=told.shortcode,
            consumer_key=told.consumer_key,
            consumer_secret=told.consumer_secret,
            passkey=told.passkey,
            callback_url=f"{public_url}/callbacks/stk/",
        ),
        http=network.http,
        tokens=MemoryTokenStore(),
    )
