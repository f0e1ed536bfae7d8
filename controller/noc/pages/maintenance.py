"""Work on the network: planning it, what telling customers would cost, calling it off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - as above

from billing.errors import InvalidField
from controller.api import pages as cursors
from controller.api.errors import Refused
from controller.api.needs import Id, Needed  # noqa: TC001 - as above
from controller.api.reach import Forbidden, must_have
from controller.noc import live, typed, voucher_views
from controller.noc.board import Mood
from controller.noc.pages import held
from controller.noc.pages.theirs import must_reach
from controller.noc.text import NAIROBI
from controller.noc.views import Mark
from controller.noc.words import word
from controller.rights import Right
from controller.store import maintenance as kept
from controller.store import sites
from controller.usecases import maintenance as usecase
from controller.usecases.areas import Area
from controller.usecases.maintenance import Plan
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.rights import Who
    from controller.store.alert_rows import MaintenanceRow

MAINTENANCE = "/noc/maintenance"
LINES = 50
EVERYTHING = "all"
SECOND = timedelta(seconds=1)
COST_E4_PER_MINOR = 100

TO_COME = Mood(word("to come"), "quiet")
ON = Mood(word("under way"), "busy")
OVER = Mood(word("over"), "good")
CALLED_OFF = Mood(word("called off"), "quiet")

TELLING = (
    ("", word("Only on the portal")),
    ("0", word("By SMS, now")),
    ("3600", word("By SMS, an hour before")),
    ("86400", word("By SMS, a day before")),
    ("172800", word("By SMS, two days before")),
)
"""How customers are told: so many seconds before by SMS, beside the portal that always shows it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A window as a row; ``told`` is how many messages went out, None when none are to."""

    id: str
    mood: Mood
    where: str
    from_at: datetime
    until_at: datetime
    text: Mapping[str, str]
    planned_by: str
    told: int | None
    can_end: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """What telling customers would be; ``cost_minor`` None: no carrier told what it takes."""

    messages: int
    parts: int
    cost_minor: int | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Windows:
    """A page of windows, and the form of the next; ``fault``: why it cannot be as it is typed."""

    now: datetime
    lines: tuple[Line, ...]
    areas: tuple[tuple[str, str], ...]
    typed: Mapping[str, str]
    telling: Telling | None
    fault: str
    once: str
    more: str
    is_first: bool
    ways: tuple[tuple[str, str], ...] = TELLING


async def look(asked: live.Asked) -> Windows:
    """Windows, the last to begin first; the form as the address fills it in."""
    after, who = cursors.read(asked.query.get("cursor", "")), asked.who
    async with asked.deps.db.read() as tx:
        found = await kept.page(
            tx,
            branches=who.branches,
            after=None if after is None else (after.at, after.id),
            limit=LINES,
        )
        told = await kept.told_of(tx, [row.id for row in found])
        places = {
            row.id: row.name for row in await sites.all_rows(tx) if who.reaches(row.branch_id)
        }
        shops = {name: said for name, said in await voucher_views.branch_names(tx)}  # noqa: C416 - pairs
    last = found[-1] if len(found) == LINES else None
    telling, fault = await _tried(asked)
    return Windows(
        now=asked.now,
        lines=tuple(_line(row, told.get(row.id), {**shops, **places}, asked.now) for row in found),
        areas=_areas(who, places, shops),
        typed=asked.query if "text_en" in asked.query else _usual(asked),
        telling=telling,
        fault=fault,
        once=held.new_once(),
        more="?" + urlencode({"cursor": cursors.written(Mark(last.from_at, last.id))})
        if last
        else "",
        is_first=after is None,
    )


def _usual(asked: live.Asked) -> dict[str, str]:
    """The form to begin with: tonight at ten, two hours, at the site that was come from."""
    tonight = asked.now.astimezone(NAIROBI).replace(hour=22, minute=0)
    site = asked.query.get("site", "")
    return {
        "area": f"site:{site}" if site else "",
        "from": f"{tonight:%Y-%m-%dT%H:%M}",
        "lasts": "2",
        "lasts_unit": "hours",
        "tell": "",
    }


async def _tried(asked: live.Asked) -> tuple[Telling | None, str]:
    """What telling the customers would be, of a form that is filled in; or why it cannot be."""
    if "text_en" not in asked.query or not asked.who.may(Right.RUN_ALERTS):
        return None, ""
    try:
        plan = await plan_of(asked.deps, asked.who, asked.query)
        found = await usecase.preview(asked.deps, plan, branches=asked.who.branches)
    except (InvalidField, SiteUnknown, Refused) as refusal:
        return None, str(refusal)
    minor = None if found.cost_e4 is None else -(-found.cost_e4 // COST_E4_PER_MINOR)
    return Telling(found.messages, found.parts, minor, found.texts), ""


async def plan_of(deps: Deps, who: Who, sent: Mapping[str, str]) -> Plan:
    """The window that a form describes, in an area of theirs.

    Raises `InvalidField`, `NotFound`, `Forbidden`.
    """
    area = await _area(deps, who, sent.get("area", ""))
    start, lasts_s = typed.moment(sent, "from"), typed.lasting(sent, "lasts")
    if not lasts_s:
        raise InvalidField("lasts", "say how long it lasts")
    tell = sent.get("tell", "")
    if tell not in dict(TELLING):
        raise InvalidField("tell", "want one of the ways to tell")
    if tell:
        must_have(who, Right.MESSAGE)
    return Plan(
        area=area,
        from_at=start,
        until_at=start + lasts_s * SECOND,
        text_en=sent.get("text_en", ""),
        text_sw=sent.get("text_sw", ""),
        tell_before_s=int(tell) if tell else None,
        id=sent.get(held.ONCE, ""),
    )


async def _area(deps: Deps, who: Who, named: str) -> Area:
    kind, _, name = named.partition(":")
    if named == EVERYTHING:
        if who.branches is not None:
            raise Forbidden("say a site or a branch: you are held to some branches")
        return Area()
    if kind not in {"site", "branch"} or not name:
        raise InvalidField("area", "say where")
    await must_reach(deps, who, kind, name)
    return Area(site_id=name) if kind == "site" else Area(branch_id=name)


def _areas(
    who: Who, places: Mapping[str, str], shops: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    everything = ((EVERYTHING, ""),) if who.branches is None else ()
    branches = tuple((f"branch:{one}", said) for one, said in shops.items() if who.reaches(one))
    return (*((f"site:{one}", said) for one, said in places.items()), *branches, *everything)


def _line(row: MaintenanceRow, told: int | None, names: Mapping[str, str], now: datetime) -> Line:
    where = row.site_id or row.branch_id or ""
    called_off = row.ended_at is not None and row.ended_at <= row.from_at
    over = usecase.ends_at(row) <= now
    mood = CALLED_OFF if called_off else OVER if over else ON if row.from_at <= now else TO_COME
    return Line(
        id=row.id,
        mood=mood,
        where=names.get(where, where),
        from_at=row.from_at,
        until_at=usecase.ends_at(row),
        text={"en": row.text_en, "sw": row.text_sw},
        planned_by=row.planned_by,
        told=told,
        can_end=not over and row.ended_at is None,
    )


WINDOWS = live.View(
    name="Maintenance", path=MAINTENANCE, right=Right.SEE_ALERTS, look=look,
    template="maintenance/page.html", every_s=0,
)  # fmt: skip

router = live.pages(WINDOWS)


@router.post(MAINTENANCE, response_model=None)
async def plan_window(request: Request, deps: Needed) -> RedirectResponse:
    """Plan work. The same form sent twice plans it once."""
    who = await live.acts(request, Right.RUN_ALERTS)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        held.once_of(sent)
        plan = await plan_of(deps, who, sent)
        await usecase.plan(deps, plan, who=who.name, branches=who.branches)

    typed_in = {key: value for key, value in sent.items() if key != held.ONCE}
    return await held.kept_or_again(
        request,
        deed(),
        done=_("It is planned. Portals show it from three days before."),
        to=MAINTENANCE,
        again=f"{MAINTENANCE}?{urlencode(typed_in)}",
    )


@router.post(f"{MAINTENANCE}/{{window_id}}/end", response_model=None)
async def end_window(window_id: Id, request: Request, deps: Needed) -> RedirectResponse:
    """End work now, or call it off before it begins."""
    who = await live.acts(request, Right.RUN_ALERTS)
    await must_reach(deps, who, "maintenance", window_id)
    _ = live.words_of(request)
    said = _("It is over. Who was not told yet is not told any more.")
    return await live.tried(request, MAINTENANCE, usecase.end(deps, window_id), said=said)
