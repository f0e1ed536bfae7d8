"""Each day's statement against our books: what differs; and the places where money lands."""

from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.period import day_of, midnight
from controller.api import pages
from controller.api.needs import Id, Needed
from controller.api.shapes import LAST_AT, Page
from controller.api.statement_shapes import (
    DifferenceOut,
    DifferencesAsked,
    ExplainIn,
    PlaceOut,
    ReconciledOut,
    ReconcileIn,
    ReconciliationOut,
    ReconciliationsAsked,
)
from controller.noc.views import Mark
from controller.store import statements
from controller.usecases import reconcile
from controller.usecases.places import known_places

router = APIRouter(tags=["reconciliation"])


@router.get("/reconciliations")
async def list_reconciliations(
    deps: Needed, asked: Annotated[ReconciliationsAsked, Query()]
) -> Page[ReconciliationOut]:
    """What days came to, the newest first: told, booked, and in how much they differ."""
    mark = pages.read(asked.cursor)
    after = None
    if mark is not None:
        rail, _, place = mark.id.partition("/")
        after = (_day(mark), rail, place)
    async with deps.db.read() as tx:
        rows = await statements.days(
            tx, after=after, limit=asked.limit, rail=asked.rail, place=asked.place
        )
    last = rows[-1] if len(rows) == asked.limit else None
    key = None if last is None else Mark(midnight(last.day), f"{last.rail}/{last.place}")
    return Page(
        data=[ReconciliationOut.of(row) for row in rows],
        next_cursor=None if key is None else pages.written(key),
    )


@router.post("/reconciliations", status_code=HTTPStatus.CREATED)
async def run(deps: Needed, asked: ReconcileIn) -> ReconciledOut:
    """Compare a day now. Again compares again."""
    return ReconciledOut.of(await reconcile.reconcile(deps, asked.rail, asked.place, asked.day))


@router.get("/differences")
async def list_differences(
    deps: Needed, asked: Annotated[DifferencesAsked, Query()]
) -> Page[DifferenceOut]:
    """What statements and our books do not agree in, the newest day first."""
    mark = pages.read(asked.cursor)
    after = None if mark is None else (_day(mark), mark.id)
    async with deps.db.read() as tx:
        rows = await statements.differences(
            tx,
            after=after,
            limit=asked.limit,
            rail=asked.rail,
            place=asked.place,
            state=asked.state,
            day=asked.day,
        )
    last = rows[-1] if len(rows) == asked.limit else None
    return Page(
        data=[DifferenceOut.of(row) for row in rows],
        next_cursor=pages.written(Mark(midnight(last.day), last.id)) if last else None,
    )


@router.post("/differences/{difference_id}/explain")
async def explain(difference_id: Id, deps: Needed, asked: ExplainIn) -> DifferenceOut:
    """Keep why a difference is none to worry about; another text takes the place of this one."""
    return DifferenceOut.of(await reconcile.explain(deps, difference_id, asked.text))


@router.get("/places")
async def list_places(deps: Needed) -> Page[PlaceOut]:
    """The places where money lands, as told and as booked; all in one page."""
    return Page(data=[PlaceOut.of(one) for one in await known_places(deps)], next_cursor=None)


def _day(mark: Mark) -> date:
    """The day at which a page ended, also when somebody made its cursor up."""
    return day_of(min(mark.at, LAST_AT))
