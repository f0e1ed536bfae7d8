"""The frozen handful of things that everything in the controller is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.msisdn import WALLETS
from controller.choices import Choices
from controller.notify.absent import AbsentEmail, AbsentSms, AbsentWebhooks
from controller.notify.outside import AbsentOutside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from controller.config import Settings
    from controller.edge.authority import Authority
    from controller.jobs import Rounds
    from controller.notify.email import Email
    from controller.notify.outside import Outside
    from controller.notify.sms import Sms
    from controller.notify.webhook import Webhooks
    from controller.payments.bank_notice import BankSettings
    from controller.payments.gateway import PaymentGateway, StoredCards
    from controller.payments.mpesa_account import MpesaAccount
    from controller.signals import Signals
    from controller.store.database import Database
    from controller.vault import Vault


@dataclass(frozen=True, slots=True)
class Deps:
    """What ``main.py`` built. Passed down, never imported; tests build their own with fakes."""

    settings: Settings
    db: Database
    now: Callable[[], datetime]
    signals: Signals
    vault: Vault
    authority: Authority
    gateway: PaymentGateway
    """The rail by which orders are collected unless the payer chooses another."""
    sms: Sms = field(default_factory=AbsentSms)
    email: Email = field(default_factory=AbsentEmail)
    webhooks: Webhooks = field(default_factory=AbsentWebhooks)
    more_gateways: tuple[PaymentGateway, ...] = ()
    mpesa: MpesaAccount | None = None
    """All that Daraja does for our shortcode beside collecting; None without an account."""
    cards: StoredCards | None = None
    bank: BankSettings | None = None
    outside: Outside = field(default_factory=AbsentOutside)
    """Who asks our own public address, as a stranger would."""
    choices: Choices = field(default_factory=Choices)
    """What is fixed for this controller outside its database, and what it began with."""
    rounds: dict[str, Rounds] = field(default_factory=dict, compare=False)
    """How the jobs of this process went, by name: what staff see of them."""

    @property
    def rails(self) -> Mapping[str, PaymentGateway]:
        """Every rail that collects for us, by name."""
        return {one.rail: one for one in (*self.more_gateways, self.gateway)}

    @property
    def wallets(self) -> tuple[str, ...]:
        """The rails by which money is asked for on a phone, the first one first."""
        gateways = (self.gateway, *self.more_gateways)
        return tuple(one.rail for one in gateways if one.place and one.rail in WALLETS)
