"""How a site was: the points of a graph."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from billing.errors import InvalidField
from controller.api.errors import NotFound
from controller.api.needs import Needed, SiteKey, known_site
from controller.api.series_shapes import PointOut, SeriesAsked, SeriesOut, VitalsOut
from controller.store import series, vitals
from controller.store.series import POINTS_MAX, least_step_s, step_for

USUAL = timedelta(hours=24)

router = APIRouter(prefix="/sites", tags=["series"])


@router.get("/{site_id}/series")
async def show_series(
    site_id: SiteKey, deps: Needed, asked: Annotated[SeriesAsked, Query()]
) -> SeriesOut:
    """One metric of a site, in steps: the least, the mean and the most of each."""
    now = deps.now()
    if asked.hours is not None and asked.since is not None:
        raise InvalidField("hours", "want hours or since, not both")
    lasting = USUAL if asked.hours is None else timedelta(hours=asked.hours)
    since, until = span(asked.since, asked.until, now=now, lasting=lasting)
    step = _step(asked.step, since, until, now=now)
    async with deps.db.read() as tx:
        await known_site(tx, site_id)
        found = await series.last(tx, site_id, asked.metric, since=since, until=until, step=step)
    return SeriesOut(
        site_id=site_id,
        metric=asked.metric,
        since=since,
        until=until,
        step_s=step // timedelta(seconds=1),
        data=[PointOut.of(point) for point in found],
    )


@router.get("/{site_id}/vitals")
async def show_vitals(site_id: SiteKey, deps: Needed) -> VitalsOut:
    """How a site's box was when its agent last told; not found before it did."""
    async with deps.db.read() as tx:
        await known_site(tx, site_id)
        found = await vitals.load(tx, site_id)
    if found is None:
        raise NotFound("vitals", site_id)
    return VitalsOut.of(found)


def span(
    since: datetime | None,
    until: datetime | None,
    *,
    now: datetime,
    lasting: timedelta = USUAL,
) -> tuple[datetime, datetime]:
    """The span that was asked for, the last of it where nothing was said. Raises `InvalidField`."""
    end = until or now
    try:
        begin = since or end - lasting
        # The rest reckons with both, and a year before 1 or after 9999 is none.
        _ = begin - series.DAYS_KEPT, end + series.DAYS_KEPT
    except OverflowError as error:
        raise InvalidField("since", "want a time of this century") from error
    if begin >= end:
        raise InvalidField("since", "want a time before until")
    return begin, end


def _step(asked_s: int | None, since: datetime, until: datetime, *, now: datetime) -> timedelta:
    if asked_s is None:
        return step_for(since, until, now=now)
    least_s = least_step_s(since, now=now)
    if asked_s < least_s:
        raise InvalidField("step", f"want {least_s} or more: nothing finer is kept since then")
    if (until - since) > timedelta(seconds=asked_s) * POINTS_MAX:
        raise InvalidField("step", f"want at most {POINTS_MAX:,} points")
    return timedelta(seconds=asked_s)
