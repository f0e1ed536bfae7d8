"""Who uses the most, and what each segment uses."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from billing.errors import InvalidField
from controller.api.needs import Asking, Needed, known_site
from controller.api.series import span
from controller.api.series_shapes import (
    SegmentsAsked,
    SegmentsOut,
    SegmentUseOut,
    Span,
    TalkerOut,
    TopAsked,
    TopOut,
)
from controller.rights import Who
from controller.store import usage_reports
from controller.store.usage_reports import Scope

DAY = timedelta(hours=24)
SEGMENTS_MAX = timedelta(days=31)
UNITS = {Span.NOW: "bps", Span.DAY: "bytes"}

router = APIRouter(prefix="/usage", tags=["usage"])


@router.get("/top")
async def show_top(deps: Needed, who: Asking, asked: Annotated[TopAsked, Query()]) -> TopOut:
    """Devices, subscribers or plans that use the most, now or over the last 24 hours."""
    scope, now = _scope(who, asked.site_id, asked.branch), deps.now()
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        if asked.span is Span.NOW:
            found = await usage_reports.top_now(
                tx, asked.by, scope=scope, now=now, limit=asked.limit
            )
        else:
            found = await usage_reports.top_since(
                tx, asked.by, scope=scope, since=now - DAY, limit=asked.limit
            )
    return TopOut(
        by=asked.by,
        span=asked.span,
        unit=UNITS[asked.span],
        data=[TalkerOut.of(talker) for talker in found],
    )


@router.get("/segments")
async def show_segments(
    deps: Needed, who: Asking, asked: Annotated[SegmentsAsked, Query()]
) -> SegmentsOut:
    """What each segment used, hour by hour."""
    since, until = span(asked.since, asked.until, now=deps.now())
    if until - since > SEGMENTS_MAX:
        raise InvalidField("since", "want at most 31 days")
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await usage_reports.segments(
            tx, scope=_scope(who, asked.site_id, asked.branch), since=since, until=until
        )
    return SegmentsOut(since=since, until=until, data=[SegmentUseOut.of(use) for use in found])


def _scope(who: Who, site_id: str | None, branch: str | None) -> Scope:
    return Scope(site_id, who.branches if branch is None else (branch,))
