"""The HTTP application, put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI

from controller.api import (
    account_payments,
    arrivals,
    audit,
    branches,
    callbacks,
    errors,
    garden,
    grants,
    health,
    invoices,
    ledger,
    mandates,
    messages,
    notices,
    operator,
    papers,
    payments,
    plans,
    pools,
    prices,
    probes,
    promotions,
    received,
    reconciliations,
    refunds,
    reports,
    runs,
    series,
    sessions,
    sites,
    statements,
    subscribers,
    subscriptions,
    tokens,
    usage,
    voucher_sales,
    vouchers,
)
from controller.api.auth import Staff
from controller.api.door import Door
from controller.api.needs import only_staff
from controller.api.reach import needs_of
from controller.noc import live, page
from controller.noc.hub import Hub
from controller.noc.pages import counter, exceptions, keys, overview
from controller.noc.pages import payments as payment_pages
from controller.noc.pages import plans as plan_pages
from controller.noc.pages import reports as report_pages
from controller.noc.pages import vouchers as voucher_pages
from controller.storefront import Storefront
from portal.account import app as account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.deps import Deps


BUY = "/buy"
"""Where customers buy tokens; followed by the site's id."""

PAGES = (
    overview, payment_pages, exceptions, plan_pages, voucher_pages, counter, report_pages, keys,
)  # fmt: skip
"""The pages of the dashboard."""


def create_app(deps: Deps) -> FastAPI:
    """The application on top of ``deps``; serve it without trusting forwarded headers."""
    app = described_app()
    app.state.deps = deps
    app.state.staff = Staff(vault=deps.vault, now=deps.now, public_url=deps.settings.public_url)
    app.mount(BUY, account.create_app(Storefront(deps), root=BUY))
    app.state.hub = Hub(signals=deps.signals)
    app.state.views = tuple(view for part in PAGES for view in part.router.views)
    return app


def described_app() -> FastAPI:
    """The routes without anything behind them: enough to describe them."""
    app = FastAPI(
        title="Lango",
        version=version("lango"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses={"4XX": {"description": "An RFC 9457 problem that names the field."}},
    )
    app.router.routes.insert(0, callbacks.STK_CALLBACKS)
    app.include_router(health.router)
    app.include_router(callbacks.router)
    app.include_router(_v1())
    app.include_router(papers.public)
    app.include_router(page.router)
    app.include_router(live.events)
    for part in PAGES:
        app.include_router(part.router)
    app.mount("/noc/static", page.static_files(), name="static")
    errors.install(app)
    app.add_middleware(Door)
    app.state.needs = needs_of(app)
    return app


def _v1() -> APIRouter:
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(only_staff)])
    for part in (sites, plans, vouchers, tokens, payments, sessions, grants, ledger, notices):
        router.include_router(part.router)
    for part in (pools, garden, probes, prices, operator, branches, subscribers):
        router.include_router(part.router)
    for part in (subscriptions, invoices, received, promotions, runs):
        router.include_router(part.router)
    for part in (papers, reports, voucher_sales, messages, audit):
        router.include_router(part.router)
    for part in (arrivals, refunds, account_payments, mandates, statements, reconciliations):
        router.include_router(part.router)

    for part in (series, usage):
        router.include_router(part.router)

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        """The description of this interface."""
        return described_app().openapi()

    return router


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.hub.close()
