"""Reports of the business, as JSON, CSV or XLSX."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from controller.api.needs import Needed
from controller.api.papers import CSV, XLSX, as_file, days
from controller.api.report_shapes import Format, ReportAsked, ReportOut
from controller.reports.table import Name
from controller.reports.written import as_csv, as_xlsx
from controller.usecases.money_reports import Asked, report

router = APIRouter(prefix="/reports", tags=["reports"])


@router.get(
    "/{name}",
    response_model=ReportOut,
    responses={200: {"content": {"text/csv": {}, XLSX: {}}}},
)
async def show_report(
    name: Name, deps: Needed, asked: Annotated[ReportAsked, Query()]
) -> Response | ReportOut:
    """Revenue, outstanding, ageing, tax or sellers; on one basis, which it names."""
    since, until = days(deps, asked.since, asked.until)
    found = await report(
        deps,
        Asked(
            name=name,
            since=since,
            until=until,
            basis=asked.basis,
            branch=asked.branch,
            by=tuple(asked.by),
        ),
    )
    file_name = f"{name.value}-{found.basis.value}-{since}-{until}"
    match asked.format:
        case Format.JSON:
            return ReportOut.of(found)
        case Format.CSV:
            return as_file(await asyncio.to_thread(as_csv, found), CSV, f"{file_name}.csv")
        case Format.XLSX:
            book = await asyncio.to_thread(as_xlsx, found, made_at=deps.now())
            return as_file(book, XLSX, f"{file_name}.xlsx")
