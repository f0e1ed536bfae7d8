"""What the forms above a long table send: keep it as it is narrowed, or forget that."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from controller.api.needs import deps_of
from controller.noc import live
from controller.usecases import saved_views as usecase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.noc.live import View
    from controller.rights import Who

router = live.pages()


@router.post("/noc/views/keep", response_model=None)
async def keep(request: Request) -> Response:
    """Keep a page as it is narrowed, under a name."""
    who, sent, place = await _asked(request)
    query = live.narrowed_by(sent.get("query", ""))
    return await live.tried(
        request,
        f"{place}{query}",
        usecase.keep(deps_of(request), who, place=place, name=sent.get("name", ""), query=query),
        said=live.words_of(request)("The view is kept"),
    )


@router.post("/noc/views/forget", response_model=None)
async def forget(request: Request) -> Response:
    """Keep a view no longer."""
    who, sent, place = await _asked(request)
    return await live.tried(
        request,
        sent.get("back") or place,
        usecase.forget(deps_of(request), who, place=place, name=sent.get("name", "")),
        said=live.words_of(request)("The view is gone"),
    )


async def _asked(request: Request) -> tuple[Who, dict[str, str], str]:
    """Who asks, what they sent, and of which page; one that they may see."""
    who = await live.acts(request, None)
    sent = await live.fields(request)
    for view in cast("Sequence[View]", request.app.state.views):
        if view.is_kept and view.path == sent.get("place"):
            live.must(who, view.right)
            return who, sent, view.path
    raise InvalidField("place", "is not a page of which views are kept")
