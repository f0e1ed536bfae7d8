"""Batches of prepaid codes. A code is shown once, when it is made; only its keyed hash is kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.voucher import VoucherCode, new_code
from controller.store import plans, vouchers
from controller.usecases.plans import PlanUnknown, PlanWithdrawn

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import PlanId
    from controller.deps import Deps

BATCH_MAX = 10_000


def code_hash(deps: Deps, code: VoucherCode) -> str:
    """How a code is kept and found."""
    return deps.vault.fingerprint("voucher", code)


async def create_vouchers(
    deps: Deps, plan_id: PlanId, count: int, expires_at: datetime | None
) -> tuple[str, tuple[VoucherCode, ...]]:
    """Make a batch of codes for a plan: the batch's name, and the codes, shown only now.

    Raises `InvalidField` (``count``, ``expires_at``), `PlanUnknown`, `PlanWithdrawn`,
    `DatabaseBusy`.
    """
    now = deps.now()
    if not 1 <= count <= BATCH_MAX:
        raise InvalidField("count", f"want 1 to {BATCH_MAX:,}, got {count:,}")
    if expires_at is not None and expires_at <= now:
        raise InvalidField("expires_at", "want a moment to come")
    codes = set[VoucherCode]()
    while len(codes) < count:
        codes.add(new_code(secrets.randbelow))
    batch = f"{now:%Y%m%d}-{secrets.token_hex(4)}"
    async with deps.db.begin() as tx:
        plan = await plans.load(tx, plan_id)
        if plan is None:
            raise PlanUnknown(f"there is no plan {plan_id}")
        if plan.withdrawn_at is not None:
            raise PlanWithdrawn(f"plan {plan_id} was withdrawn")
        await vouchers.insert_batch(
            tx,
            [code_hash(deps, code) for code in codes],
            batch=batch,
            plan_id=plan_id,
            now=now,
            expires_at=expires_at,
        )
    return batch, tuple(sorted(codes))
