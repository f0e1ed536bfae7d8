"""Words on the wire, sign-in of every age, tags: as a foreign client sees them."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import librouteros
import pytest

from tests.routeros.emulator import Box, routeros
from tests.routeros.queries import passes
from tests.routeros.witness import Witness, announce, signed_in
from tests.routeros.words import ControlByte, Parser, encoded, prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EDGES = {
    0x00: "00",
    0x7F: "7f",
    0x80: "8080",
    0x100: "8100",
    0x3FFF: "bfff",
    0x4000: "c04000",
    0x1F_FFFF: "dfffff",
    0x20_0000: "e0200000",
    0xFFF_FFFF: "efffffff",
    0x1000_0000: "f010000000",
}
"""From the public description."""


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with routeros() as one:
        yield one


@pytest.mark.parametrize(("length", "octets"), EDGES.items())
def test_a_length_is_announced_in_the_published_width(length: int, octets: str) -> None:
    assert prefix(length).hex() == octets
    assert announce(length).hex() == octets, "the witness reads the same description"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 16_383, 16_384, 2_097_152])
def test_a_word_of_any_width_comes_back(size: int) -> None:
    sentence = ["/x", "=a=" + "v" * size]

    assert list(Parser().feed(encoded(sentence))) == [sentence]


def test_a_sentence_may_be_cut_anywhere() -> None:
    sentence = ["/queue/simple/print", "=comment=" + "x" * 256, "?name=a"]
    octets = encoded(sentence)

    for cut in range(len(octets) + 1):
        parser = Parser()
        got = [*parser.feed(octets[:cut]), *parser.feed(octets[cut:])]
        assert got == [sentence], cut


def test_a_reserved_first_byte_ends_the_stream() -> None:
    with pytest.raises(ControlByte):
        list(Parser().feed(b"\xf8\x00"))


def test_bytes_that_are_no_text_pass_unharmed() -> None:
    word = b"=comment=caf\xe9"
    (sentence,) = Parser().feed(bytes([len(word)]) + word + b"\x00")

    assert encoded(sentence) == bytes([len(word)]) + word + b"\x00"


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        (["?name=a"], True),
        (["?=name=a"], True),
        (["?name"], True),
        (["?-name"], False),
        (["?-comment"], True),
        (["?name=b"], False),
        (["?name=b", "?#!"], True),
        (["?name=a", "?bytes=7", "?#|"], True),
        (["?name=a", "?bytes=7", "?#&"], False),
        (["?name=b", "?bytes=9", "?name=a", "?#&|"], True),
        (["?>bytes=8"], True),
        (["?>bytes=10"], False),
        (["?<uptime=2m"], True),
        (["?disabled=yes"], True),
        (["?name=b", "?name=a", "?#0"], True),
        (["?name=b", "?name=a", "?#1"], False),
        (["?name=a", "?name=b", "?#1!&!"], True),
    ],
)
def test_a_query_is_worked_off_on_a_stack(queries: list[str], expected: bool) -> None:  # noqa: FBT001
    row = {"name": "a", "bytes": "9", "uptime": "1m40s", "disabled": "true"}

    assert passes(row, queries) is expected


@pytest.mark.parametrize("major", [6, 7])
async def test_librouteros_signs_in_and_reads_back_what_it_wrote(major: int) -> None:
    async with routeros(major=major) as box:

        def visit() -> list[dict[str, object]]:
            api = librouteros.connect(box.host, "agent", "s3cret", port=box.port)
            queues = api.path("queue", "simple")
            queues.add(name="q", target="10.5.50.14", **{"max-limit": "2M/5M"})
            rows = [dict(row) for row in queues]
            api.close()
            return rows

        (row,) = await asyncio.to_thread(visit)

    assert row["max-limit"] == "2000000/5000000"
    assert row["target"] == "10.5.50.14/32"


async def test_librouteros_comes_in_by_tls(box: Box) -> None:
    trusting = ssl.create_default_context(cadata=box.certificate_pem.decode())

    def visit() -> list[dict[str, object]]:
        api = librouteros.connect(
            box.host,
            "agent",
            "s3cret",
            port=box.tls_port,
            ssl_wrapper=lambda line: trusting.wrap_socket(line, server_hostname="127.0.0.1"),
        )
        rows = [dict(row) for row in api.path("system", "identity")]
        api.close()
        return rows

    assert await asyncio.to_thread(visit) == [{"name": "MikroTik"}]


@pytest.mark.parametrize("version", ["6.33", "6.42.12", "6.43"])
async def test_old_versions_take_the_answer_to_a_challenge(version: str) -> None:
    async with routeros(version=version) as box:

        def visit() -> tuple[list[list[str]], list[list[str]]]:
            with Witness.meets(box.host, box.port) as witness:
                wrong = witness.sign_in_old("agent", "wrong")
                return wrong, witness.sign_in_old("agent", "s3cret")

        wrong, right = await asyncio.to_thread(visit)

    assert wrong[0][0] == "!trap"
    assert right == [["!done"]]


async def test_librouteros_signs_in_the_old_way() -> None:
    async with routeros(version="6.42.12") as box:

        def visit() -> int:
            token = librouteros.login.token
            api = librouteros.connect(
                box.host, "agent", "s3cret", port=box.port, login_method=token
            )
            count = len(tuple(api("/user/print")))
            api.close()
            return count

        assert await asyncio.to_thread(visit) == 1


async def test_who_is_not_signed_in_gets_nothing_but_may_try_again(box: Box) -> None:
    def visit() -> list[list[list[str]]]:
        with Witness.meets(box.host, box.port) as witness:
            return [
                witness.ask("/user/print"),
                witness.sign_in("agent", "wrong"),
                witness.sign_in("agent", "s3cret"),
                witness.ask("/system/identity/print"),
            ]

    before, wrong, right, after = await asyncio.to_thread(visit)

    assert before == [["!trap", "=message=not logged in"], ["!done"]]
    assert wrong == [["!trap", "=message=invalid user name or password (6)"], ["!done"]]
    assert right == [["!done"]]
    assert after == [["!re", "=name=MikroTik"], ["!done"]]


async def test_a_stranger_who_sends_too_much_is_thrown_out(box: Box) -> None:
    def visit() -> list[str]:
        with Witness.meets(box.host, box.port) as witness:
            witness.say("/login", "=name=" + "x" * 20_000)
            return witness.hear()

    assert await asyncio.to_thread(visit) == ["!fatal", "too many commands before login"]


@pytest.mark.parametrize(
    ("version", "empty"),
    [("6.49.18", []), ("7.12", []), ("7.18.2", [["!empty"]])],
)
async def test_an_empty_print_says_so_since_7_18(version: str, empty: list[list[str]]) -> None:
    async with routeros(version=version) as box:

        def visit() -> list[list[str]]:
            with signed_in(box.host, box.port) as witness:
                return witness.ask("/ppp/secret/print")

        assert await asyncio.to_thread(visit) == [*empty, ["!done"]]


async def test_every_sentence_of_a_tagged_answer_carries_the_tag(box: Box) -> None:
    def visit() -> list[list[str]]:
        with signed_in(box.host, box.port) as witness:
            return witness.ask("/queue/type/print", "=.proplist=name", "?kind=red", ".tag=a b")

    assert await asyncio.to_thread(visit) == [
        ["!re", ".tag=a b", "=name=synchronous-default"],
        ["!done", ".tag=a b"],
    ]


async def test_the_box_says_good_bye_to_who_quits(box: Box) -> None:
    def visit() -> list[str]:
        with signed_in(box.host, box.port) as witness:
            witness.say("/quit")
            heard = witness.hear()
            with pytest.raises(EOFError):
                witness.hear()
            return heard

    assert await asyncio.to_thread(visit) == ["!fatal", "session terminated on request"]


async def test_a_listener_hears_of_changes_until_it_is_cancelled(box: Box) -> None:
    def visit() -> list[list[str]]:
        with signed_in(box.host, box.port) as listener, signed_in(box.host, box.port) as writer:
            listener.say("/queue/simple/listen", "=.proplist=.id,max-limit", ".tag=10")
            listener.ask("/system/identity/print")
            writer.ask("/queue/simple/add", "=name=a", "=target=10.0.0.1", "=max-limit=1M/1M")
            writer.ask("/queue/simple/remove", "=.id=a")
            heard = [listener.hear(), listener.hear()]
            listener.say("/cancel", "=tag=10", ".tag=20")
            return heard + sorted(listener.hear() for _ in range(3))

    assert await asyncio.to_thread(visit) == [
        ["!re", ".tag=10", "=.id=*1", "=max-limit=1000000/1000000"],
        ["!re", ".tag=10", "=.id=*1", "=.dead=true"],
        ["!done", ".tag=10"],
        ["!done", ".tag=20"],
        ["!trap", ".tag=10", "=category=2", "=message=interrupted"],
    ]


async def test_a_print_that_follows_shows_what_is_there_and_then_what_changes(box: Box) -> None:
    made = box.add("/queue/simple", name="a", target="10.0.0.1")

    def visit() -> list[list[str]]:
        with signed_in(box.host, box.port) as w:
            w.say("/queue/simple/print", "=follow=", "=.proplist=name", "?name=a", ".tag=1")
            first = w.hear()
            w.say("/queue/simple/comment", f"=.id={made}", "=comment=x", ".tag=2")
            rest = [w.hear(), w.hear()]
            w.say("/cancel", ".tag=3")
            return [first, *sorted(rest), *sorted(w.hear() for _ in range(3))]

    assert await asyncio.to_thread(visit) == [
        ["!re", ".tag=1", "=name=a"],
        ["!done", ".tag=2"],
        ["!re", ".tag=1", "=name=a"],
        ["!done", ".tag=1"],
        ["!done", ".tag=3"],
        ["!trap", ".tag=1", "=category=2", "=message=interrupted"],
    ]


async def test_a_print_at_intervals_repeats_itself(box: Box) -> None:
    def visit() -> list[list[str]]:
        with signed_in(box.host, box.port) as w:
            w.say("/system/identity/print", "=interval=10ms", ".tag=1")
            return [w.hear() for _ in range(3)]

    assert await asyncio.to_thread(visit) == [["!re", ".tag=1", "=name=MikroTik"]] * 3


async def test_the_box_writes_down_who_came_and_shows_who_is_there(box: Box) -> None:
    def visit() -> list[dict[str, str]]:
        with signed_in(box.host, box.port) as w:
            return w.rows("/user/active/print", "=.proplist=name,via,address")

    assert await asyncio.to_thread(visit) == [
        {"name": "agent", "via": "api", "address": "127.0.0.1"}
    ]
    said = [row["message"] for row in box.rows("/log")]
    assert said == ["router rebooted", "user agent logged in from 127.0.0.1 via api"]
