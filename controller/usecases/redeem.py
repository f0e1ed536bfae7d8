"""A code opens the gate: a voucher becomes a grant, once; what was bought takes one more device.

The code of an M-PESA message, or a voucher that was redeemed before, stands for the grant that it
bought at this site. Another device may join that grant while its plan has room.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import GrantId, RedemptionId, SiteId
from billing.receipt import parse_receipt
from billing.token import parse_token
from billing.voucher import parse_code
from controller.store import grants, payments, vouchers
from controller.usecases import tokens
from controller.usecases.grants import DevicesFull, GrantOver, admit, give_in
from controller.usecases.vouchers import code_hash

if TYPE_CHECKING:
    from datetime import datetime

    from billing.token import TokenCode
    from controller.deps import Deps
    from controller.store.database import Tx

VOUCHER_INVALID = "voucher_invalid"
VOUCHER_USED = "voucher_used"
TOO_MANY_TRIES = "too_many_tries"
DEVICES_FULL = "devices_full"
GUESSES = (VOUCHER_INVALID, VOUCHER_USED, tokens.TOKEN_INVALID, tokens.TOKEN_USED)
"""Refusals that count as a try: who guesses learns no more of a code that is used."""

TRIES_WINDOW = timedelta(minutes=10)
TRIES_PER_DEVICE_MAX = 10
TRIES_PER_SITE_MAX = 200
"""Failed attempts in the window. Guessing one of a million codes would take 10^8 years at this."""


@dataclass(frozen=True, slots=True)
class RedeemStatus:
    """What became of a redemption: a grant, or why not.

    ``refusal`` is ``voucher_invalid``, ``voucher_used`` (what it bought is over, or was bought at
    another site), ``token_invalid``, ``token_used``, ``devices_full`` or ``too_many_tries``.
    """

    refusal: str | None
    grant_id: GrantId | None


async def redeem(
    deps: Deps, site_id: SiteId, *, redemption_id: RedemptionId, code: str, device_mac: str
) -> RedeemStatus:
    """Redeem a voucher or a receipt for a device. Idempotent by ``redemption_id``.

    Raises `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        done = await _done(tx, site_id, redemption_id)
        if done is not None:
            return done
        refusal, grant_id = await _tried(
            tx, deps, site_id, redemption_id, code=code, device_mac=device_mac, now=now
        )
        if refusal in GUESSES:
            await vouchers.note_failed_try(
                tx, redemption_id=redemption_id, site_id=site_id, device_mac=device_mac, now=now
            )
    if grant_id is not None:
        deps.signals.wake(f"site:{site_id}")
        deps.signals.wake("live")
    return RedeemStatus(refusal, grant_id)


async def _done(tx: Tx, site_id: SiteId, redemption_id: RedemptionId) -> RedeemStatus | None:
    """The same answer again, when this redemption has been carried out, or never can be."""
    given = await grants.by_cause(tx, redemption_id)
    if given is None:
        # Invariant: the grant of a payment is named after its order, and finds that name free.
        taken = await payments.load(tx, redemption_id) is not None
        return RedeemStatus(VOUCHER_INVALID, None) if taken else None
    if given.site_id != site_id:
        return RedeemStatus(VOUCHER_USED, None)
    return RedeemStatus(None, GrantId(given.id))


async def _tried(
    tx: Tx,
    deps: Deps,
    site_id: SiteId,
    redemption_id: RedemptionId,
    *,
    code: str,
    device_mac: str,
    now: datetime,
) -> tuple[str | None, GrantId | None]:
    of_device, of_site = await vouchers.failed_tries(
        tx, site_id=site_id, device_mac=device_mac, since=now - TRIES_WINDOW
    )
    if of_device >= TRIES_PER_DEVICE_MAX or of_site >= TRIES_PER_SITE_MAX:
        return TOO_MANY_TRIES, None
    with suppress(InvalidField):
        return await _token_tried(
            tx, deps, site_id, redemption_id, code=parse_token(code), device_mac=device_mac
        )
    return await _voucher_tried(
        tx, deps, site_id, redemption_id, code=code, device_mac=device_mac, now=now
    )


async def _token_tried(
    tx: Tx,
    deps: Deps,
    site_id: SiteId,
    redemption_id: RedemptionId,
    *,
    code: TokenCode,
    device_mac: str,
) -> tuple[str | None, GrantId | None]:
    verdict, grant_id = await tokens.redeem_in(
        tx, deps, site_id, redemption_id=redemption_id, code=code, device_mac=device_mac
    )
    if verdict is not tokens.Verdict.REPEAT:
        return (tokens.TOKEN_INVALID if grant_id is None else None), grant_id
    refusal, joined = await _joined(tx, site_id, grant_id, device_mac)
    return (tokens.TOKEN_USED if refusal == VOUCHER_USED else refusal), joined


async def _voucher_tried(
    tx: Tx,
    deps: Deps,
    site_id: SiteId,
    redemption_id: RedemptionId,
    *,
    code: str,
    device_mac: str,
    now: datetime,
) -> tuple[str | None, GrantId | None]:
    try:
        hashed = code_hash(deps, parse_code(code))
    except InvalidField:
        return await _joined(tx, site_id, await _bought_with(tx, code), device_mac)
    voucher = await vouchers.locked(tx, hashed)
    if voucher is None:
        return VOUCHER_INVALID, None
    if voucher.grant_id is not None:
        # Also when the same redemption waited for our lock while its twin was carried out.
        return await _joined(tx, site_id, voucher.grant_id, device_mac)
    if voucher.expires_at is not None and voucher.expires_at <= now:
        return VOUCHER_INVALID, None
    grant_id = grants.new_id()
    voucher.redeemed_at, voucher.redemption_id = now, redemption_id
    voucher.grant_id = grant_id
    await tx.flush()
    await give_in(
        tx,
        site_id=site_id,
        plan_id=voucher.plan_id,
        subscriber_id=None,
        cause_id=redemption_id,
        devices=(device_mac,),
        now=now,
        grant_id=grant_id,
    )
    return None, grant_id


async def _bought_with(tx: Tx, code: str) -> str | None:
    """The grant that a payment bought, by the receipt in what was typed; None without one."""
    try:
        order_id = await payments.order_settled_by(tx, parse_receipt(code))
    except InvalidField:
        return None
    given = None if order_id is None else await grants.by_cause(tx, order_id)
    return None if given is None else given.id


async def _joined(
    tx: Tx, site_id: SiteId, grant_id: str | None, device_mac: str
) -> tuple[str | None, GrantId | None]:
    """Let the device use what the code bought, if that is still good here and has room."""
    grant = None if grant_id is None else await grants.locked(tx, grant_id)
    if grant is None:
        return VOUCHER_INVALID, None
    if grant.site_id != site_id:
        return VOUCHER_USED, None
    try:
        await admit(tx, grant, device_mac)
    except GrantOver:
        return VOUCHER_USED, None
    except DevicesFull:
        return DEVICES_FULL, None
    return None, GrantId(grant.id)
