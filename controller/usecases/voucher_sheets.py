"""Slips for the codes of a new batch. The codes come with the question, and are not kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money
from billing.voucher import parse_code
from controller.documents.paper import Look, until
from controller.documents.sheet import PORTAL_USUAL, Slips, sheet
from controller.limits import limits_of
from controller.noc import text
from controller.store import operators, voucher_sales
from controller.usecases.voucher_sales import BatchUnknown
from controller.usecases.vouchers import BATCH_MAX, code_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.plan import Limits
    from controller.deps import Deps


async def voucher_sheet(
    deps: Deps,
    batch_name: str,
    codes: Sequence[str],
    *,
    branch_id: str = "main",
    portal: str = PORTAL_USUAL,
) -> bytes:
    """The PDF of slips for codes of a batch, in their order; the branch's phone is the help line.

    Raises `InvalidField` (``codes``, ``branch``), `BatchUnknown`.
    """
    if not 1 <= len(codes) <= BATCH_MAX:
        raise InvalidField("codes", f"want 1 to {BATCH_MAX:,}, got {len(codes):,}")
    parsed = [parse_code(code) for code in codes]
    async with deps.db.read() as tx:
        batch = await voucher_sales.batch(tx, batch_name)
        if batch is None:
            raise BatchUnknown(f"there is no batch {batch_name[:40]}")
        hashes = {code_hash(deps, code) for code in parsed}
        if not await voucher_sales.are_of_batch(tx, batch_name, hashes):
            raise InvalidField("codes", f"not all of them are of batch {batch_name[:40]}")
        if not await voucher_sales.has_branch(tx, branch_id):
            raise InvalidField("branch", f"there is no branch {branch_id[:40]}")
        operator = await operators.operator(tx)
        branch = await operators.branch(tx, branch_id)
        plan = batch.plan
        slips = Slips(
            operator=operator.name or branch.name,
            plan=plan.name,
            price=str(Money(plan.price_minor, plan.currency)),
            detail=detail_of(limits_of(plan)),
            expires="" if batch.expires_at is None else until(batch.expires_at),
            batch=batch.name,
            help_phone=branch.phone,
            look=Look(operator.colour),
            portal=portal,
        )
    return await asyncio.to_thread(sheet, parsed, slips, made_at=deps.now())


def detail_of(limits: Limits) -> str:
    """What a plan gives, in one short line."""
    parts = [
        text.rate(limits.down_bps),
        "" if limits.quota_bytes is None else text.volume(limits.quota_bytes),
        text.count(limits.devices_max, "device", "devices"),
    ]
    return ", ".join(part for part in parts if part)
