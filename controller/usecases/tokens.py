"""Activation tokens: 20 digits that open the gate of a site whose link is down (mission D3).

A site is told its token keys and slots (``token_keys.py``) long before a token is sold: then it can
prove and price one alone. A token's digits are not kept here. Its key, slot
and serial are, and make them again whenever they are wanted.

What a token bought is given when it is redeemed, here or at the site; the money was taken when it
was sold. A serial that was redeemed twice is a loss, and is booked as one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import GrantId, SiteId, grant_of
from billing.proof import ProofKind
from billing.token import SERIALS, Token, decode, encode, shown
from controller.store import activation, notices, operators, plans, sites, subscribers
from controller.usecases import faces, messages, token_keys
from controller.usecases.grants import give_in
from controller.usecases.plans import must_be_sold
from controller.usecases.sites import SiteUnknown
from portal.account.messages import token_message

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import PlanId, RedemptionId
    from billing.msisdn import Msisdn
    from billing.token import TokenCode
    from controller.deps import Deps
    from controller.store.code_rows import TokenKeyRow, TokenRow
    from controller.store.database import Tx
    from controller.store.rows import PlanRow

TOKEN_INVALID = "token_invalid"  # noqa: S105 - a refusal
TOKEN_USED = "token_used"  # noqa: S105 - a refusal


class Verdict(StrEnum):
    """What became of a token that was typed."""

    REDEEMED = "redeemed"
    REPEAT = "repeat"  # it was redeemed before
    UNKNOWN = "unknown"  # never issued: nothing was given


class TokenUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such token."""


class TokenRedeemed(Exception):  # noqa: N818 - a refusal, see style
    """The token has been redeemed; it is of no use to send it again."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it was just issued. ``code`` is what it is worth: show it once."""

    id: str
    site_id: SiteId
    plan_id: PlanId
    code: TokenCode


async def issue(
    deps: Deps, site_id: SiteId, plan_id: PlanId, *, msisdn: Msisdn | None = None
) -> Issued:
    """Issue a token without payment, by staff's word; to a phone it also goes by SMS.

    Raises `SiteUnknown`, `PlanUnknown`, `PlanWithdrawn`, `SlotsFull`, `KeysFull`, `DatabaseBusy`.
    """
    now, token_id = deps.now(), secrets.token_hex(16)
    async with deps.db.begin() as tx:
        await _must_be_sold(tx, site_id, plan_id)
        owner = None if msisdn is None else await subscribers.locked(tx, msisdn, now)
        code = await issue_in(
            tx,
            deps,
            token_id=token_id,
            site_id=site_id,
            plan_id=plan_id,
            subscriber_id=None if owner is None else owner.id,
            msisdn=msisdn,
            now=now,
        )
    _wake(deps, site_id)
    return Issued(token_id, site_id, plan_id, code)


async def issue_in(
    tx: Tx,
    deps: Deps,
    *,
    token_id: str,
    site_id: SiteId,
    plan_id: str,
    subscriber_id: str | None,
    msisdn: Msisdn | None,
    now: datetime,
) -> TokenCode:
    """Issue a token within the caller's transaction; with a phone, its SMS leaves afterwards.

    Raises `SlotsFull`, `KeysFull`.
    """
    slot = await token_keys.slot_in(tx, deps, site_id, plan_id, now=now)
    key = (await token_keys.held_in(tx, deps, site_id, now))[-1]
    if key.next_serial >= SERIALS:
        key = await token_keys.rotated_in(tx, deps, site_id, now)
    serial, key.next_serial = key.next_serial, key.next_serial + 1
    token = activation.add(
        tx,
        token_id=token_id,
        key=key,
        slot=slot,
        serial=serial,
        subscriber_id=subscriber_id,
        now=now,
    )
    await tx.flush()
    code = _code(deps, token, key)
    if msisdn is not None:
        await _send_in(tx, deps, token, code, to=msisdn)
    return code


async def resend(deps: Deps, token_id: str, *, msisdn: Msisdn | None = None) -> None:
    """Send a token again by SMS, to the phone that it was sold to or to another.

    Raises `TokenUnknown`, `TokenRedeemed`, `InvalidField` (``phone``), `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        token = await activation.load(tx, token_id)
        if token is None:
            raise TokenUnknown(f"there is no token {token_id}")
        if token.redeemed_at is not None:
            raise TokenRedeemed(f"token {token_id} has been redeemed")
        to = msisdn or await _phone_of(tx, token)
        if to is None:
            raise InvalidField("phone", "this token was sold to no phone: name one")
        key = await activation.key(tx, token.site_id, token.key_number)
        await _send_in(tx, deps, token, _code(deps, token, key), to=to)
    deps.signals.wake("live")


def about(token_id: str) -> str:
    """What the messages that bring a token are about."""
    return f"token {token_id}"


async def code_of(tx: Tx, deps: Deps, token: TokenRow) -> TokenCode:
    """The digits of a token."""
    return _code(deps, token, await activation.key(tx, token.site_id, token.key_number))


async def redeem_in(
    tx: Tx,
    deps: Deps,
    site_id: SiteId,
    *,
    redemption_id: RedemptionId,
    code: TokenCode,
    device_mac: str,
) -> tuple[Verdict, GrantId | None]:
    """Redeem a token that was typed while the link is up, within the caller's transaction.

    REDEEMED with the new grant; REPEAT with the grant that it gave before, which another device may
    join; UNKNOWN for digits that no key of this site made.
    """
    now = deps.now()
    held = {token_keys.version_of(key): key for key in await activation.keys(tx, site_id)}
    said = decode(code, {v: token_keys.secret_of(deps, key) for v, key in held.items()})
    if said is None:
        return Verdict.UNKNOWN, None
    number = held[said.version].number
    token = await activation.locked(tx, site_id, key_number=number, serial=said.serial)
    if token is None or token.slot != said.slot:
        text = f"right digits, but nobody issued slot {said.slot}, serial {said.serial}"
        await _notice(tx, site_id, "token_unknown", text, now, once=redemption_id)
        return Verdict.UNKNOWN, None
    if token.grant_id is not None:
        return Verdict.REPEAT, GrantId(token.grant_id)
    return Verdict.REDEEMED, await _redeem_in(
        tx, token, code, redemption_id=redemption_id, device_mac=device_mac, now=now
    )


def mark(token: TokenRow, redemption_id: RedemptionId, *, now: datetime) -> GrantId:
    """Note that the token was redeemed; the name of the grant that it gives."""
    token.redeemed_at, token.redemption_id = now, redemption_id
    token.grant_id = grant_of(redemption_id)
    return GrantId(token.grant_id)


async def _redeem_in(
    tx: Tx,
    token: TokenRow,
    code: TokenCode,
    *,
    redemption_id: RedemptionId,
    device_mac: str,
    now: datetime,
) -> GrantId:
    grant_id = mark(token, redemption_id, now=now)
    await tx.flush()
    return await give_in(
        tx,
        site_id=SiteId(token.site_id),
        plan_id=token.plan_id,
        subscriber_id=token.subscriber_id,
        cause_id=redemption_id,
        devices=(device_mac,),
        now=now,
        grant_id=grant_id,
        proved=(ProofKind.TOKEN, code),
    )


def _code(deps: Deps, token: TokenRow, key: TokenKeyRow) -> TokenCode:
    said = Token(token_keys.version_of(key), token.slot, token.serial)
    return encode(said, token_keys.secret_of(deps, key))


async def _send_in(tx: Tx, deps: Deps, token: TokenRow, code: TokenCode, *, to: Msisdn) -> None:
    site, plan = await sites.load(tx, token.site_id), await plans.load(tx, token.plan_id)
    assert site is not None
    assert plan is not None
    face = faces.face_of(
        deps.settings.operator, await operators.operator(tx), site, wallets=deps.wallets
    )
    text = token_message(
        language=face.language,
        site=site.name,
        plan=plan.name,
        code=shown(code),
        help_phone=face.help_phone,
    )
    await messages.queue_in(
        tx,
        deps,
        site_id=token.site_id,
        msisdn=to,
        text=text,
        about=about(token.id),
        now=deps.now(),
    )


async def _phone_of(tx: Tx, token: TokenRow) -> Msisdn | None:
    return None if token.subscriber_id is None else await subscribers.phone(tx, token.subscriber_id)


async def _must_be_sold(tx: Tx, site_id: SiteId, plan_id: PlanId) -> PlanRow:
    if await sites.load(tx, site_id) is None:
        raise SiteUnknown(f"there is no site {site_id}")
    return await must_be_sold(tx, plan_id)


async def _notice(tx: Tx, site_id: str, code: str, text: str, now: datetime, *, once: str) -> None:
    await notices.add(
        tx, now=now, code=code, text=text, site_id=site_id, once=f"{site_id}\n{code}\n{once}"
    )


def _wake(deps: Deps, site_id: str) -> None:
    deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
