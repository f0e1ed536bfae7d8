"""Imports from other systems: a dry run, the import, the list, and the way back."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from controller.api import pages, replay
from controller.api.import_shapes import BroughtOut, ImportIn, ImportOut, OutlookOut, UndoneOut
from controller.api.needs import Needed, PageAsked
from controller.api.shapes import Page
from controller.noc.views import Mark
from controller.store import imports as store
from controller.usecases import imports

router = APIRouter(tags=["imports"])

ImportId = Annotated[str, Path(max_length=32)]


@router.get("/imports")
async def list_imports(deps: Needed, asked: Annotated[PageAsked, Query()]) -> Page[ImportOut]:
    """Imports that were made, the newest first."""
    mark = pages.read(asked.cursor)
    after = None if mark is None else (mark.at, mark.id)
    async with deps.db.read() as tx:
        rows = await store.newest(tx, limit=asked.limit, after=after)
    last = rows[-1] if len(rows) == asked.limit else None
    return Page(
        data=[ImportOut.of(row) for row in rows],
        next_cursor=pages.written(Mark(last.at, last.id)) if last else None,
    )


@router.post("/imports/preview")
async def preview_import(deps: Needed, asked: ImportIn) -> OutlookOut:
    """What an import would make, and which rows it would leave out; nothing is changed."""
    return OutlookOut.of(await imports.preview(deps, asked.new))


@router.post("/imports", status_code=HTTPStatus.CREATED, response_model=BroughtOut)
async def bring_over(deps: Needed, request: Request, asked: ImportIn) -> Response:
    """Make what is new in a file, once; wants an ``Idempotency-Key``."""

    async def work() -> BroughtOut:
        import_id = replay.id_of(request)
        return BroughtOut.brought(import_id, await imports.bring_over(deps, asked.new, import_id))

    return await replay.once(deps, request, asked, work)


@router.post("/imports/{import_id}/undo")
async def undo_import(import_id: ImportId, deps: Needed) -> UndoneOut:
    """Take back what an import made, as far as nobody was billed for it or used it."""
    return UndoneOut.of(await imports.undo(deps, import_id))
