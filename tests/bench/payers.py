"""Payments that wait for their callbacks, and what providers and forgers post about them.

Everything about a payment follows from its number, so what each must come to is known here by plain
arithmetic. Every twentieth callback is forged, in five ways, half of those against payments that
are paid as well; every tenth comes late, after patience ended or the prompt was refused. One site
is down, and those who pay there are told by SMS that they have to wait.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.bench.town import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.stores import Plain

SITES = 50
DOWN = "site-0"
SHORTCODE = "600111"
PRICES = (10_00, 20_00, 50_00, 100_00)
QUOTA_BYTES = 2_000_000_000
"""Of the last plan, whose grants are handed out in slices."""

OLD = range(90_000_000, 90_000_100)
"""Payments that were settled before, and whose receipts forgers know."""

COPIES = 3
LATE = timedelta(minutes=10)
A_ROUND = timedelta(hours=1)
"""Longer than any round takes."""
WAITS = timedelta(hours=6)
FORGERIES = 5


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody posts: the token in its address, the body, and the status to answer."""

    token: str
    body: bytes
    status: int


def is_forged(number: int) -> bool:
    """Whether nobody pays, and what is posted is a lie."""
    return number % 20 == 7


def is_late(number: int) -> bool:
    """Whether we had given up on it."""
    return number % 10 == 3


def order_of(number: int) -> str:
    """The order's id."""
    return name_of("order", number)


def mac_of(number: int) -> str:
    """The device that is to go online."""
    return ":".join(f"{byte:02x}" for byte in (2, 0, *number.to_bytes(4, "big")))


def receipt_of(number: int) -> str:
    """M-PESA's receipt."""
    return f"TKA{number:08d}"


def price_of(number: int) -> int:
    """What is asked for, in cents."""
    return PRICES[number % len(PRICES)]


def site_of(number: int) -> str:
    """Where the device is."""
    return f"site-{(number // len(PRICES)) % SITES}"


def posts(count: int, *, seed: int) -> list[Post]:
    """All that is posted, in the order in which it comes."""
    every = [_forged(n) if is_forged(n) else _genuine(n) for n in range(count)] * COPIES
    random.Random(seed).shuffle(every)
    return every


def kept_bodies(count: int) -> int:
    """How many different bodies are posted at addresses that exist."""
    return len({(p.token, p.body) for p in posts(count, seed=0) if p.status == 200})


def _genuine(number: int) -> Post:
    return Post(_token(number), _body(number), 200)


def _forged(number: int) -> Post:
    """The neighbour, who pays, is the victim of every other one."""
    kind, victim = (number // 20) % FORGERIES, number + (number // 20 // FORGERIES) % 2
    match kind:
        case 0:
            return Post(_token(victim), _body(victim, minor=price_of(victim) + 1_00), 200)
        case 1:
            return Post(name_of("nobody", number) + "0" * 16, _body(victim), 404)
        case 2:
            return Post(_token(victim), _body(victim + 2), 200)
        case 3:
            old = receipt_of(OLD[number % len(OLD)])
            return Post(_token(victim), _body(victim, receipt=old), 200)
        case _:
            return Post(_token(victim), _body(victim, shortcode="999999"), 200)


def _token(number: int) -> str:
    return name_of("token", number) + name_of("rest of token", number)[:16]


def _body(
    number: int, *, minor: int | None = None, receipt: str = "", shortcode: str | None = None
) -> bytes:
    shillings, cents = divmod(minor or price_of(number), 100)
    items: list[dict[str, Any]] = [
        {"Name": "Amount", "Value": float(f"{shillings}.{cents:02d}")},
        {"Name": "MpesaReceiptNumber", "Value": receipt or receipt_of(number)},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20261126093041},
        {"Name": "PhoneNumber", "Value": int(f"2547{number:08d}")},
    ]
    if shortcode is not None:
        items.append({"Name": "BusinessShortCode", "Value": shortcode})
    told = {
        "MerchantRequestID": f"29115-{number}-1",
        "CheckoutRequestID": _provider_id(number),
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }
    return json.dumps({"Body": {"stkCallback": told}}).encode()


def _provider_id(number: int) -> str:
    return f"ws_CO_{number:024d}"


def waiting(db: Plain, count: int, kept_as: Callable[[str], str]) -> None:
    """Fill an empty database; ``kept_as`` makes of a callback's token what is kept of it."""
    now = datetime.now(UTC)
    made, before = db.moment(now), db.moment(now - LATE)
    db.do(
        "UPDATE operator SET name = 'Lango Net', kra_pin = 'P051234567X', "
        "vat_registered = true, excise_registered = true"
    )
    db.fill(
        "plan",
        (
            *("id", "name", "price_minor", "currency", "down_bps", "up_bps", "validity_s"),
            *("quota_bytes", "devices_max", "rank", "created_at"),
        ),
        [
            (
                *(f"hour-{n}", f"Hours {n}", price, "KES", 5_000_000, 2_000_000, 3_600),
                *(QUOTA_BYTES if n == len(PRICES) - 1 else None, 1, n, made),
            )
            for n, price in enumerate(PRICES)
        ],
    )
    db.fill(
        "site",
        (
            *("id", "name", "operator_name", "help_phone", "language", "created_at", "generation"),
            *("digest", "applied_generation", "applied_digest", "agent_version"),
        ),
        (
            (
                *(f"site-{n}", f"Site {n}", "Lango Net", "0700000000", "en", made, 0),
                *(bytes(32), 0, b"", "1"),
            )
            for n in range(SITES)
        ),
    )
    everybody = (*range(count), *OLD)
    db.fill(
        "subscriber",
        ("id", "msisdn", "created_at"),
        ((name_of("who", n), f"2547{n:08d}", made) for n in everybody),
    )
    db.fill(
        "payment",
        (
            *("order_id", "site_id", "subscriber_id", "plan_id", "device_mac", "msisdn", "rail"),
            *("shortcode", "amount_minor", "currency", "state", "code", "reason", "provider_id"),
            *("callback_token_hash", "receipt", "created_at", "pushed_at", "settled_at"),
            *("queries", "next_query_at", "reference"),
        ),
        (
            (
                *(order_of(n), site_of(n), name_of("who", n), f"hour-{n % len(PRICES)}", mac_of(n)),
                *(f"2547{n:08d}", "mpesa", SHORTCODE, price_of(n), "KES", *_state(n)),
                *(_provider_id(n), kept_as(_token(n)), _old_receipt(n)),
                *(before, before, before if n in OLD else None, 0),
                *(db.moment(now + WAITS), name_of("reference", n)[:12].upper()),
            )
            for n in everybody
        ),
    )
    db.fill(
        "arrival",
        (
            *("id", "rail", "receipt", "place", "amount_minor", "currency", "at", "seen_at"),
            *("roads", "reference", "payer", "payer_name", "note", "state", "order_id", "tries"),
        ),
        (
            (
                *(name_of("arrival", n), "mpesa", _old_receipt(n), SHORTCODE, price_of(n)),
                *("KES", before, before, "callback", "", "", "", "", "credited", order_of(n), 0),
            )
            for n in OLD
        ),
    )
    db.commit()


def _state(number: int) -> tuple[str, str, str | None]:
    """State, code and reason."""
    if number in OLD:
        return "settled", "0", None
    if is_late(number):
        return ("unknown", "", None) if number % 20 == 3 else ("refused", "1037", "no_reply")
    return "pending", "0", None


def _old_receipt(number: int) -> str | None:
    return receipt_of(number) if number in OLD else None


def seen_now(db: Plain) -> None:
    """All sites but one are heard of for as long as a round takes, however slow the machine."""
    now = datetime.now(UTC)
    for at, where in ((now + A_ROUND, "<>"), (now - timedelta(days=1), "=")):
        told = db.moment(at)
        text = told if isinstance(told, str) else told.isoformat()
        db.do(f"UPDATE site SET last_seen_at = '{text}' WHERE id {where} '{DOWN}'")  # noqa: S608
    db.commit()


def wrong(db: Plain, count: int) -> list[str]:
    """What does not hold after everything was posted, by name."""
    paid = {order_of(n): n for n in range(count) if not is_forged(n)}
    total = sum(map(price_of, paid.values()))
    balances = _balances(db)
    checks = {
        "settled": dict(db.ask("SELECT order_id, receipt FROM payment WHERE state = 'settled'"))
        == {o: receipt_of(n) for o, n in paid.items()} | {order_of(n): receipt_of(n) for n in OLD},
        "arrivals": sorted(
            db.ask("SELECT order_id, receipt, amount_minor FROM arrival WHERE state = 'credited'")
        )
        == sorted((order_of(n), receipt_of(n), price_of(n)) for n in (*paid.values(), *OLD)),
        "no other money": db.ask("SELECT count(*) FROM arrival") == [(len(paid) + len(OLD),)],
        "transactions": sorted(db.ask("SELECT id FROM ledger_transaction"))
        == sorted((f"payment:{o}:settled",) for o in paid),
        "sums": sorted(db.ask(_SUMS)) == sorted((o, price_of(n)) for o, n in paid.items()),
        "till": balances.pop(f"asset:mpesa:{SHORTCODE}", 0) == total,
        "earned": sum(balances.values()) == -total
        and all(one.startswith(("income:", "liability:tax:")) for one in balances),
        "grants": sorted(db.ask('SELECT cause_id, site_id, devices FROM "grant"'))
        == sorted((o, site_of(n), mac_of(n)) for o, n in paid.items()),
        "told": db.ask(_TOLD) == [(len(paid),)],
        "sites": all(_site_is_right(db, n) for n in range(SITES)),
        "bodies": db.ask("SELECT count(*), count(verdict) FROM inbox")
        == [(kept_bodies(count), kept_bodies(count))],
        "messages": db.ask("SELECT count(*), count(DISTINCT event) FROM sms")
        == [(sum(site_of(n) == DOWN for n in paid.values()),) * 2],
    }
    return [name for name, holds in checks.items() if not holds]


_SUMS = """
    SELECT substr(transaction_id, 9, 32), amount_minor FROM posting
    WHERE target LIKE 'asset:mpesa:%'"""
_TOLD = """
    SELECT count(*) FROM "grant" g
    JOIN grant_site s ON s.grant_id = g.id AND s.site_id = g.site_id
    JOIN site_item i ON i.site_id = g.site_id AND i.key = 'grant/' || g.id
    WHERE i.body IS NOT NULL AND g.proofs IS NOT NULL"""


def _balances(db: Plain) -> dict[str, int]:
    """What accounts hold that are not empty."""
    rows = db.ask(
        "SELECT account, sum(minor) FROM ("
        " SELECT source AS account, -amount_minor AS minor FROM posting UNION ALL"
        " SELECT target, amount_minor FROM posting) moved"
        " GROUP BY account HAVING sum(minor) <> 0"
    )
    return {account: int(minor) for account, minor in rows}


def _site_is_right(db: Plain, number: int) -> bool:
    """The site's digest is the sum of its items' hashes, and its last generation has it too."""
    where = f"WHERE site_id = 'site-{number}' AND body IS NOT NULL"
    held = db.ask(f"SELECT key, body FROM site_item {where}")  # noqa: S608
    summed = sum(
        int.from_bytes(hashlib.sha256(key.encode() + b"\0" + bytes(body)).digest(), "big")
        for key, body in held
    )
    found = db.ask(
        "SELECT s.digest, g.digest FROM site s LEFT JOIN site_generation g "  # noqa: S608
        f"ON g.site_id = s.id AND g.generation = s.generation WHERE s.id = 'site-{number}'"
    )
    wanted = (summed % 2**256).to_bytes(32, "big")
    return [(bytes(a), bytes(b)) for a, b in found] == [(wanted, wanted)]


def write_posts(path: Path, every: list[Post]) -> None:
    """As the poster reads them: a line of JSON each."""
    with path.open("w") as file:
        for one in every:
            file.write(json.dumps([one.token, one.body.decode(), one.status]) + "\n")
