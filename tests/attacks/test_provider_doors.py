"""What providers post, well signed and well addressed, with a hostile value in each field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from structlog.testing import capture_logs

from tests.attacks.hostile import (
    HALF,
    NUMBERS,
    TEXTS,
    TYPED_NUMBERS,
    instead_of,
    one_by_one,
    places,
    with_at,
)
from tests.attacks.providers import every, with_orders
from tests.support.office import Office, a_plan, a_site, a_subscriber, caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.hostile import Path
    from tests.attacks.providers import Door

BROKEN = 500
BLUNDERS = frozenset({"error", "critical", "exception"})
ODD = (HALF, "a\0b")
"""Sent in every field: databases and answers take them in no text."""

OTHER_KINDS: tuple[Any, ...] = (None, [], {}, [None], {"a": {}}, "", True)
WHOLES = (b"", b"null", b"[]", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 20_000, b"\0")
FORM_DOORS = frozenset({"sms"})


def bad_for(_at: Path, value: Any) -> tuple[Any, ...]:
    """What is sent in one place: hostile texts also where a number is right, and other kinds."""
    if isinstance(value, str):
        return (*TEXTS, *TYPED_NUMBERS, *NUMBERS, *OTHER_KINDS)
    return (*instead_of(value), *TEXTS, *OTHER_KINDS)


def posts(door: Door) -> Iterator[bytes]:
    """Every body that is tried at a door, the good one last.

    PostgreSQL is only asked what SQLite would not mind.
    """
    if door.office.deps.db.is_sqlite:
        yield from WHOLES
        yield from (written(door, body) for body in one_by_one(door.good, bad_for))
        yield from (written(door, body) for body in of_other_kinds(door.good))
    for at, value in places(door.good):
        for odd in ODD if isinstance(value, str) else ():
            yield written(door, with_at(door.good, at, odd))
    yield written(door, door.good)


def of_other_kinds(good: Any) -> Iterator[Any]:
    """The body with something else where an object or a list stands."""
    return (with_at(good, at, other) for at in parts(good) for other in OTHER_KINDS)


def parts(content: Any, at: Path = ()) -> Iterator[Path]:
    """Where objects and lists stand in a body."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for name, value in inner:
        if isinstance(value, dict | list):
            yield (*at, name)
            yield from parts(value, (*at, name))


def written(door: Door, body: Any) -> bytes:
    """A body as it is sent."""
    if door.name in FORM_DOORS:
        told = {name: str(value) for name, value in body.items()}
        return urlencode(told, errors="surrogatepass").encode()
    return json.dumps(body).encode()


async def test_no_word_of_a_provider_breaks_a_door(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber("5" * 32))
    office = await with_orders(office, site_id="estate-1", subscriber_id="5" * 32)
    guilty, taken = [], set()
    for door in every(office):
        async with caller(door.office, None) as client:
            for body in posts(door):
                with capture_logs() as lines:
                    answer = await client.post(
                        door.path, content=body, headers=dict(door.headers(body))
                    )
                said = [line["event"] for line in lines if line["log_level"] in BLUNDERS]
                if answer.status_code >= BROKEN or said:
                    guilty.append((door.name, body[:300], answer.status_code, said))
        if answer.is_success:
            taken.add(door.name)

    assert not guilty, "\n".join(map(str, guilty))
    assert taken == {door.name for door in every(office)}, "what was meant well is taken"
