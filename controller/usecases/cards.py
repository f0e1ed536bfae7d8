"""The card of a consent: learnt from the payment that was made with it, sealed, charged later.

A subscriber has one card at a time that is charged: a new one takes the place of the one before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from billing.autopay import next_morning
from controller.payments.gateway import StoredCard
from controller.store import mandates
from controller.store.mandates import ACTIVE, ASKED, CANCELLED, FAILING, REFUSED

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.gateway import Outcome
    from controller.store.database import Tx
    from controller.store.payment_rows import MandateRow
    from controller.store.rows import PaymentRow

LABEL_MAX = 80
NOT_REUSABLE = "this card may not be charged again"
REPLACED = "another card took its place"


async def learn_card_in(
    tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome, now: datetime
) -> None:
    """Keep the card with which a consent's payment was made; it is charged from next morning.

    A consent that ended for good stays so, whatever is still paid for it. The payment is locked.
    """
    if payment.mandate_id is None:
        return
    cards = await mandates.cards_of(tx, payment.subscriber_id)
    mine = next((row for row in cards if row.id == payment.mandate_id), None)
    if mine is None or mine.state not in {ASKED, REFUSED, FAILING}:
        return
    if outcome.card is None:
        if mine.state == ASKED:
            mine.state, mine.end_reason, mine.due_at = REFUSED, NOT_REUSABLE, None
        return
    _keep(deps, mine, outcome.card, now)
    for other in cards:
        if other is not mine and other.state in {ACTIVE, FAILING}:
            end(other, REPLACED, now)


def end(row: MandateRow, reason: str, now: datetime) -> None:
    """End a consent for good, and forget its card."""
    row.state, row.ended_at, row.end_reason = CANCELLED, now, reason
    row.sealed, row.due_at = None, None


def card_of(deps: Deps, row: MandateRow) -> StoredCard:
    """The card of an active consent."""
    assert row.sealed is not None
    token, email = json.loads(deps.vault.unseal(row.sealed))
    return StoredCard(token, email, row.label)


def _keep(deps: Deps, row: MandateRow, card: StoredCard, now: datetime) -> None:
    row.sealed = deps.vault.seal(json.dumps([card.token, card.email]).encode())
    row.label, row.state, row.tries, row.end_reason = card.label[:LABEL_MAX], ACTIVE, 0, ""
    row.due_at = next_morning(now)
