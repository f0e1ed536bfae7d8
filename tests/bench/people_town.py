"""A town of people for ``dashboard``: names, phones, devices, money, known by arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.office import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stores import Plain

SITES = 50
LIVE = 5_000
FIRST = [
    "Wanjiku",
    "Njeri",
    "Akinyi",
    "Atieno",
    "Amina",
    "Fatuma",
    "Chebet",
    "Jepkosgei",
    "Mwende",
    "Nduku",
    "Wambui",
    "Nyambura",
    "Wairimu",
    "Achieng",
    "Adhiambo",
    "Halima",
    "Zainab",
    "Cherono",
    "Kemunto",
    "Moraa",
    "Kamau",
    "Mwangi",
    "Otieno",
    "Ochieng",
    "Juma",
    "Hassan",
    "Kiprop",
    "Kipchoge",
    "Mutua",
    "Musyoka",
    "Njoroge",
    "Maina",
    "Omondi",
    "Odhiambo",
    "Ali",
    "Abdi",
    "Koech",
    "Rotich",
    "Nyakundi",
]
LAST = [
    "Kamau",
    "Otieno",
    "Wafula",
    "Barasa",
    "Mutiso",
    "Kilonzo",
    "Ng'ang'a",
    "Kariuki",
    "Muthoni",
    "Gathoni",
    "Owino",
    "Onyango",
    "Simiyu",
    "Wekesa",
    "Langat",
    "Kiplagat",
    "Cheruiyot",
    "Bett",
    "Mohamed",
    "Hussein",
    "Noor",
    "Yusuf",
    "Mwakio",
    "Mghanga",
    "Nzioka",
    "Ndungu",
    "Kimani",
    "Gichuru",
    "Waweru",
    "Macharia",
    "Ouma",
    "Okoth",
    "Were",
    "Akoth",
    "Bosire",
    "Ombati",
    "Makori",
    "Kerubo",
    "Tanui",
    "Sang",
]


@dataclass(frozen=True, slots=True)
class Person:
    """One of the town, by number."""

    n: int

    @property
    def id(self) -> str:
        """The subscriber's id."""
        return f"{self.n:032x}"

    @property
    def phone(self) -> str:
        """All different, and spread over the ranges."""
        return f"2547{(self.n * 7_919) % 100_000_000:08d}"

    @property
    def name(self) -> str:
        """Two in three have one; a family name is shared by many."""
        if self.n % 3 == 2:
            return ""
        return f"{FIRST[self.n % len(FIRST)]} {LAST[(self.n // 7) % len(LAST)]}"

    @property
    def mac(self) -> str:
        """Of their device."""
        digits = f"{(self.n * 104_729) % (1 << 40):010x}"
        return "02:" + ":".join(digits[i : i + 2] for i in range(0, 10, 2))

    @property
    def receipt(self) -> str:
        """Of their payment."""
        return f"RK{self.n:08X}"

    @property
    def address(self) -> str:
        """Of their device, while they are online."""
        return f"10.{self.n // 65_536}.{self.n // 256 % 256}.{self.n % 256}"


def plain_words(name: str) -> list[str]:
    """The words of a name, reckoned without the product."""
    return sorted({word.lower().replace("'", "") for word in name.split()})


def filled(db: Plain, count: int) -> None:
    """So many people at 50 sites: each bought once, and some thousands of them are online."""
    at, people = db.moment(NOON), [Person(n) for n in range(count)]
    db.fill("site", *_sites(at))
    db.fill("plan", *_plan(at))
    columns = ("id", "msisdn", "created_at", "name", "branch_id")
    moments = [db.moment(NOON - timedelta(seconds=n)) for n in range(count)]
    db.fill(
        "subscriber",
        columns,
        ((p.id, p.phone, moments[p.n], p.name, "main") for p in people),
    )
    db.fill(
        "subscriber_word",
        ("word", "subscriber_id"),
        ((word, p.id) for p in people for word in plain_words(p.name)),
    )
    db.fill("payment", *_payments(people, at))
    db.fill("arrival", *_arrivals(people, at))
    db.fill("grant", *_grants(people, at))
    db.fill("session", *_sessions(people, moments, at))
    db.fill("document", *_documents(people, at))
    db.commit()


_Rows = tuple[tuple[str, ...], "Iterator[tuple[Any, ...]]"]


def _sites(at: Any) -> _Rows:
    names = ("id", "name", "operator_name", "help_phone", "language", "created_at", "generation")
    more = ("digest", "applied_generation", "applied_digest", "last_seen_at", "agent_version")
    rows = (
        (f"site-{n}", f"Estate {n}", "L", "0", "en", at, 1, bytes(32), 1, bytes(32), at, "0.1")
        for n in range(SITES)
    )
    return (*names, *more), rows


def _plan(at: Any) -> _Rows:
    names = ("id", "name", "price_minor", "currency", "down_bps", "up_bps", "validity_s")
    row = ("hour", "1 hour", 1_000, "KES", 3_000_000, 1_000_000, 3_600, 1, 0, at)
    return (*names, "devices_max", "rank", "created_at"), iter([row])


def _payments(people: list[Person], at: Any) -> _Rows:
    names = ("order_id", "site_id", "subscriber_id", "plan_id", "device_mac", "msisdn", "rail")
    more = ("amount_minor", "currency", "state", "code", "callback_token_hash", "receipt")
    last = ("created_at", "settled_at", "queries", "shortcode", "reference")
    rows = (
        (
            p.id,
            f"site-{p.n % SITES}",
            p.id,
            "hour",
            p.mac,
            p.phone,
            "mpesa",
            1000,
            "KES",
            "settled",
            "0",
            p.id,
            p.receipt,
            at,
            at,
            0,
            "600111",
            f"R{p.n:05X}",
        )
        for p in people
    )
    return (*names, *more, *last), rows


def _arrivals(people: list[Person], at: Any) -> _Rows:
    names = ("id", "rail", "receipt", "place", "amount_minor", "currency", "at", "seen_at", "roads")
    more = ("reference", "payer", "payer_name", "note", "state", "order_id", "tries")
    rows = (
        (
            p.id,
            "mpesa",
            p.receipt,
            "600111",
            1000,
            "KES",
            at,
            at,
            "callback",
            "",
            "",
            "",
            "",
            "credited",
            p.id,
            0,
        )
        for p in people
    )
    return (*names, *more), rows


def _grants(people: list[Person], at: Any) -> _Rows:
    names = ("id", "site_id", "subscriber_id", "plan_id", "cause_id", "devices", "created_at")
    more = ("ended_at", "ended_reason", "spent_validity_s", "spent_uptime_s", "used_bytes")
    rows = (
        (p.id, f"site-{p.n % SITES}", p.id, "hour", p.id, p.mac, at)
        + ((None, None, 60, 60, 1) if p.n < LIVE else (at, "time", 3_600, 60, 1))
        for p in people
    )
    return (*names, *more), rows


def _sessions(people: list[Person], moments: list[Any], at: Any) -> _Rows:
    names = ("id", "site_id", "grant_id", "mac", "addresses", "opened_at", "seen_at")
    more = ("closed_at", "closed_reason", "down_bytes", "up_bytes")
    rows = (
        (p.id, f"site-{p.n % SITES}", p.id, p.mac, p.address, moments[p.n], at)
        + ((None, None) if p.n < LIVE else (at, "time"))
        + (p.n * 1_000, p.n)
        for p in people
    )
    return (*names, *more), rows


def _documents(people: list[Person], at: Any) -> _Rows:
    names = ("id", "kind", "series", "number", "subscriber_id", "branch_id", "cause", "issued_at")
    more = ("currency", "net_minor", "excise_minor", "vat_minor", "total_minor", "frozen")
    rows = (
        (
            p.id,
            "invoice",
            "INV-main",
            p.n + 1,
            p.id,
            "main",
            f"period:{p.n}",
            at,
            "KES",
            1000,
            0,
            0,
            1000,
            "{}",
        )
        for p in people
    )
    return (*names, *more), rows
