"""Activation tokens: list, issue, send again; and a site's key for them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from billing.ids import PlanId, SiteId
from billing.msisdn import parse_msisdn
from billing.token import shown
from controller.api import pages, replay
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked, SiteKey, known_site
from controller.api.shapes import (
    Page,
    RotatedOut,
    RotateIn,
    TokenIn,
    TokenOut,
    TokenResendIn,
    TokenShownOut,
)
from controller.noc import views
from controller.usecases import token_keys
from controller.usecases import tokens as usecase

router = APIRouter(tags=["tokens"])


class TokensAsked(PageAsked):
    """Which tokens are wanted."""

    site_id: OfSite = None


@router.get("/tokens")
async def list_tokens(
    deps: Needed, who: Asking, asked: Annotated[TokensAsked, Query()]
) -> Page[TokenOut]:
    """Tokens, newest first, without their digits."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await views.token_views(
            tx,
            after=after,
            limit=asked.limit,
            site_id=asked.site_id,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[TokenOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.issued_at, last.id)) if last else None,
    )


@router.post("/tokens", status_code=HTTPStatus.CREATED, response_model=TokenShownOut)
async def issue_token(deps: Needed, request: Request, asked: TokenIn) -> Response:
    """Issue one; wants an ``Idempotency-Key``. The digits are shown this once, and go by SMS."""

    async def work() -> TokenShownOut:
        issued = await usecase.issue(
            deps,
            SiteId(asked.site_id),
            PlanId(asked.plan_id),
            msisdn=parse_msisdn(asked.phone) if asked.phone else None,
        )
        return TokenShownOut(
            id=issued.id, site_id=issued.site_id, plan_id=issued.plan_id, token=shown(issued.code)
        )

    return await replay.once(deps, request, asked, work)


@router.post("/tokens/{token_id}/resend", status_code=HTTPStatus.CREATED, response_model=TokenOut)
async def resend_token(
    token_id: Id, deps: Needed, request: Request, asked: TokenResendIn
) -> Response:
    """Send it again by SMS; wants an ``Idempotency-Key``."""

    async def work() -> TokenOut:
        phone = parse_msisdn(asked.phone) if asked.phone else None
        await usecase.resend(deps, token_id, msisdn=phone)
        async with deps.db.read() as tx:
            found = await views.token_view(tx, token_id)
        if found is None:
            raise NotFound("token", token_id)
        return TokenOut.of(found)

    return await replay.once(deps, request, asked, work)


@router.post(
    "/sites/{site_id}/token-keys", status_code=HTTPStatus.CREATED, response_model=RotatedOut
)
async def rotate_key(site_id: SiteKey, deps: Needed, request: Request) -> Response:
    """Give the site a new token key; wants an ``Idempotency-Key``. Older tokens stay good."""

    async def work() -> RotatedOut:
        return RotatedOut(version=await token_keys.rotate(deps, SiteId(site_id)))

    return await replay.once(deps, request, RotateIn(), work)
