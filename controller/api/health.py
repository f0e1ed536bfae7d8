"""Whether this process lives, whether it can work, and which version it is."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from controller.api.needs import Needed
from controller.deps import Deps
from controller.noc import views
from controller.store.migrations import head
from controller.version import version

router = APIRouter(tags=["health"])

READY_MAX_S = 5.0

log = structlog.get_logger("api")


class Health(BaseModel):
    """One word."""

    status: Literal["ok", "not_ready"]


class Version(BaseModel):
    """Which program answers, in which version."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the controller can work: the database answers, and is at the newest migration.

    ``migration`` is "" when the database does not answer; then ``trouble`` says why.
    """

    migration: str
    wanted: str
    trouble: str = ""

    @property
    def ready(self) -> bool:
        """Whether all of it is well."""
        return self.migration == self.wanted


async def readiness(deps: Deps) -> Readiness:
    """How ready it is just now; what is wrong is logged."""
    try:
        async with asyncio.timeout(READY_MAX_S), deps.db.read() as tx:
            found = Readiness(await views.schema_revision(tx), head())
    except (TimeoutError, *views.UNREADABLE) as error:
        found = Readiness("", head(), type(error).__name__)
    if not found.ready:
        log.warning("not_ready", error=found.trouble, migration=found.migration)
    return found


@router.get("/healthz")
async def is_alive() -> Health:
    """Whether the process answers."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health}})
async def is_ready(deps: Needed) -> Response:
    """Whether the database answers, and its tables are those that this program knows."""
    state = await readiness(deps)
    if not state.ready:
        return JSONResponse({"status": "not_ready"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})


@router.get("/version")
async def which_version() -> Version:
    """The version of this controller."""
    return Version(name="lango", version=version())
