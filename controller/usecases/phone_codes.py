"""A code by SMS proves a phone: whoever holds it may connect a device to what the phone bought.

Nobody learns here whether a number has bought anything: strangers' requests are taken, counted and
limited like all others, and answered alike. Only the message itself makes the difference.
"""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.ids import GrantId, RedemptionId
from controller.store import phone_codes, sites, vouchers
from controller.usecases import messages
from controller.usecases.redeem import (
    DEVICES_FULL,
    TOO_MANY_TRIES,
    TRIES_PER_DEVICE_MAX,
    TRIES_PER_SITE_MAX,
    TRIES_WINDOW,
    Attempt,
    RedeemStatus,
    joined,
)
from portal.account.messages import code_message

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import SiteId
    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import PhoneCodeRow

CODE_WRONG = "code_wrong"
CODE_DIGITS = 6
CODE_LIFE = timedelta(minutes=10)
TRIES_MAX = 5
"""Wrong tries after which a code is dead: a guess is right once in 200,000 codes."""

ASKED_WINDOW = timedelta(hours=1)
ASKED_PER_PHONE_MAX = 4
ASKED_PER_SITE_MAX = 120
"""Requests within the window. Each may cost an SMS, and rings a phone that may be a stranger's."""

_SHAPE = re.compile(r"[0-9]{6}", re.ASCII)


async def send_code(deps: Deps, site_id: SiteId, msisdn: Msisdn) -> str | None:
    """Send a code to a phone that has a grant at this site; None, or ``too_many_tries``.

    None too when nothing was sent, because this phone has nothing here. Raises `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        of_phone, of_site = await phone_codes.asked(
            tx, site_id=site_id, msisdn=msisdn, since=now - ASKED_WINDOW
        )
        if of_phone >= ASKED_PER_PHONE_MAX or of_site >= ASKED_PER_SITE_MAX:
            return TOO_MANY_TRIES
        code_id, code = secrets.token_hex(16), f"{secrets.randbelow(10**CODE_DIGITS):06d}"
        known = await phone_codes.newest_grant(tx, site_id=site_id, msisdn=msisdn) is not None
        phone_codes.add(
            tx,
            code_id=code_id,
            site_id=site_id,
            msisdn=msisdn,
            code_hash=_hash(deps, code_id, code) if known else "",
            now=now,
        )
        await phone_codes.forget(tx, before=now - ASKED_WINDOW)
        if known:
            await _text_in(tx, deps, site_id, msisdn, code_id=code_id, code=code, now=now)
    return None


async def join_by_phone(
    deps: Deps,
    site_id: SiteId,
    *,
    redemption_id: RedemptionId,
    msisdn: Msisdn,
    code: str,
    device_mac: str,
) -> RedeemStatus:
    """Let a device use the newest grant of the phone whose code was typed.

    ``refusal`` is ``code_wrong`` (also too late, used, or never sent), ``devices_full`` or
    ``too_many_tries``. Idempotent by ``redemption_id``. Raises `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        used = await phone_codes.by_redemption(tx, redemption_id)
        if used is not None and (used.site_id, used.msisdn) == (site_id, msisdn):
            return RedeemStatus(None, GrantId(str(used.grant_id)))
        of_device, of_site = await vouchers.failed_tries(
            tx, site_id=site_id, device_mac=device_mac, since=now - TRIES_WINDOW
        )
        if of_device >= TRIES_PER_DEVICE_MAX or of_site >= TRIES_PER_SITE_MAX:
            return RedeemStatus(TOO_MANY_TRIES, None)
        asked = await phone_codes.newest(tx, site_id=site_id, msisdn=msisdn, since=now - CODE_LIFE)
        if asked is None or not _is_right(deps, asked, code, redemption_id):
            await vouchers.note_failed_try(
                tx, redemption_id=redemption_id, site_id=site_id, device_mac=device_mac, now=now
            )
            return RedeemStatus(CODE_WRONG, None)
        status = await _joined(
            tx, site_id, msisdn, redemption_id=redemption_id, device_mac=device_mac, now=now
        )
        if status.refusal is None:
            asked.redemption_id, asked.grant_id = redemption_id, status.grant_id
    if status.refusal is None:
        deps.signals.wake(f"site:{site_id}")
        deps.signals.wake("live")
    return status


def _is_right(deps: Deps, asked: PhoneCodeRow, code: str, redemption_id: str) -> bool:
    """Whether the code is the one that was sent and is still good; a wrong one is counted."""
    if asked.tries >= TRIES_MAX or asked.redemption_id is not None:
        return False
    typed = "".join(code.split())
    right = _SHAPE.fullmatch(typed) is not None and hmac.compare_digest(
        _hash(deps, asked.id, typed), asked.code_hash
    )
    if not right and asked.last_try_id != redemption_id:
        asked.tries += 1
        asked.last_try_id = redemption_id
    return right


async def _joined(
    tx: Tx,
    site_id: SiteId,
    msisdn: Msisdn,
    *,
    redemption_id: RedemptionId,
    device_mac: str,
    now: datetime,
) -> RedeemStatus:
    grant_id = await phone_codes.newest_grant(tx, site_id=site_id, msisdn=msisdn)
    if grant_id is None:
        return RedeemStatus(CODE_WRONG, None)  # it ended since the code was sent
    attempt = Attempt(site_id, redemption_id, "", device_mac, now)
    refusal, name = await joined(tx, attempt, grant_id, None)
    over = refusal is not None and refusal != DEVICES_FULL
    return RedeemStatus(CODE_WRONG if over else refusal, name)


def _hash(deps: Deps, code_id: str, code: str) -> str:
    """How a code is kept: keyed, and of use for this one request only."""
    return deps.vault.fingerprint("phone-code", f"{code_id}\0{code}")


async def _text_in(
    tx: Tx, deps: Deps, site_id: SiteId, msisdn: Msisdn, *, code_id: str, code: str, now: datetime
) -> None:
    site = await sites.load(tx, site_id)
    assert site is not None
    minutes = CODE_LIFE // timedelta(minutes=1)
    text = code_message(language=site.language, site=site.name, code=code, minutes=minutes)
    await messages.queue_in(
        tx,
        deps,
        site_id=site_id,
        msisdn=msisdn,
        text=text,
        about=f"code {code_id}",
        now=now,
        good_for=CODE_LIFE,
    )
