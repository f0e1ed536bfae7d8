"""The ledger, to look at: balances and transactions."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.api import pages
from controller.api.needs import Needed, PageAsked
from controller.api.shapes import BalanceOut, BalancesOut, Page, TransactionOut
from controller.noc import views

router = APIRouter(prefix="/ledger", tags=["ledger"])


@router.get("/balances")
async def list_balances(deps: Needed) -> BalancesOut:
    """What every account holds. All balances of one currency sum to zero."""
    async with deps.db.read() as tx:
        found = await views.balance_views(tx)
    return BalancesOut(data=[BalanceOut.of(view) for view in found])


@router.get("/transactions")
async def list_transactions(
    deps: Needed, asked: Annotated[PageAsked, Query()]
) -> Page[TransactionOut]:
    """Transactions with their postings, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await views.transaction_views(tx, after=after, limit=asked.limit)
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[TransactionOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.at, last.id)) if last else None,
    )
