"""Who is let in: FreeRADIUS's client asks a site that answers from its own journal."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from pyrad.packet import AccessAccept, AuthPacket

from agent.radius import words
from agent.radius.server import ANSWERS_KEPT_MS, Came
from agent.radius.settings import Kind, Unpaid
from agent.uplink.memory import blocked_item, grant_item, login_item
from billing.plan import Burst
from tests.support.radius import (
    CAUSE,
    HERE,
    MAC,
    NAME,
    NAS_SECRET,
    NO_ANSWER_S,
    SECRET,
    a_radius_site,
    radclient,
)
from tests.support.site import some_limits
from tests.support.steered import SteeredClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.radius import RadiusSite

SIGNED = "Message-Authenticator = 0x00"
MESSAGE_AUTHENTICATOR, LENGTH = 80, 18


async def test_a_subscriber_with_a_grant_dials_in_by_a_password(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(validity=3600)

        answer = await site.dial()

    assert answer is not None
    assert answer.kind == "Access-Accept"
    assert answer["Mikrotik-Rate-Limit"] == "2000000/4000000"
    assert int(answer["Session-Timeout"]) == 3600
    assert answer["Acct-Interim-Interval"] == "300"


async def test_the_name_may_be_spelt_in_any_case(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()

        answer = await site.dial(name="WanJiku")

    assert answer is not None
    assert answer.kind == "Access-Accept"


async def test_chap_is_answered(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        asked = (f'User-Name = "{NAME}"', SIGNED)

        right = await site.ask(*asked, f'CHAP-Password = "{SECRET}"')
        wrong = await site.ask(*asked, 'CHAP-Password = "another"')

    assert right is not None
    assert right.kind == "Access-Accept"
    assert wrong is not None
    assert wrong.kind == "Access-Reject"


async def test_ms_chap_v2_is_answered_as_rfc_2759_has_it(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.put(login_item("user", "clientPass", CAUSE))
        peer, nt = (
            "21402324255e262a28295f2b3a337c7e",
            ("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"),
        )
        asked = (
            'User-Name = "User"',
            "MS-CHAP-Challenge = 0x5b5d7c7d7b3f2f3e3c2c602132262628",
            SIGNED,
        )

        right = await site.ask(*asked, f"MS-CHAP2-Response = 0x0700{peer}{'00' * 8}{nt}")
        wrong = await site.ask(*asked, f"MS-CHAP2-Response = 0x0700{peer}{'00' * 8}{nt[:-2]}00")

    assert right is not None
    assert right.kind == "Access-Accept"
    assert right["MS-CHAP2-Success"] == "0x07" + b"S=407A5589115FD0D6209F510FE9C04566932CDA56".hex()
    # The keys of RFC 3079's worked example (3.5.3), as radclient unseals them.
    assert right["MS-MPPE-Send-Key"] == "0x8b7cdc149b993a1ba118cb153f56dccb"
    assert wrong is not None
    assert wrong.kind == "Access-Reject"
    assert wrong["MS-CHAP-Error"].startswith("\\007E=691 R=0 C=5B5D")


async def test_a_wrong_secret_and_an_unknown_name_sound_the_same(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()

        wrong = await site.dial("something else")
        longer = await site.dial(SECRET + "x")
        nobody = await site.dial(name="nobody")

    assert [one and (one.kind, one["Reply-Message"]) for one in (wrong, longer, nobody)] == [
        ("Access-Reject", "Wrong name or password.")
    ] * 3


async def test_nothing_to_use_is_no_access(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.put(login_item(NAME, SECRET, CAUSE))

        nothing = await site.dial()
        limits = some_limits(validity=3600)
        await site.put(
            grant_item("g1", limits=limits, devices=(), cause_id=f"{CAUSE}:1", suspended=True)
        )
        suspended = await site.dial()
        await site.put(grant_item("g1", limits=limits, devices=(), cause_id=f"{CAUSE}:1"))
        served = await site.dial()

    assert [one and one.kind for one in (nothing, suspended, served)] == [
        "Access-Reject",
        "Access-Reject",
        "Access-Accept",
    ]


async def test_who_owes_may_be_let_in_to_a_page_alone(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path, unpaid=Unpaid.LIST) as site:
        await site.put(login_item(NAME, SECRET, CAUSE))

        answer = await site.dial()
        wrong = await site.dial("something else")

    assert answer is not None
    assert answer.kind == "Access-Accept"
    assert answer["Mikrotik-Address-List"] == "lango-unpaid"
    assert int(answer["Session-Timeout"]) == 600
    assert wrong is not None
    assert wrong.kind == "Access-Reject"


async def test_a_nas_that_knows_no_list_of_addresses_lets_nobody_in_to_a_page(
    tmp_path: Path,
) -> None:
    async with a_radius_site(tmp_path, unpaid=Unpaid.LIST, kind=Kind.WISPR) as site:
        await site.put(login_item(NAME, SECRET, CAUSE))

        answer = await site.dial()

    assert answer is not None
    assert answer.kind == "Access-Reject"


async def test_a_blocked_device_stays_out(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.put(blocked_item([MAC.lower()]))

        answer = await site.dial()

    assert answer is not None
    assert answer.kind == "Access-Reject"


async def test_five_gigabytes_are_not_one(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(quota=5_000_000_000)

        answer = await site.dial()

    assert answer is not None
    assert int(answer["Mikrotik-Total-Limit"]) == 705_032_704
    assert int(answer["Mikrotik-Total-Limit-Gigawords"]) == 1


async def test_others_than_mikrotik_are_told_in_the_words_of_wispr(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path, kind=Kind.WISPR) as site:
        await site.subscribe(quota=1_000_000_000)

        answer = await site.dial()

    assert answer is not None
    assert answer["WISPr-Bandwidth-Max-Down"] == "4000000"
    assert answer["WISPr-Bandwidth-Max-Up"] == "2000000"
    assert answer["ChilliSpot-Max-Total-Octets"] == "1000000000"
    assert not [name for name in answer.names if name.startswith("Mikrotik")]


async def test_a_question_must_prove_who_asks(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        asked = (f'User-Name = "{NAME}"', f'User-Password = "{SECRET}"')

        unsigned = await site.ask(*asked, wait_s=NO_ANSWER_S)
        stranger = await site.ask(*asked, SIGNED, secret="not the secret", wait_s=NO_ANSWER_S)

    assert unsigned is None
    assert stranger is None
    assert site.server.tally["unsigned"] == 1
    assert site.server.tally["forged"] == 1


async def test_a_nas_that_is_let_off_is_still_held_to_what_it_sends(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path, weak=True) as site:
        await site.subscribe()
        asked = (f'User-Name = "{NAME}"', f'User-Password = "{SECRET}"')

        unsigned = await site.ask(*asked)
        proxied = await site.ask(*asked, "Proxy-State = 0x6173", wait_s=NO_ANSWER_S)
        forged = await site.ask(*asked, SIGNED, secret="not the secret", wait_s=NO_ANSWER_S)

    assert unsigned is not None
    assert unsigned.kind == "Access-Accept"
    assert proxied is None
    assert forged is None
    assert site.server.status()["radius_without_message_authenticator"] == ["tower-1"]


async def test_an_answer_begins_with_its_proof_and_gives_proxy_states_back(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        question = a_question()
        question.AddAttribute("Proxy-State", b"one")
        question.AddAttribute("Proxy-State", b"two")

        accepted = await exchanged(site, question.RequestPacket())
        wrong = a_question(password="something else")
        refused = await exchanged(site, wrong.RequestPacket())

    assert accepted is not None
    assert refused is not None
    assert (accepted[20], accepted[21]) == (MESSAGE_AUTHENTICATOR, LENGTH)
    assert (refused[20], refused[21]) == (MESSAGE_AUTHENTICATOR, LENGTH)
    reply = question.CreateReply(packet=accepted)
    assert question.VerifyReply(reply, accepted, enforce_ma=True)
    assert reply["Proxy-State"] == [b"one", b"two"]


async def test_a_question_asked_again_gets_the_very_same_answer(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        asked = a_question().RequestPacket()
        with a_socket(site) as end:
            first = await sent(end, asked)
            await site.drop("grant/g1")
            second = await sent(end, asked)

    assert first == second
    assert site.server.tally["again"] == 1


async def test_a_question_that_is_played_again_ends_nobodys_line(tmp_path: Path) -> None:
    """Who heard it on the way can send it as the NAS, and the same device takes its own place."""
    clock = SteeredClock()
    async with a_radius_site(tmp_path, clock=clock) as site:
        await site.subscribe()
        packet = a_question()
        packet.AddAttribute("Calling-Station-Id", MAC)
        packet.add_message_authenticator()
        raw, heard = packet.RequestPacket(), list[bytes]()
        site.server.asked(Came(raw, (HERE, 1_000), heard.append))
        await site.tell("Start")
        for padding, port in ((b"", 1_001), (b"behind the end", 1_000)):
            site.server.asked(Came(raw + padding, (HERE, port), heard.append))
        await clock.advance(ANSWERS_KEPT_MS // 1_000 + 1)
        site.server.asked(Came(raw, (HERE, 1_000), heard.append))
        await site.tell("Interim-Update", Acct_Session_Time=31)
        (session,) = site.loop.state.sessions.values()

    assert session.closed is None
    assert heard == heard[:1] * 3
    assert (site.server.tally["again"], site.server.tally["played_again"]) == (2, 1)


async def test_whoever_is_not_known_hears_nothing(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.bind(("127.0.0.9", 0))
            end.connect((HERE, site.radius.auth_port))
            answer = await sent(end, a_question().RequestPacket(), wait_s=0.3)

    assert answer is None
    assert site.server.tally["unknown_nas"] == 1


async def test_a_nas_of_ipv4_is_known_where_both_are_listened_to(tmp_path: Path) -> None:
    """With ``listen = "::"`` the system tells an address of IPv4 as one of IPv6."""
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        packet = AuthPacket(secret=NAS_SECRET.encode(), dict=words.dictionary(), id=7)
        packet.AddAttribute("User-Name", NAME)
        packet["User-Password"] = packet.PwCrypt(SECRET)
        packet.add_message_authenticator()
        heard: list[bytes] = []
        site.server.asked(Came(packet.RequestPacket(), (f"::ffff:{HERE}", 1_000), heard.append))

        assert heard[0][0] == AccessAccept
        assert site.server.tally["unknown_nas"] == 0


async def test_somebody_who_asks_whether_we_are_here_is_told(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        signed = await site.ask(SIGNED, kind="status")
        unsigned = await exchanged(site, bytes((12, 1, 0, 20)) + bytes(16), wait_s=0.2)
        where = f"{HERE}:{site.radius.acct_port}"
        told = await radclient(where, "status", NAS_SECRET, SIGNED)
        forged = await radclient(where, "status", "not its secret", SIGNED, wait_s=NO_ANSWER_S)

    assert signed is not None
    assert signed.kind == "Access-Accept"
    assert (unsigned, forged) == (None, None)
    assert told is not None
    assert told.kind == "Accounting-Response"


async def test_answers_come_from_the_journal_after_a_power_cut(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(validity=3600)

    async with a_radius_site(tmp_path) as site:
        answer = await site.dial()

    assert answer is not None
    assert answer.kind == "Access-Accept"


async def test_a_burst_is_told_in_routeros_words(tmp_path: Path) -> None:
    limits = some_limits(validity=3600)
    object.__setattr__(limits, "burst", Burst(8_000_000, 4_000_000, 5_000_000))
    async with a_radius_site(tmp_path) as site:
        await site.put(
            login_item(NAME, SECRET, CAUSE),
            grant_item("g1", limits=limits, devices=(), cause_id=f"{CAUSE}:1"),
        )

        answer = await site.dial()

    assert answer is not None
    assert answer["Mikrotik-Rate-Limit"] == (
        "2000000/4000000 4000000/8000000 2000000/4000000 20/10"
    )


def a_question(password: str = SECRET) -> AuthPacket:
    """A signed question for access, by a password."""
    packet = AuthPacket(secret=NAS_SECRET.encode(), dict=words.dictionary(), id=7)
    packet.AddAttribute("User-Name", NAME)
    packet.authenticator = packet.CreateAuthenticator()
    packet.AddAttribute("User-Password", packet.PwCrypt(password))
    packet.add_message_authenticator()
    return packet


def a_socket(site: RadiusSite) -> socket.socket:
    """A socket towards the port where access is asked for."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((HERE, 0))
    end.connect((HERE, site.radius.auth_port))
    return end


async def sent(end: socket.socket, raw: bytes, *, wait_s: float = 3) -> bytes | None:
    """Send a packet; what came back, or None."""
    end.setblocking(False)  # noqa: FBT003 - the library's
    running = asyncio.get_running_loop()
    await running.sock_sendall(end, raw)
    try:
        return await asyncio.wait_for(running.sock_recv(end, 4096), wait_s)
    except TimeoutError:
        return None


async def exchanged(site: RadiusSite, raw: bytes, *, wait_s: float = 3) -> bytes | None:
    """The same from a socket of its own."""
    with a_socket(site) as end:
        return await sent(end, raw, wait_s=wait_s)
