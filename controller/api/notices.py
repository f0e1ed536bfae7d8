"""Notices, to look at: what staff should know."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.api import pages
from controller.api.needs import Asking, Needed, OfSite, PageAsked, known_site
from controller.api.shapes import NoticeOut, Page
from controller.noc import views

router = APIRouter(prefix="/notices", tags=["notices"])


class NoticesAsked(PageAsked):
    """Which notices are wanted."""

    site_id: OfSite = None


@router.get("")
async def list_notices(
    deps: Needed, who: Asking, asked: Annotated[NoticesAsked, Query()]
) -> Page[NoticeOut]:
    """Notices, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await views.notice_rows(
            tx,
            after=after,
            limit=asked.limit,
            site_id=asked.site_id,
            branches=who.branches,
        )
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[NoticeOut.of(row) for row in found],
        next_cursor=pages.written(views.Mark(last.at, last.id)) if last else None,
    )
