"""Issued documents as PDF, statements of accounts, and the page for whoever holds a paper."""

import asyncio
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, Response

from billing.period import day_of
from controller.api.needs import Id, Needed
from controller.api.report_shapes import ReportOut, StatementAsked, StatementFormat
from controller.deps import Deps
from controller.documents.page import page_of
from controller.documents.paper import Paper
from controller.documents.pdf import drawn
from controller.documents.statement import paper_of_statement, report_of_statement
from controller.reports.written import as_csv, as_xlsx
from controller.usecases import papers as usecase

PDF = "application/pdf"
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

router = APIRouter(tags=["documents"])

public = APIRouter(include_in_schema=False)

DocumentId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.get(
    "/documents/{name}/pdf", response_class=Response, responses={200: {"content": {PDF: {}}}}
)
async def document_as_pdf(name: Id, deps: Needed) -> Response:
    """An invoice, credit note or receipt as PDF, by its id or its number (INV-main-000042)."""
    paper = await usecase.paper(deps, name)
    return as_file(await asyncio.to_thread(drawn, paper), PDF, f"{paper.number}.pdf")


@router.get(
    "/documents/{name}/page",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {}}}},
)
async def document_as_page(name: Id, deps: Needed) -> Response:
    """The same as a page, as whoever holds the paper sees it."""
    return _shown(await usecase.paper(deps, name))


@router.get(
    "/statements/{subscriber}",
    response_model=ReportOut,
    responses={200: {"content": {PDF: {}, "text/html": {}, "text/csv": {}, XLSX: {}}}},
)
async def statement(
    subscriber: Id, deps: Needed, asked: Annotated[StatementAsked, Query()]
) -> Response | ReportOut:
    """What moved on an account (by phone or id), with the balance before and after."""
    since, until = days(deps, asked.since, asked.until)
    of, look = await usecase.statement(deps, subscriber, since, until)
    name = f"statement-{of.buyer.phone}-{since}-{until}"
    match asked.format:
        case StatementFormat.JSON:
            return ReportOut.of(report_of_statement(of))
        case StatementFormat.CSV:
            return as_file(as_csv(report_of_statement(of)), CSV, f"{name}.csv")
        case StatementFormat.XLSX:
            book = as_xlsx(report_of_statement(of), made_at=deps.now())
            return as_file(book, XLSX, f"{name}.xlsx")
        case StatementFormat.PDF | StatementFormat.HTML:
            paper = paper_of_statement(of, look=look, made_at=of.period.end)
            if asked.format is StatementFormat.HTML:
                return _shown(paper)
            return as_file(await asyncio.to_thread(drawn, paper), PDF, f"{name}.pdf")


@public.get("/d/{document_id}")
async def document_of_holder(
    document_id: DocumentId, deps: Needed, c: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """The document of a paper, for whoever holds it and so has its code."""
    return _shown(await usecase.paper_of_holder(deps, document_id, c))


def days(deps: Deps, since: date | None, until: date | None) -> tuple[date, date]:
    """The days that are meant: what is not said is from the first of this month until today."""
    today = day_of(deps.now())
    until = until or today + timedelta(days=1)
    return since or (until - timedelta(days=1)).replace(day=1), until


def as_file(content: bytes, media_type: str, name: str) -> Response:
    """An answer that browsers keep under a name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _shown(paper: Paper) -> Response:
    page = page_of(paper)
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})
