"""Vouchers on paper, and their sale to sellers."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from controller.api.needs import Needed
from controller.api.papers import PDF, as_file
from controller.api.report_shapes import SaleIn, SaleOut, SheetIn
from controller.usecases.voucher_sales import sell
from controller.usecases.voucher_sheets import voucher_sheet

router = APIRouter(prefix="/vouchers", tags=["vouchers"])


@router.post("/sheet", response_class=Response, responses={200: {"content": {PDF: {}}}})
async def print_sheet(asked: SheetIn, deps: Needed) -> Response:
    """Slips to cut, as PDF, for the codes of a new batch. The codes are not kept."""
    made = await voucher_sheet(deps, asked.batch, asked.codes, branch_id=asked.branch)
    return as_file(made, PDF, f"vouchers-{asked.batch}.pdf")


@router.post("/sales", status_code=HTTPStatus.CREATED)
async def sell_vouchers(asked: SaleIn, deps: Needed) -> SaleOut:
    """Note that a seller took vouchers of a batch and paid for them. They are taxed now."""
    row = await sell(
        deps,
        asked.batch,
        count=asked.count,
        seller=asked.seller,
        idempotent=asked.id,
        branch_id=asked.branch,
        commission_bp=asked.commission_bp,
        rail=asked.rail,
        place=asked.place,
    )
    return SaleOut.of(row)
