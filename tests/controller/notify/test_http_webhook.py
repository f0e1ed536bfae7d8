"""Webhooks over real sockets: to receivers that are good, slow, hostile, or gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from standardwebhooks.webhooks import Webhook

from controller.notify.http_webhook import HttpWebhooks
from controller.notify.webhook import (
    WebhookError,
    WebhookGone,
    WebhookNotTaken,
    WebhookOut,
    WebhookRefused,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMhIQ=="
HERE = [ip_network("127.0.0.0/8")]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """A receiver that answers with bytes of our choosing, and keeps what it was asked."""

    def __init__(self, answer: bytes, *, wait_s: float = 0, endless: bytes = b"") -> None:
        self.answer, self.wait_s, self.endless = answer, wait_s, endless
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Receiver]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.asked.append((headers, body))
            await asyncio.sleep(self.wait_s)
            writer.write(self.answer)
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @property
    def url(self) -> str:
        return f"http://hooks.example.co.ke:{self.port}/in?key=1"


async def resolve(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def send(
    receiver: Receiver, *, url: str = "", body: str = "{}", send_max_s: float = 5
) -> None:
    carrier = HttpWebhooks(allowed=HERE, resolve=resolve, send_max_s=send_max_s, verify=False)
    try:
        out = WebhookOut("msg_1", url or receiver.url, SECRET, body)
        await carrier.send(out, datetime.now(UTC))
    finally:
        await carrier.close()


async def test_it_arrives_signed_as_standard_webhooks_say() -> None:
    async with Receiver(OK).open() as receiver:
        await send(receiver, body='{"type":"alert.raised","data":{"text":"ä"}}')
    ((headers, body),) = receiver.asked

    told = Webhook(SECRET).verify(body, headers)
    assert told == {"type": "alert.raised", "data": {"text": "ä"}}
    assert headers["host"] == f"hooks.example.co.ke:{receiver.port}"
    assert headers["content-type"] == "application/json"


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver(OK).open() as other:
        moved = f"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:{other.port}/\r\n\r\n".encode()
        async with Receiver(moved).open() as receiver:
            with pytest.raises(WebhookNotTaken, match="307"):
                await send(receiver)

    assert other.asked == []


async def test_an_answer_without_an_end_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    async with Receiver(head, endless=b"x" * 65_536).open() as receiver:
        await send(receiver)

    assert len(receiver.asked) == 1


async def test_headers_without_an_end_are_given_up() -> None:
    async with Receiver(b"HTTP/1.1 200 OK\r\n", endless=b"x-a: " + b"y" * 9_000).open() as receiver:
        with pytest.raises(WebhookNotTaken):
            await send(receiver, send_max_s=5)


async def test_who_is_too_slow_has_not_taken_it() -> None:
    async with Receiver(OK, wait_s=30).open() as receiver:
        with pytest.raises(WebhookNotTaken, match="too_slow"):
            await send(receiver, send_max_s=0.3)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", WebhookNotTaken, "500"),
        (b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", WebhookNotTaken, "404"),
        (b"HTTP/1.1 410 x\r\nContent-Length: 0\r\n\r\n", WebhookGone, "410"),
        (b"", WebhookNotTaken, "broken"),
        (b"220 smtp.example.co.ke ESMTP\r\n", WebhookNotTaken, "broken"),
    ],
)
async def test_any_other_answer_is_no_receipt(
    answer: bytes, kind: type[WebhookError], code: str
) -> None:
    async with Receiver(answer).open() as receiver:
        with pytest.raises(kind, match=code):
            await send(receiver)


@pytest.mark.parametrize(
    ("said", "wanted"), [("120", 120), ("999999", 86_400), ("soon", None), ("-1", None)]
)
async def test_a_receiver_may_say_when_to_come_again(said: str, wanted: int | None) -> None:
    answer = f"HTTP/1.1 429 x\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode()
    async with Receiver(answer).open() as receiver:
        with pytest.raises(WebhookNotTaken) as trouble:
            await send(receiver)

    assert trouble.value.retry_s == wanted


async def test_nobody_there_is_not_taken() -> None:
    async with Receiver(OK).open() as receiver:
        pass
    with pytest.raises(WebhookNotTaken, match="unreachable"):
        await send(receiver)


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent() -> None:
    """The name is looked up once; what it answers is what is judged and connected to."""
    asked = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with Receiver(OK).open() as receiver:
        carrier = HttpWebhooks(resolve=rebinding, verify=False)
        out = WebhookOut("msg_1", f"https://hooks.example.co.ke:{receiver.port}/", SECRET, "{}")
        with pytest.raises(WebhookRefused, match="address_not_public"):
            await carrier.send(out, datetime.now(UTC))
        await carrier.close()

    assert (asked, receiver.asked) == (["hooks.example.co.ke"], [])


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """A second answer of the resolver, for another address, is never asked for."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]

    async def once(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    async with Receiver(OK).open() as receiver:
        carrier = HttpWebhooks(allowed=[ip_network("127.0.0.1/32")], resolve=once, verify=False)
        out = WebhookOut("msg_1", receiver.url, SECRET, "{}")
        await carrier.send(out, datetime.now(UTC))
        await carrier.close()

    assert (len(receiver.asked), len(answers)) == (1, 1)


async def test_an_address_written_otherwise_is_judged_as_what_it_is() -> None:
    """`2130706433` and `0x7f.1` are 127.0.0.1 to this machine's resolver."""
    carrier = HttpWebhooks()
    for host in ("127.0.0.1", "[::1]", "2130706433", "0x7f.1", "localhost", "0"):
        with pytest.raises((WebhookRefused, WebhookNotTaken)) as trouble:
            await carrier.send(
                WebhookOut("msg_1", f"https://{host}/", SECRET, "{}"), datetime.now(UTC)
            )
        assert trouble.value.code in {"address_not_public", "no_address"}
    await carrier.close()


def test_nothing_of_it_is_shown() -> None:
    out = WebhookOut("msg_1", "https://h.example/secret-path", SECRET, '{"phone":"254712345678"}')

    assert repr(out) == "WebhookOut(id='msg_1')"
