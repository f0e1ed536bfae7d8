"""What staff do to who is online: disconnect, let back in, move, give more, write.

All of it goes to the site as desired state: a device that is taken off its grant is captive at
once, and comes back by its code or receipt, or when staff let it back in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import GrantId, PlanId, SiteId
from controller.store import audit, grant_sites, grants, live, plans, subscribers
from controller.usecases.grants import (
    DevicesFull,
    GrantOver,
    GrantUnknown,
    add_device,
    check_mac,
    give_in,
    must_exist,
    note_gift,
    put_item,
    why_for_nothing,
)
from controller.usecases.messages import queue_in

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import GrantRow, SessionRow

MESSAGE_MAX = 459
"""Three parts of GSM 7 bit: more is a letter."""


class SessionUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such session."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """Who was disconnected, so that it can be undone."""

    grant_id: GrantId
    mac: str


async def disconnect(deps: Deps, session_id: str) -> Disconnected:
    """Take a session's device off its grant. Repeating changes nothing.

    Raises `SessionUnknown`, `GrantUnknown`, `GrantOver`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        session = await must_find(tx, session_id)
        grant = await _locked(tx, session.grant_id)
        changed = await _without(tx, deps, grant, session.mac)
        audit.note(tx, "disconnect", ("session", session_id), after={"mac": session.mac})
    _wake(deps, changed)
    return Disconnected(GrantId(grant.id), session.mac)


async def reconnect(deps: Deps, gone: Disconnected) -> None:
    """Let a device back in that was disconnected.

    Raises `GrantUnknown`, `GrantOver`, `DevicesFull` (another took its place), `DatabaseBusy`.
    """
    await add_device(deps, gone.grant_id, gone.mac)


async def move(deps: Deps, session_id: str, mac: str) -> GrantId:
    """Let another device use the grant of a session instead of the session's own; the grant.

    Raises `InvalidField` (``device_mac``), `SessionUnknown`, `GrantUnknown`, `GrantOver`,
    `DevicesFull`, `DatabaseBusy`.
    """
    check_mac(mac)
    async with deps.db.begin() as tx:
        session = await must_find(tx, session_id)
        grant = await _locked(tx, session.grant_id)
        others = [one for one in grant.devices.split() if one not in (session.mac, mac)]
        plan = await plans.load(tx, grant.plan_id)
        assert plan is not None
        if len(others) >= plan.devices_max:
            raise DevicesFull(f"grant {grant.id} allows {plan.devices_max} devices")
        grant.devices = " ".join([*others, mac])
        changed = await put_item(tx, grant, deps.now())
        told = {"from": session.mac, "to": mac}
        audit.note(tx, "move", ("session", session_id), after=told)
    _wake(deps, changed)
    return GrantId(grant.id)


async def give_more(deps: Deps, session_id: str, *, plan_id: PlanId, reason: str) -> GrantId:
    """Give the holder of a session a plan for nothing: it begins when what they have is used up.

    The grant's cause says that staff gave it, and the audit log who, why, and its price. Raises
    `InvalidField` (``plan_id``, ``reason``), `SessionUnknown`, `GrantUnknown`, `DatabaseBusy`.
    """
    why = why_for_nothing(reason)
    now = deps.now()
    async with deps.db.begin() as tx:
        session = await must_find(tx, session_id)
        held = await grants.locked(tx, session.grant_id)
        if held is None:
            raise GrantUnknown(f"session {session_id} is of no grant that is known here")
        await must_exist(tx, site_id=session.site_id, plan_id=plan_id)
        grant_id = grants.new_id()
        await give_in(
            tx,
            site_id=SiteId(session.site_id),
            plan_id=plan_id,
            subscriber_id=held.subscriber_id,
            cause_id=f"{grants.STAFF}{grant_id}",
            devices=(session.mac,),
            now=now,
            grant_id=grant_id,
        )
        await note_gift(tx, "give_more", grant_id, plan_id=plan_id, why=why)
    _wake(deps, [SiteId(session.site_id)])
    return grant_id


async def write_to(deps: Deps, msisdn: Msisdn, text: str) -> None:
    """Send somebody a text message. Raises `InvalidField` (``text``), `DatabaseBusy`."""
    told = " ".join(text.split())
    if not told or len(told) > MESSAGE_MAX:
        raise InvalidField("text", f"want 1 to {MESSAGE_MAX} characters")
    async with deps.db.begin() as tx:
        row = await subscribers.by_phone(tx, msisdn)
        about = f"subscriber {'' if row is None else row.id}"
        await queue_in(
            tx, deps, site_id=None, msisdn=msisdn, text=told, about=about[:40], now=deps.now()
        )


async def must_find(tx: Tx, session_id: str) -> SessionRow:
    """A session. Raises `SessionUnknown`."""
    row = await live.session(tx, session_id)
    if row is None:
        raise SessionUnknown(f"there is no session {session_id}")
    return row


async def _locked(tx: Tx, grant_id: str) -> GrantRow:
    grant = await grants.locked(tx, grant_id)
    if grant is None:
        raise GrantUnknown(f"there is no grant {grant_id}")
    if grant.ended_at is not None:
        raise GrantOver(f"grant {grant_id} has ended")
    return grant


async def _without(tx: Tx, deps: Deps, grant: GrantRow, mac: str) -> list[SiteId]:
    devices = grant.devices.split()
    if mac not in devices:
        return await grant_sites.sites_of(tx, grant.id)
    grant.devices = " ".join(one for one in devices if one != mac)
    return await put_item(tx, grant, deps.now())


def _wake(deps: Deps, site_ids: list[SiteId]) -> None:
    for site_id in site_ids:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
