"""Keys for programs: list, make, revoke. Each has a role, and no more than its maker's."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter

from controller.api.auth import KEY_HOLDER
from controller.api.errors import Refused
from controller.api.needs import Asking, Id, Needed
from controller.api.shapes import Page
from controller.api.staff_shapes import ApiTokenIn, ApiTokenMadeOut, ApiTokenOut
from controller.usecases import api_tokens as usecase

router = APIRouter(prefix="/api-tokens", tags=["staff"])


@router.get("")
async def list_api_tokens(deps: Needed, who: Asking) -> Page[ApiTokenOut]:
    """One's own keys, and those of whom one rules over, the newest first; all in one page."""
    found = await usecase.listed(deps, who)
    return Page(data=[ApiTokenOut.of(row) for row in found], next_cursor=None)


@router.post("", status_code=HTTPStatus.CREATED)
async def make_api_token(deps: Needed, who: Asking, asked: ApiTokenIn) -> ApiTokenMadeOut:
    """Make a key, by the controller's own; it is shown this once. People make theirs at /noc/me."""
    if who.id != KEY_HOLDER.id and not who.by_token:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "password_wanted",
            "make it at /noc/me, where your password is asked for",
        )
    made = await usecase.make(
        deps,
        who,
        name=asked.name,
        role=asked.role,
        branches=None if not asked.branches else frozenset(asked.branches),
        lasts=timedelta(days=asked.days),
    )
    return ApiTokenMadeOut(**ApiTokenOut.of(made.row).model_dump(), token=made.secret)


@router.post("/{api_token_id}/revoke")
async def revoke_api_token(api_token_id: Id, deps: Needed, who: Asking) -> Page[ApiTokenOut]:
    """Let a key open nothing any more; the keys that are left. Again changes nothing."""
    await usecase.revoke(deps, who, api_token_id)
    return await list_api_tokens(deps, who)
