"""The operator: show, set, its logo; and the rates of taxes."""

import base64
import binascii
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from billing.errors import InvalidField
from billing.period import day_of
from controller.api.billing_shapes import (
    LogoIn,
    OperatorIn,
    OperatorOut,
    TaxRateIn,
    TaxRateOut,
)
from controller.api.errors import NotFound
from controller.api.needs import Needed
from controller.api.shapes import Page
from controller.store import operators
from controller.usecases import operators as usecase

router = APIRouter(tags=["operator"])

PNG = "image/png"


@router.get("/operator")
async def show_operator(deps: Needed) -> OperatorOut:
    """Who sells, and what it is registered for."""
    async with deps.db.read() as tx:
        return OperatorOut.of(await operators.operator(tx))


@router.post("/operator")
async def set_operator(deps: Needed, asked: OperatorIn) -> OperatorOut:
    """Change what is known of the operator; what is not said stays."""
    await usecase.change_operator(deps, asked.change())
    return await show_operator(deps)


@router.get("/operator/logo", response_class=Response, responses={200: {"content": {PNG: {}}}})
async def show_logo(deps: Needed) -> Response:
    """The picture on documents."""
    async with deps.db.read() as tx:
        row = await operators.operator(tx)
    if row.logo is None:
        raise NotFound("logo", "yet")
    return Response(row.logo, media_type=PNG)


@router.post("/operator/logo")
async def set_logo(deps: Needed, asked: LogoIn) -> OperatorOut:
    """Put a picture on documents, or take it away."""
    await usecase.set_logo(deps, None if asked.logo is None else _picture(asked.logo))
    return await show_operator(deps)


def _picture(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as strange:
        raise InvalidField("logo", "want a PNG as base64") from strange


@router.get("/tax-rates")
async def list_tax_rates(deps: Needed) -> Page[TaxRateOut]:
    """Every rate of every tax, the newest of each first; all in one page."""
    async with deps.db.read() as tx:
        rows = await operators.tax_rates(tx)
    today = day_of(deps.now())
    begun = [row for row in rows if row.from_day <= today]
    latest = {row.tax: row.from_day for row in reversed(begun)}
    return Page(
        data=[TaxRateOut.of(row, holds=row.from_day == latest.get(row.tax)) for row in rows],
        next_cursor=None,
    )


@router.post("/tax-rates", status_code=HTTPStatus.CREATED)
async def add_tax_rate(deps: Needed, asked: TaxRateIn) -> Page[TaxRateOut]:
    """Let another rate hold from a day on; all rates. The same again changes nothing."""
    await usecase.add_tax_rate(deps, asked.rate())
    return await list_tax_rates(deps)
