"""Whoever paid is told: by SMS, and by e-mail where there is an address, in their language.

Everything here runs in the transaction that moves the money, so that a message is written if and
only if the money moved, and once however often that is tried again. It leaves after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.invoice import DocumentKind, shown_number
from billing.money import Money
from billing.payment import PaymentState
from billing.period import day_of
from controller.notify.money_texts import Draft, letter, rail_name, sms_text, words
from controller.store import debts, documents, operators, payers, plans, received, sites
from controller.usecases.emails import email_in
from controller.usecases.messages import queue_in
from controller.usecases.outages import DOWN_AFTER
from controller.usecases.papers import address_of

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.billing_rows import OperatorRow, ReceivedRow
    from controller.store.database import Tx
    from controller.store.rows import PaymentRow, SubscriberRow
    from controller.store.site_rows import SiteRow

GOOD_FOR = timedelta(days=1)
"""What could not be told for so long is not told by SMS at all."""

OLD = timedelta(days=7)
"""Of money that came so long ago, and is only now booked, nobody is told."""

NO_MONEY = frozenset({"withheld-vat"})
"""Rails by which no money comes: VAT that a customer withheld, and has a certificate for."""

ABOUT_MAX = 40
CONFIRM_KEYS = ("confirm", "mail.confirm")

NONE, ALL = "none", "all"
"""Who gets receipts, by ``operator.receipts``; else those who have an account."""


@dataclass(frozen=True, slots=True)
class _Told:
    """Somebody, and what they are told: ``key`` names the sentence, ``values`` fill it."""

    event: str
    about: str
    key: str
    values: dict[str, str]
    language: str
    msisdn: str
    site_id: str | None = None
    link: str = ""
    link_keys: tuple[str, str] = ("receipt", "mail.see")  # how SMS and letter speak of it
    email: str = field(default="", repr=False)
    subscriber_id: str | None = None
    name: str = ""
    subject: str = ""
    letter_key: str = ""
    facts: tuple[tuple[str, str], ...] = ()


async def received_in(tx: Tx, deps: Deps, row: ReceivedRow) -> None:
    """Tell a subscriber that money came for the account; after its receipt was issued.

    The caller holds the subscriber's lock.
    """
    now = deps.now()
    if deps.settings.operator.receipts == NONE or row.rail in NO_MONEY or row.at < now - OLD:
        return
    who = await payers.loaded(tx, row.subscriber_id)
    cause = f"received:{row.id}"
    document = await documents.by_cause(tx, who.id, DocumentKind.RECEIPT, cause)
    amount = str(Money(row.amount_minor, row.currency))
    held = await received.wallet_minor(tx, who.id)
    owed = await debts.owed_minor(tx, who.id)
    # Cash has no receipt of its own; what stands for one is nothing that people should see.
    receipt = "" if row.receipt == row.id else row.receipt
    number = "" if document is None else shown_number(document.series, document.number)
    wallet, still_open = (str(Money(minor)) if minor > 0 else "" for minor in (held, owed))
    key = "payment_still_open" if owed > 0 else "payment_to_wallet" if held > 0 else None
    values = {"amount": amount, "receipt": receipt, "open": still_open, "wallet": wallet}
    told = _Told(
        event=cause,
        about=f"receipt {row.id}",
        key=key or "payment_received",
        values=values,
        language=who.language,
        msisdn=who.msisdn,
        link="" if document is None else address_of(deps, document.id),
        email=who.email,
        subscriber_id=who.id,
        name=who.name,
        subject=words("mail.received_subject", who.language, amount=amount, number=number),
        letter_key="mail.received",
        facts=(
            ("mail.amount", amount),
            ("mail.number", number),
            ("mail.rail", rail_name(row.rail)),
            ("mail.rail_receipt", receipt),
            ("mail.day", f"{day_of(row.at):%d/%m/%Y}"),
            ("mail.wallet", wallet),
            ("mail.open", still_open),
        ),
    )
    await _tell(tx, deps, told, now)


async def order_paid_in(tx: Tx, deps: Deps, payment: PaymentRow) -> None:
    """Tell who paid for a hotspot order, if the operator wants that, or if it cannot start yet.

    A token comes by its own message, and money for an account is told by `received_in`.
    """
    # Invariant: nobody is told of money that did not come.
    assert payment.state == PaymentState.SETTLED
    if payment.purpose != "grant" or payment.site_id is None or payment.plan_id is None:
        return
    now = deps.now()
    site, plan = await sites.load(tx, payment.site_id), await plans.load(tx, payment.plan_id)
    assert site is not None
    assert plan is not None
    if not is_order_told(deps, site, now):
        return
    waits = _is_down(site, now)
    values = {
        "amount": str(Money(payment.amount_minor, payment.currency)),
        "receipt": payment.receipt or "",
        "plan": plan.name,
    }
    told = _Told(
        event=f"order:{payment.order_id}",
        about=f"order {payment.order_id}",
        key="paid_waiting_for_site" if waits else "order_paid",
        values={**values, "site": site.name} if waits else values,
        language=site.language,
        msisdn=payment.msisdn,
        site_id=site.id,
    )
    await _tell(tx, deps, told, now)


def is_order_told(deps: Deps, site: SiteRow, now: datetime) -> bool:
    """Whether who pays for something at a site is told so."""
    return _is_down(site, now) or deps.settings.operator.receipts == ALL


async def refunded_in(
    tx: Tx, deps: Deps, *, subscriber_id: str, refund_id: str, amount: Money, receipt: str = ""
) -> None:
    """Tell a subscriber that money went back; ``receipt`` is the provider's for it, or ""."""
    who = await payers.loaded(tx, subscriber_id)
    told = _to_subscriber(
        who, "refunded", event=f"refund:{refund_id}", amount=amount, receipt=receipt
    )
    await _tell(tx, deps, told, deps.now())


async def auto_paid_in(
    tx: Tx,
    deps: Deps,
    *,
    subscriber_id: str,
    payment_id: str,
    amount: Money,
    source: str,
) -> None:
    """Tell a subscriber that money was taken as agreed; ``source`` is the card or the order.

    Nothing, where a receipt tells it: one payment, one message.
    """
    if deps.settings.operator.receipts != NONE:
        return
    who = await payers.loaded(tx, subscriber_id)
    event = f"auto-paid:{payment_id}"
    told = _to_subscriber(who, "auto_pay_done", event=event, amount=amount, source=source)
    await _tell(tx, deps, told, deps.now())


async def auto_pay_confirm_in(
    tx: Tx, deps: Deps, *, subscriber_id: str, payment_id: str, amount: Money, link: str
) -> None:
    """Tell a subscriber that the card's bank waits for a yes, and where it is said."""
    who = await payers.loaded(tx, subscriber_id)
    event = f"auto-confirm:{payment_id}"
    told = _to_subscriber(who, "auto_pay_confirm", event=event, amount=amount)
    await _tell(tx, deps, replace(told, link=link, link_keys=CONFIRM_KEYS), deps.now())


async def auto_pay_failed_in(
    tx: Tx, deps: Deps, *, subscriber_id: str, payment_id: str, amount: Money, source: str
) -> None:
    """Tell a subscriber that money could not be taken, once for each time that it was tried."""
    who = await payers.loaded(tx, subscriber_id)
    event = f"auto-pay-failed:{payment_id}"
    told = _to_subscriber(who, "auto_pay_failed", event=event, amount=amount, source=source)
    await _tell(tx, deps, told, deps.now())


def _to_subscriber(
    who: SubscriberRow, key: str, *, event: str, amount: Money, **more: str
) -> _Told:
    values = {"amount": str(amount), **more}
    return _Told(
        event=event,
        about=event[:ABOUT_MAX],
        key=key,
        values=values,
        language=who.language,
        msisdn=who.msisdn,
        email=who.email,
        subscriber_id=who.id,
        name=who.name,
        subject=words(f"mail.{key}_subject", who.language, amount=str(amount)),
        letter_key=key,
    )


async def _tell(tx: Tx, deps: Deps, told: _Told, now: datetime) -> None:
    operator = await operators.operator(tx)
    name = operator.name or deps.settings.operator.name
    said = {"operator": name, **told.values}
    await queue_in(
        tx,
        deps,
        site_id=told.site_id,
        msisdn=told.msisdn,
        text=sms_text(told.key, told.language, link=told.link, link_key=told.link_keys[0], **said),
        about=told.about,
        now=now,
        good_for=GOOD_FOR,
        event=told.event,
    )
    if told.email:
        await _write(tx, deps, told, operator, said=said, now=now)


async def _write(
    tx: Tx,
    deps: Deps,
    told: _Told,
    operator: OperatorRow,
    *,
    said: dict[str, str],
    now: datetime,
) -> None:
    draft = Draft(
        language=told.language,
        name=told.name,
        subject=told.subject,
        sentences=[words(told.letter_key, told.language, **said)],
        facts=told.facts,
        link=told.link,
        link_key=told.link_keys[1],
        operator=said["operator"],
        colour=operator.colour,
    )
    await email_in(
        tx,
        deps,
        letter(draft, to=told.email),
        subscriber_id=told.subscriber_id,
        about=told.about,
        now=now,
        event=told.event,
    )


def _is_down(site: SiteRow, now: datetime) -> bool:
    """Whether what was bought waits for the site's link; one never heard of sells nothing."""
    return site.last_seen_at is not None and now - site.last_seen_at > DOWN_AFTER
