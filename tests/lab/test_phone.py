"""A browser on this machine sees what a device of the site sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.phone import HOME_PATH, LoopbackRoad, Phone, serve_phone
from controller.sandbox.lab.wire import Head, read_body, read_head

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator


class Far:
    """A web server that notes what it was asked and answers what it was told to."""

    def __init__(self) -> None:
        self.asked: list[Head] = []
        self.bodies: list[bytes] = []
        self.sources: list[str] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    async def visit(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = await read_head(reader)
        assert head is not None
        self.asked.append(head)
        self.bodies.append(await read_body(reader, head, until_close=False))
        self.sources.append(writer.get_extra_info("peername")[0])
        writer.write(self.answer)
        writer.close()


class Browser:
    """Speaks to the phone's port and nothing else."""

    def __init__(self, port: int, far: Far) -> None:
        self.port = port
        self.far = far

    async def send(self, first: str, *fields: tuple[str, str], body: bytes = b"") -> Head:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = Head(f"{first} HTTP/1.1", (("Host", f"127.0.0.1:{self.port}"), *fields))
        writer.write(head.encoded() + body)
        answer = await read_head(reader)
        assert answer is not None
        await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    far = Far()
    async with await asyncio.start_server(far.visit, "127.0.0.1", 0) as portal:
        road = LoopbackRoad(source="127.0.0.11", portal_port=portal.sockets[0].getsockname()[1])
        async with await serve_phone(Phone(road), port=0) as served:
            yield Browser(served.sockets[0].getsockname()[1], far)


def redirecting(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_the_page_is_asked_for_from_the_devices_own_address(browser: Browser) -> None:
    await browser.send("GET /")

    assert browser.far.sources == ["127.0.0.11"]


async def test_the_first_page_is_one_of_the_internet(browser: Browser) -> None:
    await browser.send("GET /")

    assert browser.far.asked[0].field("host") == "hello.example"


async def test_a_redirect_to_another_host_keeps_the_browser_at_the_phone(browser: Browser) -> None:
    browser.far.answer = redirecting("http://wifi.lango/o/1?lang=sw")
    answer = await browser.send("GET /")

    assert answer.field("location") == "/o/1?lang=sw"


async def test_the_phone_remembers_where_a_redirect_led(browser: Browser) -> None:
    browser.far.answer = redirecting("http://wifi.lango/")
    await browser.send("GET /")
    await browser.send("GET /")

    assert browser.far.asked[1].field("host") == "wifi.lango"


async def test_a_picture_that_redirects_does_not_move_the_screen(browser: Browser) -> None:
    browser.far.answer = redirecting("http://wifi.lango/")
    await browser.send("GET /favicon.ico", ("Sec-Fetch-Dest", "image"))
    await browser.send("GET /")

    assert browser.far.asked[1].field("host") == "hello.example"


async def test_home_leads_back_to_the_internet(browser: Browser) -> None:
    browser.far.answer = redirecting("http://wifi.lango/")
    await browser.send("GET /")
    await browser.send(f"GET {HOME_PATH}")
    await browser.send("GET /")

    assert browser.far.asked[1].field("host") == "hello.example"


async def test_a_form_arrives_with_its_body_and_as_its_own_sites(browser: Browser) -> None:
    own = f"http://127.0.0.1:{browser.port}"
    form = ("Content-Length", "10")
    await browser.send("POST /order", form, ("Origin", own), body=b"phone=0712")

    assert browser.far.bodies == [b"phone=0712"]
    assert browser.far.asked[0].field("origin") == "http://hello.example"


async def test_cookies_of_other_pages_of_this_machine_stay_away(browser: Browser) -> None:
    await browser.send("GET /", ("Cookie", "staff=secret; phone-seen=1"))

    assert browser.far.asked[0].field("cookie") == "seen=1"


async def test_cookies_of_the_portal_come_back_to_it(browser: Browser) -> None:
    cookie = b"Set-Cookie: seen=1; Domain=wifi.lango; Path=/"
    browser.far.answer = b"HTTP/1.1 200 OK\r\n" + cookie + b"\r\nContent-Length: 0\r\n\r\n"
    answer = await browser.send("GET /")

    assert answer.field("set-cookie") == "phone-seen=1; Path=/"


async def test_an_address_that_is_not_plain_http_is_said_to_be_none_of_the_labs(
    browser: Browser,
) -> None:
    answer = await browser.send("GET /.phone/go?url=https://bank.example/")

    assert answer.first.startswith("HTTP/1.1 502")


async def test_rubbish_is_refused(browser: Browser) -> None:
    answer = await browser.send("GET /", ("Content-Length", "many"))

    assert answer.first == "HTTP/1.1 400 Bad Request"


async def test_an_address_that_cannot_be_changes_nothing(browser: Browser) -> None:
    answer = await browser.send("GET /.phone/go?url=http://[bad:port/")

    assert answer.first.startswith("HTTP/1.1 502")
