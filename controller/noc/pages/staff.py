"""The staff: who works here, as what, at which branches; taking on, changing, resetting.

Who may rule over whom is decided by ``controller/usecases/staff.py``; this page only leaves out
the buttons that would be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - shown by the templates
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import HTMLResponse, Response

from billing.errors import InvalidField
from controller.api.needs import deps_of
from controller.noc import live
from controller.noc.brand import brand_of
from controller.noc.page import preferences_of, style_of
from controller.noc.paint import rendered
from controller.noc.words import word
from controller.rights import Right, Role, may_rule
from controller.store import branches, staff
from controller.usecases import staff as usecase
from controller.usecases.staff_names import at_most, shown_login

if TYPE_CHECKING:
    from controller.rights import Who
    from controller.store.staff_rows import StaffRow
    from controller.usecases.staff import Invited

HERE = "/noc/staff"
LINES_MAX = 200
BRANCHES_MAX = 200
DONE = word("Done.")
ENDED = word("Done; they sign in again.")
SURE = "reset"
NAMES = {
    Role.OWNER: word("owner"),
    Role.ADMIN: word("admin"),
    Role.BILLING: word("billing"),
    Role.SUPPORT: word("support"),
    Role.TECHNICIAN: word("technician"),
    Role.CASHIER: word("cashier"),
    Role.READ_ONLY: word("read-only"),
}
STATES = {
    "active": (word("active"), "good"),
    "invited": (word("invited"), "busy"),
    "disabled": (word("disabled"), "quiet"),
}


@dataclass(frozen=True, slots=True)
class Mood:
    """A state by word and shape."""

    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class Line:
    """A member of staff as a row. ``may_change``: whoever looks rules over them."""

    id: str
    login: str
    name: str
    role: str
    role_name: str
    branches: tuple[str, ...]
    mood: Mood
    is_disabled: bool
    signed_in_at: datetime | None
    may_change: bool


@dataclass(frozen=True, slots=True)
class Staff:
    """The list, and what may be chosen for somebody new."""

    lines: tuple[Line, ...]
    next: str
    now: datetime
    roles: tuple[tuple[str, str], ...]
    branches: tuple[str, ...]
    may_add: bool
    may_have_all: bool


async def look(asked: live.Asked) -> Staff:
    """The staff, in order of their logins."""
    who, after = asked.who, asked.query.get("after", "")
    async with asked.deps.db.read() as tx:
        rows = await staff.page(tx, after_login=after, limit=LINES_MAX, branches=who.branches)
        places = await branches.page(tx, after_id="", limit=BRANCHES_MAX, branches=who.branches)
    return Staff(
        lines=tuple(_line(who, row) for row in rows),
        next=rows[-1].login if len(rows) == LINES_MAX else "",
        now=asked.now,
        roles=tuple((role.value, name) for role, name in NAMES.items() if _may_make(who, role)),
        branches=tuple(place.id for place in places),
        may_add=who.may(Right.RUN_STAFF),
        may_have_all=who.branches is None,
    )


def _may_make(who: Who, role: Role) -> bool:
    return may_rule(who, role) and at_most(role, who.role)


def _line(who: Who, row: StaffRow) -> Line:
    state = "disabled" if row.disabled_at else "active" if row.password_hash else "invited"
    return Line(
        id=row.id,
        login=shown_login(row.login),
        name=row.name,
        role=row.role,
        role_name=NAMES[Role(row.role)],
        branches=tuple((row.branches or "").split()),
        mood=Mood(*STATES[state]),
        is_disabled=row.disabled_at is not None,
        signed_in_at=row.signed_in_at,
        may_change=row.id != who.id and may_rule(who, Role(row.role)),
    )


STAFF = live.View(
    name="Staff",
    path=HERE,
    right=Right.SEE_STAFF,
    look=look,
    template="staff/page.html",
    every_s=0,
)

router = live.pages(STAFF)


@router.post("/noc/staff")
async def add(request: Request) -> Response:
    """Take somebody on; the link that they come in by is shown this once."""
    who = await live.acts(request, Right.RUN_STAFF)
    sent = await live.fields(request)
    new = usecase.NewStaff(
        login=sent.get("login", ""),
        name=sent.get("name", ""),
        role=_role(sent.get("role", "")),
        branches=frozenset(sent.get("branches", "").split()) or None,
        language=sent.get("language", "en"),
    )
    return await _link(request, who, await usecase.add(deps_of(request), who, new))


@router.post("/noc/staff/{staff_id}")
async def change(request: Request, staff_id: str) -> Response:
    """Give somebody another name, role or other branches."""
    who = await live.acts(request, Right.RUN_STAFF)
    sent = await live.fields(request)
    wanted = usecase.StaffChange(
        name=sent.get("name") or None,
        role=_role(sent["role"]) if sent.get("role") else None,
        branches=tuple(sent["branches"].split()) if "branches" in sent else None,
    )
    return await _tried(request, who, staff_id, wanted, ENDED)


@router.post("/noc/staff/{staff_id}/disable")
async def disable(request: Request, staff_id: str) -> Response:
    """Let somebody in no more; what is open ends at once."""
    who = await live.acts(request, Right.RUN_STAFF)
    return await _tried(request, who, staff_id, usecase.StaffChange(disabled=True), DONE)


@router.post("/noc/staff/{staff_id}/enable")
async def enable(request: Request, staff_id: str) -> Response:
    """Let somebody in again."""
    who = await live.acts(request, Right.RUN_STAFF)
    return await _tried(request, who, staff_id, usecase.StaffChange(disabled=False), DONE)


@router.post("/noc/staff/{staff_id}/reset")
async def reset(request: Request, staff_id: str) -> Response:
    """Forget somebody's password and factors; a new link to come in by, shown this once."""
    who = await live.acts(request, Right.RUN_STAFF)
    if (await live.fields(request)).get("sure") != SURE:
        raise InvalidField("sure", f"type {SURE} to go on")
    return await _link(request, who, await usecase.reset(deps_of(request), who, staff_id))


async def _tried(
    request: Request, who: Who, staff_id: str, wanted: usecase.StaffChange, said: str
) -> Response:
    deed = usecase.change(deps_of(request), who, staff_id, wanted)
    return await live.tried(request, HERE, deed, said=live.words_of(request)(said))


async def _link(request: Request, who: Who, invited: Invited) -> Response:
    deps = deps_of(request)
    assert invited.staff_id is not None
    async with deps.db.read() as tx:
        row = await usecase.find(tx, who, invited.staff_id)
    html = rendered(
        "staff/link.html",
        style_of(request),
        wanted=preferences_of(request),
        brand=brand_of(request),
        name=row.name,
        link=f"{deps.settings.public_url}/noc/welcome?token={invited.token}",
        until=invited.expires_at,
        now=deps.now(),
        to=HERE,
    )
    return HTMLResponse(html, HTTPStatus.CREATED)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise InvalidField("role", f"want one of {', '.join(Role)}") from None
