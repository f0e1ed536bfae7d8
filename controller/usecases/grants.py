"""Grants: given for a cause, revoked by staff, widened to one more device."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import GrantId, SiteId
from controller.edge import wire
from controller.store import grants, items, plans, sites, subscribers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.ids import PlanId
    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import GrantRow

MAC_SHAPE = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
GROUP_BIT = 0x01
"""In the first byte: many devices listen, and none sends from it (IEEE 802, I/G bit)."""


class GrantUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such grant."""


class GrantOver(Exception):  # noqa: N818 - a refusal, see style
    """The grant has ended; nothing can be changed in it."""


class DevicesFull(Exception):  # noqa: N818 - a refusal, see style
    """The grant's plan allows no further device."""


async def give(
    deps: Deps,
    site_id: SiteId,
    *,
    plan_id: PlanId,
    device_mac: str,
    msisdn: Msisdn | None = None,
) -> GrantId:
    """Give a grant without payment, by staff's word.

    Raises `InvalidField` (``device_mac``, ``plan_id``, ``site_id``), `DatabaseBusy`.
    """
    _check_mac(device_mac)
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
    _wake(deps, site_id)
    return grant_id


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
        await put_item(tx, grant)
        site_id = grant.site_id
    _wake(deps, site_id)


async def add_device(deps: Deps, grant_id: GrantId, device_mac: str) -> None:
    """Let one more device use a grant. Repeating changes nothing.

    Raises `InvalidField` (``device_mac``), `GrantUnknown`, `GrantOver`, `DevicesFull`,
    `DatabaseBusy`.
    """
    _check_mac(device_mac)
    async with deps.db.begin() as tx:
        grant = await _locked(tx, grant_id)
        await admit(tx, grant, device_mac)
        site_id = grant.site_id
    _wake(deps, site_id)


async def admit(tx: Tx, grant: GrantRow, device_mac: str) -> None:
    """Let a device use a grant that is locked, within the caller's transaction.

    A device that may already changes nothing. Raises `GrantOver`, `DevicesFull`.
    """
    if grant.ended_at is not None:
        raise GrantOver(f"grant {grant.id} has ended")
    devices = grant.devices.split()
    if device_mac in devices:
        return
    plan = await plans.load(tx, grant.plan_id)
    assert plan is not None
    if len(devices) >= plan.devices_max:
        raise DevicesFull(f"grant {grant.id} allows {plan.devices_max} devices")
    grant.devices = " ".join((*devices, device_mac))
    await put_item(tx, grant)


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
) -> GrantId:
    """Give a grant within the caller's transaction, and tell the site by its desired state.

    The cause gives once: a second grant for it would break a unique key, which is a bug.
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
    await put_item(tx, grant)
    return GrantId(grant.id)


async def put_item(tx: Tx, grant: GrantRow) -> None:
    """Write a grant into its site's desired state, as it now is. Locks the site's row."""
    plan = await plans.load(tx, grant.plan_id)
    assert plan is not None
    await tx.flush()
    body = wire.grant_body(
        grants.as_grant(grant, plan),
        grants.spent_of(grant),
        cause_id="" if grant.cause_id.startswith(grants.STAFF) else grant.cause_id,
    )
    await items.put(tx, SiteId(grant.site_id), {item_key(grant.id): body})


def item_key(grant_id: str) -> str:
    """The key of a grant's item."""
    return f"grant/{grant_id}"


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


def _check_mac(device_mac: str) -> None:
    if not MAC_SHAPE.fullmatch(device_mac):
        raise InvalidField("device_mac", "want a MAC address like 02:00:00:00:00:01")
    if int(device_mac[:2], 16) & GROUP_BIT:
        raise InvalidField("device_mac", "this is the address of a group, not of one device")


def _wake(deps: Deps, site_id: str) -> None:
    deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
