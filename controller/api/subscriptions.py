"""Subscriptions: list, start, show, place, quote, change, pause, suspend, resume, end."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from billing.money import parse_money
from billing.subscription import State
from controller.api import pages, replay
from controller.api.charge_shapes import (
    ChangeIn,
    CredentialsIn,
    CredentialsOut,
    EndIn,
    LoginOut,
    PauseIn,
    PlaceIn,
    QuoteOut,
    SubscriptionIn,
    SubscriptionLineOut,
    price_of,
)
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked, known_site
from controller.api.shapes import Page, Words
from controller.noc import charges
from controller.noc.views import Mark
from controller.store import logins
from controller.usecases import logins as login_usecase
from controller.usecases import pauses, placement, plan_changes, subscribers
from controller.usecases import subscriptions as usecase

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])


class SubscriptionsAsked(PageAsked):
    """Which subscriptions are wanted: of one subscriber, in one state, at one site."""

    subscriber: Annotated[Words, Field(max_length=64)] = ""
    state: State | None = None
    site_id: OfSite = None


class QuoteAsked(BaseModel):
    """To which plan; ``price`` is a bespoke one in shillings."""

    model_config = ConfigDict(extra="forbid")

    plan_id: Annotated[Words, Field(max_length=40)]
    price: Annotated[str | None, Field(max_length=24)] = None


@router.get("")
async def list_subscriptions(
    deps: Needed, who: Asking, asked: Annotated[SubscriptionsAsked, Query()]
) -> Page[SubscriptionLineOut]:
    """Subscriptions, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        whose = await subscribers.must_find(tx, asked.subscriber) if asked.subscriber else None
        found = await charges.subscription_views(
            tx,
            after=after,
            limit=asked.limit,
            subscriber_id=None if whose is None else whose.id,
            state=asked.state,
            site_id=asked.site_id,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[SubscriptionLineOut.seen(view) for view in found],
        next_cursor=pages.written(Mark(last.created_at, last.id)) if last else None,
    )


@router.post("", status_code=HTTPStatus.CREATED, response_model=SubscriptionLineOut)
async def start_subscription(deps: Needed, request: Request, asked: SubscriptionIn) -> Response:
    """Agree on one; served and billed at once if it begins now. Wants an ``Idempotency-Key``."""

    async def work() -> SubscriptionLineOut:
        row = await usecase.start(deps, asked.agreement(replay.id_of(request)))
        return await show_subscription(row.id, deps)

    return await replay.once(deps, request, asked, work)


@router.get("/{subscription_id}")
async def show_subscription(subscription_id: Id, deps: Needed) -> SubscriptionLineOut:
    """One subscription."""
    async with deps.db.read() as tx:
        found = await charges.subscription_view(tx, subscription_id)
    if found is None:
        raise NotFound("subscription", subscription_id)
    return SubscriptionLineOut.seen(found)


@router.post("/{subscription_id}")
async def place_subscription(
    subscription_id: Id, deps: Needed, asked: PlaceIn
) -> SubscriptionLineOut:
    """Let it be served at another site, or by other devices, at once; what is not said stays."""
    await placement.place(deps, subscription_id, site_id=asked.site_id, devices=asked.devices)
    return await show_subscription(subscription_id, deps)


@router.get("/{subscription_id}/credentials")
async def show_credentials(subscription_id: Id, deps: Needed) -> LoginOut:
    """By what it dials in; the secret is shown to nobody."""
    async with deps.db.read() as tx:
        found = await logins.load(tx, subscription_id)
    if found is None:
        raise NotFound("login of subscription", subscription_id)
    return LoginOut(name=found.name, site_id=found.site_id, set_at=found.set_at)


@router.post("/{subscription_id}/credentials")
async def set_credentials(
    subscription_id: Id, deps: Needed, asked: CredentialsIn
) -> CredentialsOut:
    """Give it a name and a secret to dial in by, or another secret; shown this once."""
    secret = None if asked.secret is None else asked.secret.get_secret_value()
    made = await login_usecase.set_credentials(
        deps, subscription_id, name=asked.name, secret=secret
    )
    return CredentialsOut(name=made.name, secret=made.secret)


@router.get("/{subscription_id}/quote")
async def quote_change(
    subscription_id: Id, deps: Needed, asked: Annotated[QuoteAsked, Query()]
) -> QuoteOut:
    """What another plan would come to now, to the cent. Changes nothing."""
    price = None if asked.price is None else parse_money(asked.price)
    return QuoteOut.of(await plan_changes.quote(deps, subscription_id, asked.plan_id, price=price))


@router.post(
    "/{subscription_id}/change",
    status_code=HTTPStatus.CREATED,
    response_model=SubscriptionLineOut,
)
async def change_plan(
    subscription_id: Id, deps: Needed, request: Request, asked: ChangeIn
) -> Response:
    """Put it on another plan, now or with the next period; wants an ``Idempotency-Key``."""

    async def work() -> SubscriptionLineOut:
        if asked.at_renewal:
            await plan_changes.change_at_renewal(deps, subscription_id, asked.plan_id)
        else:
            await plan_changes.change_now(
                deps,
                subscription_id,
                asked.plan_id,
                price=price_of(asked.price),
                quoted=None if asked.quoted is None else asked.quoted.money(),
            )
        return await show_subscription(subscription_id, deps)

    return await replay.once(deps, request, asked, work)


@router.post("/{subscription_id}/pause")
async def pause_subscription(
    subscription_id: Id, deps: Needed, asked: PauseIn
) -> SubscriptionLineOut:
    """Neither serve nor bill it, by the subscriber's wish; unused days are credited."""
    await pauses.pause(deps, subscription_id, until=asked.until)
    return await show_subscription(subscription_id, deps)


@router.post("/{subscription_id}/suspend")
async def suspend_subscription(subscription_id: Id, deps: Needed) -> SubscriptionLineOut:
    """Stop serving it, by staff's word."""
    await usecase.suspend(deps, subscription_id)
    return await show_subscription(subscription_id, deps)


@router.post("/{subscription_id}/resume")
async def resume_subscription(subscription_id: Id, deps: Needed) -> SubscriptionLineOut:
    """Serve it again: a pause ends, or what staff or a debt suspended goes on."""
    found = await show_subscription(subscription_id, deps)
    if found.state == State.PAUSED:
        await pauses.resume(deps, subscription_id)
    else:
        await usecase.resume(deps, subscription_id)
    return await show_subscription(subscription_id, deps)


@router.post("/{subscription_id}/end")
async def end_subscription(subscription_id: Id, deps: Needed, asked: EndIn) -> SubscriptionLineOut:
    """End it now, for good. Ending it again changes nothing."""
    await usecase.end(deps, subscription_id, credit_rest=asked.credit_rest)
    return await show_subscription(subscription_id, deps)
