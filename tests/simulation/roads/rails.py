"""The seams to the providers, in this process: what they answer when they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.money import Money
from billing.payment import Evidence, Reason
from controller.payments import airtel_wire, paystack_refund, paystack_wire
from controller.payments.gateway import (
    CallbackUnreadable,
    GatewayError,
    Outcome,
    PushAnswer,
    RefundOutcome,
    Trust,
)
from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_c2b import Registered
from controller.payments.mpesa_callback import read_callback
from controller.payments.mpesa_initiator import Acked
from controller.payments.mpesa_result import read_refund, read_result
from controller.payments.paystack_settings import PaystackSettings
from controller.payments.seen import Road, Seen
from tests.simulation.roads.bodies import CARD_KEY
from tests.simulation.roads.truth import GivenBack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from controller.payments.gateway import Push, Refund
    from tests.simulation.roads.truth import Prompt, Truth

MERCHANT = PaystackSettings(secret_key=CARD_KEY, merchant="shop")
REFUSED = {"1032": Reason.CANCELLED, "1037": Reason.NO_REPLY}


class Rail:
    """A `PaymentGateway` whose provider is `Truth`; callbacks are read by the product's readers.

    ``how`` answers the next pushes: ``accept``, ``first`` (the payer pays before we hear that it
    was taken: ``paying`` is awaited), ``lose`` (taken, no answer), ``drop`` (neither). ``giving``
    answers the next refunds: ``accept``, ``no``, ``lose``, ``not_sent``.
    """

    def __init__(self, truth: Truth, rail: str, place: str, trust: Trust) -> None:
        self.rail, self.place, self.trust = rail, place, trust
        self.takes_our_name = rail != "mpesa"
        self.how: dict[str, str] = {}
        self.giving: dict[str, str] = {}
        self.paying: Callable[[Prompt], Awaitable[None]] | None = None
        self._truth = truth

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Answer as told."""
        how = self.how.get(push.order_id, "accept")
        ours = push.order_id if self.rail != "mpesa" else None
        if how == "drop":
            return PushAnswer(Evidence.NO_ANSWER, ours, "no-answer", None)
        prompt = self._truth.take(self.rail, push)
        if how == "first" and self.paying is not None:
            await self.paying(prompt)
        if how == "lose":
            return PushAnswer(Evidence.NO_ANSWER, ours, "no-answer", None)
        return PushAnswer(Evidence.ACCEPTED, prompt.name, "0", None)

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """What became of it: M-PESA tells no receipt, Airtel no amount."""
        self._must_be_reachable()
        prompt = self._truth.prompts.get(provider_id)
        if prompt is None or prompt.code is None:
            return Outcome(Evidence.STILL_OPEN, provider_id, "4999", None)
        if prompt.code != "0":
            return Outcome(Evidence.REFUSED, provider_id, prompt.code, REFUSED[prompt.code])
        minor = prompt.push.amount.minor
        return Outcome(
            Evidence.PAID,
            provider_id,
            "0",
            None,
            receipt=None if self.rail == "mpesa" else prompt.receipt,
            amount=Money(minor) if self.rail == "card" else None,
        )

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """As the gateway that ships reads it."""
        if self.rail == "mpesa":
            return read_callback(body)
        if self.rail == "airtel":
            return airtel_wire.read_callback(body)
        return paystack_wire.read_callback(MERCHANT, body, headers)

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:
        """Answer as told; the same refund is taken once."""
        how = self.giving.get(refund.refund_id, "accept")
        if how == "not_sent" or (self.rail == "airtel" and refund.amount != refund.paid):
            return RefundOutcome(Evidence.NOT_SENT, "turned-away")
        name = (
            f"AG_{refund.refund_id}" if self.rail == "mpesa" else str(int(refund.refund_id[:8], 16))
        )
        self._truth.refunds.setdefault(name, GivenBack(refund, self.rail, name))
        if self.rail == "airtel":
            given = self._truth.decide(name, went=how != "no")
            return RefundOutcome(Evidence.PAID if given.went else Evidence.REFUSED, "0", name, name)
        if how == "lose":
            return RefundOutcome(Evidence.NO_ANSWER, "no-answer")
        return RefundOutcome(Evidence.ACCEPTED, "0", name)

    async def query_refund(self, refund: Refund, provider_id: str, now: datetime) -> RefundOutcome:
        """Only the card's provider answers; by our own id too."""
        self._must_be_reachable()
        if self.rail != "card":
            raise GatewayError("told-elsewhere")
        given = next(
            (g for g in self._truth.refunds.values() if g.refund.refund_id == refund.refund_id),
            None,
        )
        if given is None or given.went is None:
            return RefundOutcome(Evidence.STILL_OPEN, "pending", provider_id or None)
        evidence = Evidence.PAID if given.went else Evidence.REFUSED
        return RefundOutcome(evidence, "0", given.name, given.name)

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:
        """As the gateway that ships reads it."""
        if self.rail == "mpesa":
            return read_refund(read_result(body))
        if self.rail == "card":
            return paystack_refund.read_event_of_refund(MERCHANT, body, headers)
        raise CallbackUnreadable("rail", "posts nothing of refunds")

    def _must_be_reachable(self) -> None:
        if not self._truth.reachable:
            raise GatewayError("the provider cannot be reached")


class Account(MpesaAccount):
    """What Daraja does for our shortcode, without a wire; it keeps what it is asked to look up."""

    def __init__(self, truth: Truth, places: tuple[str, ...], *, can_look_up: bool) -> None:
        self.place, self.places, self.can_look_up = places[0], places, can_look_up
        self.asked: list[tuple[str, str]] = []
        self._truth = truth

    async def register_urls(self, confirm_url: str, validate_url: str, now: datetime) -> Registered:
        """Registered."""
        return Registered(is_new=True)

    async def register_pull(self, callback_url: str, now: datetime) -> bool:
        """Registered."""
        return True

    async def pull(self, since: datetime, until: datetime, now: datetime) -> Sequence[Seen]:
        """All that came since then."""
        if not self._truth.reachable:
            raise GatewayError("the provider cannot be reached")
        return [
            Seen(
                rail=one.rail,
                receipt=one.receipt,
                amount=Money(one.minor),
                place=self.places[-1],
                road=Road.PULL,
                at=one.at,
                reference=one.reference,
                payer=one.msisdn,
            )
            for one in self._truth.paid.values()
            if one.rail == "mpesa" and one.at >= since
        ]

    async def ask_status(
        self,
        receipt: str,
        result_url: str,
        now: datetime,
        *,
        conversation_id: str = "",
    ) -> Acked:
        """Taken; the answer is posted later."""
        if not self._truth.reachable:
            raise GatewayError("the provider cannot be reached")
        self.asked.append((receipt or conversation_id, result_url))
        return Acked("AG_status", "o-1")

    async def ask_balance(self, result_url: str, now: datetime) -> Acked:
        """Taken, and never answered."""
        return Acked("AG_balance", "o-2")
