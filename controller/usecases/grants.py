"""Grants: given for a cause, revoked and suspended by staff, widened to devices and to sites."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import GrantId, SiteId
from billing.proof import proof
from controller.store import audit, grant_sites, grants, plans, sites, subscribers
from controller.usecases import particulars
from controller.usecases.allowances import Told, grant_body, resliced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from billing.ids import PlanId
    from billing.msisdn import Msisdn
    from billing.proof import ProofKind
    from controller.deps import Deps
    from controller.records import DeviceJoined
    from controller.store.database import Tx
    from controller.store.rows import GrantRow, PlanRow
    from controller.usecases.allowances import Shares

MAC_SHAPE = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
NAMED_MAX = 10
"""Device names kept of a grant that joins by itself at its sites, if its plan allows no more."""

REASON_MAX = 200

GROUP_BIT = 0x01
"""In the first byte: many devices listen, and none sends from it (IEEE 802, I/G bit)."""


class GrantUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such grant."""


class GrantOver(Exception):  # noqa: N818 - a refusal, see style
    """The grant has ended; nothing can be changed in it."""


class GrantOfSubscription(Exception):  # noqa: N818 - a refusal, see style
    """The grant goes with its subscription: passing by itself it would be served, not billed."""


class DevicesFull(Exception):  # noqa: N818 - a refusal, see style
    """The grant's plan allows no further device."""


async def give(
    deps: Deps,
    site_id: SiteId,
    *,
    plan_id: PlanId,
    device_mac: str,
    msisdn: Msisdn | None = None,
    reason: str | None = None,
) -> GrantId:
    """Give a grant without payment, by staff's word; the audit log keeps the ``reason``, if asked.

    Raises `InvalidField` (``device_mac``, ``plan_id``, ``site_id``, ``reason``), `DatabaseBusy`.
    """
    check_mac(device_mac)
    why = None if reason is None else why_for_nothing(reason)
    now = deps.now()
    async with deps.db.begin() as tx:
        await must_exist(tx, site_id=site_id, plan_id=plan_id)
        subscriber = None if msisdn is None else await subscribers.locked(tx, msisdn, now)
        grant_id = grants.new_id()
        await give_in(
            tx,
            site_id=site_id,
            plan_id=plan_id,
            subscriber_id=None if subscriber is None else subscriber.id,
            cause_id=f"{grants.STAFF}{grant_id}",
            devices=(device_mac,),
            now=now,
            grant_id=grant_id,
        )
        if why is not None:
            await note_gift(tx, "give", grant_id, plan_id=plan_id, why=why)
    _wake(deps, site_id)
    return grant_id


def why_for_nothing(reason: str) -> str:
    """Why something is given for nothing, as it is kept. Raises `InvalidField` (``reason``)."""
    why = particulars.line("reason", reason, length_max=REASON_MAX)
    if not why:
        raise InvalidField("reason", "say why it is given for nothing")
    return why


async def note_gift(tx: Tx, code: str, grant_id: GrantId, *, plan_id: PlanId, why: str) -> None:
    """Say in the audit log why a grant was given for nothing, and what it is worth."""
    plan = await plans.load(tx, plan_id)
    assert plan is not None
    worth = {"plan": plan_id, "price_minor": plan.price_minor, "reason": why}
    audit.note(tx, code, ("grant", grant_id), after=worth)


async def revoke(deps: Deps, grant_id: GrantId) -> None:
    """End a grant now. Repeating changes nothing. Money is not touched.

    Raises `GrantUnknown`, `GrantOver` (it has ended by itself), `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        grant = await _locked(tx, grant_id)
        if grant.ended_reason == "revoked":
            return
        if grant.ended_at is not None:
            raise GrantOver(f"grant {grant_id} has ended already")
        grant.ended_at = deps.now()
        grant.ended_reason = "revoked"
        changed = await put_item(tx, grant, deps.now())
    _wake(deps, *changed)


async def suspend(deps: Deps, grant_id: GrantId) -> None:
    """Let nothing pass on a grant until it is resumed. Its calendar clock goes on.

    Repeating changes nothing. Raises `GrantUnknown`, `GrantOver`, `GrantOfSubscription` (it would
    be billed, not served), `DatabaseBusy`.
    """
    await _set_suspended(deps, grant_id, deps.now())


async def resume(deps: Deps, grant_id: GrantId) -> None:
    """Let a suspended grant pass again. Repeating changes nothing.

    Raises `GrantUnknown`, `GrantOver`, `GrantOfSubscription`, `DatabaseBusy`.
    """
    await _set_suspended(deps, grant_id, None)


async def _set_suspended(deps: Deps, grant_id: GrantId, at: datetime | None) -> None:
    async with deps.db.begin() as tx:
        grant = await _locked(tx, grant_id)
        if grant.ended_at is not None:
            raise GrantOver(f"grant {grant_id} has ended")
        _must_stand_alone(grant, "resume" if at is None else "suspend")
        if (grant.suspended_at is None) == (at is None):
            return
        grant.suspended_at = at
        changed = await put_item(tx, grant, deps.now())
    _wake(deps, *changed)


def _must_stand_alone(grant: GrantRow, verb: str) -> None:
    if not grant.cause_id.startswith(grants.SUBSCRIPTION):
        return
    subscription_id = grant.cause_id.removeprefix(grants.SUBSCRIPTION).partition(":")[0]
    raise GrantOfSubscription(
        f"grant {grant.id} goes with its subscription: {verb} the subscription {subscription_id}"
    )


async def add_device(deps: Deps, grant_id: GrantId, device_mac: str) -> None:
    """Let one more device use a grant. Repeating changes nothing.

    Raises `InvalidField` (``device_mac``), `GrantUnknown`, `GrantOver`, `DevicesFull`,
    `DatabaseBusy`.
    """
    check_mac(device_mac)
    async with deps.db.begin() as tx:
        grant = await _locked(tx, grant_id)
        await admit(tx, grant, device_mac, site_id=SiteId(grant.site_id), now=deps.now())
        changed = await grant_sites.sites_of(tx, grant_id)
    _wake(deps, *changed)


async def admit(
    tx: Tx,
    grant: GrantRow,
    device_mac: str,
    *,
    site_id: SiteId,
    now: datetime,
    proved: bytes | None = None,
) -> None:
    """Let a device use a locked grant at a site, within the caller's transaction.

    A site that the grant was not brought to yet is handed a share of it. ``proved`` is the proof
    that let the device in, for the next one that comes while the link is down. A device that may
    already changes nothing. Raises `GrantOver`, `DevicesFull`.
    """
    if grant.ended_at is not None:
        raise GrantOver(f"grant {grant.id} has ended")
    devices = grant.devices.split()
    plan = await plans.load(tx, grant.plan_id)
    assert plan is not None
    is_new = device_mac not in devices
    if is_new and len(devices) >= plan.devices_max:
        raise DevicesFull(f"grant {grant.id} allows {plan.devices_max} devices")
    if is_new:
        grant.devices = " ".join((*devices, device_mac))
    learned = proved is not None and grants.add_proof(grant, proved)
    brought = await grant_sites.bring(tx, grant.id, site_id)
    if is_new or learned or brought:
        await put_item(tx, grant, now, top_up=site_id if brought else None)


def rename(
    told_of: Sequence[DeviceJoined],
    held: Mapping[str, GrantRow],
    of_plan: Mapping[str, PlanRow],
    shares: Shares,
    *,
    now: datetime,
    told: Told,
) -> None:
    """Note which devices a site let join its grants without asking; ``told`` gets the items.

    How many are on at once is the site's to enforce. Names may be more than that: a phone that
    changed its address is another name. The oldest are forgotten. The grants are locked.
    """
    changed = set[str]()
    for one in told_of:
        grant = held.get(one.grant_id)
        if grant is None or grant.ended_at is not None:
            continue
        names = [name for name in grant.devices.split() if name not in (one.instead_of, one.mac)]
        named_max = max(NAMED_MAX, of_plan[grant.plan_id].devices_max)
        devices = " ".join([*names, one.mac][-named_max:])
        if devices != grant.devices:
            grant.devices = devices
            changed.add(grant.id)
    for grant_id in changed:
        grant, rows = held[grant_id], shares[grant_id]
        for row in rows:
            told.add(row, grant_body(grant, of_plan[grant.plan_id], row, rows, now))


async def give_in(
    tx: Tx,
    *,
    site_id: SiteId,
    plan_id: str,
    subscriber_id: str | None,
    cause_id: str,
    devices: Sequence[str],
    now: datetime,
    grant_id: GrantId | None = None,
    proved: tuple[ProofKind, str] | None = None,
    told: Told | None = None,
) -> GrantId:
    """Give a grant within the caller's transaction, and tell the site by its desired state.

    The cause gives once: a second grant for it would break a unique key, which is a bug.
    ``proved`` is the code that bought it, by which further devices join. With ``told`` the item is
    added there, and the caller writes.
    """
    grant = await grants.insert(
        tx,
        grant_id=grant_id or grants.new_id(),
        site_id=site_id,
        plan_id=plan_id,
        subscriber_id=subscriber_id,
        cause_id=cause_id,
        devices=devices,
        now=now,
    )
    if proved is not None:
        grants.add_proof(grant, proof(GrantId(grant.id), *proved))
    await grant_sites.bring(tx, grant.id, site_id)
    await put_item(tx, grant, now, top_up=site_id, told=told)
    return GrantId(grant.id)


async def learn_proof(tx: Tx, cause_id: str, proved: tuple[ProofKind, str], now: datetime) -> None:
    """Note a code that turned out only now to have bought what a cause gave."""
    given = await grants.by_cause(tx, cause_id)
    grant = None if given is None else await grants.locked(tx, given.id)
    if grant is None or grant.ended_at is not None:
        return
    if grants.add_proof(grant, proof(GrantId(grant.id), *proved)):
        await put_item(tx, grant, now)


async def put_item(
    tx: Tx,
    grant: GrantRow,
    now: datetime,
    *,
    top_up: SiteId | None = None,
    told: Told | None = None,
) -> list[SiteId]:
    """Write a grant into the desired state of its sites, as it now is; those that moved on.

    ``top_up`` is a site whose slice is to be made first. Locks the sites' rows, unless ``told``
    collects the items for the caller to write.
    """
    plan = await plans.load(tx, grant.plan_id)
    assert plan is not None
    shares = await grant_sites.locked(tx, (grant.id,))
    rows = shares[grant.id]
    collected = told or Told()
    if top_up is not None:
        held, of_plan = {grant.id: grant}, {plan.id: plan}
        await resliced(tx, held, of_plan, shares, site_id=top_up, now=now, told=collected)
    for row in rows:
        collected.add(row, grant_body(grant, plan, row, rows, now))
    return [] if told is not None else await collected.write(tx)


async def must_exist(tx: Tx, *, site_id: str, plan_id: str) -> None:
    """Raise `InvalidField` for a site that is not there or a plan that cannot be given."""
    if await sites.load(tx, site_id) is None:
        raise InvalidField("site_id", f"there is no site {site_id}")
    if await plans.load(tx, plan_id) is None:
        raise InvalidField("plan_id", f"there is no plan {plan_id}")


async def _locked(tx: Tx, grant_id: str) -> GrantRow:
    grant = await grants.locked(tx, grant_id)
    if grant is None:
        raise GrantUnknown(f"there is no grant {grant_id}")
    return grant


def check_mac(device_mac: str, *, field: str = "device_mac") -> None:
    """Raise `InvalidField` for what is no device's address."""
    if not MAC_SHAPE.fullmatch(device_mac):
        raise InvalidField(field, "want a MAC address like 02:00:00:00:00:01")
    if int(device_mac[:2], 16) & GROUP_BIT:
        raise InvalidField(field, "this is the address of a group, not of one device")


def _wake(deps: Deps, *changed: str) -> None:
    for site_id in changed:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
