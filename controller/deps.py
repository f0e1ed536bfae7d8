"""The frozen handful of things that everything in the controller is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.notify.absent import AbsentEmail, AbsentSms

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from controller.config import Settings
    from controller.edge.authority import Authority
    from controller.notify.email import Email
    from controller.notify.sms import Sms
    from controller.payments.gateway import PaymentGateway
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
    sms: Sms = field(default_factory=AbsentSms)
    email: Email = field(default_factory=AbsentEmail)
