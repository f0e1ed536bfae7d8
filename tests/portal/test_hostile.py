"""What nobody can make the portal do: each bad request gets a 4xx that names what is wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from portal.captive.door import Door
from portal.captive.forms import FORM_TYPE, Unacceptable, read_form
from tests.support.portal import HOST, PHONE, Site, a_face, an_access, an_offer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message

FORM = {"content-type": FORM_TYPE}

BAD_FORMS = [
    (b"", "plan: missing"),
    (b"plan=hour", "phone: missing"),
    (b"plan=hour&plan=day&phone=1", "plan: want it once"),
    (b"plan=" + b"a" * 33 + b"&phone=1", "plan: want at most 32 characters"),
    (b"plan=hour&phone=" + b"0" * 33, "phone: want at most 32 characters"),
    (b"plan=hour&phone=07%00", "phone: want printable characters"),
    (b"plan=ho%0d%0aur&phone=07", "plan: want printable characters"),
    (b"plan=hour&phone=%ff%fe", "body: want at most 8 fields in UTF-8"),
    (b"\xff\xfe", "body: want at most 8 fields in UTF-8"),
    (b"&".join(b"f%d=1" % i for i in range(9)), "body: want at most 8 fields in UTF-8"),
    (b"pl%00an=hour&phone=1", "body: a field's name is made of letters"),
]


@pytest.mark.parametrize(("body", "sentence"), BAD_FORMS)
async def test_a_form_that_cannot_be_is_refused_by_name(body: bytes, sentence: str) -> None:
    site = Site()
    async with site.phone() as phone:
        answer = await phone.post("/order", content=body, headers=FORM)

    assert (answer.status_code, answer.text) == (400, sentence + "\n")
    assert site.gate.device(PHONE).order is None


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data; boundary=x"])
async def test_only_a_plain_form_is_read(kind: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.post("/order", content=b"{}", headers={"content-type": kind})

    assert (answer.status_code, answer.text) == (415, f"Content-Type: want {FORM_TYPE}\n")


async def test_a_giant_body_is_refused_as_soon_as_it_is_too_big() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1024
            yield b"a" * 1024

    async with Site().phone() as phone:
        answer = await phone.post("/redeem", content=endless(), headers=FORM)

    assert (answer.status_code, answer.text) == (413, "body: want at most 4096 bytes\n")


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async def silence() -> Message:
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    headers = [(b"content-type", FORM_TYPE.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, silence)

    with pytest.raises(Unacceptable, match=r"^body: want all of it within 0 s") as refusal:
        await read_form(request, wait_s=0)
    assert refusal.value.status == 408


@pytest.mark.parametrize("path", ["/order", "/redeem"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": f"http://{HOST}"},
        {"origin": "http://example.com"},
        {"origin": f"http://{HOST}.example.com"},
        {"origin": f"http://{HOST}:8000"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://[bad"},
    ],
)
async def test_another_site_cannot_order_in_a_customers_name(
    path: str, headers: dict[str, str]
) -> None:
    site = Site()
    async with site.phone() as phone:
        answer = await phone.post(
            path, content=b"plan=hour&phone=0712345678", headers={**FORM, **headers}
        )

    assert answer.status_code == 403
    assert answer.text.startswith(("Origin: ", "Sec-Fetch-Site: "))
    assert site.gate.device(PHONE).order is None


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8091"},
        {"sec-fetch-site": "none"},
        {"origin": f"http://{HOST}"},
        {"origin": f"HTTP://{HOST.upper()}"},
        {},
    ],
)
async def test_the_portals_own_page_can_order(headers: dict[str, str]) -> None:
    async with Site().phone() as phone:
        answer = await phone.post(
            "/order", content=b"plan=hour&phone=0712345678", headers={**FORM, **headers}
        )

    assert answer.status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%2e%2e%2fetc%2fpasswd",
        "/templates/page.html",
        "/static/../app.py",
        "/o/",
        "/o/../../etc/passwd",
        "/o/" + "A" * 32,
        "/o/" + "0" * 31,
        "/o/;$(id)",
        "/;$(id)",
        "/`id`",
        "/%00",
        "/favicon.ico",
    ],
)
async def test_a_path_that_is_nothing_is_a_404(path: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get(path)

    assert answer.status_code == 404
    assert answer.text.startswith(("path: ", "order: "))


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/"), ("DELETE", "/order"), ("GET", "/order"), ("POST", "/"), ("PATCH", "/o/1")],
)
async def test_a_wrong_method_is_a_405_that_says_what_is_allowed(method: str, path: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.request(method, path)

    assert (answer.status_code, answer.text) == (405, "method: Method Not Allowed\n")
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "query", ["lang=%ff", "lang=en&lang=sw", "lang=%00", "&".join(f"q{i}=1" for i in range(9))]
)
async def test_a_query_that_cannot_be_is_refused(query: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get(f"/?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize("tries", ["-1", "1e9", "100", "x", ""])
async def test_a_count_that_is_none_is_refused(tries: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get(f"/joined?tries={tries}")

    assert (answer.status_code, answer.text) == (400, "tries: want a small number\n")


async def test_whatever_a_site_or_a_customer_writes_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'"
    site = Site(
        face=a_face(operator_name=evil, site_name=evil, help_phone=evil),
        offers=(an_offer(name=evil),),
    )
    await site.ordered()
    site.gate.went_online(PHONE, an_access(plan_name=evil))
    async with site.phone() as phone:
        pages = [
            (await phone.get(path)).text for path in ("/", "/packages", "/status", "/help", "/ok")
        ]
        pages.append((await phone.post("/redeem", data={"code": evil})).text)

    assert not any("<script>alert" in page for page in pages)


async def test_an_unknown_language_is_not_repeated_in_the_page() -> None:
    async with Site().phone() as phone:
        page = (await phone.get('/?lang="><script>')).text

    assert "><script>&" not in page
    assert 'lang="en"' in page


async def test_hundreds_of_looks_at_once_agree() -> None:
    site = Site()
    site.gate.granted(PHONE, an_access())
    async with site.phone() as phone:
        answers = await asyncio.gather(*(phone.get("/") for _ in range(200)))

    assert sum(a.headers.get("location") == "/ok" for a in answers) >= 1
    assert {a.status_code for a in answers} <= {200, 302}


FORMS = {
    "/order": {"plan": "hour", "phone": "0712345678"},
    "/redeem": {"code": "7KQM2XWD9FTR"},
    "/phone": {"phone": "0712345678"},
    "/move": {"device": "ABCD"},
    "/connect": {"device": "ABCD"},
    "/release": {"device": "ABCD"},
}
"""Every form of the portal, with every field that it wants."""

FIELDS = [(path, name) for path, form in FORMS.items() for name in form]
each_field = pytest.mark.parametrize(("path", "name"), FIELDS)


async def test_there_is_no_form_that_is_not_attacked_here() -> None:
    asked = {route.path for route in routes_of(Site()) if "POST" in (route.methods or ())}

    assert asked == FORMS.keys()


@each_field
async def test_a_field_that_is_absent_is_named(path: str, name: str) -> None:
    form = {key: value for key, value in FORMS[path].items() if key != name}
    async with Site().phone() as phone:
        answer = await phone.post(path, content=urlencode(form), headers=FORM)

    assert (answer.status_code, answer.text) == (400, f"{name}: missing\n")


@each_field
async def test_a_field_that_is_doubled_is_named(path: str, name: str) -> None:
    form = [*FORMS[path].items(), (name, FORMS[path][name])]
    async with Site().phone() as phone:
        answer = await phone.post(path, content=urlencode(form), headers=FORM)

    assert (answer.status_code, answer.text) == (400, f"{name}: want it once\n")


@each_field
@pytest.mark.parametrize("said", ["", " ", "%", "'; --", "../..", "\u202e", "0" * 12])
async def test_a_field_that_is_empty_or_odd_changes_nothing(
    path: str, name: str, said: str
) -> None:
    site = Site()
    async with site.phone() as phone:
        answer = await phone.post(
            path, content=urlencode({**FORMS[path], name: said}), headers=FORM
        )

    assert answer.status_code < 500
    assert site.gate.device(PHONE).access is None
    assert site.gate.device(PHONE).order is None or (name, said) == ("phone", "0" * 12)


@each_field
async def test_a_field_that_is_too_long_is_named(path: str, name: str) -> None:
    form = {**FORMS[path], name: "a" * 401}
    async with Site().phone() as phone:
        answer = await phone.post(path, content=urlencode(form), headers=FORM)

    assert answer.status_code == 400
    assert answer.text.startswith(f"{name}: want at most ")


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_a_type_is_not_read(path: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.post(path, content=urlencode(FORMS[path]))

    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/", "/status", "/devices", "/tv", "/joined", "/phone", "/help"])
@pytest.mark.parametrize(
    "cookie", ["lango", "lango=", "lango=;lango=", "lango=%00%ff", "=;;=", "lango=" + "a" * 9_000]
)
async def test_a_badge_that_is_none_opens_nothing(path: str, cookie: str) -> None:
    site = Site()
    async with site.phone() as phone:
        answer = await phone.get(path, headers={"cookie": cookie})

    assert answer.status_code < 500
    assert site.gate.device(PHONE).access is None


@pytest.mark.parametrize("missing", ["accept", "accept-encoding", "user-agent", "connection"])
@pytest.mark.parametrize("path", ["/", "/capport", "/voucher", "/tv"])
async def test_no_header_but_the_host_is_needed(path: str, missing: str) -> None:
    async with Site().phone() as phone:
        del phone.headers[missing]
        answer = await phone.get(path)

    assert answer.status_code < 400


RAW = [
    (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 65_536 + b"\r\n\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 9_000 + b"\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nHost: " + b"a" * 65_536 + b"\r\n\r\n", b"4"),
    (b"POST /redeem HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /redeem HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", b"415"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.0\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", b"400"),
    (b"GET /" + b"a" * 65_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"414"),
    (b"GET /" + b"a" * 90_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10**6 + b"\r\n\r\n", b"431"),
    (b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"404"),
    (b"GET /a\x00b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"40"),
    (b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"40"),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"200"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, b"400"),
]


@pytest.mark.parametrize(("request_bytes", "status"), RAW, ids=range(len(RAW)))
async def test_raw_bytes_get_an_answer_and_the_server_lives(
    request_bytes: bytes, status: bytes
) -> None:
    with serving(Site().app) as port:
        first = await exchanged(port, request_bytes)
        after = await exchanged(port, RAW[-2][0])

    assert first.split(b" ", 2)[1].startswith(status)
    assert after.startswith(b"HTTP/1.1 200")


def routes_of(site: Site) -> list[Route]:
    door = site.app
    assert isinstance(door, Door)
    assert isinstance(door.portal, Starlette)
    return [route for route in door.portal.routes if isinstance(route, Route)]


async def exchanged(port: int, request_bytes: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes)
    try:
        return await asyncio.wait_for(reader.read(), timeout=20)
    except ConnectionError:
        return b"HTTP/1.1 400 connection reset"
    finally:
        writer.close()
