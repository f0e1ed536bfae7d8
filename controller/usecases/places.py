"""The places where money lands, as their provider tells of them and as our books do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing import accounts
from controller.store import ledger, places
from controller.store.payment_rows import PlaceRow
from controller.usecases import doors
from controller.usecases.paybill import RAIL

if TYPE_CHECKING:
    from billing.money import Money
    from controller.deps import Deps

BANK = "bank"


@dataclass(frozen=True, slots=True)
class Place:
    """A place: what we were told of it, what it holds by our books.

    ``is_registered`` says whether its provider tells us, at our present address, of money that
    payers send by themselves; None where there is no such thing.
    """

    row: PlaceRow
    booked: Money
    is_registered: bool | None


async def known_places(deps: Deps) -> list[Place]:
    """Every place that we have or had an account at, by rail and name."""
    async with deps.db.read() as tx:
        rows = {(row.rail, row.place): row for row in await places.all_places(tx)}
        for rail, place in _configured(deps):
            rows.setdefault((rail, place), PlaceRow(rail=rail, place=place, registered_as=""))
        return [
            Place(
                rows[key],
                await ledger.balance(tx, accounts.till(*key)),
                _is_registered(deps, rows[key]),
            )
            for key in sorted(rows)
        ]


def _configured(deps: Deps) -> list[tuple[str, str]]:
    found = [(rail, gateway.place) for rail, gateway in deps.rails.items() if gateway.place]
    return found if deps.bank is None else [*found, (BANK, deps.bank.place)]


def _is_registered(deps: Deps, row: PlaceRow) -> bool | None:
    if row.rail != RAIL:
        return None
    address = doors.address_of(deps, doors.PAYBILL)
    return row.registered_as == deps.vault.fingerprint("registered", address)
