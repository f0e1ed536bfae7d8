"""A town whose month ends: subscribers with use, plans, discounts and money, all due at once.

Everything about a subscriber follows from a number, so what everybody owes is reckoned here by
plain arithmetic, beside the product's (`owed_minor`, `paid_minor`).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billing.money import Money
from billing.promo import Discount, terms_text
from billing.rating import Formula, Tariff, Tier, tariff_text
from controller.store.items import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stores import Plain

SITES = 100
MADE_AT = datetime(2027, 8, 1, 9, 0, tzinfo=UTC)
FIRST = datetime(2027, 8, 31, 21, 0, tzinfo=UTC)
MIDDLE = datetime(2027, 9, 15, 21, 0, tzinfo=UTC)
"""Half of September, to the day: who began then pays half."""
DUE_AT = datetime(2027, 9, 30, 21, 0, tzinfo=UTC)
PRICES = (1_000_00, 2_000_00, 3_000_00, 6_000_00)
GB = 1_000_000_000
GB_MINOR = 10_00
DEPOSIT_MINOR = 500_00
DISCOUNT_BP = 1_000


def name_of(what: str, number: int) -> str:
    """32 hexadecimal digits: ids lie in no order."""
    return hashlib.md5(f"{what} {number}".encode(), usedforsecurity=False).hexdigest()


def begins_late(number: int) -> bool:
    """Whether a subscriber began in the middle of the month."""
    return number % 5 == 2


def has_discount(number: int) -> bool:
    """Whether a tenth is taken off the plan's price."""
    return number % 10 == 0


def has_money(number: int) -> bool:
    """Whether the wallet holds something."""
    return number % 5 == 1


def used_gb(number: int) -> int:
    """Gigabytes that are charged."""
    return number % 40


def owed_minor(number: int) -> int:
    """What the invoice comes to."""
    price = PRICES[number % len(PRICES)]
    price = price // 2 if begins_late(number) else price
    price -= price // 10 if has_discount(number) else 0
    return price + used_gb(number) * GB_MINOR


def paid_minor(number: int) -> int:
    """What of it the wallet pays at once."""
    return min(DEPOSIT_MINOR, owed_minor(number)) if has_money(number) else 0


def found(db: Plain, count: int) -> None:
    """Fill an empty database."""
    db.do(
        "UPDATE operator SET name = 'Lango Net', kra_pin = 'P051234567X', "
        "vat_registered = true, excise_registered = true"
    )
    made, first = db.moment(MADE_AT), db.moment(FIRST)
    _shop(db, made)
    for table, columns, rows in _people(db, count, made, first):
        db.fill(table, columns, rows)
    db.commit()


def _shop(db: Plain, made: Any) -> None:
    tariff = Tariff(Formula.GRADUATED, GB, (Tier(None, Money(GB_MINOR)),))
    db.fill(
        "plan",
        (
            *("id", "name", "price_minor", "currency", "down_bps", "up_bps", "validity_s"),
            *("devices_max", "rank", "created_at", "audience", "tax_included", "tariff"),
        ),
        [
            (
                *(f"fibre-{n}", f"Fibre {n}", price, "KES", 10_000_000, 5_000_000, 100 * 86_400),
                *(2, n, made, "contract", True, tariff_text(tariff)),
            )
            for n, price in enumerate(PRICES)
        ],
    )
    db.fill(
        "promotion",
        ("id", "kind", "name", "terms", "starts_at", "created_at"),
        [("tenth", "discount", "Tenth", terms_text(Discount(DISCOUNT_BP)), made, made)],
    )


def _people(
    db: Plain, count: int, made: Any, first: Any
) -> Iterator[tuple[str, tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    numbers = range(count)
    middle, due = db.moment(MIDDLE), db.moment(DUE_AT)
    yield (
        "site",
        (
            *("id", "name", "operator_name", "help_phone", "language", "created_at", "generation"),
            *("digest", "applied_generation", "applied_digest", "agent_version"),
        ),
        (
            (
                *(f"site-{n}", f"Site {n}", "Lango Net", "0700000000", "en", made, 1, digest, 1),
                *(digest, "1"),
            )
            for n in range(SITES)
            for digest in [_digest(n, count)]
        ),
    )
    yield (
        "subscriber",
        ("id", "msisdn", "created_at", "name", "email", "address", "kra_pin"),
        (
            (name_of("who", n), f"2547{n:08d}", made, f"Subscriber {n}", "", f"Plot {n}", "")
            for n in numbers
        ),
    )
    yield (
        "grant",
        (
            *("id", "site_id", "subscriber_id", "plan_id", "cause_id", "devices", "created_at"),
            *("spent_validity_s", "spent_uptime_s", "used_bytes"),
        ),
        (
            (
                *(name_of("grant", n), _site(n), name_of("who", n), _plan(n), f"town:{n}", _mac(n)),
                *(first, 0, 0, used_gb(n) * GB),
            )
            for n in numbers
        ),
    )
    own = ("own_bytes", "own_uptime_s", "own_validity_s")
    yield (
        "grant_site",
        ("grant_id", "site_id", "generation", *own),
        ((name_of("grant", n), _site(n), 0, used_gb(n) * GB, 0, 0) for n in numbers),
    )
    yield (
        "site_item",
        ("site_id", "key", "generation", "body"),
        ((_site(n), f"grant/{name_of('grant', n)}", 1, _body(n)) for n in numbers),
    )
    yield (
        "subscription",
        (
            *("id", "subscriber_id", "plan_id", "site_id", "devices", "mode", "cycle_unit"),
            *("cycle_count", "anchor_day", "anchor_at", "period_n", "bill_at", "paid_until"),
            *("state", "state_at", "grant_id", "created_at"),
        ),
        (
            (
                *(
                    name_of("line", n),
                    name_of("who", n),
                    _plan(n),
                    _site(n),
                    _mac(n),
                    "arrears",
                    "month",
                ),
                *(1, 1, begun, 0, due, begun, "active", begun, name_of("grant", n), made),
            )
            for n in numbers
            for begun in [middle if begins_late(n) else first]
        ),
    )
    yield (
        "promotion_use",
        ("id", "promotion_id", "subscriber_id", "cause", "at", "reward_minor"),
        (
            (name_of("use", n), "tenth", name_of("who", n), "agreed", first, 0)
            for n in numbers
            if has_discount(n)
        ),
    )
    rich = [n for n in numbers if has_money(n)]
    yield (
        "ledger_transaction",
        ("id", "at", "cause"),
        ((f"received:{name_of('money', n)}", first, "a deposit") for n in rich),
    )
    yield (
        "posting",
        ("transaction_id", "n", "source", "target", "amount_minor", "currency"),
        (
            (
                *(f"received:{name_of('money', n)}", 0, f"liability:wallet:{name_of('who', n)}"),
                *("asset:cash:main", DEPOSIT_MINOR, "KES"),
            )
            for n in rich
        ),
    )


def _digest(site: int, count: int) -> bytes:
    """What a site that has been told of its grants holds."""
    here = range(site, count, SITES)
    return digest_of({f"grant/{name_of('grant', n)}": _body(n) for n in here})


def _site(number: int) -> str:
    return f"site-{number % SITES}"


def _plan(number: int) -> str:
    return f"fibre-{number % len(PRICES)}"


def _mac(number: int) -> str:
    return ":".join(f"{byte:02x}" for byte in (2, 0, *number.to_bytes(4, "big")))


def _body(number: int) -> bytes:
    return b"a grant of about as many bytes as the real one has, which is this " * 2 + bytes(
        number % 8
    )
