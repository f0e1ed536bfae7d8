"""Papers for staff and for those who hold them: issued documents, and statements of accounts."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from billing.period import Period, midnight
from controller.documents.issued import look_name, paper_of
from controller.documents.paper import Look
from controller.documents.statement import Statement, netted
from controller.store import documents, logos, operators, papers, payers
from controller.usecases.frozen import buyer_of, logo_name, seller_of
from controller.usecases.payers import SubscriberUnknown

if TYPE_CHECKING:
    from datetime import date

    from controller.deps import Deps
    from controller.documents.paper import Paper
    from controller.store.billing_rows import DocumentRow
    from controller.store.database import Tx

CODE_LENGTH = 16
"""Hexadecimal digits of the code in a paper's address: 64 bits, for one document each."""

YEARS_MAX = 10


class DocumentUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such document, or the code that was shown is not its."""


async def paper(deps: Deps, name: str) -> Paper:
    """A document by its id or its number. Raises `DocumentUnknown`."""
    async with deps.db.read() as tx:
        row = await papers.find(tx, name)
        if row is None:
            raise DocumentUnknown(f"there is no document {name[:60]}")
        return await _paper(tx, deps, row)


async def paper_of_holder(deps: Deps, document_id: str, code: str) -> Paper:
    """A document for whoever has its code. Raises `DocumentUnknown`."""
    right = hmac.compare_digest(code_of(deps, document_id).encode(), code.encode())
    async with deps.db.read() as tx:
        row = await documents.load(tx, document_id) if right else None
        if row is None:
            raise DocumentUnknown("there is no such document")
        return await _paper(tx, deps, row)


def address_of(deps: Deps, document_id: str) -> str:
    """Where whoever holds the paper sees the same document."""
    return f"{deps.settings.public_url}/d/{document_id}?c={code_of(deps, document_id)}"


def code_of(deps: Deps, document_id: str) -> str:
    """The code that stands on a document's paper."""
    return deps.vault.fingerprint("document", document_id)[:CODE_LENGTH]


async def statement(
    deps: Deps, msisdn_or_id: str, since: date, until: date
) -> tuple[Statement, Look]:
    """An account in the days from ``since`` up to, and without, ``until``; and how it looks.

    Raises `SubscriberUnknown`, `InvalidField` (``until``).
    """
    check_days(since, until)
    period = Period(midnight(since), midnight(until))
    async with deps.db.read() as tx:
        found = await payers.id_of(tx, _named(msisdn_or_id))
        if found is None:
            raise SubscriberUnknown(msisdn_or_id)
        who = await payers.loaded(tx, found)
        operator = await operators.operator(tx)
        branch = await operators.branch(tx, who.branch_id)
        of = Statement(
            seller=seller_of(operator, branch),
            buyer=buyer_of(who),
            period=period,
            opening_minor=await papers.owed_before(tx, found, period.start),
            movements=[
                netted(one) for one in await papers.movements(tx, found, period.start, period.end)
            ],
        )
    return of, Look(operator.colour, operator.logo)


def check_days(since: date, until: date) -> None:
    """Refuse a span without days, or one that nobody means. Raises `InvalidField` (``until``)."""
    if not since < until:
        raise InvalidField("until", f"want a day after {since}")
    if (until - since).days > 366 * YEARS_MAX:
        raise InvalidField("until", f"want at most {YEARS_MAX} years")


def _named(msisdn_or_id: str) -> str:
    """A phone as it is kept, however it was typed; an id as it is."""
    try:
        return parse_msisdn(msisdn_or_id)
    except InvalidField:
        return msisdn_or_id


async def _paper(tx: Tx, deps: Deps, row: DocumentRow) -> Paper:
    colour, logo = look_name(row.frozen)
    look = Look(colour, await _picture(tx, logo))
    lines = await documents.lines_of(tx, row.id)
    return paper_of(row, lines, look=look, verify=address_of(deps, row.id))


async def _picture(tx: Tx, name: str) -> bytes | None:
    """The logo of a document, as it is kept by that name; most often it is the present one."""
    if not name:
        return None
    now = (await operators.operator(tx)).logo
    return now if logo_name(now) == name else await logos.load(tx, name)
