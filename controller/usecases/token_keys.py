"""Token keys and slots: what a site must know to prove and price an activation token alone.

Each site has its own secret keys, at most four at a time, because a token names its key in two
bits; and a slot number for each plan on sale, because a token names its plan in eight. A plan never
changes, so neither does what a slot stands for, until the plan has not been sold for so long that
no token of it can be out.

Whoever holds the row of a site's first key may change its keys and slots.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.token import SECRET_BYTES, SLOTS, VERSIONS
from controller.edge import wire
from controller.store import activation, items, notices, plans, sites
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.store.code_rows import TokenKeyRow, TokenSlotRow
    from controller.store.database import Tx

GOOD_FOR = timedelta(days=180)
"""A token that nobody brings is kept good for at least so long: before that neither its key is
retired nor its slot given to another plan."""

KEYS_ITEM = "token-keys"


class SlotsFull(Exception):  # noqa: N818 - a refusal, see style
    """Every slot of the site stands for a plan whose tokens may still be out."""


class KeysFull(Exception):  # noqa: N818 - a refusal, see style
    """The site has as many keys as a token can name, and tokens of the oldest are still out."""


async def make_ready(deps: Deps) -> int:
    """See that every site can prove and price tokens of all that is sold; how many were told.

    A site whose slots are full goes without the newest plans, and staff are told once. Raises
    `DatabaseBusy`.
    """
    async with deps.db.read() as tx:
        lacking = await activation.unready_sites(tx)
    told = 0
    for site_id in lacking:
        async with deps.db.begin() as tx:
            complete = await _made_ready(tx, deps, site_id)
        told += complete
        deps.signals.wake(f"site:{site_id}")
    return told


async def rotate(deps: Deps, site_id: SiteId) -> int:
    """Give a site a new token key; the version that stands in its tokens from now on.

    Tokens under the keys before stay good. Raises `SiteUnknown`, `KeysFull`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        if await sites.load(tx, site_id) is None:
            raise SiteUnknown(f"there is no site {site_id}")
        await held_in(tx, deps, site_id, now)
        key = await rotated_in(tx, deps, site_id, now)
    deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
    return version_of(key)


async def held_in(tx: Tx, deps: Deps, site_id: SiteId, now: datetime) -> Sequence[TokenKeyRow]:
    """The site's keys, the newest last, held by this transaction; the first is made when wanted."""
    held = await activation.held_keys(tx, site_id)
    if held:
        return held
    await activation.add_key(tx, site_id, number=activation.FIRST, sealed=_secret(deps), now=now)
    held = await activation.held_keys(tx, site_id)
    await items.put(tx, site_id, {KEYS_ITEM: _keys_body(deps, held)})
    return held


async def rotated_in(tx: Tx, deps: Deps, site_id: SiteId, now: datetime) -> TokenKeyRow:
    """A new key, the newest; the oldest retires when a token could not name one more.

    Raises `KeysFull`.
    """
    held = await activation.held_keys(tx, site_id)
    if len(held) >= VERSIONS:
        oldest = held[0]
        if await activation.is_out(tx, site_id, oldest.number, since=now - GOOD_FOR):
            raise KeysFull(
                f"site {site_id} has {VERSIONS} token keys, and tokens of the oldest are still out"
            )
        oldest.retired_at = now
    number = await activation.last_key_number(tx, site_id) + 1
    await activation.add_key(tx, site_id, number=number, sealed=_secret(deps), now=now)
    await tx.flush()
    held = await activation.keys(tx, site_id)
    # Invariant: no two keys that are held have one version.
    assert len({version_of(key) for key in held}) == len(held)
    await items.put(tx, site_id, {KEYS_ITEM: _keys_body(deps, held)})
    return held[-1]


async def slot_in(
    tx: Tx, deps: Deps, site_id: SiteId, plan_id: str, *, now: datetime
) -> TokenSlotRow:
    """The slot of a plan at a site, which it keeps while tokens of it may be out.

    Made, and told to the site, when the plan has none. Raises `SlotsFull`.
    """
    await held_in(tx, deps, site_id, now)
    rows = await activation.slots(tx, site_id)
    slot = next((row for row in rows if row.plan_id == plan_id), None)
    if slot is None:
        slot = await _new_slot(tx, site_id, plan_id, {row.slot for row in rows}, now)
    slot.used_at = now
    return slot


def version_of(key: TokenKeyRow) -> int:
    """How a token names this key."""
    return key.number % VERSIONS


def secret_of(deps: Deps, key: TokenKeyRow) -> bytes:
    """The key itself."""
    return deps.vault.unseal(key.sealed)


def slot_item(slot: int) -> str:
    """The key of a slot's item."""
    return f"slot/{slot}"


async def _made_ready(tx: Tx, deps: Deps, site_id: SiteId) -> bool:
    now = deps.now()
    await held_in(tx, deps, site_id, now)
    try:
        for plan in await plans.on_sale(tx):
            if plan.price_minor > 0:
                await slot_in(tx, deps, site_id, plan.id, now=now)
    except SlotsFull as full:
        await tell_full(tx, site_id, full, now)
        return False
    return True


async def tell_full(tx: Tx, site_id: SiteId, full: SlotsFull, now: datetime) -> None:
    """Tell staff, once, that a site can sell no further plan by token."""
    await notices.add(
        tx,
        now=now,
        code="token_slots_full",
        text=str(full),
        site_id=site_id,
        once=f"token_slots_full\n{full}",
    )


async def _new_slot(
    tx: Tx, site_id: SiteId, plan_id: str, taken: set[int], now: datetime
) -> TokenSlotRow:
    free = next((n for n in range(SLOTS) if n not in taken), None)
    if free is None:
        free = await activation.free_rested_slot(tx, site_id, before=now - GOOD_FOR)
    if free is None:
        raise SlotsFull(
            f"all {SLOTS} token slots of site {site_id} are taken, so plan {plan_id} gets none:"
            f" withdraw a plan; {GOOD_FOR.days} days after its last token its slot is free"
        )
    row = activation.add_slot(tx, site_id, slot=free, plan_id=plan_id, now=now)
    await tx.flush()
    plan = await plans.load(tx, plan_id)
    assert plan is not None
    body = wire.token_slot_body(plans.as_plan(plan), slot=free)
    await items.put(tx, site_id, {slot_item(free): body})
    return row


def _secret(deps: Deps) -> bytes:
    return deps.vault.seal(secrets.token_bytes(SECRET_BYTES))


def _keys_body(deps: Deps, held: Sequence[TokenKeyRow]) -> bytes:
    return wire.token_keys_body([(version_of(key), secret_of(deps, key)) for key in held])
