"""The staff: list, take on, show, change, reset; the link for the first owner."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from controller.api import pages
from controller.api.needs import Asking, Id, Needed, PageAsked
from controller.api.shapes import Page
from controller.api.staff_shapes import InvitedOut, SetupOut, StaffIn, StaffOut, StaffSetIn
from controller.store import staff as store
from controller.usecases import staff as usecase
from controller.usecases.staff import Invited

router = APIRouter(prefix="/staff", tags=["staff"])

WELCOME = "/noc/welcome?token="


@router.get("")
async def list_staff(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[StaffOut]:
    """Members of staff, in order of their logins."""
    after = pages.read_id(asked.cursor)
    async with deps.db.read() as tx:
        found = await store.page(tx, after_login=after, limit=asked.limit, branches=who.branches)
    full = len(found) == asked.limit
    return Page(
        data=[StaffOut.of(row) for row in found],
        next_cursor=pages.written_id(found[-1].login) if full else None,
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_staff(deps: Needed, who: Asking, asked: StaffIn) -> InvitedOut:
    """Take somebody on; the link that they come in by is shown this once."""
    return await _invited(deps, who, await usecase.add(deps, who, asked.new()))


@router.post("/setup-url", status_code=HTTPStatus.CREATED)
async def setup_url(deps: Needed, who: Asking) -> SetupOut:
    """A link of 30 minutes by which somebody becomes the first owner; an older one ends."""
    invited = await usecase.invite_owner(deps, who)
    return SetupOut(url=link(deps, invited), expires_at=invited.expires_at)


@router.get("/{staff_id}")
async def show_staff(staff_id: Id, deps: Needed, who: Asking) -> StaffOut:
    """One member of staff."""
    async with deps.db.read() as tx:
        return StaffOut.of(await usecase.find(tx, who, staff_id))


@router.post("/{staff_id}")
async def change_staff(staff_id: Id, deps: Needed, who: Asking, asked: StaffSetIn) -> StaffOut:
    """Change an account; another role, other branches and disabling end what is open at once."""
    return StaffOut.of(await usecase.change(deps, who, staff_id, asked.change()))


@router.post("/{staff_id}/reset", status_code=HTTPStatus.CREATED)
async def reset_staff(staff_id: Id, deps: Needed, who: Asking) -> InvitedOut:
    """Forget password and factors, end what is open; a new link to come in by."""
    return await _invited(deps, who, await usecase.reset(deps, who, staff_id))


def link(deps: Needed, invited: Invited) -> str:
    """Where an invitation is accepted."""
    return f"{deps.settings.public_url}{WELCOME}{invited.token}"


async def _invited(deps: Needed, who: Asking, invited: Invited) -> InvitedOut:
    assert invited.staff_id is not None
    async with deps.db.read() as tx:
        row = await usecase.find(tx, who, invited.staff_id)
    return InvitedOut(
        staff=StaffOut.of(row), url=link(deps, invited), expires_at=invited.expires_at
    )
