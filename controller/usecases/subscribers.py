"""Subscribers: who pays and is granted; known by a phone, which is also the account's number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.dunning import carried_over
from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from controller.store import debts, dunning, people, subscribers
from controller.usecases import branches, particulars
from controller.usecases.meant import words
from controller.usecases.payers import SubscriberUnknown
from controller.usecases.reckoning import as_debt, reckoned_in

if TYPE_CHECKING:
    from datetime import datetime

    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


class SubscriberExists(Exception):  # noqa: N818 - a refusal, see style
    """A subscriber with this phone exists: change what is known of them instead."""


class Segment(StrEnum):
    """What kind of customer: prices and dunning may differ."""

    RESIDENTIAL = "residential"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class SubscriberChange:
    """What is to be known of a subscriber; what is None stays as it is.

    ``referred_by`` is the subscriber who brought this one, by id or phone.
    """

    name: str | None = None
    email: str | None = None
    address: str | None = None
    kra_pin: str | None = None
    segment: Segment | None = None
    branch_id: str | None = None
    language: str | None = None
    referred_by: str | None = None


async def add_subscriber(deps: Deps, msisdn: Msisdn, change: SubscriberChange) -> str:
    """Make a subscriber; its id. Raises `InvalidField`, `SubscriberExists`, `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        if not await subscribers.insert(tx, msisdn, deps.now()):
            raise SubscriberExists(f"a subscriber with phone {msisdn} exists")
        row = await subscribers.locked(tx, msisdn, deps.now())
        await _changed(tx, row, change, deps.now())
        return row.id


async def change_subscriber(deps: Deps, named: str, change: SubscriberChange) -> str:
    """Change what is known of a subscriber; its id. Issued documents stay as they are.

    Raises `InvalidField`, `SubscriberUnknown`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        row = await must_find(tx, named, lock=True)
        await _changed(tx, row, change, deps.now())
        return row.id


def normal_name(named: str) -> str:
    """How a subscriber is looked for who was named by an id, or by a phone as people write it."""
    try:
        return parse_msisdn(named)
    except InvalidField:
        return named


async def must_find(tx: Tx, named: str, *, lock: bool = False) -> SubscriberRow:
    """The subscriber of an id or a phone. Raises `SubscriberUnknown`."""
    row = await subscribers.by_id(tx, named, lock=lock)
    if row is None:
        row = await subscribers.by_phone(tx, normal_name(named), lock=lock)
    if row is None:
        raise SubscriberUnknown(named)
    return row


async def _changed(tx: Tx, row: SubscriberRow, change: SubscriberChange, now: datetime) -> None:
    if change.name is not None:
        before = row.name
        row.name = particulars.line("name", change.name, length_max=particulars.NAME_MAX)
        await people.renamed(tx, row.id, before=words(before), after=words(row.name))
    if change.email is not None:
        row.email = particulars.email(change.email)
    if change.address is not None:
        row.address = particulars.line("address", change.address)
    if change.kra_pin is not None:
        row.kra_pin = particulars.kra_pin(change.kra_pin)
    if change.segment is not None:
        await _moved(tx, row, change.segment, now)
    if change.language is not None:
        row.language = particulars.language(change.language)
    if change.branch_id is not None:
        await branches.must_exist(tx, change.branch_id)
        row.branch_id = change.branch_id
    if change.referred_by is not None:
        row.referred_by = await _referrer(tx, row, change.referred_by)


async def _moved(tx: Tx, row: SubscriberRow, segment: Segment, now: datetime) -> None:
    """Let a subscriber be of another segment; open debts go on by its policy where they are."""
    old, new = await dunning.policy_for(tx, row.segment), await dunning.policy_for(tx, segment)
    row.segment = segment
    if old == new:
        return
    for debt in await debts.open_of(tx, row.id):
        parts = await dunning.parts_of(tx, debt.document_id)
        debt.steps_done = carried_over(old, new, as_debt(debt, parts, now), now)
        await reckoned_in(tx, debt, new, now)


async def _referrer(tx: Tx, row: SubscriberRow, named: str) -> str:
    try:
        found = await must_find(tx, named)
    except SubscriberUnknown as unknown:
        raise InvalidField("referred_by", str(unknown)) from unknown
    if found.id == row.id:
        raise InvalidField("referred_by", "nobody brings themselves")
    return found.id
