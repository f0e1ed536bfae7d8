"""Whether this process lives, whether it can work, and which version it is."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Literal

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from controller.api.needs import Needed
from controller.noc import views

router = APIRouter(tags=["health"])

log = structlog.get_logger("api")


class Health(BaseModel):
    """One word."""

    status: Literal["ok", "not_ready"]


class Version(BaseModel):
    """Which program answers, in which version."""

    name: str
    version: str


@router.get("/healthz")
async def is_alive() -> Health:
    """Whether the process answers."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health}})
async def is_ready(deps: Needed) -> Response:
    """Whether the database answers and its tables are there."""
    try:
        async with deps.db.read() as tx:
            await views.schema_revision(tx)
    except views.UNREADABLE as error:
        log.warning("not_ready", error=type(error).__name__)
        return JSONResponse({"status": "not_ready"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})


@router.get("/version")
async def which_version() -> Version:
    """The version of this controller."""
    return Version(name="lango", version=version("lango"))
