"""The gateway that ships for tests and demonstrations: no network, no money, scripted.

By default each push is accepted and stays open until the test says what the payer did
(`pay`, `refuse`). `script` says beforehand how the next pushes are answered, one each:

    gateway.script(Scripted.ACCEPT, Scripted.REFUSE, Scripted.LOSE)

`callback` gives the bytes that the provider would post; the caller delivers them, once, late, ten
times or never.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from billing.money import Money
from billing.msisdn import masked
from billing.payment import Evidence, Reason
from controller.payments.codes import PAID_CODE, meaning
from controller.payments.gateway import (
    CallbackUnreadable,
    Dispute,
    GatewayError,
    Outcome,
    PushAnswer,
    RefundOutcome,
    Resolution,
    Trust,
)
from controller.payments.mpesa_callback import read_callback
from controller.payments.mpesa_wire import EAT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.payments.gateway import Push, Refund, StoredCard

PROVIDER_ID = "ws_CO_{number:024d}"
RECEIPT = "SIM{number:07d}"
REFUND_ID = "AG_{}"


class Scripted(Enum):
    """How one push is answered."""

    ACCEPT = "accept"  # taken: the payer is asked
    PAY_FIRST = "pay_first"  # taken, and the payer has paid before we hear that it was taken
    REFUSE = "refuse"  # turned away for our configuration
    BUSY = "busy"  # turned away: the payer's line is busy
    SLOW = "slow"  # turned away for load
    LOSE = "lose"  # taken, but the answer never comes
    DROP = "drop"  # neither taken nor answered


_TURNED_AWAY = {
    Scripted.REFUSE: ("500.001.1001", Reason.OUR_SIDE),
    Scripted.BUSY: ("500.001.1001", Reason.LINE_BUSY),
    Scripted.SLOW: ("500.003.02", Reason.PROVIDER_SLOW),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One push that the payer's phone knows of, and what became of it (``code`` None: open)."""

    provider_id: str
    push: Push
    number: int
    code: str | None = None
    paid_at: datetime | None = None

    @property
    def receipt(self) -> str:
        """The receipt that it has, or would have."""
        return RECEIPT.format(number=self.number)


class MemoryGateway:
    """A `PaymentGateway`, and a `StoredCards`, whose payers do as they are told."""

    def __init__(
        self,
        *,
        rail: str = "mpesa",
        place: str = "600111",
        trust: Trust = Trust.ADDRESS,
        takes_our_name: bool = False,
    ) -> None:
        self.rail, self.place, self.trust = rail, place, trust
        self.takes_our_name = takes_our_name
        self.refunds: dict[str, Refund] = {}
        self.refund_evidence = Evidence.ACCEPTED
        """What a refund is answered; `query_refund` says PAID once it was taken."""
        self.asked: dict[str, Asked] = {}
        self.cards: dict[str, StoredCard] = {}
        """Cards that payments were made with, by order: told with the outcome of those paid."""
        self.charged: list[tuple[Push, StoredCard]] = []
        self.confirm_at: str | None = None
        """Where the holder of a stored card is sent to confirm a charge; None: no bank asks."""
        self.pushes: list[Push] = []
        self.queries: list[str] = []
        self.reachable = True
        self._script: deque[Scripted] = deque()

    def script(self, *answers: Scripted) -> None:
        """Answer the next pushes so, one each; afterwards every push is accepted again."""
        self._script.extend(answers)

    def pay(self, provider_id: str, now: datetime) -> str:
        """The payer types the right PIN. The receipt; `ValueError` when it is already decided."""
        self._decide(provider_id, PAID_CODE, now)
        return self.asked[provider_id].receipt

    def refuse(self, provider_id: str, code: str = "1032") -> None:
        """The payer cancels, or whatever else ``code`` means."""
        self._decide(provider_id, code, None)

    def callback(self, provider_id: str, *, amount: Money | None = None) -> bytes:
        """What the provider would post. ``amount`` instead of the true one makes it a lie."""
        asked = self.asked[provider_id]
        if asked.code is None:
            raise ValueError(f"{provider_id} is still open")
        told = asked.push.amount if amount is None else amount
        body: dict[str, object] = {
            "MerchantRequestID": f"memory-{asked.number}",
            "CheckoutRequestID": provider_id,
            "ResultCode": int(asked.code) if asked.code.isdigit() else asked.code,
            "ResultDesc": meaning(asked.code).text,
        }
        if asked.paid_at is not None:
            body["CallbackMetadata"] = {"Item": _items(asked, told, asked.paid_at)}
        return json.dumps({"Body": {"stkCallback": body}}).encode()

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Answer as scripted."""
        self.pushes.append(push)
        how = self._script.popleft() if self._script else Scripted.ACCEPT
        if how in _TURNED_AWAY:
            code, reason = _TURNED_AWAY[how]
            return PushAnswer(Evidence.NOT_SENT, None, code, reason)
        if how is Scripted.DROP:
            return PushAnswer(Evidence.NO_ANSWER, None, "no-answer", None)
        provider_id = self._take(push)
        if how is Scripted.LOSE:
            return PushAnswer(Evidence.NO_ANSWER, None, "no-answer", None)
        if how is Scripted.PAY_FIRST:
            self.pay(provider_id, now)
        return PushAnswer(Evidence.ACCEPTED, provider_id, "0", None)

    async def query(self, provider_id: str, now: datetime) -> Outcome:  # noqa: ARG002 - the seam's
        """What became of it; still open for an id that was never seen. Raises `GatewayError`."""
        self.queries.append(provider_id)
        if not self.reachable:
            raise GatewayError("the provider cannot be reached")
        asked = self.asked.get(provider_id)
        code = "4999" if asked is None or asked.code is None else asked.code
        says = meaning(code)
        return self._with_card(Outcome(says.evidence, provider_id, code, says.reason))

    async def charge(self, push: Push, card: StoredCard, now: datetime) -> PushAnswer:
        """As a push, with nobody to prompt; once for an order."""
        for asked in self.asked.values():
            if asked.push.order_id == push.order_id:
                return PushAnswer(Evidence.ACCEPTED, asked.provider_id, "0", None)
        self.charged.append((push, card))
        return replace(await self.push(push, now), pay_at=self.confirm_at)

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:  # noqa: ARG002 - the seam's
        """Read a callback; the wire form is M-PESA's. Raises `CallbackUnreadable`."""
        return self._with_card(read_callback(body))

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Take it, once for each id, unless told otherwise."""
        evidence = self.refund_evidence
        if evidence is Evidence.NOT_SENT:
            return RefundOutcome(evidence, "turned-away")
        self.refunds.setdefault(refund.refund_id, refund)
        if evidence is Evidence.NO_ANSWER:
            return RefundOutcome(evidence, "no-answer")
        return RefundOutcome(evidence, "0", REFUND_ID.format(refund.refund_id))

    async def query_refund(self, refund: Refund, provider_id: str, now: datetime) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Whether it was given back. Raises `GatewayError`."""
        if not self.reachable:
            raise GatewayError("the provider cannot be reached")
        if refund.refund_id not in self.refunds:
            return RefundOutcome(Evidence.STILL_OPEN, "4999", provider_id)
        return RefundOutcome(Evidence.PAID, "0", provider_id, _given(refund.refund_id))

    def refund_result(self, refund_id: str, *, code: str = "0") -> bytes:
        """What the provider would post of a refund."""
        return json.dumps({"refund": refund_id, "code": code}).encode()

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Read what `refund_result` wrote. Raises `CallbackUnreadable`."""
        try:
            told = json.loads(body)
            refund_id, code = str(told["refund"]), str(told["code"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CallbackUnreadable("body", "is no result of a refund") from error
        name = REFUND_ID.format(refund_id)
        if code != PAID_CODE:
            return RefundOutcome(Evidence.REFUSED, code, name)
        return RefundOutcome(Evidence.PAID, code, name, _given(refund_id))

    def dispute(self, receipt: str, resolution: str = "", *, minor: int = 0) -> bytes:
        """What the provider would post of a dispute; without a resolution it has just opened."""
        told = {"dispute": receipt, "resolution": resolution, "minor": minor}
        return json.dumps(told).encode()

    def parse_dispute(self, body: bytes, headers: Mapping[str, str]) -> Dispute:  # noqa: ARG002 - the seam's
        """Read what `dispute` wrote. Raises `CallbackUnreadable`."""
        try:
            told = json.loads(body)
            receipt, ended, minor = told["dispute"], told["resolution"], told["minor"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CallbackUnreadable("body", "is not about a dispute") from error
        amount = Money(minor) if minor else None
        return Dispute(receipt, Resolution(ended) if ended else None, amount)

    def _with_card(self, outcome: Outcome) -> Outcome:
        asked = self.asked.get(outcome.provider_id)
        if asked is None or outcome.evidence is not Evidence.PAID:
            return outcome
        return replace(outcome, card=self.cards.get(asked.push.order_id))

    def _take(self, push: Push) -> str:
        number = len(self.asked) + 1
        provider_id = PROVIDER_ID.format(number=number)
        if self.takes_our_name:
            provider_id = push.order_id
        self.asked[provider_id] = Asked(provider_id, push, number)
        return provider_id

    def _decide(self, provider_id: str, code: str, paid_at: datetime | None) -> None:
        asked = self.asked[provider_id]
        if asked.code is not None:
            payer = masked(asked.push.msisdn)
            raise ValueError(f"{provider_id} of {payer} is decided already: {asked.code}")
        self.asked[provider_id] = replace(asked, code=code, paid_at=paid_at)


def _given(refund_id: str) -> str:
    return f"RF{refund_id[:8].upper()}"


def _items(asked: Asked, amount: Money, paid_at: datetime) -> list[dict[str, object]]:
    shillings, cents = divmod(amount.minor, 100)
    return [
        {"Name": "Amount", "Value": f"{shillings}.{cents:02d}"},
        {"Name": "MpesaReceiptNumber", "Value": asked.receipt},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": int(paid_at.astimezone(EAT).strftime("%Y%m%d%H%M%S"))},
        {"Name": "PhoneNumber", "Value": int(asked.push.msisdn)},
    ]
