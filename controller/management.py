"""The management door: metrics, health and version, for those who watch over the controller.

It asks for no key, changes nothing and shows nobody: it listens on this machine unless told
otherwise. What is wrong in detail is told only to who asks from this machine itself.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.api.health import readiness
from controller.metrics import CONTENT_TYPE
from controller.version import version

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.deps import Deps
    from controller.metrics import Metrics


def create_management(deps: Deps, metrics: Metrics) -> Starlette:
    """The application behind the management door."""

    async def scraped(_request: Request) -> Response:
        await metrics.look(deps)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    async def is_ready(request: Request) -> Response:
        found = await readiness(deps)
        told: dict[str, Any] = {"status": "ok" if found.ready else "not_ready"}
        if _is_from_here(request):
            told |= {
                "database": "unreadable" if found.trouble else "ok",
                "trouble": found.trouble,
                "migration": found.migration,
                "wanted_migration": found.wanted,
            }
        status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(told, status)

    async def is_alive(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def which_version(_request: Request) -> Response:
        return JSONResponse({"name": "lango", "version": version()})

    return Starlette(
        routes=[
            Route("/metrics", scraped),
            Route("/readyz", is_ready),
            Route("/healthz", is_alive),
            Route("/version", which_version),
        ]
    )


def _is_from_here(request: Request) -> bool:
    """Whether this machine asks; who comes by a proxy is asked for by somebody else."""
    forwarded = {"x-forwarded-for", "forwarded", "x-real-ip"} & set(request.headers.keys())
    peer = request.client.host if request.client else ""
    try:
        return not forwarded and ip_address(peer).is_loopback
    except ValueError:
        return False
