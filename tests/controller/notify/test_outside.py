"""Our own address is asked as a stranger would, and no further than the public internet."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from controller.notify.outside import HEARD_BYTES_MAX, HttpOutside, NotHeard
from tests.support.daraja import served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

LOOPBACK = (ip_network("127.0.0.0/8"),)


async def said(request: Request) -> Response:
    """Our host; a long answer; a way elsewhere."""
    match request.path_params["what"]:
        case "long":
            return PlainTextResponse("x" * 100_000)
        case "away":
            return RedirectResponse("http://127.0.0.1:9/")
    return PlainTextResponse(request.headers["host"])


def at(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


async def test_an_answer_is_heard_and_only_its_beginning() -> None:
    async with served(Starlette(routes=[Route("/{what}", said)])) as url:
        outside = HttpOutside(allowed=LOOPBACK, resolve=at("127.0.0.1"))
        named = url.replace("127.0.0.1", "pay.example.co.ke")
        heard = await outside.ask(f"{named}/host")
        long = await outside.ask(f"{named}/long")
        away = await outside.ask(f"{named}/away")
        await outside.close()

    assert heard == named.removeprefix("http://")
    assert len(long) == HEARD_BYTES_MAX
    assert away == ""


@pytest.mark.parametrize(
    ("url", "addresses", "why"),
    [
        ("https://pay.example.co.ke/x", ["10.0.0.7"], "address_not_public"),
        ("https://pay.example.co.ke/x", ["41.90.0.1", "127.0.0.1"], "address_not_public"),
        ("https://metadata.example/x", ["169.254.169.254"], "address_not_public"),
        ("http://pay.example.co.ke/x", ["41.90.0.1"], "not_https"),
        ("https://pay.example.co.ke/x", [], "no_address"),
        ("file:///etc/passwd", ["41.90.0.1"], "url_unreadable"),
        ("https://a:b@pay.example.co.ke/x", ["41.90.0.1"], "url_unreadable"),
    ],
)
async def test_nobody_is_led_inside(url: str, addresses: list[str], why: str) -> None:
    outside = HttpOutside(resolve=at(*addresses))
    with pytest.raises(NotHeard) as silence:
        await outside.ask(url)
    await outside.close()

    assert silence.value.why == why


async def test_a_closed_door_and_a_certificate_of_nobody_are_told_apart() -> None:
    outside = HttpOutside(allowed=LOOPBACK, resolve=at("127.0.0.1"))
    with pytest.raises(NotHeard) as closed:
        await outside.ask("http://pay.example.co.ke:9/x")
    await outside.close()

    assert closed.value.why == "unreachable"
