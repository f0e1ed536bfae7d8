"""The HTTP application, put together."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import Response
from starlette.middleware.gzip import GZipMiddleware

from controller.api import (
    account_payments,
    alerts,
    api_tokens,
    arrivals,
    audit,
    branches,
    callbacks,
    devices,
    errors,
    garden,
    grants,
    health,
    imports,
    install,
    invoices,
    ledger,
    maintenance,
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
    search,
    series,
    sessions,
    sites,
    staff,
    statements,
    subscribers,
    subscriptions,
    tokens,
    usage,
    voucher_sales,
    vouchers,
)
from controller.api import sign_in as door_sign_in
from controller.api.auth import Staff
from controller.api.door import Door
from controller.api.needs import only_keepable, only_staff
from controller.api.reach import needs_of
from controller.api.source import asker_of
from controller.metrics import Measured, Metrics
from controller.noc import brand, live, page
from controller.noc.hub import Hub
from controller.noc.pages import sign_in
from controller.noc.pages.every import PAGES
from controller.storefront import Storefront
from controller.version import version
from portal.account import app as account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.routing import BaseRoute

    from controller.api.reach import Needs
    from controller.deps import Deps


BUY = "/buy"
"""Where customers buy tokens; followed by the site's id."""

COMPRESSED_FROM_BYTES = 1_000
"""Shorter answers go in one packet anyway."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "An RFC 9457 problem that names the field."}
}
"""What every route may answer besides its own."""


def create_app(deps: Deps, *, metrics: Metrics | None = None) -> FastAPI:
    """The application on top of ``deps``; serve it without trusting forwarded headers.

    What it answers is counted in ``metrics``.
    """
    app = described_app()
    app.state.metrics = metrics or Metrics()
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.state.deps = deps
    app.state.staff = Staff(deps)
    asker = partial(asker_of, proxies=deps.settings.http.proxies)
    app.mount(BUY, account.create_app(Storefront(deps), root=BUY, asker=asker))
    app.state.turnstile = install.Turnstile(deps.now)
    app.state.hub = Hub(signals=deps.signals)
    app.state.views = tuple(view for part in PAGES for view in part.router.views)
    return app


def described_app() -> FastAPI:
    """The routes without anything behind them: enough to describe them."""
    app = FastAPI(
        title="Lango",
        version=version(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.router.routes.extend(_routes())
    app.mount("/noc/static", page.static_files(), name="static")
    errors.install(app)
    # A stream of events is left as it is; a page goes to a phone at 3G in a fifth of its bytes.
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=4)
    app.add_middleware(Door)
    app.state.needs = _needs()
    return app


@cache
def description() -> bytes:
    """The OpenAPI document. To work it out takes a second: that is done once in a process."""
    return json.dumps(described_app().openapi(), ensure_ascii=False).encode()


@cache
def _routes() -> list[BaseRoute]:
    """Those of every application in this process: to work out what each wants takes 150 ms."""
    every = APIRouter(responses=PROBLEMS, dependencies=[Depends(only_keepable)])
    every.routes.append(callbacks.STK_CALLBACKS)
    dashboard = (
        page.router,
        brand.router,
        sign_in.router,
        live.events,
        *(part.router for part in PAGES),
    )
    for router in (
        health.router,
        callbacks.router,
        _v1(),
        door_sign_in.router,
        papers.public,
        install.router,
        *dashboard,
    ):
        every.include_router(router)
    return every.routes


@cache
def _needs() -> Needs:
    return needs_of(_routes())


def _v1() -> APIRouter:
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(only_staff)])
    for part in (sites, plans, vouchers, tokens, payments, sessions, grants, ledger, notices):
        router.include_router(part.router)
    for part in (devices, pools, garden, probes, prices, operator, branches, subscribers):
        router.include_router(part.router)
    for part in (subscriptions, invoices, received, promotions, runs):
        router.include_router(part.router)
    for part in (papers, reports, voucher_sales, messages, audit, search):
        router.include_router(part.router)
    for part in (alerts, maintenance, imports):
        router.include_router(part.router)
    for part in (arrivals, refunds, account_payments, mandates, statements, reconciliations):
        router.include_router(part.router)

    for part in (series, usage, staff, api_tokens):
        router.include_router(part.router)

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        """The description of this interface."""
        return Response(await asyncio.to_thread(description), media_type="application/json")

    return router


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.hub.close()
