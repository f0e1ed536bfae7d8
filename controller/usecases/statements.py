"""Statement files become money that came, charges, and money that went back: each line once.

A file is kept first, with all its lines, and booked afterwards, a line at a time; what is left when
a process dies, a job books. The same bytes are one statement, and the same line in two files is one
line, so nothing is booked twice however often a statement is fetched.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from billing import accounts
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.period import midnight
from billing.reconciling import Way
from controller.payments.seen import Road, Seen
from controller.payments.statements import StatementUnreadable, read_profile, read_statement
from controller.payments.statements.profile import profile_text
from controller.store import arrivals, ledger, notices, statements
from controller.store.bulk_rows import new_names
from controller.store.database import DatabaseBusy, inserted
from controller.store.payment_rows import StatementRow
from controller.usecases.arrivals import arrive
from controller.usecases.refunds import returned

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.statements import Profile, Statement
    from controller.store.database import Tx
    from controller.store.payment_rows import StatementLineRow

BOOK_BATCH_MAX = 100
BOOKED_AT_ONCE_MAX = 300
"""So many lines are booked before the import is answered; a job books the rest."""

BOOK_AGAIN_S = 60
"""What could not be booked is tried again after this, so that one fault delays no other."""

WAIT_FOR_PAYMENT = timedelta(days=1)
WAIT_FOR_PAYMENT_MAX = timedelta(days=35)
"""A reversal of money that we have never seen waits so long for the statement that tells of it."""

NAME_MAX = 120
_ID = re.compile(r"[0-9a-f]{32}")
_RAIL = re.compile(r"[a-z][a-z0-9-]{0,15}")
_PLACE = re.compile(r"[A-Za-z0-9._-]{1,32}")
_PROFILE = re.compile(r"[a-z0-9-]{1,32}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. ``new_lines`` were in no file before; ``is_new`` is the file itself.

    ``left`` lines are still to be booked, by the job.
    """

    statement: StatementRow
    new_lines: int
    is_new: bool
    left: bool


class StatementIdUsed(Exception):  # noqa: N818 - a refusal, see style
    """This id was given to another file."""

    field = "idempotent"


class ProfileUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such profile of columns."""

    field = "profile"


async def save_profile(deps: Deps, name: str, told: str) -> None:
    """Save how a bank writes its CSV. Raises `InvalidField`, `DatabaseBusy`."""
    if not _PROFILE.fullmatch(name):
        raise InvalidField("name", "want 1 to 32 of a-z, 0-9 and -")
    text = profile_text(read_profile(told))
    async with deps.db.begin() as tx:
        await statements.put_profile(tx, name, text, deps.now())


async def import_statement(
    deps: Deps,
    data: bytes,
    *,
    name: str,
    idempotent: str,
    rail: str = "",
    place: str = "",
    profile: str = "",
) -> Imported:
    """Read a statement file, keep its lines, and book them.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits). ``rail`` and ``place``
    are needed where the file does not name them, ``profile`` (a saved one's name) for a bank's CSV.
    A repeat answers what the first one did. Raises `InvalidField`, `StatementUnreadable`,
    `ProfileUnknown`, `StatementIdUsed`, `DatabaseBusy`.
    """
    if not _ID.fullmatch(idempotent):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    how = await _profile(deps, profile)
    told = await asyncio.to_thread(read_statement, data, name=name, profile=how)
    row = _row(told, data, name=name, named=(rail, place), now=deps.now())
    row.id = idempotent
    _check(told, deps.now())
    async with deps.db.begin() as tx:
        known = await _known(tx, row)
        new_lines = 0 if known is not None else await _kept(tx, row, told)
        if known is None:
            await _compare_with_before(tx, row)
    left = await _booked_now(deps)
    deps.signals.wake("live")
    return Imported(known or row, new_lines, is_new=known is None, left=left)


async def book_due(deps: Deps) -> int:
    """Book lines whose time has come; how many were tried.

    Safe to run in several processes: each line is claimed by moving its time on.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await statements.due_lines(tx, now, limit=BOOK_BATCH_MAX)
        for row in rows:
            row.due_at = now + timedelta(seconds=BOOK_AGAIN_S)
    for row in rows:
        try:
            await _book(deps, row)
        except DatabaseBusy:
            continue  # it is due again
        except Exception:
            # One that cannot be booked must not hold up the others; it stays due.
            log.exception("line_failed", line=row.id)
    return len(rows)


async def _booked_now(deps: Deps) -> bool:
    """Book what is due, up to a bound; whether more is left."""
    for _ in range(BOOKED_AT_ONCE_MAX // BOOK_BATCH_MAX):
        if await book_due(deps) < BOOK_BATCH_MAX:
            return False
    return True


async def _profile(deps: Deps, name: str) -> Profile | None:
    if not name:
        return None
    async with deps.db.read() as tx:
        told = await statements.profile(tx, name)
    if told is None:
        raise ProfileUnknown(f"there is no profile {name[:32]}")
    return read_profile(told)


def _row(
    told: Statement, data: bytes, *, name: str, named: tuple[str, str], now: datetime
) -> StatementRow:
    """The row of a file; where it names its rail or place, nobody may name another."""
    rail = _agreed("rail", named[0], told.rail)
    place = _agreed("place", named[1], told.place)
    if not _RAIL.fullmatch(rail):
        raise InvalidField("rail", "want 1 to 16 of a-z, 0-9 and -")
    if not _PLACE.fullmatch(place):
        raise InvalidField("place", "want the shortcode or account that this file is of")
    return StatementRow(
        rail=rail,
        place=place,
        name="".join(c for c in name if c.isprintable())[:NAME_MAX],
        form=told.form,
        file_hash=hashlib.sha256(data).hexdigest(),
        from_at=midnight(told.since),
        until_at=midnight(told.until + timedelta(days=1)),
        opening_minor=None if told.opening is None else told.opening.minor,
        closing_minor=None if told.closing is None else told.closing.minor,
        lines=len(told.lines),
        imported_at=now,
    )


def _agreed(field: str, named: str, told: str) -> str:
    if named and told and named != told:
        raise InvalidField(field, f"the file is of {told[:32]}")
    return named or told


def _check(told: Statement, now: datetime) -> None:
    """Refuse what our books cannot hold, or what was read with days and months exchanged."""
    for line in told.lines:
        if line.amount.currency != "KES":
            raise StatementUnreadable("currency", "want KES")
        if line.at > now + timedelta(days=1):
            raise StatementUnreadable("date", "it tells of days to come: are dates read rightly?")


async def _known(tx: Tx, row: StatementRow) -> StatementRow | None:
    """The statement that was made of this file, or under this id, before."""
    same = await statements.by_file(tx, row.rail, row.place, row.file_hash)
    if same is not None:
        return same
    named = await statements.load(tx, row.id)
    if named is not None:
        raise StatementIdUsed(f"statement {row.id} is another file")
    values = {column.key: getattr(row, column.key) for column in StatementRow.__table__.columns}
    if await inserted(tx, StatementRow, **values):
        return None
    return await statements.by_file(tx, row.rail, row.place, row.file_hash)


async def _kept(tx: Tx, row: StatementRow, told: Statement) -> int:
    ids = new_names(len(told.lines), row.imported_at) if told.lines else []
    lines: list[dict[str, Any]] = [
        {
            "id": name,
            "statement_id": row.id,
            "rail": row.rail,
            "place": row.place,
            "fingerprint": line.fingerprint,
            "at": line.at,
            "kind": line.kind.value,
            "amount_minor": line.amount.minor,
            "currency": line.amount.currency,
            "receipt": line.receipt,
            "reference": line.reference,
            "payer": line.payer,
            "name": line.name,
            "text": line.text,
            "balance_minor": None if line.balance is None else line.balance.minor,
            "due_at": None if line.kind is Way.OUT else row.imported_at,
        }
        for name, line in zip(ids, told.lines, strict=True)
    ]
    came = [line.receipt for line in told.lines if line.kind is Way.IN]
    await statements.wake_reversals(tx, row, came)
    return await statements.add_lines(tx, lines)


async def _compare_with_before(tx: Tx, row: StatementRow) -> None:
    """Tell staff when a statement does not go on where the one before it closed."""
    last = await statements.before(tx, row.rail, row.place, row.from_at)
    if last is None or row.opening_minor in {None, last.closing_minor}:
        return
    opening, closing = Money(row.opening_minor or 0), Money(last.closing_minor or 0)
    await notices.add(
        tx,
        now=row.imported_at,
        code="statement_gap",
        text=f"the statement {row.name} of {row.rail} {row.place} opens with {opening}, the one"
        f" before it closed with {closing}: a statement between them is missing",
        once=f"statement_gap\n{row.id}",
    )


async def _book(deps: Deps, line: StatementLineRow) -> None:
    """Book one line, and note that it is booked. Raises `DatabaseBusy`."""
    due_at = None
    if line.kind == Way.IN:
        await arrive(deps, _seen(line))
    elif line.kind == Way.REVERSAL:
        due_at = await _taken_back(deps, line)
    async with deps.db.begin() as tx:
        row = await statements.line(tx, line.id)
        if row.kind == Way.CHARGE:
            await _charged(tx, row)
        row.due_at = due_at


async def _taken_back(deps: Deps, line: StatementLineRow) -> datetime | None:
    """Book that money went back; when to try again if we have never seen it come."""
    reason = f"told by the statement of {line.rail} {line.place}"
    if await returned(deps, line.rail, line.receipt, reason=reason, at=line.at):
        return None
    async with deps.db.read() as tx:
        is_known = await arrivals.seen(tx, line.rail, line.receipt) is not None
    now = deps.now()
    if is_known or now >= line.at + WAIT_FOR_PAYMENT_MAX:
        return None
    return now + WAIT_FOR_PAYMENT


def _seen(line: StatementLineRow) -> Seen:
    return Seen(
        rail=line.rail,
        receipt=line.receipt,
        amount=Money(line.amount_minor, line.currency),
        place=line.place,
        road=Road.STATEMENT,
        at=line.at,
        reference=line.reference,
        payer=line.payer,
        payer_name=line.name,
        note=line.text,
    )


def charge_name(line_id: str) -> TransactionId:
    """The ledger's name for the charge that a line tells of."""
    return TransactionId(f"charge:{line_id}")


async def _charged(tx: Tx, line: StatementLineRow) -> None:
    """Book what the provider kept; the other way around where it was given back."""
    till, cost = accounts.till(line.rail, line.place), accounts.rail_charge(line.rail)
    source, target = (till, cost) if line.amount_minor > 0 else (cost, till)
    posting = Posting(source, target, Money(abs(line.amount_minor), line.currency))
    cause = f"charge of {line.rail} for {line.receipt}"
    name = charge_name(line.id)
    result = await ledger.post(tx, Transaction(name, line.at, cause, (posting,)))
    assert result is not ledger.Posted.EXISTS_WITH_OTHER_POSTINGS, f"{name} was another charge"
