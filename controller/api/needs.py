"""What routes ask for: the `Deps`, that it is staff who asks, and which page of a list."""

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from billing.errors import InvalidField
from controller.api.auth import Staff
from controller.api.errors import NotFound
from controller.api.reach import must_reach
from controller.deps import Deps
from controller.noc.hub import Hub
from controller.noc.views import PAGE_LINES_MAX, site_view
from controller.rights import Who

if TYPE_CHECKING:
    from controller.api.reach import Needs
    from controller.store.database import Tx

LINES_USUAL = 50


def deps_of(request: Request) -> Deps:
    """What ``main.py`` built."""
    return cast("Deps", request.app.state.deps)


def staff_of(request: Request) -> Staff:
    """The check of the staff key of this app."""
    return cast("Staff", request.app.state.staff)


def hub_of(request: Request) -> Hub:
    """The hub of this app's pages."""
    return cast("Hub", request.app.state.hub)


def must_be_keepable(name: str, text: str) -> None:
    """Raise `InvalidField` for what PostgreSQL takes in no text, not even to look for it."""
    if "\0" in text:
        raise InvalidField(name[:40].replace("\0", ""), "holds a character that is none")


async def only_keepable(request: Request) -> None:
    """Raise `InvalidField` where a path or a question holds what no text can.

    Bodies are looked at where they are read.
    """
    for name, text in (*request.path_params.items(), *request.query_params.multi_items()):
        must_be_keepable(name, str(text))


_bearer = HTTPBearer(auto_error=False, description="The staff key.", scheme_name="staff key")


async def who_asks(request: Request) -> Who:
    """Who of the staff asks; also in ``request.state.who``. Raises `NotStaff` for a stranger."""
    who = await staff_of(request).enter(request)
    request.state.who = who
    return who


async def only_staff(request: Request, _documented: Annotated[object, Security(_bearer)]) -> Who:
    """Who asks, if they may ask this: their role has the right, and theirs is the branch.

    Raises `NotStaff`, `Forbidden`; `NotFound` for what belongs to a branch that is not theirs.
    """
    who = await who_asks(request)
    need = needs_of_app(request)[id(request.scope["route"])]
    await must_reach(request, who, need, deps_of(request))
    return who


def needs_of_app(request: Request) -> "Needs":
    """What the routes of this app want."""
    return cast("Needs", request.app.state.needs)


def _who(request: Request) -> Who:
    return cast("Who", request.state.who)


Needed = Annotated[Deps, Depends(deps_of)]
"""What ``main.py`` built."""

Asking = Annotated[Who, Depends(_who)]
"""Who asks; of routes behind `only_staff`."""

SiteKey = Annotated[str, Path(pattern="^[a-z0-9-]{1,32}$")]
"""The id of a site or a plan in a path."""

Id = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")]
"""Any other id in a path."""


OfSite = Annotated[str | None, Field(pattern="^[a-z0-9-]{1,32}$")]
"""A site by which a list is narrowed; None for all."""


class PageAsked(BaseModel):
    """Which part of a list is wanted: ``cursor`` is the ``next_cursor`` of the page before."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(LINES_USUAL, ge=1, le=PAGE_LINES_MAX)
    cursor: str = Field("", max_length=400)


async def known_site(tx: "Tx", site_id: str | None) -> None:
    """Raise `NotFound` for a site that is not there: an empty list would look like a quiet one."""
    if site_id is not None and await site_view(tx, site_id) is None:
        raise NotFound("site", site_id)
