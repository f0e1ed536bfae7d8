"""What another system knew becomes plans, subscriptions and vouchers: once, and undone as a whole.

Each row of the source is known by what names it there, so the same file again makes nothing, and a
newer one only what is new in it. Rows are written in small transactions; where a process dies, the
file is brought over again. New codes are not kept: they follow from the row by a key of ours, so
that they can be told again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from billing.errors import InvalidField
from billing.ids import PlanId, SiteId
from billing.msisdn import Msisdn
from billing.period import Cycle, Unit, anchored
from billing.subscription import Event, State
from billing.voucher import VoucherCode, new_code
from controller.edge import wire
from controller.importing import router_file
from controller.importing.mapping import Left, Proposal, Terms, proposed
from controller.store import audit, grants, imports, items, people, plans, sites, subscribers
from controller.store import logins as login_rows
from controller.store.billing_rows import LoginRow, SubscriptionRow
from controller.store.bulk_rows import new_names
from controller.store.import_rows import ImportItemRow, ImportRow
from controller.usecases import login_items
from controller.usecases.login_items import Credentials
from controller.usecases.logins import NAME_SHAPE
from controller.usecases.meant import words
from controller.usecases.period_grants import Changes, New, carry_out
from controller.usecases.plans import add_plan, withdraw_plan
from controller.usecases.sites import SiteUnknown
from controller.usecases.subscriptions import locked, move, wake
from controller.usecases.vouchers import code_hash, keep_codes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from billing.charge import Mode
    from billing.plan import Plan
    from controller.deps import Deps
    from controller.importing.mapping import Code, Customer, Proposed
    from controller.store.database import Tx
    from controller.store.rows import PlanRow, SubscriberRow

MIKROTIK = "mikrotik"
BATCH_MAX = 100
"""So many rows are written in one transaction."""

BEGINS_MAX = timedelta(days=60)
"""The first bill may be so far away: a plan of an import outlasts that and a period."""

PLAN_IDS_MAX = 100
NAME_MAX = 120
RANK = 900
"""Where plans of an import stand in lists: after those that staff made."""

_SECRET = re.compile(r"[\x21-\x7e]{1,64}")
MONTHLY = Cycle(Unit.MONTH)

_T = TypeVar("_T")


class ImportUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such import."""


class ImportIdUsed(Exception):  # noqa: N818 - a refusal, see style
    """This id was given to another import, or to one that was undone."""


class ImportUnderWay(Exception):  # noqa: N818 - a refusal, see style
    """Another import of the same site is being brought over, or undone."""


@dataclass(frozen=True, slots=True)
class NewImport:
    """What is to be brought over, and how.

    ``begins_at`` is when customers are billed first; until then they are served as on the router.
    """

    site_id: SiteId
    name: str
    text: str = field(repr=False)
    terms: Terms
    mode: Mode
    begins_at: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an import would do, or did. ``known`` rows were brought over before.

    ``logins`` are by what customers go on dialling in; ``loginless`` are brought over without.
    """

    proposal: Proposal
    plans: Mapping[str, PlanId]
    known: Mapping[str, ImportItemRow]
    subscribers_known: int
    logins: Mapping[str, Credentials] = field(default_factory=dict, repr=False)
    loginless: tuple[Left, ...] = ()
    codes: Mapping[str, VoucherCode] = field(default_factory=dict, repr=False)

    def is_new(self, key: str) -> bool:
        """Whether what this row becomes was not there before."""
        return _origin(key) not in self.known

    @property
    def counts(self) -> dict[str, int]:
        """How many of what are new, known, and left out by reason."""
        told = self.proposal
        keys = [one.key for one in told.customers] + [one.key for one in told.codes]
        counts = {
            "plans": sum(self.is_new(one.key) for one in told.plans),
            "subscriptions": sum(self.is_new(one.key) for one in told.customers),
            "logins": sum(self.is_new(key) for key in self.logins),
            "vouchers": sum(self.is_new(one.key) for one in told.codes),
            "known": sum(not self.is_new(key) for key in keys),
            "left": len(told.left),
        }
        return counts | {f"left_{why}": n for why, n in Counter(_reasons(told)).items()}


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a row of the source, by its key."""

    key: str
    kind: str
    object_id: str
    named: str

    def row(self, site_id: str, import_id: str) -> ImportItemRow:
        """As it is kept."""
        return ImportItemRow(
            site_id=site_id,
            origin=_origin(self.key),
            import_id=import_id,
            kind=self.kind,
            object_id=self.object_id,
            named=self.named,
        )


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of an import that was undone. ``kept`` was used or billed since, and stays."""

    counts: Mapping[str, int]
    kept: tuple[str, ...]


async def preview(deps: Deps, new: NewImport) -> Outlook:
    """What an import would do; nothing is changed. Raises `InvalidField`, `SiteUnknown`."""
    told, logins = await asyncio.to_thread(_told, deps, new)
    async with deps.db.read() as tx:
        return await _outlook(tx, new, told, logins)


async def bring_over(deps: Deps, new: NewImport, import_id: str) -> Outlook:
    """Make what is new in a file. The same again makes nothing, and tells the same codes.

    Raises `InvalidField`, `SiteUnknown`, `ImportIdUsed`, `ImportUnderWay`, `DatabaseBusy`.
    """
    told, logins = await asyncio.to_thread(_told, deps, new)
    async with _alone(deps, new.site_id):
        return await _brought_over(deps, new, import_id, told, logins)


@asynccontextmanager
async def _alone(deps: Deps, site_id: str) -> AsyncIterator[None]:
    """Nobody else imports anything to a site meanwhile. Raises `ImportUnderWay`."""
    async with deps.db.alone(f"import {site_id}") as is_first:
        if not is_first:
            raise ImportUnderWay(
                f"an import of site {site_id[:40]} is under way: try again when it is done"
            )
        yield


async def _brought_over(
    deps: Deps, new: NewImport, import_id: str, told: Proposal, logins: _Logins
) -> Outlook:
    async with deps.db.begin() as tx:
        before = await _outlook(tx, new, told, logins)
        await _begun(tx, new, import_id, before, deps.now())
    for one in told.plans:
        if before.is_new(one.key):
            await _plan(deps, new, one, import_id, before.plans[one.key])
    fresh = (one for one in told.customers if before.is_new(one.key))
    for some in _in_lots(sorted(fresh, key=lambda one: one.msisdn)):
        await _customers(deps, new, some, import_id, before)
    codes = await _codes(deps, new, import_id, before)
    return replace(before, codes=codes)


async def undo(deps: Deps, import_id: str) -> Undone:
    """Take back what an import made, as far as nobody was billed for it or used it.

    Subscribers stay, and so does what they have paid. Repeating goes on where it stopped. Raises
    `ImportUnknown`, `ImportUnderWay`, `DatabaseBusy`.
    """
    async with deps.db.read() as tx:
        row = await imports.load(tx, import_id)
    if row is None:
        raise ImportUnknown(f"there is no import {import_id[:40]}")
    async with _alone(deps, row.site_id):
        return await _undone(deps, import_id, row)


async def _undone(deps: Deps, import_id: str, row: ImportRow) -> Undone:
    async with deps.db.read() as tx:
        lines = await imports.items_of(tx, import_id, imports.SUBSCRIPTION)
        codes = await imports.items_of(tx, import_id, imports.VOUCHER)
        made = await imports.items_of(tx, import_id, imports.PLAN)
    kept: list[str] = []
    ended = 0
    for part in _in_lots(lines):
        over = await _ended(deps, row.site_id, part)
        ended += len(over)
        kept += [one.named for one in part if one.origin not in over]
    voided = 0
    for some in _in_lots(codes):
        gone = await _voided(deps, row.site_id, some)
        voided += len(gone)
        kept += [one.named for one in some if one.origin not in gone]
    withdrawn = await _withdrawn(deps, row.site_id, made)
    counts = {"subscriptions": ended, "vouchers": voided, "plans": withdrawn, "kept": len(kept)}
    async with deps.db.begin() as tx:
        held = await imports.load(tx, import_id)
        assert held is not None
        held.undone_at = held.undone_at or deps.now()
        audit.note(tx, "import_undone", ("import", import_id), after=counts)
    return Undone(counts, tuple(kept))


_Logins = dict[str, "Credentials | Left"]


def _told(deps: Deps, new: NewImport) -> tuple[Proposal, _Logins]:
    """The proposal for a file, and by what customers dial in. Raises `InvalidField`."""
    if not deps.now() < new.begins_at <= deps.now() + BEGINS_MAX:
        raise InvalidField("begins_at", f"want a day to come, within {BEGINS_MAX.days} days")
    for name, price in new.terms.prices.items():
        if price < 0:
            raise InvalidField(f"prices.{name[:40]}", "want 0 or more")
    told = proposed(router_file.read(new.text), new.terms)
    return told, {one.key: _login(deps, new.site_id, one) for one in told.customers if one.sealed}


def _login(deps: Deps, site_id: SiteId, one: Customer) -> Credentials | Left:
    """By what a customer goes on dialling in, or why that cannot be. A short password stays so."""
    try:
        secret = deps.authority.unseal(one.sealed, site_id=site_id)
    except InvalidField as wrong:
        return Left(router_file.SECRETS, one.login, "no_login", f"its password: {wrong.problem}")
    if not NAME_SHAPE.fullmatch(one.login):
        return Left(router_file.SECRETS, one.login, "no_login", "a login has no such letters")
    if not _SECRET.fullmatch(secret):
        return Left(router_file.SECRETS, one.login, "no_login", "its password has no such letters")
    return Credentials(one.login, secret)


async def _outlook(tx: Tx, new: NewImport, told: Proposal, logins: _Logins) -> Outlook:
    if await sites.load(tx, new.site_id) is None:
        raise SiteUnknown(f"there is no site {new.site_id[:40]}")
    keys = [one.key for one in told.plans]
    keys += [one.key for one in told.customers] + [one.key for one in told.codes]
    known = await imports.known(tx, new.site_id, [_origin(key) for key in keys])
    phones = {one.msisdn for one in told.customers}
    there = await subscribers.phones_among(tx, phones)
    ids = await _plan_ids(tx, told.plans, known)
    good = {key: one for key, one in logins.items() if isinstance(one, Credentials)}
    fresh = {one.name for key, one in good.items() if _origin(key) not in known}
    taken = await login_rows.names_among(tx, fresh)
    bad = [one for one in logins.values() if isinstance(one, Left)]
    bad += [
        Left(router_file.SECRETS, name, "no_login", "another subscription dials in by this name")
        for name in sorted(taken)
    ]
    good = {key: one for key, one in good.items() if one.name not in taken}
    return Outlook(told, ids, known, len(there), good, tuple(bad))


async def _plan_ids(
    tx: Tx, wanted: Sequence[Proposed], known: Mapping[str, ImportItemRow]
) -> dict[str, PlanId]:
    """An id for each plan: that of before, or one that is free or holds the very same plan."""
    candidates = {name for one in wanted for name in islice(_names(one.plan.id), PLAN_IDS_MAX)}
    there = await imports.plans_like(tx, candidates)
    taken: set[str] = set()
    ids: dict[str, PlanId] = {}
    for one in wanted:
        before = known.get(_origin(one.key))
        if before is not None:
            ids[one.key] = PlanId(before.object_id)
            continue
        name = next(
            name
            for name in _names(one.plan.id)
            if name not in taken and _is_free(there.get(name), replace(one.plan, id=PlanId(name)))
        )
        taken.add(name)
        ids[one.key] = PlanId(name)
    return ids


def _is_free(there: PlanRow | None, plan: Plan) -> bool:
    if there is None:
        return True
    same = there.withdrawn_at is None and there.rank == RANK
    return same and plans.as_plan(there) == plan


def _names(first: str) -> Iterator[str]:
    """``home``, ``home-2``, ``home-3`` and so on."""
    yield first
    for n in range(2, PLAN_IDS_MAX * 100):
        yield f"{first[:27].strip('-')}-{n}"


async def _begun(tx: Tx, new: NewImport, import_id: str, before: Outlook, now: datetime) -> None:
    row = await imports.load(tx, import_id)
    if row is not None and (row.site_id != new.site_id or row.name != _title(new.name)):
        raise ImportIdUsed(f"import {import_id} is another one")
    if row is not None and row.undone_at is not None:
        raise ImportIdUsed(f"import {import_id} was undone")
    audit.note(tx, "import", ("import", import_id), after=before.counts)
    if row is not None:
        return
    tx.add(
        ImportRow(
            id=import_id,
            site_id=new.site_id,
            source=MIKROTIK,
            name=_title(new.name),
            at=now,
            undone_at=None,
            counts=json.dumps(before.counts),
        )
    )
    await tx.flush()


def _title(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:NAME_MAX]


async def _plan(deps: Deps, new: NewImport, one: Proposed, import_id: str, plan_id: PlanId) -> None:
    """Put a plan on sale, then note whose work it was: a plan that stands alone is found again."""
    await add_plan(deps, replace(one.plan, id=plan_id), rank=RANK)
    made = Made(one.key, imports.PLAN, plan_id, one.plan.name)
    async with deps.db.begin() as tx:
        await imports.note(tx, made.row(new.site_id, import_id))


async def _customers(
    deps: Deps,
    new: NewImport,
    some: Sequence[Customer],
    import_id: str,
    before: Outlook,
) -> None:
    """Subscribers and subscriptions of some rows, served from now and billed from later on."""
    now = deps.now()
    given: list[New] = []
    dialling: dict[str, Credentials] = {}
    async with deps.db.begin() as tx:
        done = await imports.known(tx, new.site_id, [_origin(one.key) for one in some])
        site = await sites.load(tx, new.site_id)
        assert site is not None, "it was looked for"
        fresh = [one for one in some if _origin(one.key) not in done]
        held = await _payers(tx, fresh, site.branch_id, now)
        for one, line in zip(fresh, new_names(len(fresh), now), strict=True):
            row = _subscription(new, one, held[one.msisdn], before.plans[one.plan_key], now)
            row.id = line
            grant = _meanwhile(row, now)
            row.grant_id = grant.grant_id
            given.append(grant)
            tx.add(row)
            made = Made(one.key, imports.SUBSCRIPTION, line, one.row)
            tx.add(made.row(new.site_id, import_id))
            if one.key in before.logins:
                dialling[line] = before.logins[one.key]
        await tx.flush()
        bodies = _login_items(tx, deps, new.site_id, dialling, now)
        changed = await carry_out(tx, Changes(given=given), now)
        changed |= set(await items.put_many(tx, {new.site_id: bodies}))
    wake(deps, changed)


def _login_items(
    tx: Tx, deps: Deps, site_id: SiteId, dialling: Mapping[str, Credentials], now: datetime
) -> dict[str, bytes | None]:
    """Keep by what these subscriptions are dialled in; what the site is told of it."""
    bodies: dict[str, bytes | None] = {}
    for line, one in dialling.items():
        sealed = deps.vault.seal(one.secret.encode())
        tx.add(
            LoginRow(
                subscription_id=line, name=one.name, sealed=sealed, site_id=site_id, set_at=now
            )
        )
        cause = f"{grants.SUBSCRIPTION}{line}"
        body = wire.login_body(name=one.name, secret=one.secret, cause=cause)
        bodies[login_items.item_key(one.name)] = body
    return bodies


async def _payers(
    tx: Tx, some: Sequence[Customer], branch_id: str, now: datetime
) -> dict[str, SubscriberRow]:
    """Who has these phones: of the site's branch when new; a name only for who has none."""
    there = await subscribers.phones_among(tx, {one.msisdn for one in some})
    held = await subscribers.locked_many(tx, {Msisdn(one.msisdn) for one in some}, now)
    for one in some:
        row = held[one.msisdn]
        if row.msisdn not in there:
            row.branch_id = branch_id
        if not row.name and one.name:
            row.name = one.name
            await people.renamed(tx, row.id, before=words(""), after=words(one.name))
    return held


def _subscription(
    new: NewImport,
    one: Customer,
    subscriber: SubscriberRow,
    plan_id: PlanId,
    now: datetime,
) -> SubscriptionRow:
    begins = anchored(MONTHLY, new.begins_at)
    return SubscriptionRow(
        subscriber_id=subscriber.id,
        plan_id=plan_id,
        next_plan_id=None,
        site_id=new.site_id,
        devices=" ".join(one.devices),
        mode=new.mode.value,
        cycle_unit=MONTHLY.unit.value,
        cycle_count=MONTHLY.count,
        anchor_day=MONTHLY.anchor_day,
        anchor_at=begins,
        period_n=0,
        bill_at=begins,
        paid_until=None,
        price_minor=None,
        state=State.PENDING.value,
        hold=None,
        state_at=now,
        resume_at=None,
        grant_id=None,
        created_at=now,
    )


def _meanwhile(row: SubscriptionRow, now: datetime) -> New:
    """What they were promised on the router goes on: the first bill takes its place."""
    return New(
        subscription_id=row.id,
        subscriber_id=row.subscriber_id,
        site_id=row.site_id,
        plan_id=row.plan_id,
        devices=row.devices,
        start=now,
    )


async def _codes(
    deps: Deps, new: NewImport, import_id: str, before: Outlook
) -> dict[str, VoucherCode]:
    """A voucher for each code of the source; by row, also those of before that are the same."""
    codes: dict[str, VoucherCode] = {}
    by_plan: dict[str, list[Code]] = {}
    for one in before.proposal.codes:
        item = before.known.get(_origin(one.key))
        code = new_voucher(deps, import_id if item is None else item.import_id, one)
        if item is None:
            by_plan.setdefault(one.plan_key, []).append(one)
        if item is None or item.object_id == code_hash(deps, code):
            codes[one.key] = code
    for plan_key, some in by_plan.items():
        items = [
            Made(one.key, imports.VOUCHER, code_hash(deps, codes[one.key]), one.row).row(
                new.site_id, import_id
            )
            for one in some
        ]

        async def noted(tx: Tx, _: str, items: list[ImportItemRow] = items) -> None:
            tx.add_all(items)

        await keep_codes(
            deps,
            before.plans[plan_key],
            [codes[one.key] for one in some],
            None,
            where=(new.site_id,),
            beside=noted,
        )
    return codes


def new_voucher(deps: Deps, import_id: str, one: Code) -> VoucherCode:
    """The code that takes the place of a router's: the same each time, and known to us alone."""
    drawn = int(deps.vault.fingerprint("import-voucher", f"{import_id}\n{one.key}"), 16)

    def below(size: int) -> int:
        nonlocal drawn
        drawn, found = divmod(drawn, size)
        return found

    return new_code(below)


def _origin(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _reasons(told: Proposal) -> Iterator[str]:
    return (one.reason for one in told.left)


def _in_lots(items: Iterable[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while lot := list(islice(rest, BATCH_MAX)):
        yield lot


async def _ended(deps: Deps, site_id: str, some: Sequence[ImportItemRow]) -> set[str]:
    """End subscriptions that were neither billed nor used; the origins of those that are over."""
    now = deps.now()
    over: set[str] = set()
    revoked: list[str | None] = []
    changed: set[str] = set()
    async with deps.db.begin() as tx:
        owners = await imports.owners(tx, [one.object_id for one in some])
        for one in sorted(some, key=lambda one: (owners[one.object_id], one.object_id)):
            row, _ = await locked(tx, one.object_id)
            if row.state == State.PENDING and not await imports.is_used(tx, row.grant_id):
                move(row, Event.END, now)
                row.bill_at = None
                revoked.append(row.grant_id)
                changed |= await login_items.follow_in(tx, deps, row)
            if row.state == State.ENDED:
                over.add(one.origin)
        changed |= await carry_out(tx, Changes(revoked=revoked), now)
        await imports.forget(tx, site_id, over)
    wake(deps, changed)
    return over


async def _voided(deps: Deps, site_id: str, some: Sequence[ImportItemRow]) -> set[str]:
    """End codes that nobody redeemed; the origins of those."""
    async with deps.db.begin() as tx:
        hashes = [one.object_id for one in some]
        voided = await imports.void_vouchers(tx, hashes, deps.now())
        gone = {one.origin for one in some if one.object_id in voided}
        await imports.forget(tx, site_id, gone)
    return gone


async def _withdrawn(deps: Deps, site_id: str, made: Sequence[ImportItemRow]) -> int:
    """Sell the import's plans no more; those that somebody is on stay, and stay known."""
    async with deps.db.read() as tx:
        used = await imports.subscribed_plans(tx, [one.object_id for one in made])
    gone = [one for one in made if one.object_id not in used]
    for one in gone:
        await withdraw_plan(deps, PlanId(one.object_id))
    async with deps.db.begin() as tx:
        await imports.forget(tx, site_id, [one.origin for one in gone])
    return len(gone)
