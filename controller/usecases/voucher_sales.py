"""A seller takes vouchers of a batch and pays for them: that is when they are sold, and taxed.

What the seller keeps is an expense; income and taxes are those of the whole price.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing.accounts import commission as commission_of
from billing.accounts import plan_income, tax_due, till
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money, split
from billing.period import day_of
from billing.tax import WHOLE, Tax, TaxClass, Taxed, taxed
from controller.store import ledger, operators, voucher_sales
from controller.store.billing_rows import VoucherSaleRow

if TYPE_CHECKING:
    from datetime import date

    from billing.ids import AccountName
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.voucher_sales import Batch

RAILS = ("cash", "mpesa", "bank")
"""By which a seller pays for vouchers."""

_ID = re.compile(r"[0-9a-f]{32}")
_SELLER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._'-]{0,39}")
_PLACE = re.compile(r"[A-Za-z0-9._-]{0,32}")


class BatchUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such batch of vouchers."""


class BatchSoldOut(Exception):  # noqa: N818 - a refusal, see style
    """The batch does not have so many vouchers left to sell."""


class SaleDiffers(Exception):  # noqa: N818 - a refusal, see style
    """This id stands for another sale."""


async def sell(
    deps: Deps,
    batch_name: str,
    *,
    count: int,
    seller: str,
    idempotent: str,
    branch_id: str = "main",
    commission_bp: int = 0,
    rail: str = "cash",
    place: str = "",
) -> VoucherSaleRow:
    """Book that a seller took ``count`` vouchers of a batch and paid, less his commission.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits): a repeat answers what
    the first one did. ``place`` is the branch's when empty. Raises `InvalidField`, `BatchUnknown`,
    `BatchSoldOut`, `SaleDiffers`, `DatabaseBusy`.
    """
    _check(count, seller, idempotent, commission_bp)
    _check_till(rail, place)
    now = deps.now()
    async with deps.db.begin() as tx:
        batch = await voucher_sales.locked_batch(tx, batch_name)
        if batch is None:
            raise BatchUnknown(f"there is no batch {batch_name[:40]}")
        done = await voucher_sales.load(tx, idempotent)
        if done is not None:
            return _same(done, batch_name, count, seller, branch_id)
        if not await voucher_sales.has_branch(tx, branch_id):
            raise InvalidField("branch", f"there is no branch {branch_id[:40]}")
        if batch.expires_at is not None and batch.expires_at <= now:
            raise InvalidField("batch", "its vouchers have expired")
        if count > batch.made - batch.sold:
            raise BatchSoldOut(
                f"batch {batch.name} has {batch.made - batch.sold:,} of {batch.made:,} left to sell"
            )
        price = Money(batch.plan.price_minor * count, batch.plan.currency)
        parts = await _taxed(tx, batch, price, day_of(now))
        kept = split(parts.total, (commission_bp, WHOLE - commission_bp))[0]
        row = VoucherSaleRow(
            id=idempotent,
            batch=batch.name,
            seller=seller,
            branch_id=branch_id,
            count=count,
            amount_minor=parts.total.minor,
            commission_minor=kept.minor,
            currency=price.currency,
            at=now,
        )
        await voucher_sales.add(tx, row)
        await _post(tx, row, batch, parts, till(rail, place or branch_id))
    deps.signals.wake("live")
    return row


async def _taxed(tx: Tx, batch: Batch, price: Money, day: date) -> Taxed:
    rates = await operators.rates_on(tx, TaxClass(batch.plan.tax_class), day)
    return taxed(price, rates, included=batch.plan.tax_included)


async def _post(
    tx: Tx, row: VoucherSaleRow, batch: Batch, parts: Taxed, landed: AccountName
) -> None:
    """Income and taxes of the whole price; the commission goes out again. Nothing of free ones."""
    moves = (
        (plan_income(row.branch_id, batch.plan.id), landed, parts.net),
        (tax_due(Tax.EXCISE), landed, parts.excise),
        (tax_due(Tax.VAT), landed, parts.vat),
        (
            landed,
            commission_of(row.branch_id, row.seller),
            Money(row.commission_minor, row.currency),
        ),
    )
    postings = tuple(Posting(*move) for move in moves if move[2].minor)
    if not postings:
        return
    transaction = Transaction(
        id=TransactionId(f"voucher-sale:{row.id}"),
        at=row.at,
        cause=f"{row.count:,} vouchers of batch {row.batch} sold to {row.seller}",
        postings=postings,
    )
    posted = await ledger.post(tx, transaction)
    # Invariant: a sale that was not kept is in no ledger; both live and die together.
    assert posted is ledger.Posted.CREATED


def _same(
    done: VoucherSaleRow, batch: str, count: int, seller: str, branch_id: str
) -> VoucherSaleRow:
    if (done.batch, done.count, done.seller, done.branch_id) != (batch, count, seller, branch_id):
        raise SaleDiffers("this id stands for another sale of vouchers")
    return done


def _check(count: int, seller: str, idempotent: str, commission_bp: int) -> None:
    if count < 1:
        raise InvalidField("count", "want at least one")
    if not _SELLER.fullmatch(seller):
        raise InvalidField("seller", "want 1 to 40 letters, digits, spaces, . _ ' and -")
    if not _ID.fullmatch(idempotent):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    if not 0 <= commission_bp <= WHOLE:
        raise InvalidField("commission", "want 0 to 100 per cent")


def _check_till(rail: str, place: str) -> None:
    if rail not in RAILS:
        raise InvalidField("rail", f"want one of {', '.join(RAILS)}")
    if not _PLACE.fullmatch(place):
        raise InvalidField("place", "want at most 32 letters, digits, -, _ and .")
