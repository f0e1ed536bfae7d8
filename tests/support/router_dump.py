"""An emulated router with customers of every kind, a part of them broken; and its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent import router_reading
from shaping.routeros.session import sign_in
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.routeros.emulator import Box

Ways = tuple[dict[str, str | None], ...]
TWENTIETH = 20

BROKEN_SECRETS: Ways = (
    {"profile": "nowhere"},
    {"profile": "fast?"},
    {"caller-id": "zz:zz"},
    {"comment": "no phone here"},
    {"comment": "0712000001 or 0722000002"},
    {"disabled": "true"},
    {"name": None},
)
BROKEN_USERS: Ways = (
    {"profile": "nowhere"},
    {"limit-uptime": "some time"},
    {"limit-bytes-in": "5000"},
    {"uptime": "5m"},
    {"uptime": "1h"},
    {"disabled": "true"},
)


BROKEN_QUEUES: Ways = ({"max-limit": "0/0"}, {"target": "10.9.0.0/16"}, {"name": "house #"})


def phone(number: int) -> str:
    """A phone as people write it, one for each number."""
    return f"07{number:08d}"


def crowded(box: Box, *, secrets: int, users: int, queues: int, every: int = TWENTIETH) -> None:
    """Fill a router with so many rows of each kind, one in ``every`` of them broken."""
    box.add("/ppp/profile", name="10M", rate_limit="3M/10M 6M/20M 3M/10M 8/8")
    box.add("/ppp/profile", name="fast?", rate_limit="1M/1M")
    odd = box.table("/ppp/profile").find("fast?")
    assert odd is not None
    box.plant("/ppp/profile", odd.id, rate_limit="very fast")
    box.add("/ip/hotspot/user/profile", name="1H-2M", rate_limit="2M/2M", shared_users="2")
    for n in range(secrets):
        words = {"name": f"ppp{n}", "password": "pw-hidden", "profile": "10M", "service": "pppoe"}
        row = box.add("/ppp/secret", **words, comment=f"Jane {n} {phone(n)}")
        _break(box, "/ppp/secret", row, n, every, BROKEN_SECRETS)
    if secrets:
        box.dial("ppp0", "pw-hidden")  # the router makes a queue of its own
    for n in range(users):
        words = {"name": f"K{n:06d}", "profile": "1H-2M", "limit_uptime": "1h"}
        row = box.add("/ip/hotspot/user", **words)
        _break(box, "/ip/hotspot/user", row, n, every, BROKEN_USERS)
    for n in range(queues):
        address = f"10.5.{n // 250}.{n % 250 + 1}"
        row = box.add(
            "/queue/simple",
            name=f"house {n} {phone(50_000 + n)}",
            target=f"{address}/32",
            max_limit="1M/4M",
        )
        _break(box, "/queue/simple", row, n, every, BROKEN_QUEUES)


def _break(box: Box, menu: str, row: str, n: int, every: int, ways: Ways) -> None:  # noqa: PLR0917
    """One row in ``every`` is broken, in turn in each of these ways."""
    if n % every == every - 1:
        way = ways[n // every % len(ways)]
        box.plant(menu, row, **{k: v and v.replace("#", str(n)) for k, v in way.items()})


def file_of(major: int, seal: Callable[[str], str] | None = None, **rows: int) -> str:
    """The file that the agent reads of such a router; with ``seal`` with its passwords."""
    with Emulated(major=major) as router:
        router.do(lambda box: crowded(box, **rows))
        talk = sign_in(router.a_router())
        try:
            return json.dumps(router_reading.read(talk, seal))
        finally:
            talk.close()
