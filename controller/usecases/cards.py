"""The card of a consent: learnt from the payment that was made with it, sealed, charged later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from billing.autopay import next_morning
from controller.payments.gateway import StoredCard
from controller.store.mandates import ACTIVE, ASKED, CARD, FAILING

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.payment_rows import MandateRow

LABEL_MAX = 80


def learn_card(deps: Deps, row: MandateRow, card: StoredCard, now: datetime) -> None:
    """Keep the card with which a consent's first payment was made; charged from next morning."""
    if row.kind != CARD or row.state not in {ASKED, FAILING}:
        return
    row.sealed = deps.vault.seal(json.dumps([card.token, card.email]).encode())
    row.label, row.state, row.tries = card.label[:LABEL_MAX], ACTIVE, 0
    row.due_at = next_morning(now)


def card_of(deps: Deps, row: MandateRow) -> StoredCard:
    """The card of an active consent."""
    assert row.sealed is not None
    token, email = json.loads(deps.vault.unseal(row.sealed))
    return StoredCard(token, email, row.label)
