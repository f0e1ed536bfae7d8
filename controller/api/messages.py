"""Text messages, to look at: where each is, what became of it, what a month of them cost."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from billing.period import day_of, midnight
from controller.api import pages
from controller.api.message_shapes import MessageCostsOut, MessageOut
from controller.api.needs import Asking, Needed, PageAsked
from controller.api.shapes import Page
from controller.noc import views

router = APIRouter(prefix="/messages", tags=["messages"])


class MonthAsked(BaseModel):
    """Which month is meant, as ``2026-11``; "" is this one."""

    model_config = ConfigDict(extra="forbid")

    month: str = Field("", pattern=r"^(20[0-9]{2}-(0[1-9]|1[0-2]))?$")


@router.get("")
async def list_messages(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[MessageOut]:
    """Text messages, newest first, without their texts."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await views.sms_rows(tx, after=after, limit=asked.limit, branches=who.branches)
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[MessageOut.of(row) for row in found],
        next_cursor=pages.written(views.Mark(last.created_at, last.id)) if last else None,
    )


@router.get("/costs")
async def message_costs(deps: Needed, asked: Annotated[MonthAsked, Query()]) -> MessageCostsOut:
    """What the messages cost that were sent in a month."""
    month = asked.month or f"{day_of(deps.now()):%Y-%m}"
    first = date.fromisoformat(f"{month}-01")
    later = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    async with deps.db.read() as tx:
        view = await views.sms_month(tx, midnight(first), midnight(later))
    return MessageCostsOut.of(month, view)
