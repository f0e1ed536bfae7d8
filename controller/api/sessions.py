"""Sessions, to look at. They are opened and closed by sites."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.api import pages
from controller.api.needs import Asking, Needed, OfSite, PageAsked, known_site
from controller.api.shapes import Page, SessionOut
from controller.noc import views

router = APIRouter(prefix="/sessions", tags=["sessions"])


class SessionsAsked(PageAsked):
    """Which sessions are wanted; ``open`` leaves those out that are closed."""

    site_id: OfSite = None
    open: bool = False


@router.get("")
async def list_sessions(
    deps: Needed, who: Asking, asked: Annotated[SessionsAsked, Query()]
) -> Page[SessionOut]:
    """Sessions, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await views.session_views(
            tx,
            after=after,
            limit=asked.limit,
            site_id=asked.site_id,
            only_open=asked.open,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[SessionOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.opened_at, last.id)) if last else None,
    )
