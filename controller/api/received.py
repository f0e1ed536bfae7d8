"""Money: what came in for accounts, reversals; wallets put right and moved; dunning policies."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from billing.dunning import DEFAULT
from controller.api import pages, replay
from controller.api.errors import NotFound
from controller.api.money_shapes import (
    AdjustIn,
    BookedOut,
    PolicyShape,
    ReasonIn,
    ReceivedIn,
    ReceivedOut,
    TransferIn,
    WalletOut,
)
from controller.api.needs import Asking, Id, Needed, PageAsked
from controller.api.reach import must_have
from controller.api.shapes import MoneyShape, Page, Words
from controller.noc import charges
from controller.noc.views import Mark
from controller.rights import Right, right_to_take
from controller.store import dunning
from controller.store import received as received_store
from controller.usecases import debts, money_in, subscribers, wallets
from controller.usecases.subscribers import normal_name

router = APIRouter(tags=["money"])


class ReceivedAsked(PageAsked):
    """Which money is wanted: for one subscriber, or all."""

    subscriber: Annotated[Words, Field(max_length=64)] = ""


@router.get("/received")
async def list_received(
    deps: Needed, who: Asking, asked: Annotated[ReceivedAsked, Query()]
) -> Page[ReceivedOut]:
    """Money that came in for accounts, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        whose = await subscribers.must_find(tx, asked.subscriber) if asked.subscriber else None
        found = await charges.received_views(
            tx,
            after=after,
            limit=asked.limit,
            subscriber_id=None if whose is None else whose.id,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[ReceivedOut.of(view) for view in found],
        next_cursor=pages.written(Mark(last.at, last.id)) if last else None,
    )


@router.post("/received", status_code=HTTPStatus.CREATED, response_model=BookedOut)
async def receive(deps: Needed, who: Asking, request: Request, asked: ReceivedIn) -> Response:
    """Take money for an account: it pays what is open. Wants an ``Idempotency-Key``.

    By another rail than ``cash`` and ``cheque``, or with an ``at``, it wants ``book_money`` too;
    and so does a receipt of money that has come and is nobody's yet.
    """
    must_have(who, right_to_take(asked.rail, is_dated=asked.at is not None))
    name = replay.id_of(request)

    async def work() -> BookedOut:
        taken = await money_in.receive(
            deps,
            msisdn_or_id=normal_name(asked.subscriber),
            amount=asked.amount.money(),
            rail=asked.rail,
            receipt=asked.receipt,
            place=asked.place,
            at=asked.at,
            note=asked.note,
            idempotent=name,
            may_place=who.may(Right.BOOK_MONEY),
        )
        shown = await show_received(taken.row.id, deps)
        # A request that is sent again is answered as it was the first time.
        return BookedOut(**shown.model_dump(), taken_before=taken.row.id != name)

    return await replay.once(deps, request, asked, work)


@router.get("/received/{received_id}")
async def show_received(received_id: Id, deps: Needed) -> ReceivedOut:
    """Money that came in."""
    async with deps.db.read() as tx:
        found = await charges.received_view(tx, received_id)
    if found is None:
        raise NotFound("received money", received_id)
    return ReceivedOut.of(found)


@router.post("/received/{received_id}/reverse")
async def reverse(received_id: Id, deps: Needed, asked: ReasonIn) -> ReceivedOut:
    """Book that it went back; what it paid is open again. Again changes nothing."""
    await money_in.reverse(deps, received_id, reason=asked.reason)
    return await show_received(received_id, deps)


@router.post(
    "/subscribers/{subscriber}/adjust", status_code=HTTPStatus.CREATED, response_model=WalletOut
)
async def adjust(subscriber: Id, deps: Needed, request: Request, asked: AdjustIn) -> Response:
    """Put money into a wallet, or take it out; wants an ``Idempotency-Key``."""

    async def work() -> WalletOut:
        await wallets.adjust(
            deps,
            msisdn_or_id=normal_name(subscriber),
            amount=asked.amount.money(),
            reason=asked.reason,
            idempotent=replay.id_of(request),
        )
        return await _wallet(deps, subscriber)

    return await replay.once(deps, request, asked, work)


@router.post(
    "/subscribers/{subscriber}/transfer", status_code=HTTPStatus.CREATED, response_model=WalletOut
)
async def transfer(subscriber: Id, deps: Needed, request: Request, asked: TransferIn) -> Response:
    """Move money to another's wallet; wants an ``Idempotency-Key``."""

    async def work() -> WalletOut:
        await wallets.transfer(
            deps,
            source=normal_name(subscriber),
            target=normal_name(asked.target),
            amount=asked.amount.money(),
            note=asked.note,
            idempotent=replay.id_of(request),
        )
        return await _wallet(deps, subscriber)

    return await replay.once(deps, request, asked, work)


@router.get("/dunning-policies")
async def list_policies(deps: Needed) -> Page[PolicyShape]:
    """What happens to unpaid invoices, of all and of segments that have their own."""
    async with deps.db.read() as tx:
        found = {dunning.OTHERS: DEFAULT, **await dunning.policies(tx)}
    return Page(
        data=[PolicyShape.of(segment, found[segment]) for segment in sorted(found)],
        next_cursor=None,
    )


@router.post("/dunning-policies")
async def set_policy(deps: Needed, asked: PolicyShape) -> Page[PolicyShape]:
    """Let a segment's unpaid invoices follow a policy from now on; all policies."""
    await debts.set_policy(deps, asked.segment, asked.policy())
    return await list_policies(deps)


async def _wallet(deps: Needed, subscriber: str) -> WalletOut:
    async with deps.db.read() as tx:
        row = await subscribers.must_find(tx, subscriber)
        held = await received_store.wallet_minor(tx, row.id)
    return WalletOut(subscriber_id=row.id, wallet=MoneyShape.of(held, "KES"))
