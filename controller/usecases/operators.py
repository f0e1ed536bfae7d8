"""The operator, who sells: its name, what it is registered for, how its documents look; taxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.tax import Rate, Tax
from controller.documents.look import is_readable
from controller.png import check_png
from controller.store import logos, operators
from controller.store.billing_rows import OperatorRow
from controller.usecases import faces, particulars
from controller.usecases.frozen import logo_name

if TYPE_CHECKING:
    from controller.deps import Deps


@dataclass(frozen=True, slots=True)
class OperatorChange:
    """What is to be known of the operator; what is None stays as it is.

    ``support_phone`` is what customers call, "" for none; ``languages`` are ``en``, ``sw``,
    ``en,sw`` or ``sw,en``: the first is the one that who has not chosen reads. ``logo`` is a PNG,
    and b"" takes the one away.
    """

    name: str | None = None
    kra_pin: str | None = None
    vat_registered: bool | None = None
    excise_registered: bool | None = None
    colour: str | None = None
    pay_to: str | None = None
    support_phone: str | None = None
    languages: str | None = None
    logo: bytes | None = None


async def change_operator(deps: Deps, change: OperatorChange) -> None:
    """Change what is known of the operator; portals show it. Documents that were issued stay.

    Raises `InvalidField`, `DatabaseBusy`.
    """
    if change.logo:
        _check_logo(change.logo)
    async with deps.db.begin() as tx:
        row = await operators.operator_locked(tx)
        _change(row, change)
        if change.logo is not None:
            row.logo = change.logo or None
            # Documents that are issued with it name it by its hash, and show it for ever.
            if change.logo:
                await logos.keep(tx, logo_name(change.logo), change.logo)
        _check_registered(row)
        await tx.flush()
        told = await faces.tell_in(tx, deps)
    faces.wake(deps, told)


def changed_by(row: OperatorRow, change: OperatorChange) -> OperatorRow:
    """A copy of the row as a change would leave it, to look at. Raises `InvalidField`."""
    names = (column.key for column in row.__table__.columns)
    copy = OperatorRow(**{name: getattr(row, name) for name in names})
    _change(copy, change)
    if change.logo is not None:
        copy.logo = change.logo or None
    return copy


def _change(row: OperatorRow, change: OperatorChange) -> None:
    if change.name is not None:
        row.name = particulars.name(change.name)
    if change.kra_pin is not None:
        row.kra_pin = particulars.kra_pin(change.kra_pin)
    if change.vat_registered is not None:
        row.vat_registered = change.vat_registered
    if change.excise_registered is not None:
        row.excise_registered = change.excise_registered
    if change.colour is not None:
        row.colour = particulars.colour(change.colour)
    if change.pay_to is not None:
        row.pay_to = particulars.line("pay_to", change.pay_to)
    if change.support_phone is not None:
        row.support_phone = particulars.support_phone(change.support_phone) or None
    if change.languages is not None:
        row.languages = particulars.languages(change.languages)


def _check_registered(row: OperatorRow) -> None:
    """Who charges taxes names itself on every invoice."""
    if not (row.vat_registered or row.excise_registered):
        return
    if not row.kra_pin:
        raise InvalidField("kra_pin", "who is registered for a tax has a PIN: say it")
    if not row.name:
        raise InvalidField("name", "who is registered for a tax has a name: say it")


async def set_logo(deps: Deps, picture: bytes | None) -> None:
    """Put a picture on documents and, made small, on portals; or (None) take it away.

    Raises `InvalidField` (``logo``), `DatabaseBusy`.
    """
    if picture == b"":
        raise InvalidField("logo", "want a PNG picture")
    await change_operator(deps, OperatorChange(logo=picture or b""))


async def draft_logo(deps: Deps, picture: bytes) -> str:
    """Keep a picture that may become the logo, to be looked at first; its name.

    Raises `InvalidField` (``logo``), `DatabaseBusy`.
    """
    _check_logo(picture)
    async with deps.db.begin() as tx:
        await logos.keep(tx, logo_name(picture), picture)
    return logo_name(picture)


def _check_logo(picture: bytes) -> None:
    """Raise `InvalidField` for what could not be put on paper and on portals."""
    if not is_readable(check_png(picture, field="logo")):
        raise InvalidField("logo", "this PNG cannot be read")


async def add_tax_rate(deps: Deps, rate: Rate) -> None:
    """Let another rate of a tax hold from a day on. The same again changes nothing.

    Never before the latest one that is known of that tax: what was charged by it stays right.
    Raises `InvalidField`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        await operators.operator_locked(tx)
        rates = await operators.tax_rates(tx)
        latest = max((row for row in rates if Tax(row.tax) is rate.tax), key=lambda r: r.from_day)
        if rate == Rate(Tax(latest.tax), latest.from_day, latest.basis_points):
            return
        if rate.from_day <= latest.from_day:
            raise InvalidField(
                "from_day", f"want a day after {latest.from_day}, when the latest rate begins"
            )
        operators.add_tax_rate(tx, rate)
