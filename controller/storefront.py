"""What the public page that sells tokens sees of the controller: `portal.account.shop.Shop`.

The secret half of an order's key is a keyed hash of its name, so that nothing of it is kept, and
nobody makes a key but we.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import OrderId, PlanId, SiteId
from billing.msisdn import masked, parse_msisdn, wallet_of
from billing.payment import PaymentState, Reason, stage
from billing.token import shown
from controller.api.attempts import Attempts, failed, wait_s
from controller.store import (
    activation,
    items,
    operators,
    outages,
    payments,
    plans,
    sites,
    sms,
    subscribers,
)
from controller.store.database import DatabaseBusy
from controller.usecases import faces, token_keys, tokens, works
from controller.usecases.purchase import NewOrder, OrderDiffers, Purpose, purchase
from portal.account.shop import Refusal, Sale, ShopClosed, SiteBehind, SmsState
from portal.captive.gate import Offer
from portal.captive.screens import announced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.msisdn import Msisdn
    from billing.plan import Plan
    from controller.deps import Deps
    from controller.store.code_rows import TokenRow
    from controller.store.database import Tx
    from controller.store.rows import PaymentRow
    from portal.captive.gate import SiteFace

ORDERS_PER_MINUTE_MAX = 30
"""Orders of one address in a minute; the networks of phones put many customers behind one."""

SMS_STATES = {
    sms.WAITING: SmsState.WAITING,
    sms.SENT: SmsState.SENT,
    sms.GIVEN_UP: SmsState.UNSENT,
}


class Storefront:
    """A `Shop` over the use cases; remembers only who ordered much of late."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._orders = Attempts()

    async def face(self, site_id: str) -> SiteFace | None:
        """How the site presents itself."""
        deps, now = self._deps, self._deps.now()
        async with deps.db.read() as tx:
            site = await sites.load(tx, site_id)
            if site is None:
                return None
            operator = await operators.operator(tx)
            planned = await works.of_sites(tx, now, [site_id])
            silent = await outages.since(tx, [site_id], now, limit=1)
        face = faces.face_of(deps.settings.operator, operator, site, wallets=deps.wallets)
        return replace(
            face,
            works=announced(planned[site_id], now),
            down_since=next((one.began_at for one in silent if one.ended_at is None), None),
        )

    async def logo(self) -> bytes:
        """The operator's picture, if portals show one."""
        async with self._deps.db.read() as tx:
            return faces.logo_of(await operators.operator(tx))

    async def offers(self, site_id: str) -> Sequence[Offer]:  # noqa: ARG002 - every site has every plan
        """What is for sale: nothing, while no SMS could be sent or no money taken."""
        if self._deps.settings.sms is None or not self._deps.wallets:
            return ()
        async with self._deps.db.read() as tx:
            sold = await plans.on_sale(tx)
        return tuple(offer_of(plans.as_plan(plan)) for plan in sold if plan.price_minor > 0)

    def new_key(self) -> str:
        """A name and its secret."""
        return self._key(secrets.token_hex(16))

    async def order(
        self,
        site_id: str,
        *,
        key: str,
        plan_id: str,
        phone: str,
        holder: str,
        again: str,
        address: str,
        rail: str = "",
    ) -> Refusal | None:
        """Have the payer asked, once."""
        deps = self._deps
        if wait_s(self._orders, address, deps.now(), most=ORDERS_PER_MINUTE_MAX):
            return Refusal.TOO_MANY
        order_id = self._order_of(key)
        if order_id is None:
            return Refusal.KEY_USED
        if all(offer.plan_id != plan_id for offer in await self.offers(site_id)):
            return Refusal.PLAN_UNKNOWN
        if not phone:
            phone, holder = await self._phones_of(site_id, again)
        asked = _asked(phone, holder, rail, among=deps.wallets)
        if isinstance(asked, Refusal):
            return asked
        payer, whose, wallet = asked
        self._orders = failed(self._orders, address, deps.now(), most=ORDERS_PER_MINUTE_MAX)
        order = NewOrder(
            order_id, PlanId(plan_id), payer, "", 0, Purpose.TOKEN, rail=wallet, holder=whose
        )
        try:
            await purchase(deps, SiteId(site_id), order)
        except OrderDiffers:
            return Refusal.KEY_USED
        except DatabaseBusy as busy:
            raise ShopClosed from busy
        return await self._stands(site_id, order)

    async def _stands(self, site_id: str, order: NewOrder) -> Refusal | None:
        """Why an order that was placed has no page, or not this one."""
        async with self._deps.db.read() as tx:
            payment = await payments.load(tx, order.order_id)
            if payment is None or not _is_sale(payment, site_id):
                # What was refused before it was written down has no page of its own.
                return Refusal.PLAN_UNKNOWN
            whose = await subscribers.phone(tx, payment.subscriber_id)
        return None if whose == order.holder else Refusal.KEY_USED

    async def sale(self, site_id: str, key: str) -> Sale | None:
        """The order, and its token once it is paid."""
        order_id = self._order_of(key)
        if order_id is None:
            return None
        async with self._deps.db.read() as tx:
            payment = await payments.load(tx, order_id)
            if not _is_sale(payment, site_id):
                return None
            assert payment is not None
            return await self._shown(tx, key, payment)

    async def _shown(self, tx: Tx, key: str, payment: PaymentRow) -> Sale:
        plan = await plans.load(tx, payment.plan_id or "")
        assert plan is not None
        token = await activation.load(tx, payment.order_id)
        message = await sms.newest_about(tx, tokens.about(payment.order_id))
        since = payment.settled_at or payment.pushed_at or payment.created_at
        return Sale(
            key=key,
            offer=offer_of(plans.as_plan(plan)),
            msisdn_masked=masked(payment.msisdn),
            holder_masked=masked(await subscribers.phone(tx, payment.subscriber_id)),
            stage=stage(PaymentState(payment.state)),
            reason=None if payment.reason is None else Reason(payment.reason),
            age_s=max(0, int((self._deps.now() - since).total_seconds())),
            rail=payment.rail,
            token="" if token is None else shown(await tokens.code_of(tx, self._deps, token)),
            sms=SmsState.WAITING if message is None else SMS_STATES[message.state],
            used=token is not None and token.redeemed_at is not None,
            behind=None if token is None else await self._behind(tx, token),
        )

    async def _behind(self, tx: Tx, token: TokenRow) -> SiteBehind | None:
        """The site, when it cannot take the token: it has not applied its key, or its slot."""
        needed = (token_keys.KEYS_ITEM, token_keys.slot_item(token.slot))
        if token.redeemed_at is not None or not await items.is_behind(tx, token.site_id, needed):
            return None
        site = await sites.load(tx, token.site_id)
        assert site is not None
        heard = site.last_seen_at
        ago_s = 0 if heard is None else max(0, int((self._deps.now() - heard).total_seconds()))
        return SiteBehind(heard, ago_s)

    async def _phones_of(self, site_id: str, key: str) -> tuple[str, str]:
        """Who paid, and for whom, of an earlier order, for who has its key."""
        order_id = self._order_of(key)
        if order_id is None:
            return "", ""
        async with self._deps.db.read() as tx:
            payment = await payments.load(tx, order_id)
            if payment is None or not _is_sale(payment, site_id):
                return "", ""
            return payment.msisdn, await subscribers.phone(tx, payment.subscriber_id)

    def _key(self, name: str) -> str:
        return f"{name}-{self._deps.vault.fingerprint('order-key', name)[:32]}"

    def _order_of(self, key: str) -> OrderId | None:
        """The order that a key opens; None for a key that we did not make."""
        name = key.partition("-")[0]
        right = hmac.compare_digest(self._key(name).encode(), key.encode())
        return OrderId(name) if right and name else None


def _phones(phone: str, holder: str) -> tuple[Msisdn, Msisdn] | Refusal:
    """Whose phone pays, and whose the code is for: the same unless another was typed."""
    payer = _parsed(phone)
    if payer is None:
        return Refusal.PHONE_INVALID
    whose = _parsed(holder) if holder.strip() else payer
    return Refusal.HOLDER_INVALID if whose is None else (payer, whose)


def _asked(
    phone: str, holder: str, rail: str, *, among: Sequence[str]
) -> tuple[Msisdn, Msisdn, str] | Refusal:
    """Whose phone pays, whose the code is for, and by which wallet."""
    phones = _phones(phone, holder)
    if isinstance(phones, Refusal):
        return phones
    try:
        return (*phones, wallet_of(phones[0], among=among, chosen=rail))
    except InvalidField:
        return Refusal.WALLET_UNKNOWN


def _parsed(phone: str) -> Msisdn | None:
    try:
        return parse_msisdn(phone)
    except InvalidField:
        return None


def _is_sale(payment: PaymentRow | None, site_id: str) -> bool:
    return payment is not None and payment.site_id == site_id and payment.purpose == Purpose.TOKEN


def offer_of(plan: Plan) -> Offer:
    """A plan as portals know it."""
    limits = plan.limits
    return Offer(
        plan_id=plan.id,
        name=plan.name,
        price=plan.price,
        down_bps=limits.down_bps,
        up_bps=limits.up_bps,
        validity_s=limits.validity_s,
        uptime_s=limits.uptime_s,
        quota_bytes=limits.quota_bytes,
        devices_max=limits.devices_max,
    )
