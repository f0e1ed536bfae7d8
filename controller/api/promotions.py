"""Promotions: list, add, withdraw, take up."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from billing.errors import InvalidField
from controller.api import replay
from controller.api.money_shapes import PromotionIn, PromotionOut, TakeIn, TakenOut
from controller.api.needs import Id, Needed
from controller.api.shapes import Page
from controller.store import promotions
from controller.usecases import promotions as usecase
from controller.usecases.subscribers import normal_name

router = APIRouter(tags=["promotions"])


@router.get("/promotions")
async def list_promotions(deps: Needed) -> Page[PromotionOut]:
    """Promotions, newest first; all in one page."""
    async with deps.db.read() as tx:
        found = await promotions.listed(tx)
    return Page(data=[PromotionOut.of(row) for row in found], next_cursor=None)


@router.post("/promotions", status_code=HTTPStatus.CREATED)
async def add_promotion(deps: Needed, asked: PromotionIn) -> PromotionOut:
    """Make a promotion. The same again changes nothing."""
    kinds = asked.terms()
    if len(kinds) != 1:
        raise InvalidField("discount", "want one of discount, coupon, referral and loyalty")
    row = await usecase.create(
        deps,
        name=asked.name,
        terms=kinds[0],
        promotion_id=asked.id,
        starts_at=asked.starts_at,
        ends_at=asked.ends_at,
    )
    return PromotionOut.of(row)


@router.post("/promotions/{promotion_id}/withdraw")
async def withdraw_promotion(promotion_id: Id, deps: Needed) -> PromotionOut:
    """Let nobody take it up any more; who has it keeps it."""
    return PromotionOut.of(await usecase.withdraw(deps, promotion_id))


@router.post(
    "/subscribers/{subscriber}/promotions",
    status_code=HTTPStatus.CREATED,
    response_model=TakenOut,
)
async def take_up(subscriber: Id, deps: Needed, request: Request, asked: TakeIn) -> Response:
    """Let a subscriber have a discount, or a coupon by its code; wants an ``Idempotency-Key``."""

    async def work() -> TakenOut:
        if bool(asked.promotion_id) is bool(asked.code):
            raise InvalidField("promotion_id", "want it, or a code; one of the two")
        use = await usecase.take_up(
            deps,
            msisdn_or_id=normal_name(subscriber),
            promotion_id=asked.promotion_id,
            code=asked.code,
        )
        return TakenOut.of(use)

    return await replay.once(deps, request, asked, work)
