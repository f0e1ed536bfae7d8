"""Documents and debts: list, show, credit, promise, instalments, write-off.

In paths by id, or by number as it is printed: ``INV-main-000042``.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from billing.invoice import DocumentKind
from controller.api import pages, replay
from controller.api.charge_shapes import (
    CreditIn,
    DebtOut,
    DocumentDetailOut,
    DocumentLineOut,
    InstalmentsIn,
    PromiseIn,
    WriteOffIn,
)
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked
from controller.api.shapes import Page, Words
from controller.noc import charges
from controller.noc.views import Mark
from controller.store import crediting as credit_notes
from controller.store import documents, dunning
from controller.store.database import Tx
from controller.usecases import crediting, debts, subscribers

router = APIRouter(tags=["documents"])

OfSubscriber = Annotated[Words, Field(max_length=64)]


class DocumentsAsked(PageAsked):
    """Which documents are wanted: of one kind, of one subscriber."""

    kind: DocumentKind | None = None
    subscriber: OfSubscriber = ""


class DebtsAsked(PageAsked):
    """Which debts are wanted; ``overdue`` leaves out what is not due yet."""

    subscriber: OfSubscriber = ""
    branch_id: OfSite = None
    overdue: bool = False
    recovery: bool = False


@router.get("/documents")
async def list_documents(
    deps: Needed, who: Asking, asked: Annotated[DocumentsAsked, Query()]
) -> Page[DocumentLineOut]:
    """Invoices, credit notes and receipts, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await charges.document_views(
            tx,
            after=after,
            limit=asked.limit,
            kind=asked.kind,
            subscriber_id=await _whose(tx, asked.subscriber),
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[DocumentLineOut.seen(view) for view in found],
        next_cursor=pages.written(Mark(last.issued_at, last.id)) if last else None,
    )


@router.get("/documents/{document}")
async def show_document(document: Id, deps: Needed) -> DocumentDetailOut:
    """One document with its lines, and what became of it."""
    async with deps.db.read() as tx:
        view = await _named(tx, document)
        return DocumentDetailOut.whole(
            view,
            lines=await documents.lines_of(tx, view.row.id),
            parts=await dunning.parts_of(tx, view.row.id),
            steps=await dunning.steps_of(tx, view.row.id),
            notes=await credit_notes.notes_of(tx, view.row.id),
        )


@router.post(
    "/documents/{document}/credit",
    status_code=HTTPStatus.CREATED,
    response_model=DocumentDetailOut,
)
async def credit_invoice(document: Id, deps: Needed, request: Request, asked: CreditIn) -> Response:
    """Take back an invoice, or a part; its credit note. Wants an ``Idempotency-Key``."""

    async def work() -> DocumentDetailOut:
        note = await crediting.credit(
            deps,
            await _id_of(deps, document),
            amount=None if asked.amount is None else asked.amount.money(),
            reason=asked.reason,
            idempotent=replay.id_of(request),
        )
        return await show_document(note.id, deps)

    return await replay.once(deps, request, asked, work)


@router.post("/documents/{document}/promise")
async def promise(document: Id, deps: Needed, asked: PromiseIn) -> DocumentDetailOut:
    """Take a subscriber's word: until that day ends, no step of dunning is taken."""
    invoice_id = await _id_of(deps, document)
    await debts.promise(deps, invoice_id, day=asked.day)
    return await show_document(invoice_id, deps)


@router.post("/documents/{document}/instalments")
async def agree_instalments(document: Id, deps: Needed, asked: InstalmentsIn) -> DocumentDetailOut:
    """Let what is open be paid in equal parts, in place of what was agreed before."""
    invoice_id = await _id_of(deps, document)
    await debts.agree_instalments(
        deps,
        invoice_id,
        count=asked.count,
        first_due=asked.first_due,
        cycle=asked.cycle.cycle(),
    )
    return await show_document(invoice_id, deps)


@router.post(
    "/documents/{document}/write-off",
    status_code=HTTPStatus.CREATED,
    response_model=DocumentDetailOut,
)
async def write_off(document: Id, deps: Needed, request: Request, asked: WriteOffIn) -> Response:
    """Give up what is open as a loss; wants an ``Idempotency-Key``."""

    async def work() -> DocumentDetailOut:
        invoice_id = await _id_of(deps, document)
        idempotent = replay.id_of(request)
        await debts.write_off(deps, invoice_id, reason=asked.reason, idempotent=idempotent)
        return await show_document(invoice_id, deps)

    return await replay.once(deps, request, asked, work)


@router.get("/debts")
async def list_debts(
    deps: Needed, who: Asking, asked: Annotated[DebtsAsked, Query()]
) -> Page[DebtOut]:
    """What is open, the oldest first."""
    after, now = pages.read(asked.cursor), deps.now()
    async with deps.db.read() as tx:
        found = await charges.debt_views(
            tx,
            after=after,
            limit=asked.limit,
            subscriber_id=await _whose(tx, asked.subscriber),
            branch_id=asked.branch_id,
            due_before=now if asked.overdue else None,
            recovery=asked.recovery,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[DebtOut.of(view, now) for view in found],
        next_cursor=pages.written(Mark(last.due_at, last.document_id)) if last else None,
    )


async def _whose(tx: Tx, subscriber: str) -> str | None:
    return (await subscribers.must_find(tx, subscriber)).id if subscriber else None


async def _named(tx: Tx, document: str) -> charges.DocumentView:
    view = await charges.document_view(tx, document)
    if view is None:
        raise NotFound("document", document)
    return view


async def _id_of(deps: Needed, document: str) -> str:
    async with deps.db.read() as tx:
        return (await _named(tx, document)).row.id
