"""The simulated card world: transactions, authorisations, refunds, and the money of cards.

# Invariant: what left the cards' balances is what ``settled`` adds up to, refunds taken off.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.sandbox.paystack.cards import Manner
from controller.sandbox.paystack.requests import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from controller.sandbox.paystack.cards import Typed
    from controller.sandbox.paystack.faults import Faults
    from controller.sandbox.paystack.requests import Asked
    from controller.sandbox.paystack.settings import PaystackSimSettings
    from controller.sandbox.remote import Chores, Setting

FIRST_ID = 4_100_000_001
FIRST_REFUND_ID = 7_200_001
FIRST_DISPUTE_ID = 3_100_001
ANSWER_WITHIN = timedelta(days=2)
ACCEPTED = "merchant-accepted"
PAYMENTS_MAX = 100_000
DONE = ("success", "failed")


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What lets a card be charged again, with the address of its holder."""

    code: str
    email: str
    typed: Typed
    reusable: bool


@dataclass(slots=True)
class Payment:
    """One transaction. ``status`` is ``abandoned`` until somebody has tried to pay."""

    id: int
    access_code: str
    asked: Asked
    asked_at: datetime
    status: str = "abandoned"
    gateway_response: str = ""
    paid_at: datetime | None = None
    authorisation: Authorisation | None = None
    waits_for_holder: bool = False
    is_stored: bool = False
    asked_since_paid: int = 0


@dataclass(slots=True)
class Refund:
    """Money on its way back."""

    id: int
    payment: Payment
    amount: int
    merchant_note: str
    customer_note: str
    created_at: datetime
    status: str = "pending"


@dataclass(slots=True)
class Dispute:
    """A holder whose bank wants a payment back, until ``resolution`` ends it."""

    id: int
    payment: Payment
    amount: int
    due_at: datetime
    resolution: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Money that moved, in cents: in by card or stored card, out by refund or dispute."""

    kind: str
    receipt: str
    cents: int
    reference: str
    at: datetime


class Bank:
    """All of it. ``tell`` carries an event: its name and what it is about."""

    def __init__(
        self,
        settings: PaystackSimSettings,
        setting: Setting[Faults],
        *,
        now: Callable[[], datetime],
        tell: Callable[[str, Payment | Refund | Dispute], Coroutine[None, None, None]],
        chores: Chores,
    ) -> None:
        self.settings = settings
        self.now = now
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[int, Refund] = {}
        self.disputes: dict[int, Dispute] = {}
        self.settled: list[Settled] = []
        self.cards: dict[str, int] = {}
        self.authorisations: dict[str, Authorisation] = {}
        self._setting = setting
        self._tell = tell
        self._chores = chores

    def open(self, asked: Asked) -> Payment:
        """A new transaction. Raises `Refused` for a reference that was used before."""
        if asked.reference in self.payments:
            raise Refused(400, "duplicate_reference", "Duplicate Transaction Reference")
        if len(self.payments) >= PAYMENTS_MAX:
            raise Refused(429, "rate_limited", "Too many requests")
        payment = Payment(FIRST_ID + len(self.payments), secrets.token_hex(8), asked, self.now())
        self.payments[asked.reference] = payment
        return payment

    def by_access_code(self, access_code: str) -> Payment | None:
        """The transaction behind a page."""
        found = (p for p in self.payments.values() if p.access_code == access_code)
        return next(found, None)

    def type_card(self, payment: Payment, typed: Typed) -> None:
        """The payer types a card on the page; a bank may want the holder first."""
        reusable = not self._setting.faults.card_not_reusable
        payment.authorisation = Authorisation(
            f"AUTH_{secrets.token_hex(5)}", payment.asked.email, typed, reusable
        )
        if typed.card.manner is Manner.ASKS:
            payment.status, payment.waits_for_holder = "ongoing", True
            return
        self._decide(payment, agreed=True)

    def confirm(self, payment: Payment, *, agreed: bool) -> None:
        """The holder answers the question of the bank."""
        payment.waits_for_holder = False
        self._decide(payment, agreed=agreed)

    def charge(self, asked: Asked, code: str) -> Payment:
        """Charge a stored card. Raises `Refused` for one that is not good, or not this payer's."""
        faults = self._setting.faults
        found = self.authorisations.get(code)
        if found is None or found.email != asked.email or not found.reusable:
            raise invalid("Authorization code is invalid or does not belong to this customer")
        if faults.charge_token_expired:
            raise invalid("Authorization code has expired")
        payment = self.open(asked)
        payment.authorisation, payment.is_stored = found, True
        if faults.charge_wants_holder or found.typed.card.manner is Manner.ASKS:
            payment.status, payment.waits_for_holder = "ongoing", True
        else:
            self._decide(payment, agreed=True)
        return payment

    def refund(self, payment: Payment, amount: int, *, merchant: str, customer: str) -> Refund:
        """Take a refund. Raises `Refused` for more than is left of the payment."""
        if payment.status != "success":
            raise invalid("Transaction was not successful")
        if amount > payment.asked.amount - self._given_back(payment):
            raise invalid("Refund amount exceeds what is left of the transaction")
        refund = Refund(
            FIRST_REFUND_ID + len(self.refunds), payment, amount, merchant, customer, self.now()
        )
        self.refunds[refund.id] = refund
        self._chores.start(lambda: self._carry_back(refund))
        return refund

    def finish(self, refund: Refund, status: str) -> None:
        """End a refund that was on its way: ``processed`` or ``failed``."""
        refund.status = status
        if status == "processed":
            self._move(refund.payment, -refund.amount, "refund", str(refund.id))
        self._chores.start(lambda: self._tell(f"refund.{status}", refund))

    def dispute(self, payment: Payment, amount: int) -> Dispute:
        """The holder's bank asks. Raises `Refused` for more than was paid."""
        if payment.status != "success" or not 0 < amount <= payment.asked.amount:
            raise invalid("Only what was paid can be disputed")
        number = FIRST_DISPUTE_ID + len(self.disputes)
        made = Dispute(number, payment, amount, self.now() + ANSWER_WITHIN)
        self.disputes[made.id] = made
        self._chores.start(lambda: self._tell("charge.dispute.create", made))
        return made

    def resolve(self, dispute: Dispute, resolution: str) -> None:
        """End a dispute: ``merchant-accepted`` or ``declined``."""
        dispute.resolution = resolution
        if resolution == ACCEPTED:
            self._move(dispute.payment, -dispute.amount, "dispute", str(dispute.id))
        self._chores.start(lambda: self._tell("charge.dispute.resolve", dispute))

    def _decide(self, payment: Payment, *, agreed: bool) -> None:
        held = payment.authorisation
        assert held is not None, "only a card that was typed or stored is charged"
        left = self.cards.setdefault(held.typed.card.number, self.settings.opening_cents)
        declined = not agreed or held.typed.card.manner is Manner.DECLINES
        if declined or left < payment.asked.amount:
            payment.status = "failed"
            payment.gateway_response = "Declined" if declined else "Insufficient Funds"
            self._chores.start(lambda: self._tell("charge.failed", payment))
            return
        payment.status, payment.gateway_response = "success", "Successful"
        payment.paid_at = self.now()
        self.authorisations[held.code] = held
        kind = "stored" if payment.is_stored else "card"
        self._move(payment, payment.asked.amount, kind, str(payment.id))
        self._chores.start(lambda: self._tell("charge.success", payment))

    def _move(self, payment: Payment, cents: int, kind: str, receipt: str) -> None:
        held = payment.authorisation
        assert held is not None, "money moves from and to a card"
        self.cards[held.typed.card.number] -= cents
        self.settled.append(Settled(kind, receipt, abs(cents), payment.asked.reference, self.now()))

    def _given_back(self, payment: Payment) -> int:
        mine = (r for r in self.refunds.values() if r.payment is payment)
        return sum(r.amount for r in mine if r.status != "failed")

    async def _carry_back(self, refund: Refund) -> None:
        await self._tell("refund.pending", refund)
        await asyncio.sleep(self.settings.working_ms / 1000)
        faults = self._setting.faults
        if refund.status == "pending" and not faults.refund_stays_open:
            self.finish(refund, "failed" if faults.refund_fails_later else "processed")
