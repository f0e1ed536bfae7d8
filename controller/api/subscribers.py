"""Subscribers: list and search, show, add, change. In paths by id or by phone."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from billing.msisdn import parse_msisdn
from controller.api import pages, replay
from controller.api.billing_shapes import (
    SubscriberDetailOut,
    SubscriberIn,
    SubscriberOut,
    SubscriberSetIn,
)
from controller.api.charge_shapes import DocumentOut, SubscriptionOut
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked
from controller.api.shapes import MoneyShape, Page, Words
from controller.api.why_shapes import AnswerOut, WhyOut
from controller.noc import accounts
from controller.noc.views import Mark
from controller.usecases import standing
from controller.usecases import subscribers as usecase
from controller.usecases.why_facts import why

router = APIRouter(prefix="/subscribers", tags=["subscribers"])


class SubscribersAsked(PageAsked):
    """Which subscribers are wanted: ``search`` is a part of the name or of the phone."""

    search: Annotated[Words, Field(max_length=80)] = ""
    branch_id: OfSite = None


@router.get("")
async def list_subscribers(
    deps: Needed, who: Asking, asked: Annotated[SubscribersAsked, Query()]
) -> Page[SubscriberOut]:
    """Subscribers, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await accounts.subscriber_views(
            tx,
            after=after,
            limit=asked.limit,
            search=asked.search,
            branch_id=asked.branch_id,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[SubscriberOut.of(view) for view in found],
        next_cursor=pages.written(Mark(last.created_at, last.id)) if last else None,
    )


@router.post("", status_code=HTTPStatus.CREATED, response_model=SubscriberOut)
async def add_subscriber(deps: Needed, request: Request, asked: SubscriberIn) -> Response:
    """Make a subscriber; wants an ``Idempotency-Key``."""

    async def work() -> SubscriberOut:
        subscriber_id = await usecase.add_subscriber(
            deps, parse_msisdn(asked.phone), asked.change()
        )
        return await _shown(deps, subscriber_id)

    return await replay.once(deps, request, asked, work)


@router.get("/{subscriber}")
async def show_subscriber(subscriber: Id, deps: Needed) -> SubscriberDetailOut:
    """One subscriber: contact, money, subscriptions, and what was issued last."""
    async with deps.db.read() as tx:
        row = await usecase.must_find(tx, subscriber)
        view = await accounts.subscriber_view(tx, row)
        held = await accounts.subscription_rows(tx, row.id)
        issued = await accounts.last_documents(tx, row.id)
        wanted = await standing.to_go_on(tx, row.id, held, deps.now())
    return SubscriberDetailOut(
        **SubscriberOut.of(view).model_dump(),
        to_pay=None if wanted is None else MoneyShape.of(wanted.minor, wanted.currency),
        subscriptions=[SubscriptionOut.of(one) for one in held],
        documents=[DocumentOut.of(document, debt) for document, debt in issued],
    )


@router.get("/{subscriber}/why")
async def why_not_online(subscriber: Id, deps: Needed) -> WhyOut:
    """Why they are not online: payment, grant, generation, session, counters, link, in order."""
    now = deps.now()
    async with deps.db.read() as tx:
        row = await usecase.must_find(tx, subscriber)
        answers = await why(tx, row, now)
    return WhyOut(
        phone=row.msisdn,
        name=row.name,
        at=now,
        online=any(one.is_online for one in answers),
        answers=[AnswerOut.of(one) for one in answers],
    )


@router.post("/{subscriber}")
async def change_subscriber(subscriber: Id, deps: Needed, asked: SubscriberSetIn) -> SubscriberOut:
    """Change what is known of a subscriber; what is not said stays."""
    return await _shown(deps, await usecase.change_subscriber(deps, subscriber, asked.change()))


async def _shown(deps: Needed, subscriber_id: str) -> SubscriberOut:
    async with deps.db.read() as tx:
        row = await usecase.must_find(tx, subscriber_id)
        return SubscriberOut.of(await accounts.subscriber_view(tx, row))
