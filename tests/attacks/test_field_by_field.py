"""Each field of what providers and web customers post, each with everything that it cannot be.

Nothing breaks a door, nothing is done by half, and money comes once, with the fields that make it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from controller.api.app import BUY, create_app
from controller.store.payment_rows import ArrivalRow, MandateRow, PlaceRow, RefundRow
from controller.store.rows import GrantRow, PaymentRow
from controller.storefront import Storefront
from portal.captive.forms import FORM_TYPE
from tests.attacks.conftest import put_back
from tests.attacks.hostile import with_at
from tests.attacks.providers import answers, every, with_orders
from tests.attacks.test_provider_doors import BLUNDERS, BROKEN, FORM_DOORS, written
from tests.support.books import balances_now
from tests.support.database import sqlite_db
from tests.support.office import a_plan, a_site, a_subscriber, an_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from pathlib import Path

    from controller.store.database import Database
    from tests.attacks.hostile import Path as Place
    from tests.attacks.providers import Door
    from tests.support.office import Office

__all__ = ["sqlite_db"]

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[tuple[int, str]]]
"""Posts a body at a path, with headers; the status, and what was logged as a blunder."""

HERE = "@@here@@"
"""Stands in a body where something else is written that no library would write."""

DEEP = '{"a":' * 1_000 + "1" + "}" * 1_000
LONG = f'"{"x" * 10_000}"'
OF_VALUES = (
    "null", "{}", "-1", "1" + "0" * 40, "1e400", "NaN", "Infinity", '"a\\u0000b"',
    '"\\ud800"', LONG, DEEP,
)  # fmt: skip
"""JSON that stands in turn where a value would."""

OF_HOLDERS = ("null", '"x"', "[]", "{}", "[null]", "[" * 1_000 + "]" * 1_000)
"""The same where an object or a list would."""

TYPED = (
    "", "-1", "1" + "0" * 40, "NaN", "Infinity", "%00", "a%00b", "%ED%A0%80", "%FF", "x" * 10_000,
    "[" * 1_000, "%0d%0aSet-Cookie:+a=b",
)  # fmt: skip
"""The same for a field of a form, as it is written there."""

TOO_LONG = b" " * 10_000_000
MATTERS = {
    "stk": {".CheckoutRequestID", ".ResultCode", ".Item.0.Value", ".Item.1.Value"},
    "c2b": {".TransID", ".TransAmount", ".BusinessShortCode"},
    "validate": {""},
    "airtel": {""},
    "card": {".event", ".data.reference", ".data.status", ".data.amount", ".data.currency"},
    "kcb account": {".transactionAmount"},
    "kcb till": {".transactionAmt"},
    "equity": {".transaction.amount", ".transaction.status"},
    "sms": {""},
    "refund": {".ConversationID", ".ResultCode"},
    "look-up": {""},
    "balance": {".ResultCode", ".ResultParameter.0.Key", ".ResultParameter.0.Value"},
    "order": {".responseHeader"},
}
"""By door: how the names of those fields end that have to be right for anything to be believed.

Where it is all of them, nothing that is told there is believed by itself.
"""

OTHER_MONEY = (".notificationData.transactionID", ".transaction.reference", ".data.id")
"""The number of the money where its maker signs it: another is the number of other money."""


@pytest.fixture
async def start(sqlite_db: Database, tmp_path: Path) -> tuple[Office, Path]:
    """An office whose providers have something to speak of, and its database as it is now."""
    office = an_office(tmp_path / "state", sqlite_db)
    await office.keep(a_site(), a_plan(), a_subscriber("5" * 32))
    office = await with_orders(office, site_id="estate-1", subscriber_id="5" * 32)
    await sqlite_db.close()
    shutil.copy(tmp_path / "lango.db", tmp_path / "kept.db")
    return office, tmp_path / "kept.db"


def fields(content: Any, at: Place = ()) -> Iterator[Place]:
    """Where anything stands in a body: values, and the objects and lists that hold them."""
    if not isinstance(content, dict | list):
        return
    for name, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (*at, name)
        yield from fields(value, (*at, name))


def bodies(door: Door, at: Place) -> Iterator[bytes]:
    """The good body with one field missing, told twice, and as all that it cannot be."""
    if door.name in FORM_DOORS:
        yield from forms(door.good, str(at[0]))
        return
    good = found(door.good, at)
    yield json.dumps(without(door.good, at)).encode()
    around = json.dumps(with_at(door.good, at, HERE))
    for raw in OF_HOLDERS if isinstance(good, dict | list) else OF_VALUES:
        if raw != json.dumps(good):
            yield around.replace(f'"{HERE}"', raw).encode()
    if isinstance(at[-1], str):
        twice = f'{json.dumps(good)}, "{at[-1]}": "?"'
        yield around.replace(f'"{HERE}"', twice).encode()


def forms(good: Mapping[str, str], name: str) -> Iterator[bytes]:
    """The same for a form."""
    pairs = {field: f"{field}={quote_plus(value)}" for field, value in good.items()}
    others = [pair for field, pair in pairs.items() if field != name]
    yield "&".join(others).encode()
    yield "&".join([*pairs.values(), f"{name}=x"]).encode()
    yield from ("&".join([*others, f"{name}={typed}"]).encode() for typed in TYPED)


def without(content: Any, at: Place) -> Any:
    """The body without what stands there."""
    if len(at) > 1:
        return with_at(content, at[:1], without(found(content, at[:1]), at[1:]))
    if isinstance(content, dict):
        return {name: value for name, value in content.items() if name != at[0]}
    return [value for n, value in enumerate(content) if n != at[0]]


def found(content: Any, at: Place) -> Any:
    """What stands there."""
    for name in at:
        content = content[name]
    return content


async def known(db: Database) -> dict[str, Any]:
    """What a provider's word can make so: what we hold, what is settled, and what was agreed.

    Whose money it is, a word that names nobody leaves open.
    """
    books = await balances_now(db)
    assert sum(books.values()) == 0
    async with db.read() as tx:
        arrived = select(ArrivalRow.receipt, ArrivalRow.amount_minor)
        settled = select(PaymentRow.order_id).where(PaymentRow.state == "settled")
        return {
            "books": {name: minor for name, minor in books.items() if name.startswith("asset:")},
            "arrived": sorted(map(tuple, await tx.execute(arrived))),
            "settled": sorted(await tx.scalars(settled)),
            "back": sorted(
                await tx.scalars(select(RefundRow.id).where(RefundRow.state == "settled"))
            ),
            "held": sorted(map(str, await tx.scalars(select(PlaceRow.balance_minor)))),
            "agreed": sorted(await tx.scalars(select(MandateRow.state))),
            "grants": await tx.scalar(select(func.count()).select_from(GrantRow)),
        }


@asynccontextmanager
async def served(office: Office) -> AsyncIterator[Post]:
    """The real application, without a client between: there are many bodies."""
    app = create_app(office.deps)

    async def post(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        said: list[Any] = []

        async def told() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def heard(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "scheme": "https", "http_version": "1.1", "root_path": "",
            "server": ("lango.test", 443), "client": ("196.201.214.200", 40_000),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }  # fmt: skip
        with capture_logs() as lines, suppress(Exception):
            await app(scope, told, heard)
        blunders = [line["event"] for line in lines if line["log_level"] in BLUNDERS]
        return said[0]["status"], ", ".join(blunders)

    yield post
    await app.state.hub.close()


async def faults(door: Door, post: Post, sent: Iterable[bytes]) -> list[str]:
    """What is wrong with how bodies were taken."""
    wrong = []
    for body in sent:
        status, said = await post(door.path, body, door.headers(body))
        if status >= BROKEN or said:
            wrong.append(f"{status} {said} for {body[:300]!r}")
    return wrong


def money_of(told: Mapping[str, Any]) -> set[int]:
    """The amounts that came."""
    return {minor for _, minor in told["arrived"]}


@pytest.mark.parametrize("name", MATTERS)
async def test_what_a_provider_gets_wrong_brings_no_money_and_breaks_nothing(
    start: tuple[Office, Path], name: str
) -> None:
    office, kept = start
    (door,) = [one for one in [*every(office), *answers(office)] if one.name == name]
    db, matters = office.deps.db, tuple(MATTERS[name])
    before = await known(db)
    async with served(door.office) as post:
        guilty = await faults(door, post, [written(door, door.good)])
        meant = await known(db)
        await put_back(office, kept)
        for at in fields(door.good):
            guilty += await faults(door, post, bodies(door, at))
            now, field = await known(db), "." + ".".join(map(str, at))
            if now == before:
                continue
            await put_back(office, kept)
            may_be = (
                money_of(now) == money_of(meant) if field.endswith(OTHER_MONEY) else now == meant
            )
            if field.endswith(matters) or not may_be:
                guilty.append(f"{field} made it so: {now}")
        status, _ = await post(door.path, TOO_LONG, door.headers(TOO_LONG))

    assert not guilty, "\n".join(guilty)
    assert status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert await known(db) == before


BUYS = {
    "key": "", "plan": "hours-2", "phone": "0712 345 678", "holder": "0722 000 001",
    "rail": "mpesa", "again": "",
}  # fmt: skip
"""What the web shop's form posts; ``key`` is the shop's own."""


async def test_what_a_web_customer_gets_wrong_orders_nothing_and_breaks_nothing(
    start: tuple[Office, Path],
) -> None:
    office, kept = start
    path, guilty = f"{BUY}/estate-1/order", []
    before = await orders(office.deps.db)
    async with served(office) as post:
        for field in BUYS:
            for body in forms({**BUYS, "key": Storefront(office.deps).new_key()}, field):
                office.clock.forward(minutes=2)
                status, said = await post(path, body, {"content-type": FORM_TYPE})
                ordered = await orders(office.deps.db) - before
                right = (
                    {("hours-2", 1_000, "254712345678")}
                    if status == HTTPStatus.SEE_OTHER
                    else set()
                )
                if status >= BROKEN or said or ordered != right:
                    guilty.append(f"{status} {said} {ordered} for {body[:300]!r}")
                if ordered:
                    await put_back(office, kept)
        status, _ = await post(path, TOO_LONG, {"content-type": FORM_TYPE})

    assert not guilty, "\n".join(guilty)
    assert status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert await orders(office.deps.db) == before


async def orders(db: Database) -> set[tuple[str | None, int, str]]:
    """What was ordered, for how much, and whose phone pays."""
    async with db.read() as tx:
        query = select(PaymentRow.plan_id, PaymentRow.amount_minor, PaymentRow.msisdn)
        found = await tx.execute(query.where(PaymentRow.purpose == "token"))
        return {(plan, minor, msisdn) for plan, minor, msisdn in found}
