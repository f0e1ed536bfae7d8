"""Statement files of providers and banks: imported, listed; and how banks write their CSV."""

import base64
import binascii
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from billing.errors import InvalidField
from controller.api import pages, replay
from controller.api.needs import Needed, PageAsked
from controller.api.shapes import Page
from controller.api.statement_shapes import (
    ImportedOut,
    ProfileIn,
    ProfileOut,
    StatementIn,
    StatementOut,
)
from controller.noc.views import Mark
from controller.store import statements as store
from controller.usecases import statements

router = APIRouter(tags=["reconciliation"])

ProfileName = Annotated[str, Path(max_length=64)]


@router.get("/statements")
async def list_statements(deps: Needed, asked: Annotated[PageAsked, Query()]) -> Page[StatementOut]:
    """Statement files that were read, the newest first."""
    mark = pages.read(asked.cursor)
    after = None if mark is None else (mark.at, mark.id)
    async with deps.db.read() as tx:
        rows = await store.newest(tx, limit=asked.limit, after=after)
    last = rows[-1] if len(rows) == asked.limit else None
    return Page(
        data=[StatementOut.of(row) for row in rows],
        next_cursor=pages.written(Mark(last.imported_at, last.id)) if last else None,
    )


@router.post("/statements", status_code=HTTPStatus.CREATED, response_model=ImportedOut)
async def import_statement(deps: Needed, request: Request, asked: StatementIn) -> Response:
    """Read a statement file, and book what it tells, once; wants an ``Idempotency-Key``."""
    data = _bytes(asked.file)

    async def work() -> ImportedOut:
        done = await statements.import_statement(
            deps,
            data,
            name=asked.name,
            idempotent=replay.id_of(request),
            rail=asked.rail,
            place=asked.place,
            profile=asked.profile,
        )
        return ImportedOut.imported(done)

    return await replay.once(deps, request, asked, work)


@router.get("/statement-profiles")
async def list_profiles(deps: Needed) -> Page[ProfileOut]:
    """How banks write their CSV, by name; all in one page."""
    async with deps.db.read() as tx:
        rows = await store.profiles(tx)
    return Page(data=[ProfileOut.of(row) for row in rows], next_cursor=None)


@router.get("/statement-profiles/{name}")
async def show_profile(name: ProfileName, deps: Needed) -> ProfileOut:
    """How a bank writes its CSV."""
    async with deps.db.read() as tx:
        rows = await store.profiles(tx)
    found = next((row for row in rows if row.name == name), None)
    if found is None:
        raise statements.ProfileUnknown(f"there is no profile {name[:32]}")
    return ProfileOut.of(found)


@router.put("/statement-profiles/{name}")
async def save_profile(name: ProfileName, deps: Needed, asked: ProfileIn) -> ProfileOut:
    """Save how a bank writes its CSV, in place of what was saved before."""
    try:
        await statements.save_profile(deps, name, asked.model_dump_json())
    except InvalidField as fault:
        # Here the profile is the whole body.
        raise InvalidField(fault.field.removeprefix("profile."), fault.problem) from fault
    return await show_profile(name, deps)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as strange:
        raise InvalidField("file", "want the bytes of a file as base64") from strange
