"""Whom unmatched money may be for: who is worth a look, found by indexes alone.

Nobody here is said to be right: `billing.matching` judges, and people decide. A payer who mistypes
makes one slip of the finger or two, so all that such slips could have been meant for is looked up;
that is some thousand names in one question, and needs no walk through a table.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import and_, or_, select

from billing.ids import SubscriberId
from billing.invoice import DocumentKind, shown_number
from billing.matching import Candidate, Owed
from billing.money import Money
from billing.msisdn import Msisdn
from controller.store.billing_rows import (
    DebtRow,
    DocumentRow,
    NumberSeriesRow,
    ReceivedRow,
)
from controller.store.bulk_rows import among
from controller.store.payment_rows import ArrivalRow
from controller.store.rows import PaymentRow, SubscriberRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from controller.store.database import Tx

Kept = TypeVar("Kept")

CANDIDATES_MAX = 50

COUNTRY = "254"
NATIONAL_DIGITS = 9

NUMBER_DIGITS_MAX = 9
SERIES_MAX = 50
NAME_WORDS_MAX = 4
NAME_CHARS_MIN = 3
REFERENCE_CHARS = 12

_DIGITS = "0123456789"
_LETTERS = "0123456789ABCDEF"
_LOOKS_LIKE = str.maketrans("OIL", "011")
_NUMBER_AT_THE_END = re.compile(r"[0-9]{1,9}(?=\D*\Z)", re.ASCII)
_WORD = re.compile(r"[^\W\d_]+")


async def candidates(tx: Tx, arrival: ArrivalRow) -> list[Candidate]:
    """Who is worth a look for this money: at most `CANDIDATES_MAX`, the likeliest ways first."""
    typed = arrival.reference.upper()
    given = await _by_reference(tx, arrival.rail, "".join(c for c in typed if c.isalnum()))
    found: dict[str, None] = dict.fromkeys(given)
    for ids in (
        await _by_phone(tx, typed),
        await _by_invoice(tx, typed),
        await _by_payer(tx, arrival.payer),
        await _by_amount(tx, arrival),
        await _by_name(tx, f"{arrival.payer_name} {arrival.reference}"),
    ):
        found |= dict.fromkeys(ids)
    return await _loaded(tx, list(found)[:CANDIDATES_MAX], given)


def near_phones(typed: str) -> set[str]:
    """The phones, in normal form, that a payer may have meant who made two slips at most.

    A slip is a digit too many, too few or wrong, or two neighbours in the wrong order. Nothing for
    what is no phone number.
    """
    digits = "".join(c for c in typed.translate(_LOOKS_LIKE) if c in _DIGITS)
    if len(digits) > NATIONAL_DIGITS and digits.startswith(COUNTRY):
        digits = digits.removeprefix(COUNTRY)
    elif len(digits) >= NATIONAL_DIGITS and digits.startswith("0"):
        digits = digits[1:]
    missing = NATIONAL_DIGITS - len(digits)
    meant = {digits}
    for first in (-1, 0, 1):
        if missing - first in (-1, 0, 1):
            once = set(_slips(digits, _DIGITS, by=first))
            meant |= once
            for each in once:
                meant.update(_slips(each, _DIGITS, by=missing - first))
    return {COUNTRY + one for one in meant if len(one) == NATIONAL_DIGITS and one[0] in "17"}


def _slips(text: str, letters: str, *, by: int) -> Iterator[str]:
    """Every text that one slip of the finger is away and ``by`` characters longer: -1, 0 or 1."""
    for at in range(len(text) + 1):
        before, after = text[:at], text[at:]
        if by > 0:
            yield from (f"{before}{letter}{after}" for letter in letters)
        elif by < 0 and after:
            yield before + after[1:]
        elif after:
            yield from (f"{before}{letter}{after[1:]}" for letter in letters)
            if len(after) > 1:
                yield f"{before}{after[1]}{after[0]}{after[2:]}"


async def _by_reference(tx: Tx, rail: str, typed: str) -> dict[str, str]:
    """Whose payment has a reference that is one slip away: the reference, by the subscriber."""
    missing = REFERENCE_CHARS - len(typed)
    if missing not in (-1, 0, 1):
        return {}
    names = {typed, *_slips(typed, _LETTERS, by=missing)}
    query = (
        select(PaymentRow.subscriber_id, PaymentRow.reference)
        .where(among(tx, PaymentRow.reference, names), PaymentRow.rail == rail)
        .limit(CANDIDATES_MAX)
    )
    return {whose: reference for whose, reference in await tx.execute(query)}  # noqa: C416 - rows


async def _by_phone(tx: Tx, typed: str) -> list[str]:
    meant = near_phones(typed)
    if not meant:
        return []
    query = select(SubscriberRow.id).where(among(tx, SubscriberRow.msisdn, meant))
    return list(await tx.scalars(query.order_by(SubscriberRow.msisdn).limit(CANDIDATES_MAX)))


async def _by_invoice(tx: Tx, typed: str) -> list[str]:
    """Whose invoice has the number at the end of what was typed, or one slip from it."""
    found = _NUMBER_AT_THE_END.search(typed)
    if found is None:
        return []
    meant = {found[0], *(one for by in (-1, 0, 1) for one in _slips(found[0], _DIGITS, by=by))}
    numbers = {int(one) for one in meant if 0 < len(one) <= NUMBER_DIGITS_MAX}
    series = list(await tx.scalars(select(NumberSeriesRow.series).limit(SERIES_MAX)))
    if not series:
        return []
    query = (
        select(DocumentRow.subscriber_id)
        .join(DebtRow, DebtRow.document_id == DocumentRow.id)
        .where(
            DocumentRow.series.in_(series),
            DocumentRow.number.in_(numbers),
            DocumentRow.kind == DocumentKind.INVOICE,
            DebtRow.settled_at.is_(None),
        )
        .order_by(DocumentRow.issued_at.desc())
        .limit(CANDIDATES_MAX)
    )
    return list(await tx.scalars(query))


async def _by_payer(tx: Tx, payer: str) -> list[str]:
    """Who has the payer's number, and for whom that number was asked to pay before."""
    if not (payer.isascii() and payer.isdigit()):
        return []  # masked or hashed: there is no looking up
    own = select(SubscriberRow.id).where(SubscriberRow.msisdn == payer)
    paid = (
        select(PaymentRow.subscriber_id)
        .where(PaymentRow.msisdn == payer, PaymentRow.settled_at.is_not(None))
        .order_by(PaymentRow.pushed_at.desc())
        .limit(CANDIDATES_MAX)
    )
    return [*(await tx.scalars(own)), *(await tx.scalars(paid))]


async def _by_amount(tx: Tx, arrival: ArrivalRow) -> list[str]:
    """Who owes exactly so much of one invoice; the newest, by the index of when it was issued."""
    query = (
        select(DocumentRow.subscriber_id)
        .join(DebtRow, DebtRow.document_id == DocumentRow.id)
        .where(
            DebtRow.settled_at.is_(None),
            DebtRow.open_minor == arrival.amount_minor,
            DocumentRow.currency == arrival.currency,
        )
        .order_by(DocumentRow.issued_at.desc(), DocumentRow.id.desc())
        .limit(CANDIDATES_MAX)
    )
    return list(await tx.scalars(query))


async def _by_name(tx: Tx, told: str) -> list[str]:
    """Whose name begins with a word that was told, as names are written."""
    words = [word for word in _WORD.findall(told) if len(word) >= NAME_CHARS_MIN]
    begins = [
        and_(SubscriberRow.name >= one, SubscriberRow.name < one[:-1] + chr(ord(one[-1]) + 1))
        for word in words[:NAME_WORDS_MAX]
        for one in (word.title(), word.upper())
    ]
    if not begins:
        return []
    query = select(SubscriberRow.id).where(or_(*begins))
    return list(await tx.scalars(query.order_by(SubscriberRow.name).limit(CANDIDATES_MAX)))


async def _loaded(tx: Tx, ids: list[str], given: dict[str, str]) -> list[Candidate]:
    """These subscribers, in this order, with what they owe and who paid for them before."""
    if not ids:
        return []
    rows = await tx.scalars(select(SubscriberRow).where(SubscriberRow.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    owed, payers = await _owed(tx, ids), await _payers(tx, ids)
    return [
        Candidate(
            subscriber_id=SubscriberId(one),
            msisdn=Msisdn(by_id[one].msisdn),
            name=by_id[one].name,
            owed=tuple(owed.get(one, ())),
            references=(given[one],) if one in given else (),
            payers=tuple(payers.get(one, ())),
        )
        for one in ids
    ]


async def _owed(tx: Tx, ids: Collection[str]) -> dict[str, list[Owed]]:
    query = (
        select(DebtRow, DocumentRow)
        .join(DocumentRow, DocumentRow.id == DebtRow.document_id)
        .where(DebtRow.subscriber_id.in_(ids), DebtRow.settled_at.is_(None))
        .order_by(DebtRow.due_at, DebtRow.document_id)
    )
    return _grouped(
        (debt.subscriber_id, _as_owed(debt, document)) for debt, document in await tx.execute(query)
    )


def _as_owed(debt: DebtRow, document: DocumentRow) -> Owed:
    number = shown_number(document.series, document.number)
    return Owed(number, Money(debt.open_minor, document.currency))


async def _payers(tx: Tx, ids: Collection[str]) -> dict[str, list[str]]:
    query = (
        select(ReceivedRow.subscriber_id, ArrivalRow.payer)
        .join(ArrivalRow, ArrivalRow.received_id == ReceivedRow.id)
        .where(ReceivedRow.subscriber_id.in_(ids), ArrivalRow.payer != "")
        .distinct()
    )
    return _grouped((whose, payer) for whose, payer in await tx.execute(query))


def _grouped(pairs: Iterable[tuple[str, Kept]]) -> dict[str, list[Kept]]:
    found: dict[str, list[Kept]] = {}
    for whose, kept in pairs:
        found.setdefault(whose, []).append(kept)
    return found
