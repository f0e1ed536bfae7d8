"""Runs of billing: what they did, what the next one will do, and one now."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from billing.errors import InvalidField
from controller.acting import aside
from controller.api import pages
from controller.api.needs import Needed, PageAsked
from controller.api.run_shapes import DoneOut, PreviewOut, RunOut
from controller.api.shapes import Instant, Page
from controller.noc import charges
from controller.noc.views import Mark
from controller.store import audit
from controller.usecases.billing_preview import preview
from controller.usecases.billing_run import bill_due
from controller.usecases.dunning import dun_due

router = APIRouter(prefix="/billing-runs", tags=["runs"])

AHEAD_MAX = timedelta(days=31)


class PreviewAsked(BaseModel):
    """Until when; a day from now when not said."""

    model_config = ConfigDict(extra="forbid")

    upto: Instant | None = None


@router.get("")
async def list_runs(deps: Needed, asked: Annotated[PageAsked, Query()]) -> Page[RunOut]:
    """Rounds of due work that found something to do, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await charges.run_rows(tx, after=after, limit=asked.limit)
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[RunOut.of(row) for row in found],
        next_cursor=pages.written(Mark(last.began_at, last.id)) if last else None,
    )


@router.get("/preview")
async def preview_run(deps: Needed, asked: Annotated[PreviewAsked, Query()]) -> PreviewOut:
    """What will be billed, renewed, suspended … until then, if nothing happens before."""
    now = deps.now()
    upto = asked.upto or now + timedelta(days=1)
    if not now <= upto <= now + AHEAD_MAX:
        raise InvalidField("upto", f"want within the next {AHEAD_MAX.days} days")
    return PreviewOut.of(await preview(deps, upto))


@router.post("/now")
async def run_now(deps: Needed) -> DoneOut:
    """Do all that is due. It is done by itself too, within half a minute."""
    async with deps.db.begin() as tx:
        audit.note(tx, "billing_run_asked", ("billing_run", "now"))
    with aside():
        return DoneOut(billed=await bill_due(deps), dunned=await dun_due(deps))
