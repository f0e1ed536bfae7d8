"""A code opens the gate: a voucher becomes a grant, once; what was bought takes one more device.

The code of an M-PESA message, or a voucher that was redeemed before, stands for the grant that it
bought. Another device may join that grant while its plan has room, at any site: a site that it was
not brought to yet is handed a share. `KINDS` lists what a code may be, each in a function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import GrantId, RedemptionId, SiteId, grant_of
from billing.proof import ProofKind, proof
from billing.receipt import parse_receipt
from billing.token import parse_token
from billing.voucher import parse_code
from controller.store import grants, payments, vouchers
from controller.usecases import tokens
from controller.usecases.grants import DevicesFull, GrantOver, admit, give_in
from controller.usecases.vouchers import code_hash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

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
class Attempt:
    """Somebody typed a code at a site."""

    site_id: SiteId
    redemption_id: RedemptionId
    code: str
    device_mac: str
    now: datetime


Answer = tuple[str | None, GrantId | None]
"""A refusal, or a grant."""


@dataclass(frozen=True, slots=True)
class RedeemStatus:
    """What became of a redemption: a grant, or why not.

    ``refusal`` is ``voucher_invalid``, ``voucher_used`` (what it bought is over),
    ``token_invalid``, ``token_used``, ``devices_full`` (then ``grant_id`` is the grant whose places
    are all taken) or ``too_many_tries``.
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
        attempt = Attempt(site_id, redemption_id, code, device_mac, now)
        refusal, grant_id = await _tried(tx, deps, attempt)
        if refusal in GUESSES:
            await vouchers.note_failed_try(
                tx, redemption_id=redemption_id, site_id=site_id, device_mac=device_mac, now=now
            )
    if refusal is None:
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


async def _tried(tx: Tx, deps: Deps, attempt: Attempt) -> Answer:
    of_device, of_site = await vouchers.failed_tries(
        tx,
        site_id=attempt.site_id,
        device_mac=attempt.device_mac,
        since=attempt.now - TRIES_WINDOW,
    )
    if of_device >= TRIES_PER_DEVICE_MAX or of_site >= TRIES_PER_SITE_MAX:
        return TOO_MANY_TRIES, None
    for kind in KINDS:
        answer = await kind(tx, deps, attempt)
        if answer is not None:
            return answer
    return VOUCHER_INVALID, None


async def _by_token(tx: Tx, deps: Deps, attempt: Attempt) -> Answer | None:
    try:
        code = parse_token(attempt.code)
    except InvalidField:
        return None
    verdict, grant_id = await tokens.redeem_in(
        tx,
        deps,
        attempt.site_id,
        redemption_id=attempt.redemption_id,
        code=code,
        device_mac=attempt.device_mac,
    )
    if grant_id is None:
        return tokens.TOKEN_INVALID, None
    if verdict is tokens.Verdict.REDEEMED:
        return None, grant_id
    refusal, name = await joined(tx, attempt, grant_id, (ProofKind.TOKEN, code))
    return (tokens.TOKEN_USED if refusal == VOUCHER_USED else refusal), name


async def _by_voucher(tx: Tx, deps: Deps, attempt: Attempt) -> Answer | None:
    try:
        code = parse_code(attempt.code)
    except InvalidField:
        return None
    voucher = await vouchers.locked(tx, code_hash(deps, code))
    if voucher is None:
        return VOUCHER_INVALID, None
    if voucher.grant_id is not None:
        # Also when the same redemption waited for our lock while its twin was carried out.
        return await joined(tx, attempt, voucher.grant_id, (ProofKind.VOUCHER, code))
    if voucher.expires_at is not None and voucher.expires_at <= attempt.now:
        return VOUCHER_INVALID, None
    # The site makes the same name, should it have to redeem this without our answer.
    grant_id = grant_of(attempt.redemption_id)
    vouchers.redeemed(
        voucher, redemption_id=attempt.redemption_id, grant_id=grant_id, now=attempt.now
    )
    await tx.flush()
    await give_in(
        tx,
        site_id=attempt.site_id,
        plan_id=voucher.plan_id,
        subscriber_id=None,
        cause_id=attempt.redemption_id,
        devices=(attempt.device_mac,),
        now=attempt.now,
        grant_id=grant_id,
        proved=(ProofKind.VOUCHER, code),
    )
    return None, grant_id


async def _by_receipt(tx: Tx, _deps: Deps, attempt: Attempt) -> Answer | None:
    """The grant that a payment bought, by the receipt in what was typed."""
    try:
        receipt = parse_receipt(attempt.code)
    except InvalidField:
        return None
    order_id = await payments.order_settled_by(tx, receipt)
    given = None if order_id is None else await grants.by_cause(tx, order_id)
    if given is None:
        return VOUCHER_INVALID, None
    return await joined(tx, attempt, given.id, (ProofKind.RECEIPT, receipt))


async def joined(
    tx: Tx, attempt: Attempt, grant_id: str, proved: tuple[ProofKind, str] | None
) -> Answer:
    """Let the device use what the code bought, if that is still good and has room."""
    grant = await grants.locked(tx, grant_id)
    if grant is None:
        return VOUCHER_INVALID, None
    name = GrantId(grant.id)
    try:
        await admit(
            tx,
            grant,
            attempt.device_mac,
            site_id=attempt.site_id,
            now=attempt.now,
            proved=None if proved is None else proof(name, *proved),
        )
    except GrantOver:
        return VOUCHER_USED, None
    except DevicesFull:
        return DEVICES_FULL, name
    return None, name


KINDS: tuple[Callable[[Tx, Deps, Attempt], Awaitable[Answer | None]], ...] = (
    _by_token,
    _by_voucher,
    _by_receipt,
)
"""What a code may be, in the order in which it is tried; None says that it is none of that kind."""
