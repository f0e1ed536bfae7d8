"""The places of the dashboard, in their order, with the keys that lead there. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.noc.words import word
from controller.rights import Right

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.rights import Who

ON_A_PHONE = 4
"""So many places stand in the bar at the bottom of a phone; the others are behind "more"."""

FRONT, COUNTER = "/noc", "/noc/counter"


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go. ``keys`` are pressed one after the other; ``icon`` is a symbol's name."""

    name: str
    path: str
    right: Right
    keys: str
    icon: str

    @property
    def counted(self) -> str:
        """The name of the panel in which stands how much is open there."""
        return f"count-{self.icon}"


PLACES = (
    Place(word("Overview"), FRONT, Right.SEE_SITES, "g o", "overview"),
    Place(word("Sites"), "/noc/sites", Right.SEE_SITES, "g s", "sites"),
    Place(word("Customers"), "/noc/customers", Right.SEE_CUSTOMERS, "g c", "customers"),
    Place(word("Payments"), "/noc/payments", Right.SEE_MONEY, "g p", "payments"),
    Place(word("Counter"), COUNTER, Right.TAKE_MONEY, "g k", "counter"),
    Place(word("Sessions"), "/noc/sessions", Right.SEE_SESSIONS, "g l", "sessions"),
    Place(word("Alerts"), "/noc/alerts", Right.SEE_ALERTS, "g a", "alerts"),
    Place(word("Maintenance"), "/noc/maintenance", Right.SEE_ALERTS, "g w", "maintenance"),
    Place(word("Map"), "/noc/map", Right.SEE_SITES, "g m", "map"),
    Place(word("Exceptions"), "/noc/exceptions", Right.SEE_MONEY, "g x", "exceptions"),
    Place(word("Usage"), "/noc/usage", Right.SEE_SESSIONS, "g u", "usage"),
    Place(word("Plans"), "/noc/plans", Right.SEE_PLANS, "g n", "plans"),
    Place(word("Vouchers"), "/noc/vouchers", Right.SEE_VOUCHERS, "g v", "vouchers"),
    Place(word("Invoices"), "/noc/invoices", Right.SEE_MONEY, "g i", "invoices"),
    Place(word("Promotions"), "/noc/promotions", Right.SEE_PLANS, "g q", "promotions"),
    Place(word("Reports"), "/noc/reports", Right.SEE_MONEY, "g r", "reports"),
    Place(word("Staff"), "/noc/staff", Right.SEE_STAFF, "g t", "staff"),
    Place(word("Audit"), "/noc/audit", Right.SEE_AUDIT, "g d", "audit"),
    Place(word("System"), "/noc/system", Right.SEE_SYSTEM, "g y", "system"),
    Place(word("Branding"), "/noc/brand", Right.RUN_SYSTEM, "g b", "brand"),
    Place(word("Set-up"), "/noc/setup", Right.RUN_SYSTEM, "g z", "setup"),
)


def places_of(who: Who, shown: Collection[str]) -> tuple[Place, ...]:
    """Where somebody may go, of the pages that there are."""
    return tuple(place for place in PLACES if place.path in shown and who.may(place.right))


def home_of(who: Who) -> str:
    """The page with which somebody's day begins: the counter for whom the overview is not."""
    return FRONT if who.may(Right.SEE_SITES) else COUNTER


def place_of(path: str) -> str:
    """The place to which a page belongs: ``/noc/sites/estate-1`` belongs to ``/noc/sites``."""
    return "/".join(path.split("/")[:3])
