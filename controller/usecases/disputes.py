"""Disputes: a card's holder has the bank take a payment back, and staff have days to answer.

Staff are told when one opens and how it ends. Lost whole, the money has gone as if the provider had
taken it back by itself: out of the books, with what it paid for. A part that went is told to staff,
who book it: nobody knows from here which part of what was sold it was for. So is money that goes a
second time, because some of it had been given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.money import Money
from controller.payments.gateway import CallbackUnreadable, Resolution
from controller.store import arrivals, notices, refunds
from controller.usecases.refunds import returned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.deps import Deps
    from controller.payments.gateway import Dispute
    from controller.store.payment_rows import ArrivalRow

OPENED = "payment_disputed"
ENDED = "dispute_ended"


async def take_told(deps: Deps, *, rail: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Take what a rail tells of a dispute at its one address; whether it was about one.

    Raises `DatabaseBusy`.
    """
    cards = deps.cards
    if cards is None or cards.rail != rail:
        return False
    try:
        dispute = cards.parse_dispute(body, headers)
    except CallbackUnreadable:
        return False
    async with deps.db.read() as tx:
        arrival = await arrivals.seen(tx, rail, dispute.receipt)
        given_back = arrival is not None and await refunds.gone_minor(tx, arrival.id) > 0
    lost_whole = dispute.resolution is Resolution.LOST and _is_whole(dispute, arrival)
    if lost_whole and not given_back:
        reason = "its holder disputed it, and won"
        await returned(deps, rail, dispute.receipt, reason=reason, at=deps.now())
        return True
    async with deps.db.begin() as tx:
        await notices.add(
            tx,
            now=deps.now(),
            code=ENDED if dispute.resolution else OPENED,
            text=_text(rail, dispute, arrival),
            once=f"dispute\n{rail}\n{dispute.receipt}\n{dispute.resolution or 'open'}",
        )
    return True


def _is_whole(dispute: Dispute, arrival: ArrivalRow | None) -> bool:
    return (
        arrival is not None
        and dispute.amount is not None
        and dispute.amount.minor == arrival.amount_minor
    )


def _text(rail: str, dispute: Dispute, arrival: ArrivalRow | None) -> str:
    whole = None if arrival is None else Money(arrival.amount_minor, arrival.currency)
    what = f"{whole or 'a payment that we do not know'} by {rail}, receipt {dispute.receipt},"
    if dispute.resolution is Resolution.WON:
        return f"{what} stays ours: the dispute was declined"
    if dispute.resolution is Resolution.LOST:
        gone = dispute.amount or "an amount that was not told"
        return f"{what} was disputed and {gone} went back: book it (lango arrival show)"
    until = f" until {dispute.answer_until:%d %b}" if dispute.answer_until else ""
    return f"{what} is disputed by the card's holder: answer in the provider's dashboard{until}"
